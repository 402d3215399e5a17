"""HTML that is given as a string: what its reader does not see is no evidence."""

import pytest

import fieldpack as fp

PAGE = (
    "<html><body><nav><a href=/>Home</a><a href=/a>Products</a><a>Pricing</a></nav><main><h1>Reset your password</h1>"
    "<p>To reset the password open Settings and choose Security.</p></main>"
    "<footer><p>Copyright 2024 Example Inc. Contact support to reset things.</p></footer></body></html>"
)


@pytest.mark.parametrize("unit", ["auto", "paragraph", "sentence"])
@pytest.mark.parametrize("query", ["how do I reset my password", "pricing and contact", None])
def test_a_page_given_as_a_string_packs_what_a_reader_sees(query, unit):
    result = fp.ContextPacker(unit=unit).pack(query, [fp.Document("page", PAGE)], 300)
    assert "open Settings" in result.text
    assert [word for word in ("Pricing", "Copyright", "Contact") if word in result.text] == []
    assert "navigation, footers, scripts and hidden parts of 1 page are left out" in result.notes
    assert {s.reason for s in result.dropped if "Copyright" in s.text} == {
        "navigation, a footer, a script or hidden on the page; enters with a pin"
    }


def test_a_pin_packs_what_a_page_hides():
    at = PAGE.index("Copyright")
    result = fp.ContextPacker().pack("password", [fp.Document("page", PAGE)], 300, pins=[("page", at, at + 9)])
    assert "Copyright" in result.text


def test_a_page_that_hides_all_its_words_hides_none():
    page = "<html><body><form><p>The opening hours are nine to five.</p></form></body></html>"
    assert "nine to five" in fp.ContextPacker().pack("opening hours", [fp.Document("page", page)], 100).text
