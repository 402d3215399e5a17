"""A conversation with a packer: turn after turn, state in, state out, and packs that keep their beginning.

Prompt caches of model providers reuse the longest unchanged prefix of a prompt. Two things keep it long: leaving what
the last prompt showed has a price (`switching`, in log odds, in proportion to what a cache would lose; beside it the
packer's `residue_weight` for the residue, which fades with its half-life), and `prompt` puts what was there before
first, unchanged, and what is new behind it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldpack import storage as store
from fieldpack.corpus.keys import key, values_of
from fieldpack.errors import FieldpackError, InputError, SettingsError
from fieldpack.field.state import FieldState
from fieldpack.memory import ContextMemoryManager
from fieldpack.packing.render import header, joined
from fieldpack.pipeline import ContextPacker, Index
from fieldpack.request import Pin, Request, checked_budget, checked_documents
from fieldpack.result import Extras, Result
from fieldpack.types import Document

if TYPE_CHECKING:
    from fieldpack.budget import TokenBudgetPlanner

KIND, VERSION = "session", 1
SWITCHING = 4.0
BETWEEN = "\n\n"


@dataclass(frozen=True)
class Piece:
    """Verbatim text of a pack as it was shown: the rows (keys) it is made of, its document's id and title."""

    doc_id: str
    title: str
    keys: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Prompt:
    """A pack ordered for a prompt cache. text: what was shown before first, unchanged, then what is new; tokens <=
    budget, counted on it. prefix: characters that are the beginning of the prompt before, prefix_tokens: their count.
    pieces: what it is made of."""

    text: str
    tokens: int
    prefix: int
    prefix_tokens: int
    pieces: tuple[Piece, ...] = ()


