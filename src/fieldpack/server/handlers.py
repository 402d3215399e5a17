"""The endpoints of the service: checked records in, objects for JSON out. They run in worker threads."""

from __future__ import annotations

import base64
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fieldpack.budget import TokenBudgetPlanner
from fieldpack.embed.service import EmbeddingService
from fieldpack.errors import InputError, SettingsError
from fieldpack.pipeline import ContextPacker, Index
from fieldpack.report import pack_map, passage_numbers
from fieldpack.request import Pin, Scores, checked_documents
from fieldpack.server import rerank, schemas
from fieldpack.server.object_size import object_bytes
from fieldpack.server.problems import Problem
from fieldpack.server.sessions import Sessions, StoredSession
from fieldpack.server.settings import MODELS, Settings
from fieldpack.session import Session
from fieldpack.text.tokens import tokenizer
from fieldpack.types import Document, FloatArray

_MODELS_KEPT = 8


class Handlers:
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
            service = self._services.get(model)
            if service is None:
                allowed = model in self.settings.allow_models or self.settings.allow_remote_models
                service = EmbeddingService(
                    model,
                    allow_hub=allowed,
                    allow_remote=allowed,
                    api_key=self.settings.key_for(model),
                    timeout=self.settings.timeout if model.lower().startswith("http") else None,
                )
                self._services[model] = service
                if len(self._services) > _MODELS_KEPT:
                    self._services.popitem(last=False)
            self._services.move_to_end(model)
            return service

    def warm(self) -> None:
        """Loads what every request needs, before the first one."""
        self.packer(schemas.PackerIn()).pack("warm", ["A first pack loads the table, the scorer and the ranks."], 100)

    def packer(self, request: schemas.PackerIn) -> ContextPacker:
        """A packer with the settings of the request. Raises UnknownNameError."""
        return ContextPacker(
            embedder=self.service(request.model),
            tokenizer=request.encoding,
            unit=request.unit,
            order=request.order,
            cite=request.cite,
            titles=request.titles,
            min_relevance=request.min_relevance,
            allow_cut=request.allow_cut,
            enough=request.enough,
            render=request.render,
        )

    def documents(self, documents: Sequence[str | schemas.DocumentIn]) -> tuple[Document, ...]:
        """The documents of a request. Raises Problem "too-large", and InputError for ids that are not unique."""
        most = self.settings.max_documents
        if len(documents) > most:
            raise Problem("too-large", f"{len(documents):,} documents; allowed in one request: {most:,}")
        return checked_documents([d if isinstance(d, str) else d.model_dump() for d in documents])

    def pack(self, request: schemas.PackIn, *, on_stage: Callable[[str], None] | None = None) -> dict[str, Any]:
        """Pack documents into a budget: for a query, or without one what they are about."""
        result = self.packer(request).pack(
            _queries(request),
            self.documents(request.documents),
            request.budget,
            pins=_pins(request.pins),
            scores=_scores(request.scores),
            on_stage=on_stage,
        )
        if not request.map:
            return result.to_dict()
        view = result.view()
        return result.to_dict() | {"map": pack_map(view), "numbers": passage_numbers(view)}

    def rerank(self, request: rerank.RerankIn) -> dict[str, Any]:
        """Rank documents by the probability that they hold evidence for a query."""
        most = self.settings.max_documents
        if len(request.documents) > most:
            raise Problem("too-large", f"{len(request.documents):,} documents; allowed in one request: {most:,}")
        return rerank.answer(ContextPacker(embedder=self.service(request.model), unit="paragraph"), request)

    def models(self) -> dict[str, Any]:
        """The models that a request may name."""
        names = (*MODELS, *self.settings.shown_models)
        facts = {"object": "model", "created": 0, "owned_by": "fieldpack"}
        return {"object": "list", "data": [{"id": name, **facts} for name in names]}

    def field(self, request: schemas.FieldIn) -> dict[str, Any]:
        """Read the field of documents without a query."""
        packer = ContextPacker(embedder=self.service(request.model), tokenizer=request.encoding, unit="paragraph")
        return packer.explore(self.documents(request.documents), limit=request.limit).to_dict()

    def plan(self, request: schemas.PlanIn) -> dict[str, Any]:
        """Divide a context window among the sections of a prompt."""
        planner = TokenBudgetPlanner(
            request.window,
            request.preset,
            allocations=request.allocations,
            output_reserve=request.output_reserve,
            alert_threshold=request.alert_threshold,
        )
        for section, tokens in request.used.items():
            planner.track_usage(section, tokens)
        return planner.plan().to_dict()

    def texts(self, request: schemas.EmbeddingsIn) -> list[str]:
        """The texts to embed. Raises InputError for inputs that OpenAI's interface takes and this one does not."""
        if request.model == "cascade":
            raise InputError("'cascade' is a way to pack, not vectors; use static or minilm")
        texts = [request.input] if isinstance(request.input, str) else request.input
        dims = self.service(request.model).dims
        if request.dimensions not in (None, dims):
            raise SettingsError(f"dimensions is {request.dimensions}; the vectors of this model have {dims}")
        return texts

    def embeddings(self, request: schemas.EmbeddingsIn, texts: Sequence[str], rows: FloatArray) -> dict[str, Any]:
        """Vectors of texts: `rows` (n, d) float32, one for each of `texts`, in the form that OpenAI's clients read."""
        tokens = int(tokenizer("o200k_base").count_many(texts).sum())
        as_text = request.encoding_format == "base64"
        little_endian = np.ascontiguousarray(rows, dtype="<f4")
        data = [
            {
                "object": "embedding",
                "index": i,
                "embedding": base64.b64encode(row.tobytes()).decode("ascii") if as_text else row.tolist(),
            }
            for i, row in enumerate(little_endian)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "data": data, "model": request.model, "usage": usage}

    def open_session(self, request: schemas.SessionIn) -> dict[str, Any]:
        """Open a session; its documents are read once for all turns."""
        packer = self.packer(request)
        documents = self.documents(request.documents) if request.documents is not None else ()
        # An index holds its documents and more: what cannot be kept is refused before it is read.
        self.sessions.check_space(sum(len(d.text) for d in documents))
        index = packer.index(documents) if request.documents is not None else None
        session = Session(packer) if request.switching is None else Session(packer, switching=request.switching)
        name = self.sessions.add(session, index, _memory_of(session, index))
        return self._session(name, session, len(documents))

    def turn(self, id: str, request: schemas.TurnIn) -> dict[str, Any]:
        """The next pack of a session."""
        with self.sessions.use(id) as stored:
            documents = self._turn_documents(stored, request)
            session = stored.session
            pins, scores = _pins(request.pins), _scores(request.scores)
            result = session.turn(_queries(request), documents, request.budget, pins=pins, scores=scores)
            if session.turns == 1 or stored.index is None:  # the first turn fills what an index makes when it is asked
                stored.size = _memory_of(session, stored.index)
            prompt = {key: getattr(session.prompt, key) for key in ("text", "tokens", "prefix", "prefix_tokens")}
            return result.to_dict() | {"turn": session.turns, "prompt": prompt}

    def _turn_documents(self, stored: StoredSession, request: schemas.TurnIn) -> Any:
        if request.documents is not None and stored.index is not None:
            raise Problem("conflict", "the session was opened with its documents; send none with a turn")
        if request.documents is None and stored.index is None:
            raise Problem("conflict", "the session has no documents of its own; send some with each turn")
        return stored.index if request.documents is None else self.documents(request.documents)

    def session(self, id: str) -> dict[str, Any]:
        """Where a session stands."""
        with self.sessions.use(id) as stored:
            documents = len(stored.index.documents) if stored.index is not None else 0
            return self._session(id, stored.session, documents)

    def end_session(self, id: str) -> None:
        """Forget a session."""
        self.sessions.delete(id)

    def _session(self, name: str, session: Session, documents: int) -> dict[str, Any]:
        state = session.state.to_dict() if session.state is not None else None
        idle = int(self.settings.session_idle)
        return {"id": name, "turns": session.turns, "documents": documents, "expires_in": idle, "state": state}


