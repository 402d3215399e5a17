"""Documents in every form that a caller may have them in."""

import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fieldpack as fp
from fieldpack.document_forms import KEYS, document_of
from fieldpack.errors import InputError
from fieldpack.mcp.tools import Given
from fieldpack.request import checked_documents
from fieldpack.server.schemas import DocumentIn

TEXT = "Refunds are paid within 14 days."
NODE = SimpleNamespace(get_content=lambda: TEXT, node_id="n-1", metadata={"title": "Terms"})
FORMS = {
    "string": TEXT,
    "document": fp.Document("terms", TEXT),
    "dict": {"text": TEXT, "id": "terms", "metadata": {"page": 3}, "score": 0.5},
    "langchain": SimpleNamespace(page_content=TEXT, metadata={"title": "Terms", "page": 3}, id=None),
    "haystack": SimpleNamespace(content=TEXT, meta={"page": 3}, id="h-1", score=0.25),
    "llamaindex": NODE,
    "llamaindex, scored": SimpleNamespace(node=NODE, score=0.75),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_packs_alike_wherever_documents_are_taken(name):
    packer, form = fp.ContextPacker(), FORMS[name]
    texts = {
        "alone": packer.pack("When are refunds paid?", form, 40).text,
        "listed": packer.pack("When are refunds paid?", [form], 40).text,
        "streamed": packer.pack_stream("When are refunds paid?", iter([form]), 40).text,
        "indexed": packer.index([form]).pack("When are refunds paid?", 40).text,
        "added": packer.index([]).add([form]).pack("When are refunds paid?", 40).text,
        "session": fp.Session(packer).turn("When are refunds paid?", [form], 40).text,
        "explored": packer.explore([form]).corpus.documents[0].text,
    }
    assert set(texts.values()) == {TEXT}, texts


def test_what_a_framework_knows_comes_along():
    scored = document_of(FORMS["llamaindex, scored"], 0)
    assert (scored.id, scored.title, scored.score) == ("n-1", "Terms", 0.75)
    langchain = document_of(FORMS["langchain"], 4)
    assert (langchain.id, langchain.title, langchain.metadata["page"]) == ("doc-4", "Terms", 3)
    assert document_of(FORMS["haystack"], 0) == fp.Document("h-1", TEXT, metadata={"page": 3}, score=0.25)
    strange = SimpleNamespace(node=NODE, score=float("nan"))
    assert document_of(strange, 0).score is None, "frameworks hand out scores that are none"


WRITTEN = {
    "langchain": ({"page_content": TEXT, "metadata": {"title": "Terms"}, "id": "a", "type": "Document"}, "Terms", None),
    "haystack": ({"id": "a", "content": TEXT, "blob": None, "meta": {"title": "T"}, "score": 0.5}, "T", 0.5),
    "haystack, flat": ({"id": "a", "content": TEXT, "blob": None, "score": None, "title": "T", "k": 1}, "T", None),
    "llamaindex": ({"id_": "a", "text": TEXT, "metadata": {}, "class_name": "TextNode", "embedding": None}, "", None),
    "llamaindex, scored": ({"node": {"id_": "a", "text": TEXT, "metadata": {}}, "score": 0.75}, "", 0.75),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_framework_writes_is_taken_by_python_http_and_mcp(name):
    written, title, score = WRITTEN[name]
    document = document_of(written, 0)
    assert (document.id, document.text, document.title, document.score) == ("a", TEXT, title, score)
    given = Given.model_validate(written)
    assert document_of(given.model_dump(), 0) == document
    sent = DocumentIn.model_validate_json(json.dumps(written))
    assert checked_documents([sent.model_dump()]) == (document,)


def test_frameworks_write_what_is_read_here():
    langchain, haystack = pytest.importorskip("langchain_core.documents"), pytest.importorskip("haystack")
    schema = pytest.importorskip("llama_index.core.schema")
    node = schema.TextNode(id_="a", text=TEXT)
    documents = [
        langchain.Document(id="a", page_content=TEXT).model_dump(),
        haystack.Document(id="a", content=TEXT, meta={"k": 1}).to_dict(),
        haystack.Document(id="a", content=TEXT, meta={"k": 1}).to_dict(flatten=False),
        node.to_dict(),
        schema.NodeWithScore(node=node, score=0.5).to_dict(),
    ]
    assert [(d.id, d.text) for d in map(document_of, documents, range(5))] == [("a", TEXT)] * 5
    assert document_of(documents[1], 0).metadata == document_of(documents[2], 0).metadata == {"k": 1}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"content": TEXT}, "the key 'content'; allowed: text, id, title, metadata, score"),
        ({"id": "a"}, "has no text"),
        ({"text": None}, "a text that is a NoneType"),
        ({"text": TEXT, "id": 7}, "id, text or title that is not a string"),
        ({"text": TEXT, "title": 7}, "id, text or title that is not a string"),
        ({"text": TEXT, "metadata": "x"}, "metadata that is a str"),
        ({"text": TEXT, "score": "high"}, "score of document"),
        (7, "document 0 is a int; give a string"),
        (SimpleNamespace(content=None, meta={}, id="h"), "has no text"),
    ],
)
def test_what_is_no_document_is_one_clear_error(value, message):
    with pytest.raises(InputError, match=message):
        checked_documents([value])
    with pytest.raises(InputError):
        fp.ContextPacker().pack_stream("refunds", [value], 10)


@given(st.fixed_dictionaries({"text": st.text()}, optional={"id": st.text(min_size=1), "title": st.text()}))
def test_a_dict_is_the_document_with_its_fields(value):
    document = document_of(value, 3)
    assert document == fp.Document(value.get("id", "doc-3"), value["text"], value.get("title", ""))
    assert set(value) <= set(KEYS)


def test_real_documents_of_langchain_are_read():
    documents = pytest.importorskip("langchain_core.documents")
    one = documents.Document(page_content=TEXT, metadata={"source": "terms.md"})
    assert fp.ContextPacker().pack("refunds", one, 40).text == TEXT


def test_real_nodes_of_llamaindex_are_read():
    schema = pytest.importorskip("llama_index.core.schema")
    node = schema.NodeWithScore(node=schema.TextNode(text=TEXT, id_="t-1"), score=0.5)
    assert checked_documents([node]) == (fp.Document("t-1", TEXT, score=0.5),)


def test_real_documents_of_haystack_are_read():
    haystack = pytest.importorskip("haystack")
    one = haystack.Document(content=TEXT, meta={"page": 1}, score=0.5)
    assert checked_documents([one])[0].metadata["page"] == 1


def test_metadata_comes_along_over_http_and_mcp():
    schemas = pytest.importorskip("fieldpack.server.schemas")
    from fieldpack.mcp.tools import Given

    for kind in (schemas.DocumentIn, Given):
        assert kind(id="a", text=TEXT, metadata={"page": 3}).metadata == {"page": 3}
        assert kind(id="a", text=TEXT).metadata == {}