@dataclass(eq=False)
class Session:
    """packer + memory + field state + plan. Changes with every turn; not safe to share by threads.

    packer: default ContextPacker(). planner: where `turn` finds its budget (its section `section`). memory: for
    `remember` and `recall`; by default with the packer's models. state: of a turn before. switching: log odds >= 0 that
    the first segment of the last prompt has over one that is new, later ones less, as less of a cached prefix hangs on
    them (benchmarks/results/memory.json shows what it buys and costs).
    """

    packer: ContextPacker = field(default_factory=ContextPacker)
    planner: TokenBudgetPlanner | None = None
    memory: ContextMemoryManager = None  # type: ignore[assignment]
    state: FieldState | None = None
    switching: float = SWITCHING
    section: str = "input"
    prompt: Prompt = Prompt("", 0, 0, 0)
    turns: int = 0

    def __post_init__(self) -> None:
        value = self.switching
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 50:
            raise SettingsError(f"switching is {value!r}; allowed: log odds from 0 to 50")
        if self.memory is None:
            recalls = replace(self.packer, unit="paragraph", titles=True, cite=False)
            self.memory = ContextMemoryManager(packer=recalls)

    def turn(
        self,
        query: str | Sequence[str | tuple[str, float]],
        documents: str | Document | Iterable[str | Document] | Index,
        budget: int | None = None,
        *,
        pins: Sequence[Pin] = (),
    ) -> Result:
        """The pack of this turn; `state` is then that after it, and `prompt` its text ordered for a prompt cache.

        documents: as for ContextPacker.pack, or an Index of them (read once for all turns). budget: default the
        planner's. Raises InputError without either, and what `pack` raises.
        """
        request = Request.checked(query, self._budget(budget), pins)
        if isinstance(documents, Index):
            documents.check(self.packer)
            corpus, overview = documents.corpus, documents.overview
        else:
            corpus, overview = self.packer.read(checked_documents(documents), request), None
        # The scores stay what they are; only the choice sees what leaving a shown segment costs. Rows are named after
        # the pins have cut them.
        corpus = self.packer.reader.cut(corpus, request.ranges(corpus.documents))
        price = prices(self.prompt)
        bias = self.switching * values_of(corpus, price) if price else None
        result = self.packer.pack_corpus(request, corpus, self.state, extras=Extras(bias, overview=overview))
        self.state = result.state
        self.prompt = self._stable(result)
        self.turns += 1
        if self.planner is not None and budget is None:
            self.planner.track_usage(self.section, result.tokens)
        return result

    def remember(self, role: str, content: Any = None, id: str | None = None, **fields: Any) -> str:
        """Adds a message to the memory: see ContextMemoryManager.add_message."""
        return self.memory.add_message(role, content, id, **fields)

    def recall(self, query: str, budget: int = 1000) -> Result:
        """Old turns of the conversation that matter for `query`."""
        return self.memory.recall(query, budget)

    def get_context(self, query: str | None = None) -> list[dict[str, Any]]:
        """The messages for the next call inside the memory's history budget."""
        return self.memory.get_context(query)

    def save(self, folder: str | Path) -> None:
        """Writes session.json beside the folders `memory` and, after the first turn, `field`."""
        place = Path(folder)
        self.memory.save(place / "memory")
        if self.state is not None:
            self.state.save(place / "field")
        facts = {
            "turns": self.turns,
            "section": self.section,
            "state": self.state is not None,
            "embedder": self.packer.embedder.embedder.fingerprint,
            "tokenizer": self.packer.tokenizer.name,
            "switching": self.switching,
            "prompt": {
                "text": self.prompt.text,
                "tokens": self.prompt.tokens,
                "prefix": self.prompt.prefix,
                "prefix_tokens": self.prompt.prefix_tokens,
                "pieces": [[p.doc_id, p.title, list(p.keys), p.text] for p in self.prompt.pieces],
            },
        }
        store.save(place, KIND, VERSION, facts, {}, {})

    @staticmethod
    def load(
        folder: str | Path,
        packer: ContextPacker | None = None,
        planner: TokenBudgetPlanner | None = None,
        summarizer: Any = None,
    ) -> Session:
        """The session saved in the folder, to go on where it was. packer: default ContextPacker(). Raises InputError
        when files are missing, cut short, changed or of another version, or the packer has another model or tokenizer.
        """
        place = Path(folder)
        head = store.load(place, KIND, VERSION)
        packer = packer or ContextPacker()
        try:
            _same(head, packer)
            recalls = replace(packer, unit="paragraph", titles=True, cite=False)
            memory = ContextMemoryManager.load(place / "memory", recalls, summarizer)
            state = FieldState.load(place / "field") if head["state"] else None
            prompt = _prompt(head["prompt"])
            return Session(
                packer,
                planner,
                memory,
                state,
                float(head["switching"]),
                str(head["section"]),
                prompt,
                int(head["turns"]),
            )
        except FieldpackError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as e:
            raise store.damaged(place, KIND, str(e)) from e

    def _budget(self, budget: int | None) -> int:
        if budget is not None:
            return checked_budget(budget)
        if self.planner is None:
            raise InputError("no budget was given and the session has no planner; give budget=, or a planner")
        return checked_budget(self.planner.get_budget(self.section))

    def _stable(self, result: Result) -> Prompt:
        """The pieces that were shown before and are wholly packed again, in their old order, then the new ones."""
        rows = {name for piece in pieces(result) for name in piece.keys}
        old: list[Piece] = []
        for piece in self.prompt.pieces:
            if not (set(piece.keys) <= rows and _unchanged(piece, result)):
                break  # a cache ends at the first change
            old.append(piece)
        late = pieces(result, {name for piece in old for name in piece.keys})
        return _fitted(old, late, self.prompt.text, result, self.packer)


def prices(prompt: Prompt) -> dict[str, float]:
    """{row: share in (0, 1] of the prompt that a cache would lose with it}: the row itself and all that follows."""
    sizes = np.array([len(piece.text) for piece in prompt.pieces], np.float64)
    lost = sizes[::-1].cumsum()[::-1] / max(float(sizes.sum()), 1.0)
    return {name: float(p) for piece, p in zip(prompt.pieces, lost, strict=True) for name in piece.keys}


