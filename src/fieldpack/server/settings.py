"""What the operator of a service decides, and a client cannot."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field

from fieldpack.errors import SettingsError, UnknownNameError

MODELS = ("static", "minilm", "cascade")
"""What ships with fieldpack: the only models a client may name unless the operator says otherwise."""
KEY_VARIABLE = "FIELDPACK_API_KEY"
LEAST_KEY = 16
"""Characters of a key, at least: a shorter one can be guessed over a network."""


@dataclass(frozen=True)
class Settings:
    """How a service runs. Sizes in bytes, times in seconds.

    host, port: where it listens; anything but the loopback needs an api_key. max_body: of one request; max_buffered: of
    all request bodies held at once. body_timeout: for a request to arrive; timeout: to wait and be worked on.
    concurrency: requests worked on at once (threads); waiting: requests that may wait for their turn before 429;
    max_connections: sockets. max_documents: of one request. allow_models: further names, folders, hub names or URLs
    that clients may ask for, as written here. allow_remote_models: any hub name and any URL (a client can then
    make this machine call any address that it reaches). model_key: sent to URLs in allow_models, and nowhere else.
    allow_hosts: further names in the Host header. batch_wait: how long embedding waits for other requests; batch_texts:
    texts of one batch. max_sessions, session_idle, session_bytes: of conversations kept (documents of all together).
    grace: for requests in work when the service is stopped.
    """

    host: str = "127.0.0.1"
    port: int = 8017
    api_key: str | None = field(default=None, repr=False)
    max_body: int = 8 << 20
    max_buffered: int = 128 << 20
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
    session_bytes: int = 32 << 20
    grace: float = 20.0

    def __post_init__(self) -> None:
        whole = ("max_body", "max_buffered", "concurrency", "max_connections", "max_documents", "batch_texts")
        for name in (*whole, "max_sessions", "session_bytes", "waiting"):
            least = 0 if name == "waiting" else 1
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise SettingsError(f"{name} is {value!r}; allowed: a whole number, {least} or more")
        for name in ("body_timeout", "timeout", "session_idle", "grace", "batch_wait"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
                raise SettingsError(f"{name} is {value!r}; allowed: seconds, above 0")
        if not 0 <= self.port < 65536:
            raise SettingsError(f"port is {self.port}; allowed: 0 (any free one) to 65535")
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
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    def check_model(self, name: str) -> None:
        """Raises UnknownNameError unless a client may ask for this model. Compared as text: no file is looked at."""
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
        """What a remote model is sent as its key. Never this service's own."""
        return self.model_key or "" if model in self.allow_models else ""


def _remote_name(name: str) -> bool:
    """A URL, or a hub name that is no path of this machine."""
    if name.lower().startswith(("http://", "https://")):
        return True
    parts = name.split("/")
    plain = len(parts) == 2 and all(p and p[0].isalnum() and ".." not in p for p in parts)
    return plain and "\\" not in name and not os.path.exists(name)
