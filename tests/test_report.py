"""The report: no document can break out of it, it says what the result says, and it stays small."""

import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import fieldpack as fp
from fieldpack.errors import BudgetError
from fieldpack.field.attractors import detect
from fieldpack.field.plane import basin_order, plane
from fieldpack.field.state import read
from fieldpack.html import escape, readable
from fieldpack.relevance.features import DENSE, PARAGRAPH, SECTION, SENTENCE
from fieldpack.report import comparison_of, field_page, field_view, result_page, safe
from fieldpack.report.field_map import MOST_CELLS, matrix
from fieldpack.report.measures import MEASURES
from fieldpack.report.numbers import PARTS
from fieldpack.report.payload import Block
from fieldpack.request import checked_documents

EVIL = 'document.title="PWNED"'
HOSTILE = [
    fp.Document(
        "<script>" + EVIL + "</script>", f"<script>{EVIL}</script></details></main> <!-- --> <!--<script>", "\">'>"
    ),
    fp.Document("' onmouseover='" + EVIL, f'" autofocus onfocus="{EVIL}" <svg onload={EVIL}>', "javascript:" + EVIL),
    fp.Document(
        "line\u2028sep", f"a\u2028b\u2029 </script><script>{EVIL}//\u2028 \x00 \x1b[31m \u202e\ufeff &lt;script&gt;"
    ),
    fp.Document(
        "style", f"</style><style>*{{display:none}}</style><base href=//x><meta http-equiv=refresh content='0;{EVIL}'>"
    ),
    fp.Document(
        "link", f"[x](javascript:{EVIL}) <a href='javascript:{EVIL}'>needle</a> <iframe srcdoc='<script>{EVIL}'>"
    ),
    fp.Document("long", "needle " + "<b>a" * 60_000),
]
QUERY = f'needle </title><script>{EVIL}</script> onfocus="x" </script>'
TOPICS = {
    "rush": "Rush is a Canadian rock band. Neil Peart was its drummer.\n\nThe band released Counterparts in 1993.",
    "peart": "Neil Peart was a musician and writer. He was inducted into the Modern Drummer Hall of Fame in 1983.",
    "azurite": "Azurite is a soft, deep blue copper mineral.\n\nIt forms by the weathering of copper ore deposits.",
    "bread": "Sourdough bread is leavened with wild yeast. A starter needs flour, water and a few days of patience.",
    "tides": "Tides are caused by the gravity of the Moon and the Sun. Spring tides come at new and full moon.",
}
DOCS = [fp.Document(name, text, title=name.title()) for name, text in TOPICS.items()]
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "footer", "main", "nav", "aside", "section", "div"),
    *(
        "h1",
        "h2",
        "p",
        "pre",
        "ul",
        "li",
        "dl",
        "dt",
        "dd",
        "details",
        "summary",
        "span",
        "b",
        "i",
        "code",
        "abbr",
        "kbd",
        "h3",
        "ol",
        "caption",
        "a",
    ),
    *("table", "thead", "tbody", "tr", "th", "td", "label", "input", "output", "select", "option", "button"),
    *("svg", "g", "rect", "circle", "path", "text", "canvas", "script"),
}


class Page(HTMLParser):
    """Tags with their attributes, and the text of scripts and of segments."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.scripts, self.segments, self.style, self.title = [], [], {}, "", ""
        self._stack, self._open = [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = tag
        if tag == "script":
            self.scripts.append("")
        if tag == "span":
            self._stack.append(dict(attrs).get("data-r"))

    def handle_endtag(self, tag):
        self._open = ""
        if tag == "span":
            self._stack.pop()

    def handle_data(self, data):
        last = self._open
        if last == "script":
            self.scripts[-1] += data
        if last == "style":
            self.style += data
        if last == "title":
            self.title += data
        row = next((r for r in reversed(self._stack) if r is not None), None)
        if row is not None:
            self.segments[int(row)] = self.segments.get(int(row), "") + data

    @property
    def facts(self):
        return json.loads(self.scripts[0])


def rendered(html, folder):
    """The page as a browser leaves it after its script ran; None where there is no Chromium."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        return None
    page = folder / "page.html"
    page.write_text(html, "utf-8")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    flags += "--disable-component-update --disable-sync --virtual-time-budget=2000 --dump-dom"
    command = [browser, *flags.split(), f"--user-data-dir={folder / 'profile'}", page.as_uri()]
    return subprocess.run(command, capture_output=True, timeout=120, check=True).stdout.decode("utf-8")


