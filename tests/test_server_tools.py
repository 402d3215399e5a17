"""Tool output over HTTP: trim, expand, and the guardrail of LiteLLM's proxy as its requests look."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import KEY, app, problem
from starlette.testclient import TestClient

from fieldpack.server.guardrail import ADDRESS
from fieldpack.server.settings import Settings
from fieldpack.server.tools import OwnedStore, ToolOutputs
from fieldpack.tools import MemoryStore, ToolTrimmer
from fieldpack.tools.chat import outputs_of, placed_texts, texts_of, with_outputs
from fieldpack.tools.store import StoredBlock

ROWS = [f"order {i}: refund of {3 * i} euros in {'May' if i % 57 == 0 else 'June'} by {17 * i}" for i in range(300)]
TEXT = "\n".join(ROWS)
QUESTION = "refunds in May"


@pytest.fixture(scope="module")
def client():
    with TestClient(app()) as c:
        yield c


def called(name="orders", id="c1", arguments="{}"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def conversation(*more, output=TEXT, id="c1"):
    return [
        {"role": "system", "content": "You answer from the orders."},
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": None, "tool_calls": [called(id=id)]},
        {"role": "tool", "tool_call_id": id, "content": output},
        *more,
    ]


def guarded(client, messages, *, texts=None, **params):
    found = [t for m in messages for t in texts_of(m)] if texts is None else texts
    body = {
        "input_type": "request",
        "litellm_call_id": "x",
        "texts": found,
        "structured_messages": messages,
        "request_data": {"user_api_key_hash": "h", "user_api_key_alias": None},
        "tools": [{"type": "function", "function": {"name": "orders"}}],
        "a_key_of_a_later_version": {"x": [1]},
        "additional_provider_specific_params": {"budget": 200, **params},
    }
    answer = client.post(ADDRESS, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_output_is_trimmed_as_the_library_trims_it_and_its_rest_is_given_back(client):
    body = {"output": TEXT, "question": QUESTION, "budget": 200, "call": {"name": "orders", "args": {"month": "May"}}}
    found = client.post("/v1/tools/trim", json=body).json()
    own = ToolTrimmer().trim(TEXT, question=QUESTION, budget=200, call=body["call"])
    assert found["output"] == own.output and found["ids"] == list(own.ids) and found["cut"]
    assert found["tokens_after"] <= 200 < found["tokens_before"]
    rest = client.post("/v1/tools/expand", json={"id": found["ids"][0]}).json()["text"]
    assert all(row in rest or row in found["output"] for row in ROWS)
    lines = client.post("/v1/tools/expand", json={"id": found["ids"][0], "range": [3, 4]}).json()["text"]
    assert lines == "\n".join(ROWS[2:4])
    queried = client.post("/v1/tools/expand", json={"id": found["ids"][0], "query": "order 250", "budget": 60}).json()
    assert ROWS[250] in queried["text"]


@pytest.mark.parametrize(
    "output",
    [
        [{"id": i, "month": "May" if i % 57 == 0 else "June", "note": f"refund of order {i}"} for i in range(400)],
        {"content": [{"type": "text", "text": TEXT}, {"type": "image", "data": "AAAA"}], "isError": False},
        {"role": "tool", "tool_call_id": "c", "content": TEXT},
    ],
)
def test_every_shape_comes_back_in_its_shape(client, output):
    found = client.post("/v1/tools/trim", json={"output": output, "question": QUESTION, "budget": 200}).json()
    assert found["cut"] and type(found["output"]) is type(output)
    if isinstance(output, dict) and "isError" in output:
        assert found["output"]["content"][1] == output["content"][1] and found["output"]["isError"] is False


def test_an_owner_does_not_see_what_another_owner_was_given(client):
    body = {"output": TEXT, "question": QUESTION, "budget": 200, "owner": "a"}
    (name,) = client.post("/v1/tools/trim", json=body).json()["ids"]
    for owner in ("b", "a/", "a\x00"):
        problem(client.post("/v1/tools/expand", json={"id": name, "owner": owner, "range": "1"}), 404, "not-found")
    assert client.post("/v1/tools/expand", json={"id": name, "owner": "a", "range": "1"}).json()["text"] == ROWS[0]
    store = MemoryStore()
    OwnedStore(store, "a").put(StoredBlock("i", "text", ()))
    assert OwnedStore(store, "a").get("i").id == "i" and OwnedStore(store, "b").get("i") is None
    OwnedStore(store, "a").decide("talk", "key", "{}")
    assert OwnedStore(store, "b").decided("talk", "key") is None


def test_what_was_decided_in_a_conversation_stands(client):
    body = {"output": TEXT, "question": QUESTION, "budget": 200, "conversation": "talk"}
    first = client.post("/v1/tools/trim", json=body).json()
    again = client.post("/v1/tools/trim", json={**body, "question": "order 250"}).json()
    assert again["output"] == first["output"] and again["replayed"] and again["saved_cached"] == first["saved"]
    other = client.post("/v1/tools/trim", json={**body, "question": "order 250", "conversation": "talk 2"}).json()
    assert ROWS[250] in other["output"]


def test_without_expand_no_id_is_named_and_nothing_is_kept(client):
    body = {"output": TEXT, "question": "order 77", "budget": 200, "expand": False, "conversation": "no rest"}
    found = client.post("/v1/tools/trim", json=body).json()
    assert "expand" not in found["output"] and found["cut"]
    assert client.post("/v1/tools/trim", json=body).json()["replayed"]
    for name in found["ids"]:
        problem(client.post("/v1/tools/expand", json={"id": name}), 404, "not-found")


def test_a_shadow_reports_and_changes_nothing(client):
    body = {"output": TEXT, "question": QUESTION, "budget": 200, "shadow": True}
    found = client.post("/v1/tools/trim", json=body).json()
    assert found["output"] == TEXT and found["cut"] and len(found["would"]) < len(TEXT)
    assert guarded(client, conversation(), shadow=True) == {"action": "NONE"}


def test_what_is_wrong_is_a_problem(client):
    good = {"output": TEXT, "question": QUESTION}
    for change in ({"budget": 3}, {"budget": "200"}, {"misspelt": 1}, {"question": 4}, {"threshold": -1}):
        problem(client.post("/v1/tools/trim", json=good | change), 422, "invalid")
    problem(client.post("/v1/tools/expand", json={"id": "0123456789"}), 404, "not-found")
    (name,) = client.post("/v1/tools/trim", json=good | {"budget": 200}).json()["ids"]
    for lines in ("two", [9, 2], [1], "900-"):
        problem(client.post("/v1/tools/expand", json={"id": name, "range": lines}), 422, "invalid")
    problem(client.post(ADDRESS, json={"structured_messages": 3}), 422, "invalid")
    wrong = {"structured_messages": conversation(), "additional_provider_specific_params": {"budjet": 200}}
    problem(client.post(ADDRESS, json=wrong), 422, "invalid")


def test_the_memory_of_what_was_left_out_is_bounded():
    tools = ToolOutputs(Settings(tool_bytes=100_000), lambda: ToolTrimmer().packer, lambda *_: None)
    store = tools.state("", "", True).store
    for k in range(30):
        assert store.put(StoredBlock(str(k), "x" * 2_000, ()))
    assert store.get("0") is None and store.get("29") is not None
    assert not store.put(StoredBlock("large", "x" * 60_000, ()))


def test_the_key_of_the_service_is_wanted():
    body = {"output": TEXT, "question": QUESTION}
    with TestClient(app(api_key=KEY)) as c:
        for path in ("/v1/tools/trim", "/v1/tools/expand", ADDRESS):
            problem(c.post(path, json=body), 401, "no-key")
        assert c.post(ADDRESS, json={}, headers={"x-api-key": KEY}).json() == {"action": "NONE"}


def test_outputs_are_counted_for_prometheus():
    with TestClient(app()) as c:
        for question in (QUESTION, "order 5"):
            c.post("/v1/tools/trim", json={"output": TEXT, "question": question, "budget": 200, "conversation": "t"})
        c.post("/v1/tools/trim", json={"output": "short", "question": QUESTION})
        page = c.get("/metrics").text
    for outcome in ("cut", "replayed", "unchanged"):
        assert f'fieldpack_tool_outputs_total{{outcome="{outcome}"}} 1.0' in page
    assert 'fieldpack_tool_saved_tokens_total{cached="yes"} 0.0' not in page


def test_the_guardrail_puts_the_texts_where_they_came_from(client):
    messages = conversation({"role": "assistant", "content": "Eight."})
    found = guarded(client, messages)
    assert found["action"] == "GUARDRAIL_INTERVENED" and "structured_messages" not in found
    texts = found["texts"]
    assert texts[:2] == [messages[0]["content"], QUESTION] and texts[3] == "Eight."
    assert "left out" in texts[2] and "expand" not in texts[2] and ROWS[57] in texts[2] and len(texts) == 4


def test_a_later_question_changes_nothing_that_went_out_before(client):
    first = guarded(client, conversation())["texts"][2]
    more = ({"role": "assistant", "content": "Eight."}, {"role": "user", "content": "and order 250?"})
    with TestClient(app()) as other:  # a service that was started anew
        for c in (client, other):
            assert guarded(c, conversation(*more))["texts"][2] == first
    call = {"role": "assistant", "content": None, "tool_calls": [called(id="c2")]}
    new = {"role": "tool", "tool_call_id": "c2", "content": TEXT}
    texts = guarded(client, conversation(*more, call, new))["texts"]
    assert texts[2] == first and ROWS[250] in texts[-1] and texts[-1] != first


def test_with_expand_the_rest_is_kept_for_the_virtual_key(client):
    found = guarded(client, conversation(), expand=True)["texts"][2]
    name = found.split("expand id=")[1].split()[0]
    asking = {"id": name, "range": "2"}
    assert client.post("/v1/tools/expand", json={**asking, "owner": "h"}).json()["text"] == ROWS[1]
    problem(client.post("/v1/tools/expand", json={**asking, "owner": "nobody"}), 404, "not-found")


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "user", "content": "hello"}],
        [{"role": "tool", "content": None}, {"role": "tool"}, {"content": 3}, {"role": "assistant", "tool_calls": 4}],
        [{"role": "tool", "tool_call_id": {}, "content": [3, {"type": "text"}, {"type": "text", "text": 5}]}],
    ],
)
def test_what_has_no_output_or_is_no_message_passes(client, messages):
    assert guarded(client, messages) == {"action": "NONE"}


def test_answers_of_models_pass(client):
    body = {"input_type": "response", "texts": [TEXT], "structured_messages": conversation()}
    assert client.post(ADDRESS, json=body).json() == {"action": "NONE"}
    assert client.post(ADDRESS, json={"texts": [TEXT]}).json() == {"action": "NONE"}
    assert client.post(ADDRESS, json={"texts": None, "structured_messages": None}).json() == {"action": "NONE"}


def test_texts_that_do_not_fit_the_messages_are_answered_with_messages(client):
    messages = conversation()
    skipped = guarded(client, messages, texts=[QUESTION, TEXT])  # the system message was skipped
    assert skipped["texts"][0] == QUESTION and "left out" in skipped["texts"][1]
    twice = guarded(client, messages, texts=[TEXT, TEXT])
    assert "texts" not in twice and "left out" in twice["structured_messages"][3]["content"]
    assert twice["structured_messages"][:3] == messages[:3]
    assert twice["structured_messages"][3]["tool_call_id"] == "c1"


def test_an_image_beside_the_text_of_an_output_stays(client):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages = conversation(output=[{"type": "text", "text": TEXT}, image])
    found = guarded(client, messages, texts=["no text of these"])["structured_messages"]
    assert found[3]["content"][1] == image and "left out" in found[3]["content"][0]["text"]


def test_anthropics_and_the_responses_interfaces_outputs_are_known():
    use = {"type": "tool_use", "id": "t1", "name": "orders", "input": {"month": "May"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": TEXT}]}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
        {"role": "assistant", "content": [{"type": "text", "text": "I look."}, use]},
        {"role": "user", "content": [result]},
    ]
    (place,) = outputs_of(messages)
    assert (place.row, place.block, place.question) == (2, 0, QUESTION)
    assert place.call.name == "orders" and place.call.arguments == {"month": "May"}
    new = with_outputs(messages, [(place, {**result, "content": "short"})])
    assert new[2] == {"role": "user", "content": [{**result, "content": "short"}]} and new[:2] == messages[:2]
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": QUESTION}]},
        {"type": "function_call", "call_id": "k", "name": "orders", "arguments": '{"month": "May"}'},
        {"type": "function_call_output", "call_id": "k", "output": TEXT},
    ]
    (place,) = outputs_of(items)
    assert place.question == QUESTION and place.call.arguments == {"month": "May"} and texts_of(items[2]) == [TEXT]


WORD = st.sampled_from(["", "text", "type", "a", "tool_result", "content"])
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "tool", "assistant", "system"])},
    optional={
        "content": st.one_of(st.none(), WORD, st.lists(st.dictionaries(WORD, WORD, max_size=2), max_size=2)),
        "tool_call_id": WORD,
        "tool_calls": st.one_of(st.none(), st.lists(st.dictionaries(WORD, st.integers(0, 3), max_size=2), max_size=2)),
    },
)


@given(st.lists(MESSAGE, max_size=5))
@settings(max_examples=60)
def test_messages_with_their_own_outputs_are_the_same_messages(messages):
    places = outputs_of(messages)
    assert with_outputs(messages, [(p, p.output) for p in places]) == json.loads(json.dumps(messages))
    assert {p.row for p in places if p.block is None} == {i for i, m in enumerate(messages) if m["role"] == "tool"}


def test_texts_are_placed_only_where_it_is_plain_where_they_belong():
    def rows(*texts):
        return [{"role": "tool", "content": t} for t in texts]

    assert placed_texts(["a", "b"], rows("a", "b"), rows("a", "c")) == ["a", "c"]
    assert placed_texts(["b"], rows("a", "b"), rows("a", "c")) == ["c"]
    assert placed_texts(["b", "b"], rows("a", "b", "b"), rows("a", "c", "b")) is None
    assert placed_texts([], rows("a"), rows("b")) is None
