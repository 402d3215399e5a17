"""What a report of a field opens with: its topics, each with its words, its share, its best passage and its places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fieldpack.html import escape as text
from fieldpack.report.field_map import COLOURS
from fieldpack.report.measures import defined
from fieldpack.report.view import FieldView
from fieldpack.types import KINDS, IntArray

_PASSAGE = 320
"""Characters of the best passage."""
_PLACES = 3
_NO_PROSE = [KINDS.index(kind) for kind in ("heading", "code", "table")]
_FEWEST_TOKENS = 8
"""A shorter passage says little of its topic, however near it is."""


def topic_list(field: FieldView, topics: Sequence[Sequence[str]]) -> str:
    """HTML of the topics, the largest share of tokens first; "" where the field has no attractor."""
    basin = field.attractors.basin[field.paragraph]
    total = max(int(field.rows.tokens.sum()), 1)
    shares = [int(field.rows.tokens[basin == k].sum()) / total for k in range(len(field.attractors))]
    order = sorted(range(len(shares)), key=lambda k: -shares[k])
    items = "".join(_topic(field, k, words=topics[k], share=shares[k], rows=np.flatnonzero(basin == k)) for k in order)
    title = '<section aria-labelledby="topics-title"><h2 id="topics-title">Topics</h2>'
    return f'{title}<ol class="topics">{items}</ol></section>' if items else ""


def _topic(field: FieldView, k: int, *, words: Sequence[str], share: float, rows: IntArray) -> str:
    best = _best(field, k, rows)
    colour = f"b{k % COLOURS}"
    passage = ""
    if best is not None:
        s = field.rows[best]
        source = " ".join(field.documents[s.doc].text[s.start : min(s.end, s.start + 4 * _PASSAGE)].split())
        more = "…" if len(source) > _PASSAGE else ""
        passage = (
            f'<p dir="auto">{text(source[:_PASSAGE])}{more}</p>'
            f'<p class="where"><code>{text(field.documents[s.doc].id[:120])}</code></p>'
        )
    return (
        f'<li class="card"><h3><span class="chip {colour}">{k + 1}</span>{text(", ".join(words)) or "no words"}'
        f'<span class="count">{defined("share")} {share:.0%}</span></h3>'
        f'<svg class="share {colour}" viewBox="0 0 100 5" preserveAspectRatio="none" role="img" '
        f'aria-label="{share:.0%} of the tokens"><rect width="{100 * share:.1f}" height="5"></rect></svg>'
        f'{passage}<p class="where">{_places(field, rows)}</p></li>'
    )


def _best(field: FieldView, k: int, rows: IntArray) -> int | None:
    """The passage nearest to the attractor; headings, code, tables and scraps only where there is nothing else."""
    if not len(rows):
        return None
    centers = field.attractors.centers
    near = field.vectors[field.paragraph[rows]] @ centers[k]
    scrap = np.isin(field.rows.kind[rows], _NO_PROSE) | (field.rows.tokens[rows] < _FEWEST_TOKENS)
    return int(rows[np.lexsort((-near, scrap))[0]])


def _places(field: FieldView, rows: IntArray) -> str:
    """Where the topic stands: the documents that hold most of its tokens."""
    tokens = np.bincount(field.rows.doc[rows], weights=field.rows.tokens[rows], minlength=len(field.documents))
    order = [d for d in np.argsort(-tokens, kind="stable").tolist() if tokens[d] > 0]
    shares = {d: f" {tokens[d] / tokens.sum():.0%}" for d in order[:_PLACES] if tokens[d] >= 0.005 * tokens.sum()}
    names = ", ".join(f"<code>{text(field.documents[d].id[:80])}</code>{shares.get(d, '')}" for d in order[:_PLACES])
    more = f" and {len(order) - _PLACES:,} more documents" if len(order) > _PLACES else ""
    return f"in {names}{more}" if names else ""