DRIVE = (Path(__file__).parent / "data" / "drive_report.js").read_text("utf-8").strip()


def driven(html):
    """The page with a script that uses it, as a reader would; it enters the policy by its hash."""
    policy = html.replace("script-src ", f"script-src {safe.digest(DRIVE)} ", 1)
    return policy.replace("</body>", f"<script>{DRIVE}</script></body>")


def assert_harmless(html, title, scripts=2):
    page = Page(html)
    assert page.title == title
    assert {tag for tag, _ in page.tags} <= TAGS
    assert len(page.scripts) == scripts
    for tag, attrs in page.tags:
        assert not [name for name in attrs if name.startswith("on") or name in ("src", "srcdoc", "autofocus")], (
            tag,
            attrs,
        )
        if "style" in attrs:  # set by the page's own script; a served page has none
            assert "url" not in attrs["style"]
        assert attrs.get("href", "#").startswith("#")
        if tag == "meta":
            assert attrs.get("http-equiv", "Content-Security-Policy") == "Content-Security-Policy"
    return page


@pytest.fixture(scope="module")
def packer():
    return fp.ContextPacker()


@pytest.fixture(scope="module")
def result(packer):
    return packer.pack("Which rock band had Neil Peart as its drummer?", DOCS, 40)


@pytest.fixture(scope="module")
def page(result):
    return Page(result.to_html())


def hashes(page):
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a)
    found = {}
    for directive in policy.split(";"):
        name, *values = directive.split()
        found[name] = values
    return found


def test_hostile_documents_run_nothing(packer, tmp_path):
    result = packer.pack(QUERY, HOSTILE, 300)
    html = result.to_html()
    title = safe_title("fieldpack: " + " ".join(QUERY.split()))
    served = assert_harmless(html, title)
    assert not [attrs for _, attrs in served.tags if "style" in attrs]
    assert "\u2028" not in html and "\x00" not in html
    assert len(html.encode()) < 2_000_000
    dom = rendered(driven(html), tmp_path)
    if dom is not None:
        after = assert_harmless(dom, title, scripts=3)
        assert after.tags[0][1].get("data-ready") == "yes", "the page's own script did not run to its end"
        seen = json.loads(after.tags[0][1]["data-seen"])
        packs = [set(p["rows"]) for p in served.facts["packs"]]
        base = next(i for i, p in enumerate(served.facts["packs"]) if p["base"])
        assert [set(lit) for lit in seen["lit"]] == [packs[base], *packs, packs[base]]
        assert len(seen["why"]) == 12 and set(seen["why"]) <= set(served.facts["query"]["reason"])
        assert seen["moved"] == [0, 1, 2, 1] and seen["closed"] and seen["matrix"] and seen["hidden"] > 0


def test_hostile_field_page(packer, tmp_path):
    corpus = replace(packer, unit="paragraph").read(checked_documents(HOSTILE))
    html = field_page(field_view(corpus, read(corpus.vectors)))
    title = f"fieldpack: The field of {len(HOSTILE)} documents"
    assert_harmless(html, title)
    dom = rendered(html, tmp_path)
    if dom is not None:
        assert assert_harmless(dom, title).tags[0][1].get("data-ready") == "yes"


