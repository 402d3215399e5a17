"""What the page knows of each segment: columns of plain numbers, ready for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fieldpack.analysis.token_value import surprisal, uniqueness
from fieldpack.field.attractors import Attractors
from fieldpack.field.state import Reading
from fieldpack.prepared import Prepared
from fieldpack.relevance.stopwords import STOPWORDS
from fieldpack.types import KINDS, FloatArray, IntArray
from fieldpack.words import Words

if TYPE_CHECKING:
    from fieldpack.result import Result

_MOST_PAIRS = 4096
"""Rows up to which uniqueness, which compares all pairs, is computed."""
_MOST_WORDS = 12

PARTS = {
    "late": ("token resonance", "mean best match of the query's words in the text"),
    "bm25": ("exact words", "exact words of the query (stems), weighed by rarity"),
    "cosine": ("vectors", "similarity of the vectors of query and paragraph"),
    "late_titled": ("resonance with title", "token resonance over title and text"),
    "title": ("title named", "share of the title that the query names"),
    "pairs": ("word pairs", "neighbouring words of the query side by side"),
    "neighbours": ("neighbours", "how well the text before and after fits"),
    "best_sentence": ("best sentence", "token resonance of the paragraph's best sentence"),
    "attraction": ("query's attractor", "similarity to the query's attractor: one step of the field from the query"),
    "length": ("length", "log of the number of words"),
    "dense": ("sentence embedder", "similarity of the sentence embedder's vectors"),
    "answer_kind": ("kind of answer", "holds a number, a date or a name where the question asks for one"),
    "paragraph": ("paragraph score", "score of the whole paragraph"),
    "first": ("opens paragraph", "opens its paragraph"),
    "below_best": ("below best", "distance to the best sentence of its paragraph"),
    "near": ("sentences beside", "how well the sentences before and after fit"),
    "sentences": ("sentences", "log of the sentences in its paragraph"),
}
"""For each feature of relevance.parts a short name, and what it means."""

Numbers = npt.NDArray[Any]


def field_rows(prepared: Prepared) -> FloatArray:
    """(g, d) the rows that the field of these documents is read from: one for each paragraph."""
    return prepared.corpus.groups if prepared.dense is None else prepared.dense


def group_of(prepared: Prepared) -> IntArray:
    """(n,) the paragraph, which is the row of the field, that each segment belongs to."""
    return np.asarray(prepared.corpus.group if prepared.sentences else np.arange(len(prepared.rows)), np.int64)


def by_group(prepared: Prepared, found: Attractors) -> Attractors:
    """Attractors whose basins number the rows of the field, whatever unit the reading was spread to."""
    from dataclasses import replace

    groups = len(prepared.corpus.starts)
    if len(found.basin) == groups:
        return found
    return replace(found, basin=found.basin[prepared.corpus.starts])


def plain(values: Numbers, digits: int = 4) -> list[Any]:
    """A list of finite numbers; whole floats lose their point."""
    array = np.asarray(values)
    if array.dtype.kind in "iub":
        return list(array.astype(int).tolist())
    finite = np.nan_to_num(array.astype(np.float64), nan=0.0, posinf=99.0, neginf=-99.0)
    return [int(v) if v == int(v) else v for v in np.round(finite, digits).tolist()]


def columns(prepared: Prepared, reading: Reading, rows: IntArray) -> dict[str, list[Any]]:
    """Columns over the shown `rows` that need no query."""
    s, group = prepared.rows, group_of(prepared)

    def per_row(values: Numbers) -> Numbers:
        return values[rows] if len(values) == len(s) else values[group[rows]]

    out: dict[str, Numbers] = {
        "doc": s.doc[rows],
        "start": s.start[rows],
        "end": s.end[rows],
        "tokens": s.tokens[rows],
        "kind": s.kind[rows],
        "group": group[rows],
        "basin": per_row(reading.attractors.basin),
        "attraction": per_row(reading.attraction),
        "resonance": per_row(reading.row_resonance),
        "unexplained": per_row(reading.unexplained),
        "residue": per_row(reading.residue),
        "density": density(prepared)[rows],
    }
    if len(s) <= _MOST_PAIRS:
        out["unique"] = uniqueness(prepared.corpus.atoms if prepared.sentences else prepared.corpus.groups)[rows]
    return {name: plain(values, 3) for name, values in out.items()}


def density(prepared: Prepared) -> FloatArray:
    """(n,) information density of every segment in bits per token, see fieldpack.analysis.token_value.surprisal."""
    words, starts = prepared.corpus.words, prepared.corpus.starts
    offsets = words.offsets if prepared.sentences else np.append(words.offsets[starts], words.offsets[-1])
    bits = surprisal(Words(words.vocabulary, words.ids, offsets))
    return np.asarray(bits / np.maximum(prepared.rows.tokens, 1), np.float32)


def query_columns(result: Result, rows: IntArray) -> dict[str, Any]:
    """What the query says of the shown `rows`: score, parts, best match of its words, gain, reason."""
    relevance, packing = result.relevance, result.packing
    words = _words(relevance.words, relevance.word_weight)
    return {
        "score": plain(relevance.total[rows]),
        "gain": plain(packing.gain[rows], 3),
        "link": plain(packing.link[rows], 2),
        "duplicate": plain(packing.duplicate[rows], 2),
        "pinned": np.flatnonzero(result.reasons.problem.pinned[rows]).tolist(),
        "filled": np.flatnonzero(result.reasons.filled[rows]).tolist(),
        "reason": [result.reasons.of(row) for row in rows.tolist()],
        "parts": [
            {
                "name": name,
                "label": PARTS.get(name, (name, ""))[0],
                "help": PARTS.get(name, ("", ""))[1],
                "values": plain(values[rows], 3),
            }
            for name, values in relevance.parts.items()
        ],
        "words": [{"word": relevance.words[q][:60], "best": plain(relevance.best[q, rows], 2)} for q in words],
    }


def _words(words: Sequence[str], weight: FloatArray) -> list[int]:
    """Each word once, the heaviest few, as they stand in the query."""
    once = {word: q for q, word in reversed(list(enumerate(words)))}
    heavy = sorted(once.values(), key=lambda q: -float(weight[q]))[:_MOST_WORDS]
    return sorted(heavy)


def topics(prepared: Prepared, found: Attractors, count: int = 4) -> list[list[str]]:
    """For each attractor the words that set its basin apart: count inside times log(share inside / share outside)."""
    corpus = prepared.corpus
    words = corpus.words
    groups = np.repeat(corpus.group, words.lengths)
    basin = found.basin[groups]
    u = len(words.vocabulary)
    every = np.bincount(words.ids, minlength=u).astype(np.float64)
    idle = np.array([w in STOPWORDS or len(w) < 3 or w.isdigit() for w in words.vocabulary], bool)
    out = []
    for k in range(len(found)):
        inside = np.bincount(words.ids[basin == k], minlength=u).astype(np.float64)
        rest = every - inside
        apart = np.log((inside + 0.5) / (inside.sum() + 1)) - np.log((rest + 0.5) / (rest.sum() + 1))
        score = np.where(idle, 0.0, inside * apart)
        once: dict[int, str] = {}  # one word of each stem
        for i in np.argsort(-score, kind="stable")[: 4 * count].tolist():
            if score[i] > 0:
                once.setdefault(int(corpus.stem[i]), words.vocabulary[i][:40])
        out.append(list(once.values())[:count])
    return out


def kinds() -> list[str]:
    """Names of the numbers in the column "kind"."""
    return list(KINDS)
