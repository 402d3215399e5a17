"""There is one way to make a pack, with many doors: all give the same pack, or refuse with the same number.

Doors: `pack`, an index (made at once, grown, saved and loaded), the first turn of a session (of documents, of an
index), a stream, the engine of the adapters, the HTTP service (a pack, a stream of events, a session), the MCP tool,
the command line and a batch, with a query and without one. Each gives what `ContextPacker.pack` gives, field by field;
pins that cannot fit are the same BudgetError, message and all, at each of them, and the number it names is enough at
each of them.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import app
from starlette.testclient import TestClient

import fieldpack as fp
from fieldpack.adapters._common import engine
from fieldpack.adapters._documents import Source
from fieldpack.cli.app import run as command_line
from fieldpack.embed.testing import HashEmbedder
from fieldpack.mcp import Roots
from fieldpack.mcp.tools import Given, Tools
from fieldpack.packing.render import BETWEEN_DOCUMENTS
from fieldpack.parallel import pack_many, rows

PIECES = (
    "Tides are caused by the gravity of the Moon and the Sun. Spring tides come at new and at full moon.",
    "Azurite is a deep blue copper mineral. Miners ground it for blue paint. It forms where copper ore weathers.",
    "A starter wants flour, water and some days of patience.",
    f"- item one of the tide{' ' * 90}and its height\n- item two{chr(10) * 70}- item three of the harbour",
    f"Rye is sown late.{' ' * 300}It is cut in July.\n\n{' ' * 70}\n\nOats float.",
    "# The tunnel\n\nIt took nine years to dig. Granite slowed the work.",
    "def area(radius):\n    return 3.14159 * radius**2\n",
    "Приливы вызываются притяжением Луны и Солнца в открытом море. Каждый день.",
    "潮汐是由月球和太阳的引力引起的。每天两次。",
    "Mr. Smith et al. waited at 5 p.m. …",
    "\n\n[2] A forged title (forged-id)\n",
    "  ",
)
QUERIES: tuple[Any, ...] = (
    "what causes spring tides",
    "harbour",
    ["blue copper mineral", ("rye", 0.5)],
    "how long did it take to dig the tunnel",
    "Луна",
    None,
    None,
)
TITLES = ("", "", "Tides", "The same title", "A\n\n[2] forged one")
Shown = dict[str, Any]


@dataclass(frozen=True)
class World:
    """What is packed, and how."""

    documents: tuple[fp.Document, ...]
    query: Any
    budget: int
    pins: tuple[Any, ...]
    settings: dict[str, Any]
    dense: bool = False

    @property
    def packer(self) -> fp.ContextPacker:
        return fp.ContextPacker(embedder=HashEmbedder() if self.dense else "static", **self.settings)

    @property
    def scores(self) -> list[float | None]:
        """The documents' own: an index does not keep them, so they come with the call."""
        return [d.score for d in self.documents]

    @property
    def queries(self) -> list[tuple[str, float]]:
        listed = [self.query] if isinstance(self.query, str) else self.query or []
        return [(q, 1.0) if isinstance(q, str) else q for q in listed]


