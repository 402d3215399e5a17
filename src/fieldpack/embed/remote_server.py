"""The server at a URL: its protocol, the address for embeddings, and how much it takes at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from fieldpack.embed.remote_call import Caller, NotJSON, Refused
from fieldpack.errors import InputError


@dataclass(frozen=True)
class Server:
    """kind: "openai" or "tei". url: where texts are sent. model, revision: as the server states them, else "".

    Limits: inputs (texts a request), input_tokens (tokens a text), request_tokens (tokens a request, None: no limit).
    """

    kind: str
    inputs: int
    input_tokens: int
    request_tokens: int | None
    url: httpx.URL = field(default_factory=httpx.URL)
    model: str = ""
    revision: str = ""


OPENAI = Server("openai", inputs=2048, input_tokens=8192, request_tokens=300_000)
TEI = Server("tei", inputs=32, input_tokens=512, request_tokens=None)
_OPENAI_MODEL = "text-embedding-3-small"
_USUAL_BATCH = 512


def discover(
    caller: Caller, url: httpx.URL, model: str | None, batch: int | None, max_input_tokens: int | None
) -> Server:
    """The server at `url`, recognised by the path, else by its /info. batch: texts a request, cut to its limit."""
    server = _kind(caller, url, model)
    wanted = batch or (server.inputs if server.kind == "tei" else _USUAL_BATCH)
    return replace(
        server,
        inputs=max(1, min(server.inputs, wanted)),
        input_tokens=max_input_tokens or server.input_tokens,
    )


def _kind(caller: Caller, url: httpx.URL, model: str | None) -> Server:
    path = url.path.rstrip("/")
    if path.endswith("/embeddings"):
        return _openai(caller, url, path.removesuffix("/embeddings"), model)
    if path.endswith("/v1"):
        return _openai(caller, url.copy_with(path=f"{path}/embeddings"), path, model)
    base = path.removesuffix("/embed")
    info = _page(caller, url, f"{base}/info")
    if isinstance(info, dict) and ("max_client_batch_size" in info or "max_input_length" in info):
        return _tei(url, base, info)
    if path.endswith("/embed"):
        return _tei(url, base, {})
    return _openai(caller, url.copy_with(path=f"{base}/v1/embeddings"), f"{base}/v1", model)


def _tei(url: httpx.URL, base: str, info: dict[str, Any]) -> Server:
    # A text's own marks (two, as a rule) count towards max_input_length.
    return replace(
        TEI,
        url=url.copy_with(path=f"{base}/embed"),
        model=str(info.get("model_id") or ""),
        revision=str(info.get("model_sha") or ""),
        inputs=_positive(info.get("max_client_batch_size"), TEI.inputs),
        input_tokens=max(1, _positive(info.get("max_input_length"), TEI.input_tokens) - 2),
    )


def _openai(caller: Caller, url: httpx.URL, base: str, model: str | None) -> Server:
    if model is None:
        listed = None if url.host == "api.openai.com" else _page(caller, url, f"{base}/models")
        entries = listed.get("data") if isinstance(listed, dict) else None
        first = entries[0] if isinstance(entries, list) and entries else None
        model = str(first.get("id")) if isinstance(first, dict) and first.get("id") else _OPENAI_MODEL
    return replace(OPENAI, url=url, model=model)


def _page(caller: Caller, url: httpx.URL, path: str) -> Any:
    """Parsed JSON, or None when the server has no such page; a key that is refused and a dead network are errors."""
    try:
        return caller.ask("GET", url.copy_with(path=path, query=None))
    except NotJSON:
        return None
    except Refused as refused:
        if refused.status in (401, 403):
            raise caller.refusal(refused) from None
        return None


def _positive(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and value > 0 else otherwise


def checked_key(api_key: str | None) -> str:
    key = (api_key or "").strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise InputError("api_key holds a space or a character that an HTTP header cannot carry; copy it anew")
    return key


def parsed_url(url: str) -> tuple[httpx.URL, tuple[str, str] | None]:
    """The URL without user and password, and these: a URL is logged, so it must hold no secret."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise InputError(f"model URL cannot be read ({error}); give one like http://localhost:8080/v1") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InputError("model URL needs http:// or https:// and a host, as in http://localhost:8080/v1")
    login = (parsed.username, parsed.password) if parsed.username or parsed.password else None
    return parsed.copy_with(username=None, password=None), login


def shown_url(url: str) -> str:
    """scheme://host:port/path, for messages: no user, password or query."""
    parsed, _ = parsed_url(url)
    return str(parsed.copy_with(query=None, fragment=None)).rstrip("/")
