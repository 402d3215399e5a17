"""The ASGI app: what each address answers. Limits are in front of it (limits.py), the library behind it (work.py)."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache, partial
from importlib import resources
from typing import Any, TypeVar

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from fieldpack.server import schemas
from fieldpack.server.batching import Batcher
from fieldpack.server.gate import Gate
from fieldpack.server.limits import Gone, Guard
from fieldpack.server.metrics import Metrics
from fieldpack.server.openapi import document
from fieldpack.server.problems import Problem, problem_of
from fieldpack.server.settings import Settings
from fieldpack.server.streaming import events
from fieldpack.server.work import Work
from fieldpack.version import __version__

In = TypeVar("In", bound=BaseModel)
_LARGE = 1 << 18
"""Bytes of a body from which it is parsed in a thread, so that others need not wait for it."""
PAGE_RULES = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


class Service:
    """The answers; one method for each address."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.work = Work(settings)
        self.metrics = Metrics()
        self.gate = Gate(settings.concurrency, settings.waiting, settings.timeout)
        # Vectors have a thread of their own: they are asked for often and quickly, and must not wait behind packs.
        self.embedding = Gate(1, settings.waiting, settings.timeout)
        self.batchers: dict[str, Batcher] = {}

    async def pack(self, request: Request) -> Response:
        asked = await parsed(request, schemas.PackIn)
        if asked.stream or "text/event-stream" in request.headers.get("accept", ""):
            stream = events(self.gate, partial(self._packed, asked))
            return StreamingResponse(stream, media_type="text/event-stream")
        return as_json(await self._run(request, lambda: self._packed(asked, lambda stage: None)))

    async def _run(self, request: Request, work: Callable[[], bytes]) -> bytes:
        """`work` through the gate; what has not begun when its client goes away is not begun."""
        task = asyncio.ensure_future(self.gate.run(work))
        gone = asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Gone
            return task.result()
        finally:
            task.cancel()
            gone.cancel()

    def _packed(self, asked: schemas.PackIn, report: Callable[[str], None]) -> bytes:
        found = self.work.pack(asked, report)
        self.metrics.packed(found["tokens"])
        return dumped(found)

    async def embeddings(self, request: Request) -> Response:
        asked = await parsed(request, schemas.EmbeddingsIn)
        self.settings.check_model(asked.model)
        batcher = self._batcher(asked.model)
        if batcher.waiting >= 4 * (self.settings.waiting + 1):
            raise Problem("busy", "too many requests wait for vectors; ask again later", self.embedding.retry_after())
        try:
            async with asyncio.timeout(self.settings.timeout):
                texts = await asyncio.to_thread(self.work.texts, asked)
                rows = await batcher.embed(texts)
                found = await asyncio.to_thread(lambda: dumped(self.work.embeddings(asked, texts, rows)))
        except TimeoutError:
            detail = f"the vectors took more than {self.settings.timeout:g} s; send fewer or shorter texts"
            raise Problem("timeout", detail, self.embedding.retry_after()) from None
        return as_json(found)

    def _batcher(self, model: str) -> Batcher:
        if model not in self.batchers:
            if len(self.batchers) >= 16:
                self.batchers = {name: b for name, b in self.batchers.items() if b.waiting}
            embed = self.work.service(model).embed
            wait, most = self.settings.batch_wait, self.settings.batch_texts
            self.batchers[model] = Batcher(embed, self.embedding.start, self.metrics, wait, most)
        return self.batchers[model]

    async def plan(self, request: Request) -> Response:
        asked = await parsed(request, schemas.PlanIn)
        return as_json(dumped(self.work.plan(asked)))  # less work than to wait for a place

    async def field(self, request: Request) -> Response:
        asked = await parsed(request, schemas.FieldIn)
        return as_json(await self._run(request, lambda: dumped(self.work.field(asked))))

    async def open_session(self, request: Request) -> Response:
        asked = await parsed(request, schemas.SessionIn)
        return as_json(await self._run(request, lambda: dumped(self.work.open_session(asked))), 201)

    async def turn(self, request: Request) -> Response:
        asked = await parsed(request, schemas.TurnIn)
        name = request.path_params["id"]
        return as_json(await self._run(request, lambda: dumped(self.work.turn(name, asked))))

    async def session(self, request: Request) -> Response:
        return as_json(dumped(self.work.session(request.path_params["id"])))

    async def end_session(self, request: Request) -> Response:
        self.work.sessions.delete(request.path_params["id"])
        return Response(status_code=204)

    async def health(self, request: Request) -> Response:
        if self.gate.stopping:
            return as_json(dumped({"status": "stopping", "version": __version__}), 503)
        return as_json(dumped({"status": "ok", "version": __version__}))

    async def prometheus(self, request: Request) -> Response:
        self.metrics.sessions = len(self.work.sessions)
        self.metrics.queued = self.gate.inside + self.embedding.inside
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4")

    async def openapi(self, request: Request) -> Response:
        return as_json(dumped(document()))

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(self.work.warm)
        with one_thread_each():
            yield
            for gate in (self.gate, self.embedding):
                await asyncio.to_thread(gate.close)

    def routes(self) -> list[Route]:
        return [
            Route("/", partial(page, "page.html", "text/html")),
            Route("/page.js", partial(page, "page.js", "text/javascript")),
            Route("/page.css", partial(page, "page.css", "text/css")),
            Route("/healthz", self.health),
            Route("/metrics", self.prometheus),
            Route("/openapi.json", self.openapi),
            Route("/v1/pack", self.pack, methods=["POST"]),
            Route("/v1/embeddings", self.embeddings, methods=["POST"]),
            Route("/v1/plan", self.plan, methods=["POST"]),
            Route("/v1/field", self.field, methods=["POST"]),
            Route("/v1/sessions", self.open_session, methods=["POST"]),
            Route("/v1/sessions/{id}", self.session, methods=["GET"]),
            Route("/v1/sessions/{id}", self.end_session, methods=["DELETE"]),
            Route("/v1/sessions/{id}/turn", self.turn, methods=["POST"]),
        ]


