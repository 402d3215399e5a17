"""An output folder: a manifest of the run, one file for each shard, complete or absent, and their checksums."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from fieldpack.errors import InputError
from fieldpack.storage import UNFINISHED, sha256, write_file

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # a system without: two runs in one folder are not kept apart there
    fcntl = None

MANIFEST = "manifest.json"
CHECKSUMS = "SHA256SUMS"
"""A line for each shard that was written, as `sha256sum -c` reads them; the last one of a name counts."""
VERSION = 1
MOST_BATCH = 1_000_000
"""Items of one shard at most: each is held in memory as a whole."""


@dataclass(frozen=True)
class Output:
    """Shard k holds items [k * size, (k + 1) * size) of `count`.

    about: the input and settings of the run; a folder that was begun with others is refused.
    """

    folder: Path
    kind: str
    count: int
    size: int
    ending: str
    about: Mapping[str, Any]

    def __len__(self) -> int:
        """The number of shards."""
        return -(-self.count // self.size)

    def path(self, shard: int) -> Path:
        return self.folder / f"{self.kind}-{shard:06d}.{self.ending}"

    def items(self, shard: int) -> range:
        """The numbers of the items of a shard."""
        return range(shard * self.size, min((shard + 1) * self.size, self.count))

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Makes or checks the folder, and locks it while inside. Raises InputError when it holds another run."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _alone(self.folder):
                for leftover in self.folder.glob(UNFINISHED):  # of a write that was killed; nobody else writes here
                    leftover.unlink()
                self._check()
                yield
        except OSError as error:
            raise InputError(
                f"cannot write to {error.filename or self.folder}: {error.strerror}; give a folder that can be written"
            ) from error

    def missing(self, whole: Callable[[int, bytes], bool]) -> list[int]:
        """The shards that are not there, changed since they were written, or not `whole`."""
        sums = self.checksums()

        def is_there(shard: int) -> bool:
            if not self.path(shard).is_file():
                return False
            content = self.path(shard).read_bytes()
            return sums.get(self.path(shard).name) == sha256(content) and whole(shard, content)

        return [k for k in range(len(self)) if not is_there(k)]

    def checksums(self) -> dict[str, str]:
        """{name of a shard: its sha256}; lines that are none are passed over."""
        try:
            text = (self.folder / CHECKSUMS).read_text("utf-8", "replace")
        except OSError:
            return {}
        pairs = (line.split("  ") for line in text.splitlines())
        return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}

    def write(self, shard: int, content: bytes) -> None:
        """On disk when this returns, and complete whenever it is seen."""
        write_file(self.path(shard), content, durable=True)
        # The leading line end closes a line that a kill cut short.
        with (self.folder / CHECKSUMS).open("ab") as file:
            torn = file.tell() > 0 and not _ends_line(self.folder / CHECKSUMS)
            file.write(f"{chr(10) * torn}{sha256(content)}  {self.path(shard).name}\n".encode("ascii"))
            file.flush()
            os.fsync(file.fileno())

    def clear(self) -> None:
        """Takes all shards away, once nobody needs them any more."""
        for path in (*map(self.path, range(len(self))), self.folder / CHECKSUMS):
            path.unlink(missing_ok=True)

    def finish(self) -> None:
        """When all shards are there: one line for each, in order, so that two runs leave the same bytes."""
        sums, names = self.checksums(), [self.path(k).name for k in range(len(self))]
        listed = "".join(f"{sums[name]}  {name}\n" for name in names).encode("ascii")
        path = self.folder / CHECKSUMS
        if names and path.read_bytes() != listed:
            write_file(path, listed, durable=True)

    def _check(self) -> None:
        wanted = {"kind": self.kind, "version": VERSION, "count": self.count, "batch": self.size, **self.about}
        path = self.folder / MANIFEST
        if not path.is_file():
            if any(self.folder.iterdir()):
                raise InputError(f"{self.folder} holds files and no {MANIFEST}; give a new folder")
            content = json.dumps(wanted, ensure_ascii=False, indent=1).encode("utf-8") + b"\n"
            write_file(path, content, durable=True)
            return
        try:
            written = json.loads(path.read_text("utf-8"))
        except ValueError:
            written = None
        if not isinstance(written, dict):
            raise InputError(f"{path} is damaged; give a new folder")
        for name in {**wanted, **written}:
            if written.get(name) != wanted.get(name):
                raise InputError(
                    f"{self.folder} was begun with another {name}: {_short(written.get(name))}, "
                    f"now {_short(wanted.get(name))}; use what it was begun with, or give a new folder"
                )


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"another run writes to {folder}; wait for it, or give another folder") from None
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(handle)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."
