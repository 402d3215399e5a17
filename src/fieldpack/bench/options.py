"""The options of a quality run, and how the command line's lists become them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from fieldpack.errors import InputError, SettingsError


@dataclass(frozen=True)
class Options:
    """What to measure. Empty `sets`, `systems`, `budgets` mean all sets, all systems but the ablations, and the budgets
    that suit each set. Among `systems` may be groups: baselines, peers, tiers (fieldpack's), ablations.

    data: a data set or a folder of them. limit: queries of each set; limits: of single sets. embedder: what every
    system that needs vectors is given (any name that EmbeddingService takes). out: folder for shards and vectors, which
    make a run resumable. redo: systems whose stored rows are measured again. seconds: after them no new query is
    begun, but for three of each set. quick: few queries and systems, static vectors, two minutes. held_out: a folder of
    SET.json, fieldpack's weights trained without that set (models/build_scorer.py --held-out); a set that has none
    there is measured with the shipped weights. few: no folders of files among all sets (set by quick).
    """

    data: str | Path
    sets: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    budgets: tuple[float, ...] = ()
    limit: int | None = 100
    limits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    embedder: str = "minilm"
    encoding: str = "o200k_base"
    out: Path | None = None
    redo: tuple[str, ...] = ()
    held_out: Path | None = None
    quick: bool = False
    few: bool = False
    seconds: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise SettingsError(f"limit is {self.limit}; allowed: 1 or more")


def words_of(text: str) -> tuple[str, ...]:
    """The names of a comma-separated list."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def numbers_of(text: str) -> tuple[float, ...]:
    """The budgets of a comma-separated list. Raises InputError for one that is no number."""
    out = []
    for word in words_of(text):
        try:
            out.append(float(word))
        except ValueError as error:
            raise InputError(f"budget {word!r} is no number; give shares (0.25) or tokens (1000)") from error
    return tuple(out)
