"""Fragments of HTML: whatever the text, it stays text."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpack.field.state import FieldState
from fieldpack.html import bar, escape, more, table


class Cells(HTMLParser):
    """Tags and the text of table cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data):
        self.cells[-1] += data


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=20), min_size=1, max_size=4))
def test_a_table_has_the_cells_that_were_given_and_no_other_element(texts):
    row = [escape(text) for text in texts]
    page = Cells(table(row, [row, row], text_columns=(0,)))
    assert set(page.tags) == {"table", "thead", "tbody", "tr", "th", "td"}
    assert len(page.cells) == 3 * len(texts)
    assert page.cells == 3 * [Cells(f"<td>{escape(text)}</td>").cells[0] for text in texts]


@given(st.text(st.characters(exclude_categories=()), max_size=50))
def test_escaped_text_can_be_written_as_utf_8_and_holds_no_markup(text):
    shown = escape(text)
    shown.encode("utf-8")
    assert not set("<>\"'\0\r") & set(shown)


def test_readable_text_is_shown_as_it_is():
    text = "a < b & c\tü 日本"
    assert Cells(f"<td>{escape(text)}</td>").cells == [text]


@pytest.mark.parametrize(("share", "width"), [(-1.0, 0), (0.0, 0), (0.5, 20), (1.0, 40)])
def test_a_bar_is_as_wide_as_its_share(share, width):
    assert f"width:{width}px" in bar(share, 40)


def test_what_a_table_leaves_out_is_counted():
    assert more(0, "rows") == more(-3, "rows") == ""
    assert more(1200, "rows") == "<div>and 1,200 more rows</div>"


def test_a_state_of_many_fragments_shows_the_strongest_and_counts_the_others():
    keys = [f"<{i}>" for i in range(20)]
    vectors = [[1.0]] * 20
    state = FieldState().integrate(keys, vectors, [(i + 1) / 20 for i in range(20)])
    shown = state._repr_html_()
    assert "&lt;19&gt;" in shown and "&lt;0&gt;" not in shown and "and 8 more fragments" in shown
