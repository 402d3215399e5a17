"""The Haystack adapter with the real haystack-ai."""

import asyncio

import framework_cases as cases
import pytest
from framework_cases import QUERY, TEXTS, check_spans, joined_tokens
from haystack import Document, Pipeline, component
from haystack.components.builders import PromptBuilder
from haystack.components.embedders import MockDocumentEmbedder, MockTextEmbedder
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from hypothesis import given, settings
from hypothesis import strategies as st

import fieldpack as fp
from fieldpack.adapters.haystack import FieldpackRanker

LARGE = 1000
TRUSTED = ["fieldpack.adapters.haystack"]


@component
class CountedText:
    """A text embedder that remembers its calls."""

    def __init__(self):
        self.calls = cases.Calls()
        self.warm = 0

    def warm_up(self):
        self.warm += 1

    @component.output_types(embedding=list[float])
    def run(self, text: str):
        return {"embedding": self.calls.of_query(text)}


@component
class CountedDocuments:
    """A document embedder that remembers its calls."""

    def __init__(self):
        self.calls = cases.Calls()

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]):
        rows = self.calls.of_documents([d.content for d in documents])
        return {"documents": [Document(content=d.content, embedding=r) for d, r in zip(documents, rows, strict=True)]}


def documents(vectors=False):
    return [
        Document(
            id=f"d{k}",
            content=t,
            meta={"source": f"s{k}"},
            score=0.5 - k / 10,
            embedding=cases.vector(t) if vectors else None,
        )
        for k, t in enumerate(TEXTS)
    ]


def pipeline(ranker):
    store = InMemoryDocumentStore()
    store.write_documents(documents())
    out = Pipeline()
    out.add_component("retriever", InMemoryBM25Retriever(store))
    out.add_component("ranker", ranker)
    template = "{% for d in documents %}{{ d.content }}\n\n{% endfor %}{{ query }}"
    out.add_component("prompt", PromptBuilder(template, required_variables="*"))
    out.connect("retriever.documents", "ranker.documents")
    out.connect("ranker.documents", "prompt.documents")
    return out


INPUTS = {"retriever": {"query": QUERY}, "ranker": {"query": QUERY}, "prompt": {"query": QUERY}}


def test_what_is_kept_is_verbatim_with_offsets_id_and_meta():
    given_documents = documents()
    out = FieldpackRanker(budget=60).run(QUERY, given_documents)["documents"]
    assert out[0].id == "d1" and [d.score for d in out] == sorted((d.score for d in out), reverse=True)
    for d in out:
        k = int(d.id[1:])
        facts = d.meta["fieldpack"]
        check_spans(TEXTS[k], d.content, facts)
        assert d.meta == {"source": f"s{k}", "fieldpack": facts}
        assert d.score == facts["score"] and facts["retriever_score"] == 0.5 - k / 10
    assert given_documents == documents()
    assert Document.from_dict(out[0].to_dict()) == out[0]


@settings(max_examples=40, deadline=None)
@given(cases.SOME_TEXTS, st.integers(1, 120), cases.PACKERS, st.sampled_from([QUERY, " "]))
def test_the_budget_holds_on_the_contents_joined_by_blank_lines(texts, budget, packer, query):
    ranker = FieldpackRanker(budget=budget, packer=packer)
    out = ranker.run(query, [Document(content=t) for t in texts])["documents"]
    assert joined_tokens([d.content for d in out]) <= budget


TEMPLATE = """Answer from these documents alone.
{% for document in documents %}
Document {{ loop.index }} ({{ document.meta.source }}): {{ document.content }}
{% endfor %}
Question: {{ query }}"""


@settings(max_examples=20, deadline=None)
@given(cases.SOME_TEXTS, st.integers(20, 200), cases.PACKERS, st.sampled_from([QUERY, " "]))
def test_the_budget_holds_on_the_whole_prompt_of_a_pipeline(texts, budget, packer, query):
    ranker = FieldpackRanker(budget=budget, packer=packer, template=TEMPLATE)
    pipeline = Pipeline()
    pipeline.add_component("ranker", ranker)
    pipeline.add_component("prompt", PromptBuilder(TEMPLATE, required_variables=[]))
    pipeline.connect("ranker.documents", "prompt.documents")
    found = [Document(content=t, meta={"source": f"{k}.md"}) for k, t in enumerate(texts)]
    asked = {"ranker": {"query": query, "documents": found}, "prompt": {"query": query}}
    out = pipeline.run(asked, include_outputs_from={"ranker"})
    if out["ranker"]["documents"]:
        assert joined_tokens([out["prompt"]["prompt"]]) <= budget


def test_a_template_is_in_the_yaml():
    again = FieldpackRanker.from_dict(FieldpackRanker(budget=90, template=TEMPLATE).to_dict())
    assert again.template == TEMPLATE
    assert again.run(QUERY, [Document(content=t) for t in TEXTS])["documents"]


def test_order_and_budget_can_be_set():
    ranker = FieldpackRanker(budget=LARGE, packer={"order": "source"})
    assert [d.id for d in ranker.run(QUERY, documents())["documents"]] == ["d0", "d1", "d2"]
    out = ranker.run(QUERY, documents(), budget=20)["documents"]
    assert 0 < joined_tokens([d.content for d in out]) <= 20