def create_app(settings: Settings | None = None) -> Starlette:
    """The ASGI app of a service; its state is in `app.state.service`."""
    settings = settings or Settings()
    service = Service(settings)
    app = Starlette(
        routes=service.routes(),
        middleware=[Middleware(Guard, settings=settings, metrics=service.metrics)],
        exception_handlers={HTTPException: _http, **{kind: _known for kind in _foreseen()}},
        lifespan=service.lifespan,
    )
    app.state.service = service
    return app


def _foreseen() -> tuple[type[Exception], ...]:
    from pydantic import ValidationError

    from fieldpack.errors import FieldpackError

    return Problem, FieldpackError, ValidationError, MemoryError


def _known(request: Request, error: Exception) -> Response:
    found = problem_of(error)
    assert found is not None, "the handler is registered for foreseen errors only"
    return found.response(request.url.path == "/v1/embeddings")


def _http(request: Request, error: Exception) -> Response:
    """What the router refuses."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = dict(error.headers or {})
        return Problem("method", f"allowed here: {allowed.get('Allow', '')}", headers=allowed).response()
    return Problem("not-found", "no such address; /openapi.json lists them all").response()


async def parsed(request: Request, model: type[In]) -> In:
    """The body as a checked record. Raises ValidationError."""
    body = await request.body()
    if len(body) < _LARGE:
        return model.model_validate_json(body)
    return await asyncio.to_thread(model.model_validate_json, body)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Requests are what runs side by side: matrix products that start threads of their own as well make each other wait
    (64 clients, two busy cores, one run each: 17 requests a second and a p99 of 17 s with, 62 and 1.6 s without)."""
    if importlib.util.find_spec("threadpoolctl") is None:
        yield
        return
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1):
        yield


async def _gone(request: Request) -> None:
    """Returns when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def dumped(found: Any) -> bytes:
    return json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def as_json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")


@lru_cache(maxsize=8)
def _asset(name: str) -> bytes:
    return resources.files("fieldpack.server").joinpath(name).read_bytes()


async def page(name: str, media: str, request: Request) -> Response:
    headers = {"content-security-policy": PAGE_RULES} if media == "text/html" else {}
    return Response(_asset(name), headers=headers, media_type=media)
