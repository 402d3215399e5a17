"""The LangChain adapters with the real langchain-core and langchain-classic."""

import asyncio

import framework_cases as cases
import pytest
from framework_cases import QUERY, TEXTS, check_spans, joined_tokens
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_cases import ASKED, TALK, tokens_of
from langchain_classic.chains.combine_documents import create_stuff_documents_chain
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_classic.retrievers.document_compressors import DocumentCompressorPipeline
from langchain_core.documents import BaseDocumentCompressor, BaseDocumentTransformer, Document
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore

import fieldpack as fp
from fieldpack.adapters.langchain import FieldpackCompressor, FieldpackMessageTrimmer

LARGE = 1000


class CountedEmbeddings(Embeddings):
    """Embeddings with different vectors for queries and documents, that remember their calls."""

    def __init__(self):
        self.calls = cases.Calls()

    def embed_documents(self, texts):
        return self.calls.of_documents(texts)

    def embed_query(self, text):
        return self.calls.of_query(text)


def documents():
    return [Document(id=f"id-{k}", page_content=t, metadata={"source": f"s{k}", "k": k}) for k, t in enumerate(TEXTS)]


# ---- the compressor


def test_what_is_kept_is_verbatim_with_its_offsets_id_and_metadata():
    given_documents = documents()
    out = FieldpackCompressor(budget=40).compress_documents(given_documents, QUERY)
    assert out[0].id == "id-1" and "Neil Peart was its drummer." in out[0].page_content
    for document in out:
        source = next(d for d in given_documents if d.id == document.id)
        facts = document.metadata["fieldpack"]
        assert document.metadata == {**source.metadata, "fieldpack": facts}
        check_spans(source.page_content, document.page_content, facts)
    assert given_documents == documents()


def test_a_gap_is_marked_and_every_passage_has_its_span():
    packer = {"unit": "sentence", "min_relevance": 0.2}
    query = "When was Rush formed, and who sang and played bass?"
    (out,) = FieldpackCompressor(budget=40, packer=packer).compress_documents([Document(page_content=TEXTS[1])], query)
    spans = out.metadata["fieldpack"]["spans"]
    assert len(spans) > 1 and "…" in out.page_content
    check_spans(TEXTS[1], out.page_content, out.metadata["fieldpack"])


@settings(max_examples=40, deadline=None)
@given(cases.SOME_TEXTS, st.integers(1, 120), cases.PACKERS)
def test_the_budget_holds_on_the_contents_joined_by_blank_lines(texts, budget, packer):
    compressor = FieldpackCompressor(budget=budget, packer=packer)
    out = compressor.compress_documents(
        [Document(page_content=t, metadata={"k": k}) for k, t in enumerate(texts)], QUERY
    )
    assert joined_tokens([d.page_content for d in out]) <= budget
    assert sum(d.metadata["fieldpack"]["tokens"] for d in out) <= budget
    for d in out:
        check_spans(texts[d.metadata["k"]], d.page_content, d.metadata["fieldpack"])


@settings(max_examples=25, deadline=None)
@given(cases.SOME_TEXTS, st.integers(1, 150), cases.PACKERS, st.sampled_from(["\n\n", "\n-----\n"]))
def test_the_budget_holds_on_what_a_chain_writes_around_the_contents(texts, budget, packer, separator):
    prompt = PromptTemplate.from_template("Content: {page_content}\nSource: {source}")
    compressor = FieldpackCompressor(budget=budget, packer=packer, document_prompt=prompt, document_separator=separator)
    found = [Document(page_content=t, metadata={"source": f"docs/{k}.md"}) for k, t in enumerate(texts)]
    shown = []
    model = RunnableLambda(lambda value: shown.append(value.to_string()) or AIMessage("ok"))
    chain = create_stuff_documents_chain(
        model, PromptTemplate.from_template("{context}"), document_prompt=prompt, document_separator=separator
    )
    out = list(compressor.compress_documents(found, QUERY))
    chain.invoke({"context": out})
    assert joined_tokens(shown) <= budget


def test_what_is_around_the_contents_takes_no_more_than_it_needs():
    prompt = PromptTemplate.from_template("Content: {page_content}\nSource: {source}")
    found = [Document(page_content=t, metadata={"source": f"docs/{k}.md"}) for k, t in enumerate(TEXTS)]
    plain = FieldpackCompressor(budget=54).compress_documents(found, QUERY)
    framed = FieldpackCompressor(budget=54, document_prompt=prompt).compress_documents(found, QUERY)
    assert framed and joined_tokens([d.page_content for d in framed]) < joined_tokens([d.page_content for d in plain])
    many = [Document(page_content="Rush.", id=str(k), metadata={"source": "a/b/c" * 9}) for k in range(60)]
    assert FieldpackCompressor(budget=60, document_prompt=prompt).compress_documents(many, "Rush")