def test_nothing_in_nothing_out_and_a_blank_query_leaves_the_order():
    ranker = FieldpackRanker(budget=60)
    assert ranker.run(QUERY, []) == {"documents": []}
    assert ranker.run(QUERY, [Document(content=None), Document(content=" ")]) == {"documents": []}
    assert ranker.run(" ", documents()) == {"documents": documents()[:1]}
    assert ranker.run(" ", documents(), budget=10) == {"documents": []}
    out = ranker.run(documents=documents(), budget=20)["documents"]
    assert out and all(d.meta["fieldpack"]["reason"].startswith("salience") for d in out)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"budget": 0}, "1 or more"),
        ({"budget": 40, "packer": {"units": "x"}}, "no setting"),
        ({"budget": 40, "packer": 3}, "keyword arguments"),
        ({"budget": 40, "document_embedder": CountedDocuments()}, "goes with an embedder"),
        ({"budget": 40, "embedder": "static", "document_embedder": CountedDocuments()}, "goes with an embedder"),
        ({"budget": 40, "reuse_vectors": True}, "pass the embedder"),
    ],
)
def test_bad_settings_are_refused_at_construction(options, said):
    with pytest.raises(ValueError, match=said):
        FieldpackRanker(**options)


def test_in_a_running_pipeline_sync_and_async():
    whole = pipeline(FieldpackRanker(budget=40))
    out = whole.run(INPUTS, include_outputs_from={"ranker"})
    kept = out["ranker"]["documents"]
    assert kept[0].id == "d1" and joined_tokens([d.content for d in kept]) <= 40
    assert kept[0].content in out["prompt"]["prompt"]
    again = asyncio.run(pipeline(FieldpackRanker(budget=40)).run_async(INPUTS, include_outputs_from={"ranker"}))
    assert again == out


def test_a_pipeline_survives_its_yaml():
    ranker = FieldpackRanker(
        budget=40,
        packer={"unit": "sentence"},
        embedder=MockTextEmbedder(dimension=8),
        document_embedder=MockDocumentEmbedder(dimension=8),
        spread_vectors=False,
    )
    first = pipeline(ranker)
    second = Pipeline.loads(first.dumps(), allowed_modules=TRUSTED)
    assert second.to_dict()["components"] == first.to_dict()["components"]
    again = second.get_component("ranker")
    assert isinstance(again.embedder, MockTextEmbedder) and again.spread_vectors is False
    assert again.run(QUERY, documents()) == ranker.run(QUERY, documents())


def test_to_dict_round_trips_and_objects_are_refused():
    for options in ({}, {"packer": {"min_relevance": 0.1}, "embedder": "static"}):
        ranker = FieldpackRanker(budget=40, **options)
        assert FieldpackRanker.from_dict(ranker.to_dict()).to_dict() == ranker.to_dict()
    with pytest.raises(fp.InputError, match="keyword arguments"):
        FieldpackRanker(budget=40, packer=fp.ContextPacker()).to_dict()
    with pytest.raises(fp.InputError, match="not serialisable"):
        FieldpackRanker(budget=40, embedder=lambda texts: [cases.vector(t) for t in texts]).to_dict()


def test_vectors_of_documents_are_not_computed_again():
    text, beside = CountedText(), CountedDocuments()
    ranker = FieldpackRanker(budget=60, embedder=text, document_embedder=beside)
    out = ranker.run(QUERY, documents(vectors=True))["documents"]
    assert text.calls.queries == [QUERY] and beside.calls.documents == []
    for d in out:
        assert (d.embedding is not None) == (d.content == TEXTS[int(d.id[1:])])
    (part,) = ranker.run(QUERY, documents(vectors=True)[1:2], budget=25)["documents"]
    assert len(part.content) < len(TEXTS[1]) and part.embedding is None
    ranker.run(QUERY, documents())
    assert sorted(beside.calls.documents) == sorted([TEXTS[0], TEXTS[2], *TEXTS[1].split("\n\n")])


def test_without_a_document_embedder_the_text_embedder_serves():
    text = CountedText()
    FieldpackRanker(budget=60, embedder=text).run(QUERY, documents()[:1])
    assert text.calls.queries == [QUERY, TEXTS[0]]


def test_vectors_of_an_unknown_model_are_left_alone_and_of_another_width_an_error():
    given_documents = [Document(content=t, embedding=[1.0, 0.0]) for t in TEXTS]
    plain = FieldpackRanker(budget=60).run(QUERY, [Document(content=t) for t in TEXTS])["documents"]
    out = FieldpackRanker(budget=60).run(QUERY, given_documents)["documents"]
    assert [(d.content, d.score) for d in out] == [(d.content, d.score) for d in plain]
    with pytest.raises(fp.EmbeddingError, match="2 numbers"):
        FieldpackRanker(budget=60, embedder=CountedText()).run(QUERY, given_documents)


def test_warm_up_happens_once_and_by_itself():
    text = CountedText()
    ranker = FieldpackRanker(budget=60, embedder=text)
    assert text.warm == 0
    ranker.run(QUERY, documents())
    ranker.warm_up()
    assert text.warm == 1


def test_equal_ids_are_kept_apart():
    given_documents = [Document(id="same", content=t) for t in TEXTS]
    packer = {"order": "source", "enough": 1.0}
    out = FieldpackRanker(budget=LARGE, packer=packer).run(QUERY, given_documents)["documents"]
    assert [(d.id, d.content) for d in out] == [("same", t) for t in TEXTS]


def test_the_code_of_the_docs_runs():
    names = cases.run_docs("Haystack")
    assert [d.meta["source"] for d in names["evidence"]] == ["rush.md"]
