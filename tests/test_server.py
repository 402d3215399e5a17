"""The service: what it answers, and how it describes itself."""

import json
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import jsonschema
import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from serving import ASK, BREAD, TIDES, app, problem, running, running_well
from starlette.testclient import TestClient

import fieldpack as fp
from fieldpack.cli.app import app as cli
from fieldpack.errors import BudgetError
from fieldpack.server import Settings, schemas
from fieldpack.server.problems import Problem
from fieldpack.server.sessions import Sessions
from fieldpack.server.settings import LEAST_KEY


@pytest.fixture(scope="module")
def client():
    with TestClient(app()) as c:
        yield c


@pytest.fixture(scope="module")
def service():
    with running_well() as url:
        yield url


def test_a_pack_is_the_librarys(client):
    found = client.post("/v1/pack", json=ASK).json()
    documents = [fp.Document(**TIDES), fp.Document(**BREAD)]
    own = fp.ContextPacker().pack(ASK["query"], documents, 25).to_dict()
    for facts in (found, own):
        facts.pop("timings_ms")
    assert found == json.loads(json.dumps(own))
    assert "gravity of the Moon" in found["text"]


def test_a_long_list_is_cut_as_the_library_cuts_it(client):
    rows = [f"- item {k} of the list tells of the tide in harbour {k} and of its height" for k in range(60)]
    text = "# List\n\n" + "\n".join(rows) + "\n\nTides are caused by the Moon."
    found = client.post("/v1/pack", json={"query": "tide in harbour 7", "documents": [text], "budget": 80}).json()
    assert found["text"] == fp.ContextPacker().pack("tide in harbour 7", [text], 80).text


@pytest.mark.parametrize(("rows", "budget"), [(27, 2), (42, 120), (31, 60)])
def test_service_and_library_name_the_same_budget_and_it_is_enough(client, rows, budget):
    """Long runs of blanks in a list: a larger budget cuts it into other pieces, between which blanks are shortened."""
    blanks = " " * 300
    text = "".join(f"- item {k} of tide{blanks if k % 3 == 0 else ' '}height {k}\n" for k in range(rows))
    body = {"query": "tides", "documents": [text], "pins": ["doc-0"]}
    refused = problem(client.post("/v1/pack", json=body | {"budget": budget}), 422, "budget")
    with pytest.raises(BudgetError) as own:
        fp.ContextPacker().pack("tides", [text], budget, pins=["doc-0"])
    assert (refused["needed"], refused["budget"], refused["detail"]) == (own.value.needed, budget, str(own.value))
    answer = client.post("/v1/pack", json=body | {"budget": refused["needed"]})
    assert answer.status_code == 200 and answer.json()["tokens"] <= refused["needed"]


def test_every_setting_arrives(client):
    asked = ASK | {"budget": 60, "cite": True, "order": "relevance", "unit": "sentence", "encoding": "cl100k_base"}
    asked |= {"pins": [{"id": "bread", "start": 0, "end": 26}], "min_relevance": 0.2, "allow_cut": True}
    found = client.post("/v1/pack", json=asked).json()
    packer = fp.ContextPacker(
        tokenizer="cl100k_base", unit="sentence", order="relevance", cite=True, min_relevance=0.2, allow_cut=True
    )
    own = packer.pack(ASK["query"], [fp.Document(**TIDES), fp.Document(**BREAD)], 60, pins=[("bread", 0, 26)])
    assert found["text"] == own.text and "Sourdough needs a starter." in own.text
    several = {k: v for k, v in ASK.items() if k != "query"} | {"queries": ["tides", {"text": "bread", "weight": 0.5}]}
    assert client.post("/v1/pack", json=several).json()["query"] == ["tides", "bread"]


