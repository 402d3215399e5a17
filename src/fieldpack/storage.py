"""Saved files: one atomic write, one checksum, and two formats built on them. No pickle.

A *folder* (`save`, `load`): any files and .npy arrays beside KIND.json, which lists the size and the sha256 of each.
An *archive* (`save_archive`, `load_archive`): one NAME.npz beside NAME.json, which holds the sha256 of the npz.
In both the JSON file is written last, so a reader sees what was saved, or an InputError.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.errors import InputError

Arrays = Mapping[str, npt.NDArray[Any]]
UNFINISHED = ".*.part"
"""Pattern of the files that a killed `write_file` leaves behind."""


@dataclass(frozen=True)
class Archive:
    """What `load_archive` read: facts is the JSON object, arrays are by name."""

    facts: dict[str, Any]
    arrays: dict[str, npt.NDArray[Any]]


def sha256(content: bytes) -> str:
    """The sha256 of bytes, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path) -> str:
    """The sha256 of a file's content, 64 hexadecimal digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_file(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Writes the file beside its place and renames it: a reader sees the old content or the new, never a part.

    durable: also after a loss of power, at the price of waiting for the disk. Raises OSError.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable and os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def save(
    folder: str | Path, kind: str, version: int, facts: Mapping[str, Any], files: Mapping[str, bytes], arrays: Arrays
) -> None:
    """Writes `files` and `arrays` (NAME.npy each), then KIND.json with `facts`. Raises InputError when it cannot."""
    place = Path(folder)
    named = {**files, **{f"{name}.npy": _npy(array) for name, array in arrays.items()}}
    try:
        place.mkdir(parents=True, exist_ok=True)
        listed = {name: [len(body), sha256(body)] for name, body in named.items()}
        for name, body in named.items():
            write_file(place / name, body)
        head = {"kind": kind, "version": version, "files": listed, **facts}
        write_file(place / f"{kind}.json", _json(head))
    except OSError as e:
        raise _unwritable(place, kind, e) from e
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
    if not isinstance(head, dict) or head.get("kind") != kind:
        raise _other_version(place, kind, version, None)
    if head.get("version") != version:
        raise _other_version(place, kind, version, head)
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
        mapped = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError, SyntaxError, OverflowError, TokenError) as e:  # numpy tokenizes the head
        why = str(e).partition("\n")[0]
        raise InputError(f"{path} is no array: {why}; make the folder anew") from e
    return np.asarray(mapped)


def damaged(folder: str | Path, kind: str, why: object) -> InputError:
    """The error for saved files that cannot be what they claim to be."""
    return InputError(f"the {kind} in {folder} is damaged ({why}); delete the folder and make it anew")


def lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
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


def save_archive(
    folder: str | Path, name: str, version: int, kind: str, facts: Mapping[str, Any], arrays: Arrays
) -> None:
    """Writes NAME.npz, then NAME.json with `facts`, version and checksum; `kind` is what messages call it.

    facts: what JSON can hold. Raises InputError when the folder cannot be written.
    """
    place = Path(folder)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(arrays))
    content = buffer.getvalue()
    try:
        place.mkdir(parents=True, exist_ok=True)
        write_file(place / f"{name}.npz", content)
        write_file(place / f"{name}.json", _json({"version": version, "sha256": sha256(content), **facts}))
    except OSError as e:
        raise _unwritable(place, kind, e) from e


def load_archive(folder: str | Path, name: str, version: int, kind: str, names: Sequence[str]) -> Archive:
    """Facts and the named arrays of an archive; `kind` is what messages call it.

    Raises InputError for files that are missing, cut short, changed, or of another version.
    """
    place = Path(folder)
    try:
        facts = json.loads((place / f"{name}.json").read_bytes().decode("utf-8"))
        content = (place / f"{name}.npz").read_bytes()
    except OSError as e:
        raise InputError(f"no {kind} in {place} ({e.strerror}); expected {name}.json and {name}.npz") from e
    except (ValueError, RecursionError) as e:
        raise damaged(place, kind, e) from e
    if not isinstance(facts, dict) or facts.get("version") != version:
        raise _other_version(place, kind, version, facts)
    if sha256(content) != facts.get("sha256"):
        why = f"{name}.npz does not match its checksum: cut short, changed, or from another save"
        raise damaged(place, kind, why)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return Archive(facts, {entry: archive[entry] for entry in names})
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as e:
        raise damaged(place, kind, e) from e


def _unwritable(place: Path, kind: str, error: OSError) -> InputError:
    return InputError(f"cannot write the {kind} to {place}: {error.strerror}; give a folder that can be written")


def _other_version(place: Path, kind: str, version: int, head: Any) -> InputError:
    written = head.get("version") if isinstance(head, dict) else None
    return InputError(
        f"{place} holds a {kind} of version {written!r}; this fieldpack reads version {version}: "
        "make it anew, or use the fieldpack that wrote it"
    )


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
    if verify and sha256_of_file(path) != expected[1]:
        raise damaged(place, kind, f"{name} does not match its checksum")


def _json(head: Mapping[str, Any]) -> bytes:
    return json.dumps(head, ensure_ascii=False, indent=1).encode("utf-8")


def _npy(values: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(values), allow_pickle=False)
    return buffer.getvalue()
