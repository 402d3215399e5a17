"""The LlamaIndex adapters with the real llama-index-core."""

import asyncio

import framework_cases as cases
import pytest
from framework_cases import QUERY, TEXTS, check_spans, joined_tokens
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core import MockEmbedding, PromptTemplate, VectorStoreIndex, get_response_synthesizer
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.llms import ChatMessage, MockLLM
from llama_index.core.memory import Memory
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import (
    Document,
    ImageNode,
    MediaResource,
    MetadataMode,
    Node,
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)

import fieldpack as fp
from fieldpack.adapters.llamaindex import FieldpackMemoryBlock, FieldpackPostprocessor

LARGE = 1000


class CountedEmbedding(BaseEmbedding):
    """Embeddings that remember their calls."""

    _calls: cases.Calls = PrivateAttr(default_factory=cases.Calls)

    def _get_query_embedding(self, query):
        return self._calls.of_query(query)

    def _get_text_embedding(self, text):
        return self._calls.of_documents([text])[0]

    async def _aget_query_embedding(self, query):
        return self._get_query_embedding(query)


def nodes(metadata=True):
    out = []
    for k, text in enumerate(TEXTS):
        node = TextNode(
            id_=f"n{k}",
            text=text,
            metadata={"file": f"f{k}.md"} if metadata else {},
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"doc{k}")},
            start_char_idx=100 * k if k else None,
        )
        out.append(NodeWithScore(node=node, score=0.5 - k / 10))
    return out


def shown(out, mode=MetadataMode.LLM):
    return [n.node.get_content(metadata_mode=mode) for n in out]


def test_what_is_kept_is_verbatim_with_offsets_metadata_and_relationships():
    given_nodes = nodes()
    before = [n.model_dump() for n in given_nodes]
    out = FieldpackPostprocessor(budget=60).postprocess_nodes(given_nodes, query_str=QUERY)
    assert "n1" in [n.node_id for n in out]
    for n in out:
        k = int(n.node_id[1:])
        source, facts = given_nodes[k], n.metadata["fieldpack"]
        check_spans(TEXTS[k], n.text, facts)
        assert n.score == facts["score"] and facts["retriever_score"] == source.score
        assert n.metadata == {"file": f"f{k}.md", "fieldpack": facts}
        assert n.node.relationships == source.node.relationships and n.node.ref_doc_id == f"doc{k}"
        base = source.node.start_char_idx or 0
        assert (n.node.start_char_idx, n.node.end_char_idx) == (base + facts["start"], base + facts["end"])
        assert type(n.node) is TextNode
    assert [n.model_dump() for n in given_nodes] == before


def test_offsets_of_parsed_nodes_point_into_their_document():
    text = "\n\n".join([*TEXTS, *TEXTS[::-1]])
    parsed = SentenceSplitter(chunk_size=60, chunk_overlap=0, tokenizer=str.split).get_nodes_from_documents(
        [Document(text=text, id_="whole")]
    )
    assert len(parsed) > 2
    out = FieldpackPostprocessor(budget=50).postprocess_nodes([NodeWithScore(node=n) for n in parsed], query_str=QUERY)
    for n in out:
        place = text[n.node.start_char_idx : n.node.end_char_idx]
        passages = n.text.split("…")
        assert place.startswith(passages[0].strip()) and place.endswith(passages[-1].strip())
        assert n.node.ref_doc_id == "whole"


def test_models_do_not_see_what_fieldpack_says():
    out = FieldpackPostprocessor(budget=60).postprocess_nodes(nodes(), query_str=QUERY)
    for n in out:
        for mode in (MetadataMode.LLM, MetadataMode.EMBED):
            assert "fieldpack" not in n.node.get_content(metadata_mode=mode)
            assert n.metadata["file"] in n.node.get_content(metadata_mode=mode)


