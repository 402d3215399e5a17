"""Folders of documentation: what a section and a file say of their paragraphs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpack import ContextPacker, Document, EmbeddingService
from fieldpack.corpus.build import CorpusReader, shipped_static
from fieldpack.corpus.news import asks_for_news, is_news
from fieldpack.corpus.sections import FEWEST_SECTIONS, PIECE_CHARS, Similar, StemIndex
from fieldpack.packing.problem import SENTENCE_SETTINGS
from fieldpack.relevance.rerank import LONGEST, PIECES, PieceReader, piece_texts
from fieldpack.relevance.shortlist import all_candidates
from fieldpack.text.segment import segment
from fieldpack.types import KINDS
from fieldpack.words import split

COLOURS = ("amber", "azure", "beige", "coral", "cream", "ebony", "ivory", "khaki", "lemon", "lilac", "mauve", "olive")


def page(number: int, sections: int = 6) -> Document:
    """A page of sections whose paragraphs do not say what the headings say."""
    lines = [f"# Module {COLOURS[number]}", ""]
    for k in range(sections):
        lines += [f"## The {COLOURS[k]} valve of unit {number}", ""]
        lines += [
            f"It is opened {k + 2} turns to the left. Then wait until the needle stands at {10 * number + k}.",
            "",
        ]
        lines += [f"Close it slowly. A quick turn bends the axle {k + 1} of {number}.", ""]
        lines += ["Grease the thread once a year.", ""]
    return Document(f"docs/{COLOURS[number]}.md", "\n".join(lines))


def folder(pages: int = 12) -> list[Document]:
    return [page(n) for n in range(pages)]


def test_a_segment_knows_the_heading_that_it_stands_under() -> None:
    documents = [page(0), Document("plain", "One sentence. Another one."), page(1)]
    rows = segment(documents, "sentence")
    for row, heading in enumerate(rows.heading.tolist()):
        if heading < 0:
            continue
        assert heading < row and rows.doc[heading] == rows.doc[row]
        assert KINDS[rows.kind[heading]] == "heading"
        between = rows.kind[heading + 1 : row] == KINDS.index("heading")
        assert not between.any() or rows.kind[row] == KINDS.index("heading")
    assert (rows.heading[rows.doc == 1] == -1).all()
    assert (rows.heading[rows.doc == 0] >= 0).sum() > 10


def test_documents_joined_have_the_sections_of_documents_read_at_once() -> None:
    reader, documents = CorpusReader(shipped_static()), folder()
    whole = reader.read(documents).sections
    joined = reader.join(*(reader.read(documents[k : k + 3]) for k in range(0, len(documents), 3))).sections
    assert whole is not None and joined is not None
    for name in ("section", "piece", "piece_section", "piece_starts", "path_words", "path_offsets", "vectors", "news"):
        assert np.array_equal(getattr(whole, name), getattr(joined, name)), name
    assert np.array_equal(whole.by_piece.worth, joined.by_piece.worth)


def test_pieces_are_runs_of_one_section_and_not_too_long() -> None:
    corpus = ContextPacker().read(folder())
    sections = corpus.sections
    assert sections is not None
    spans = corpus.paragraphs.spans
    assert (np.diff(sections.piece) >= 0).all()
    for piece in range(len(sections.piece_starts)):
        rows = np.flatnonzero(sections.piece == piece)
        assert len(set(sections.section[rows].tolist())) == 1
        assert len(rows) == 1 or int((spans.end[rows] - spans.start[rows]).sum()) <= PIECE_CHARS
        assert np.array_equal(sections.paragraphs_of(np.array([piece])), rows)


def test_few_headings_make_no_sections() -> None:
    assert ContextPacker().read(folder(2)).sections is None
    plain = [Document(f"d{k}", f"Note {k}. It says nothing.\n\nOr little.") for k in range(300)]
    assert ContextPacker().read(plain).sections is None
    assert FEWEST_SECTIONS > 12


def test_what_only_the_heading_says_is_found_in_its_paragraphs() -> None:
    documents = folder()
    index = ContextPacker(unit="paragraph").index(documents)
    result = index.pack("how to close the coral valve of unit 7", 60)
    best = max(result.kept, key=lambda k: k.score)
    text = documents[7].text
    start = text.index("## The coral valve")
    assert best.doc_id == "docs/ivory.md" or best.doc_id == documents[7].id
    assert best.doc_id == documents[7].id and start <= best.start < text.index("## The cream valve")


@pytest.mark.parametrize(
    ("name", "text", "news"),
    [
        ("changelog/changelog_12.rst", "1.2 Changelog", True),
        ("RelNotes/2.38.0.txt", "Git v2.38 Release Notes", True),
        ("HISTORY.md", "## v2.12.0", True),
        ("docs/releases/4.2.txt", "Django 4.2", True),
        ("changelog/migration_12.rst", "What's New in 1.2?", True),
        ("docs/whatsnew-5.4.rst", "What's new", True),
        ("docs/newsletter.md", "How to subscribe", False),
        ("guide/migrations.txt", "Migrations are how models change", False),
        ("git-log.txt", "git-log - Show commit logs", False),
        ("history.c.md", "How the shell keeps its history", True),
    ],
)
def test_release_notes_are_known_by_their_name_or_title(name: str, text: str, news: bool) -> None:
    assert is_news(Document(name, text)) is news


def test_a_question_for_a_version_is_known() -> None:
    assert asks_for_news("since which version can the pool test a connection")
    assert asks_for_news("what changed in 2.38") and asks_for_news("was orm_mode renamed")
    assert not asks_for_news("how do I store changes for later")
    assert not asks_for_news("wait 0.5 seconds, or up to 4.5 GB")


def test_release_notes_give_way_to_the_guide_unless_a_version_is_asked_for() -> None:
    line = "The pool can test connections before it hands them out, with the setting ping."
    guide = Document("guide/pool.md", f"# Pool\n\n## Testing\n\n{line}\n")
    notes = Document("changelog/v3.md", f"# Version 3.1\n\n## Pool\n\n{line}\n")
    index = ContextPacker(unit="paragraph").index([*folder(), guide, notes])

    def scores(query: str) -> dict[str, float]:
        kept = index.pack(query, 200).kept
        return {k.doc_id: k.score for k in kept if "ping" in k.text}

    usual = scores("how can the pool test connections")
    version = scores("since which version can the pool test connections")
    old, new = (s.get("changelog/v3.md", 0) / s["guide/pool.md"] for s in (usual, version))
    assert old < 1 and new > old


@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=8), min_size=1, max_size=12), st.integers(0, 5))
def test_bm25_of_an_inverted_index_is_that_of_a_loop(texts: list[list[int]], stem: int) -> None:
    flat = np.array([s for t in texts for s in t], np.int64)
    owner = np.repeat(np.arange(len(texts)), [len(t) for t in texts])
    index = StemIndex.of(flat, owner, 7, len(texts))
    mean = len(flat) / len(texts)
    holding = sum(stem in t for t in texts)
    idf = np.log1p((len(texts) - holding + 0.5) / (holding + 0.5))
    expected = [idf * t.count(stem) / (t.count(stem) + 1.2 * (0.25 + 0.75 * len(t) / max(mean, 1))) for t in texts]
    assert np.allclose(index.bm25([Similar((stem,), (1.0,), 1.0, True)]), expected, atol=1e-5)
    other = (stem + 1) % 6
    both = index.bm25([Similar((stem, other), (1.0, 0.3), 1.0, True)])
    alike = index.bm25([Similar((other,), (1.0,), 1.0, True)])
    assert (both >= np.array(expected) - 1e-5).all()
    assert all(b > 0 for b, a in zip(both, alike, strict=True) if a > 0)


def test_turns_of_a_talk_are_packed_whole() -> None:
    said = "I went there on Monday. It was closed. We came back {}."
    turns = [Document(f"t{k}", said.format(k), ("Anna", "Ben")[k % 2]) for k in range(40)]
    named = [Document(f"t{k}", said.format(k), f"Page {k}") for k in range(40)]
    reader = CorpusReader(shipped_static())
    assert reader.read(turns).unit == "paragraph"
    assert reader.read(named).unit == "sentence"
    assert reader.join(reader.read(turns[:7]), reader.read(turns[7:])).unit == "paragraph"


def test_kept_paragraphs_of_a_folder_are_whole_more_often_than_elsewhere() -> None:
    documents = folder()
    usual = ContextPacker(packing=SENTENCE_SETTINGS)
    counts = []
    for packer in (ContextPacker(), usual):
        result = packer.pack("close the coral valve of unit 7 slowly, grease the thread", documents, 200)
        rows, kept = result.segments, np.flatnonzero(result.inside)
        sizes, held = np.bincount(rows.parent), np.bincount(rows.parent[kept], minlength=int(rows.parent[-1]) + 1)
        counts.append(float((held[held > 0] == sizes[held > 0]).mean()))
    assert counts[0] > counts[1]


def test_a_pin_inside_a_section_changes_no_heading() -> None:
    documents = folder()
    text = documents[3].text
    at = text.index("Then wait")
    result = ContextPacker().pack("valve", documents, 400, pins=[(documents[3].id, at, at + 9)])
    rows = result.corpus.sentences.spans
    named = rows.heading[rows.heading >= 0]
    assert (rows.kind[named] == KINDS.index("heading")).all()


def test_the_default_fills_the_budget_of_a_folder_and_another_value_ends_the_pack() -> None:
    """`enough` is .98 by default; the long tail of a folder holds more than its probabilities say."""
    query, documents, budget = "How far is the lilac valve opened?", folder(), 1500
    result = ContextPacker().pack(query, documents, budget)
    assert result.corpus.sections is not None
    assert result.text == ContextPacker().pack(query, documents, budget, enough=1.0).text
    early = ContextPacker(enough=0.2).pack(query, documents, budget)
    assert early.tokens < result.tokens and early.enough.ended


def cascade_that_likes(wanted: str) -> tuple[ContextPacker, list[list[str]]]:
    """A cascade whose second model finds the query in the texts that hold some words, and what it was given to read."""
    read: list[list[str]] = []

    def embed(texts: list[str]) -> np.ndarray:
        read.append(list(texts))
        alike = [i == 0 or wanted in text for i, text in enumerate(texts)]
        return np.array([[1.0, 0.0] if a else [0.0, 1.0] for a in alike], np.float32)

    return ContextPacker(embedder=EmbeddingService("cascade", second=embed)), read


def test_the_second_model_of_a_cascade_reads_whole_pieces_of_a_folder_and_decides() -> None:
    documents, query, wanted = folder(), "how is the valve closed?", "It is opened 4 turns to the left"
    packer, read = cascade_that_likes(wanted)
    result, usual = packer.pack(query, documents, 300), ContextPacker().pack(query, documents, 300)
    texts = [text for call in read for text in call[1:]]
    assert [call[0] for call in read] == [query] and len(texts) == PIECES
    for path, text in (text.split(". ", 1) for text in texts):
        assert any(text in d.text and set(path.split()) <= set(split(d.id + d.text)) for d in documents)
    assert sum("Grease the thread" in text and "Close it slowly" in text for text in texts) > PIECES / 2
    rows = result.corpus.texts()
    liked = [i for i, text in enumerate(rows) if text.startswith(wanted)]
    others = [i for i, text in enumerate(rows) if text.startswith("It is opened 5 turns")]

    def lead(logit: np.ndarray) -> float:
        return float(logit[liked].max() - logit[others].max())

    assert lead(result.scored.relevance.logit) > lead(usual.scored.relevance.logit) + 1


@given(st.integers(0, 2**32 - 1))
def test_what_the_second_model_did_not_read_stays_below_what_it_read(seed: int) -> None:
    corpus = ContextPacker().read(folder())
    assert corpus.sections is not None
    candidates = all_candidates(corpus)
    score = np.random.default_rng(seed).normal(size=len(candidates.paragraphs)).astype(np.float32)
    packer, read = cascade_that_likes("azure valve")
    assert packer.reranking_model is not None
    out = PieceReader(packer.reranking_model, "the query")(candidates, score)
    pieces = np.flatnonzero(
        [t in read[0] for t in piece_texts(corpus, corpus.sections, np.arange(len(corpus.sections.piece_starts)))]
    )
    was_read = np.isin(corpus.sections.piece, pieces)
    best = np.maximum.reduceat(score, corpus.sections.piece_starts)
    assert set(pieces.tolist()) <= set(np.argsort(-best)[:PIECES].tolist())
    assert out[~was_read].max() <= out[was_read].min()
    assert (out[~was_read] <= score[~was_read]).all()
    added = out[was_read] - score[was_read]
    assert len(set(np.round(added, 3).tolist())) <= 2  # a piece is liked or not


def test_a_long_piece_is_read_from_its_beginning() -> None:
    text = "# Long\n\n## The valve\n\n" + "The valve is closed with care and " * 200 + "love.\n"
    long = Document("docs/long.md", text)
    packer, read = cascade_that_likes("love")
    packer.pack("how is the valve closed?", [*folder(), long], 300)
    assert max(len(text.split(". ", 1)[-1]) for call in read for text in call) == LONGEST
