"""Every way a request can fail, as an RFC 9457 problem. An answer never holds a traceback, a path or a secret.

Own code: neither Starlette nor FastAPI answers problems, and FastAPI's own validation answer repeats the values that
were sent.
"""

from __future__ import annotations

import json
import logging
import traceback
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

log = logging.getLogger("fieldpack.server")
TYPE = "urn:fieldpack:problem:"
MEDIA = "application/problem+json"
TITLES = {
    "bad-json": (400, "The body is not JSON"),
    "framing": (400, "The length of the request is stated twice"),
    "no-key": (401, "The API key is missing or wrong"),
    "forbidden-host": (403, "This host or origin may not use the service"),
    "not-found": (404, "There is nothing here"),
    "method": (405, "This method does not apply here"),
    "slow": (408, "The request took too long to arrive"),
    "conflict": (409, "The session cannot take this request now"),
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
_MOST_ERRORS = 1000
_SHOWN_ERRORS = 20
"""Wrong fields that an answer lists at most."""


@dataclass
class Problem(Exception):
    """A refused or failed request, raised anywhere in the service.

    kind: a key of TITLES. detail: what was found, what is allowed and what to do. retry_after: seconds, for the header.
    more: further members of the answer. headers: further headers of the answer.
    """

    kind: str
    detail: str
    retry_after: int | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def internal() -> Problem:
        """The answer to an error that nobody foresaw; what it was is for the log alone."""
        return Problem("internal", "the service failed and has logged where; the fault is not in your request")

    @staticmethod
    def stopping() -> Problem:
        """The answer to a request that the end of the service came before."""
        return Problem(
            "stopping", "the service is being stopped; ask again in a moment", 5, {}, {"connection": "close"}
        )

    @property
    def status(self) -> int:
        """The HTTP status, 400 to 599."""
        return TITLES[self.kind][0]

    def to_dict(self) -> dict[str, Any]:
        """The body of the answer: type, title, status, detail and `more`."""
        status, title = TITLES[self.kind]
        body = {"type": TYPE + self.kind, "title": title, "status": status, "detail": self.detail}
        return body | dict(self.more)

    def response(self, openai: bool = False) -> Response:
        """The HTTP answer. openai: with the `error` member that clients of OpenAI's interface read."""
        body = self.to_dict()
        if openai:
            body["error"] = {"message": self.detail, "type": self.kind, "param": None, "code": self.kind}
        headers = dict(self.headers)
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        return Response(json.dumps(body), self.status, headers, MEDIA)


def problem_of(error: Exception) -> Problem | None:
    """The problem that a client is told for an error of the library; None for an error that nobody foresaw."""
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
    """The problem that says where the body is wrong and how, without the values that were sent."""
    count = error.error_count()
    if count > _MOST_ERRORS:  # each of them takes about 2 kB when it is written out
        return Problem("invalid", f"the body has {count:,} errors; most of them are unknown keys or wrong members")
    messages: dict[str, str] = {}
    for entry in error.errors(include_url=False, include_input=False, include_context=False):
        if entry["type"] == "json_invalid":
            return Problem("bad-json", entry["msg"])
        pointer = "#" + "".join(f"/{_short(part)}" for part in entry["loc"] if _is_field(part))
        messages.setdefault(pointer, entry["msg"])
    errors = [{"pointer": p, "detail": m} for p, m in list(messages.items())[:_SHOWN_ERRORS]]
    detail = "; ".join(f"{e['pointer'][2:] or 'body'}: {e['detail']}" for e in errors[:3])
    rest = f" and {len(messages) - 3} more" if len(messages) > 3 else ""
    return Problem("invalid", detail + rest, more={"errors": errors})


def _is_field(part: str | int) -> bool:
    """Whether the part of an error's place is a field, and no name of a union's member ("str", "DocumentIn", ...)."""
    if isinstance(part, int):
        return True
    return part.islower() and part not in ("str", "int", "float", "bool") and "[" not in part and "-" not in part


def _short(part: str | int) -> str:
    """A key that the client made up may be as long as the body."""
    return str(part)[:100]


def log_failure(error: BaseException, place: str) -> None:
    """Logs the error's type and the lines of code it passed; its message is left out, for it may hold text."""
    log.error("%s in %s\n%s", type(error).__name__, place, "".join(traceback.format_tb(error.__traceback__)).rstrip())
