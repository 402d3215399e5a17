"""The folders that tools may read from, and nothing outside them: what is read is what was checked (`opened`)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fieldpack.errors import InputError
from fieldpack.files.read import read_bytes
from fieldpack.files.source import existing_path
from fieldpack.mcp.opened import BY_DESCRIPTOR, Content, opened_folder, read_below, read_in
from fieldpack.types import Document

_SKIPPED = frozenset({"__pycache__", "node_modules", "venv", "env", "virtualenv", "site-packages", "CVS"})


@dataclass(frozen=True)
class Place:
    """Something below a root by its real path, no part of it a link when it was resolved."""

    root: Path
    parts: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The real path."""
        return self.root.joinpath(*self.parts)


class Roots:
    """Folders, resolved once. most_files, most_bytes: limits of one call.

    Raises InputError for a folder that is not there.
    """

    def __init__(self, folders: Sequence[str | Path], most_files: int = 2000, most_bytes: int = 32 << 20) -> None:
        self.most_files, self.most_bytes = most_files, most_bytes
        places = []
        for folder in folders:
            place = Path(folder).expanduser().resolve()
            if not place.is_dir():
                raise InputError(f"root {str(folder)!r} is no folder; name an existing one")
            places.append(place)
        self.folders = tuple(places)

    def read(self, paths: Sequence[str]) -> tuple[tuple[Document, ...], tuple[str, ...]]:
        """Documents of files and folders, and a line for each file that was left out. Ids are the paths as given.

        Paths are absolute, or relative to any root. Raises InputError for a path that is outside, hidden or missing.
        """
        if not self.folders:
            raise InputError("no files can be read here: the server was started without --root; send documents instead")
        reading = _Reading(self)
        for path in paths:
            place = self.resolve(path)
            if place.path.is_dir():
                reading.folder(path, place)
            else:
                reading.named(path, place)
        if not reading.documents:
            raise InputError(f"no readable documents in {', '.join(paths[:5])}; give text files, or folders with some")
        return tuple(reading.documents), tuple(reading.skipped)

    def resolve(self, path: str) -> Place:
        """The place of a path inside a root. For one outside, the InputError does not tell whether it exists."""
        if "\0" in path or not path.strip():
            raise InputError(f"{path[:200]!r} is no path; give a file or folder below a root")
        named = Path(path)
        candidates = [named] if named.is_absolute() else [root / named for root in self.folders]
        for candidate in candidates:
            try:
                place = Path(existing_path(candidate)).resolve(strict=True)
            except (OSError, RuntimeError):  # not there, or a loop of links
                continue
            root = next((root for root in self.folders if place.is_relative_to(root)), None)
            if root is not None:
                parts = place.relative_to(root).parts
                if not any(part.startswith(".") for part in parts):
                    return Place(root, parts)
        raise _not_visible(path)


@dataclass
class _Reading:
    """One call: what was read so far, and its size."""

    roots: Roots
    documents: list[Document] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    _seen: set[tuple[int, int]] = field(default_factory=set)
    _size: int = 0

    def named(self, shown: str, place: Place) -> None:
        """A file that the caller named: what is wrong with it is an error."""
        try:
            content = read_below(place.root, place.parts, self._left()) if place.parts else None
        except OSError:  # gone, swapped for a link, or not to be read
            raise _not_visible(shown) from None
        except InputError as error:
            raise InputError(f"{shown!r} cannot be read: {error}") from None
        if content is None:
            raise _not_visible(shown)
        try:
            self._take(shown, place.path, content)
        except _Unreadable as error:
            raise InputError(str(error)) from None

    def folder(self, shown: str, place: Place) -> None:
        """The files of a folder; what cannot be read is skipped, and said."""
        for inside, content in self._contents(place):
            label = f"{shown.rstrip('/')}/{inside}"
            if isinstance(content, str):
                self.skipped.append(f"{label}: {content}")
                continue
            try:
                self._take(label, place.path / inside, content)
            except _Unreadable as error:
                self.skipped.append(f"{label}: {error}")

    def _contents(self, place: Place) -> Iterator[tuple[str, Content | str]]:
        """(path inside the folder, what is in the file or why it is not read)."""
        if not BY_DESCRIPTOR:
            for at, folders, files in os.walk(place.path):
                folders[:] = _visible(folders)
                for name in sorted(f for f in files if not f.startswith(".")):
                    yield Path(at, name).relative_to(place.path).as_posix(), self._where_it_leads(Path(at, name))
            return
        try:
            with opened_folder(place.root, place.parts) as folder:
                for at, folders, files, descriptor in os.fwalk(".", dir_fd=folder):
                    folders[:] = _visible(folders)
                    for name in sorted(f for f in files if not f.startswith(".")):
                        inside = os.path.normpath(os.path.join(at, name))
                        yield inside, self._listed(descriptor, name, place.path / inside)
        except OSError:
            raise InputError("the folder was replaced or removed while it was read; ask again") from None

    def _listed(self, folder: int, name: str, path: Path) -> Content | str:
        try:
            return read_in(folder, name, self._left())
        except OSError:  # a link: where it leads may be below a root
            return self._where_it_leads(path)
        except InputError as error:
            return str(error)

    def _where_it_leads(self, path: Path) -> Content | str:
        try:
            place = self.roots.resolve(str(path))
            return read_below(place.root, place.parts, self._left())
        except (InputError, OSError):
            return "leads out of the roots, or cannot be read"

    def _left(self) -> int:
        """Bytes that may still be read."""
        return self.roots.most_bytes - self._size

    def _take(self, shown: str, path: Path, content: Content) -> None:
        """The documents of a file. Raises InputError above the limits, _Unreadable for what is no text."""
        if content.identity in self._seen:
            return
        self._seen.add(content.identity)
        if len(self._seen) > self.roots.most_files or len(content.data) > self._left():
            most = f"{self.roots.most_files:,} files or {self.roots.most_bytes:,} bytes"
            raise InputError(f"that is more than {most}; name fewer of them")
        self._size += len(content.data)
        try:
            documents = read_bytes(path.as_posix(), content.data).documents
        except InputError as error:
            raise _Unreadable(str(error).replace(path.as_posix(), shown)) from None
        self.documents += [replace(d, id=_renamed(d.id, path, shown)) for d in documents]


class _Unreadable(Exception):
    """What is wrong with a file, in words that the client may see."""


def _not_visible(path: str) -> InputError:
    return InputError(f"{path[:200]!r} is not a visible file or folder below a root of this server")


def _visible(folders: Sequence[str]) -> list[str]:
    return sorted(f for f in folders if not f.startswith(".") and f not in _SKIPPED)


def _renamed(name: str, place: Path, shown: str) -> str:
    """A document's id with the path as the client gave it; records of one file keep what follows the path."""
    return shown + name.removeprefix(place.as_posix()) if name.startswith(place.as_posix()) else name
