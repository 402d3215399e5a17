"""Pages from results and readings: one file, its own style and script allowed by hash, everything else forbidden."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldpack.field.state import Reading
from fieldpack.html import escape as text
from fieldpack.prepared import Prepared
from fieldpack.report import field_map, numbers, packs
from fieldpack.report.documents import Body, body
from fieldpack.report.safe import data, digest
from fieldpack.types import FloatArray

if TYPE_CHECKING:
    from fieldpack.result import Result

_LONG = 400
"""From this many segments on the page opens with what is kept and what stands around it."""
_MOST_TEXT = 100_000
"""Characters of the packed text that can be read and copied from the page."""


def result_page(result: Result, packs_shown: Sequence[Result] | None = None) -> str:
    """HTML of a whole pack: documents lit and dimmed, the reasons, the field, and a slider over other budgets.

    packs_shown: results of the same prepared documents at other budgets; None packs about twelve (`Result.repack`).
    The page refers to nothing outside itself. At most 4,000 segments and 1.5 MB of text are shown, those that some pack
    keeps first, then the most relevant, and the page says how many are not.
    """
    prepared, reading = result.prepared, result.reading
    found = packs.packs(result, packs_shown)
    kept = packs.anywhere(found)
    shown = body(prepared, result.inside, kept, np.asarray(result.relevance.logit, np.float32), result.cut)
    group = numbers.group_of(prepared)
    lit = np.bincount(group[result.inside], minlength=len(prepared.corpus.starts)) > 0
    ever = np.bincount(group[kept], minlength=len(lit)) > 0
    field, facts = _field(prepared, reading, result.asked, ever, lit)
    facts |= {
        "type": "result",
        **_common(prepared, reading, shown),
        "query": numbers.query_columns(result, shown.rows),
        "packs": packs.pack_columns(found, result, shown.rows),
    }
    stats = [
        (f"{result.tokens:,}", f"of {result.budget:,} tokens", "tokens"),
        (f"{int(result.inside.sum()):,}", f"of {len(result.segments):,} segments kept", "segments"),
        (f"{len(prepared.documents):,}", "documents" if len(prepared.documents) != 1 else "document", ""),
    ]
    main = _budget(result) + _notes([*result.notes, *_hidden(shown)]) + _columns(shown, field, _packed(result))
    title = " · ".join(" ".join(q.split()) for q in result.queries)
    return _page(f"fieldpack: {title}", _head("Query", result.queries, stats), main, facts, _how(result))


def field_page(prepared: Prepared, reading: Reading) -> str:
    """HTML of a field without a query: its attractors on a map, the resonance matrix, the documents by basin."""
    nobody = np.zeros(len(prepared.rows), np.bool_)
    value = np.asarray(reading.attraction, np.float32)
    group = numbers.group_of(prepared)
    shown = body(prepared, ~nobody, nobody, value if len(value) == len(nobody) else value[group])
    whole = np.ones(len(prepared.corpus.starts), np.bool_)
    field, facts = _field(prepared, reading, None, ~whole, whole)
    facts |= {"type": "field", **_common(prepared, reading, shown), "query": None, "packs": []}
    stats = [
        (f"{len(prepared.rows):,}", "segments", ""),
        (f"{len(prepared.documents):,}", "documents" if len(prepared.documents) != 1 else "document", ""),
        (f"{len(reading.attractors)}", "attractors", ""),
        (f"{reading.resonance:.3f}", "resonance", ""),
        (f"{reading.permeability:.2f}", "permeability", ""),
    ]
    one = prepared.documents[0]
    title = f"{len(prepared.documents):,} documents" if len(prepared.documents) > 1 else one.title or one.id
    title = f"The field of {title}"
    main = _notes(_hidden(shown)) + _columns(shown, field, "")
    return _page(f"fieldpack: {title}", _head("Field", (title,), stats), main, facts, "")


def _common(prepared: Prepared, reading: Reading, shown: Body) -> dict[str, Any]:
    segments = np.bincount(prepared.rows.doc, minlength=len(prepared.documents))
    return {
        "kinds": numbers.kinds(),
        "docs": [d.id[:120] for d in prepared.documents],
        "segments": segments.tolist(),
        "columns": numbers.columns(prepared, reading, shown.rows),
        "permeability": round(reading.permeability, 4),
    }


def _field(
    prepared: Prepared,
    reading: Reading,
    asked: FloatArray | None,
    first: np.ndarray[Any, np.dtype[np.bool_]],
    kept: np.ndarray[Any, np.dtype[np.bool_]],
) -> tuple[str, dict[str, Any]]:
    """The map, the attractors and the matrix; and what the script needs of them."""
    x = numbers.field_rows(prepared)
    found = numbers.by_group(prepared, reading.attractors)
    named = numbers.topics(prepared, found)
    starts = prepared.corpus.starts
    mass = np.add.reduceat(prepared.rows.tokens, starts) if prepared.sentences else prepared.rows.tokens
    names = [" ".join(words[:2]) for words in named]
    picture, explained = field_map.svg(x, found, queries=asked, first=first, kept=kept, mass=mass, names=names)
    about = (
        f"{len(x):,} paragraphs by their vectors, on two axes that show {explained:.0%} of their spread: near on "
        "the map means near in meaning, but what is near in meaning can lie apart."
    )
    return _field_html(picture, about, _attractors(reading, found.basin, named)), {
        "matrix": field_map.matrix(x, found, first),
        "names": [", ".join(words) for words in named],
    }


def _field_html(picture: str, about: str, table: str) -> str:
    if not picture:
        about = "A map needs three paragraphs with known words, and these are fewer."
        title = '<section class="card" aria-labelledby="map-title"><h2 id="map-title">The field</h2>'
        return f'{title}<p class="about">{about}</p></section>'
    return f"""<section class="card map" aria-labelledby="map-title"><h2 id="map-title">The field</h2>
{picture}<p class="about" id="map-about">{about}</p>{table}</section>
<section class="card" aria-labelledby="matrix-title"><h2 id="matrix-title">Resonance</h2>
<canvas id="matrix" tabindex="0" role="img" aria-describedby="matrix-about" aria-label="Resonance matrix"></canvas>
<div class="scale"><span id="low"></span><span id="ramp" aria-hidden="true"></span><span id="high"></span></div>
<p class="about" id="matrix-about">Similarity of each paragraph to each other, basin by basin.
<span id="matrix-of"></span> Arrow keys move, Enter shows the paragraph.</p>
<p class="readout" id="readout" aria-live="polite"></p></section>"""


def _attractors(reading: Reading, basin: Any, named: Sequence[Sequence[str]]) -> str:
    a = reading.attractors
    if not len(a):
        return (
            '<p class="about">No attractor: the paragraphs gather around nothing more than chance would have them.</p>'
        )
    size = np.bincount(basin[basin >= 0], minlength=len(a))
    rows = "".join(
        f'<tr><th scope="row"><span class="chip b{k % field_map.COLOURS}">{k + 1}</span></th>'
        f'<td class="words">{text(", ".join(named[k])) or "–"}</td><td>{int(size[k]):,}</td>'
        f"<td>{float(a.strength[k]):.2f}</td><td>{float(reading.demand[k]):.0%}</td></tr>"
        for k in range(len(a))
    )
    return (
        '<div class="wide"><table><thead><tr><th scope="col"><abbr title="attractor">#</abbr></th><th scope="col">words'
        '</th><th scope="col">size</th><th scope="col">strength</th><th scope="col">demand</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _head(kind: str, lines: Sequence[str], stats: Sequence[tuple[str, str, str]]) -> str:
    many = "".join(f'<h1 dir="auto">{text(" ".join(line.split())[:600])}</h1>' for line in lines[:8])
    many += f'<p class="about">and {len(lines) - 8} more</p>' if len(lines) > 8 else ""
    facts = "".join(
        f"<div><dt>{label}</dt><dd{f' id={chr(34)}stat-{name}{chr(34)}' if name else ''}>{value}</dd></div>"
        for value, label, name in stats
    )
    return (
        f'<header class="top"><div class="line"><span class="brand">fieldpack</span><span class="kind">{kind}</span>'
        '<button id="theme" type="button" hidden>Dark</button></div>'
        f'{many}<dl>{facts}</dl><nav aria-label="On this page"><a href="#documents-title">Documents</a>'
        '<a href="#map-title">Field</a><a href="#matrix-title">Resonance</a></nav></header>'
    )


def _budget(result: Result) -> str:
    share = min(result.tokens / result.budget, 1)
    return f"""<section class="budget" aria-label="Budget">