def _queries(request: schemas.AskIn) -> list[str | tuple[str, float]] | None:
    if request.query is None and request.queries is None:
        return None
    queries = [request.query] if request.query is not None else request.queries or []
    return [q if isinstance(q, str) else (q.text, q.weight) for q in queries]


def _pins(pins: Sequence[str | schemas.PinRange]) -> list[Pin]:
    return [p if isinstance(p, str) else (p.id, p.start, p.end) for p in pins]


def _scores(scores: Sequence[float | schemas.ScoreIn | None] | None) -> Scores | None:
    """Raises InputError for a range of which one end is missing."""
    if not scores or not isinstance(scores[0], schemas.ScoreIn):
        return scores  # type: ignore[return-value]
    out: dict[Pin, float] = {}
    for s in scores:
        assert isinstance(s, schemas.ScoreIn), "a list holds numbers or objects, not both"
        if (s.start is None) != (s.end is None):
            raise InputError(f"the score of {s.id!r} has only one of start and end; give both, or none")
        out[s.id if s.start is None or s.end is None else (s.id, s.start, s.end)] = s.score
    return out


def _memory_of(session: Session, index: Index | None) -> int:
    """Bytes of memory that a session and its index hold, without the models that all sessions share."""
    packer = session.packer
    return object_bytes((session, index), shared=(packer, packer.embedder, packer.static, packer.tokenizer))
