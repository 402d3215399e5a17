"""The page for people, driven in a headless browser.

The references in data/looks are small pictures that were looked at. To make them anew, after looking:
python tests/test_server_page.py
"""

import json
import re

import browser
import looks
import pytest
from serving import app, running_well
from starlette.testclient import TestClient

import fieldpack as fp
from fieldpack.report import pack_map, passage_numbers


@pytest.fixture(scope="module")
def client():
    with TestClient(app()) as c:
        yield c


@pytest.fixture(scope="module")
def service():
    with running_well(max_body=200_000, head_timeout=1.0, body_timeout=1.0) as url:
        yield url


@pytest.fixture
def b(tab):
    """The tab, as if nothing had been loaded in it."""
    tab.open("about:blank")
    tab.errors.clear()
    tab.asked.clear()
    looks.themed(tab, "light")
    return tab


def test_the_page_is_alone_and_locked(client):
    page = client.get("/")
    rules = page.headers["content-security-policy"]
    assert "default-src 'none'" in rules and "unsafe" not in rules and "trusted-types 'none'" in rules
    names = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert set(names) == {"/page.css", *SCRIPTS, "#view", "/docs", "data:,"}
    assert "<style" not in page.text and "style=" not in page.text and not re.search(r"\son\w+=", page.text)
    script = client.get("/page.js")
    assert script.headers["content-type"].startswith("text/javascript")
    for code in (client.get(name).text.replace("http://www.w3.org/2000/svg", "") for name in SCRIPTS):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|https?://", code)
    for answer in (page, script, client.get("/page.css"), client.get("/healthz")):
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["x-frame-options"] == "DENY"


SCRIPTS = ("/map.js", "/numbers.js", "/headings.js", "/page.js")
BUDGET = "budget.value = N; budget.dispatchEvent(new Event('input'))"
LIT = "[...document.querySelectorAll('.passage.lit')].map(s => s.textContent)"


def test_the_page_in_a_browser(service, b):
    b.open(service)
    hostile = "Tides are caused by the Moon 🌙. <img src=x onerror=\"document.title='broken'\"> Bread is baked.\n\n" + (
        "</textarea><script>document.title='broken'</script> Sourdough is fed daily 🍞 by the baker."
    )
    b.value("document.getElementById('paste').focus()")
    b.type(hostile)
    for _ in range(1):
        b.key("Tab")
    assert b.value("document.activeElement.id") == "add"
    b.key("Enter", "\r")
    b.value("document.getElementById('query').focus()")
    b.type("what causes tides")
    b.until("document.querySelectorAll('.passage').length > 2")
    shown = b.value("document.querySelector('.document').textContent")
    assert shown == hostile, "the document stands there in full, emoji and all, as text"
    b.value(BUDGET.replace("N", "12"))
    b.until("document.getElementById('facts').textContent.includes('of 12 tokens')")
    few = b.value(LIT)
    assert any("caused by the Moon" in s for s in few)
    assert b.value("document.querySelectorAll('.passage.dim').length") > 0
    b.value("document.getElementById('slider').focus()")
    b.key("End")
    b.until(f"{LIT}.length > {len(few)}")
    b.value("document.querySelector('.passage').focus()")
    first = b.value("document.getElementById('why').textContent")
    assert re.match(r"(Kept|Dropped)text 1:0–", first) and "relevance" in first and "Score parts" in first
    b.key("ArrowDown")
    assert b.value("document.activeElement.dataset.index") == "1"
    assert b.value("document.querySelectorAll('.passage[tabindex=\"0\"]').length") == 1, "one stop of the tab key"
    b.key("End")
    assert b.value("document.activeElement === [...document.querySelectorAll('.passage')].pop()")
    assert b.value("document.getElementById('text').textContent.length") > 0
    assert b.value("document.title") == "fieldpack" and b.value("document.querySelectorAll('img, iframe').length") == 0
    b.open(service + "?phone#try", width=360, height=700)
    b.until("document.querySelectorAll('.passage.lit').length > 2")
    assert b.value("document.documentElement.scrollWidth <= 360"), "nothing is wider than a phone"
    b.value(BUDGET.replace("N", "0"))
    b.until("document.getElementById('facts').textContent.includes('of 1 tokens')")
    assert b.value("document.getElementById('notes').textContent").startswith("nothing fits")
    assert b.errors == [], b.errors
    assert all(url.startswith((service, "data:", "about:")) for url in b.asked), b.asked


def test_a_long_document_stays_short_and_nothing_covers_the_settings_of_a_phone(service, b):
    long = "\n\n".join(f"Note {k} of the gardener says that roses were pruned." for k in range(300))
    text = f"{long}\n\nTides are caused by the Moon.\n\n{long}"
    b.open(service, width=390, height=844)
    b.value(f"add('long.md', {json.dumps(text)}); query.value = 'What causes tides?'; budget.value = 20; soon(0)")
    b.until("document.querySelectorAll('.passage.lit').length > 0")
    assert b.value("document.documentElement.scrollHeight") < 5 * 844, "what is far from kept text is left out"
    b.value("step(1)")
    box = "document.querySelector('.lit.passage').getBoundingClientRect()"
    top, bottom = b.value(f"[{box}.top, {box}.bottom]")
    assert top >= 0 and bottom <= 844, "the kept passage is in sight"
    b.value("document.querySelector('.passage.lit').click()")
    assert b.value("getComputedStyle(document.querySelector('.why')).position") == "fixed"
    b.value("query.focus()")
    assert b.value("getComputedStyle(document.querySelector('.why')).position") == "static", "settings lie free"
    b.value("document.activeElement.blur(); dispatchEvent(new KeyboardEvent('keydown', {key: 'k', bubbles: true}))")
    shown = "[...document.querySelectorAll('.passage.dim')].filter((s) => s.offsetParent !== null).length"
    assert b.value(shown) == 0 and b.errors == []


