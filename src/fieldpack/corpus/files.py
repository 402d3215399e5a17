"""A corpus as files, whose arrays are memory-mapped when it is loaded."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack import storage as store
from fieldpack.arrays import run_starts, unit
from fieldpack.corpus.corpus import SHORTLIST, Corpus, Level, Postings, Titles
from fieldpack.corpus.order import Order
from fieldpack.corpus.vocabulary import Frequencies, Vocabulary
from fieldpack.embed.static import StaticEmbedder
from fieldpack.types import Document, FloatArray, IntArray, Segments
from fieldpack.words import Words, sums

_DERIVED = ("direction", "weight", "stem", "sentences_vectors", "paragraphs_vectors")
"""Arrays that the static table and the words give again, bit for bit: 29 of 33 bytes of an index."""
_COLUMNS = ("doc", "start", "end", "tokens", "kind", "parent", "context", "heading", "row", "rows")


@dataclass(frozen=True)
class Head:
    """What KIND.json says besides the files. vectors: whether those of words and rows, which the static table and the
    words give again, are written too."""

    kind: str
    version: int
    facts: Mapping[str, Any]
    vectors: bool = False


def save_corpus(folder: str | Path, head: Head, corpus: Corpus) -> None:
    """Writes KIND.json with its facts, documents.jsonl, vocabulary.json and one .npy file for each array. Raises
    InputError when it cannot."""
    documents = [{"id": d.id, "text": d.text, "title": d.title, "metadata": dict(d.metadata)} for d in corpus.documents]
    files = {
        "documents.jsonl": store.lines(documents),
        "vocabulary.json": json.dumps(corpus.vocabulary.words, ensure_ascii=False).encode("utf-8"),
    }
    facts = {
        **head.facts,
        "corpus": {
            "unit": corpus.unit,
            "known_words": corpus.known_words,
            "paragraphs": len(corpus.paragraphs),
            "sentences": len(corpus.sentences),
        },
    }
    arrays = {k: v for k, v in _arrays(corpus).items() if head.vectors or k not in _DERIVED}
    store.save(folder, head.kind, head.version, facts=facts, files=files, arrays=arrays)


@dataclass(frozen=True, eq=False)
class _Vectors:
    """What is in _DERIVED."""

    vocabulary: Vocabulary
    sentences: FloatArray
    paragraphs: FloatArray


def load_corpus(folder: Path, head: Mapping[str, Any], static: StaticEmbedder) -> Corpus:
    """The corpus in a folder whose files were checked (`fieldpack.storage.load`). static: the table that it was read
    with. Raises KeyError, TypeError, ValueError or OSError for files that do not fit each other."""

    def get(name: str) -> npt.NDArray[Any]:
        return store.array(folder, name)

    facts = head["corpus"]
    words = json.loads((folder / "vocabulary.json").read_text("utf-8"))
    documents = tuple(
        Document(row["id"], row["text"], row["title"], MappingProxyType(row["metadata"]))
        for row in store.read_lines(folder / "documents.jsonl")
    )
    if "direction.npy" in head["files"]:
        vocabulary = Vocabulary.of(words, get("direction"), get("weight"), get("stem"))
        vectors = _Vectors(vocabulary, get("sentences_vectors"), get("paragraphs_vectors"))
    else:
        vectors = _derived(Words(words, get("words"), get("sentences_offsets")), get("sentences_parent"), static)
    corpus = Corpus(
        documents=documents,
        vocabulary=vectors.vocabulary,
        words=get("words"),
        sentences=_level(folder, "sentences", vectors.sentences),
        paragraphs=_level(folder, "paragraphs", vectors.paragraphs),
        titles=Titles(get("title_ids"), get("title_offsets")),
        frequencies=Frequencies(get("word_frequency"), get("stem_frequency"), int(facts["paragraphs"])),
        order=Order(get("order_source"), get("order_named"), get("order_position")),
        unit="sentence" if facts["unit"] == "sentence" else "paragraph",
        known_words=int(facts["known_words"]),
        postings=Postings(get("posting_ends"), get("postings")) if facts["paragraphs"] > SHORTLIST else None,
        dense=get("dense") if "dense.npy" in head["files"] else None,
    )
    _check(corpus, facts)
    return corpus


def _arrays(corpus: Corpus) -> dict[str, npt.NDArray[Any]]:
    out: dict[str, npt.NDArray[Any]] = {
        "words": corpus.words,
        "title_ids": corpus.titles.ids,
        "title_offsets": corpus.titles.offsets,
        "direction": corpus.vocabulary.direction,
        "weight": corpus.vocabulary.weight,
        "stem": corpus.vocabulary.stem,
        "word_frequency": corpus.frequencies.words,
        "stem_frequency": corpus.frequencies.stems,
        "order_source": corpus.order.source,
        "order_named": corpus.order.named,
        "order_position": corpus.order.position,
    }
    for name, level in (("sentences", corpus.sentences), ("paragraphs", corpus.paragraphs)):
        out |= {f"{name}_{column}": getattr(level.spans, column) for column in _COLUMNS}
        out |= {f"{name}_offsets": level.offsets, f"{name}_vectors": level.vectors}
    if corpus.postings is not None:
        out |= {"posting_ends": corpus.postings.ends, "postings": corpus.postings.paragraphs}
    if corpus.dense is not None:
        out["dense"] = corpus.dense
    return out


def _derived(words: Words, parent: IntArray, static: StaticEmbedder) -> _Vectors:
    """The vectors as the reader made them. parent (n,): the paragraph of each sentence."""
    if len(words.ids) and not 0 <= int(np.max(words.ids)) < len(words.vocabulary):
        raise ValueError("its words are not in its vocabulary")
    if len(words.offsets) != len(parent) + 1 or int(words.offsets[-1]) != len(words.ids):
        raise ValueError("its files do not fit each other")
    vectors = static.word_vectors(words.vocabulary)
    of_sentences = sums(vectors, words)
    starts = run_starts(parent)
    of_paragraphs = np.add.reduceat(of_sentences, starts) if len(starts) else of_sentences
    return _Vectors(Vocabulary.from_words(words.vocabulary, vectors), unit(of_sentences), unit(of_paragraphs))


def _level(folder: Path, name: str, vectors: FloatArray) -> Level:
    columns = {column: store.array(folder, f"{name}_{column}") for column in _COLUMNS}
    return Level(Segments(**columns), store.array(folder, f"{name}_offsets"), vectors)


def _check(corpus: Corpus, facts: Mapping[str, Any]) -> None:
    """Raises ValueError when the files do not fit each other."""
    words = len(corpus.vocabulary.words)
    sizes = [
        (len(corpus.sentences), facts["sentences"]),
        (len(corpus.paragraphs), facts["paragraphs"]),
        (len(corpus.frequencies.words), words),
        (len(corpus.vocabulary.direction), words),
        (len(corpus.frequencies.stems), len(corpus.vocabulary.stems)),
        (len(corpus.titles), len(corpus.documents)),
        (len(corpus.order.source), len(corpus.documents)),
        (int(corpus.sentences.offsets[-1]), len(corpus.words)),
        (int(corpus.paragraphs.offsets[-1]), len(corpus.words)),
    ]
    for level in (corpus.sentences, corpus.paragraphs):
        sizes += [(len(level.offsets), len(level) + 1), (len(level.vectors), len(level))]
    if corpus.dense is not None:
        sizes.append((len(corpus.dense), len(corpus.paragraphs)))
    if any(first != second for first, second in sizes):
        raise ValueError("its files do not fit each other")
    if len(corpus.words) and not 0 <= int(np.max(corpus.words)) < words:
        raise ValueError("its words are not in its vocabulary")


def to_bytes(corpus: Corpus) -> bytes:
    """A corpus without its documents as one .npz archive without pickles; words, which hold no line break, as UTF-8."""
    arrays = _arrays(corpus)
    arrays["vocabulary"] = np.frombuffer("\n".join(corpus.vocabulary.words).encode("utf-8"), np.uint8)
    arrays["facts"] = np.array([corpus.unit == "sentence", corpus.known_words, corpus.frequencies.paragraphs], np.int64)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def from_bytes(content: bytes, documents: tuple[Document, ...]) -> Corpus:
    """The corpus that `to_bytes` wrote, with its documents. Raises OSError, ValueError, KeyError, TypeError or
    BadZipFile for what it did not write."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    text = arrays["vocabulary"].tobytes().decode("utf-8")
    sentence, known_words, paragraphs = arrays["facts"].tolist()
    vocabulary = Vocabulary.of(text.split("\n") if text else [], arrays["direction"], arrays["weight"], arrays["stem"])

    def level(name: str) -> Level:
        spans = Segments(**{column: arrays[f"{name}_{column}"] for column in _COLUMNS})
        return Level(spans, arrays[f"{name}_offsets"], arrays[f"{name}_vectors"])

    return Corpus(
        documents=documents,
        vocabulary=vocabulary,
        words=arrays["words"],
        sentences=level("sentences"),
        paragraphs=level("paragraphs"),
        titles=Titles(arrays["title_ids"], arrays["title_offsets"]),
        frequencies=Frequencies(arrays["word_frequency"], arrays["stem_frequency"], paragraphs),
        order=Order(arrays["order_source"], arrays["order_named"], arrays["order_position"]),
        unit="sentence" if sentence else "paragraph",
        known_words=known_words,
        postings=Postings(arrays["posting_ends"], arrays["postings"]) if "postings" in arrays else None,
        dense=arrays.get("dense"),
    )