def test_documents_come_in_the_order_of_the_packer():
    def order(name):
        compressor = FieldpackCompressor(budget=LARGE, packer={"order": name})
        out = compressor.compress_documents(documents(), QUERY)
        return [d.id for d in out], [d.metadata["fieldpack"]["score"] for d in out]

    assert order("source")[0] == ["id-0", "id-1", "id-2"]
    ids, scores = order("relevance")
    assert scores == sorted(scores, reverse=True) and ids[0] == "id-1"
    assert order("edges")[0] == [ids[0], ids[2], ids[1]]


def test_no_ids_and_equal_ids_are_kept_apart():
    given_documents = [
        Document(page_content=TEXTS[0]),
        Document(page_content=TEXTS[1], id="doc-0"),
        Document(page_content=TEXTS[2], id="same"),
        Document(page_content="Salt lakes have no outflow.", id="same"),
    ]
    out = FieldpackCompressor(budget=LARGE, packer={"enough": 1.0}).compress_documents(given_documents, QUERY)
    assert [(d.id, d.page_content) for d in out] == [(d.id, d.page_content) for d in given_documents]


def test_nothing_in_nothing_out_and_a_blank_query_is_an_error():
    compressor = FieldpackCompressor(budget=40)
    assert compressor.compress_documents([], QUERY) == []
    assert compressor.compress_documents([Document(page_content=" \n")], QUERY) == []
    with pytest.raises(fp.InputError, match="query is empty"):
        compressor.compress_documents(documents(), " ")


def test_the_transformer_keeps_what_the_documents_are_about_inside_the_budget():
    compressor = FieldpackCompressor(budget=40)
    out = compressor.as_transformer().transform_documents(documents())
    wanted = fp.ContextPacker().pack(None, [fp.Document(str(i), d.page_content) for i, d in enumerate(documents())], 40)
    assert out and compressor._engine.count([d.page_content for d in out]) <= 40
    assert all(d.metadata["fieldpack"]["reason"].startswith("salience") for d in out)
    assert len(out) == len({k.doc_id for k in wanted.kept})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"budget": 0}, "1 or more"),
        ({"budget": 40.5}, "whole number"),
        ({"budget": 40, "packer": {"units": "sentence"}}, "no setting 'units'"),
        ({"budget": 40, "packer": {"unit": "word"}}, "unit is 'word'"),
        ({"budget": 40, "embedder": "no-such"}, "no-such"),
        ({"budget": 40, "vectors": 3}, "vectors is a int"),
        ({"budget": 40, "vectors": {}}, "pass the embedder"),
        ({"budget": 40, "reuse_vectors": True}, "pass the embedder"),
        ({"budget": 40, "vectors": {}, "reuse_vectors": False}, "leave one"),
        ({"budget": 40, "other": 1}, "other"),
    ],
)
def test_bad_settings_are_refused_at_construction(options, said):
    with pytest.raises(ValueError, match=said):
        FieldpackCompressor(**options)


def test_it_works_around_a_retriever_sync_and_async():
    store = InMemoryVectorStore(CountedEmbeddings())
    store.add_documents(documents())
    compressor = FieldpackCompressor(budget=40)
    retriever = ContextualCompressionRetriever(
        base_compressor=compressor, base_retriever=store.as_retriever(search_kwargs={"k": 3})
    )
    out = retriever.invoke(QUERY)
    assert "id-1" in [d.id for d in out] and joined_tokens([d.page_content for d in out]) <= 40
    assert asyncio.run(retriever.ainvoke(QUERY)) == out


class Upper(BaseDocumentTransformer):
    def transform_documents(self, documents, **kwargs):
        return [d.model_copy(update={"metadata": {**d.metadata, "seen": True}}) for d in documents]


def test_it_works_in_a_compressor_pipeline():
    assert isinstance(FieldpackCompressor(budget=1), BaseDocumentCompressor)
    pipeline = DocumentCompressorPipeline(
        transformers=[Upper(), FieldpackCompressor(budget=60), FieldpackCompressor(budget=25)]
    )
    out = pipeline.compress_documents(documents(), QUERY)
    assert joined_tokens([d.page_content for d in out]) <= 25
    assert all(d.metadata["seen"] for d in out)
    assert asyncio.run(pipeline.acompress_documents(documents(), QUERY)) == out