@st.composite
def worlds(draw, dense: bool = False) -> World:
    documents = []
    for k in range(draw(st.integers(1, 4))):
        text = draw(st.sampled_from(["\n\n", " ", "\n"])).join(draw(st.lists(st.sampled_from(PIECES), max_size=3)))
        name = draw(st.sampled_from([f"doc-{k}", f"file{k}.md", f"{k}:12-30"]))
        documents.append(fp.Document(name, text, draw(st.sampled_from(TITLES))))
    if not any(d.text.strip() for d in documents):
        documents[0] = replace(documents[0], text="A word.")
    pins: list[Any] = []
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2, 3]))):
        document = draw(st.sampled_from(documents))
        if not document.text or draw(st.integers(0, 2)) == 0:
            pins.append(document.id)
        else:
            start = draw(st.integers(0, len(document.text) - 1))
            pins.append((document.id, start, min(start + draw(st.integers(1, 400)), len(document.text))))
    chosen = {
        "unit": draw(st.sampled_from(["auto", "paragraph", "sentence"])),
        "order": draw(st.sampled_from(["source", "edges", "relevance"])),
        "cite": draw(st.booleans()),
        "titles": draw(st.booleans()),
        "allow_cut": draw(st.booleans()),
        "min_relevance": draw(st.sampled_from([0.0, 0.0, 0.05, 0.6])),
        "enough": draw(st.sampled_from([0.5, 0.95, 1.0])),
    }
    if draw(st.booleans()):  # scores from outside, some documents without one
        scale = draw(st.sampled_from([1.0, 0.01, -30.0]))
        documents = [
            replace(d, score=draw(st.sampled_from([None, scale * draw(st.integers(-3, 3))]))) for d in documents
        ]
    budget = draw(st.integers(1, 30) | st.integers(1, 250))
    return World(tuple(documents), draw(st.sampled_from(QUERIES)), budget, tuple(pins), chosen, dense)


class Refused(Exception):
    """A door said that the pins do not fit: its message, and the number it names where it names one apart."""

    def __init__(self, message: str, needed: int | None = None) -> None:
        super().__init__(message)
        self.message, self.needed = message, needed


def told(facts: Shown) -> Shown:
    """All that a pack says but for its times, as JSON has it."""
    return json.loads(json.dumps({k: v for k, v in facts.items() if k != "timings_ms"}))


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    try:
        yield
    except fp.BudgetError as error:
        raise Refused(str(error), error.needed) from error


Door = Callable[[World], Shown]


def by_pack(w: World) -> Shown:
    return told(w.packer.pack(w.query, w.documents, w.budget, pins=w.pins).to_dict())


def by_repack(w: World) -> Shown:
    """At another budget first."""
    return told(w.packer.pack(w.query, w.documents, 5000, pins=w.pins).repack(w.budget).to_dict())


def by_index(w: World) -> Shown:
    return told(w.packer.index(w.documents).pack(w.query, w.budget, pins=w.pins, scores=w.scores).to_dict())


def by_grown_index(w: World) -> Shown:
    packer, first = w.packer, next((k for k, d in enumerate(w.documents, 1) if d.text.strip()), 1)
    index = packer.index(w.documents[:first])
    for document in w.documents[first:]:
        index = index.add(document)
    return told(index.pack(w.query, w.budget, pins=w.pins, scores=w.scores).to_dict())


def by_saved_index(w: World) -> Shown:
    packer = w.packer
    with tempfile.TemporaryDirectory() as folder:
        packer.index(w.documents).save(folder)
        index = fp.Index.load(folder, packer)
        return told(index.pack(w.query, w.budget, pins=w.pins, scores=w.scores).to_dict())


def by_session(w: World) -> Shown:
    return told(fp.Session(w.packer).turn(w.query, w.documents, w.budget, pins=w.pins).to_dict())


def by_session_of_an_index(w: World) -> Shown:
    packer = w.packer
    index = packer.index(w.documents)
    return told(fp.Session(packer).turn(w.query, index, w.budget, pins=w.pins, scores=w.scores).to_dict())


def by_stream(w: World) -> Shown:
    return told(w.packer.pack_stream(w.query, iter(w.documents), w.budget, pins=w.pins).to_dict())


IN_THE_LIBRARY: dict[str, Door] = {
    "repack": by_repack,
    "index": by_index,
    "grown index": by_grown_index,
    "saved index": by_saved_index,
    "session": by_session,
    "session of an index": by_session_of_an_index,
    "stream": by_stream,
}


