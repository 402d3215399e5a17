"""The folders that tools may read from, and nothing outside them: links and .. are resolved before a file is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from fieldpack.errors import InputError
from fieldpack.text.read import read
from fieldpack.types import Document

_SKIPPED = frozenset({"__pycache__", "node_modules", "venv", "env", "virtualenv", "site-packages", "CVS"})


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
        documents: list[Document] = []
        skipped: list[str] = []
        size, seen = 0, set()
        for shown, place, named in self._files(paths, skipped):
            if place in seen:
                continue
            seen.add(place)
            size += place.stat().st_size
            if len(seen) > self.most_files or size > self.most_bytes:
                raise InputError(
                    f"that is more than {self.most_files:,} files or {self.most_bytes:,} bytes; name fewer of them"
                )
            try:
                documents += [replace(d, id=_renamed(d.id, place, shown)) for d in read([place])]
            except InputError as error:
                why = str(error).replace(place.as_posix(), shown)
                if named:
                    raise InputError(why) from None
                skipped.append(f"{shown}: {why}")
        if not documents:
            raise InputError(f"no readable documents in {', '.join(paths[:5])}; give text files, or folders with some")
        return tuple(documents), tuple(skipped)

    def resolve(self, path: str) -> Path:
        """The real path of a path inside a root. For one outside, the InputError does not tell whether it exists."""
        if "\0" in path or not path.strip():
            raise InputError(f"{path[:200]!r} is no path; give a file or folder below a root")
        named = Path(path)
        candidates = [named] if named.is_absolute() else [root / named for root in self.folders]
        for candidate in candidates:
            try:
                place = candidate.resolve(strict=True)
            except (OSError, RuntimeError):  # not there, or a loop of links
                continue
            root = self._root_of(place)
            if root is not None and place.is_relative_to(root):
                hidden = any(part.startswith(".") for part in place.relative_to(root).parts)
                if not hidden:
                    return place
        raise InputError(f"{path[:200]!r} is not a visible file or folder below a root of this server")

    def _root_of(self, place: Path) -> Path | None:
        return next((root for root in self.folders if place.is_relative_to(root)), None)

    def _files(self, paths: Sequence[str], skipped: list[str]) -> Iterator[tuple[str, Path, bool]]:
        """(path to show, real path, whether it was named) of every file, each checked by itself."""
        for path in paths:
            place = self.resolve(path)
            if place.is_file():
                yield path, place, True
            elif place.is_dir():
                yield from self._walk(path, place, skipped)
            else:
                raise InputError(f"{path!r} is no regular file or folder")

    def _walk(self, shown: str, folder: Path, skipped: list[str]) -> Iterator[tuple[str, Path, bool]]:
        for at, folders, files in os.walk(folder):
            folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in _SKIPPED)
            for name in sorted(f for f in files if not f.startswith(".")):
                inside = Path(at, name).relative_to(folder).as_posix()
                label = f"{shown.rstrip('/')}/{inside}"
                try:
                    place = self.resolve(str(Path(at, name)))
                except InputError:
                    skipped.append(f"{label}: leads out of the roots")
                    continue
                if place.is_file():
                    yield label, place, False


def _renamed(name: str, place: Path, shown: str) -> str:
    """A document's id with the path as the client gave it; records of one file keep what follows the path."""
    return shown + name.removeprefix(place.as_posix()) if name.startswith(place.as_posix()) else name