<svg id="bar" viewBox="0 0 1000 14" preserveAspectRatio="none" role="img"
aria-label="{result.tokens:,} of {result.budget:,} tokens used"><rect class="rest" width="1000" height="14"/>
<rect class="used" width="{share * 1000:.1f}" height="14"/></svg>
<div class="slide" hidden><label for="slider">Budget</label>
<input id="slider" type="range" min="0" max="0" value="0" step="1">
<output id="chosen" for="slider"></output><span id="change" aria-live="polite"></span>
<button id="back" type="button" hidden>Back to {result.budget:,}</button></div></section>"""


def _packed(result: Result) -> str:
    cut = len(result.text) - _MOST_TEXT
    more = f"\n… {cut:,} more characters" if cut > 0 else ""
    return (
        '<details class="packed"><summary>The packed text '
        f'<span class="count">{result.tokens:,} tokens</span></summary>'
        '<button id="copy" type="button" hidden>Copy</button><pre id="packed" tabindex="0" dir="auto">'
        f"{text(result.text[:_MOST_TEXT])}{more}</pre></details>"
    )


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{text(note)}</li>" for note in notes)
    return f'<ul class="notes" aria-label="Notes">{items}</ul>' if items else ""


def _hidden(shown: Body) -> list[str]:
    if not shown.hidden:
        return []
    return [
        f"{shown.hidden:,} of {shown.hidden + len(shown.rows):,} segments are not shown, the least relevant, to keep "
        "this page small; they are counted everywhere, and gaps say where they stand"
    ]


def _columns(shown: Body, field: str, packed: str) -> str:
    choices = {"all": "all text", "near": "what is kept, and around it", "kept": "only what is kept"}
    start = "near" if shown.hidden or len(shown.rows) > _LONG else "all"
    options = "".join(
        f'<option value="{k}"{" selected" if k == start else ""}>{name}</option>' for k, name in choices.items()
    )
    view = f'<label class="view" hidden>Show <select id="view">{options}</select></label>' if packed else ""
    why = " and why it was kept or dropped" if packed else ""
    return f"""<main><section class="documents" aria-labelledby="documents-title">
