"""The settings of a service: decided by its operator, out of reach for its clients."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field

from fieldpack.checks import number, whole
from fieldpack.errors import SettingsError, UnknownNameError

MODELS = ("static", "minilm", "cascade")
"""The models that ship with fieldpack: the only ones a client may name unless the operator allows others."""
KEY_VARIABLE = "FIELDPACK_API_KEY"
LEAST_KEY = 16
"""Characters of a key, at least: a shorter one can be guessed over a network."""
_COUNTS = (
    *("max_body", "max_buffered", "concurrency", "waiting", "max_connections", "max_documents", "batch_texts"),
    *("max_sessions", "session_bytes", "tool_bytes"),
)
_HOST_NAME = re.compile(r"(\*\.)?[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?")
_SECONDS = ("head_timeout", "body_timeout", "timeout", "session_idle", "grace", "batch_wait", "write_timeout")


@dataclass(frozen=True)
class Settings:
    """How a service runs. Sizes are in bytes, times in seconds. Raises SettingsError.

    host, port: where it listens. Any host but the loopback needs an api_key; port 0 takes a free one.
    max_body: of one request. max_buffered: of all request bodies kept at once, and of all
    answers that clients have not taken yet.
    head_timeout, body_timeout: for the head and the body of a request to arrive.
    timeout: for a request to wait and be worked on.
    concurrency: requests worked on at once, in threads. waiting: requests that may wait for their turn before 429.
    max_connections: sockets. max_documents: of one request.
    allow_models: further names, folders, hub names or URLs that clients may ask for, as written here.
    allow_remote_models: any hub name and any URL; a client can then make this machine call any address it reaches.
    model_key: sent to URLs in allow_models and nowhere else. allow_hosts: further names in the Host header.
    batch_wait: how long a request for vectors waits for others. batch_texts: texts of one batch.
    max_sessions, session_idle, session_bytes: of conversations kept; the bytes are the memory that all hold together.
    tool_bytes: of what was left out of tools' outputs and waits to be expanded; the oldest go first.
    write_timeout: over so long a client has to take 16 KiB of its answer a second.
    grace: for requests at work when the service is stopped. access_log: whether `serve` logs every request.
    """

    host: str = "127.0.0.1"
    port: int = 8017
    api_key: str | None = field(default=None, repr=False)
    max_body: int = 8 << 20
    max_buffered: int = 128 << 20
    head_timeout: float = 10.0
    body_timeout: float = 15.0
    timeout: float = 60.0
    concurrency: int = 2
    waiting: int = 64
    max_connections: int = 512
    max_documents: int = 10_000
    allow_models: tuple[str, ...] = ()
    allow_remote_models: bool = False
    model_key: str | None = field(default=None, repr=False)
    allow_hosts: tuple[str, ...] = ()
    batch_wait: float = 0.003
    batch_texts: int = 256
    max_sessions: int = 64
    session_idle: float = 1800.0
    session_bytes: int = 512 << 20
    tool_bytes: int = 64 << 20
    write_timeout: float = 20.0
    grace: float = 20.0
    access_log: bool = False

    def __post_init__(self) -> None:
        for name in _COUNTS:
            whole(name, getattr(self, name), 0 if name == "waiting" else 1, 1 << 40)
        for name in _SECONDS:
            number(name, getattr(self, name), 0.001, 1e6)
        whole("port", self.port, 0, 65_535)
        for name in self.allow_hosts:
            if not _HOST_NAME.fullmatch(name):
                raise SettingsError(
                    f"allow_hosts holds {name!r}; allowed: a name, an address, or *.name for all below it"
                )
        self._check_key()

    def _check_key(self) -> None:
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.strip() == self.api_key != ""):
            raise SettingsError("the API key is empty or holds blanks or other characters than ASCII; give another")
        if self.loopback:
            return
        if self.api_key is None:
            raise SettingsError(
                f"host {self.host!r} can be reached by other machines, and there is no API key; set {KEY_VARIABLE} "
                "(or --api-key), or stay on 127.0.0.1"
            )
        if len(self.api_key) < LEAST_KEY:
            raise SettingsError(
                f"host {self.host!r} can be reached by other machines, and the API key has {len(self.api_key)} "
                f"characters; give one of {LEAST_KEY} or more"
            )

    @property
    def max_values(self) -> int:
        """JSON values of one request at most: ten times the documents, which are three texts and an object each."""
        return 10 * max(self.max_documents, 10_000)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    def check_model(self, name: str) -> None:
        """Raises UnknownNameError unless a client may ask for this model. Names are compared as text alone."""
        if name in MODELS or name in self.allow_models:
            return
        if self.allow_remote_models and _remote_name(name):
            return
        hint = "Other models have to be allowed by who runs this service."
        raise UnknownNameError("model", name[:200], {*MODELS, *self.shown_models}, hint)

    @property
    def shown_models(self) -> tuple[str, ...]:
        """Names that the operator added, as clients may see them: a URL can hold a password."""
        return tuple(name for name in self.allow_models if "@" not in name and "?" not in name)

    def key_for(self, model: str) -> str:
        """The key that is sent to a remote model: never this service's own."""
        return self.model_key or "" if model in self.allow_models else ""


def check_environment() -> None:
    """Raises SettingsError when the variable of the API key is there and blank: an empty key would be no key."""
    if not os.environ.get(KEY_VARIABLE, "key").strip():
        raise SettingsError(f"{KEY_VARIABLE} is empty; set it to a key, or unset it to serve this machine alone")


def _remote_name(name: str) -> bool:
    """Whether it is a URL, or a hub name (owner/model) that is no path of this machine."""
    if name.lower().startswith(("http://", "https://")):
        return True
    parts = name.split("/")
    two_names = len(parts) == 2 and all(p and p[0].isalnum() and ".." not in p for p in parts)
    return two_names and "\\" not in name and not os.path.exists(name)