def safe_title(text):
    return text[:200]


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_text_comes_back_as_it_was(value):
    class Collect(HTMLParser):
        def __init__(self):
            super().__init__(convert_charrefs=True)
            self.seen, self.attributes = "", []

        def handle_starttag(self, tag, attrs):
            self.attributes.append((tag, attrs))

        def handle_data(self, data):
            self.seen += data

    escaped = escape(value)
    escaped.encode("utf-8")
    for quote in "\"'":
        parser = Collect()
        parser.feed(f"<p title={quote}{escaped}{quote}>{escaped}</p>")
        parser.close()
        plain = re.sub(
            "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", "\ufffd", re.sub("\r\n?", "\n", value)
        )
        assert parser.seen == plain
        assert parser.attributes == [("p", [("title", plain)])]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(JSON | st.sampled_from(["</script>", "<!--<script>", "\u2028\u2029", "]]>&amp;"]))
def test_data_cannot_end_its_script(value):
    out = safe.data(value)
    assert json.loads(out) == value
    assert out.isascii() and not set("<>&") & set(out)


def test_policy_allows_the_page_itself_and_nothing_else(page):
    policy = hashes(page)
    assert (
        policy["default-src"] == ["'none'"] and policy["base-uri"] == ["'none'"] and policy["form-action"] == ["'none'"]
    )
    for name, code in (("script-src", page.scripts[1]), ("style-src", page.style)):
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert policy[name] == [f"'sha256-{digest}'"]
    assert "url(" not in page.style and "@import" not in page.style
    assert set(re.findall(r"https?://[^\"' ]+", page.scripts[1])) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|fetch|XMLHttp|WebSocket|import\(", page.scripts[1]
    )


def test_every_segment_is_there_lit_or_dimmed(result, page):
    texts = result.corpus.texts()
    assert [page.segments[i] for i in range(len(texts))] == texts
    lit = {int(a["data-r"]) for tag, a in page.tags if tag == "span" and a.get("class", "").startswith("s k")}
    assert lit == set(np.flatnonzero(result.inside).tolist())
    opened = {int(a["data-d"]): "open" in a for tag, a in page.tags if tag == "details" and "data-d" in a}
    kept = set(result.segments.doc[result.inside].tolist())
    assert opened == {d: d in kept for d in range(len(DOCS))} and not all(opened.values())


def test_numbers_are_those_of_the_result(result, page):
    facts = page.facts
    query = facts["query"]
    assert query["score"] == pytest.approx(result.relevance.total, abs=1e-4)
    assert [p["name"] for p in query["parts"]] == list(result.relevance.parts)
    assert all(p["help"] for p in query["parts"])
    for part in query["parts"]:
        assert part["values"] == pytest.approx(result.relevance.parts[part["name"]], abs=1e-3)
    assert query["reason"] == [result.reasons.of(i) for i in range(len(result.segments))]
    assert facts["columns"]["tokens"] == result.segments.tokens.tolist()
    assert all(0 < d < 64 for d in facts["columns"]["density"])


def test_every_feature_has_a_name_and_a_meaning():
    assert set(PARAGRAPH) | set(SENTENCE) | set(SECTION) | set(DENSE) <= set(PARTS)


COLUMNS = st.lists(st.floats(-1e9, 1e9) | st.sampled_from([0.0, np.nan, np.inf, -np.inf]), max_size=40)
TEXTS = st.lists(st.text(st.characters(codec=None, exclude_categories=()), max_size=12), max_size=12)


