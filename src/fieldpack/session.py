"""A conversation with a packer: turn after turn, state in, state out, and packs that keep their beginning.

Prompt caches of model providers reuse the longest unchanged prefix of a prompt. Two things keep it long: leaving what
the last prompt showed has a price (`switching`, in log odds, in proportion to what a cache would lose; beside it the
packer's `residue_weight` for the residue, which fades with its half-life), and `prompt` puts what was there before
first, unchanged, and what is new behind it.

With `FieldSettings(adaptive=True)` the packs open and close over turns: `boundary` starts at the packer's `enough`, or
at that of the last turn that said one, and follows the resonance of what was packed (design text, 8.4). Off by default:
a fixed boundary keeps more evidence for as many tokens (benchmarks/boundary_turns.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from fieldpack import storage as store
from fieldpack.checks import number
from fieldpack.corpus.keys import values_of
from fieldpack.errors import FieldpackError, InputError
from fieldpack.field.boundary import LOWEST, Boundary
from fieldpack.field.resonance import overall
from fieldpack.field.state import FieldState
from fieldpack.memory import ContextMemoryManager
from fieldpack.pipeline import ContextPacker, Index
from fieldpack.prompt import Prompt
from fieldpack.relevance.follow_up import read_after, share_of_switching, weight_of_previous
from fieldpack.request import Documents, Queries, Request, RequestOptions, checked_budget, checked_documents
from fieldpack.result import Result
from fieldpack.scored import Extras

if TYPE_CHECKING:
    from fieldpack.budget import TokenBudgetPlanner

KIND, VERSION = "session", 1
SWITCHING = 4.0


@dataclass(eq=False)
class Session:
    """packer + memory + field state + plan. Changes with every turn; not safe to share by threads.

    packer: default ContextPacker(). planner: where `turn` finds its budget (its section `section`). memory: for
    `remember` and `recall`; by default with the packer's models. state: of a turn before. switching: log odds >= 0 that
    the first segment of the last prompt has over one that is new, later ones less, as less of a cached prefix hangs on
    them (benchmarks/results/memory.json shows what it buys and costs), and all less where a follow-up asks. asked: the
    last question that said enough, with which a follow-up ("and for damaged goods?") is read. boundary: of the next
    pack, None where it does not move.
    """

    packer: ContextPacker = field(default_factory=ContextPacker)
    planner: TokenBudgetPlanner | None = None
    memory: ContextMemoryManager = None  # type: ignore[assignment]
    state: FieldState | None = None
    switching: float = SWITCHING
    section: str = "input"
    prompt: Prompt = field(default_factory=Prompt)
    turns: int = 0
    asked: str = ""
    boundary: Boundary | None = None

    def __post_init__(self) -> None:
        number("switching", self.switching, 0, 50)
        if self.memory is None:
            recalls = replace(self.packer, unit="paragraph", titles=True, cite=False)
            self.memory = ContextMemoryManager(packer=recalls)
        if self.boundary is None and self.packer.field.adaptive:
            settings = self.packer.field
            self.boundary = Boundary(
                permeability=max(self.packer.enough, LOWEST),
                gradient=settings.gradient,
                scale=settings.resonance_scale,
                highest=1.0,
            )

    def turn(
        self,
        query: Queries | None,
        documents: Documents | Index,
        budget: int | None = None,
        **options: Unpack[RequestOptions],
    ) -> Result:
        """The pack of this turn; `state` is then that after it, and `prompt` its text ordered for a prompt cache.
        Without a query (None) the attractors of the turns before ask.

        documents: as for ContextPacker.pack, or an Index of them (read once for all turns). budget: default the
        planner's. options: pins, scores, enough, as for ContextPacker.pack. Raises InputError without either, and what
        `pack` raises.
        """
        request = self._bounded(Request.checked(self._in_turn(query), self._budget(budget), **options))
        if isinstance(documents, Index):
            documents.check(self.packer)
            corpus, overview = documents.corpus, documents.overview
        else:
            listed = checked_documents(documents)
            corpus, overview = self.packer.read(listed, request), None
            request = request.with_scores_of(listed)
        # The scores stay what they are; only the choice sees what leaving a shown segment costs. Rows are named after
        # the pins have cut them.
        corpus = self.packer.reader.cut(corpus, request.ranges(corpus.documents))
        price = self.prompt.prices()
        bias = self._switching(query) * values_of(corpus, price) if price else None
        result = self.packer.pack_corpus(request, corpus, self.state, extras=Extras(bias, overview=overview))
        self.state = result.state
        if self.boundary is not None and result.inside.any():
            packed = result.corpus.vectors[result.corpus.paragraph[result.inside]]
            self.boundary = self.boundary.step(min(1.0, max(-1.0, overall(packed))))
        self.prompt = self.prompt.following(result, self.packer)
        self.turns += 1
        if isinstance(query, str) and (not self.asked or weight_of_previous(query) == 0):
            self.asked = query
        if self.planner is not None and budget is None:
            self.planner.track_usage(self.section, result.tokens)
        return result

    def _bounded(self, request: Request) -> Request:
        """The request with the share that the session's boundary lets in; one that says its own sets the boundary.
        Without a query nothing is bounded: salience is no expected evidence."""
        if self.boundary is None or not request.asks:
            return request
        if request.enough is not None:
            self.boundary = replace(self.boundary, permeability=max(request.enough, LOWEST))
            return request
        return replace(request, enough=self.boundary.permeability)

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
            "prompt": self.prompt.to_dict(),
            "asked": self.asked,
            "boundary": None if self.boundary is None else asdict(self.boundary),
        }
        store.save(place, KIND, VERSION, facts=facts, files={}, arrays={})

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
            prompt = Prompt.from_dict(head["prompt"])
            return Session(
                packer=packer,
                planner=planner,
                memory=memory,
                state=state,
                switching=float(head["switching"]),
                section=str(head["section"]),
                prompt=prompt,
                turns=int(head["turns"]),
                asked=str(head.get("asked", "")),
                boundary=Boundary(**bounds) if (bounds := head.get("boundary")) else None,
            )
        except FieldpackError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as e:
            raise store.damaged(place, KIND, str(e)) from e

    def _in_turn(self, query: Queries | None) -> Queries | None:
        """One question, with the last one where it says little itself; what is no single question as it is."""
        if not isinstance(query, str) or not query.strip() or not self.asked:
            return query
        return read_after(query, self.asked)

    def _switching(self, query: Queries | None) -> float:
        """What leaving the last prompt costs in this turn: less for a follow-up, which is read with the old subject."""
        follows = isinstance(query, str) and self.asked
        return self.switching * (share_of_switching(str(query)) if follows else 1.0)

    def _budget(self, budget: int | None) -> int:
        if budget is not None:
            return checked_budget(budget)
        if self.planner is None:
            raise InputError("no budget was given and the session has no planner; give budget=, or a planner")
        return checked_budget(self.planner.get_budget(self.section))


def _same(head: Mapping[str, Any], packer: ContextPacker) -> None:
    here = {"embedder": packer.embedder.embedder.fingerprint, "tokenizer": packer.tokenizer.name}
    for name, value in here.items():
        if head[name] != value:
            raise InputError(
                f"the session was kept with {name} {head[name]!r} and the packer has {value!r}; "
                "load it with a packer of the same kind"
            )
