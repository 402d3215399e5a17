"""Old turns as a field: each message is a document, read once when it is first needed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from fieldpack.corpus.corpus import Corpus
from fieldpack.field.couplings import TurnGains
from fieldpack.field.state import FieldState
from fieldpack.memory.messages import Message
from fieldpack.pipeline import ContextPacker
from fieldpack.request import Request
from fieldpack.result import Result
from fieldpack.scored import Extras
from fieldpack.types import Document, FloatArray

GAINS = TurnGains(reply=0.4, before=0.1)
"""What turns gain from those around them (benchmarks/results/memory.json has what else was tried)."""


class Turns:
    """The messages of a conversation made ready for queries; `read` costs only what is new."""

    def __init__(self, packer: ContextPacker) -> None:
        self.packer = packer
        self.clear()

    def clear(self) -> None:
        """Forgets what was read."""
        self._corpus: Corpus | None = None
        self._shown: Corpus | None = None

    def read(self, messages: Sequence[Message]) -> None:
        """Reads the messages that follow those read before."""
        new = [m for m in messages if m.text.strip()]
        if not new:
            return
        packer = self.packer
        first = len(self._corpus.documents) if self._corpus is not None else 0
        # The time is a word of the title for relevance ("in May"); what is shown has the speaker alone.
        titled = [_document(m, first + k, f"{m.name} {m.time}".strip()) for k, m in enumerate(new)]
        more = packer.embedded(packer.reader.read(titled))
        self._corpus = more if self._corpus is None else packer.reader.join(self._corpus, more)
        # A text that says itself who speaks needs no heading.
        shown = [replace(d, title="" if m.opening else m.name) for d, m in zip(titled, new, strict=True)]
        before = self._shown.documents if self._shown is not None else ()
        self._shown = replace(self._corpus, documents=(*before, *shown))

    def pack(self, request: Request, closed: Collection[str] = (), state: FieldState | None = None) -> Result:
        """The pack of all turns but the `closed` ids; an empty one when nothing was said."""
        shown = self.packer.read(()) if self._shown is None else self._shown
        settings = replace(self.packer.packing_for(shown, request.asks), reply=GAINS.reply, before=GAINS.before)
        packer = replace(self.packer, packing=settings)
        return packer.pack_corpus(request, shown, state, extras=Extras(bias=_closing(shown, closed)))


def _closing(corpus: Corpus, closed: Collection[str]) -> FloatArray:
    """(n,) log odds that keep the rows of the closed documents out."""
    bias = np.zeros(len(corpus.rows), np.float32)
    for name in closed:
        number = corpus.numbers.get(name)
        if number is not None:
            bias[slice(*np.searchsorted(corpus.rows.doc, [number, number + 1]))] = -np.inf
    return bias


def _document(message: Message, place: int, title: str) -> Document:
    source = message.session or "conversation"
    return Document(message.id, message.text, title, {"source": source, "pos": place})
