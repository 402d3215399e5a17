"""Folders of files that vouch for each other: a head (JSON) names kind, version, and size and sha256 of each file.

Every file is written beside its place and renamed, the head last; a reader sees what was written or an error.
No pickle.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.errors import InputError

Arrays = Mapping[str, npt.NDArray[Any]]


def save(
    folder: str | Path, kind: str, version: int, facts: Mapping[str, Any], files: Mapping[str, bytes], arrays: Arrays
) -> None:
    """Writes `files` and `arrays` (NAME.npy each), then KIND.json with `facts`. Raises InputError when it cannot."""
    place = Path(folder)
    named = {**files, **{f"{name}.npy": _npy(array) for name, array in arrays.items()}}
    try:
        place.mkdir(parents=True, exist_ok=True)
        listed = {name: [len(body), hashlib.sha256(body).hexdigest()] for name, body in named.items()}
        for name, body in named.items():
            _write(place / name, body)
        head = {"kind": kind, "version": version, "files": listed, **facts}
        _write(place / f"{kind}.json", json.dumps(head, ensure_ascii=False, indent=1).encode("utf-8"))
    except OSError as e:
        raise InputError(f"cannot write the {kind} to {place}: {e.strerror}; give a folder that can be written") from e
    except (TypeError, ValueError) as e:
        raise InputError(f"the {kind} holds what JSON cannot: {e}") from e


def load(folder: str | Path, kind: str, version: int, verify: bool = True) -> dict[str, Any]:
    """The head of the folder after its files were checked: sizes always, checksums with `verify`.

    Raises InputError when a file is missing, cut short or changed, or the version is another.
    """
    place = Path(folder)
    try:
        head = json.loads((place / f"{kind}.json").read_bytes().decode("utf-8"))
    except OSError as e:
        raise InputError(f"no {kind} in {place}: cannot read {kind}.json ({e.strerror})") from e
    except (ValueError, RecursionError) as e:
        raise damaged(place, kind, f"{kind}.json is no JSON") from e
    if not isinstance(head, dict) or head.get("kind") != kind or head.get("version") != version:
        found = head.get("version") if isinstance(head, dict) else None
        raise InputError(
            f"{place} holds a {kind} of version {found!r}; this fieldpack reads version {version}: "
            "make it anew, or use the fieldpack that wrote it"
        )
    files = head.get("files")
    if not isinstance(files, dict):
        raise damaged(place, kind, "its head names no files")
    for name, expected in files.items():
        _check(place, kind, name, expected, verify)
    return head


def array(folder: str | Path, name: str) -> npt.NDArray[Any]:
    """A memory-mapped, read-only array of a folder that `load` has checked."""
    path = Path(folder) / f"{name}.npy"
    try:
        # Reads .npy and nothing else: no zip archive, and no objects, which would be pickles.
        found = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError) as e:
        why = str(e).partition("\n")[0]
        raise InputError(f"{path} is no array: {why}; make the folder anew") from e
    return np.asarray(found)


def damaged(folder: Path, kind: str, why: str) -> InputError:
    """The error for a folder that cannot be what it says."""
    return InputError(f"the {kind} in {folder} is damaged ({why}); delete the folder and make it anew")


def lines(rows: list[dict[str, Any]]) -> bytes:
    """JSON lines. Raises InputError for what JSON cannot hold, naming the row's id."""
    out = []
    for row in rows:
        try:
            out.append(json.dumps(row, ensure_ascii=False, allow_nan=False))
        except (TypeError, ValueError) as e:
            raise InputError(f"{row.get('id')!r} holds what JSON cannot: {e}; give strings, numbers and lists") from e
    return ("\n".join(out) + "\n").encode("utf-8") if out else b""


def read_lines(path: Path) -> list[Any]:
    """The rows that `lines` wrote."""
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def _check(place: Path, kind: str, name: str, expected: Any, verify: bool) -> None:
    # A head could name files elsewhere: only bare names are files of this folder.
    if not isinstance(expected, list) or len(expected) != 2 or Path(name).name != name:
        raise damaged(place, kind, f"its head describes {name!r} wrongly")
    path = place / name
    if not path.is_file():
        raise damaged(place, kind, f"{name} is missing")
    size = path.stat().st_size
    if size != expected[0]:
        raise damaged(place, kind, f"{name} has {size} bytes, {expected[0]} were written")
    if verify:
        with path.open("rb") as f:
            if hashlib.file_digest(f, "sha256").hexdigest() != expected[1]:
                raise damaged(place, kind, f"{name} does not match its checksum")


def _npy(values: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(values), allow_pickle=False)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)
