"""The OpenAPI document that FastAPI makes of the routes, with what FastAPI cannot know: problems, keys, model names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from fieldpack.server.problems import MEDIA, TITLES
from fieldpack.server.settings import MODELS, Settings

Document = dict[str, Any]
_SCHEMAS = "#/components/schemas/"
_KINDS = ", ".join(f"{status} {kind}" for kind, (status, _) in TITLES.items())
PROBLEMS: dict[int | str, Document] = {
    "default": {
        "description": f"A problem (RFC 9457): {_KINDS}",
        "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds, with 429 and 503"}},
        "content": {MEDIA: {"schema": {"$ref": _SCHEMAS + "ProblemOut"}}},
    }
}
"""The answer of every address to a request that fails."""
EVENT: Document = {
    "type": "object",
    "description": "One event of the stream.",
    "properties": {
        "event": {"enum": ["progress", "result", "problem"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}
"""The schema of a server-sent event."""
_KEYS = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


class ProblemOut(BaseModel):
    """RFC 9457."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    detail: str


def described(made: Callable[[], Document], settings: Settings) -> Document:
    """FastAPI's document `made`, completed for a service with these settings."""
    document = made()
    schemas = document["components"]["schemas"]
    schemas["ProblemOut"] = ProblemOut.model_json_schema(ref_template=_SCHEMAS + "{model}")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if settings.api_key is not None and path != "/healthz":
                operation["security"] = [{name: []} for name in _KEYS]
    if settings.api_key is not None:
        document["components"]["securitySchemes"] = _KEYS
    if not settings.allow_remote_models:
        for title, schema in schemas.items():
            if "model" in (properties := schema.get("properties", {})) and title.endswith("In"):
                shipped = [name for name in MODELS if (title, name) != ("EmbeddingsIn", "cascade")]
                properties["model"]["enum"] = [*shipped, *settings.shown_models]
    return document
