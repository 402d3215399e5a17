"""The bytes of a file, or of standard input, never more than allowed."""

from __future__ import annotations

import os
import stat
import sys
import unicodedata
from pathlib import Path
from typing import TextIO, TypeVar

from fieldpack.errors import InputError

Bytes = TypeVar("Bytes", bytes, str)
_PIPES = ("/dev/fd/", "/proc/self/fd/")  # a shell's <(command), and a program's own descriptors


def file_bytes(path: str, most: int) -> bytes:
    """The content of a regular file, read from the descriptor that was checked.

    Raises InputError for a file that is missing, unreadable, no regular file, or longer than `most` bytes.
    """
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | (0 if path.startswith(_PIPES) else getattr(os, "O_NONBLOCK", 0)))
        with open(descriptor, "rb") as stream:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(mode):
                raise InputError(f"{path} is a folder; it cannot be read as a file")
            if not (stat.S_ISREG(mode) or (stat.S_ISFIFO(mode) and path.startswith(_PIPES))):
                raise InputError(f"{path} is no regular file (device, pipe or socket); pipe its text in and give -")
            return _bounded(path, stream.read(most + 1), most)
    except FileNotFoundError:
        raise InputError(f"no such file or folder: {path}") from None
    except (OSError, ValueError) as error:  # a ValueError for a name with a NUL; InputError is one too
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def stdin_bytes(stream: TextIO | None, most: int) -> bytes | str:
    """What standard input holds: bytes where it has them."""
    stream = stream or sys.stdin
    buffer = getattr(stream, "buffer", None)
    if buffer is None:
        return _bounded("standard input", str(stream.read(most + 1)), most)
    return _bounded("standard input", bytes(buffer.read(most + 1)), most)


def _bounded(place: str, data: Bytes, most: int) -> Bytes:
    if len(data) > most:
        raise InputError(
            f"{place} has more than {most:,} bytes; split it, raise max_bytes, or stream its records (--stream)"
        )
    return data


def existing_path(path: str | Path) -> str:
    """The path as the file system spells it: "Ü" may be one character or two. The path itself when nothing is there."""
    path = str(path)
    if path.isascii() or os.path.lexists(path):
        return path
    head, tail = os.path.split(path)
    if not tail or head == path:
        return path
    parent = existing_path(head) if head else ""
    wanted = unicodedata.normalize("NFC", tail)
    try:
        names = sorted(os.listdir(parent or "."))
    except (OSError, ValueError):
        return path
    match = next((name for name in names if unicodedata.normalize("NFC", name) == wanted), None)
    return os.path.join(parent, match) if match is not None else path
