"""LiteLLM: a real proxy with the guardrail over HTTP and in its process, and the guardrail alone."""

import asyncio
import json
import re
from pathlib import Path

import httpx
import pytest
import yaml
from litellm.proxy.guardrails.guardrail_hooks.generic_guardrail_api import GenericGuardrailAPI
from litellm_cases import proxy, shown_config, upstream
from serving import KEY, running

from fieldpack.adapters.litellm import FieldpackGuardrail
from fieldpack.errors import SettingsError
from fieldpack.server.guardrail import GuardrailOptionsIn

ROWS = [f"order {i}: refund of {3 * i} euros in {'May' if i % 57 == 0 else 'June'} by {17 * i}" for i in range(300)]
TEXT = "\n".join(ROWS)
CALL = {"id": "c1", "type": "function", "function": {"name": "orders", "arguments": '{"year": 2026}'}}
MESSAGES = [
    {"role": "system", "content": "You answer from the orders."},
    {"role": "user", "content": "refunds in May"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "name": "orders", "content": TEXT},
]
LATER = [*MESSAGES, {"role": "assistant", "content": "Six."}, {"role": "user", "content": "and order 250?"}]


@pytest.fixture(scope="module")
def model():
    with upstream() as made:
        yield made


@pytest.fixture(scope="module")
def address(tmp_path_factory, model):
    folder = tmp_path_factory.mktemp("litellm")
    with running(api_key=KEY) as (service, _), proxy(folder, upstream=model.url, service=service, key=KEY) as url:
        yield url