def test_as_a_runnable():
    compressor = FieldpackCompressor(budget=40)
    chain = compressor.as_runnable() | (lambda found: [d.id for d in found])
    given_input = {"documents": documents(), "query": QUERY}
    wanted = [d.id for d in compressor.compress_documents(documents(), QUERY)]
    assert chain.invoke(given_input) == wanted
    assert asyncio.run(chain.ainvoke(given_input)) == wanted
    assert chain.batch([given_input] * 6) == [wanted] * 6
    with pytest.raises(fp.InputError, match="documents"):
        chain.invoke({"documents": []})


# ---- vectors


def test_vectors_of_the_store_are_not_computed_again():
    model = CountedEmbeddings()
    store = InMemoryVectorStore(model)
    store.add_documents(documents())
    model.calls.documents.clear()
    for vectors in (lambda d: store.store[d.id]["vector"], {i: row["vector"] for i, row in store.store.items()}):
        compressor = FieldpackCompressor(budget=40, embedder=model, vectors=vectors)
        out = compressor.compress_documents(documents(), QUERY)
        assert "drummer" in "".join(d.page_content for d in out)
    assert model.calls.documents == []
    assert set(model.calls.queries) == {QUERY}


def test_what_has_no_vector_is_embedded_as_a_document_and_the_query_as_a_query():
    model = CountedEmbeddings()
    given_documents = documents()
    given_documents[0].metadata["embedding"] = cases.vector(TEXTS[0])
    out = FieldpackCompressor(budget=LARGE, embedder=model).compress_documents(given_documents, QUERY)
    assert model.calls.queries == [QUERY]
    assert sorted(model.calls.documents) == sorted([*TEXTS[1].split("\n\n"), TEXTS[2]])
    assert out[0].metadata["embedding"] == cases.vector(TEXTS[0])


def test_without_spreading_only_documents_of_one_paragraph_use_their_vector():
    model = CountedEmbeddings()
    vectors = {d.id: cases.vector(d.page_content) for d in documents()}
    compressor = FieldpackCompressor(budget=LARGE, embedder=model, vectors=vectors, spread_vectors=False)
    compressor.compress_documents(documents(), QUERY)
    assert sorted(model.calls.documents) == sorted(TEXTS[1].split("\n\n"))


def test_given_vectors_lead_to_the_scores_that_computed_ones_lead_to():
    given_documents = [Document(id=str(k), page_content=t) for k, t in enumerate((TEXTS[0], TEXTS[2]))]
    model = CountedEmbeddings()
    vectors = {d.id: cases.vector(d.page_content) for d in given_documents}
    reused = FieldpackCompressor(budget=LARGE, embedder=model, vectors=vectors)
    computed = FieldpackCompressor(budget=LARGE, embedder=model, reuse_vectors=False)
    assert reused.compress_documents(given_documents, QUERY) == computed.compress_documents(given_documents, QUERY)


def test_the_vectors_decide_where_words_do_not():
    query, texts = "zzz", ["Alpha beta gamma.", "Delta epsilon zeta.", "Eta theta iota."]
    towards = {"0": [0.0, 1.0], "1": [1.0, 0.0], "2": [0.0, -1.0]}

    class Model(CountedEmbeddings):
        def embed_query(self, text):
            return [1.0, 0.0]

    given_documents = [Document(id=str(k), page_content=t) for k, t in enumerate(texts)]
    compressor = FieldpackCompressor(budget=LARGE, embedder=Model(), vectors=towards, packer={"order": "relevance"})
    assert compressor.compress_documents(given_documents, query)[0].id == "1"


def test_vectors_of_another_width_or_no_vectors_are_errors():
    for bad, said in (([1.0, 2.0], "2 numbers"), ([float("nan")] * 16, "NaN"), ([], "0 numbers")):
        compressor = FieldpackCompressor(budget=40, embedder=CountedEmbeddings(), vectors={"id-0": bad})
        with pytest.raises(fp.EmbeddingError, match=said):
            compressor.compress_documents(documents(), QUERY)


def test_metadata_embeddings_are_left_alone_with_fieldpacks_own_embedder():
    given_documents = [d.model_copy(update={"metadata": {"embedding": [1.0]}}) for d in documents()]
    assert FieldpackCompressor(budget=40).compress_documents(given_documents, QUERY)


# ---- messages


def call(number, text, name="look_up"):
    return [
        AIMessage("", tool_calls=[{"name": name, "args": {"n": number}, "id": f"call-{number}"}]),
        ToolMessage(text, tool_call_id=f"call-{number}"),
    ]


def check_calls(messages):
    made = [c["id"] for m in messages for c in getattr(m, "tool_calls", [])]
    answered = [m.tool_call_id for m in messages if isinstance(m, ToolMessage)]
    assert made == answered