def body(w: World) -> Shown:
    """The request to the service."""
    queries = [{"text": text, "weight": weight} for text, weight in w.queries]
    pins = [p if isinstance(p, str) else {"id": p[0], "start": p[1], "end": p[2]} for p in w.pins]
    documents = [{"id": d.id, "text": d.text, "title": d.title, "score": d.score} for d in w.documents]
    asked = {"queries": queries} if queries else {"query": None}
    return {**asked, "documents": documents, "budget": w.budget, "pins": pins, **w.settings}


def answered(response: Any) -> Shown:
    found = response.json()
    if response.status_code == 422 and found["type"] == "urn:fieldpack:problem:budget":
        raise Refused(found["detail"], found["needed"])
    assert response.status_code in (200, 201), found
    return found


def by_service(client: TestClient) -> Door:
    return lambda w: told(answered(client.post("/v1/pack", json=body(w))))


def by_events(client: TestClient) -> Door:
    """Server-sent events: the last one is the pack, or what is wrong."""

    def door(w: World) -> Shown:
        text = client.post("/v1/pack", json={**body(w), "stream": True}).text
        event, data = text.strip().split("\n\n")[-1].split("\n")
        found = json.loads(data.removeprefix("data: "))
        if event != "event: result":
            raise Refused(found["detail"], found["needed"])
        return told(found)

    return door


def by_service_session(client: TestClient, with_documents: bool) -> Door:
    """The first turn of a session that was opened with its documents, or gets them with the turn."""

    def door(w: World) -> Shown:
        asked = {key: value for key, value in body(w).items() if key in ("query", "queries", "budget", "pins")}
        documents = {"documents": body(w)["documents"]}
        if with_documents:
            asked["scores"] = [{"id": d.id, "score": d.score} for d in w.documents if d.score is not None] or None
        opened = client.post("/v1/sessions", json={**w.settings, **(documents if with_documents else {})})
        place = f"/v1/sessions/{answered(opened)['id']}"
        try:
            found = answered(client.post(f"{place}/turn", json={**asked, **({} if with_documents else documents)}))
        finally:
            client.delete(place)
        return told({k: v for k, v in found.items() if k not in ("turn", "prompt")})

    return door


def by_tool(w: World) -> Shown:
    """The MCP tool has no titles, cuts, weights or ranges: such worlds go through other doors."""
    arguments = {k: w.settings[k] for k in ("unit", "order", "cite", "min_relevance", "enough")}
    documents = [Given(id=d.id, text=d.text, title=d.title, score=d.score) for d in w.documents]
    tool = Tools(Roots([tempfile.gettempdir()])).pack_context
    query = [q for q, _ in w.queries] or None
    return tool(budget=w.budget, query=query, documents=documents, pins=list(w.pins), **arguments).structured_content


def by_command(w: World) -> Shown:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "documents.jsonl"
        rows = [{"id": d.id, "text": d.text, "title": d.title, "score": d.score} for d in w.documents]
        path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
        asked = [
            "pack",
            str(path),
            "--json",
            "--scores",
            f"--budget={w.budget}",
            *(f"--query={q}" for q, _ in w.queries),
        ]
        asked += [f"--pin={p}" if isinstance(p, str) else f"--pin={p[0]}:{p[1]}:{p[2]}" for p in w.pins]
        asked += [f"--{name.replace('_', '-')}" for name, value in w.settings.items() if value is True]
        named = {k: v for k, v in w.settings.items() if not isinstance(v, bool)}
        asked += [f"--{name.replace('_', '-')}={value}" for name, value in named.items()]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = command_line(asked)
    if code == 3:
        raise Refused(err.getvalue().strip().removeprefix("fieldpack: "))
    assert code == 0, err.getvalue()
    return told(json.loads(out.getvalue()))


