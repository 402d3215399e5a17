"""The ASGI app: its addresses, what they share, and how it starts and stops."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from importlib import resources
from typing import Any

from fastapi import FastAPI
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fieldpack.errors import AssetError, FieldpackError
from fieldpack.server import guardrail, rerank, schemas, tools
from fieldpack.server.limits import Guard
from fieldpack.server.openapi import EVENT, PROBLEMS, described
from fieldpack.server.problems import Problem, log, problem_of
from fieldpack.server.reference import reference_page
from fieldpack.server.routes import EmbeddingsRoute, PackRoute, SmallWorkRoute, WorkRoute
from fieldpack.server.service import Service
from fieldpack.server.settings import Settings
from fieldpack.version import __version__

PAGE_RULES = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The ASGI app of a service; its state is in `app.state.service`."""
    settings = settings or Settings()
    service = Service(settings)
    app = FastAPI(
        title="fieldpack",
        version=__version__,
        description="Query, documents and a token budget in; the evidence out, verbatim, inside the budget.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(Guard, settings=settings, metrics=service.metrics)],
        exception_handlers={HTTPException: _http_problem, **dict.fromkeys(_FORESEEN, _known_problem)},
        lifespan=service.lifespan,
        responses=PROBLEMS,
    )
    app.state.service = service
    _add_routes(app, service)
    app.openapi = lru_cache(maxsize=1)(partial(described, app.openapi, settings))  # type: ignore[method-assign]
    return app


def _add_routes(app: FastAPI, service: Service) -> None:
    def add(method: str, path: str, name: str, endpoint: Callable[..., Any], answer: Any, **more: Any) -> None:
        app.router.add_api_route(
            path,
            endpoint,
            methods=[method],
            operation_id=name,
            summary=(endpoint.__doc__ or "").split("\n")[0].rstrip("."),
            response_model=answer,
            **more,
        )

    h, work, small = service.handlers, WorkRoute, SmallWorkRoute
    stream = {200: {"content": {"text/event-stream": {"schema": EVENT}}}}
    add("POST", "/v1/pack", "pack", _pack, schemas.PackOut, route_class_override=PackRoute, responses=stream)
    add("POST", "/v1/embeddings", "embed", _embed, schemas.EmbeddingsOut, route_class_override=EmbeddingsRoute)
    add("POST", "/v1/rerank", "rerank", h.rerank, rerank.RerankOut, route_class_override=work)
    app.router.add_api_route(
        "/v2/rerank", h.rerank, methods=["POST"], include_in_schema=False, route_class_override=work
    )
    add("GET", "/v1/models", "models", h.models, rerank.ModelsOut, route_class_override=small)
    add("POST", "/v1/plan", "plan", h.plan, schemas.PlanOut, route_class_override=small)
    add("POST", "/v1/field", "field", h.field, schemas.FieldOut, route_class_override=work)
    add("POST", "/v1/tools/trim", "trim", service.tools.trim, tools.TrimOut, route_class_override=work)
    add("POST", "/v1/tools/expand", "expand", service.tools.expand, tools.ExpandOut, route_class_override=work)
    add("POST", guardrail.ADDRESS, "guardrail", service.guardrail, guardrail.GuardrailOut, route_class_override=work)
    sessions = "/v1/sessions"
    add("POST", sessions, "openSession", h.open_session, schemas.SessionOut, route_class_override=work, status_code=201)
    one = sessions + "/{id}"
    add("GET", one, "getSession", h.session, schemas.SessionOut, route_class_override=small)
    add("DELETE", one, "endSession", h.end_session, None, route_class_override=small, status_code=204)
    add("POST", one + "/turn", "turn", h.turn, schemas.TurnOut, route_class_override=work)
    add("GET", "/healthz", "health", service.health, schemas.HealthOut)
    add("GET", "/metrics", "metrics", service.prometheus, str, response_class=_PlainText)
    script = "text/javascript"
    scripts = {f"/{name}": script for name in (*_OF_REPORT, "page.js")}
    for path, media in {"/": "text/html", "/page.css": "text/css", **scripts}.items():
        app.router.add_route(path, partial(page, path.strip("/") or "page.html", media), include_in_schema=False)
    app.router.add_route("/docs", _reference, include_in_schema=False)


async def _reference(request: Request) -> Response:
    """Every address, written from the OpenAPI document; FastAPI's own pages would load scripts from elsewhere."""
    html = reference_page(request.app.openapi())
    return Response(html, headers={"content-security-policy": PAGE_RULES}, media_type="text/html")


# FastAPI reads the signatures of these two for the OpenAPI document; PackRoute and EmbeddingsRoute answer.
def _pack(request: schemas.PackIn) -> None:
    """Pack documents for a query into a budget."""


def _embed(request: schemas.EmbeddingsIn) -> None:
    """Vectors of texts."""


class _PlainText(Response):
    media_type = "text/plain"


_FORESEEN: tuple[type[Exception], ...] = (Problem, FieldpackError, ValidationError, MemoryError)


async def _known_problem(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    assert problem is not None, "the handler is registered for foreseen errors only"
    if isinstance(error, AssetError):
        log.error("%s", error)  # which model file is missing is for the operator, not for the client
    elif problem.kind in ("model-failed", "overloaded", "missing-extra") and not isinstance(error, Problem):
        log.warning("%s, answered as %r", type(error).__name__, problem.kind)
    return problem.response(request.url.path == "/v1/embeddings")


async def _http_problem(request: Request, error: Exception) -> Response:
    """What the router refuses."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        routes = [r for r in request.app.routes if isinstance(r, Route) and r.path_regex.match(request.url.path)]
        allowed = ", ".join(sorted({method for route in routes for method in route.methods or ()}))
        return Problem("method", f"allowed here: {allowed}", headers={"allow": allowed}).response()
    return Problem("not-found", "no such address; /openapi.json lists them all").response()


_OF_REPORT = ("map.js", "numbers.js", "headings.js")
"""Scripts of the report that the page draws with too."""


@lru_cache(maxsize=8)
def _asset(name: str) -> bytes:
    """A file of the page; palette, type, map and numbers are those of the report, so that both look alike."""
    report = resources.files("fieldpack.report")
    if name in _OF_REPORT:
        return report.joinpath(name).read_bytes()
    raw = resources.files("fieldpack.server").joinpath(name).read_bytes()
    return report.joinpath("look.css").read_bytes() + raw if name == "page.css" else raw


async def page(name: str, media: str, request: Request) -> Response:
    """A file of the page for people, which comes with the package."""
    headers = {"content-security-policy": PAGE_RULES} if media == "text/html" else {}
    return Response(_asset(name), headers=headers, media_type=media)
