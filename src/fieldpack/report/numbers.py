"""The numbers of each segment that a page shows: columns ready for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fieldpack.analysis.token_value import surprisal, uniqueness
from fieldpack.relevance.stopwords import STOPWORDS
from fieldpack.report.measures import MEASURES
from fieldpack.report.payload import Form, Lists, Numbers
from fieldpack.report.view import FieldView, PackView
from fieldpack.types import KINDS, FloatArray, IntArray

MOST_PASSAGES = 8000
"""Segments of which the page of the service shows the text, and has the numbers."""
_MOST_WORDS = 12

PARTS = {
    "maxsim": ("token resonance", "mean best match of the query's words in the text"),
    "bm25": ("exact words", "exact words of the query (stems), weighed by rarity"),
    "cosine": ("vectors", "similarity of the vectors of query and paragraph"),
    "maxsim_titled": ("resonance with title", "token resonance over title and text"),
    "title": ("title named", "share of the title that the query names"),
    "pairs": ("word pairs", "neighbouring words of the query side by side"),
    "neighbours": ("neighbours", "how well the text before and after fits"),
    "best_sentence": ("best sentence", "token resonance of the paragraph's best sentence"),
    "attraction": ("query's attractor", "similarity to the query's attractor: one step of the field from the query"),
    "length": ("length", "log of the number of words"),
    "maxsim_met": ("resonance, query met", "token resonance, times how far the best candidate meets the query"),
    "bm25_met": ("exact words, query met", "exact words, times how far the best candidate meets the query"),
    "dense_met": ("embedder, query met", "vectors of the embedder, times how far the best candidate meets the query"),
    "dense": ("sentence embedder", "similarity of the sentence embedder's vectors"),
    "answer_kind": ("kind of answer", "holds a number, a date or a name where the question asks for one"),
    "paragraph": ("paragraph score", "score of the whole paragraph"),
    "first": ("opens paragraph", "opens its paragraph"),
    "below_best": ("below best", "distance to the best sentence of its paragraph"),
    "near": ("sentences beside", "how well the sentences before and after fit"),
    "sentences": ("sentences", "log of the sentences in its paragraph"),
    "section_bm25": (
        "exact words of section",
        "exact words of the query in its section, the headings above counted twice",
    ),
    "piece_bm25": ("exact words around", "exact words of the query in the piece of the section around it"),
    "document_bm25": ("exact words of document", "exact words of the query in the whole document"),
    "piece_cosine": ("vectors around", "similarity of the vectors of query and piece"),
    "piece_maxsim": ("resonance around", "token resonance over the piece"),
    "path_maxsim": ("resonance with path", "token resonance over the file's name and the headings above"),
    "piece_path_maxsim": ("resonance around, with path", "token resonance over piece, file's name and headings"),
    "news": ("release notes", "-1 in release notes, unless the query asks for a version or a change"),
}
"""For each feature of relevance.parts a short name, and what it means."""


def columns(field: FieldView, rows: IntArray, form: Form) -> dict[str, Any]:
    """Columns over the shown `rows` that need no query."""
    s, paragraph = field.rows, field.paragraph[rows]
    out: dict[str, Numbers] = {
        "doc": s.doc[rows],
        "start": s.start[rows],
        "end": s.end[rows],
        "tokens": s.tokens[rows],
        "kind": s.kind[rows],
        "group": paragraph,
        "basin": field.attractors.basin[paragraph],
        "attraction": field.attraction[rows],
        "resonance": field.similarity[rows],
        "unexplained": field.unexplained[rows],
        "residue": field.residue[rows],
        "density": density(field)[rows],
    }
    if field.segment_vectors is not None:
        out["unique"] = uniqueness(field.segment_vectors)[rows]
    return {name: form.numbers(values, 3) for name, values in out.items()}


def density(field: FieldView) -> FloatArray:
    """(n,) information density of every segment in bits per token, see fieldpack.analysis.token_value.surprisal."""
    return np.asarray(surprisal(field.words) / np.maximum(field.rows.tokens, 1), np.float32)


def query_columns(view: PackView, rows: IntArray, form: Form) -> dict[str, Any]:
    """Columns over the shown `rows` that depend on the query: score, parts, best match of its words, gain, reason."""
    return {
        "score": form.numbers(view.relevance[rows], 6),
        "gain": form.numbers(view.gain[rows], 3),
        "link": form.numbers(view.link[rows], 2),
        "duplicate": form.numbers(view.duplicate[rows], 2),
        "pinned": np.flatnonzero(view.pinned[rows]).tolist(),
        "filled": np.flatnonzero(view.filled[rows]).tolist(),
        "reason": form.texts([view.reasons.of(row) for row in rows.tolist()]),
        **score_columns(view, rows, form),
    }


def score_columns(view: PackView, rows: IntArray, form: Form) -> dict[str, Any]:
    """Columns over the shown `rows` of what the score is made of: parts, and the best match of the query's words."""
    return {
        "parts": [
            {
                "name": name,
                "label": PARTS.get(name, (name, ""))[0],
                "help": PARTS.get(name, ("", ""))[1],
                "values": form.numbers(values[rows], 3),
            }
            for name, values in view.parts.items()
        ],
        "words": [
            {"word": view.words[q][:60], "best": form.numbers(view.word_matches[q, rows], 2)}
            for q in _heaviest_words(view.words, view.word_weights)
        ],
    }


def passage_numbers(view: PackView) -> dict[str, Any]:
    """The numbers of the first MOST_PASSAGES segments, by document and place, that no budget changes: for a page that
    has kept and dropped segments with their reasons, and draws them with `numbers.js`."""
    field = view.field
    rows = np.arange(min(len(field.rows), MOST_PASSAGES))
    form = Lists()
    shown = columns(field, rows, form)
    names = ("basin", "attraction", "resonance", "density", "unique")
    return {
        "columns": {name: shown[name] for name in names if name in shown},
        **score_columns(view, rows, form),
        "names": [", ".join(words) for words in topics(field)],
        "measures": MEASURES,
    }


def _heaviest_words(words: Sequence[str], weight: FloatArray) -> list[int]:
    """Each word once, the heaviest few, as they stand in the query."""
    once = {word: q for q, word in reversed(list(enumerate(words)))}
    heaviest = sorted(once.values(), key=lambda q: -float(weight[q]))[:_MOST_WORDS]
    return sorted(heaviest)


def topics(field: FieldView, count: int = 4) -> list[list[str]]:
    """For each attractor the words that set its basin apart: count inside times log(share inside / share outside)."""
    words = field.words
    basin = field.attractors.basin[np.repeat(field.paragraph, words.lengths)]
    u = len(words.vocabulary)
    every = np.bincount(words.ids, minlength=u).astype(np.float64)
    idle = np.array([w in STOPWORDS or len(w) < 3 or w.isdigit() for w in words.vocabulary], bool)
    out = []
    for k in range(len(field.attractors)):
        inside = np.bincount(words.ids[basin == k], minlength=u).astype(np.float64)
        rest = every - inside
        apart = np.log((inside + 0.5) / (inside.sum() + 1)) - np.log((rest + 0.5) / (rest.sum() + 1))
        score = np.where(idle, 0.0, inside * apart)
        once: dict[int, str] = {}  # one word of each stem
        for i in np.argsort(-score, kind="stable")[: 4 * count].tolist():
            if score[i] > 0:
                once.setdefault(int(field.stems[i]), words.vocabulary[i][:40])
        out.append(list(once.values())[:count])
    return out


def kinds() -> list[str]:
    """Names of the numbers in the column "kind"."""
    return list(KINDS)