def by_batch(w: World) -> Shown:
    """A row of a batch has all but what was dropped and the field."""
    task = {
        "query": [list(q) for q in w.queries] if isinstance(w.query, list) else w.query,
        "documents": [{"id": d.id, "text": d.text, "title": d.title, "score": d.score} for d in w.documents],
        "pins": [p if isinstance(p, str) else list(p) for p in w.pins],
        "budget": w.budget,
    }
    with tempfile.TemporaryDirectory() as folder:
        pack_many(w.packer, [task], folder, explain=True)
        (row,) = rows(folder)
    if "error" in row:
        assert row["error"]["kind"] == "BudgetError", row
        raise Refused(row["error"]["message"])
    return row


def outcome(door: Door, w: World) -> tuple[str, Any]:
    """("pack", what was said) or ("refused", what was said)."""
    try:
        with refusals():
            return "pack", door(w)
    except Refused as refused:
        return "refused", refused


def assert_agrees(name: str, found: tuple[str, Any], wanted: tuple[str, Any]) -> None:
    """The same pack in all that the door shows, or the same refusal."""
    assert found[0] == wanted[0], (name, found[1], wanted[1])
    if wanted[0] == "refused":
        assert found[1].message == wanted[1].message, name
        assert found[1].needed in (None, wanted[1].needed), name
        return
    shown = wanted[1]
    for key, value in found[1].items():
        if key in shown and key != "dropped":
            assert value == shown[key], (name, key, value, shown[key])
    missing = {"text", "tokens", "budget", "kept", "notes"} - set(found[1])
    assert not missing, (name, missing)
    assert found[1]["enough"] == shown["enough"], name
    listed = {(d["doc_id"], d["start"]): d for d in shown["dropped"]}
    dropped = found[1]["dropped"]  # the tool shows the most relevant first, and no more than twenty
    assert all(listed[d["doc_id"], d["start"]] == d for d in dropped), name
    assert found[1].get("dropped_count", len(dropped)) == len(listed), name


def check(w: World, doors: dict[str, Door]) -> None:
    """All doors agree with `pack`; where it refuses, they also agree on the number that is enough, and on one less."""
    wanted = outcome(by_pack, w)
    for name, door in doors.items():
        assert_agrees(name, outcome(door, w), wanted)
    if wanted[0] == "refused":
        needed = wanted[1].needed
        assert needed > w.budget
        for budget, kind in ((needed, "pack"), (needed - 1, "refused")):
            again = replace(w, budget=budget)
            wanted = outcome(by_pack, again)
            assert wanted[0] == kind
            for name, door in doors.items():
                assert_agrees(name, outcome(door, again), wanted)


NOTHING = {
    "no documents": ((), "nothing to pack: no documents were given"),
    "a document without text": ((fp.Document("a", "", "T"),), "nothing to pack: 1 document without text"),
    "blank documents": ((fp.Document("a", " "), fp.Document("b", "\n\n")), "nothing to pack: 2 documents without text"),
}


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("name", NOTHING)
def test_nothing_to_pack_is_an_empty_pack_with_a_note_at_every_door(name: str, dense: bool) -> None:
    documents, note = NOTHING[name]
    settings = {"unit": "auto", "order": "source", "cite": True, "titles": False, "allow_cut": True}
    w = World(documents, "the moon", 9, (), {**settings, "min_relevance": 0.0, "enough": 1.0}, dense)
    result = w.packer.pack(w.query, documents, w.budget)
    assert (result.text, result.tokens, result.kept, result.dropped) == ("", 0, (), ())
    assert result.notes == (note,) and result.state is not None and result.repack(3).notes == (note,)
    assert "<html" in result.to_html() and result._repr_html_()
    many = w.packer.pack_stream(w.query, iter(documents), w.budget, hold=1, block=1)
    assert not many.text and many.notes == (note,)
    check(w, {**IN_THE_LIBRARY, "batch": by_batch})
    if not dense:
        tool = {} if w.settings["titles"] else {"tool": by_tool}
        command = {"command line": by_command} if documents else {}  # a file without records is an error
        with TestClient(app()) as client:
            outside = {
                "service": by_service(client),
                "events": by_events(client),
                "session": by_service_session(client, with_documents=True),
                "turn": by_service_session(client, with_documents=False),
            }
            check(w, {**outside, **tool, **command})


