"""How an address is answered: the body is read on the event loop; parsing, checking and work are done in a thread.

FastAPI derives the OpenAPI document from each endpoint's signature. How an endpoint is called is ours, by FastAPI's
hook for it (a route class): FastAPI itself parses bodies on the event loop, before any limit applies.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, get_type_hints

from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from fieldpack.server import schemas
from fieldpack.server.bodies import ClientDisconnected
from fieldpack.server.parsing import parsed
from fieldpack.server.problems import Problem
from fieldpack.server.service import Service, to_json
from fieldpack.server.streaming import Stages, events


class WorkRoute(APIRoute):
    """A route whose endpoint is a plain function of a checked record and the parameters of the path.

    The endpoint runs in a thread of the service's WorkLimiter `limiter` and returns an object for JSON, or None.
    """

    limiter = "packs"

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The function that answers a request: FastAPI's hook."""
        self.model = _body_model(self.endpoint)
        return self.answer

    async def answer(self, request: Request) -> Response:
        """The answer to one request. Raises Problem and what the endpoint raises."""
        service: Service = request.app.state.service
        service.check_unsent()
        if self.model is None:
            return await self.respond(service, request, b"")
        async with service.bodies.read(request) as body:
            return await self.respond(service, request, body)

    async def respond(self, service: Service, request: Request, body: bytes) -> Response:
        """The answer to a request whose body has arrived."""
        run = getattr(service, self.limiter).run
        task = asyncio.ensure_future(run(partial(self.work, body, request.path_params, service.settings.max_values)))
        await until_done(request, task)
        return self.json(task.result())

    def work(self, body: bytes, parameters: dict[str, str], most_values: int) -> bytes:
        """In a thread: parses, checks and works. Raises ValidationError and what the endpoint raises."""
        records = () if self.model is None else (parsed(self.model, body, most_values),)
        value = self.endpoint(*parameters.values(), *records)
        return b"" if value is None else to_json(value)

    def json(self, body: bytes) -> Response:
        """A JSON answer with the route's status."""
        return Response(body, self.status_code or 200, media_type="application/json" if body else None)


class SmallWorkRoute(WorkRoute):
    """Work of milliseconds, which need not wait behind packs."""

    limiter = "small_work"


class PackRoute(WorkRoute):
    """The route of packs: answers with one object, or with server-sent events where the client asks for them."""

    async def respond(self, service: Service, request: Request, body: bytes) -> Response:
        wants_events = "text/event-stream" in request.headers.get("accept", "")
        streamed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        stages = Stages()

        def decide(stream: bool) -> None:
            if not streamed.done():
                streamed.set_result(stream)

        def work() -> bytes:
            record = parsed(schemas.PackIn, body, service.settings.max_values)
            streamed.get_loop().call_soon_threadsafe(decide, record.stream or wants_events)
            value = service.handlers.pack(record, on_stage=stages.report)
            service.metrics.packed(value["tokens"])
            return to_json(value)

        task = asyncio.ensure_future(service.packs.run(work))
        # Whether to stream is known when the body is parsed. A request refused before that gets its own status.
        await until_done(request, task, streamed)
        if streamed.done() and streamed.result():
            return StreamingResponse(events(task, stages), media_type="text/event-stream")
        await until_done(request, task)
        return self.json(task.result())


class EmbeddingsRoute(WorkRoute):
    """The route of vectors: texts of requests that arrive together are embedded in one call of the model."""

    async def respond(self, service: Service, request: Request, body: bytes) -> Response:
        handlers, seconds = service.handlers, service.settings.timeout

        def checked() -> tuple[schemas.EmbeddingsIn, list[str]]:
            record = parsed(schemas.EmbeddingsIn, body, service.settings.max_values)
            service.settings.check_model(record.model)
            return record, handlers.texts(record)

        try:
            async with asyncio.timeout(seconds):
                record, texts = await service.small_work.run(checked)
                rows = await service.batcher(record.model).embed(texts)
                answer = partial(handlers.embeddings, record, texts, rows)
                return self.json(await service.small_work.run(lambda: to_json(answer())))
        except TimeoutError:
            detail = f"the vectors took more than {seconds:g} s; send fewer or shorter texts"
            raise Problem("timeout", detail, service.vectors.retry_after()) from None


async def until_done(request: Request, *futures: asyncio.Future[Any]) -> None:
    """Waits until one of the futures is done.

    Raises ClientDisconnected when the client leaves first. The futures are then cancelled: work that has not begun
    need not begin.
    """
    disconnected = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({disconnected, *futures}, return_when=asyncio.FIRST_COMPLETED)
        if not any(future.done() for future in futures):
            raise ClientDisconnected
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    finally:
        disconnected.cancel()


async def _disconnected(request: Request) -> None:
    """Returns when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _body_model(endpoint: Callable[..., Any]) -> type[BaseModel] | None:
    """The record that the endpoint takes from the body; None when it takes none."""
    hints = get_type_hints(endpoint)
    models = [hints[name] for name in inspect.signature(endpoint).parameters if _is_model(hints.get(name))]
    return models[0] if models else None


def _is_model(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)
