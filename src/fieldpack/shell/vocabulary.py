"""The shells that compile and the actions they may name: every key and its kind of value (design text, section 9)."""

from __future__ import annotations

from fieldpack.shell.actions import steps
from fieldpack.shell.kinds import (
    CONDITION,
    FLAG,
    SECTION,
    TEXT,
    TEXTS,
    Table,
    choice,
    count,
    number,
    record,
    records,
    refused,
)

MAX_TOKENS = 100_000_000
SHARE = number(0, 1)
TOKENS = count(0, MAX_TOKENS)
PRIORITY = choice("low normal medium high")

_ALWAYS: Table = {"when": CONDITION, "priority": PRIORITY}
_SUMMARY = choice("key_points summarize summary extractive window key_value truncate progressive")
_RELEVANCE = choice("relevance relevance_to_context relevance_to_query relevance_filtering attractor_relevance recency")
_SELECT: Table = {
    **_ALWAYS,
    "target": SECTION,
    "method": _RELEVANCE,
    "threshold": SHARE,
    "top_n": count(1, 1000),
    "level": count(0, 8),
}

ACTIONS: dict[str, Table] = {
    "context.compress": {
        **_ALWAYS,
        "target": SECTION,
        "method": choice("summarize key_points extractive format structure truncate minimal progressive aggressive"),
        "threshold": SHARE,
        "ratio": number(0.01, 1),
        "preserve": TEXTS,
        "level": count(0, 8),
    },
    "history.summarize": {**_ALWAYS, "method": _SUMMARY, "threshold": SHARE, "keep": TEXTS, "preserve": TEXTS},
    "history.manage": {
        **_ALWAYS,
        "method": choice(
            "summarize_when_exceeds_budget window_when_exceeds_budget window summarize key_value progressive"
        ),
        "triggers": record({"condition": CONDITION, "action": _SUMMARY}, "triggers"),
        "threshold": SHARE,
        "max_messages": count(1, 1_000_000),
        "preserve": TEXTS,
        "level": count(0, 8),
    },
    "system.prune": {**_ALWAYS, "keep": TEXTS, "threshold": SHARE},
    "system.compress": {
        **_ALWAYS,
        "method": choice("minimal_instructions minimal progressive aggressive format structure"),
        "threshold": SHARE,
        "keep": TEXTS,
        "level": count(0, 8),
    },
    "boundary.adapt": {"trigger": choice("resonance_change"), "threshold": number(0.001, 1)},
    "boundary.filter": {
        "method": choice("relevance relevance_to_context relevance_to_query relevance_filtering attractor_relevance"),
        "min_score": SHARE,
    },
    "optimize.by_attractor": {"keep": choice("strongest all"), "top_n": count(1, 1000)},
    "optimize.preserve_residue": {"min_strength": SHARE},
    "optimize.amplify_resonance": {"target": SHARE},
    **{
        f"{s}.{verb}": _SELECT for s in ("input", "current", "context") for verb in ("filter", "optimize", "prioritize")
    },
}

_SECTION_ACTIONS = [a for a in ACTIONS if a.split(".")[0] not in ("boundary", "optimize")]
_RULES = steps(ACTIONS, _SECTION_ACTIONS)
_MONITORING = record(
    {"track_usage": FLAG, "alert_threshold": SHARE, "optimize_automatically": FLAG},
    "monitoring",
)
_ATTRACTOR: Table = {"name": TEXT, "strength": SHARE, "keywords": TEXTS}
_BOUNDARIES: Table = {
    "permeability": number(0.1, 0.9),
    "gradient": SHARE,
    "rules": steps(ACTIONS, ("boundary.adapt", "boundary.filter")),
}
_RESIDUE: Table = {
    "tracking": FLAG,
    "preservation_strategy": choice("compress_and_retain retain discard"),
    "priority": PRIORITY,
    "share": refused("priority=low, normal or high, which sets the weight of residue"),
    "min_strength": SHARE,
}
_HEAD: Table = {"intent": TEXT, "version": TEXT}

SHELLS: dict[str, Table] = {
    "token.budget": {
        **_HEAD,
        "total_tokens": count(1, MAX_TOKENS),
        "management_rules": _RULES,
        "monitoring": _MONITORING,
    },
    "field.manage": {
        **_HEAD,
        "attractors": records(_ATTRACTOR, "an attractor"),
        "boundaries": record(_BOUNDARIES, "boundaries"),
        "residue_handling": record(_RESIDUE, "residue_handling"),
        "token_optimization": steps(ACTIONS, [a for a in ACTIONS if a.startswith("optimize.")]),
    },
    "context.manage": {**_HEAD, "optimization": _RULES, "monitoring": _MONITORING},
}
"""The maps of sections (`allocations`, `budget`) are read in compile.py: their keys are names of sections."""