def pieces(result: Result, shown: Collection[str] = ()) -> list[Piece]:
    """The runs of neighbouring packed rows, in the order of the text, without the rows `shown`."""
    corpus, rows = result.corpus, result.segments
    out: list[Piece] = []
    for span in result.spans:
        fresh = [i for i in range(span.first, span.last + 1) if key(corpus, i) not in shown]
        for group in _consecutive(fresh):
            document = corpus.documents[int(rows.doc[group[0]])]
            text = joined(document.text, rows, group[0], group[-1])
            if result.cut is not None and result.cut[0] == group[-1]:
                text = text[: result.cut[1] - int(rows.end[group[-1]]) or None]
            out.append(Piece(document.id, document.title, tuple(key(corpus, i) for i in group), text))
    return out


def _unchanged(piece: Piece, result: Result) -> bool:
    """Whether the document still says there what was shown."""
    number = result.corpus.numbers.get(piece.doc_id)
    if number is None:
        return False
    document, rows = result.corpus.documents[number], result.segments
    start = int(piece.keys[0].rpartition(":")[2].partition("-")[0])
    first = int(np.searchsorted(rows.doc, number))
    first += int(np.searchsorted(rows.start[first : int(np.searchsorted(rows.doc, number + 1))], start))
    return document.title == piece.title and piece.text == joined(
        document.text, rows, first, first + len(piece.keys) - 1
    )


def _consecutive(rows: list[int]) -> list[list[int]]:
    groups: list[list[int]] = []
    for row in rows:
        if groups and row == groups[-1][-1] + 1:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _fitted(old: list[Piece], new: list[Piece], before: str, result: Result, packer: ContextPacker) -> Prompt:
    """The least relevant of the new pieces go while it is over the budget."""
    score = {key(result.corpus, int(i)): float(result.relevance.total[i]) for i in np.flatnonzero(result.inside)}
    while True:
        every = [*old, *new]
        text = _text(every, packer.cite, packer.titles)
        tokens = packer.tokenizer.count(text)
        if tokens <= result.budget or not every:
            break
        if new:
            new.remove(min(new, key=lambda p: max(score[k] for k in p.keys)))
        else:
            old.pop()
    same = common_prefix(before, text)
    return Prompt(text, tokens, same, packer.tokenizer.count(text[:same]), tuple(every))


def _text(shown: Sequence[Piece], cite: bool, titles: bool) -> str:
    """Blank lines between; a document is headed where its pieces begin, numbered in order of first sight."""
    numbers = {name: k for k, name in enumerate(dict.fromkeys(p.doc_id for p in shown), 1)}
    out, last = [], ""
    for piece in shown:
        document = Document(piece.doc_id, piece.text, piece.title)
        head = header(document, numbers[piece.doc_id], cite, titles) if piece.doc_id != last else ""
        out.append(head + piece.text)
        last = piece.doc_id
    return BETWEEN.join(out)


def common_prefix(a: str, b: str) -> int:
    """Characters that both begin with."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[:middle] == b[:middle] else (low, middle - 1)
    return low


def _same(head: Mapping[str, Any], packer: ContextPacker) -> None:
    here = {"embedder": packer.embedder.embedder.fingerprint, "tokenizer": packer.tokenizer.name}
    for name, value in here.items():
        if head[name] != value:
            raise InputError(
                f"the session was kept with {name} {head[name]!r} and the packer has {value!r}; "
                "load it with a packer of the same kind"
            )


def _prompt(parsed: Mapping[str, Any]) -> Prompt:
    shown = tuple(
        Piece(str(doc), str(title), tuple(map(str, keys)), str(text)) for doc, title, keys, text in parsed["pieces"]
    )
    return Prompt(
        str(parsed["text"]), int(parsed["tokens"]), int(parsed["prefix"]), int(parsed["prefix_tokens"]), shown
    )
