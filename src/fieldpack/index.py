"""An index as a folder: what it was made with, and the corpus beside it. `fieldpack.pipeline.Index` uses it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldpack import storage as store
from fieldpack.corpus.corpus import Corpus
from fieldpack.corpus.files import Head, load_corpus, save_corpus
from fieldpack.errors import FieldpackError, InputError
from fieldpack.parts import PackerParts

KIND, VERSION = "index", 2
LARGE = 2048
"""Paragraphs from which the field is read once for all queries."""
_SETTINGS = (
    *("unit", "order", "cite", "min_relevance", "titles", "allow_cut", "fill", "residue_weight"),
    *("enough", "score_weight", "rerank_weight", "render"),
)


@dataclass(frozen=True, eq=False)
class Stored:
    """What lies in a folder: the corpus, and the settings of the packer that made it."""

    corpus: Corpus
    settings: dict[str, Any]


def save_index(folder: str | Path, packer: PackerParts, corpus: Corpus, vectors: bool) -> None:
    """Writes index.json, documents.jsonl, vocabulary.json and one .npy file for each array; static vectors only where
    `vectors` says so."""
    facts = {
        **_made_with(packer, corpus.unit),
        "embedder_name": packer.embedder.name,
        "settings": {name: getattr(packer, name) for name in _SETTINGS},
    }
    save_corpus(folder, Head(KIND, VERSION, facts, vectors), corpus)


def load_index(folder: str | Path, packer: PackerParts | None, verify: bool) -> Stored:
    """What `save_index` wrote. Raises InputError when files are missing, cut short or changed, when the embedder or the
    tokenizer cannot be opened by name and no packer is given, and when the packer's are others."""
    place = Path(folder)
    head = store.load(place, KIND, VERSION, verify)
    settings = _settings(head)
    parts = packer if packer is not None else _opened(settings)
    _require(head, parts)
    try:
        return Stored(load_corpus(place, head, parts.static), settings)
    except (KeyError, TypeError, ValueError, OSError, AttributeError, IndexError) as error:
        raise store.damaged(place, KIND, str(error)) from error


def require_same(made: PackerParts, corpus: Corpus, packer: PackerParts) -> None:
    """Raises InputError when `packer` has another embedder, tokenizer or unit than the one that made the corpus."""
    _require(_made_with(made, corpus.unit), packer)


def _made_with(packer: PackerParts, unit: str) -> dict[str, Any]:
    return {
        "embedder": packer.embedder.embedder.fingerprint if packer.dense else "",
        "static": packer.static.fingerprint,
        "tokenizer": packer.tokenizer.name,
        "unit": unit,
    }


def _settings(head: dict[str, Any]) -> dict[str, Any]:
    settings = head.get("settings")
    if not isinstance(settings, dict):
        raise InputError("the head of the index names no settings; index the documents anew")
    return {"embedder": head.get("embedder_name"), "tokenizer": head.get("tokenizer"), **settings}


def _opened(settings: dict[str, Any]) -> PackerParts:
    """A packer's parts with the saved settings."""
    try:
        return PackerParts(**settings)
    except (FieldpackError, TypeError) as error:
        raise InputError(
            f"the index was made with embedder {settings['embedder']!r} and tokenizer {settings['tokenizer']!r}, "
            f"which cannot be opened by name ({error}); pass packer=ContextPacker(...)"
        ) from error


def _require(head: dict[str, Any], packer: PackerParts) -> None:
    # A packer of unit "auto" takes what the documents called for when they were indexed.
    wanted = _made_with(packer, str(head.get("unit")) if packer.unit == "auto" else packer.unit)
    for name, expected in wanted.items():
        if head.get(name) != expected:
            raise InputError(
                f"the index was made with {name} {head.get(name)!r} and the packer has {expected!r}; "
                "load it with a packer of the same kind, or index the documents anew"
            )