def test_json_is_rendered_as_valid_json_with_counts(client):
    text = json.dumps({"boats": [{"name": f"boat{k}", "berth": 100 + k} for k in range(60)]})
    asked = {"query": "berth of boat41", "documents": [text], "budget": 40}
    found = json.loads(client.post("/v1/pack", json=asked | {"render": "json"}).json()["text"])
    assert {"name": "boat41", "berth": 141} in found["boats"] and "of 60 elements" in found["boats"][-1]["…"]
    assert client.post("/v1/pack", json=asked | {"render": "yaml"}).status_code == 422
    session = client.post("/v1/sessions", json={"documents": [text], "render": "json"}).json()["id"]
    turn = client.post(f"/v1/sessions/{session}/turn", json={"query": "berth of boat7", "budget": 40}).json()
    assert {"name": "boat7", "berth": 107} in json.loads(turn["text"])["boats"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), min_size=1, max_size=5),
    query=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    budget=st.integers(1, 60),
)
def test_the_budget_holds_and_bad_input_is_a_problem(client, texts, query, budget):
    answer = client.post("/v1/pack", json={"query": query, "documents": texts, "budget": budget})
    if answer.status_code == 200:
        found = answer.json()
        assert fp.tokenizer("o200k_base").count(found["text"]) == found["tokens"] <= budget
        for item in found["kept"]:
            assert texts[int(item["doc_id"][4:])][item["start"] : item["end"]] in found["text"]
    else:
        problem(answer, 422, "invalid")
        assert not query.strip() or not any(t.strip() for t in texts)


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"budget": 0}, "invalid", "budget"),
        ({"budget": "many"}, "invalid", "budget"),
        ({"budget": True}, "invalid", "budget"),
        ({"documents": [{"id": "a"}]}, "invalid", "documents/0/text"),
        ({"documents": [TIDES, TIDES]}, "invalid", "same id"),
        ({"queries": ["tides"]}, "invalid", "query, or queries"),
        ({"queries": ["a"]}, "invalid", "not both"),
        ({"query": "  "}, "invalid", "empty"),
        ({"min_relevance": 2}, "invalid", "min_relevance"),
        ({"budgt": 3}, "invalid", "budgt"),
        ({"unit": "word"}, "invalid", "unit"),
        ({"encoding": "/etc/passwd"}, "invalid", "encoding"),
        ({"pins": ["nobody"]}, "invalid", "nobody"),
        ({"pins": ["tides"], "budget": 2}, "budget", "raise the budget"),
        ({"model": "no-such"}, "unknown-name", "static"),
    ],
)
def test_what_is_wrong_is_said(client, change, kind, says):
    body = problem(client.post("/v1/pack", json=ASK | change), 422, kind)
    assert says in body["detail"] + json.dumps(body.get("errors", ""))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 90_000, b'{"query": NaN}', b'"\\ud800"', b"\xff\xfe", b"null", b"1e999"]
)
def test_broken_json_is_a_problem(client, body):
    answer = client.post("/v1/pack", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422) and answer.headers["content-type"] == "application/problem+json"


def test_values_that_were_sent_do_not_come_back(client):
    secret = "hunter2-hunter2"
    for change in ({"budget": secret}, {"documents": [{"texts": secret}]}, {secret: 1}, {"unit": secret}):
        assert "hunter2" not in client.post("/v1/pack", json=ASK | change).json()["detail"].replace(f"{secret}:", "")


def test_a_stream_tells_its_stages_and_ends_with_the_result(client):
    plain = client.post("/v1/pack", json=ASK).json()
    for extra in ({"json": ASK | {"stream": True}}, {"json": ASK, "headers": {"accept": "text/event-stream"}}):
        answer = client.post("/v1/pack", **extra)
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [block.split("\n", 1) for block in answer.text.strip().split("\n\n")]
        names = [name.removeprefix("event: ") for name, _ in events]
        stages = [json.loads(data.removeprefix("data: ")).get("stage") for _, data in events[:-1]]
        assert names == ["progress"] * 7 + ["result"]
        assert stages == ["queued", "segment", "words", "count", "relevance", "pack", "render"]
        assert json.loads(events[-1][1].removeprefix("data: "))["text"] == plain["text"]
    failed = client.post("/v1/pack", json=ASK | {"stream": True, "pins": ["nobody"]}).text
    assert "event: problem" in failed and "urn:fieldpack:problem:invalid" in failed and "event: result" not in failed


def test_plan_and_field(client):
    plan = client.post("/v1/plan", json={"window": 8000, "preset": "pyramid", "used": {"system": 9000}}).json()
    assert sum(plan["budgets"].values()) == 8000 and plan["alerts"]
    own = fp.TokenBudgetPlanner(8000, allocations={"mine": 0.5})
    found = client.post("/v1/plan", json={"window": 8000, "allocations": {"mine": 0.5}}).json()
    assert found["budgets"] == own.plan().budgets
    assert (
        "pyramid"
        in problem(client.post("/v1/plan", json={"window": 9, "preset": "pyramide"}), 422, "unknown-name")["detail"]
    )
    problem(client.post("/v1/plan", json={"window": "no-such-model"}), 422, "unknown-name")
    found = client.post("/v1/field", json={"documents": [TIDES, BREAD], "limit": 3}).json()
    assert found["documents"] == 2 and len(found["attractors"]) <= 3
    problem(client.post("/v1/field", json={"documents": [TIDES], "limit": 0}), 422, "invalid")


