"""Pages from views of packs and fields: one file, its own style and script allowed by hash, all else forbidden."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from fieldpack.html import escape as text
from fieldpack.report import field_map, numbers, packs
from fieldpack.report.compare import comparison_facts, comparison_table
from fieldpack.report.documents import Body, body
from fieldpack.report.legend import field_legend, pack_legend
from fieldpack.report.listed import listed_facts
from fieldpack.report.measures import MEASURES, defined
from fieldpack.report.payload import Block, Form, Lists
from fieldpack.report.safe import data, digest
from fieldpack.report.topic_list import topic_list
from fieldpack.report.view import FieldView, PackView
from fieldpack.types import BoolArray, FloatArray

_LONG = 400
"""From this many segments on the page opens with what is kept and the text around it."""
_MOST_TEXT = 100_000
"""Characters of the packed text that can be read and copied from the page."""

_UNASKED = "What the documents are about"
"""Stands in the place of a query where there is none."""


def pack_page(view: PackView) -> str:
    """HTML of a whole pack: documents lit and dimmed, the reasons, the field, and a slider over other budgets.

    The page refers to nothing outside itself. From 4,000 segments or 1.5 MB of text on it is a list that draws what is
    in sight. It holds 200,000 segments and 40 million characters at most: those that some pack keeps first, then the
    most relevant, and it says how many are left out.
    """
    field = view.field
    kept = packs.kept_anywhere(view.packs)
    other = view.inside if view.compared is None else view.compared.inside
    kept, either = kept | other, view.inside | other
    shown = body(field, view.inside, kept, np.asarray(view.log_odds, np.float32), cut=view.cut, opened=either)
    lit, ever = field.paragraphs_of(view.inside), field.paragraphs_of(kept)
    picture, facts = _field(field, view.query_vectors, ever, lit)
    form: Form = Block() if shown.listed else Lists()
    facts |= {
        "type": "result",
        **_common(field, shown, form, view.cut),
        "query": numbers.query_columns(view, shown.rows, form),
        "packs": packs.pack_columns(view, shown.rows),
        "compare": comparison_facts(view, shown.rows),
    }
    stats = [
        (f"{view.tokens:,}", f"of {view.budget:,} tokens", "tokens"),
        (f"{int(view.inside.sum()):,}", f"of {len(field.rows):,} segments kept", "segments"),
        (f"{len(field.documents):,}", "documents" if len(field.documents) != 1 else "document", ""),
    ]
    main = _budget(view) + comparison_table(view) + pack_legend(view) + _notes([*view.notes, *_hidden(shown)])
    main += _columns(shown, picture, packed=_packed(view), compared=view.compared is not None)
    title = " · ".join(" ".join(q.split()) for q in view.queries) or _UNASKED
    head = _head("Query" if view.queries else "No query", view.queries or (_UNASKED,), stats)
    return _page(f"fieldpack: {title}", head, main, facts, form=form, foot=_how(view))


def field_page(field: FieldView) -> str:
    """HTML of a field without a query: its attractors on a map, the resonance matrix, the documents by basin."""
    none = np.zeros(len(field.rows), np.bool_)
    topics = topic_list(field, numbers.topics(field))
    closed = none if topics else ~none
    shown = body(field, ~none, none, np.asarray(field.attraction, np.float32), opened=closed)
    whole = np.ones(len(field.first), np.bool_)
    picture, facts = _field(field, None, ~whole, whole)
    form: Form = Block() if shown.listed else Lists()
    facts |= {"type": "field", **_common(field, shown, form), "query": None, "packs": [], "compare": None}
    stats = [
        (f"{len(field.rows):,}", "segments", ""),
        (f"{len(field.documents):,}", "documents" if len(field.documents) != 1 else "document", ""),
        (f"{len(field.attractors)}", "attractors", ""),
        (f"{field.resonance:.3f}", "resonance", ""),
        (f"{field.permeability:.2f}", "permeability", ""),
    ]
    one = field.documents[0]
    title = f"{len(field.documents):,} documents" if len(field.documents) > 1 else one.title or one.id
    title = f"The field of {title}"
    main = field_legend() + _notes(_hidden(shown)) + _columns(shown, picture, lead=topics)
    return _page(f"fieldpack: {title}", _head("Field", (title,), stats), main, facts, form=form)


def _common(field: FieldView, shown: Body, form: Form, cut: tuple[int, int] | None = None) -> dict[str, Any]:
    segments = np.bincount(field.rows.doc, minlength=len(field.documents))
    return {
        "listed": listed_facts(field, shown, form, cut) if isinstance(form, Block) else None,
        "kinds": numbers.kinds(),
        "docs": [d.id[:120] for d in field.documents],
        "segments": segments.tolist(),
        "columns": numbers.columns(field, shown.rows, form),
        "permeability": round(field.permeability, 4),
        "measures": MEASURES,
    }


def _field(
    field: FieldView, query_vectors: FloatArray | None, first: BoolArray, kept: BoolArray
) -> tuple[str, dict[str, Any]]:
    """The map, the attractors and the matrix; and what the script needs of them."""
    topics = numbers.topics(field)
    names = [" ".join(words[:2]) for words in topics]
    picture = field_map.picture(field, query_vectors, first=first, kept=kept, names=names)
    facts = {
        "map": picture,
        "matrix": field_map.matrix(field.vectors, field.attractors, first),
        "names": [", ".join(words) for words in topics],
    }
    return _field_html(picture, _attractors(field, topics)), facts


def pack_map(view: PackView) -> dict[str, Any] | None:
    """The map of a pack for `map.js`, and where its points stand: ranges, {paragraph: [document id, start, end]}."""
    field = view.field
    names = [" ".join(words[:2]) for words in numbers.topics(field)]
    lit = field.paragraphs_of(view.inside)
    picture = field_map.picture(field, view.query_vectors, first=lit, kept=lit, names=names)
    if picture is None:
        return None
    rows = field.rows
    last = np.append(field.first[1:], len(rows)) - 1
    ids = [d.id for d in field.documents]
    ranges = {
        g: [ids[int(rows.doc[first])], int(rows.start[first]), int(rows.end[last[g]])]
        for g, first in ((point[0], field.first[point[0]]) for point in picture["points"])
    }
    return picture | {"ranges": ranges}


def _field_html(picture: dict[str, Any] | None, table: str) -> str:
    if picture is None:
        about = "A map needs three paragraphs with known words, and these are fewer."
        title = '<section class="card" aria-labelledby="map-title"><h2 id="map-title">The field</h2>'
        return f'{title}<p class="about">{about}</p></section>'
    return f"""<section class="card map" aria-labelledby="map-title"><h2 id="map-title">The field</h2>
