"""Old turns as a field: each message is a document, read once when it is first needed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from fieldpack.field.state import FieldState
from fieldpack.growth import extended
from fieldpack.memory.messages import Message
from fieldpack.pipeline import ContextPacker
from fieldpack.prepared import Prepared
from fieldpack.relevance.read import Relevance
from fieldpack.result import Result
from fieldpack.types import Document, FloatArray

REPLY, BEFORE = 0.4, 0.1
"""Share of a turn's log odds above the mean that the turn after it, before it, gains: an answer seldom repeats the
words of its question (benchmarks/results/memory.json has what else was tried)."""


class Turns:
    """The messages of a conversation made ready for queries; `read` costs only what is new."""

    def __init__(self, packer: ContextPacker) -> None:
        self.packer = packer
        self.clear()

    def clear(self) -> None:
        """Forgets what was read."""
        self._prepared: Prepared | None = None
        self._shown: list[Document] = []

    def read(self, messages: Sequence[Message]) -> None:
        """Reads the messages that follow those read before."""
        new = [m for m in messages if m.text.strip()]
        if not new:
            return
        first = len(self._shown)
        # The time is a word of the title for relevance ("in May"); what is shown has the speaker alone.
        titled = tuple(_document(m, first + k, f"{m.name} {m.time}".strip()) for k, m in enumerate(new))
        if self._prepared is None:
            self._prepared = self.packer.prepare(titled)
        else:
            embed = self.packer.embedder.embed if self._prepared.dense is not None else None
            self._prepared = extended(self._prepared, titled, tokenizer=self.packer.tokenizer, embed=embed)
        # A text that says itself who speaks needs no heading.
        self._shown += [replace(d, title="" if m.opening else m.name) for d, m in zip(titled, new, strict=True)]

    def pack(
        self,
        queries: tuple[str, ...],
        budget: int,
        closed: Collection[str] = (),
        state: FieldState | None = None,
        weights: Sequence[float] = (),
    ) -> Result | None:
        """The pack of all turns but the `closed` ids; None when nothing was said."""
        if self._prepared is None:
            return None
        prepared = replace(self._prepared, documents=tuple(self._shown))

        def adjust(relevance: Relevance) -> Relevance:
            logit = relevance.logit + lift(relevance.logit, prepared)
            for name in closed:
                at = prepared.numbers.get(name)
                if at is not None:
                    logit[slice(*np.searchsorted(prepared.rows.doc, [at, at + 1]))] = -np.inf
            return replace(relevance, logit=logit)

        return self.packer.pack_prepared(queries, prepared, budget, (), state, weights=weights, adjust=adjust)


def lift(logit: FloatArray, prepared: Prepared) -> FloatArray:
    """(n,) log odds that a row gains from the turns around it: REPLY of what the turn before has above the mean, BEFORE
    of what the turn after has, within one session."""
    doc, corpus = prepared.rows.doc, prepared.corpus
    starts = np.flatnonzero(np.diff(doc, prepend=-1))
    if len(starts) < 2:
        return np.zeros(len(logit), np.float32)
    # Rows that were ranked out all stand at the floor and say nothing of the mean.
    read = logit[logit > logit.min()]
    above = np.maximum(np.maximum.reduceat(logit, starts) - (read.mean() if len(read) else logit.mean()), 0)
    owner = np.minimum(np.searchsorted(corpus.document, doc[starts]), len(corpus.document) - 1)
    same = np.diff(corpus.sequence[owner]) == 0
    gain = np.zeros(len(starts), np.float32)
    gain[1:] += REPLY * same * above[:-1]
    gain[:-1] += BEFORE * same * above[1:]
    return np.repeat(gain, np.diff(np.append(starts, len(doc))))


def _document(message: Message, place: int, title: str) -> Document:
    source = message.session or "conversation"
    return Document(message.id, message.text, title, {"source": source, "pos": place})
