"""What each number on a page means, in the words of docs/glossary.md: shown on hover, and in the legend for touch."""

from __future__ import annotations

from fieldpack.html import escape as text

MEASURES = {
    "relevance": "Calibrated probability that the passage holds evidence for the query, 0 to 1.",
    "tokens": "Tokens of the passage alone, counted by the pack's tokenizer.",
    "bits per token": "Information density: what the text tells beyond the rest of the documents.",
    "unique": "1 minus the similarity to the most similar other passage, 0 to 1.",
    "gain": "What a segment adds to the worth of the pack, when it is chosen (of dropped ones: at the end).",
    "called for": "Log odds that links to packed text add.",
    "repeats": "Log odds that copies in the pack take away.",
    "resonance": "Mean similarity of the paragraphs to each other, -1 to 1; of a passage: to all others.",
    "attraction": "Pull of the attractors on the passage, 0 to 1.",
    "unexplained": "The part of the passage outside the span of the attractors, 0 to 1.",
    "residue": "How much the passage says again what earlier turns carry, 0 to 1.",
    "permeability": "The share of the text that the field's boundary lets through, 0 to 1.",
    "attractor": "A centre that paragraphs of one subject gather around; those nearest to it are its basin.",
    "size": "Paragraphs in the basin of the attractor.",
    "share": "Share of all tokens that stand in the basin of the attractor.",
    "strength": "The share of the field's mass in an attractor's basin, times its cohesion, 0 to 1.",
    "demand": "How much the query wants each attractor; adds to 100%.",
    "segments": "The smallest pieces that are kept or dropped: sentences, rows, lines of code or paragraphs.",
}
"""{label: meaning}: labels as the page writes them."""


def defined(label: str, name: str = "") -> str:
    """HTML of a label that says on hover what it means. name: of the measure, where the label is not it."""
    meaning = MEASURES.get(name or label)
    return f'<abbr title="{text(meaning)}">{text(label)}</abbr>' if meaning else text(label)


def definitions(names: tuple[str, ...]) -> str:
    """HTML of a list of measures with their meaning."""
    rows = "".join(f"<div><dt>{text(n)}</dt><dd>{text(MEASURES[n])}</dd></div>" for n in names)
    return f"<dl>{rows}</dl>"
