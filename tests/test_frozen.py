"""Frozen means frozen: no array of a record that goes from stage to stage can be written to, and whoever looks at a
result, draws it or packs it again at another size leaves it as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest

import fieldpack as fp
from fieldpack.corpus.corpus import Corpus
from fieldpack.corpus.files import from_bytes, to_bytes
from fieldpack.embed.testing import HashEmbedder
from fieldpack.packing.problem import SHORTLIST
from fieldpack.request import Request
from fieldpack.scored import Extras

QUERY = "what causes spring tides"
TEXTS = (
    "Tides are caused by the Moon. The Sun raises tides too.",
    "Sourdough bread is leavened with wild yeast. A starter needs flour and water.",
    "# Spring tides\n\nSpring tides come at new and full moon. Neap tides come in between.",
    "def tide(moon):\n    return moon.pull\n",
)
DOCUMENTS = [fp.Document(f"d{k}", text, f"Title {k}") for k, text in enumerate(TEXTS)]
PACKERS = {
    "paragraphs": fp.ContextPacker(unit="paragraph", cite=True),
    "sentences": fp.ContextPacker(unit="sentence", titles=True, order="relevance"),
    "a sentence embedder": fp.ContextPacker(HashEmbedder()),
    "a reranker": fp.ContextPacker(reranker=HashEmbedder()),
    "attractors": fp.ContextPacker(packing=fp.PackingSettings(attract=0.5, reply=0.4, before=0.1)),
}


def arrays(record: Any, name: str) -> Iterator[tuple[str, np.ndarray]]:
    """All arrays in a record, in the records in it, and in what these have worked out and kept."""
    if isinstance(record, np.ndarray):
        yield name, record
    elif isinstance(record, dict):
        for key, value in record.items():
            yield from arrays(value, f"{name}[{key!r}]")
    elif is_dataclass(record):
        for field, value in vars(record).items():
            if field != "buffers":
                yield from arrays(value, f"{name}.{field}")


def writeable(record: Any, name: str) -> list[str]:
    return [place for place, array in arrays(record, name) if array.size and array.flags.writeable]


def crossing(result: fp.Result) -> dict[str, Any]:
    """The records of a pack that go from one stage to the next."""
    return {
        "corpus": result.corpus,
        "relevance": result.relevance,
        "problem": result.scored.problem,
        "packing": result.packing,
        "fitted": result.fitted,
    }


def all_packs(packer: fp.ContextPacker) -> Iterator[fp.Result]:
    """One of each way in, with pins that cut rows, and a pack of another size."""
    pins = [("d0", 3, 20)]
    yield packer.pack([QUERY, ("bread", 0.5)], DOCUMENTS, 40, pins=pins)
    yield packer.pack(QUERY, DOCUMENTS, 40).repack(60)
    index = packer.index(DOCUMENTS[:2])
    yield index.pack(QUERY, 40, pins=pins)
    yield index.add(DOCUMENTS[2:]).pack(QUERY, 40)
    session = fp.Session(packer)
    session.turn(QUERY, DOCUMENTS, 40)
    yield session.turn("who leavens bread", DOCUMENTS, 40)
    yield packer.pack_stream(QUERY, iter(DOCUMENTS), 40, block=1)


@pytest.mark.parametrize("kind", PACKERS)
def test_no_array_that_crosses_a_stage_can_be_written_to(kind: str) -> None:
    for result in all_packs(PACKERS[kind]):
        result.to_dict()  # what is worked out when somebody asks for it is there then
        for name, record in crossing(result).items():
            assert len(list(arrays(record, name))) >= 2
            assert writeable(record, name) == []
    with pytest.raises(ValueError, match="read-only"):
        result.scored.problem.cost[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        result.relevance.total[:] = 0


def test_a_large_corpus_a_joined_one_and_one_from_files_cannot_be_written_to() -> None:
    packer = fp.ContextPacker()
    documents = [fp.Document(f"r{k}", f"Record {k} is of parcel {k * 7919 % 10007}.") for k in range(SHORTLIST + 9)]
    read = packer.read(documents)
    joined = packer.reader.join(packer.read(documents[:9]), packer.read(documents[9:]))
    again = from_bytes(to_bytes(read), read.documents)
    for name, corpus in {"read": read, "joined": joined, "from files": again}.items():
        assert corpus.postings is not None
        packer.pack_corpus(Request.checked("parcel 7919", 40), corpus)
        assert writeable(corpus, name) == []


def test_a_planted_write_is_seen() -> None:
    """What the walk above looks for: an array that somebody put in afterwards and that can be written to."""
    corpus = PACKERS["paragraphs"].read(DOCUMENTS)
    corpus.frequencies.words.flags.writeable = True
    assert writeable(corpus, "corpus") == ["corpus.frequencies.words"]


def test_an_array_of_the_callers_stays_his() -> None:
    """An embedder may use its buffer again, and who gives log odds may change them."""
    kept: list[np.ndarray] = []

    class Own(HashEmbedder):
        def embed(self, texts):
            kept.append(super().embed(texts))
            return kept[-1]

    packer = fp.ContextPacker(Own())
    corpus = packer.embedded(packer.read(DOCUMENTS))
    bias, vectors = np.zeros(len(corpus.rows), np.float32), HashEmbedder().embed([QUERY])
    packer.pack_corpus(Request.checked(QUERY, 40), corpus, extras=Extras(bias=bias, query_vectors=vectors))
    assert bias.flags.writeable and vectors.flags.writeable and all(array.flags.writeable for array in kept)


def everything(result: fp.Result) -> tuple[Any, ...]:
    """All that a result says: its text, every segment with its reason, its JSON."""
    facts = result.to_dict()
    facts.pop("timings_ms")
    return result.text, result.kept, result.dropped, facts


@pytest.mark.parametrize("layout", [{"cite": True}, {"titles": True}, {"cite": True, "order": "edges"}])
def test_drawing_and_repacking_leave_a_large_result_as_it_was(layout: dict[str, Any]) -> None:
    """More rows than are looked at closely, with headers: in release 0.1 the reasons of thousands changed here."""
    rows = [f"Entry {k} is of parcel {k * 7919 % 10007} and its tide." for k in range(2 * SHORTLIST + 300)]
    documents = [fp.Document(f"n{k}", text, f"Page {k}") for k, text in enumerate(rows)]
    packer = fp.ContextPacker(unit="paragraph", **layout)
    result = packer.pack(QUERY, documents, 300)
    assert len(result.segments) > 4096
    before = everything(result)
    result.to_html()
    for budget in (10, 2000, 300):
        again = result.repack(budget)
        again.to_dict()
    assert everything(result) == before == everything(again)
    assert everything(packer.pack(QUERY, documents, 300)) == before


@pytest.mark.parametrize("kind", PACKERS)
def test_looking_at_a_result_changes_nothing(kind: str) -> None:
    for result in all_packs(PACKERS[kind]):
        before = everything(result)
        result.to_html(), result._repr_html_(), repr(result), result.reading, result.state
        result.repack(20).to_html()
        assert everything(result) == before


def test_a_corpus_may_be_packed_again_and_again() -> None:
    packer = PACKERS["sentences"]
    corpus = packer.read(DOCUMENTS)
    before = {name: array.copy() for name, array in arrays(corpus, "corpus")}
    first = [everything(packer.pack_corpus(Request.checked(QUERY, b, pins), corpus)) for b, pins in CASES]
    again = [everything(packer.pack_corpus(Request.checked(QUERY, b, pins), corpus)) for b, pins in CASES]
    assert first == again
    for name, array in arrays(corpus, "corpus"):
        if name in before:
            np.testing.assert_array_equal(array, before[name], err_msg=name)
    assert isinstance(corpus, Corpus) and replace(corpus).words is corpus.words
    assert {f.name for f in fields(corpus)} >= {"words", "titles", "dense"}


CASES = ((40, ()), (30, ("d1",)), (60, (("d0", 3, 20), ("d2", 18, 40))), (9, ()))
