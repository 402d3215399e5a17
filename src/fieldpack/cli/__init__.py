"""The command line. `main` is the entry point; errors become one line on stderr and an exit code."""

from __future__ import annotations

import io
import os
import sys


def main() -> None:
    """Runs `fieldpack`. Exit codes: 0 done, 2 bad usage or input, 3 the pinned text cannot fit, 130 interrupted."""
    from fieldpack.cli.app import run

    for stream in (sys.stdout, sys.stderr):  # whatever the locale: documents hold any script
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (head, less) went away: that is no error, but Python would complain when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
