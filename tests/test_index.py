"""Index: the same pack as without it, now, after growth, and after a round trip through a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack.embed.testing import HashEmbedder
from fieldpack.errors import BudgetError, InputError
from fieldpack.packing.problem import SHORTLIST
from fieldpack.pipeline import ContextPacker, Index
from fieldpack.types import Document

SENTENCES = (
    "The lighthouse on the cape was built in 1842.",
    "Its lamp burned whale oil until the war.",
    "Quinces grow in the orchard behind the abbey.",
    "The tunnel took nine years to dig through granite.",
    "A cable ferry carries six cars over the river.",
    "The largest bell weighs eight tonnes.",
    "Glass is blown with soda ash on the island.",
    "Café tables stand under 24 plane trees.",
)
QUERY = "How long did it take to dig the tunnel?"


def documents(count: int, per: int = 3) -> list[Document]:
    texts = [" ".join(SENTENCES[(5 * d + k * (d % 3 + 1)) % len(SENTENCES)] for k in range(per)) for d in range(count)]
    return [Document(f"note {d}", text, f"Title {d % 4}", {"pos": d}) for d, text in enumerate(texts)]


PACKERS = {
    "sentences": lambda: ContextPacker(unit="sentence"),
    "paragraphs": lambda: ContextPacker(unit="paragraph"),
    "dense": lambda: ContextPacker(HashEmbedder()),
}


@pytest.mark.parametrize("kind", PACKERS)
class TestSame:
    def test_as_without_an_index(self, kind):
        packer, docs = PACKERS[kind](), documents(12)
        index = packer.index(docs)
        a, b = index.pack(QUERY, 40, pins=["note 7"]), packer.pack(QUERY, docs, 40, pins=["note 7"])
        assert a.text == b.text and a.kept == b.kept
        assert len(index) == len(a.segments) and index.documents == tuple(docs)

    def test_after_growth(self, kind):
        packer, docs = PACKERS[kind](), documents(12)
        whole = packer.index(docs)
        grown = packer.index(docs[:5]).add(docs[5:6]).add(docs[6:])
        assert grown.pack(QUERY, 40).text == whole.pack(QUERY, 40).text
        np.testing.assert_allclose(
            grown.pack(QUERY, 40).relevance.logit, whole.pack(QUERY, 40).relevance.logit, atol=1e-4
        )
        assert len(packer.index(docs[:5])) < len(grown)

    def test_through_a_folder(self, kind, tmp_path: Path):
        packer, docs = PACKERS[kind](), documents(12)
        index = packer.index(docs)
        index.save(tmp_path, vectors=True)
        again = Index.load(tmp_path, packer if kind == "dense" else None)
        first, second = index.pack(QUERY, 40), again.pack(QUERY, 40)
        assert first.text == second.text and first.kept == second.kept and again.documents == tuple(docs)
        assert isinstance(again.corpus.sentences.vectors.base, np.memmap)
        more = [Document("late", "The tunnel was dug by two hundred miners.")]
        assert again.add(more).pack(QUERY, 60).text == index.add(more).pack(QUERY, 60).text


def test_static_vectors_are_made_again_bit_for_bit(tmp_path: Path):
    packer = ContextPacker()
    index = packer.index(documents(5)).add([*documents(9)[5:], Document("e", "", "A title")])
    index.save(tmp_path / "small")
    index.save(tmp_path / "whole", vectors=True)
    small, whole = (Index.load(tmp_path / name).corpus for name in ("small", "whole"))
    for name in ("direction", "weight", "stem"):
        np.testing.assert_array_equal(getattr(small.vocabulary, name), getattr(whole.vocabulary, name))
    for level in ("sentences", "paragraphs"):
        np.testing.assert_array_equal(getattr(small, level).vectors, getattr(whole, level).vectors)
        assert not getattr(small, level).vectors.flags.writeable
    assert not list((tmp_path / "small").glob("*vectors.npy"))
    assert isinstance(small.words, np.memmap) or isinstance(small.words.base, np.memmap)


def test_an_index_of_nothing_goes_through_a_folder(tmp_path: Path):
    ContextPacker().index([]).save(tmp_path)
    assert len(Index.load(tmp_path)) == 0


def test_documents_without_text_may_be_added_as_they_may_be_packed():
    packer, docs = ContextPacker(), documents(4)
    grown = packer.index(docs).add([Document("blank", " \n\n "), Document("empty", "", "A title")])
    assert [d.id for d in grown.documents][-2:] == ["blank", "empty"]
    assert grown.pack(QUERY, 40).text == packer.pack(QUERY, [*docs, Document("blank", " ")], 40).text


def test_an_index_of_unit_auto_takes_the_unit_that_all_its_documents_call_for():
    """In release 0.1 it kept the unit of the documents that it began with."""
    short = [Document(f"s{k}", SENTENCES[k]) for k in range(8)]
    long = [Document(f"l{k}", " ".join(SENTENCES[k : k + 4])) for k in range(5)]
    packer = ContextPacker()
    for first, more, units in ((short, long, ("paragraph", "sentence")), (long[:1], short, ("sentence", "paragraph"))):
        index = packer.index(first)
        grown = index.add(more)
        assert (index.corpus.unit, grown.corpus.unit) == units and index.corpus.rows.tokens.min() > 0
        whole = packer.index([*first, *more])
        assert grown.corpus.unit == whole.corpus.unit and list(grown.corpus.rows) == list(whole.corpus.rows)
        a, b = grown.pack(QUERY, 40), whole.pack(QUERY, 40)
        assert (a.text, a.kept, a.dropped) == (b.text, b.kept, b.dropped)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([*SENTENCES, "", "  ", "# Head\n\nBody text.", "…"]), max_size=4),
        min_size=2,
        max_size=9,
    ),
    st.data(),
)
def test_growth_equals_reading_all_at_once(parts, data):
    docs = tuple(Document(str(k), "\n\n".join(p), "T" if k % 2 else "") for k, p in enumerate(parts))
    split = data.draw(st.integers(1, len(docs) - 1))
    reader = ContextPacker(unit="sentence").reader
    a, b = reader.join(reader.read(docs[:split]), reader.read(docs[split:])), reader.read(docs)
    assert a.documents == b.documents and list(a.rows) == list(b.rows)
    assert a.texts() == b.texts()
    for name in ("starts", "paragraph"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    np.testing.assert_array_equal(a.paragraphs.spans.doc, b.paragraphs.spans.doc)
    np.testing.assert_array_equal(a.paragraphs.vectors, b.paragraphs.vectors)
    assert a.frequencies.unseen_idf == b.frequencies.unseen_idf and len(a.titles) == len(b.titles)
    v, w = a.vocabulary, b.vocabulary
    for word, i in w.index.items():
        j = v.index[word]
        assert a.frequencies.idf[j] == b.frequencies.idf[i]
        assert a.frequencies.stem_idf[v.stem[j]] == b.frequencies.stem_idf[w.stem[i]]
    spelt = [[x.words[i] for i in ids] for x, ids in ((v, a.words), (w, b.words), (v, a.titles.ids), (w, b.titles.ids))]
    assert spelt[0] == spelt[1] and spelt[2] == spelt[3]


MIXED = (
    lambda d: Document(f"stock {d}.csv", "item,price\n" + "".join(f"bolt {d}-{k},{d + k}\n" for k in range(9))),
    lambda d: Document(f"guide {d}.md", f"# Tunnel {d}\n\n" + "\n\n".join(SENTENCES) + f"\n\n## Bolts\n\nBolt {d}-3."),
    lambda d: Document(f"build {d}.log", "".join(f"[{k}/30] Building bolt {d}-{k}.o\n" for k in range(30))),
)


@pytest.mark.parametrize("count", [4, 72, 600], ids=["few", "sections", "shortlist"])
def test_what_a_corpus_keeps_for_its_queries_is_read_anew_when_it_grows(count):
    docs = [MIXED[d % 3](d) for d in range(count)]
    packer = ContextPacker(unit="sentence")
    grown, queries = packer.index(documents(3)), ("What does bolt 1-3 cost?", QUERY, "bolt 2-7")
    for k in range(3):
        for query in queries:
            grown.pack(query, 120)
        grown = grown.add(docs[k * count // 3 : (k + 1) * count // 3])
    whole = packer.index([*documents(3), *docs])
    assert (whole.corpus.sections is not None, whole.corpus.postings is not None) == (count > 4, count > 72)
    for query in queries:
        a, b = grown.pack(query, 120), whole.pack(query, 120)
        assert a.text == b.text
        np.testing.assert_array_equal(a.scored.problem.is_heading, b.scored.problem.is_heading)
        np.testing.assert_allclose(a.relevance.logit, b.relevance.logit, atol=1e-4)


def test_a_large_index_finds_the_one_segment_and_keeps_pins():
    docs = [
        Document(f"d{k}", f"Record {k} concerns parcel {k * 7919 % 10007} and nothing else.")
        for k in range(2 * SHORTLIST + 504)
    ]
    docs[4100] = Document("key", "The spare key hangs behind the boiler.")
    index = ContextPacker().index(docs)
    result = index.pack("Where is the spare key?", 60, pins=["d4500"])
    kept = [k.doc_id for k in result.kept]
    assert "key" in kept and "d4500" in kept and result.tokens <= 60
    assert len(result.kept) + len(result.dropped) == len(index) == len(docs)
    assert index.overview is not None and len(result.reading.row_resonance) == len(index)
    again = index.pack("Where is the spare key?", 60, state=result.state)
    assert again.state.turn == 2 and again.state.count == result.state.count == len(docs)
    with pytest.raises(InputError, match="another model"):
        index.pack("key", 60, state=ContextPacker(HashEmbedder(dims=8)).pack("a", ["b c d."], 9).state)
    assert all(d.reason for d in result.dropped)


def test_state_is_carried():
    index = ContextPacker(residue_weight=20).index(documents(12))
    first = index.pack(QUERY, 30)
    second = index.pack("Where do quinces grow?", 60, state=first.state)
    best = max(first.kept, key=lambda k: k.score)
    assert best[:3] in [k[:3] for k in second.kept] and second.state.turn == 2


class TestRefused:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        ContextPacker().index(documents(6)).save(tmp_path)
        return tmp_path

    @pytest.mark.parametrize("name", ["words.npy", "documents.jsonl", "vocabulary.json", "paragraphs_start.npy"])
    @pytest.mark.parametrize("harm", ["cut", "change", "missing"])
    def test_damaged_files(self, folder: Path, name, harm):
        path = folder / name
        body = path.read_bytes()
        if harm == "missing":
            path.unlink()
        else:
            path.write_bytes(body[:-7] if harm == "cut" else body[:-7] + bytes(b ^ 1 for b in body[-7:]))
        with pytest.raises(InputError, match="damaged"):
            Index.load(folder)

    def test_sizes_are_checked_even_without_checksums(self, folder: Path):
        path = folder / "words.npy"
        path.write_bytes(path.read_bytes()[:-7])
        with pytest.raises(InputError, match="bytes"):
            Index.load(folder, verify=False)

    def test_a_head_cannot_reach_outside(self, folder: Path):
        head = json.loads((folder / "index.json").read_text())
        head["files"]["../x"] = [0, ""]
        (folder / "index.json").write_text(json.dumps(head))
        with pytest.raises(InputError, match="damaged"):
            Index.load(folder)

    def test_another_version(self, folder: Path):
        head = json.loads((folder / "index.json").read_text())
        (folder / "index.json").write_text(json.dumps({**head, "version": 7}))
        with pytest.raises(InputError, match="version 7"):
            Index.load(folder)

    @pytest.mark.parametrize(
        ("packer", "said"),
        [
            (ContextPacker(tokenizer="cl100k_base"), "tokenizer"),
            (ContextPacker(HashEmbedder()), "embedder"),
            (ContextPacker(unit="paragraph"), "unit 'sentence'"),
        ],
    )
    def test_another_packer(self, folder: Path, packer, said):
        with pytest.raises(InputError, match=said):
            Index.load(folder, packer)

    def test_an_embedder_without_a_name_must_be_passed(self, tmp_path: Path):
        ContextPacker(HashEmbedder()).index(documents(3)).save(tmp_path)
        with pytest.raises(InputError, match="pass packer"):
            Index.load(tmp_path)

    def test_nothing_there(self, tmp_path: Path):
        with pytest.raises(InputError, match="no index"):
            Index.load(tmp_path / "void")

    def test_bad_calls(self, folder: Path):
        index = Index.load(folder)
        with pytest.raises(InputError, match="note 0"):
            index.add(documents(1))
        with pytest.raises(InputError, match="budget"):
            index.pack(QUERY, 0)
        with pytest.raises(InputError, match="pin"):
            index.pack(QUERY, 50, pins=["nobody"])
        with pytest.raises(BudgetError):
            index.pack(QUERY, 3, pins=["note 0"])
        with pytest.raises(InputError, match="empty"):
            index.pack(" ", 50)

    def test_metadata_that_json_cannot_hold(self, tmp_path: Path):
        index = ContextPacker().index([Document("odd", "Some text.", "", {"x": object()})])
        with pytest.raises(InputError, match="'odd'"):
            index.save(tmp_path)


def test_strings_are_numbered_on():
    index = ContextPacker().index(["One text.", "Two texts."]).add("Three texts.")
    assert [d.id for d in index.documents] == ["doc-0", "doc-1", "doc-2"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path):
    place = tmp_path / "file"
    place.write_text("taken")
    with pytest.raises(InputError, match="cannot write"):
        ContextPacker().index(documents(2)).save(place)


def test_files_that_are_no_arrays_are_told_without_checksums(tmp_path: Path):
    ContextPacker().index(documents(4)).save(tmp_path)
    path = tmp_path / "words.npy"
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(InputError, match=r"no array|damaged"):
        Index.load(tmp_path, verify=False)


def test_files_that_do_not_fit_each_other_are_told(tmp_path: Path):
    ContextPacker().index(documents(4)).save(tmp_path)
    head = json.loads((tmp_path / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps({**head, "corpus": {**head["corpus"], "sentences": 1}}))
    with pytest.raises(InputError, match="fit"):
        Index.load(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps({**head, "files": 3}))
    with pytest.raises(InputError, match="no files"):
        Index.load(tmp_path)


def test_functions_that_are_added_stand_alone_as_those_that_were_there():
    body = "def part_{0}(items):\n    total = sum(items) + {0}\n    return total\n"
    functions = [Document(f"f-{i}", body.format(i), metadata={"kind": "python"}) for i in range(24)]
    packer = ContextPacker()
    grown = packer.index(functions[:12]).add(functions[12:]).corpus.sequence
    assert len(set(grown.tolist())) == len(grown) == len(functions)
    assert len(set(packer.read(functions).sequence.tolist())) == len(functions)
