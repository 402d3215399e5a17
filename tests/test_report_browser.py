"""The report in a headless browser, as a reader meets it: desktop and phone, light and dark.

The references in data/looks are small pictures that were looked at. To make them anew, after looking:
python tests/test_report_browser.py
"""

import contextlib
from pathlib import Path

import browser
import looks
import pytest

import fieldpack as fp
from fieldpack.report import documents as report_documents
from fieldpack.report import field_page, field_view

PARTS = {
    "brewing": "A kettle brings the water to ninety-four degrees. Coffee is ground just before it is brewed.",
    "refunds": "Refunds are paid within fourteen days of the return. They go to the card that was charged.",
    "shipping": "Parcels are shipped from the warehouse in Leipzig. Shipping takes two to four working days.",
    "gardens": "Roses are pruned in the last weeks of winter. Hedges are cut when the young birds have flown.",
}
TABLE = "| item | days |\n|---|---|\n| refund | 14 |\n| parcel | 4 |\n| exchange | 21 |"
CODE = "```python\ndef refund(order):\n    return order.paid - order.used\n```"


RULED = """==========
Why Tides?
==========

Tides are caused by the Moon, a -- b.

Harbours
--------

Harbours fill twice a day.

Ports
=====
Ports are harbours with ships. They are charged for.

::

    ~~~~~
    code
    ~~~~~
"""


def documents():
    """Long documents of four subjects; what is asked for stands far below the first screen of each."""
    out = []
    for d, (name, text) in enumerate(PARTS.items()):
        filler = [f"{other} Note {k} of {name} {d}." for k in range(40) for n, other in PARTS.items() if n == "gardens"]
        out.append(fp.Document(f"{name}.md", "\n\n".join([f"# {name.title()}", *filler, text, TABLE, CODE, *filler])))
    return out


@contextlib.contextmanager
def listing(rows):
    """From `rows` segments on a page is a list that draws what is in sight."""
    before = report_documents.MOST_ROWS
    report_documents.MOST_ROWS = rows
    try:
        yield
    finally:
        report_documents.MOST_ROWS = before


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder, packer = tmp_path_factory.mktemp("pages"), fp.ContextPacker(enough=1.0)
    result = packer.pack("When are refunds paid, and to which card?", documents(), 160)
    explored = packer.explore(documents())
    htmls = {
        "pack": result.to_html(),
        "compare": result.to_html(compare=result.repack(60)),
        "field": field_page(field_view(explored.corpus, explored.reading)),
    }
    ruled = packer.pack("What causes tides?", [fp.Document("tides.rst", RULED)], 40)
    htmls["ruled"] = ruled.to_html()
    with listing(2):
        htmls["ruled-listed"] = ruled.to_html()
    evil = "</script><img src=x onerror=\"document.title='broken'\"> \u2028 🌙 refunds\r\n"
    many = [*documents(), fp.Document("evil", evil), fp.Document("long", "word " * 4000)]
    with listing(100):
        htmls["listed"] = packer.pack("When are refunds paid, and to which card?", many, 160).to_html()
        htmls["listed-field"] = field_page(field_view(explored.corpus, explored.reading))
    for name, html in htmls.items():
        (folder / f"{name}.html").write_text(html, "utf-8")
    return folder


def opened(tab, pages, name, width=1400, height=900, theme="light"):
    looks.themed(tab, theme)
    tab.open((pages / f"{name}.html").as_uri(), width=width, height=height)
    tab.until("document.documentElement.dataset.ready === 'yes'")


SEEN = """(() => { const k = document.querySelector('#docs .s.k').getBoundingClientRect();
  const bar = document.querySelector('.budget').getBoundingClientRect();
  return k.top >= (bar.top <= 1 ? bar.bottom : 0) - 1 && k.top < innerHeight; })()"""


@pytest.mark.parametrize("size", [(1400, 900), (390, 844)], ids=["desktop", "phone"])
def test_it_opens_at_the_first_kept_passage_without_errors(tab, pages, size):
    opened(tab, pages, "pack", *size)
    assert tab.value(SEEN), "the first kept passage is on the screen, and not under the bar"
    assert tab.value("document.documentElement.scrollHeight") < 9 * size[1], "long documents are folded"
    assert tab.value("document.documentElement.scrollWidth") <= size[0], "nothing is wider than the window"
    assert tab.errors == []


