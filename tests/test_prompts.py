"""Prompt templates: what is live stands in them, and the shell parses."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fieldpack import shell
from fieldpack.analysis.prompts import attractor_names, budget_prompt, field_prompt, shell_prompt
from fieldpack.budget import TokenBudgetPlanner
from fieldpack.errors import InputError
from fieldpack.field.state import FieldState, read

SOLAR = [
    "Solar panels turn sunlight into power.",
    "Panels of silicon make solar power cheap.",
    "Cheap solar panels spread.",
]
BREAD = ["Bread needs flour and yeast.", "Yeast makes the flour dough rise.", "Rye flour bread is dark."]


def field():
    """Two topics, far apart, and a state that has read them and carries one fragment."""
    rng = np.random.default_rng(0)
    base = np.repeat(np.eye(2, 16), [3, 3], axis=0) + rng.normal(0, 0.05, (6, 16))
    rows = (base / np.linalg.norm(base, axis=1, keepdims=True)).astype(np.float32)
    state = read(rows).state.integrate(["a", "b"], rows[:2], [0.9, 0.5])
    return rows, state


def test_names_are_the_words_of_the_basin():
    rows, _ = field()
    names = attractor_names(np.eye(2, 16), rows, SOLAR + BREAD, terms=2)
    assert set(names[0].split(", ")) == {"solar", "panels"}
    assert "flour" in names[1] and "the" not in names[1].split(", ")
    assert attractor_names(np.zeros((0, 16)), rows, SOLAR + BREAD) == ()
    assert attractor_names(np.eye(3, 16), rows, SOLAR + BREAD)[2] == ""
    with pytest.raises(InputError, match="one row a text"):
        attractor_names(np.eye(2, 16), rows, SOLAR)


def test_field_prompt_speaks_of_this_field():
    _, state = field()
    plan = TokenBudgetPlanner(16000, "simple_qa").plan()
    text = field_prompt(
        state, ["solar panels", ""], residue={"a": "A cell\n  has 0.6 V."}, plan=plan, min_relevance=0.65
    )
    titles = re.findall(r"^[A-Z ]+:$", text, re.MULTILINE)
    assert titles == [
        "FIELD MANAGEMENT:",
        "CORE ATTRACTORS:",
        "BOUNDARY RULES:",
        "RESIDUE PRESERVATION:",
        "OPTIMIZATION DIRECTIVES:",
    ]
    assert "solar panels (strength" in text
    assert f"most relevant {state.boundary.permeability:.0%} of" in text and "relevance > 6.5/10" in text
    assert "- Keep (integrated): A cell has 0.6 V." in text and "- Keep (integrated): b" in text
    assert "exceeding 70% of context" in text
    with pytest.raises(InputError):
        field_prompt(state, min_relevance=7)


def test_field_prompt_before_the_first_turn_has_the_templates_own_lines():
    text = field_prompt(FieldState.start())
    assert "none has formed yet" in text and "Key definitions must persist" in text and "70% of new" in text
    assert "exceeding 40% of context" in text


def test_long_residue_is_cut_between_words():
    _, state = field()
    line = next(x for x in field_prompt(state, residue={"a": "word " * 100}).splitlines() if x.startswith("- Keep"))
    assert line.endswith("word…") and len(line) < 190


def test_budget_prompt_is_the_design_texts():
    tokens = {"system": 2000, "examples": 3000, "history": 6000, "input": 4000, "reserve": 1000}
    planner = TokenBudgetPlanner(16000, allocations=tokens)
    planner.track_usage("history", 2437)
    assert budget_prompt(planner.plan()).splitlines() == [
        "TOKEN BUDGET (16K total):",
        "- System: 2K (12.5%)",
        "- Examples: 3K (18.75%)",
        "- History: 6K (37.5%, 2,437 used)",
        "- Input: 4K (25%)",
        "- Reserve: 1K (6.25%)",
        "",
        "OPTIMIZATION RULES:",
        "1. When history exceeds 6K tokens, summarize oldest parts",
        "2. Prioritize examples most relevant to current query",
        "3. Keep system instructions concise and focused, within 2K tokens",
        "4. Say so when 90% of the total is used",
    ]
    assert budget_prompt(planner.plan(), ["Be\nbrief"]).endswith("1. Be brief\n")


@pytest.mark.parametrize("preset", ["pyramid", "forty_forty_twenty", "simple_qa", "complex_reasoning"])
def test_shell_prompt_compiles_to_the_same_budget(preset):
    plan = TokenBudgetPlanner(8000, preset).plan()
    text = shell_prompt(plan)
    compiled = shell.compile(shell.parse(text[text.index("/context") :]))
    assert compiled.budget.total_tokens == 8000
    assert dict(compiled.budget.tokens) == plan.budgets


def test_shell_prompt_quotes_names_of_your_own():
    plan = TokenBudgetPlanner(100, allocations={'odd "name"': 0.5, "2nd": 0.5}).plan()
    text = shell_prompt(plan)
    compiled = shell.compile(shell.parse(text[text.index("/context") :]))
    assert dict(compiled.budget.tokens) == plan.budgets
