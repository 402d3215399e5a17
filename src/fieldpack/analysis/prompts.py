"""Prompts to paste, for people without code (design text, section 9.5), filled from a live budget plan and field.

budget_prompt: 9.5.1, the plan as a text that a chat can keep. field_prompt: 9.5.2, attractors, boundary and residue as
rules. shell_prompt: 9.5.3, the plan as a /context.manage shell. attractor_names puts words to the numbers of a field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.budget import BudgetPlan, Section
from fieldpack.checks import number
from fieldpack.errors import InputError
from fieldpack.field.boundary import Boundary
from fieldpack.field.residue import Residue
from fieldpack.field.state import FieldState
from fieldpack.words import words_of

_LINE = 160  # characters of a residue line
_ROLES = (
    "maintain focus on this concept",
    "include when relevant to the first",
    "include only when explicitly mentioned",
)
_HISTORY = ("history", "working_memory", "memory", "messages", "chat_history")
_SHELL_SECTIONS = (
    "system",
    "system_prompt",
    "examples",
    "context",
    "history",
    "input",
    "user_input",
    "output",
    "reserve",
)
_SYSTEM = ("system", "system_prompt", "instructions")


def attractor_names(
    centers: npt.NDArray[np.floating[Any]],
    vectors: npt.NDArray[np.floating[Any]],
    texts: Sequence[str],
    terms: int = 3,
) -> tuple[str, ...]:
    """A name for each attractor: the words that its texts use more than the other attractors' texts do.

    centers (k, d) and vectors (n, d): unit rows; texts: n. A text belongs to its most similar center. Words rank by
    class-based tf-idf (Grootendorst 2022) times their length, which leaves function words behind without a word list.
    An attractor that no text belongs to has the name "".
    """
    k = len(centers)
    if len(vectors) != len(texts):
        raise InputError(f"{len(vectors)} vectors for {len(texts)} texts; give one row a text")
    if not k or not len(texts):
        return ("",) * k
    basin = np.asarray(vectors @ np.asarray(centers).T).argmax(axis=1)
    words = words_of(texts)
    v = len(words.vocabulary)
    counts = np.zeros((k, v))
    np.add.at(counts, (np.repeat(basin, words.lengths), words.ids), 1)
    general = np.log(1 + counts.sum() / max(k, 1) / np.maximum(counts.sum(axis=0), 1))
    length = np.array([0 if w.isdigit() else len(w) if w.isascii() else 2 * len(w) for w in words.vocabulary])
    score = counts * general * np.minimum(length, 12)
    score[:, length < 3] = 0
    order = np.argsort(-score, axis=1, kind="stable")[:, :terms]
    return tuple(", ".join(words.vocabulary[w] for w in order[i] if score[i, w] > 0) for i in range(k))


def field_prompt(
    state: FieldState,
    names: Sequence[str] = (),
    *,
    residue: Mapping[str, str] | None = None,
    plan: BudgetPlan | None = None,
    min_relevance: float | None = None,
    attractors: int = 5,
    fragments: int = 8,
) -> str:
    """The field-aware prompting template of section 9.5.2, filled from a FieldState.

    names: of the attractors, strongest first (see attractor_names); one without a name keeps its number. residue:
    {fragment key: text}; a fragment without a text shows its key. plan: gives the share from which history is
    summarised (0.4 without one). min_relevance: in [0, 1], for the rule "relevance > n/10".
    """
    sections = (
        ("CORE ATTRACTORS", _attractor_lines(state, names, attractors)),
        ("BOUNDARY RULES", _boundary_lines(state.boundary, min_relevance)),
        ("RESIDUE PRESERVATION", _residue_lines(state.residue, residue or {}, fragments)),
        ("OPTIMIZATION DIRECTIVES", _directives(plan)),
    )
    body = "\n\n".join("\n".join([f"{title}:", *lines]) for title, lines in sections)
    return f"FIELD MANAGEMENT:\n\n{body}\n"


def budget_prompt(plan: BudgetPlan, rules: Sequence[str] | None = None) -> str:
    """The manual budget tracking of section 9.5.1: sections with tokens and share, what is used, numbered rules.

    rules: your own; by default those of the design text for the sections that the plan has.
    """
    lines = [f"TOKEN BUDGET ({_short(plan.window)} total):"]
    for s in plan.sections:
        used = f", {_short(s.used)} used" if s.tracked else ""
        lines.append(f"- {_one_line(s.label)}: {_short(s.budget)} ({_percent(s.budget, plan.window)}{used})")
    wanted = _rules(plan) if rules is None else list(rules)
    lines += ["", "OPTIMIZATION RULES:", *(f"{i}. {_one_line(rule)}" for i, rule in enumerate(wanted, 1))]
    return "\n".join(lines) + "\n"


def shell_prompt(plan: BudgetPlan) -> str:
    """The protocol shell prompt of section 9.5.3 for this plan: text to paste, and a shell that fieldpack parses."""
    keys = [f"        {_key(s.name)}={s.budget}" for s in plan.sections]
    budget = ",\n".join([f"        total_tokens={plan.window}", *keys])
    history = _first(plan, _HISTORY)
    steps = ['        /system.compress{method="minimal_instructions"}']
    if history:
        steps.append('        /history.manage{method="summarize_when_exceeds_budget"}')
    steps.append('        /input.prioritize{method="relevance_to_context"}')
    optimization = ",\n".join(steps)
    return (
        "I want you to act as a context management system using the following protocol:\n\n"
        "/context.manage{\n"
        '    intent="Optimize token usage while preserving key information",\n'
        f"    budget={{\n{budget}\n    }},\n"
        f"    optimization=[\n{optimization}\n    ]\n"
        "}\n"
    )


def _attractor_lines(state: FieldState, names: Sequence[str], most: int) -> list[str]:
    strengths = np.asarray(state.strength, np.float64)
    order = np.argsort(-strengths, kind="stable")[:most].tolist()
    lines = []
    for rank, i in enumerate(order):
        name = _one_line(names[i]) if i < len(names) and names[i].strip() else f"attractor {i + 1}"
        lines.append(f"{rank + 1}. {name} (strength {strengths[i]:.2f}) - {_ROLES[min(rank, len(_ROLES) - 1)]}")
    return lines or ["- none has formed yet: follow the current question"]


def _boundary_lines(boundary: Boundary, min_relevance: float | None) -> list[str]:
    if min_relevance is not None:
        number("min_relevance", min_relevance, 0, 1)
    lines = [f"- Let in the most relevant {boundary.permeability:.0%} of new information, no more"]
    if min_relevance is not None:
        lines.append(f"- Include new information only when relevance > {10 * min_relevance:.3g}/10")
    coherence = "" if boundary.resonance is None else f" (resonance so far {boundary.resonance:.2f} of 1)"
    return [*lines, f"- Maintain coherence with previous context{coherence}", "- Filter tangential content"]


def _residue_lines(residue: Residue, texts: Mapping[str, str], most: int) -> list[str]:
    carried = residue.fragments[:most]
    if not carried:
        return [
            "- Key definitions must persist across context",
            "- Core principles should be reinforced",
            "- Critical decisions/conclusions must be retained",
        ]
    return [f"- Keep ({f.state}): {_one_line(texts.get(f.key, f.key))}" for f in carried]


def _directives(plan: BudgetPlan | None) -> list[str]:
    share = "40%"
    if plan is not None and (history := _first(plan, _HISTORY)):
        share = _percent(history.budget, plan.window)
    return [
        f"- Summarize history when exceeding {share} of context",
        "- Prioritize content with highest relevance to core attractors",
        "- Compress format but preserve meaning",
    ]


def _rules(plan: BudgetPlan) -> list[str]:
    rules = []
    if history := _first(plan, _HISTORY):
        rules.append(
            f"When {history.name.replace('_', ' ')} exceeds {_short(history.budget)} tokens, summarize oldest parts"
        )
    if any(s.name == "examples" and s.budget for s in plan.sections):
        rules.append("Prioritize examples most relevant to current query")
    if system := _first(plan, _SYSTEM):
        rules.append(f"Keep system instructions concise and focused, within {_short(system.budget)} tokens")
    rules.append(f"Say so when {plan.alert_threshold:.0%} of the total is used")
    return rules


def _first(plan: BudgetPlan, names: Sequence[str]) -> Section | None:
    return next((s for s in plan.sections if s.name in names), None)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.4g}%"


def _short(tokens: int) -> str:
    """2000 -> "2K", 2500 -> "2.5K", 2437 -> "2,437": never rounded."""
    return f"{tokens / 1000:g}K" if tokens >= 1000 and tokens % 100 == 0 else f"{tokens:,}"


def _one_line(text: str) -> str:
    """One line of at most 160 characters, cut between words."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _LINE else f"{flat[:_LINE].rsplit(' ', 1)[0]}…"


def _key(name: str) -> str:
    """A section as a key of the shell: the sections that shells know stand bare, others are quoted."""
    escaped = " ".join(name.split()).replace("\\", "\\\\").replace('"', '\\"')
    return name if name in _SHELL_SECTIONS else f'"{escaped}"'