def test_keys_go_from_one_kept_passage_to_the_next_and_hide_the_rest(tab, pages):
    opened(tab, pages, "pack")
    key = "document.dispatchEvent(new KeyboardEvent('keydown', {key: 'WHICH'}))"
    places = "document.getElementById('place').textContent"
    assert tab.value(places).startswith("place 1 of ")
    tab.value(key.replace("WHICH", "n"))
    assert tab.value(places).startswith("place 2 of ")
    tab.value(key.replace("WHICH", "p"))
    assert tab.value(places).startswith("place 1 of ")
    tab.value(key.replace("WHICH", "k"))
    dropped = "[...document.querySelectorAll('#docs .s:not(.k)')].filter(s => s.offsetParent && s.textContent.trim()"
    assert tab.value(dropped + " && getComputedStyle(s).fontSize !== '0px').length") == 0
    assert tab.errors == []


def test_a_folded_document_opens_and_a_table_has_cells(tab, pages):
    opened(tab, pages, "pack")
    tab.value("document.getElementById('view').value = 'all'")
    tab.value("document.getElementById('view').dispatchEvent(new Event('change'))")
    body = "document.querySelector('details[open] .body')"
    assert tab.value(f"{body}.classList.contains('folded') && {body}.clientHeight <= innerHeight")
    tab.value(f"{body}.querySelector('.unfold').click()")
    assert tab.value(f"{body}.clientHeight > 1.5 * innerHeight")
    assert tab.value("document.querySelectorAll('.grid .cell').length") >= 8
    text = "[...document.querySelectorAll('.grid .s')].map(s => s.textContent).join('')"
    assert "| refund | 14 |" in tab.value(text), "cells hold the text as it was"


def test_the_packed_text_stands_before_the_documents_and_is_copied_whole(tab, pages):
    opened(tab, pages, "pack")
    box = "document.querySelector('.packed')"
    assert not tab.value(f"{box}.open") and tab.value(f"{box}.getBoundingClientRect().bottom < 600")
    tab.value(f"{box}.querySelector('summary').click()")
    assert "Refunds are paid within fourteen days" in tab.value("document.getElementById('packed').textContent")
    tab.value("navigator.clipboard.writeText = (t) => { window.copied = t; return Promise.resolve(); }")
    tab.value("document.getElementById('copy').click()")
    tab.until("document.getElementById('copy').textContent === 'Copied'")
    assert tab.value("window.copied === document.getElementById('packed').textContent")


@pytest.mark.parametrize("page", ["ruled", "ruled-listed"])
def test_lines_under_titles_are_hidden_and_the_text_stays_what_it_was(tab, pages, page):
    opened(tab, pages, page)
    tab.value("view.value = 'all'; view.dispatchEvent(new Event('change'))")
    seen = tab.value("document.getElementById('docs').innerText")
    assert "Why Tides?" in seen and "Harbours" in seen and "Ports" in seen and "----" not in seen and "====" not in seen
    assert "a -- b" in seen and "~~~~~" in seen, "rules that are under no title, and code, stay"
    text = tab.value(ROWS + ".map((s) => s.textContent).join('')")
    assert "".join(text.split()) == "".join(RULED.split()) and tab.errors == []


def test_a_bar_is_as_long_as_its_number(tab, pages):
    opened(tab, pages, "pack")
    tab.value("document.querySelector('#docs .s.k').click()")
    rows = tab.value(
        "[...document.querySelectorAll('.parts .track')].map(t => [parseFloat(t.firstChild.style.width),"
        " t.nextSibling.textContent])"
    )
    assert len(rows) > 5
    for width, value in rows:
        number, _, most = value.partition(" of ")
        assert width == pytest.approx(100 * abs(float(number)) / float(most or 1), abs=0.6)


FIND = "document.getElementById('find')"
FRAMES = "new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))"
ROWS = "[...document.querySelectorAll('#docs .s')]"


def shown_all(tab):
    """Everything is to be shown: all text, and every document open."""
    tab.value("view.value = 'all'")
    tab.value("view.dispatchEvent(new Event('change'))")
    closed = "[...document.querySelectorAll('#docs .doc:not([open]) > summary')]"
    for place in ("0", "docs.scrollHeight"):
        tab.value(f"docs.scrollTop = {place}; {FRAMES}")
        while tab.value(f"{closed}.length"):
            tab.value(f"{closed}[0].click(); docs.scrollTop = {place}; {FRAMES}")


