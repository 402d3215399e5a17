"""fieldpack itself, at its three prices, in its units, and with parts taken out."""

from __future__ import annotations

from fieldpack.bench.systems import System


def systems() -> tuple[System, ...]:
    return ()