@given(COLUMNS, st.lists(st.integers(-(2**31) + 1, 2**31 - 1), max_size=40), TEXTS, st.integers(0, 6))
@settings(deadline=None)
def test_a_block_gives_back_its_columns(floats, whole, texts, digits):
    block = Block()
    columns = [block.numbers(np.array(floats), digits), block.numbers(np.array(whole, np.int64)), block.texts(texts)]
    raw = gzip.decompress(base64.b64decode(block.base64()))

    def numbers(reference):
        kind, first, last, divisor = reference
        assert first % 4 == 0
        return np.frombuffer(raw[first:last], np.dtype(kind).newbyteorder("<")) / divisor

    finite = np.nan_to_num(np.array(floats, float), nan=0.0, posinf=99.0, neginf=-99.0)
    limit = np.clip(finite, -(2**31) + 1, 2**31 - 1)
    back, most = numbers(columns[0]["$"]), np.abs(limit).max(initial=1.0)
    assert back == pytest.approx(limit, abs=max(0.5 * 10.0**-digits, 10 * most / 2**31) * 1.01)
    assert numbers(columns[1]["$"]).tolist() == whole
    _, first, last, lengths = columns[2]["$"]
    ends, all_texts = numbers(lengths).astype(int).tolist(), raw[first:last].decode("utf-8").encode("utf-16-le")
    back = [all_texts[2 * a : 2 * b].decode("utf-16-le") for a, b in zip([0, *ends], ends, strict=False)]
    assert back == [readable(t) for t in texts]


def test_the_slider_shows_exact_packs(packer, result, page):
    packs = page.facts["packs"]
    assert len(packs) >= 6 and sum(p["base"] for p in packs) == 1
    assert [p["budget"] for p in packs] == sorted({p["budget"] for p in packs})
    for p in packs:
        direct = packer.pack(result.queries[0], DOCS, p["budget"])
        assert p["rows"] == np.flatnonzero(direct.inside).tolist()
        assert p["tokens"] == direct.tokens <= p["budget"]
        assert p["count"] == direct.inside.sum() == sum(p["kept"].values())


def test_repacking_is_packing(packer, result):
    again = result.repack(25)
    direct = packer.pack(result.queries[0], DOCS, 25)
    assert again.text == direct.text and again.budget == 25
    assert again.repack(40).text == result.text
    pinned = packer.pack("bread", DOCS, 60, pins=["tides"])
    with pytest.raises(BudgetError):
        pinned.repack(3)
    budgets = [p["budget"] for p in Page(pinned.to_html()).facts["packs"]]
    assert 60 in budgets and min(budgets) >= 20


def test_packs_of_the_caller(result):
    other = result.repack(20)
    facts = Page(result.to_html([other])).facts
    assert [p["budget"] for p in facts["packs"]] == [20, 40]
    assert [p["budget"] for p in Page(result.to_html([])).facts["packs"]] == [40]


def test_the_page_of_the_release_before_is_the_same_with_a_warning(result):
    with pytest.warns(DeprecationWarning, match="to_html"):
        assert result_page(result, []) == result.to_html([])


def test_packs_of_other_documents_are_not_shown(packer, result):
    other = packer.pack("bread", DOCS[:2], 20)
    assert [p["budget"] for p in Page(result.to_html([other])).facts["packs"]] == [40]


def test_a_large_folder_stays_small(packer):
    words = ["alpha", "<beta>", "&", "gamma", '"delta"', "'epsilon'", "zeta", "中文", "eta"]
    rng = np.random.default_rng(0)
    docs = [
        fp.Document(f"file-{d}.md", "\n\n".join(" ".join(rng.choice(words, 90)) for _ in range(80))) for d in range(60)
    ]
    paragraphs = replace(packer, unit="paragraph")
    docs.append(fp.Document("last.md", "Nothing of the query."))
    result = paragraphs.pack("beta and zeta", docs, 600, pins=["last.md"])
    html = result.to_html([])
    assert len(html.encode()) < 5_000_000
    page = Page(html)
    assert "are left out" not in html and len(page.segments) <= 4000
    titles = {name: kind for name, kind in page.facts["columns"].items() if "$" in kind}
    assert set(titles) >= {"doc", "tokens", "density"} and page.facts["listed"]["open"]
    shown = sum("data-d" in a for tag, a in page.tags if tag == "details")
    assert 1 <= shown <= 61
    assert "Nothing of the query." in page.segments.values(), "what is kept is shown, however irrelevant"
    lit = [a for tag, a in page.tags if tag == "span" and a.get("class", "").startswith("s k")]
    assert len(lit) == result.inside.sum()
    assert len(page.facts["matrix"]["groups"]) <= MOST_CELLS
    assert sum(tag == "circle" and "data-g" in a for tag, a in page.tags) <= 1500


