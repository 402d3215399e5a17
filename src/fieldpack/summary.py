"""One text made short by the packer, without a query: what `fieldpack compress` and the memory's summaries are."""

from __future__ import annotations

from dataclasses import replace

from fieldpack.compress import DynamicTokenOptimizer
from fieldpack.pipeline import ContextPacker

_TRIES = 4


def summary(packer: ContextPacker, text: str, budget: int) -> str:
    """The most salient sentences of `text`, verbatim and in reading order, in at most `budget` tokens; "" where none
    fits. Raises InputError for a budget below 1."""
    if not text.strip():
        return ""
    return replace(packer, unit="auto", order="source", cite=False, titles=False).pack(None, [text], budget).text


def key_points(packer: ContextPacker, text: str, budget: int) -> str:
    """The same as a list: each piece on a line of its own after "- "; "" where none fits."""
    room = budget
    for _ in range(_TRIES):
        if room < 1 or not text.strip():
            return ""
        result = replace(packer, unit="auto", order="source", cite=False, titles=False).pack(None, [text], room)
        lines = [k.text.strip() for k in result.kept]
        listed = "\n".join(line if "\n" in line or line.startswith(("- ", "#")) else f"- {line}" for line in lines)
        over = packer.tokenizer.count(listed) - budget
        if over <= 0:
            return listed
        room -= over + 1
    return ""


def optimizer(packer: ContextPacker) -> DynamicTokenOptimizer:
    """A DynamicTokenOptimizer whose `summarize` and `extract_key_points` are the packer's."""
    return DynamicTokenOptimizer(
        packer.tokenizer,
        strategies={
            "extract_key_points": lambda text, target: key_points(packer, text, target) if target else "",
            "summarize": lambda text, target: summary(packer, text, target) if target else "",
        },
    )
