"""Documents kept ready for many queries, in memory or in a folder whose arrays are memory-mapped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldpack import storage as store
from fieldpack.errors import InputError
from fieldpack.field.state import FieldState, Reading, carry, read
from fieldpack.growth import extended
from fieldpack.prepared import Prepared
from fieldpack.relevance.corpus import Corpus, stem_of
from fieldpack.types import Document, FloatArray, Segments
from fieldpack.words import Words

if TYPE_CHECKING:
    from fieldpack.inputs import Pin
    from fieldpack.look import Reader
    from fieldpack.pipeline import ContextPacker
    from fieldpack.result import Result

KIND, VERSION = "index", 1
LARGE = 2048
"""Paragraphs from which the field is read once for all queries."""
_ROWS = ("doc", "start", "end", "tokens", "kind", "parent")
_CORPUS = ("starts", "group", "document", "sequence", "direction", "weight", "stem", "idf", "stem_idf", "raw")
_SETTINGS = ("unit", "order", "cite", "min_relevance", "titles", "allow_cut", "fill", "persist")


@dataclass(frozen=True, eq=False)
class Index:
    """Documents segmented, counted and embedded once. Frozen: `add` gives another index.

    Memory: about 1 KB a sentence for the vectors (256 dims float32) and as much again a paragraph; a loaded index maps
    its arrays from the folder instead.
    """

    packer: ContextPacker
    prepared: Prepared

    def __len__(self) -> int:
        """Segments."""
        return len(self.prepared.rows)

    @property
    def documents(self) -> tuple[Document, ...]:
        return self.prepared.documents

    def pack(
        self,
        query: str | Sequence[str | tuple[str, float]],
        budget: int,
        *,
        pins: Sequence[Pin] = (),
        state: FieldState | None = None,
    ) -> Result:
        """As `ContextPacker.pack` over all documents of the index; a pinned range pins the segments that it touches."""
        from fieldpack.inputs import checked_budget, checked_queries, pin_ranges

        queries, weights = checked_queries(query)
        ranges = pin_ranges(pins, self.documents) if pins else []
        return self.packer.pack_prepared(
            queries, self.prepared, checked_budget(budget), ranges, state, weights=weights, field=self.reader
        )

    @property
    def reader(self) -> Reader | None:
        """Of an index of more than LARGE paragraphs the field is read once, without a query, and each query and state
        laid over it; of a smaller one it is read for each query (None)."""
        return self._overlaid if len(self.prepared.corpus.starts) > LARGE else None

    @cached_property
    def _field(self) -> Reading:
        """The field of all paragraphs without a query, their statistics in its state."""
        x, settings = self.prepared.vectors, self.packer.field
        mass = np.maximum(self.prepared.paragraph_tokens, 1).astype(np.float32)
        reading = read(x, None, None, mass=mass, settings=settings)
        return replace(reading, state=FieldState.start(settings).absorb(x))

    def _overlaid(self, asked: FloatArray, state: FieldState | None) -> Reading:
        base, x = self._field, self.prepared.vectors
        state = state or base.state
        state.fits(x.shape[1])
        found = base.attractors
        near = np.maximum(found.affinity(asked), 0).mean(0) if len(found) else np.zeros(0, np.float32)
        wanted = found.strength * near
        centers, strength = carry(state, found, self.packer.field)
        boundary = state.boundary.step(min(1.0, max(-1.0, base.resonance)))
        return replace(
            base,
            demand=np.asarray(wanted / wanted.sum() if wanted.sum() > 0 else base.demand, np.float32),
            residue=state.residue.echo(x),
            permeability=boundary.permeability,
            state=replace(state, turn=state.turn + 1, centers=centers, strength=strength, boundary=boundary),
        )

    def add(self, documents: str | Document | Iterable[str | Document]) -> Index:
        """An index with further documents behind these; this one stays as it is.

        Only the new texts are read and embedded, and their rows put behind the old ones: the first `add` copies the
        arrays and leaves room behind them, later ones do not. The inverse document frequencies are recomputed from the
        counts at hand. Strings are named doc-N, N counting on. Raises InputError for an id that is
        there already.
        """
        from fieldpack.inputs import checked_documents

        given = [documents] if isinstance(documents, str | Document) else list(documents)
        count = len(self.documents)
        named = [Document(f"doc-{count + i}", d) if isinstance(d, str) else d for i, d in enumerate(given)]
        new = checked_documents(named, blank=True)
        if again := [d.id for d in new if d.id in self.prepared.numbers]:
            raise InputError(f"{again[0]!r} is the id of a document in the index; ids must be unique")
        packer = self.packer
        embed = packer.embedder.embed if self.prepared.dense is not None else None
        return Index(packer, extended(self.prepared, new, tokenizer=packer.tokenizer, embed=embed))

    def check(self, packer: ContextPacker) -> None:
        """Raises InputError when `packer` has another embedder, tokenizer or unit than the index was made with."""
        if packer is not self.packer:
            _fits(_made_with(self.packer, self.prepared.sentences), packer)

    def save(self, folder: str | Path) -> None:
        """Writes the index: index.json, documents.jsonl, vocabulary.json and one .npy file for each array."""
        p, c = self.prepared, self.prepared.corpus
        arrays = {f"rows_{name}": getattr(p.rows, name) for name in _ROWS}
        arrays |= {name: getattr(c, name) for name in _CORPUS}
        arrays |= {"groups": c.groups, "word_ids": c.words.ids, "word_offsets": c.words.offsets}
        arrays |= {"title_ids": c.titles.ids, "title_offsets": c.titles.offsets}
        arrays["posting_ends"], arrays["postings"] = c.postings
        if p.dense is not None:
            arrays["dense"] = p.dense
        # Sentences are cut from the documents again; paragraphs do not say where theirs begin.
        texts = b"[]" if p.sentences else json.dumps(list(p.texts), ensure_ascii=False).encode("utf-8")
        rows = [{"id": d.id, "text": d.text, "title": d.title, "metadata": dict(d.metadata)} for d in p.documents]
        files = {
            "documents.jsonl": store.lines(rows),
            "vocabulary.json": json.dumps(c.words.vocabulary, ensure_ascii=False).encode("utf-8"),
            "texts.json": texts,
        }
        store.save(folder, KIND, VERSION, self._facts(), files, arrays)

    @staticmethod
    def load(folder: str | Path, packer: ContextPacker | None = None, verify: bool = True) -> Index:
        """The index saved in the folder, its arrays memory-mapped.

        packer: to pack with; by default one with the settings that were saved. verify: compare checksums, which reads
        every file once (sizes are always compared). Raises InputError when files are missing, cut short or changed, and
        when the packer's embedder, tokenizer or unit is not the one that the index was made with.
        """
        place = Path(folder)
        head = store.load(place, KIND, VERSION, verify)
        packer = packer or _packer(head)
        _fits(head, packer)
        try:
            prepared = _read(place, head, packer)
        except (KeyError, TypeError, ValueError, OSError) as e:
            raise store.damaged(place, KIND, str(e)) from e
        return Index(packer, prepared)

    def _facts(self) -> dict[str, Any]:
        packer = self.packer
        return {
            **_made_with(packer, self.prepared.sentences),
            "embedder_name": packer.embedder.name,
            "settings": {name: getattr(packer, name) for name in _SETTINGS},
            "unseen_idf": self.prepared.corpus.unseen_idf,
            "segments": len(self),
        }


def index(packer: ContextPacker, documents: str | Document | Iterable[str | Document]) -> Index:
    """What `packer.index(documents)` gives: the documents read once, for any number of queries."""
    from fieldpack.inputs import checked_documents

    return Index(packer, packer.prepare(checked_documents(documents)))


def _made_with(packer: ContextPacker, sentences: Any) -> dict[str, Any]:
    dense = packer.embedder.kind not in ("static", "cascade")
    return {
        "embedder": packer.embedder.embedder.fingerprint if dense else "",
        "static": packer.static.fingerprint,
        "tokenizer": packer.tokenizer.name,
        "sentences": sentences,
    }


def _packer(head: dict[str, Any]) -> ContextPacker:
    """A packer with the saved settings."""
    from fieldpack.errors import FieldpackError
    from fieldpack.pipeline import ContextPacker

    try:
        return ContextPacker(head["embedder_name"], head["tokenizer"], **head["settings"])
    except (FieldpackError, TypeError, KeyError) as e:
        raise InputError(
            f"the index was made with embedder {head.get('embedder_name')!r} and tokenizer {head.get('tokenizer')!r}, "
            f"which cannot be opened by name ({e}); pass packer=ContextPacker(...)"
        ) from e


def _fits(head: dict[str, Any], packer: ContextPacker) -> None:
    # A packer of unit "auto" takes what the documents called for when they were indexed.
    wanted = _made_with(packer, head.get("sentences") if packer.unit == "auto" else packer.unit == "sentence")
    for name, here in wanted.items():
        there = head.get(name)
        if there != here:
            raise InputError(
                f"the index was made with {name} {there!r} and the packer has {here!r}; "
                "load it with a packer of the same kind, or index the documents anew"
            )


def _read(place: Path, head: dict[str, Any], packer: ContextPacker) -> Prepared:
    def get(name: str) -> Any:
        return store.array(place, name)

    documents = tuple(
        Document(row["id"], row["text"], row["title"], MappingProxyType(row["metadata"]))
        for row in store.read_lines(place / "documents.jsonl")
    )
    vocabulary = json.loads((place / "vocabulary.json").read_text("utf-8"))
    stems: dict[str, int] = {}
    for word in vocabulary:
        stems.setdefault(stem_of(word), len(stems))
    rows = Segments(**{name: get(f"rows_{name}") for name in _ROWS})
    columns = {name: get(name) for name in _CORPUS}
    corpus = Corpus(
        words=Words(vocabulary, get("word_ids"), get("word_offsets")),
        titles=Words(vocabulary, get("title_ids"), get("title_offsets")),
        stems=stems,
        index={w: i for i, w in enumerate(vocabulary)},
        unseen_idf=float(head["unseen_idf"]),
        taken=np.arange(len(columns["group"])),
        **columns,
    )
    vars(corpus).update(groups=get("groups"), postings=(get("posting_ends"), get("postings")))
    sentences = bool(head["sentences"])
    texts = rows.texts(documents) if sentences else json.loads((place / "texts.json").read_text("utf-8"))
    if len(rows) != head["segments"] or len(texts) != len(corpus) or len(stems) != len(corpus.stem_idf):
        raise ValueError("its files do not fit each other")
    groups = len(corpus.starts)
    if not np.isclose(corpus.unseen_idf, np.log1p((groups + 0.5) / 0.5)):
        raise ValueError("its head does not fit its files")
    dense = get("dense") if "dense.npy" in head["files"] else None
    return Prepared(documents, rows, texts, corpus, dense, packer.static, sentences)