<svg id="map" viewBox="0 0 {picture["width"]} {picture["height"]}" role="img" aria-labelledby="map-about"></svg>
<p class="about" id="map-about">{text(picture["about"])}</p>{table}</section>
<section class="card" aria-labelledby="matrix-title"><h2 id="matrix-title">Resonance</h2>
<canvas id="matrix" tabindex="0" role="img" aria-describedby="matrix-about" aria-label="Resonance matrix"></canvas>
<div class="scale"><span id="low"></span><span id="ramp" aria-hidden="true"></span><span id="high"></span></div>
<p class="about" id="matrix-about">Similarity of each paragraph to each other, basin by basin.
<span id="matrix-of"></span> Arrow keys move, Enter shows the paragraph.</p>
<p class="readout" id="readout" aria-live="polite"></p></section>"""


def _attractors(field: FieldView, topics: Sequence[Sequence[str]]) -> str:
    a = field.attractors
    if not len(a):
        return (
            '<p class="about">No attractor: the paragraphs gather around nothing more than chance would have them.</p>'
        )
    size = np.bincount(a.basin[a.basin >= 0], minlength=len(a))
    rows = "".join(
        f'<tr><th scope="row"><span class="chip b{k % field_map.COLOURS}">{k + 1}</span></th>'
        f'<td class="words">{text(", ".join(topics[k])) or "–"}</td><td>{int(size[k]):,}</td>'
        f"<td>{float(a.strength[k]):.2f}</td><td>{float(field.demand[k]):.0%}</td></tr>"
        for k in range(len(a))
    )
    return (
        '<div class="wide"><table><thead><tr><th scope="col"><abbr title="attractor">#</abbr></th><th scope="col">words'
        f'</th><th scope="col">{defined("size")}</th><th scope="col">{defined("strength")}</th>'
        f'<th scope="col">{defined("demand")}</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _head(kind: str, lines: Sequence[str], stats: Sequence[tuple[str, str, str]]) -> str:
    many = "".join(f'<h1 dir="auto">{text(" ".join(line.split())[:600])}</h1>' for line in lines[:8])
    many += f'<p class="about">and {len(lines) - 8} more</p>' if len(lines) > 8 else ""
    identified = [(value, label, name, f' id="stat-{name}"' if name else "") for value, label, name in stats]
    facts = "".join(
        f"<div><dt>{defined(label, name)}</dt><dd{place}>{value}</dd></div>" for value, label, name, place in identified
    )
    return (
        f'<header class="top"><div class="line"><span class="brand">fieldpack</span><span class="kind">{kind}</span>'
        '<button id="theme" type="button" hidden>Dark</button></div>'
        f'{many}<dl>{facts}</dl><nav aria-label="On this page"><a href="#documents-title">Documents</a>'
        '<a href="#map-title">Field</a><a href="#matrix-title">Resonance</a></nav></header>'
    )


def _budget(view: PackView) -> str:
    share = min(view.tokens / view.budget, 1)
    return f"""<section class="budget" aria-label="Budget">