def sent(address, model, messages, guardrail, path="/v1/chat/completions", **more):
    """What the model was asked after the proxy and its guardrail."""
    body = {"model": "scripted", "messages": messages, "guardrails": [guardrail] if guardrail else [], **more}
    headers = {"authorization": "Bearer sk-test"}
    answer = httpx.post(address + path, json=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return model.asked[-1]["messages"]


@pytest.mark.parametrize("guardrail", ["over-http", "inside"])
def test_the_model_is_asked_with_the_rows_that_answer(address, model, guardrail):
    plain = sent(address, model, MESSAGES, None)
    assert plain[3]["content"] == TEXT
    asked = sent(address, model, MESSAGES, guardrail)
    tool = asked[3]
    assert [m for m in asked if m is not tool] == [m for m in plain if m is not plain[3]], "the rest stays"
    assert {k: v for k, v in tool.items() if k != "content"} == {k: v for k, v in plain[3].items() if k != "content"}
    assert ROWS[57] in tool["content"] and "of 300" in tool["content"] and len(tool["content"]) < len(TEXT) / 5
    later = sent(address, model, LATER, guardrail)
    assert later[3] == tool and later[5]["content"] == "and order 250?", "a later question keeps the cached prefix"


def test_the_output_that_anthropics_interface_brings_is_trimmed(address, model):
    use = {"type": "tool_use", "id": "t1", "name": "orders", "input": {"year": 2026}}
    messages = [
        {"role": "user", "content": "refunds in May"},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": TEXT}]},
    ]
    asked = sent(address, model, messages, "over-http", "/v1/messages", max_tokens=50)
    shown = json.dumps(asked)
    assert ROWS[57] in shown and "left out" in shown and ROWS[100] not in shown


def completed(address, guardrails):
    body = {"model": "scripted", "messages": MESSAGES, "guardrails": guardrails}
    headers = {"authorization": "Bearer sk-test"}
    return httpx.post(address + "/v1/chat/completions", json=body, headers=headers, timeout=60).json()


def test_the_answer_is_the_same_for_a_tenth_of_the_tokens(address):
    before = completed(address, [])
    assert before["choices"][0]["message"]["content"] == "in May: 0 57 114 171 228 285"
    for guardrail in ("over-http", "inside"):
        after = completed(address, [guardrail])
        assert after["choices"][0]["message"] == before["choices"][0]["message"]
        assert after["usage"]["prompt_tokens"] < before["usage"]["prompt_tokens"] / 8


@pytest.mark.parametrize("guardrail", ["down", "refused"])
def test_a_service_that_is_down_or_refuses_lets_the_request_pass(address, model, guardrail):
    assert sent(address, model, MESSAGES, guardrail)[3]["content"] == TEXT


def test_short_outputs_and_requests_without_any_pass(address, model):
    short = [*MESSAGES[:3], {**MESSAGES[3], "content": "no orders"}]
    for messages in (short, MESSAGES[:2]):
        before = [m["content"] for m in messages]
        assert [m.get("content") for m in sent(address, model, messages, "over-http")] == before


def applied(guardrail, messages, texts, kind="request"):
    inputs = {"texts": texts, "structured_messages": messages, "model": "m"}
    return asyncio.run(guardrail.apply_guardrail(inputs, {}, kind)), inputs


def test_the_guardrail_alone_replaces_texts_or_messages():
    guardrail = FieldpackGuardrail(guardrail_name="g", budget=200)
    texts = [MESSAGES[0]["content"], MESSAGES[1]["content"], TEXT]
    found, inputs = applied(guardrail, MESSAGES, texts)
    assert found["texts"][:2] == texts[:2] and "left out" in found["texts"][2] and found["model"] == "m"
    assert found["structured_messages"] is MESSAGES and inputs["texts"] == texts and MESSAGES[3]["content"] == TEXT
    found, _ = applied(guardrail, MESSAGES, [])
    assert "left out" in found["structured_messages"][3]["content"]
    assert applied(guardrail, LATER, [])[0]["structured_messages"][3] == found["structured_messages"][3]
    assert guardrail.trimmer.savings.replayed == 2


def test_the_guardrail_alone_changes_nothing_where_there_is_nothing_to_change():
    for guardrail, messages, kind in (
        (FieldpackGuardrail(shadow=True, budget=200), MESSAGES, "request"),
        (FieldpackGuardrail(budget=200), MESSAGES, "response"),
        (FieldpackGuardrail(budget=200), MESSAGES[:2], "request"),
        (FieldpackGuardrail(budget=200), None, "request"),
    ):
        found, inputs = applied(guardrail, messages, [TEXT], kind)
        assert found is inputs
    with pytest.raises(SettingsError):
        FieldpackGuardrail(budget=2)


def test_with_a_store_the_notice_names_an_id(tmp_path):
    guardrail = FieldpackGuardrail(budget=200, store=tmp_path / "rest.db")
    text = applied(guardrail, MESSAGES, [])[0]["structured_messages"][3]["content"]
    name = text.split("expand id=")[1].split()[0]
    assert guardrail.trimmer.expand(name, range="3") == ROWS[2]


def test_litellms_own_client_reads_the_answers_of_the_service():
    with running(api_key=KEY) as (service, _):
        client = GenericGuardrailAPI(
            api_base=service,
            api_key=KEY,
            guardrail_name="g",
            additional_provider_specific_params={"budget": 200},
            event_hook="pre_call",
        )
        found, _ = applied(client, MESSAGES, [m["content"] for m in MESSAGES if m["content"]])
        assert "left out" in found["texts"][2] and found["texts"][:2] == [
            "You answer from the orders.",
            "refunds in May",
        ]
        rows, _ = applied(client, MESSAGES, ["texts that are not those of the messages"])
        assert "left out" in rows["structured_messages"][3]["content"]
        assert rows["structured_messages"][:3] == MESSAGES[:3]


def test_the_configurations_in_the_guide_are_those_that_are_tried():
    page = (Path(__file__).parent.parent / "docs" / "tools.md").read_text("utf-8")
    http, inside = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    tried = {g["guardrail_name"]: g["litellm_params"] for g in yaml.safe_load(shown_config())["guardrails"]}
    parameters = http["guardrails"][0]["litellm_params"]
    assert {*parameters} - {"default_on"} == {*tried["over-http"], *tried["refused"]}
    GuardrailOptionsIn.model_validate(parameters["additional_provider_specific_params"])
    assert {*inside["guardrails"][0]["litellm_params"]} - {"default_on"} == {*tried["inside"]}
