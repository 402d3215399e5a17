"""A folder with one JSON file and one npz file, written so that a reader sees the old pair or the new, or an error.

field.json names the version and the sha256 of field.npz; arrays are read without pickle. The only I/O of `field`.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.errors import InputError

VERSION = 1
_FACTS, _ARRAYS = "field.json", "field.npz"


def save(folder: Path, facts: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Writes both files, each by a temporary file that is then renamed. `facts` must be JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    content = buffer.getvalue()
    head = {"version": VERSION, "sha256": hashlib.sha256(content).hexdigest()}
    _write(folder / _ARRAYS, content)
    _write(folder / _FACTS, json.dumps(head | facts, ensure_ascii=False, indent=1).encode("utf-8"))


def load(folder: Path, names: Sequence[str]) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Facts and the named arrays. Raises InputError for files missing, cut short, changed or of another version."""
    try:
        facts = json.loads((folder / _FACTS).read_bytes().decode("utf-8"))
        content = (folder / _ARRAYS).read_bytes()
    except OSError as e:
        raise InputError(f"no field state in {folder} ({e.strerror}); expected {_FACTS} and {_ARRAYS}") from e
    except (ValueError, RecursionError) as e:
        raise damaged(folder, e) from e
    if not isinstance(facts, dict) or facts.get("version") != VERSION:
        found = facts.get("version") if isinstance(facts, dict) else None
        raise InputError(
            f"{folder} holds a field state of version {found!r}; this fieldpack reads version {VERSION}: start anew "
            "or use the fieldpack that wrote it"
        )
    if hashlib.sha256(content).hexdigest() != facts.get("sha256"):
        raise damaged(folder, f"{_ARRAYS} does not match its checksum: cut short, changed, or from another save")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return facts, {name: archive[name] for name in names}
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as e:
        raise damaged(folder, e) from e


def damaged(folder: Path, why: object) -> InputError:
    """The error for files that cannot be a field state."""
    return InputError(f"the field state in {folder} is damaged ({why}); delete the folder and start anew")


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)
