"""fieldpack as an HTTP service: `create_app(Settings())` is the ASGI app, `serve(Settings())` runs it."""

from __future__ import annotations

from fieldpack.server.settings import Settings as Settings

__all__ = ["Settings", "create_app", "serve"]


def __getattr__(name: str) -> object:
    """The app is imported when asked for, so that its extra is missed with the right error, and only then."""
    if name in ("create_app", "serve"):
        from fieldpack.server import run

        return getattr(run, name)
    raise AttributeError(f"module 'fieldpack.server' has no attribute {name!r}; it has {', '.join(__all__)}")
