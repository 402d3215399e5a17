"""Budgets: a context window divided among the sections of a prompt (design text, sections 2.2, 6 and 8.1)."""

from fieldpack.budget.allocate import Allocation, flow, largest_remainder, presets
from fieldpack.budget.plan import Alert, BudgetPlan, Section
from fieldpack.budget.planner import BudgetEquation, TokenBudgetPlanner, parse_used
from fieldpack.budget.windows import context_windows, window_of

__all__ = [
    "Alert",
    "Allocation",
    "BudgetEquation",
    "BudgetPlan",
    "Section",
    "TokenBudgetPlanner",
    "context_windows",
    "flow",
    "largest_remainder",
    "parse_used",
    "presets",
    "window_of",
]
