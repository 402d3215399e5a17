"""A result as notebooks show it: a few lines of HTML with inline styles, everything escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fieldpack.html import bar
from fieldpack.html import escape as text

if TYPE_CHECKING:
    from fieldpack.result import Result
    from fieldpack.types import Dropped, Kept

_MOST_KEPT, _MOST_DROPPED, _MOST_CHARACTERS = 12, 5, 220


def result_snippet(result: Result) -> str:
    """The pack as a table: what was kept, the nearest that were dropped, each with its score and reason."""
    share = min(result.tokens / result.budget, 1.0)
    kept = sorted(result.kept, key=lambda k: -k.score)
    dropped = sorted(result.dropped, key=lambda d: -d.score)
    rows = "".join(_row(k, "#b07d00", 1.0) for k in kept[:_MOST_KEPT])
    rows += _rest(len(kept) - _MOST_KEPT, "kept")
    rows += "".join(_row(d, "#8a8f98", 0.72) for d in dropped[:_MOST_DROPPED])
    rows += _rest(len(dropped) - _MOST_DROPPED, "dropped")
    notes = "".join(f"<div><em>{text(note)}</em></div>" for note in result.notes)
    queries = " · ".join(text(" ".join(q.split())[:_MOST_CHARACTERS]) for q in result.queries[:4])
    return (
        f'<div style="max-width:70em"><div><b>{queries}</b></div><div>'
        '<span style="display:inline-block;width:160px;background:rgba(128,128,128,.25);line-height:0">'
        f"{bar(share, 160, '#b07d00')}</span> "
        f"{result.tokens:,} of {result.budget:,} tokens, {len(kept):,} kept, {len(dropped):,} dropped</div>{notes}"
        '<table style="font-size:.92em"><thead><tr><th>relevance</th><th>tokens</th>'
        '<th style="text-align:left">where</th>'
        f'<th style="text-align:left">text and reason</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _row(item: Kept | Dropped, colour: str, opacity: float) -> str:
    said = " ".join(item.text[: 4 * _MOST_CHARACTERS].split())
    said = said[:_MOST_CHARACTERS] + ("…" if len(said) > _MOST_CHARACTERS else "")
    score = f"{item.score:.2f} {bar(item.score, 40, colour)}"
    return (
        f'<tr style="opacity:{opacity};vertical-align:top"><td style="white-space:nowrap">{score}</td>'
        f'<td>{item.tokens}</td><td style="text-align:left"><code>{text(item.doc_id[:80])}:{item.start}</code></td>'
        f'<td style="text-align:left" dir="auto">{text(said)}<br><small>{text(item.reason)}</small></td></tr>'
    )


def _rest(count: int, name: str) -> str:
    return (
        f'<tr><td></td><td></td><td></td><td style="text-align:left">and {count:,} more {name}</td></tr>'
        if count > 0
        else ""
    )