@settings(max_examples=40, deadline=None)
@given(
    cases.SOME_TEXTS,
    st.integers(1, 150),
    cases.PACKERS,
    st.sampled_from([MetadataMode.LLM, MetadataMode.NONE, MetadataMode.ALL]),
)
def test_the_budget_holds_on_what_the_model_is_shown(texts, budget, packer, mode):
    postprocessor = FieldpackPostprocessor(budget=budget, packer=packer, metadata_mode=mode)
    given_nodes = [
        NodeWithScore(node=TextNode(text=t, metadata={"path": f"/a/b/{k}.md", "date": "2024-05-06"}))
        for k, t in enumerate(texts)
    ]
    out = postprocessor.postprocess_nodes(given_nodes, query_str=QUERY)
    assert joined_tokens(shown(out, mode)) <= budget


@settings(max_examples=20, deadline=None)
@given(cases.SOME_TEXTS, st.integers(20, 200), cases.PACKERS)
def test_the_budget_holds_on_the_whole_prompt_of_a_query_engine(texts, budget, packer):
    template = PromptTemplate("Context:\n---\n{context_str}\n---\nAnswer {query_str} from it alone.")
    postprocessor = FieldpackPostprocessor(budget=budget, packer=packer, template=template)
    nodes = [NodeWithScore(node=TextNode(text=t, metadata={"path": f"/a/{k}.md"})) for k, t in enumerate(texts)]
    out = postprocessor.postprocess_nodes(nodes, query_str=QUERY)
    prompts = []

    class Model(MockLLM):
        def complete(self, prompt, formatted=False, **options):
            prompts.append(prompt)
            return super().complete(prompt, formatted, **options)

    if out:
        get_response_synthesizer(llm=Model(), text_qa_template=template).synthesize(QUERY, out)
    assert all(joined_tokens([prompt]) <= budget for prompt in prompts)
    assert len(prompts) == bool(out)
    with pytest.raises(ValueError, match="template is a int"):
        FieldpackPostprocessor(budget=5, template=3)


def test_room_that_metadata_takes_is_not_wasted():
    lean = FieldpackPostprocessor(budget=50).postprocess_nodes(nodes(metadata=False), query_str=QUERY)
    told = FieldpackPostprocessor(budget=90).postprocess_nodes(nodes(), query_str=QUERY)
    assert joined_tokens(shown(lean)) <= 50 and 60 < joined_tokens(shown(told)) <= 90
    assert len(told) >= len(lean)


def test_nothing_in_nothing_out_and_an_empty_query_is_an_error():
    postprocessor = FieldpackPostprocessor(budget=40)
    assert postprocessor.postprocess_nodes([], query_str=QUERY) == []
    assert postprocessor.postprocess_nodes([NodeWithScore(node=TextNode(text=" "))], query_str=QUERY) == []
    without = postprocessor.postprocess_nodes(nodes())
    assert without and all(n.node.metadata["fieldpack"]["reason"].startswith("salience") for n in without)
    with pytest.raises(fp.InputError, match="query is empty"):
        postprocessor.postprocess_nodes(nodes(), query_str=" ")
    with pytest.raises(ValueError, match="whole number"):
        FieldpackPostprocessor(budget=1.5)
    with pytest.raises(ValueError, match="no setting"):
        FieldpackPostprocessor(budget=10, packer={"unti": "sentence"})


def test_other_kinds_of_nodes_and_equal_ids():
    given_nodes = [
        NodeWithScore(node=Node(id_="same", text_resource=MediaResource(text=TEXTS[1]))),
        NodeWithScore(node=TextNode(id_="same", text=TEXTS[0])),
        NodeWithScore(node=ImageNode(text="Rush on stage, the drummer behind.", image="aGk=")),
        NodeWithScore(node=ImageNode(image="aGk=")),
    ]
    out = FieldpackPostprocessor(budget=LARGE).postprocess_nodes(given_nodes, query_str=QUERY)
    assert [type(n.node) for n in out] == [Node, TextNode, ImageNode]
    assert [n.node.get_content() for n in out] == [n.node.get_content() for n in given_nodes[:3]]
    assert out[2].node.image == "aGk=" and out[0].node.node_id == out[1].node.node_id == "same"