def test_a_session_goes_on_where_it_was(client):
    opened = client.post("/v1/sessions", json={"documents": [TIDES, BREAD]})
    assert opened.status_code == 201
    name = opened.json()["id"]
    own = fp.Session(fp.ContextPacker())
    index = own.packer.index([fp.Document(**TIDES), fp.Document(**BREAD)])
    for k, query in enumerate(("what causes tides", "who feeds the starter"), 1):
        found = client.post(f"/v1/sessions/{name}/turn", json={"query": query, "budget": 30}).json()
        result = own.turn(query, index, 30)
        assert (found["text"], found["turn"]) == (result.text, k)
        assert found["prompt"]["text"] == own.prompt.text and found["prompt"]["prefix"] == own.prompt.prefix
    state = client.get(f"/v1/sessions/{name}").json()
    assert state["turns"] == 2 and state["documents"] == 2 and state["state"]["turn"] == 2
    given_twice = {"query": "a", "budget": 9, "documents": ["b"]}
    problem(client.post(f"/v1/sessions/{name}/turn", json=given_twice), 409, "conflict")
    assert client.delete(f"/v1/sessions/{name}").status_code == 204
    problem(client.get(f"/v1/sessions/{name}"), 404, "not-found")
    bare = client.post("/v1/sessions", json={}).json()["id"]
    problem(client.post(f"/v1/sessions/{bare}/turn", json={"query": "a", "budget": 9}), 409, "conflict")
    found = client.post(f"/v1/sessions/{bare}/turn", json={"query": "tides", "budget": 30, "documents": [TIDES]})
    assert found.json()["turn"] == 1


def test_sessions_are_bounded_expire_and_cannot_be_guessed():
    now = [0.0]
    kept = Sessions(2, 10.0, 100, lambda: now[0])
    names = [kept.add(fp.Session(), None, 40) for _ in range(2)]
    assert len(set(names)) == 2 and all(len(n) == 43 for n in names)
    with pytest.raises(Problem) as full:
        kept.add(fp.Session(), None, 0)
    assert (full.value.status, full.value.retry_after) == (429, 11)
    now[0] = 8.0
    with kept.use(names[0]), pytest.raises(Problem) as conflict, kept.use(names[0]):
        pass
    assert conflict.value.status == 409
    now[0] = 12.0
    with pytest.raises(Problem) as gone, kept.use(names[1]):
        pass
    assert gone.value.status == 404 and len(kept) == 1, "one was used at 8 and stays"
    with pytest.raises(Problem) as large:
        kept.add(fp.Session(), None, 61)
    assert "all may hold 100 together" in large.value.detail
    for wrong in ("", "..", "x" * 43, names[1], names[0] + "\n"):
        with pytest.raises(Problem):
            kept.delete(wrong)
    kept.delete(names[0])
    assert len(kept) == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/pack", {**ASK, "queries": ["tides"]}),
        ("/v1/plan", {"window": 9, "preset": "pyramid", "alert_threshold": 5e-324}),
    ],
)
def test_what_the_code_refuses_the_document_refuses(client, path, body):
    assert client.post(path, json=body).status_code == 422
    document = client.get("/openapi.json").json()
    schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    allowed = jsonschema.Draft202012Validator({**schema, "components": document["components"]})
    assert not allowed.is_valid(body)
    for key in ("queries", "alert_threshold"):
        body = {k: v for k, v in body.items() if k != key}
    assert allowed.is_valid(body) and client.post(path, json=body).status_code == 200