@given(worlds())
@settings(max_examples=25, deadline=None)
def test_the_doors_of_the_library_agree(w: World) -> None:
    check(w, IN_THE_LIBRARY)


@given(worlds(dense=True))
@settings(max_examples=10, deadline=None)
def test_the_doors_of_the_library_agree_with_a_sentence_embedder(w: World) -> None:
    check(w, IN_THE_LIBRARY)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(app()) as made:
        yield made


@given(w=worlds())
@settings(max_examples=10, deadline=None)
def test_the_service_agrees(client: TestClient, w: World) -> None:
    check(
        w,
        {
            "service": by_service(client),
            "events": by_events(client),
            "session": by_service_session(client, with_documents=False),
            "session with documents": by_service_session(client, with_documents=True),
        },
    )


@given(worlds())
@settings(max_examples=10, deadline=None)
def test_the_tool_of_mcp_agrees(w: World) -> None:
    ids = tuple(p if isinstance(p, str) else p[0] for p in w.pins)
    chosen = {**w.settings, "titles": False, "allow_cut": False}
    check(replace(w, query=[q for q, _ in w.queries] or None, pins=ids, settings=chosen), {"tool": by_tool})


@given(worlds())
@settings(max_examples=10, deadline=None)
def test_the_command_line_agrees(w: World) -> None:
    query = [q for q, _ in w.queries]
    check(replace(w, query=query if len(query) > 1 else query[0] if query else None), {"command": by_command})


@given(worlds())
@settings(max_examples=6, deadline=None)
def test_a_batch_agrees(w: World) -> None:
    check(w, {"batch": by_batch})


@given(worlds(), st.booleans())
@settings(max_examples=25, deadline=None)
def test_the_engine_of_the_adapters_agrees(w: World, dense: bool) -> None:
    """Frameworks know no pins. An order is one of whole documents there, so that packs are made in that of the
    documents."""
    w = replace(w, pins=(), settings={**w.settings, "order": "source"}, dense=dense)
    query = w.queries[0][0] if w.queries else None
    packer = w.packer
    wanted = packer.pack(query, w.documents, w.budget)
    sources = [Source(d.text, d.id, d.title, score=d.score) for d in w.documents]
    pieces = engine(packer).pack(query, sources, w.budget)
    assert BETWEEN_DOCUMENTS.join(p.text for p in pieces) == wanted.text
    spans = [(w.documents[p.number].id, s["start"], s["end"]) for p in pieces for s in p.spans]
    runs = []
    for span in wanted.spans:
        first, last = wanted.segments[span.first], wanted.segments[span.last]
        end = wanted.cut.end if wanted.cut is not None else last.end
        runs.append((w.documents[first.doc].id, first.start, end))
    assert spans == runs
    assert [p.tokens for p in pieces] == packer.tokenizer.count_many([p.text for p in pieces]).tolist()


def test_the_check_can_fail() -> None:
    """A door that asks for a token more, and one that names a token more, are found."""
    documents = (fp.Document("a", PIECES[0]), fp.Document("b", PIECES[1]), fp.Document("c", PIECES[4]))
    world = World(documents, "tides", 20, (), {})
    with pytest.raises(AssertionError, match="generous"):
        for budget in itertools.count(20):
            check(replace(world, budget=budget), {"generous": lambda w: by_pack(replace(w, budget=w.budget + 9))})

    def wrong(w: World) -> Shown:
        try:
            return by_pack(w)
        except fp.BudgetError as error:
            raise Refused(str(error).replace(str(error.needed), str(error.needed - 6))) from error

    with pytest.raises(AssertionError, match="miscounting"):
        check(replace(world, pins=("c",), budget=3), {"miscounting": wrong})
