"""The OpenAPI 3.1 document, made of the same models that check the requests."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from fieldpack.server import schemas
from fieldpack.server.problems import MEDIA, TITLES
from fieldpack.version import __version__

_REF = "#/components/schemas/"
Operation = tuple[str, str, str, str, type[BaseModel] | None, type[BaseModel] | None, int]
OPERATIONS: tuple[Operation, ...] = (
    ("post", "/v1/pack", "pack", "Pack documents for a query into a budget", schemas.PackIn, schemas.PackOut, 200),
    ("post", "/v1/embeddings", "embed", "Vectors of texts", schemas.EmbeddingsIn, schemas.EmbeddingsOut, 200),
    ("post", "/v1/plan", "plan", "Divide a context window", schemas.PlanIn, schemas.PlanOut, 200),
    ("post", "/v1/field", "field", "Read the field of documents", schemas.FieldIn, schemas.FieldOut, 200),
    ("post", "/v1/sessions", "openSession", "Open a session", schemas.SessionIn, schemas.SessionOut, 201),
    ("get", "/v1/sessions/{id}", "getSession", "Where a session stands", None, schemas.SessionOut, 200),
    ("delete", "/v1/sessions/{id}", "endSession", "Forget a session", None, None, 204),
    ("post", "/v1/sessions/{id}/turn", "turn", "The next pack", schemas.TurnIn, schemas.TurnOut, 200),
    ("get", "/healthz", "health", "Whether the service answers", None, schemas.HealthOut, 200),
)


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """Made once; not to be changed."""
    inputs = [(m, "validation") for *_, m, _, _ in OPERATIONS if m is not None]
    outputs = [(m, "serialization") for *_, m, _ in OPERATIONS if m is not None]
    models: list[Any] = [*inputs, *outputs, (schemas.ProblemOut, "serialization")]
    named, shared = models_json_schema(models, ref_template=_REF + "{model}")
    paths: dict[str, dict[str, Any]] = {}
    for method, path, name, summary, asked, answer, status in OPERATIONS:
        ask = named[asked, "validation"] if asked else None
        give = named[answer, "serialization"] if answer else None
        paths.setdefault(path, {})[method] = _operation(path, name, summary, ask, give, status)
    paths["/metrics"] = {"get": _plain("metrics", "Counters for Prometheus", "text/plain")}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fieldpack",
            "version": __version__,
            "description": "Query, documents and a token budget in; the evidence out, verbatim, inside the budget.",
        },
        "paths": paths,
        "components": {
            "schemas": shared["$defs"],
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _operation(path: str, name: str, summary: str, ask: Any, give: Any, status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done"}
    if give is not None:
        answer["content"] = {"application/json": {"schema": give}}
    if name == "pack":
        answer["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    found: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "security": [] if name == "health" else [{}, {"bearer": []}, {"key": []}],
        "responses": {str(status): answer, "default": _problem()},
    }
    if ask is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": ask}}}
    if "{id}" in path:
        found["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    return found


def _plain(name: str, summary: str, media: str) -> dict[str, Any]:
    answer = {"description": "Done", "content": {media: {"schema": {"type": "string"}}}}
    security: list[dict[str, list[str]]] = [{}, {"bearer": []}, {"key": []}]
    responses = {"200": answer, "default": _problem()}
    return {"operationId": name, "summary": summary, "security": security, "responses": responses}


def _problem() -> dict[str, Any]:
    kinds = ", ".join(f"{status} {kind}" for kind, (status, _) in TITLES.items())
    return {
        "description": f"A problem (RFC 9457): {kinds}",
        "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds, with 429 and 503"}},
        "content": {MEDIA: {"schema": {"$ref": _REF + "ProblemOut"}}},
    }
