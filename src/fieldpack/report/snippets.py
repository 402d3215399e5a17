"""A result as notebooks show it: a few lines of HTML with inline styles, everything escaped."""

from __future__ import annotations

from collections.abc import Sequence

from fieldpack.html import escape as text
from fieldpack.types import Dropped, Kept

_MOST_KEPT, _MOST_DROPPED, _MOST_CHARACTERS = 12, 5, 220
_BAR = "display:inline-block;height:.7em;width:{:.0f}px;background:{};border-radius:2px"


def pack_snippet(
    queries: Sequence[str],
    kept: Sequence[Kept],
    dropped: Sequence[Dropped],
    *,
    tokens: int,
    budget: int,
    notes: Sequence[str] = (),
) -> str:
    """A pack as a table: what was kept, the most relevant that were dropped, each with its score and reason."""
    share = min(tokens / budget, 1.0)
    best_kept = sorted(kept, key=lambda k: -k.score)
    best_dropped = sorted(dropped, key=lambda d: -d.score)
    rows = "".join(_row(k, "#b07d00", 1.0) for k in best_kept[:_MOST_KEPT])
    rows += _rest(len(kept) - _MOST_KEPT, "kept")
    rows += "".join(_row(d, "#8a8f98", 0.72) for d in best_dropped[:_MOST_DROPPED])
    rows += _rest(len(dropped) - _MOST_DROPPED, "dropped")
    lines = "".join(f"<div><em>{text(note)}</em></div>" for note in notes)
    shown_queries = " · ".join(text(" ".join(q.split())[:_MOST_CHARACTERS]) for q in queries[:4])
    return (
        f'<div style="max-width:70em"><div><b>{shown_queries}</b></div><div>'
        '<span style="display:inline-block;width:160px;background:rgba(128,128,128,.25);line-height:0">'
        f'<span style="{_BAR.format(share * 160, "#b07d00")}"></span></span> '
        f"{tokens:,} of {budget:,} tokens, {len(kept):,} kept, {len(dropped):,} dropped</div>{lines}"
        '<table style="font-size:.92em"><thead><tr><th>relevance</th><th>tokens</th>'
        '<th style="text-align:left">where</th>'
        f'<th style="text-align:left">text and reason</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _row(item: Kept | Dropped, colour: str, opacity: float) -> str:
    line = " ".join(item.text[: 4 * _MOST_CHARACTERS].split())
    line = line[:_MOST_CHARACTERS] + ("…" if len(line) > _MOST_CHARACTERS else "")
    bar = f'<span style="{_BAR.format(max(item.score, 0.0) * 40, colour)}"></span>'
    return (
        f'<tr style="opacity:{opacity};vertical-align:top"><td style="white-space:nowrap">{item.score:.2f} {bar}</td>'
        f'<td>{item.tokens}</td><td style="text-align:left"><code>{text(item.doc_id[:80])}:{item.start}</code></td>'
        f'<td style="text-align:left" dir="auto">{text(line)}<br><small>{text(item.reason)}</small></td></tr>'
    )


def _rest(count: int, name: str) -> str:
    return (
        f'<tr><td></td><td></td><td></td><td style="text-align:left">and {count:,} more {name}</td></tr>'
        if count > 0
        else ""
    )