def test_async_and_the_packers_order():
    postprocessor = FieldpackPostprocessor(budget=LARGE, packer={"order": "relevance"})
    out = asyncio.run(postprocessor.apostprocess_nodes(nodes(), query_str=QUERY))
    scores = [n.score for n in out]
    assert scores == sorted(scores, reverse=True) and out[0].node_id == "n1"
    assert [n.model_dump() for n in out] == [
        n.model_dump() for n in postprocessor.postprocess_nodes(nodes(), query_str=QUERY)
    ]


# ---- vectors


def test_vectors_of_nodes_and_of_the_query_are_not_computed_again():
    model = CountedEmbedding()
    given_nodes = nodes()
    for n in given_nodes:
        n.node.embedding = cases.vector(n.text)
    postprocessor = FieldpackPostprocessor(budget=60, embedder=model)
    out = postprocessor.postprocess_nodes(given_nodes, QueryBundle(QUERY, embedding=cases.vector(QUERY)))
    assert out and model._calls.documents == [] and model._calls.queries == []
    for n in out:
        whole = n.text == TEXTS[int(n.node_id[1:])]
        assert (n.embedding is not None) == whole
    (part,) = FieldpackPostprocessor(budget=25, embedder=model, packer={"unit": "sentence"}).postprocess_nodes(
        given_nodes[1:2], QueryBundle(QUERY, embedding=cases.vector(QUERY))
    )
    assert len(part.text) < len(TEXTS[1]) and part.embedding is None and given_nodes[1].node.embedding
    postprocessor.postprocess_nodes(nodes(), query_str=QUERY)
    assert model._calls.queries == [QUERY]
    assert sorted(model._calls.documents) == sorted([TEXTS[0], TEXTS[2], *TEXTS[1].split("\n\n")])


def test_custom_embedding_strings_stand_for_the_query():
    model = CountedEmbedding()
    postprocessor = FieldpackPostprocessor(budget=60, embedder=model)
    postprocessor.postprocess_nodes(nodes(), QueryBundle(QUERY, custom_embedding_strs=["a guess", "another"]))
    assert model._calls.queries == ["a guess", "another"]


def test_vectors_of_an_unknown_model_are_left_alone():
    given_nodes = nodes()
    for n in given_nodes:
        n.node.embedding = [1.0, 0.0]
    bundle = QueryBundle(QUERY, embedding=[1.0, 0.0, 0.0])
    plain = FieldpackPostprocessor(budget=60).postprocess_nodes(nodes(), query_str=QUERY)
    for embedder in (None, "static"):
        out = FieldpackPostprocessor(budget=60, embedder=embedder).postprocess_nodes(given_nodes, bundle)
        assert [(n.text, n.score) for n in out] == [(n.text, n.score) for n in plain]
    with pytest.raises(fp.EmbeddingError, match="2 numbers"):
        FieldpackPostprocessor(budget=60, embedder=CountedEmbedding()).postprocess_nodes(given_nodes, query_str=QUERY)
    own = FieldpackPostprocessor(budget=60, embedder=lambda texts: [cases.vector(t) for t in texts])
    assert own.postprocess_nodes(given_nodes, bundle)


def test_in_a_query_engine():
    model = MockEmbedding(embed_dim=8)
    index = VectorStoreIndex([n.node for n in nodes()], embed_model=model)
    postprocessor = FieldpackPostprocessor(budget=60, embedder=model)
    engine = index.as_query_engine(llm=MockLLM(), similarity_top_k=3, node_postprocessors=[postprocessor])
    response = engine.query(QUERY)
    assert "n1" in [n.node_id for n in response.source_nodes]
    assert joined_tokens(shown(response.source_nodes)) <= 60
    again = asyncio.run(engine.aquery(QUERY))
    assert [n.text for n in again.source_nodes] == [n.text for n in response.source_nodes]


def test_settings_survive_serialisation():
    postprocessor = FieldpackPostprocessor(budget=60, packer={"unit": "sentence"}, metadata_mode=MetadataMode.NONE)
    again = FieldpackPostprocessor.from_dict(postprocessor.to_dict())
    assert again.to_dict() == postprocessor.to_dict() and again.metadata_mode == MetadataMode.NONE
    objects = FieldpackPostprocessor(budget=60, packer=fp.ContextPacker(), embedder=CountedEmbedding())
    assert FieldpackPostprocessor.from_json(objects.to_json()).budget == 60
    one, two = (p.postprocess_nodes(nodes(), query_str=QUERY) for p in (postprocessor, again))
    assert [n.text for n in one] == [n.text for n in two]