<svg id="bar" viewBox="0 0 1000 14" preserveAspectRatio="none" role="img"
aria-label="{view.tokens:,} of {view.budget:,} tokens used"><rect class="rest" width="1000" height="14"/>
<rect class="used" width="{share * 1000:.1f}" height="14"/></svg>
<div class="slide" hidden><label for="slider">Budget</label>
<input id="slider" type="range" min="0" max="0" value="0" step="1">
<output id="chosen" for="slider"></output><span id="change" aria-live="polite"></span>
<button id="back" type="button" hidden>Back to {view.budget:,}</button></div>
<div class="steps" id="steps" hidden><button id="before" type="button">↑ Previous</button>
<button id="next" type="button">↓ Next</button><span id="place" aria-live="polite"></span>
<button id="only" type="button" aria-pressed="false">Only kept</button>
<span class="keys"><kbd>n</kbd> <kbd>p</kbd> next, previous; <kbd>k</kbd> only what is kept</span></div></section>"""


def _packed(view: PackView) -> str:
    cut = len(view.text) - _MOST_TEXT
    more = f"\n… {cut:,} more characters" if cut > 0 else ""
    return (
        '<details class="packed"><summary>The packed text '
        f'<span class="count">{view.tokens:,} tokens</span></summary>'
        '<button id="copy" type="button" hidden>Copy</button><pre id="packed" tabindex="0" dir="auto">'
        f"{text(view.text[:_MOST_TEXT])}{more}</pre></details>"
    )


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{text(note)}</li>" for note in notes)
    return f'<ul class="notes" aria-label="Notes">{items}</ul>' if items else ""


def _hidden(shown: Body) -> list[str]:
    if not shown.hidden:
        return []
    return [
        f"{shown.hidden:,} of {shown.hidden + len(shown.rows):,} segments are left out, the least relevant, to keep "
        "this page small; they are counted everywhere, and gaps say where they stand"
    ]


def _columns(shown: Body, field: str, *, packed: str = "", lead: str = "", compared: bool = False) -> str:
    """The packed text, the documents with `lead` before them, and beside them the field."""
    choices = {"all": "all text", "near": "what is kept, and around it", "kept": "only what is kept"}
    if compared:
        choices |= {
            "near": "what either keeps, and around it",
            "kept": "only what either keeps",
            "differs": "differences",
        }
    start = "near" if len(shown.rows) > _LONG else "all"
    options = "".join(
        f'<option value="{k}"{" selected" if k == start else ""}>{name}</option>' for k, name in choices.items()
    )
    view = f'<label class="view" hidden>Show <select id="view">{options}</select></label>' if packed else ""
    find = '<label class="view" for="find" hidden>Find <input id="find" type="search">'
    find += '<span id="found" aria-live="polite"></span></label>'
    rest = '<p class="about fallback">The rest of the text appears when the script of this page has run.</p>'
    why = " and why it was kept or dropped" if packed else ""
    return f"""<main><section class="documents" aria-labelledby="documents-title">{packed}{lead}
<div class="line"><h2 id="documents-title">Documents</h2><div class="line">{find}{view}</div></div>
<p class="about" id="hint">Choose a passage to see its numbers{why}.
<span class="keys">With the keyboard: Tab into the text, arrow keys to move, Enter to hold, Escape to let go.</span></p>
<div id="docs">{shown.html}</div>{rest if shown.listed else ""}</section>
<aside><p class="heard" id="heard" aria-live="polite"></p>
<section class="card detail" id="detail" aria-label="Selected passage" hidden></section>
{field}</aside></main>"""


@lru_cache
def _asset(name: str) -> str:
    return resources.files("fieldpack.report").joinpath(name).read_text("utf-8").replace("\r\n", "\n")


def _how(view: PackView) -> str:
    """Time and optimality, as they were measured."""
    stages = ", ".join(f"{text(k)} {v:,.0f}" for k, v in view.timings.items() if k != "total")
    return (
        f"<p>{view.timings.get('total', 0.0):,.0f} milliseconds ({stages}). The pack is worth {view.value:.2f} by "
        f"the packer's own measure; no pack of {view.budget:,} tokens can be worth more than {view.bound:.2f}.</p>"
    )


_SCRIPTS = ("unpack.js", "map.js", "numbers.js", "tables.js", "headings.js", "whole.js", "listed.js", "page.js")
"""One function of them, in this order."""


def _page(title: str, head: str, main: str, facts: dict[str, Any], *, form: Form, foot: str = "") -> str:
    style = _asset("look.css") + _asset("page.css")
    script = "(async () => {\n" + "".join(_asset(name) for name in _SCRIPTS) + "})();\n"
    own = f"script-src {digest(script)}; style-src {digest(style)}"
    policy = f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'"
    block = f'<script type="text/plain" id="block">{form.base64()}</script>\n' if isinstance(form, Block) else ""
    kinds = f"{facts['type']}{' compare' if facts['compare'] else ''}{' listed' if block else ''}"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer"><meta name="generator" content="fieldpack">
<title>{text(title[:200])}</title>
<style>{style}</style></head><body class="{kinds}">
{head}
{main}
<footer>{foot}<p>Made by fieldpack. Everything on this page is in this file; it loads nothing.</p></footer>
<script type="application/json" id="data">{data(facts)}</script>
{block}<script>{script}</script></body></html>
"""