<div class="line"><h2 id="documents-title">Documents</h2>{view}</div>
<p class="about" id="hint">Choose a passage to see its numbers{why}.
<span class="keys">With the keyboard: Tab into the text, arrow keys to move, Enter to hold, Escape to let go.</span></p>
<div id="docs">{shown.html}</div>{packed}</section>
<aside><p class="heard" id="heard" aria-live="polite"></p>
<section class="card detail" id="detail" aria-label="Selected passage" hidden></section>
{field}</aside></main>"""


@lru_cache(maxsize=2)
def _asset(name: str) -> str:
    return resources.files("fieldpack.report").joinpath(name).read_text("utf-8").replace("\r\n", "\n")


def _how(result: Result) -> str:
    """Time and optimality, as they were measured."""
    stages = ", ".join(f"{text(k)} {v:,.0f}" for k, v in result.timings.items() if k != "total")
    packing = result.packing
    return (
        f"<p>{result.timings.get('total', 0.0):,.0f} milliseconds ({stages}). The pack is worth {packing.value:.2f} by "
        f"the packer's own measure; no pack of {result.budget:,} tokens can be worth more than {packing.bound:.2f}.</p>"
    )


def _page(title: str, head: str, main: str, facts: dict[str, Any], foot: str) -> str:
    style, script = _asset("page.css"), _asset("page.js")
    own = f"script-src {digest(script)}; style-src {digest(style)}"
    policy = f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer"><meta name="generator" content="fieldpack">
<title>{text(title[:200])}</title>
<style>{style}</style></head><body class="{facts["type"]}">
{head}
{main}
<footer>{foot}<p>Made by fieldpack. Everything on this page is in this file; it loads nothing.</p></footer>
<script type="application/json" id="data">{data(facts)}</script>
<script>{script}</script></body></html>
"""