# ---- the memory block


def weather(days):
    for day in range(days):
        yield ChatMessage(role="user", content=f"What is the weather on day {day}?")
        yield ChatMessage(role="assistant", content=f"Mild, {day} degrees, some clouds.")


ALLERGY = ChatMessage(role="user", content="My daughter Ada is allergic to peanuts.")
ASKED = ChatMessage(role="user", content="Which food must my daughter Ada avoid?")


def filled(budget=60, **options):
    block = FieldpackMemoryBlock(budget=budget, **options)
    asyncio.run(block.aput([ALLERGY, *weather(20)], from_short_term_memory=True))
    return block


def test_a_block_recalls_what_matters_inside_its_budget():
    text = asyncio.run(filled().aget([*weather(1), ASKED]))
    assert "allergic to peanuts" in text and joined_tokens([text]) <= 60


def test_a_block_without_turns_or_without_a_question_is_empty():
    assert asyncio.run(FieldpackMemoryBlock().aget([ASKED])) == ""
    assert asyncio.run(filled().aget([])) == "" and asyncio.run(filled().aget()) == ""


def test_a_truncated_block_is_packed_again():
    block = filled()
    text = asyncio.run(block.aget([ASKED]))
    before = joined_tokens([text])
    smaller = asyncio.run(block.atruncate(text, 20))
    assert joined_tokens([smaller]) <= before - 20 and "peanuts" in smaller
    assert asyncio.run(block.atruncate(text, before)) is None
    assert asyncio.run(block.atruncate("of somebody else", 5)) is None


def test_turns_of_another_session_stay_out():
    block = FieldpackMemoryBlock(budget=60)
    asyncio.run(block.aput([ALLERGY.model_copy(deep=True)], session_id="one"))
    assert "peanuts" in asyncio.run(block.aget([ASKED], session_id="one"))
    assert asyncio.run(block.aget([ASKED], session_id="two")) == ""


def test_tool_calls_are_remembered_by_name_and_arguments():
    block = FieldpackMemoryBlock(budget=200)
    call = ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_name="find_drummer", tool_kwargs={"band": "Rush"})])
    result = ChatMessage(role="tool", content="Neil Peart", additional_kwargs={"tool_call_id": "x"})
    asyncio.run(block.aput([call, result]))
    text = asyncio.run(block.aget([ChatMessage(role="user", content=QUERY)]))
    assert "find_drummer" in text and "Neil Peart" in text


def test_a_memory_of_its_own_can_be_given_and_saved(tmp_path):
    kept = fp.ContextMemoryManager(60)
    filled(memory=kept)
    kept.save(tmp_path / "memory")
    block = FieldpackMemoryBlock(budget=60, memory=fp.ContextMemoryManager.load(tmp_path / "memory"))
    assert "peanuts" in asyncio.run(block.aget([ASKED]))
    with pytest.raises(ValueError, match="ContextMemoryManager"):
        FieldpackMemoryBlock(memory="here")


@pytest.mark.parametrize("priority", [0, 1])
def test_in_a_memory_that_is_short(priority):
    async def talk():
        block = FieldpackMemoryBlock(budget=60, priority=priority)
        memory = Memory.from_defaults(
            token_limit=120, token_flush_size=30, memory_blocks=[block], tokenizer_fn=str.split
        )
        for message in [ALLERGY, *weather(20), ASKED]:
            await memory.aput(message)
        return await memory.aget()

    messages = asyncio.run(talk())
    assert "peanuts" in messages[0].content and messages[-1].content == ASKED.content
    assert len(messages) < 42


def test_the_code_of_the_docs_runs():
    names = cases.run_docs("LlamaIndex")
    assert [n.node_id for n in names["evidence"]] == ["rush"]
