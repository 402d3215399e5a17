"""HTML: the text that a reader sees, with its tables, lists and code, and nothing of the page's frame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpack.files.html import html_page, html_text
from fieldpack.files.html_scan import attributes, tokens
from fieldpack.text.segment import segment
from fieldpack.types import Document

PAGE = """<!doctype html><html><head><title>A &amp; B</title><style>p{}</style><script>a<b "</p>"</script></head>
<body><nav>Menu</nav><h1>Top <i>one</i></h1><p>First   line<br>second.</p><!-- <p>no</p> --><h2>Sub</h2>
<ul><li>a</li><li><p>b</p><li>c</ul><pre>x = 1

y = "<b>"</pre><table><tr><th>h</th><td>1 &lt; 2</td></tr><tr><td>3<td>4</table>
<svg><text>no</text></svg><noscript>no</noscript>tail<p hidden='a>b'>no</body></html>"""


def text(html: str) -> str:
    return html_text(html)[1]


class TestText:
    def test_headings_blocks_lists_code_and_tables(self) -> None:
        page = html_page(PAGE)
        assert html_text(PAGE) == (page.title, page.text)
        assert page.title == "A & B"
        assert page.text == (
            '# Top one\n\nFirst line\nsecond.\n\n## Sub\n\n- a\n- b\n- c\n\n```\nx = 1\n\ny = ""\n```\n\n'
            "| h | 1 < 2 |\n| 3 | 4 |\n\ntail"
        )
        kinds = [s.kind for s in segment([Document("p", page.text, "", {"kind": "html"})], "sentence")]
        assert kinds.count("heading") == 2 and "code" in kinds and "list" in kinds

    @pytest.mark.parametrize(
        ("html", "expected"),
        [
            ("<select><option>Red</option><option>Blue</option></select>", "Red Blue"),
            ("<button>Reply</button><button>Reply all</button>", "Reply Reply all"),
            ("<a href=1>Home</a><a href=2>About</a>", "Home About"),
            ("<label>Name<input value=x></label><label>Age</label>", "Name Age"),
            ("<p>H<sub>2</sub>O, 10<sup>6</sup> and a note<sup><a href=#1>[1]</a></sup>", "H2O, 10^6 and a note[1]"),
            ("<p>in<b>line</b> <i>parts</i><span>stay</span>", "inline partsstay"),
            ("<p>a<!-- x -->b&nbsp;c&shy;d &amp;lt;", "ab\xa0c\xadd &lt;"),
            ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>", "漢(kan)"),
            ("<p>He said <q>yes</q>.", "He said “yes”."),
            ("<dl><dt>Depth<dd>How deep.<dt>Jobs<dd>How many.</dl>", "Depth\nHow deep.\nJobs\nHow many."),
            ("<blockquote><p>one<p>two</blockquote><p>three", "> one\n\n> two\n\nthree"),
            ("<p>a</p>   <p>  </p><hr><p>b", "a\n\nb"),
            ("<h2>Options <a class=headerlink href=#o>¶</a></h2>x", "## Options\n\nx"),
            ("<textarea>a &lt; b</textarea>", "a < b"),
            ("&#x110000; &#99999999999999999; &unknown; &amp", "\ufffd \ufffd &unknown; &"),
        ],
    )
    def test_words_are_apart_or_together_as_they_are_seen(self, html: str, expected: str) -> None:
        assert text(html) == expected

    @given(st.text(alphabet=st.sampled_from("<>/!-?&;'\"= abpthrd\n`é")) | st.text())
    def test_any_string_gives_text(self, html: str) -> None:
        title, found = html_text(html)
        assert found == found.strip()
        assert not title or "<title" in html.lower()

    @given(st.lists(st.text(alphabet="abc é漢.,", min_size=1).filter(str.strip), min_size=1, max_size=5))
    def test_words_survive(self, paragraphs: list[str]) -> None:
        html = "".join(f"<div><p class='x'>{p}</p></div>" for p in paragraphs)
        assert text(html).split() == " ".join(paragraphs).split()

    @given(
        st.lists(
            st.sampled_from(
                [
                    "<p>",
                    "</div>",
                    "<div>",
                    "<li>",
                    "<ul>",
                    "</ul>",
                    "<td>",
                    "<table>",
                    "</table>",
                    "<tr>",
                    "<pre>",
                    "</pre>",
                    "<b>",
                    "</a>",
                    "<a>",
                    "<sup>",
                    "</sup>",
                    "<blockquote>",
                    "<ol start=7>",
                    "<h2>",
                    "<th>",
                    "word",
                ]
            )
        )
    )
    def test_no_word_is_lost_or_doubled_by_odd_nesting(self, pieces: list[str]) -> None:
        numbered = [f"w{i} " if piece == "word" else piece for i, piece in enumerate(pieces)]
        words = [piece.strip() for piece in numbered if not piece.startswith("<")]
        found = text("".join(numbered)).replace("|", " ").replace("^", " ").split()
        assert sorted(w for w in found if w.startswith("w")) == sorted(words)

    def test_what_follows_a_tag_that_never_ends_is_kept(self) -> None:
        assert text("<p>a <b class='x>kept <i kept") == "a kept <i kept"

    @given(st.text(alphabet="abc=\"'> /"))
    def test_attributes_of_anything(self, body: str) -> None:
        assert all(name == name.lower() for name in attributes(body))

    @given(st.text(alphabet="<>/ab!-\"'= "))
    def test_tokens_lie_in_the_source_in_order(self, html: str) -> None:
        at = 0
        for token in tokens(html):
            assert at <= token.start <= token.end <= len(html)
            at = token.end


class TestLists:
    def test_numbers_and_nesting_are_kept(self) -> None:
        html = "<ol start=3><li>Open the lid<ol><li>Turn left</li></ol></li><li>Fill in oil</li></ol>"
        assert text(html) == "3. Open the lid\n   1. Turn left\n4. Fill in oil"

    @pytest.mark.parametrize(
        ("html", "expected"),
        [
            ("<ol type=a><li>x<li>y</ol>", "a. x\nb. y"),
            ("<ol type=I start=4><li>x<li>y</ol>", "IV. x\nV. y"),
            ("<ol><li>x<li value=9>y<li>z</ol>", "1. x\n9. y\n10. z"),
            ("<ol reversed start=3><li>x<li>y</ol>", "3. x\n2. y"),
            ("<ol reversed><li>x<li>y</ol>", "- x\n- y"),
            ("<ul><li><p>a</p><p>b</p><li><div>c</div></ul>d", "- a\n  b\n- c\n\nd"),
            ("<ul><li>a<pre>x\n y</pre></ul>", "- a\n  ```\n  x\n   y\n  ```"),
            ("<ol type=a start=27><li>x</ol><ol start=-1><li>y</ol>", "aa. x\n\n-1. y"),
            ("<li>alone", "- alone"),
        ],
    )
    def test_markers_are_those_that_a_browser_shows(self, html: str, expected: str) -> None:
        assert text(html) == expected


class TestCode:
    @pytest.mark.parametrize(
        ("html", "expected"),
        [
            ("<pre>\n a\n\n  b\n</pre>", "```\n a\n\n  b\n```"),
            (
                '<div class="highlight-python notranslate"><div><pre><span></span>x</pre></div></div>',
                "```python\nx\n```",
            ),
            ('<pre><code class="language-c++ hljs">x</code></pre>', "```\nx\n```"),
            ("<pre>a<br>b</pre>", "```\na\nb\n```"),
            ("<pre><div>a</div><div>b</div>\n<div></div><div>c</div></pre>", "```\na\nb\n\nc\n```"),
            (
                '<div class="fragment"><div class="line">int a;</div>\n<div class="line"> b;</div>\n</div>x',
                "```\nint a;\n b;\n```\n\nx",
            ),
            (
                "<table><tr><td class=linenos><pre>1\n2</pre></td><td><pre>a\nb</pre></td></tr></table>",
                "```\na\nb\n```",
            ),
            ("<pre>``` x</pre>", "````\n``` x\n````"),
            ("<p style='white-space: pre'>a\n  b</p>c", "```\na\n  b\n```\n\nc"),
        ],
    )
    def test_lines_are_kept(self, html: str, expected: str) -> None:
        assert text(html).replace("```c++", "```") == expected


class TestTables:
    @pytest.mark.parametrize("cell", ["{}", "<p>{}</p>", "<div><p>{}</p></div>", " <span>{}</span>\n"])
    def test_a_row_is_one_line_whatever_its_cells_are_made_of(self, cell: str) -> None:
        rows = [
            ["Option", "Meaning", "Since"],
            ["--quiet", "Print nothing but errors.", "1.0"],
            ["--retry", "Five times.", "1.2"],
        ]
        head, *body = [
            "<tr>" + "".join(f"<{t}>{cell.format(c)}</{t}>" for c in row) + "</tr>"
            for t, row in zip(("th", "td", "td"), rows, strict=True)
        ]
        html = f"<table class=docutils><thead>{head}</thead><tbody>{''.join(body)}</tbody></table>"
        assert text(html).split("\n") == [
            "| Option | Meaning | Since |",
            "| --- | --- | --- |",
            "| --quiet | Print nothing but errors. | 1.0 |",
            "| --retry | Five times. | 1.2 |",
        ]

    @pytest.mark.parametrize(
        ("html", "expected"),
        [
            ("<tr><th>a<th>b<tr><td>1<td>2|3", "| a | b |\n| --- | --- |\n| 1 | 2\\|3 |"),
            ("<tr><td>a<td><td>c<tr><td><td>b<td>", "| a |  | c |\n|  | b |  |"),
            ("<tr><th>a<th>b<tr><td rowspan=2>x<td>1<tr><td>2", "| a | b |\n| --- | --- |\n| x | 1 |\n| x | 2 |"),
            ("<tr><th>a<th>b<th>c<tr><td colspan=2>x<td>1", "| a | b | c |\n| --- | --- | --- |\n| x |  | 1 |"),
            (
                "<thead><tr><th rowspan=2>N<th colspan=2>2026<tr><th>Q1<th>Q2</thead><tr><td>a<td>1<td>2",
                "| N | 2026 Q1 | 2026 Q2 |\n| --- | --- | --- |\n| a | 1 | 2 |",
            ),
            (
                "<caption>Prices <b>now</b></caption><tr><th>a<th>b<tr><td>1<td>2",
                "Prices now\n\n| a | b |\n| --- | --- |\n| 1 | 2 |",
            ),
            ("<tr><td>one<tr><td>two", "one\n\ntwo"),
            ("<tr><td>left<td>right", "left\n\nright"),
            ("<tr><td><ul><li>x<li>y</ul><td>1<tr><td>z<td>2", "| - x - y | 1 |\n| z | 2 |"),
            ("<tr><td><h2>T</h2><p>x<td>side<tr><td>y<td>z", "## T\n\nx\n\nside\n\ny\n\nz"),
            (
                "<tr><td><table><tr><td>1<td>2<tr><td>3<td>4</table><td>b<tr><td>c<td>d",
                "| 1 | 2 |\n| 3 | 4 |\n\nb\n\nc\n\nd",
            ),
        ],
    )
    def test_headers_spans_and_layout(self, html: str, expected: str) -> None:
        assert text(f"<table>{html}</table>") == expected

    @given(st.lists(st.lists(st.text("abcxyz", min_size=1), min_size=2, max_size=4), min_size=2, max_size=5))
    def test_every_row_of_any_table_is_a_line_with_its_cells(self, rows: list[list[str]]) -> None:
        html = "".join("<tr>" + "".join(f"<td><p>{cell}</p></td>" for cell in row) + "</tr>" for row in rows)
        assert text(f"<table>{html}</table>").split("\n") == [f"| {' | '.join(row)} |" for row in rows]

    @pytest.mark.parametrize(
        "html",
        [
            "<tr><td rowspan=9999 colspan=999>abcdefgh" * 2000,
            "<tr>" + "<td rowspan=60000>a" * 300 + "<tr><td>b" * 20_000,
            "<tr><th colspan=300>" + "a" * 190 + "<tr><th>b" * 10_000,
        ],
    )
    def test_spans_cannot_blow_a_page_up(self, html: str) -> None:
        assert len(text(f"<table>{html}")) < 5 * len(html) + 10_000


class TestFrame:
    @pytest.mark.parametrize(
        ("part", "reason"),
        [
            ("<nav>x</nav>", "navigation"),
            ("<div role=navigation><ul><li>x</ul></div>", "navigation"),
            ("<ul class='nav navbar'><li>x</ul>", "navigation"),
            ("<div class='sphinxsidebar'><h3>x</h3></div>", "sidebar"),
            ("<div class='md-sidebar'>x</div>", "sidebar"),
            ("<aside>x</aside>", "sidebar"),
            ("<footer>x</footer>", "footer"),
            ("<div id=footer>x</div>", "footer"),
            ("<header>x</header>", "header"),
            ("<div class=breadcrumbs>x</div>", "navigation"),
            ("<p hidden>x</p>", "hidden"),
            ("<p style='color: red; display : none'>x</p>", "hidden"),
            ("<span style='VISIBILITY:hidden'>x</span>", "hidden"),
            ("<i aria-hidden=true>x</i>", "hidden"),
            ("<span class=visually-hidden>x</span>", "hidden"),
            ("<dialog>x</dialog>", "hidden"),
            ("<script>if (a<b) x</script>", "script"),
            ("<template>x</template>", "script"),
            ("<noscript>x</noscript>", "script"),
            ("<svg><title>x</title></svg>", "script"),
        ],
    )
    def test_it_is_left_out_and_said(self, part: str, reason: str) -> None:
        page = html_page(f"<body>{part}<p>The text of the page.</p></body>")
        assert page.text == "The text of the page." and page.left_out == {reason: 1}

    def test_only_the_main_part_is_taken_where_there_is_one(self) -> None:
        html = "<div>Site name</div><main><h1>T</h1><p>Text.</p><aside>Note: a remark.</aside><nav>x</nav></main>y"
        assert text(html) == "# T\n\nText.\n\nNote: a remark."

    @pytest.mark.parametrize(
        "html",
        [
            "<div class='sidebar'><main><p>words of the page</p></main></div>",
            "<body class='has-sidebar'><p>words of the page</p></body>",
            "<div class=menu>" + "words of the page " * 9 + "</div><p>x",
            "<header><h1>words of the page</h1></header><p>x",
            "<section id=footer><h2>Footer</h2>words of the page</section><p>More text of the same page, longer.",
            "<div class='hidden md:block'>words of the page</div>",
            "<main></main><p>words of the page",
            "<dialog open>words of the page</dialog>",
            "<nav><ul><li>words of the page</ul></nav>",  # nothing else is there
            "<p hidden>no<p>words of the page",
            "<ul><li hidden>no<li>words of the page</ul>",
            "<head><title>t</title>words of the page",
        ],
    )
    def test_no_text_is_lost_to_a_name(self, html: str) -> None:
        assert "words of the page" in text(html) and "no<" not in text(html)

    def test_scripts_in_what_turned_out_to_be_text_stay_left_out(self) -> None:
        html = f"<div class=sidebar>{'long text ' * 20}<script>var hidden = 1</script></div>"
        assert text(html) == ("long text " * 20).strip()

    def test_a_piece_of_html_may_be_taken_whole(self) -> None:
        assert html_page("<nav>a</nav><script>b</script>", whole=True).text == "a"

    def test_unclosed_parts_reach_to_the_end_as_in_a_browser(self) -> None:
        assert text("<main><p>seen<div hidden>not seen<p>nor this") == "seen"