def test_what_is_cut_is_lit_up_to_the_cut(packer):
    result = replace(packer, allow_cut=True).pack("needle", ["needle " + "hay stack " * 80], 5)
    assert result.cut is not None
    html = result.to_html()
    assert 'class="after-cut"' in html and "was cut" in html


def test_notes_are_shown_and_escaped(result):
    html = replace(result, notes=("<b>mind</b> this",)).to_html([])
    assert "&lt;b&gt;mind&lt;/b&gt; this" in html


def test_the_same_input_gives_the_same_page(packer, result):
    again = packer.pack(result.queries, DOCS, 40)
    assert replace(again, timings={}).to_html() == replace(result, timings={}).to_html()


@pytest.mark.parametrize(
    "texts", [["One."], ["12 34 56", "78 90"], ["…", "?!"], ["same text"] * 6, ["a b c d"] * 3 + ["x"]]
)
def test_odd_fields_give_pages(packer, texts):
    result = packer.pack("one", texts, 20)
    Page(result.to_html())
    corpus = packer.read(checked_documents(texts))
    Page(field_page(field_view(corpus, read(corpus.vectors))))
    for value in (result, result.reading, result.state):
        assert Page(value._repr_html_()).tags


def test_snippets_escape(packer):
    result = packer.pack(QUERY, HOSTILE, 200)
    for value in (result, result.reading, result.state):
        html = value._repr_html_()
        assert "<script" not in html and len(html) < 40_000
        assert {tag for tag, _ in Page(html).tags} <= TAGS | {"small", "br", "em"}
    assert f"{result.tokens:,} of 200 tokens" in result._repr_html_()