def test_the_openapi_document_is_valid_and_says_what_is_answered(client):
    found = client.get("/openapi.json").json()
    assert found["openapi"].startswith("3.1") and found["info"]["version"] == fp.__version__
    for schema in found["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    refs = re.findall(r'"\$ref": "([^"]+)"', json.dumps(found))
    assert refs and all(r.rpartition("/")[2] in found["components"]["schemas"] for r in refs)
    operations = [(m, p, o) for p, methods in found["paths"].items() for m, o in methods.items()]
    assert len({o["operationId"] for *_, o in operations}) == len(operations)
    routes = {(m.lower(), r.path) for r in client.app.routes for m in r.methods if m != "HEAD"}
    scripts = ("/map.js", "/numbers.js", "/headings.js", "/page.js")
    pages = {("get", p) for p in ("/", "/docs", *scripts, "/page.css", "/openapi.json")}
    second_address = {("post", "/v2/rerank")}  # of /v1/rerank
    assert {(m, p) for m, p, _ in operations} == routes - pages - second_address
    for method, path, operation in operations:
        assert "default" in operation["responses"] and (("{id}" in path) == ("parameters" in operation)), (method, path)

    def fits(answer, path, method="post"):
        answers = found["paths"][path][method]["responses"]
        content = answers.get(str(answer.status_code), answers["default"])["content"]
        schema = content[answer.headers["content-type"]]["schema"]
        jsonschema.validate(answer.json(), {**schema, "components": found["components"]})

    for path, body in (
        ("/v1/pack", ASK),
        ("/v1/pack", {}),
        ("/v1/embeddings", {"input": ["a", "b"]}),
        ("/v1/embeddings", {"input": "a", "encoding_format": "base64"}),
        ("/v1/plan", {"window": 1000}),
        ("/v1/field", {"documents": [TIDES]}),
        ("/v1/sessions", {"documents": [TIDES]}),
    ):
        fits(client.post(path, json=body), path)
    fits(client.get("/healthz"), "/healthz", "get")
    problem(client.get("/v1/pack"), 405, "method")
    problem(client.get("/v2"), 404, "not-found")


def test_metrics_are_what_prometheus_reads(client):
    client.post("/v1/pack", json=ASK)
    client.get("/no/such/" + "a" * 50)
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = [s for family in text_string_to_metric_families(answer.text) for s in family.samples]

    def value(name, **labels):
        return next(s.value for s in samples if s.name == name and s.labels.items() >= labels.items())

    assert value("fieldpack_requests_total", route="/v1/pack", method="POST", status="200") >= 1
    assert value("fieldpack_packs_total") >= 1 and value("fieldpack_packed_tokens_total") >= 1
    assert value("fieldpack_requests_in_flight") == 1 and value("fieldpack_work_inside") == 0
    assert "aaaa" not in answer.text, "labels are routes, not what clients make up"
    buckets = [s for s in samples if s.name.endswith("_bucket") and s.labels["route"] == "/v1/pack"]
    counts = [s.value for s in buckets]
    assert counts == sorted(counts) and buckets[-1].labels["le"] == "+Inf"
    assert counts[-1] == value("fieldpack_request_seconds_count", route="/v1/pack")


def test_stopping_lets_requests_finish():
    before = """
import fieldpack.server.handlers as h, time
pack = h.Handlers.pack
def slow(self, request, on_stage=None):
    time.sleep(1.0)
    return pack(self, request, on_stage=on_stage)
h.Handlers.pack = slow
"""
    with running(before) as (url, process), ThreadPoolExecutor(1) as pool:
        asked = pool.submit(httpx.post, url + "v1/pack", json=ASK, timeout=30)
        time.sleep(0.4)
        process.send_signal(signal.SIGTERM)
        answer = asked.result()
        _, err = process.communicate(timeout=30)
        assert answer.status_code == 200 and "gravity" in answer.json()["text"]
        assert (process.returncode, err) == (0, "")
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)


DOCS = (Path(__file__).parents[1] / "docs" / "service.md").read_text("utf-8")


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL))
def test_the_guides_python_runs(service, block):
    exec(compile(block.replace("http://127.0.0.1:8017/", service), "docs/service.md", "exec"), {})


def test_the_guide_says_what_is_so(client):
    listed = client.get("/openapi.json").json()["paths"]
    named = set(re.findall(r"(/v1/[\w/{}]+|/healthz|/metrics|/beta/\w+)", DOCS.split("### What keeps")[0]))
    assert set(listed) == named, "every address is in the guide, and no other"
    verbs = typer.main.get_command(cli).commands
    options = {name: {o for p in verbs[name].params for o in p.opts} for name in ("serve", "mcp")}
    quoted = set(re.findall(r"--[a-z][a-z-]+", DOCS)) - {"--json"}
    assert quoted <= options["serve"] | options["mcp"], quoted
    fields = set(schemas.PackIn.model_fields) - {"stream"}
    assert fields == set(re.findall(r"`(\w+)`", DOCS.split("POST /v1/pack`")[1].split("|")[1]))
    s = Settings()
    bounds = f"| {s.max_body >> 20} MiB |", f"| {s.max_buffered >> 20} MiB each |", f"| {s.concurrency}, {s.waiting} |"
    more = f"| {s.body_timeout:g}, {s.head_timeout:g} |", f"each {s.write_timeout:g} s |", f"| {s.max_values:,} |"
    more += f"| {s.timeout:g} |", f"| {s.max_connections} |", f"| {s.max_documents:,} |"
    kept = f"| {s.max_sessions}, {s.session_bytes >> 20} MiB, {s.session_idle / 60:g} min |"
    for said in (*bounds, *more, kept, f"({s.grace:g} s at most)", f"at least {LEAST_KEY} characters"):
        assert said in DOCS, said
    config = json.loads(re.search(r"```json\n(.*?)```", DOCS, re.DOTALL)[1])["mcpServers"]["fieldpack"]
    assert config["command"] == "fieldpack" and config["args"][0] == "mcp" and config["args"][1] in options["mcp"]