def test_the_map_and_the_numbers_are_those_of_the_report(client):
    texts = [
        f"{name} is a town in the north. It has {k} bridges.\n\nFish is sold there." for k, name in enumerate("ABCDE")
    ]
    asked = {"query": "Which town has bridges?", "documents": texts, "budget": 30, "map": True}
    answer = client.post("/v1/pack", json=asked).json()
    view = fp.ContextPacker().pack(asked["query"], texts, 30).view()
    assert answer["map"] == json.loads(json.dumps(pack_map(view)))
    assert answer["numbers"] == json.loads(json.dumps(passage_numbers(view)))
    assert len(answer["numbers"]["parts"][0]["values"]) == len(answer["kept"]) + len(answer["dropped"])
    assert not {"map", "numbers"} & client.post("/v1/pack", json={**asked, "map": False}).json().keys()


def test_two_packs_stand_side_by_side(service, b):
    b.open(service + "#try", width=1400, height=900)
    b.until("document.querySelectorAll('#map .p.k').length > 0")
    assert b.value("document.querySelectorAll('#map .query').length") == 1
    lit = b.value("document.querySelectorAll('#map .p.k').length")
    b.value("document.querySelector('#map .p.k').dispatchEvent(new MouseEvent('click'))")
    assert b.value("why.textContent").startswith("Kept")
    b.value("other.value = 'half'; other.dispatchEvent(new Event('change'))")
    b.until("document.querySelectorAll('.passage.new').length > 0")
    assert "the other keeps" in b.value("document.getElementById('facts').textContent")
    b.value("other.value = 'none'; query.value = 'Which bread rests overnight?'; soon(0)")
    b.until("document.querySelectorAll('.passage.gone').length > 0")
    b.value("other.value = ''; query.value = ''; soon(0)")
    b.until("document.querySelectorAll('#map .query').length === 0")
    assert b.value("document.querySelectorAll('.passage.lit').length") > 0, "without a question: what they are about"
    assert b.value(BUDGET.replace("N", "2000") + "; 1")
    b.until(f"document.querySelectorAll('#map .p.k').length > {lit}")
    assert b.errors == []


def test_a_passage_is_explained_by_bars_as_in_the_report(service, b):
    b.open(service + "?why#try", width=1400, height=900)
    b.until("document.querySelectorAll('.passage.lit').length > 2")
    b.value("document.querySelector('.passage.lit').click()")
    rows = b.value(
        "[...document.querySelectorAll('#why .track')].map(t => [parseFloat(t.firstChild.style.width),"
        " t.nextSibling.textContent, t.getBoundingClientRect().width])"
    )
    assert len(rows) > 5
    for width, value, wide in rows:
        number, _, most = value.partition(" of ")
        assert width == pytest.approx(100 * abs(float(number)) / float(most or 1), abs=0.6) and wide > 40
    assert b.value("document.querySelector('#why .state').textContent") == "Kept"
    assert b.value("document.querySelectorAll('#why .words-met li').length") >= 2
    b.value("query.value = 'Which bread rests overnight?'; soon(0)")
    b.until("document.querySelector('#why .words-met').textContent.includes('bread')")
    assert b.errors == []


LOOK_OF = {f"service-{size}-{theme}": (size, theme) for size in looks.SIZES for theme in ("light", "dark")}


def picture(tab, url, name):
    """The example, and of the desktop with a passage chosen."""
    size, theme = LOOK_OF[name]
    looks.themed(tab, theme)
    tab.open(f"{url}?{name}#try", *looks.SIZES[size])
    tab.until("document.querySelectorAll('.passage.lit').length > 2 && !document.getElementById('field').hidden")
    if size == "desktop":
        tab.value("document.querySelector('.passage.lit').click()")
    else:
        tab.value("step(1)")
    return looks.picture(tab)


@pytest.mark.parametrize("name", LOOK_OF)
def test_the_page_looks_as_it_did_when_somebody_looked(service, b, name):
    looks.assert_as_before(name, picture(b, service, name))


def test_the_addresses_are_described_on_a_page_that_loads_nothing(client):
    page = client.get("/docs")
    assert page.status_code == 200 and page.headers["content-security-policy"].startswith("default-src 'none'")
    document = client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f'id="{operation["operationId"]}"' in page.text and f"{method.upper()} {path}" in page.text
    for name, schema in document["components"]["schemas"].items():
        assert f'id="record-{name}"' in page.text
        assert all(f"<code>{key}</code>" in page.text for key in schema.get("properties", {}))
    links = set(re.findall(r'href="#([^"]+)"', page.text))
    assert links <= set(re.findall(r'id="([^"]+)"', page.text))
    assert set(re.findall(r'(?:src|href)="([^"#]+)"', page.text)) == {"/page.css", "/", "/openapi.json", "data:,"}


if __name__ == "__main__":
    import tempfile

    with running_well() as url, browser.Browser(tempfile.mkdtemp("profile")) as one:
        for name in LOOK_OF:
            looks.keep(name, picture(one, url, name))