@given(st.integers(1, 40), st.integers(1, 8), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_the_plane_is_that_of_the_singular_vectors(n, d, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    assume(len(np.unique(np.round(x, 4), axis=0)) == n)  # copies count once
    found = replace(detect(x), background=np.zeros(d, np.float32))
    flat = plane(x, found, x[:1])
    spread = np.linalg.svd(x - x.mean(0), compute_uv=False)[:2] ** 2
    assert ((flat.rows - flat.rows.mean(0)) ** 2).sum(0) == pytest.approx(np.resize([*spread, 0, 0], 2), abs=1e-3)
    assert flat.queries[0] == pytest.approx(flat.rows[0], abs=1e-5)
    assert -1e-6 <= flat.explained <= 1 + 1e-6


def test_copies_do_not_turn_the_plane():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(30, 6)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    found = replace(detect(x), background=np.zeros(6, np.float32))
    copied = np.concatenate([x, np.repeat(x[:1], 90, 0)])
    assert plane(copied, found).rows[:30] == pytest.approx(plane(x, found).rows, abs=1e-5)


def test_basin_order_holds_every_row_once_basin_by_basin():
    rng = np.random.default_rng(3)
    centers = np.eye(3, 16)
    x = np.concatenate([c + 0.05 * rng.normal(size=(20, 16)) for c in centers]).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    found = detect(x)
    assert len(found) == 3
    order = basin_order(x, found)
    assert sorted(order.tolist()) == list(range(60))
    basins = found.basin[order]
    assert (np.diff(np.where(basins < 0, 99, basins)) >= 0).all()
    cells = matrix(x, found, np.zeros(60, bool))
    values = np.frombuffer(base64.b64decode(cells["cells"]), np.uint8).reshape(60, 60)
    assert (values == values.T).all() and (values.diagonal() == 255).all()
    same = np.equal.outer(cells["basin"], cells["basin"])
    assert values[same].mean() > values[~same].mean() + 100


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_can_be_read(theme):
    """WCAG 2 AA: 4.5 for text, 3 for marks, in both themes."""
    style = resources.files("fieldpack.report").joinpath("look.css").read_text("utf-8")
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", style)
    colour = {name: (light, dark)[theme] for name, light, dark in pairs}
    read = {"paper": ("ink", "dim", "soft", "in-edge", "out-edge"), "card": ("dim", "soft", "accent")}
    read |= {"lit": ("ink",), "in": ("ink",), "out": ("ink",)}
    for ground, ink in ((g, i) for g, inks in read.items() for i in inks):
        assert contrast(colour[ink], colour[ground]) >= 4.5, (ink, ground)
    for mark in [f"b{i}" for i in range(12)] + ["none", "lit-edge"]:
        assert contrast(colour[mark], colour["card"]) >= 3, mark
        assert mark == "lit-edge" or contrast(colour["card"], colour[mark]) >= 3


def test_controls_have_names(page):
    labels = {a["for"] for tag, a in page.tags if tag == "label" and "for" in a}
    for tag, attrs in page.tags:
        if tag == "input":
            assert attrs["id"] in labels
        if tag in ("canvas", "svg"):
            assert attrs["role"] == "img" and ("aria-label" in attrs or "aria-labelledby" in attrs)
        if "aria-labelledby" in attrs:
            assert attrs["aria-labelledby"] in {a.get("id") for _, a in page.tags}
    assert page.tags[0][1]["lang"] == "en"


def test_a_comparison_shows_what_either_keeps(packer, result):
    other = result.repack(20)
    page = Page(result.to_html(compare=other))
    assert page.facts["compare"]["rows"] == np.flatnonzero(other.inside).tolist()
    assert page.facts["compare"]["name"] == "20 tokens" and [p["budget"] for p in page.facts["packs"]] == [40]
    without = packer.pack(None, DOCS, 40)
    facts = Page(result.to_html(compare=without)).facts["compare"]
    assert facts["name"] == "without a query" and facts["rows"] == np.flatnonzero(without.inside).tolist()


def test_ranges_of_another_retriever_count_where_they_cover_half_a_segment(result):
    s = result.segments[0]
    half = (s.end - s.start + 1) // 2
    name = DOCS[0].id
    make = partial(comparison_of, DOCS, result.segments, name="top-k", tokens=9)
    assert make(ranges=[(name, s.start, s.start + half)]).inside[0]
    assert not make(ranges=[(name, s.start, s.start + half - 1)]).inside[0]
    twice = [(name, s.start, s.start + half - 1), (name, s.start, s.start + half - 1)]
    assert not make(ranges=twice).inside.any(), "no character counts twice"
    assert make(ranges=[("elsewhere", 0, 7)]).outside == 7


@given(st.data())
def test_covered_segments_are_those_of_a_count_by_characters(result, data):
    some = st.tuples(st.sampled_from([d.id for d in DOCS]), st.integers(0, 60), st.integers(1, 90))
    ranges = [(name, a, a + n) for name, a, n in data.draw(st.lists(some, max_size=6))]
    inside = comparison_of(DOCS, result.segments, name="x", tokens=1, ranges=ranges).inside
    held = {(name, c) for name, a, b in ranges for c in range(a, b)}
    for row, s in enumerate(result.segments):
        covered = sum((DOCS[s.doc].id, c) in held for c in range(s.start, s.end))
        assert inside[row] == (2 * covered >= s.end - s.start)


def test_a_field_report_opens_with_its_topics(packer):
    explored = packer.explore(HOSTILE[:5] + DOCS)
    html = field_page(field_view(explored.corpus, explored.reading))
    if len(explored.reading.attractors):
        assert html.index('id="topics-title"') < html.index('id="documents-title"')
        assert not [a for tag, a in Page(html).tags if tag == "details" and a.get("class") == "doc" and "open" in a]


def test_every_number_of_the_page_has_its_meaning(page):
    assert page.facts["measures"] == MEASURES and all(p["help"] for p in page.facts["query"]["parts"])
    script = resources.files("fieldpack.report").joinpath("page.js").read_text("utf-8")
    for name in re.findall(r'\["([a-z ]+)", (?:many|Q\.|C\.|"[+−]")', script):
        assert name in MEASURES, name
