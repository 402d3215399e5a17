"""Every way a request can fail, as an RFC 9457 problem. What a client sees never holds a traceback, path or secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from fieldpack.errors import (
    AssetError,
    BudgetError,
    EmbeddingError,
    InputError,
    MissingExtraError,
    UnknownNameError,
)

TYPE = "urn:fieldpack:problem:"
MEDIA = "application/problem+json"
TITLES = {
    "bad-json": (400, "The body is not JSON"),
    "no-key": (401, "The API key is missing or wrong"),
    "forbidden-host": (403, "This host or origin may not use the service"),
    "not-found": (404, "There is nothing here"),
    "method": (405, "This method does not apply here"),
    "slow": (408, "The request took too long to arrive"),
    "conflict": (409, "The session is in use"),
    "too-large": (413, "The request is too large"),
    "media-type": (415, "The body has to be application/json"),
    "invalid": (422, "The request is not valid"),
    "budget": (422, "The pinned text cannot fit the budget"),
    "unknown-name": (422, "A name that is not known"),
    "busy": (429, "Too many requests are waiting"),
    "sessions-full": (429, "No more sessions can be kept"),
    "internal": (500, "Something went wrong inside the service"),
    "missing-extra": (501, "This service was installed without what that needs"),
    "model-failed": (502, "The model failed"),
    "overloaded": (503, "The service cannot take the request now"),
    "timeout": (503, "The work took too long"),
    "stopping": (503, "The service is stopping"),
}
_MOST_ERRORS = 20


@dataclass
class Problem(Exception):
    """kind: a key of TITLES. detail: what was found, allowed, and what to do. retry_after: seconds, for the header."""

    kind: str
    detail: str
    retry_after: int | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return TITLES[self.kind][0]

    def to_dict(self) -> dict[str, Any]:
        status, title = TITLES[self.kind]
        body = {"type": TYPE + self.kind, "title": title, "status": status, "detail": self.detail}
        return body | dict(self.more)

    def response(self, openai: bool = False) -> Response:
        """openai: with the `error` member that clients of that interface read."""
        body = self.to_dict()
        if openai:
            body["error"] = {"message": self.detail, "type": self.kind, "param": None, "code": self.kind}
        headers = dict(self.headers)
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        return Response(json.dumps(body), self.status, headers, MEDIA)


def problem_of(error: Exception) -> Problem | None:
    """The problem that an error of the library is for a client, None for one that nobody foresaw."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, ValidationError):
        return invalid(error)
    if isinstance(error, BudgetError):
        return Problem("budget", str(error), more={"needed": error.needed, "budget": error.budget})
    if isinstance(error, UnknownNameError):
        return Problem("unknown-name", str(error), more={"known": error.known})
    if isinstance(error, InputError):
        return Problem("invalid", str(error))
    if isinstance(error, MissingExtraError):
        return Problem("missing-extra", str(error))
    if isinstance(error, EmbeddingError):
        return Problem("model-failed", str(error))
    if isinstance(error, AssetError):
        return Problem("internal", "a model file of the service is missing or damaged; its log says which")
    if isinstance(error, MemoryError):
        return Problem("overloaded", "there is not enough memory for this request now", 10)
    return None


def invalid(error: ValidationError) -> Problem:
    """Where the body is wrong and how, without the values that were sent."""
    found: dict[str, str] = {}
    for entry in error.errors(include_url=False, include_input=False, include_context=False):
        if entry["type"] == "json_invalid":
            return Problem("bad-json", entry["msg"])
        pointer = "#" + "".join(f"/{part}" for part in entry["loc"] if isinstance(part, int) or _is_field(part))
        found.setdefault(pointer, entry["msg"])
    errors = [{"pointer": p, "detail": m} for p, m in list(found.items())[:_MOST_ERRORS]]
    said = "; ".join(f"{e['pointer'][2:] or 'body'}: {e['detail']}" for e in errors[:3])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return Problem("invalid", said + more, more={"errors": errors})


def _is_field(part: str) -> bool:
    """Names of fields, but not those that pydantic gives to the members of a union ("str", "DocumentIn", ...)."""
    return part.islower() and part not in ("str", "int", "float", "bool") and "[" not in part and "-" not in part
