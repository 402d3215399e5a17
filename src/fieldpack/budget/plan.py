"""The frozen budget plan: the tokens of each section, their use, and alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from fieldpack.budget.allocate import OUTPUT, OVERALL, Allocation, flow, largest_remainder
from fieldpack.html import escape, table

Level = Literal["near", "borrows", "over"]
_COLOURS = {"": "green", "near": "yellow", "borrows": "yellow", "over": "red"}


@dataclass(frozen=True, slots=True)
class Section:
    """One row of the plan, in tokens. `budget` is its own share, `available` what it may use after surplus has flowed.

    `used` is 0 until usage is tracked (`tracked`). `utilization` = used / budget (0 for an unused empty budget,
    infinity for a used one).
    """

    name: str
    label: str
    budget: int
    used: int
    available: int
    tracked: bool

    @property
    def remaining(self) -> int:
        """budget - used: negative when the section is over its own share."""
        return self.budget - self.used

    @property
    def utilization(self) -> float:
        return self.used / self.budget if self.budget else (float("inf") if self.used else 0.0)


@dataclass(frozen=True, slots=True)
class Alert:
    """A section, or the window ("overall"), whose use needs attention.

    `near`: use has reached the threshold; `borrows`: over its own share, covered by surplus; `over`: not covered.
    """

    section: str
    level: Level
    used: int
    limit: int
    message: str


@dataclass(frozen=True)
class BudgetPlan:
    """A window divided into sections whose budgets, and whose available tokens, each add to it exactly."""

    window: int
    preset: str
    sections: tuple[Section, ...]
    alert_threshold: float = 0.9
    model: str = ""

    @property
    def used(self) -> int:
        return sum(s.used for s in self.sections)

    @property
    def remaining(self) -> int:
        return self.window - self.used

    @property
    def budgets(self) -> dict[str, int]:
        return {s.name: s.budget for s in self.sections}

    @property
    def available(self) -> dict[str, int]:
        return {s.name: s.available for s in self.sections}

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Sections in plan order, then the whole window."""
        alerts = [alert for s in self.sections if (alert := _section_alert(s, self.alert_threshold))]
        if self.used > self.window:
            text = f"the window is over by {self.used - self.window} tokens"
            alerts.append(Alert(OVERALL, "over", self.used, self.window, text))
        elif self.used >= self.alert_threshold * self.window:
            text = f"{self.used / self.window:.0%} of the window is used"
            alerts.append(Alert(OVERALL, "near", self.used, self.window, text))
        return tuple(alerts)

    def status(self) -> dict[str, dict[str, float]]:
        """{section: {budget, used, remaining, available, utilization}} and "overall" (design text, section 8.1)."""
        rows: dict[str, dict[str, float]] = {
            s.name: {
                "budget": s.budget,
                "used": s.used,
                "remaining": s.remaining,
                "available": s.available,
                "utilization": s.utilization,
            }
            for s in self.sections
        }
        rows[OVERALL] = {
            "budget": self.window,
            "used": self.used,
            "remaining": self.remaining,
            "available": self.window,
            "utilization": self.used / self.window,
        }
        return rows

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready. An infinite utilization (tokens used, none budgeted) is null."""
        status = self.status()
        finite = {name: {k: None if v == float("inf") else v for k, v in row.items()} for name, row in status.items()}
        return {
            "window": self.window,
            "model": self.model or None,
            "preset": self.preset,
            "alert_threshold": self.alert_threshold,
            "budgets": self.budgets,
            "sections": {s.name: {"label": s.label, "tracked": s.tracked, **finite[s.name]} for s in self.sections},
            "overall": finite[OVERALL],
            "alerts": [asdict(a) for a in self.alerts],
        }

    def text(self) -> str:
        """The status report for people: one row a section, then the alerts. ASCII columns, no colour."""
        rows = [("section", "budget", "share", "used", "available")]
        rows += [
            (
                s.name,
                f"{s.budget:,}",
                f"{s.budget / self.window:.1%}",
                f"{s.used:,}" if s.tracked else "-",
                f"{s.available:,}",
            )
            for s in self.sections
        ]
        rows.append(("total", f"{self.window:,}", "100.0%", f"{self.used:,}", f"{self.window:,}"))
        widths = [max(len(row[c]) for row in rows) for c in range(5)]
        lines = [
            "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
            for row in rows
        ]
        title = f"{self.preset or 'custom'} plan for {self.window:,} tokens" + (
            f" ({self.model})" if self.model else ""
        )
        return "\n".join([title, *lines, *(f"! {a.section}: {a.message}" for a in self.alerts)])

    def bars(self, width: int = 40, markup: bool = True) -> list[str]:
        """One line a section: name, bar, used/available. `markup` adds rich colour tags (names are escaped).

        A bar's length is the section's available tokens, the longest being `width` cells; its filled part is used.
        """
        levels = {a.section: a.level for a in self.alerts}
        label = max(len(s.name) for s in self.sections)
        widest = max(max(s.available for s in self.sections), 1)
        lines = []
        for s in self.sections:
            cells = max(1, round(width * s.available / widest))
            full = min(cells, -(-s.used * cells // s.available)) if s.available else (cells if s.used else 0)
            done, rest = "█" * full, "░" * (cells - full)
            if markup:
                colour = _COLOURS[levels.get(s.name, "")]
                done, rest = (f"[{colour}]{done}[/]" if done else ""), (f"[dim]{rest}[/]" if rest else "")
            name = s.name.replace("[", r"\[") + " " * (label - len(s.name)) if markup else s.name.ljust(label)
            lines.append(f"{name} {done}{rest}{' ' * (width - cells)} {s.used:,}/{s.available:,}")
        return lines

    def _repr_html_(self) -> str:
        rows = [
            [
                f"<span title='{escape(s.label)}'>{escape(s.name)}</span>",
                f"{s.budget:,}",
                f"{s.used:,}",
                f"{s.available:,}",
                f"<progress max='{max(s.available, 1)}' value='{s.used}'></progress>",
            ]
            for s in self.sections
        ]
        head = ("section", "budget", "used", "available", "")
        alerts = "".join(f"<li>{escape(a.section)}: {escape(a.message)}</li>" for a in self.alerts)
        shown = table(head, rows, caption=f"{escape(self.preset)}: {self.window:,} tokens")
        return shown + (f"<ul>{alerts}</ul>" if alerts else "")


def make_plan(
    window: int,
    allocation: Allocation,
    used: Mapping[str, int],
    output_reserve: int = 0,
    alert_threshold: float = 0.9,
    model: str = "",
) -> BudgetPlan:
    """The plan of one moment. `used` is keyed by section; `output_reserve` tokens are set aside before the shares."""
    parts = largest_remainder(window - output_reserve, list(allocation.shares.values()))
    budgets = dict(zip(allocation.shares, parts, strict=True))
    if output_reserve:
        budgets[OUTPUT] = output_reserve
    available = flow(budgets, used)
    sections = tuple(
        Section(
            name=name,
            label=_label(allocation, name),
            budget=budgets[name],
            used=used.get(name, 0),
            available=available[name],
            tracked=name in used,
        )
        for name in budgets
    )
    return BudgetPlan(window, allocation.preset, sections, alert_threshold, model)


def _label(allocation: Allocation, name: str) -> str:
    default = "Kept free for the answer" if name == OUTPUT else name.replace("_", " ").capitalize()
    return allocation.labels.get(name, default)


def _section_alert(s: Section, threshold: float) -> Alert | None:
    if s.used > s.available:
        return Alert(
            s.name, "over", s.used, s.available, f"over by {s.used - s.available} tokens; nothing is left to lend"
        )
    if s.used > s.budget:
        return Alert(
            s.name, "borrows", s.used, s.budget, f"uses {s.used - s.budget} tokens that other sections leave free"
        )
    if s.used and s.used >= threshold * s.budget:
        return Alert(s.name, "near", s.used, s.budget, f"{s.used / s.budget:.0%} of its budget is used")
    return None