def test_a_long_list_draws_what_is_in_sight_and_shows_every_passage(tab, pages):
    opened(tab, pages, "listed")
    assert tab.value(SEEN), "the first kept passage is on the screen, and not under the bar"
    shown_all(tab)
    total = tab.value("JSON.parse(document.getElementById('data').textContent).segments.reduce((a, b) => a + b)")
    seen, texts, place = set(), {}, 0
    while place <= tab.value("docs.scrollHeight"):
        tab.value(f"docs.scrollTop = {place}; {FRAMES}")
        for row, text in tab.value(ROWS + ".map((s) => [Number(s.dataset.r), s.textContent])"):
            seen.add(row)
            texts[row] = text
        assert tab.value(ROWS + ".length") < total / 2
        place += 500
    assert seen == set(range(total)), "no passage is lost between two screens"
    whole = [d.text for d in documents()]
    assert any("onerror" in t for t in texts.values()) and tab.value("document.title").startswith("fieldpack")
    assert all(any(t.strip() in w for w in whole) for t in list(texts.values())[:100])
    assert tab.value("document.querySelectorAll('#docs img').length") == 0 and tab.errors == []


def test_keys_search_and_gaps_in_a_long_list(tab, pages):
    opened(tab, pages, "listed")
    key = "document.dispatchEvent(new KeyboardEvent('keydown', {key: 'WHICH'}))"
    inside = """(() => { const box = (e) => document.querySelector(e).getBoundingClientRect();
      const k = box('.s.on'), d = box('#docs');
      return k.top >= d.top - 1 && k.bottom <= d.bottom + 1 && k.top >= 0 && k.bottom <= innerHeight; })()"""
    first = tab.value("place.textContent")
    tab.value(key.replace("WHICH", "n"))
    assert tab.value("place.textContent") != first and tab.value(inside)
    tab.value(key.replace("WHICH", "k"))
    dropped = "[...document.querySelectorAll('#docs .s:not(.k)')].length"
    assert tab.value(dropped) == 0 and tab.value("document.querySelectorAll('.more-here').length") > 0
    tab.value("document.querySelector('.more-here').click()")
    assert tab.value(dropped) > 0, "a gap opens"
    tab.value(f"{FIND}.value = 'note 39 of brewing'; {FIND}.dispatchEvent(new Event('input'))")
    tab.until("found.textContent.startsWith('1 of ')")
    assert "Note 39 of brewing" in tab.value("document.querySelector('.s.on.found').textContent") and tab.value(inside)
    tab.value("document.querySelector('.s.on').focus()")
    before = tab.value("Number(document.activeElement.dataset.r)")
    tab.key("ArrowDown")
    assert tab.value("Number(document.activeElement.dataset.r)") > before
    tab.value(f"{FIND}.value = 'no such words'; {FIND}.dispatchEvent(new Event('input'))")
    tab.until("found.textContent === 'none'")
    assert tab.errors == []


def test_a_long_field_is_a_list_too(tab, pages):
    opened(tab, pages, "listed-field", 390, 844)
    assert tab.value("document.querySelectorAll('#docs .doc').length") == len(PARTS)
    tab.value("document.querySelectorAll('#docs .doc > summary')[2].click()")
    assert tab.value(ROWS + ".length") > 0
    assert tab.value("document.documentElement.scrollWidth") <= 390 and tab.errors == []


LOOK_OF = {
    "pack-desktop-light": ("pack", 1400, 900, "light"),
    "pack-phone-dark": ("pack", 390, 844, "dark"),
    "compare-desktop-light": ("compare", 1400, 900, "light"),
    "listed-desktop-light": ("listed", 1400, 900, "light"),
    "field-desktop-dark": ("field", 1400, 900, "dark"),
}


def picture(tab, pages, name):
    opened(tab, pages, *LOOK_OF[name])
    return looks.picture(tab)


@pytest.mark.parametrize("name", LOOK_OF)
def test_a_page_looks_as_it_did_when_somebody_looked(tab, pages, name):
    looks.assert_as_before(name, picture(tab, pages, name))


if __name__ == "__main__":
    import tempfile

    class Folders:
        def mktemp(self, name):
            return Path(tempfile.mkdtemp(name))

    folder = pages.__wrapped__(Folders())
    with browser.Browser(Folders().mktemp("profile")) as one:
        for name in LOOK_OF:
            looks.keep(name, picture(one, folder, name))