def test_old_turns_that_matter_come_back_and_the_budget_holds():
    out = FieldpackMessageTrimmer(budget=120).trim([*TALK, ASKED])
    assert tokens_of(out) <= 120 < tokens_of(TALK)
    assert out[0] is TALK[0] and out[-1] is ASKED and TALK[1] in out
    assert out[-2] is TALK[-1]
    places = [[*TALK, ASKED].index(m) for m in out]
    assert places == sorted(places)


def test_what_fits_comes_back_as_it_is():
    assert FieldpackMessageTrimmer(budget=5000).trim([*TALK, ASKED]) == [*TALK, ASKED]
    assert FieldpackMessageTrimmer(budget=5000).trim([]) == []


@settings(max_examples=25, deadline=None)
@given(
    st.integers(80, 400), st.lists(st.sampled_from(["talk", "call", "two calls", "lost"]), max_size=12), st.booleans()
)
def test_tool_calls_are_never_parted_from_their_results(budget, kinds, pending):
    messages = [SystemMessage("Be brief.")]
    for k, kind in enumerate(kinds):
        messages.append(HumanMessage(f"Question {k} about the harbour?"))
        if kind == "call":
            messages += call(k, f"Result {k}. " + "Ships come and go. " * 8)
        elif kind == "two calls":
            calls = [{"name": "f", "args": {}, "id": f"call-{k}-{j}"} for j in range(2)]
            messages += [AIMessage("", tool_calls=calls)]
            messages += [ToolMessage(f"Part {j}", tool_call_id=f"call-{k}-{j}") for j in range(2)]
        elif kind == "lost":
            messages.append(ToolMessage("Nobody asked.", tool_call_id=f"gone-{k}"))
        messages.append(AIMessage(f"Answer {k}: the harbour is open."))
    messages.append(HumanMessage("And what of the harbour now?"))
    if pending:
        messages += call("last", "Tides: high at nine. " * 5)
    out = FieldpackMessageTrimmer(budget=budget).trim(messages)
    assert tokens_of(out) <= budget
    check_calls(out)
    assert out[0] is messages[0] and any(m.content == "And what of the harbour now?" for m in out)
    assert not pending or isinstance(out[-1], ToolMessage)


def test_the_last_result_is_packed_for_the_question_when_it_is_too_long():
    page = "\n\n".join(f"Harbour {k} has {k} berths and a crane." for k in range(60))
    page += "\n\nThe drummer of Rush was Neil Peart.\n\n" + page
    messages = [*TALK, HumanMessage(QUERY), *call(1, page)]
    out = FieldpackMessageTrimmer(budget=200).trim(messages)
    assert tokens_of(out) <= 200
    check_calls(out)
    assert "Neil Peart" in out[-1].content and len(out[-1].content) < len(page)
    assert out[-1].tool_call_id == "call-1" and messages[-1].content == page
    messages[-1] = ToolMessage([{"type": "text", "text": page}], tool_call_id="call-1")
    assert FieldpackMessageTrimmer(budget=200).trim(messages)[-1].content == out[-1].content
    messages[-1] = ToolMessage(
        [{"type": "image", "url": "x" * 3000}, {"type": "text", "text": page}], tool_call_id="call-1"
    )
    with pytest.raises(fp.BudgetError, match="last tool call"):
        FieldpackMessageTrimmer(budget=200).trim(messages)


def test_what_must_stay_and_does_not_fit_is_an_error():
    with pytest.raises(fp.BudgetError, match="system messages"):
        FieldpackMessageTrimmer(budget=20).trim([SystemMessage("word " * 50), *TALK])
    with pytest.raises(fp.BudgetError, match="last user message") as caught:
        FieldpackMessageTrimmer(budget=50).trim([*TALK, HumanMessage("word " * 500)])
    assert caught.value.needed > caught.value.budget == 50


def test_the_trimmer_is_a_step_of_a_chain():
    prompt = ChatPromptTemplate.from_messages(
        [("system", "Be brief."), MessagesPlaceholder("talk"), ("user", "{asked}")]
    )
    model = FakeListChatModel(responses=["Peanuts."])
    chain = prompt | FieldpackMessageTrimmer(budget=120) | model
    values = {"talk": TALK[1:], "asked": ASKED.content}
    assert chain.invoke(values).content == "Peanuts."
    assert asyncio.run(chain.ainvoke(values)).content == "Peanuts."
    kept = (prompt | FieldpackMessageTrimmer(budget=120)).invoke(values)
    assert tokens_of(kept) <= 120 and TALK[1] in kept


def test_the_code_of_the_docs_runs():
    names = cases.run_docs("LangChain")
    assert [d.id for d in names["documents"]] == ["rush"]
