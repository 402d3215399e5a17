"""Files that ship with fieldpack (`models/` in the source tree, `fieldpack/_models/` in a wheel) and their
checksums."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from fieldpack.errors import AssetError
from fieldpack.storage import sha256_of_file

_HERE = Path(__file__).resolve().parent


@functools.cache
def root() -> Path:
    """The folder that holds manifest.json."""
    for folder in (_HERE / "_models", _HERE.parents[1] / "models"):
        if (folder / "manifest.json").is_file():
            return folder
    raise AssetError(f"the model files of fieldpack are missing (looked beside {_HERE}); reinstall the package")


@functools.cache
def manifest() -> dict[str, Any]:
    """{"files": {relative path: sha256}, "models": {name: {...}}}."""
    path = root() / "manifest.json"
    try:
        parsed: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if isinstance(parsed["files"], dict) and isinstance(parsed["models"], dict):
            return parsed
    except (ValueError, KeyError, TypeError) as error:
        raise AssetError(f"{path} is damaged ({type(error).__name__}: {error}); reinstall fieldpack") from error
    raise AssetError(f"{path} is damaged: files and models are not listed in it; reinstall fieldpack")


@functools.cache
def verified(relative: str) -> Path:
    """The path of a shipped file after its sha256 was compared with the manifest's (once per process).

    Raises AssetError when the manifest does not list it, it is missing, or it was changed.
    """
    expected = manifest()["files"].get(relative)
    path = root() / relative
    if expected is None or not path.is_file():
        raise AssetError(f"{relative} is not among the shipped model files; reinstall fieldpack")
    actual = sha256_of_file(path)
    if actual != expected:
        raise AssetError(f"{path} is damaged: sha256 {actual[:12]}…, expected {expected[:12]}…; reinstall fieldpack")
    return path


def own_documents() -> list[Path]:
    """fieldpack's own README and guides, for the demo; without cli.md, which quotes the demo's own question, and the
    glossary, which is a list."""
    for folder in (_HERE / "_demo", _HERE.parents[1]):
        if (folder / "README.md").is_file():
            guides = sorted(p for p in (folder / "docs").glob("*.md") if p.name not in ("cli.md", "glossary.md"))
            return [folder / "README.md", *guides]
    raise AssetError(f"the documents of fieldpack are missing (looked beside {_HERE}); reinstall the package")
