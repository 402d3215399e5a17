"""What requests ask of the library, called in worker threads: records in, JSON-ready objects out."""

from __future__ import annotations

import base64
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fieldpack.budget import TokenBudgetPlanner
from fieldpack.cli.work import read_field
from fieldpack.embed.service import EmbeddingService
from fieldpack.errors import InputError, SettingsError
from fieldpack.request import Pin, checked_budget, checked_documents, checked_queries, pin_ranges
from fieldpack.pipeline import Clock, ContextPacker
from fieldpack.server import schemas
from fieldpack.server.problems import Problem
from fieldpack.server.sessions import Kept, Sessions
from fieldpack.server.settings import Settings
from fieldpack.session import Session
from fieldpack.text.tokens import tokenizer
from fieldpack.types import Document, FloatArray

Report = Callable[[str], None]
_MODELS_KEPT = 8
_MOST_INPUTS = 2048


class StagedClock(Clock):
    """A clock that tells each stage when it is done."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report

    def lap(self, stage: str) -> None:
        super().lap(stage)
        self._report(stage)


class Work:
    """The library behind one service. Safe to share by threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sessions = Sessions(settings.max_sessions, settings.session_idle, settings.session_bytes)
        self._services: OrderedDict[str, EmbeddingService] = OrderedDict()
        self._lock = threading.Lock()

    def service(self, model: str) -> EmbeddingService:
        """The embedding service of an allowed model, shared by all requests. Raises UnknownNameError."""
        self.settings.check_model(model)
        with self._lock:
            found = self._services.get(model)
            if found is None:
                open_ = model in self.settings.allow_models or self.settings.allow_remote_models
                found = EmbeddingService(
                    model,
                    allow_hub=open_,
                    allow_remote=open_,
                    api_key=self.settings.key_for(model),
                    timeout=self.settings.timeout if model.lower().startswith("http") else None,
                )
                self._services[model] = found
                if len(self._services) > _MODELS_KEPT:
                    self._services.popitem(last=False)
            self._services.move_to_end(model)
            return found

    def warm(self) -> None:
        """Loads what every request needs, before the first one."""
        self.packer(schemas.PackerIn()).pack("warm", ["A first pack loads the table, the scorer and the ranks."], 100)

    def packer(self, asked: schemas.PackerIn) -> ContextPacker:
        return ContextPacker(
            embedder=self.service(asked.model),
            tokenizer=asked.encoding,
            unit=asked.unit,
            order=asked.order,
            cite=asked.cite,
            titles=asked.titles,
            min_relevance=asked.min_relevance,
            allow_cut=asked.allow_cut,
        )

    def documents(self, given: Sequence[str | schemas.DocumentIn]) -> tuple[Document, ...]:
        most = self.settings.max_documents
        if len(given) > most:
            raise Problem("too-large", f"{len(given):,} documents; allowed in one request: {most:,}")
        return checked_documents([d if isinstance(d, str) else Document(d.id, d.text, d.title) for d in given])

    def pack(self, asked: schemas.PackIn, report: Report) -> dict[str, Any]:
        packer = self.packer(asked)
        queries, weights = checked_queries(_queries(asked))
        budget = checked_budget(asked.budget)
        documents = self.documents(asked.documents)
        ranges = pin_ranges(_pins(asked.pins), documents)
        clock = StagedClock(report)
        prepared = packer.prepare(documents, ranges, clock, budget)
        return packer.pack_prepared(queries, prepared, budget, ranges, None, clock, weights).to_dict()

    def field(self, asked: schemas.FieldIn) -> dict[str, Any]:
        packer = ContextPacker(embedder=self.service(asked.model), tokenizer=asked.encoding, unit="paragraph")
        return read_field(packer, self.documents(asked.documents), asked.limit).to_dict()

    def plan(self, asked: schemas.PlanIn) -> dict[str, Any]:
        planner = TokenBudgetPlanner(
            asked.window,
            asked.preset,
            allocations=asked.allocations,
            output_reserve=asked.output_reserve,
            alert_threshold=asked.alert_threshold,
        )
        for section, tokens in asked.used.items():
            planner.track_usage(section, tokens)
        return planner.plan().to_dict()

    def texts(self, asked: schemas.EmbeddingsIn) -> list[str]:
        """The texts to embed. Raises InputError for what OpenAI's interface takes and this one does not."""
        if asked.model == "cascade":
            raise InputError("'cascade' is a way to pack, not vectors; use static or minilm")
        given: Sequence[Any] = [asked.input] if isinstance(asked.input, str) else asked.input
        if not given:
            raise InputError("input is empty; give a text or a list of texts")
        if any(not isinstance(text, str) for text in given):
            raise InputError("input holds token ids, which mean something to one model only; send texts")
        if len(given) > _MOST_INPUTS:
            raise InputError(f"input holds {len(given):,} texts; allowed in one request: {_MOST_INPUTS:,}")
        if any(not text for text in given):
            raise InputError("input holds an empty text; leave it out")
        dims = self.service(asked.model).dims
        if asked.dimensions not in (None, dims):
            raise SettingsError(f"dimensions is {asked.dimensions}; the vectors of this model have {dims}")
        return list(given)

    def embeddings(self, asked: schemas.EmbeddingsIn, texts: Sequence[str], rows: FloatArray) -> dict[str, Any]:
        tokens = int(tokenizer("o200k_base").count_many(texts).sum())
        as_text = asked.encoding_format == "base64"
        little = np.ascontiguousarray(rows, dtype="<f4")
        data = [
            {
                "object": "embedding",
                "index": i,
                "embedding": base64.b64encode(row.tobytes()).decode("ascii") if as_text else row.tolist(),
            }
            for i, row in enumerate(little)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "data": data, "model": asked.model, "usage": usage}

    def open_session(self, asked: schemas.SessionIn) -> dict[str, Any]:
        packer = self.packer(asked)
        documents = self.documents(asked.documents) if asked.documents is not None else ()
        size = sum(len(d.text.encode("utf-8", "surrogatepass")) for d in documents)
        self.sessions.check_room(size)
        index = packer.index(documents) if documents else None
        session = Session(packer) if asked.switching is None else Session(packer, switching=asked.switching)
        name = self.sessions.add(session, index, size)
        return self._session(name, session, len(documents))

    def turn(self, name: str, asked: schemas.TurnIn) -> dict[str, Any]:
        with self.sessions.use(name) as kept:
            result = kept.session.turn(
                _queries(asked), self._turn_documents(kept, asked), asked.budget, pins=_pins(asked.pins)
            )
            prompt = kept.session.prompt
            shown = {key: getattr(prompt, key) for key in ("text", "tokens", "prefix", "prefix_tokens")}
            return result.to_dict() | {"turn": kept.session.turns, "prompt": shown}

    def _turn_documents(self, kept: Kept, asked: schemas.TurnIn) -> Any:
        if asked.documents is not None and kept.index is not None:
            raise InputError("the session was opened with its documents; send none with a turn")
        if asked.documents is None and kept.index is None:
            raise InputError("the session has no documents of its own; send some with each turn")
        return kept.index if asked.documents is None else self.documents(asked.documents)

    def session(self, name: str) -> dict[str, Any]:
        with self.sessions.use(name) as kept:
            documents = len(kept.index.documents) if kept.index is not None else 0
            return self._session(name, kept.session, documents)

    def _session(self, name: str, session: Session, documents: int) -> dict[str, Any]:
        state = session.state.to_dict() if session.state is not None else None
        idle = int(self.settings.session_idle)
        return {"id": name, "turns": session.turns, "documents": documents, "expires_in": idle, "state": state}


def _queries(asked: schemas.AskIn) -> list[str | tuple[str, float]]:
    given = [asked.query] if asked.query is not None else asked.queries or []
    return [q if isinstance(q, str) else (q.text, q.weight) for q in given]


def _pins(given: Sequence[str | schemas.PinRange]) -> list[Pin]:
    return [p if isinstance(p, str) else (p.id, p.start, p.end) for p in given]
