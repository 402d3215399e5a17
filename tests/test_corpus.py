"""A corpus is a monoid: what is joined is what would have been read at once, array for array and bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fieldpack import storage
from fieldpack.corpus.build import CorpusReader, shipped_static
from fieldpack.corpus.corpus import Corpus
from fieldpack.corpus.files import Head, from_bytes, load_corpus, save_corpus, to_bytes
from fieldpack.embed.testing import HashEmbedder
from fieldpack.text.tokens import tokenizer
from fieldpack.types import Document

PIECES = (
    "The lighthouse on the cape was built in 1842. Its lamp burned whale oil until the war.",
    "Quinces grow in the orchard behind the abbey.",
    "A cable ferry carries six cars over the river. Café tables stand under 24 plane trees. It rains.",
    "# The tunnel\n\nIt took nine years to dig.\n\nGranite slowed the work",
    "def area(radius):\n    return 3.14159 * radius**2\n\n\ndef half(x):\n    return x / 2",
    "- one item\n- another item. It has two sentences.\n\n```\ncode here\n```",
    "潮汐是由月球和太阳的引力引起的。每天两次。",
    "Приливы вызываются притяжением Луны и Солнца",
    f"Rye is sown late.{' ' * 80}It is cut in July.",
    "…",
    "",
    " \n\n ",
)
TITLES = ("", "", "Old Mill", "The tunnel", "Кафе 24")
METADATA = ({}, {"source": "a.py", "pos": 3}, {"source": "a.py", "pos": 4}, {"kind": "python"}, {"kind": "markdown"})
UNITS = ("auto", "paragraph", "sentence")
_COLUMNS = ("doc", "start", "end", "tokens", "kind", "parent")


@st.composite
def worlds(draw, parts: int = 2) -> list[tuple[Document, ...]]:
    """Documents in some parts, any of which may be empty or without text."""
    sizes = draw(st.lists(st.integers(0, 4), min_size=parts, max_size=parts))
    out, number = [], 0
    for size in sizes:
        part = []
        for _ in range(size):
            text = draw(st.sampled_from(["\n\n", " "])).join(draw(st.lists(st.sampled_from(PIECES), max_size=3)))
            name = draw(st.sampled_from([f"note-{number}", f"d{number}", f"file{number}.py"]))
            part.append(Document(name, text, draw(st.sampled_from(TITLES)), draw(st.sampled_from(METADATA))))
            number += 1
        out.append(tuple(part))
    return out


def reader(unit: str, counted: bool = True) -> CorpusReader:
    return CorpusReader(shipped_static(), tokenizer("o200k_base") if counted else None, unit)


def arrays_of(corpus: Corpus) -> dict[str, np.ndarray]:
    """All numbers of a corpus, by name."""
    out = {
        "words": corpus.words,
        "title ids": corpus.titles.ids,
        "title offsets": corpus.titles.offsets,
        "direction": corpus.vocabulary.direction,
        "weight": corpus.vocabulary.weight,
        "stem": corpus.vocabulary.stem,
        "word frequency": corpus.frequencies.words,
        "stem frequency": corpus.frequencies.stems,
        "source": corpus.order.source,
        "named": corpus.order.named,
        "position": corpus.order.position,
        "sequence": corpus.sequence,
    }
    for name, level in (("sentences", corpus.sentences), ("paragraphs", corpus.paragraphs)):
        out |= {f"{name} {column}": getattr(level.spans, column) for column in _COLUMNS}
        out |= {f"{name} offsets": level.offsets, f"{name} vectors": level.vectors}
    if corpus.postings is not None:
        out |= {"posting ends": corpus.postings.ends, "postings": corpus.postings.paragraphs}
    if corpus.dense is not None:
        out["dense"] = corpus.dense
    return out


def facts_of(corpus: Corpus) -> dict[str, object]:
    """All of a corpus that is no array."""
    return {
        "documents": corpus.documents,
        "words": corpus.vocabulary.words,
        "index": corpus.vocabulary.index,
        "stems": corpus.vocabulary.stems,
        "unit": corpus.unit,
        "known words": corpus.known_words,
        "paragraphs": corpus.frequencies.paragraphs,
    }


def assert_same(a: Corpus, b: Corpus) -> None:
    """Equal in everything, types and bits included."""
    first, second = facts_of(a), facts_of(b)
    for name, value in second.items():
        assert first[name] == value, name
    here, there = arrays_of(a), arrays_of(b)
    assert set(here) == set(there)
    for name, array in there.items():
        assert (here[name].dtype, here[name].shape) == (array.dtype, array.shape), name
        assert here[name].tobytes() == array.tobytes(), f"{name}:\n{here[name]}\n{array}"
    assert list(a.vocabulary.stems) == list(b.vocabulary.stems), "stems are numbered in order of first sight"


@contextmanager
def inverted_index_from(paragraphs: int) -> Iterator[None]:
    """Corpora of more than so few paragraphs have postings."""
    with (
        mock.patch("fieldpack.corpus.build.SHORTLIST", paragraphs),
        mock.patch("fieldpack.corpus.files.SHORTLIST", paragraphs),
    ):
        yield


@given(worlds(), st.sampled_from(UNITS), st.sampled_from([0, 3, 2048]))
@example([(Document("a", PIECES[1]),), (Document("b", PIECES[2] + " " + PIECES[2]),)], "auto", 0)
@settings(max_examples=60, deadline=None)
def test_parts_that_are_joined_are_what_is_read_at_once(parts, unit, shortlist):
    with inverted_index_from(shortlist):
        read = reader(unit)
        a, b = parts
        assert_same(read.join(read.read(a), read.read(b)), read.read(a + b))


@given(worlds(3), st.sampled_from(UNITS), st.sampled_from([0, 3, 2048]))
@settings(max_examples=40, deadline=None)
def test_it_does_not_matter_how_parts_are_grouped(parts, unit, shortlist):
    with inverted_index_from(shortlist):
        read = reader(unit)
        a, b, c = (read.read(part) for part in parts)
        whole = read.read(sum(parts, ()))
        assert_same(read.join(read.join(a, b), c), whole)
        assert_same(read.join(a, read.join(b, c)), whole)
        assert_same(read.join(a, b, c), whole)
        # The parts are what they were: a second child of one parent is a corpus of its own.
        assert_same(read.join(a, c), read.read(parts[0] + parts[2]))
        for part, corpus in zip(parts, (a, b, c), strict=True):
            assert_same(corpus, read.read(part))


@given(worlds(1), st.sampled_from(UNITS))
@settings(max_examples=25, deadline=None)
def test_no_documents_change_nothing(parts, unit):
    read, (documents,) = reader(unit), parts
    corpus, nothing = read.read(documents), read.read(())
    assert_same(read.join(nothing, corpus), corpus)
    assert_same(read.join(corpus, nothing), corpus)
    assert_same(read.join(nothing, nothing), nothing)
    assert len(nothing.rows) == 0 and nothing.has_titles is False and nothing.is_code is False and nothing.known == 0


def test_the_unit_of_parts_may_be_another_than_that_of_the_whole():
    """One of few sentences, one of many: the part of paragraphs is counted again as sentences, and the other way."""
    few = tuple(Document(f"f{k}", PIECES[1]) for k in range(5))
    many = tuple(Document(f"m{k}", PIECES[2]) for k in range(9))
    read = reader("auto")
    assert (read.read(few).unit, read.read(many).unit) == ("paragraph", "sentence")
    for a, b in ((few, many), (many, few), (few, many[:1])):
        joined = read.join(read.read(a), read.read(b))
        assert_same(joined, read.read(a + b))
        assert joined.level.counted and joined.rows.tokens.min() > 0
    assert read.join(read.read(few), read.read(many)).unit == "sentence"
    assert read.join(read.read(few), read.read(many[:1])).unit == "paragraph"


@given(worlds(), st.sampled_from(UNITS), st.booleans())
@settings(max_examples=30, deadline=None)
def test_rows_of_a_sentence_embedder_are_joined_too(parts, unit, counted):
    read, embed = reader(unit, counted), HashEmbedder(16).embed
    a, b = (read.embedded(read.read(part), embed) for part in parts)
    whole = read.embedded(read.read(sum(parts, ())), embed)
    assert whole.dense.shape == (len(whole.paragraphs), 16)
    assert_same(read.join(a, b), whole)
    # Where one part has none, the whole has none: it is embedded again, at once.
    if parts[0] and parts[1]:
        assert read.join(a, read.read(parts[1])).dense is None


def through_bytes(corpus: Corpus) -> Corpus:
    return from_bytes(to_bytes(corpus), corpus.documents)


def through_a_folder(corpus: Corpus, folder: Path, vectors: bool = True) -> Corpus:
    save_corpus(folder, Head("corpus", 1, {}, vectors), corpus)
    return load_corpus(folder, storage.load(folder, "corpus", 1), shipped_static())


@given(worlds(), st.sampled_from(UNITS), st.sampled_from([0, 2048]), st.booleans())
@settings(max_examples=25, deadline=None)
def test_what_went_through_files_is_the_same_and_joins_as_before(tmp_path_factory, parts, unit, shortlist, dense):
    folder = tmp_path_factory.mktemp("corpus")
    with inverted_index_from(shortlist):
        read = reader(unit)
        corpora = [read.read(part) for part in (*parts, sum(parts, ()))]
        if dense:
            corpora = [read.embedded(c, HashEmbedder(16).embed) for c in corpora]
        a, b, whole = corpora
        for corpus in corpora:
            assert_same(through_bytes(corpus), corpus)
        assert_same(read.join(through_bytes(a), through_bytes(b)), whole)
        if len(a.vocabulary) and len(b.vocabulary):  # an index is of documents with text
            first, second = through_a_folder(a, folder / "a"), through_a_folder(b, folder / "b")
            assert_same(first, a)
            assert_same(through_a_folder(a, folder / "small", vectors=False), a)
            assert isinstance(first.sentences.vectors.base, np.memmap)
            assert_same(read.join(first, second), whole)


def test_what_is_joined_does_not_change_its_parts():
    """Arrays grow in place for the last of the line alone, and what was handed out is read-only."""
    read = reader("sentence")
    sizes = (9, 6, 1, 1)  # the last ones fit in what is kept free
    parts = [tuple(Document(f"{k}-{i}", PIECES[(k + i) % 3], "Old") for i in range(n)) for k, n in enumerate(sizes)]
    line = [read.read(parts[0])]
    for part in parts[1:]:
        line.append(read.join(line[-1], read.read(part)))
    other = read.join(line[1], read.read(parts[3]))
    for k, corpus in enumerate(line):
        assert_same(corpus, read.read(sum(parts[: k + 1], ())))
    assert_same(other, read.read(parts[0] + parts[1] + parts[3]))
    assert line[2].words.base is line[3].words.base and other.words.base is not line[3].words.base
    with pytest.raises(ValueError, match="read-only"):
        line[2].words[0] = 0


RANGES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 200), st.integers(1, 90)), min_size=1, max_size=4)


def spelled(corpus: Corpus, ids: np.ndarray) -> list[str]:
    return [corpus.vocabulary.words[i] for i in ids.tolist()]


@given(worlds(1), RANGES, st.sampled_from(UNITS), st.booleans())
@settings(max_examples=80, deadline=None)
def test_a_corpus_that_is_cut_is_the_corpus_read_with_the_cuts(parts, drawn, unit, dense):
    (documents,) = parts
    ranges = []
    for number, start, size in drawn:
        if documents and (length := len(documents[number % len(documents)].text)):
            at = start % length
            ranges.append((number % len(documents), at, min(at + size, length)))
    read = reader(unit)
    whole = read.read(documents)
    if dense:
        whole = read.embedded(whole, HashEmbedder(16).embed)
    cut, wanted = read.cut(whole, ranges), read.read(documents, ranges)
    assert cut.unit == wanted.unit and cut.known_words == wanted.known_words and cut.documents == wanted.documents
    a, b = arrays_of(cut), arrays_of(wanted)
    a.pop("dense", None)
    # Words are numbered in another order, and those that a cut has parted are still in the table.
    by_word = {"words", "title ids", "direction", "weight", "stem", "word frequency", "stem frequency"}
    for name in set(b) - by_word - {"posting ends", "postings"}:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert spelled(cut, cut.words) == spelled(wanted, wanted.words)
    assert spelled(cut, cut.titles.ids) == spelled(wanted, wanted.titles.ids)
    for word, i in wanted.vocabulary.index.items():
        j = cut.vocabulary.index[word]
        assert cut.frequencies.words[j] == wanted.frequencies.words[i]
        stem, other = cut.vocabulary.stem[j], wanted.vocabulary.stem[i]
        assert cut.frequencies.stems[stem] == wanted.frequencies.stems[other]
    here = {w for w, i in cut.vocabulary.index.items() if cut.holds(i)}
    assert here == {w for w, i in wanted.vocabulary.index.items() if wanted.holds(i)} == set(wanted.vocabulary.index)
    # The rows of a sentence embedder are taken over where paragraphs are the same, and made anew where they are not.
    if dense:
        made: list[str] = []

        def embed(texts):
            made.extend(texts)
            return HashEmbedder(16).embed(texts)

        rows = read.embedded(replace(cut, dense=None), embed, whole).dense
        np.testing.assert_array_equal(rows, HashEmbedder(16).embed(cut.paragraphs.spans.texts(documents)))
        before = set(zip(*(getattr(whole.paragraphs.spans, c).tolist() for c in ("doc", "start", "end")), strict=True))
        after = set(zip(*(getattr(cut.paragraphs.spans, c).tolist() for c in ("doc", "start", "end")), strict=True))
        assert len(made) == len(after - before)


def test_ranges_that_part_nothing_leave_the_corpus_as_it_is():
    documents = (Document("a", "One paragraph here.\n\nAnother one."), Document("b", "A third."))
    corpus = reader("paragraph").read(documents)
    assert reader("paragraph").cut(corpus, [(0, 0, 19), (0, 21, 33), (1, 0, 8)]) is corpus
    assert reader("paragraph").cut(corpus, [(0, 0, 10)]) is not corpus


@given(worlds(1))
@example([(Document("records", '[{"a": "rye"}, {"a": "sown late"}, {"a": "…"}]'),)])
def test_rows_of_both_levels_are_the_directions_of_their_words(parts):
    corpus = reader("auto").read(parts[0])
    vectors = corpus.vocabulary.direction * corpus.vocabulary.weight[:, None]
    for level in (corpus.sentences, corpus.paragraphs):
        assert len(level.vectors) == len(level)
        for row, first, last in zip(level.vectors, level.offsets, level.offsets[1:], strict=False):
            total = vectors[corpus.words[first:last]].sum(0)
            assert np.allclose(row, total / max(np.linalg.norm(total), 1e-12), atol=1e-5)
