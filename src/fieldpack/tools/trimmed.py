"""What a trimmer gives back: the output in the shape that it came in, and everything about the cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fieldpack.tools.notice import Counts


@dataclass(frozen=True)
class Part:
    """One text of an output. id: by which `expand` finds it. text: as it came; shown: as it goes out; kept: the ranges
    of `text` that stand in it. counts, notice, form: as the notice says; None and "" for a text that was not cut."""

    id: str
    text: str
    shown: str
    kept: tuple[tuple[int, int], ...] = ()
    counts: Counts | None = None
    notice: str = ""
    form: str = ""

    @property
    def cut(self) -> bool:
        """Whether anything was left out."""
        return self.counts is not None


@dataclass(frozen=True)
class Trimmed:
    """An output as it goes out.

    output: in the shape that came in; with shadow=True what came in. would: what goes out without shadow. cut: whether
    anything was (with shadow: would be) left out. notes: why it is unchanged, and what else a user should know.
    tokens_before, tokens_after: of all its texts; estimated: the first is an estimate. replayed: decided in an earlier
    request. failed: unchanged because of an error or the time limit. saved: tokens not sent new; saved_cached: tokens
    that a cache would have been read for; money: both by the price, None without one.
    """

    output: Any
    would: Any
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()
    tokens_before: int = 0
    tokens_after: int = 0
    estimated: bool = False
    cut: bool = False
    shadow: bool = False
    replayed: bool = False
    failed: bool = False
    saved: int = 0
    saved_cached: int = 0
    money: float | None = None
    milliseconds: float = 0.0

    @property
    def text(self) -> str:
        """The texts of `would`, one after the other."""
        return "\n\n".join(p.shown for p in self.parts)

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the texts that were cut."""
        return tuple(p.id for p in self.parts if p.cut)

    def attributes(self) -> dict[str, int | float | bool]:
        """Sizes for logs and traces: no text and no names."""
        return {
            "fieldpack.tool.tokens_before": self.tokens_before,
            "fieldpack.tool.tokens_after": self.tokens_after,
            "fieldpack.tool.saved": self.saved,
            "fieldpack.tool.saved_cached": self.saved_cached,
            "fieldpack.tool.cut": self.cut,
            "fieldpack.tool.shadow": self.shadow,
            "fieldpack.tool.replayed": self.replayed,
            "fieldpack.tool.failed": self.failed,
            "fieldpack.tool.milliseconds": round(self.milliseconds, 3),
            **({} if self.money is None else {"fieldpack.tool.money": round(self.money, 9)}),
        }

    def to_dict(self) -> dict[str, Any]:
        """The object that `fieldpack trim --json` prints."""
        return {
            "text": self.text,
            "cut": self.cut,
            "ids": list(self.ids),
            "notes": list(self.notes),
            "tokens_before": self.tokens_before,
            "tokens_after": self.tokens_after,
            "estimated": self.estimated,
            "saved": self.saved,
            "shadow": self.shadow,
            "milliseconds": round(self.milliseconds, 3),
        }
