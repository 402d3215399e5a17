"""POST /beta/litellm_basic_guardrail_api: the Generic Guardrail API of LiteLLM's proxy, which trims tool output.

Read in litellm 1.110: a request has `texts` (of all messages, in order) and `structured_messages` (the messages). An
answer with as many `texts` puts each where it came from, so that everything else in a message stays as it is;
`structured_messages` replaces messages, and is answered where the texts of the request are not those of its messages.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from fieldpack.server.base import Text
from fieldpack.server.tools import ToolOutputs, TrimOptionsIn
from fieldpack.tools.chat import ChatOutput, conversation_key, outputs_of, placed_texts, with_outputs

log = logging.getLogger("fieldpack.server")
ADDRESS = "/beta/litellm_basic_guardrail_api"
_MOST = 100_000


class GuardrailOptionsIn(TrimOptionsIn):
    """The guardrail's `additional_provider_specific_params` in the proxy's configuration. Unknown ones are errors."""

    expand: bool = False


class CallerIn(BaseModel):
    """Who asked the proxy; keys beside the hash of the virtual key are not read."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, strict=True)
    user_api_key_hash: Annotated[str, Field(max_length=2000)] | None = None


class GuardrailIn(BaseModel):
    """What the proxy sends. Keys that are not named here are not read: the request grows with LiteLLM's versions."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, strict=True)
    input_type: Annotated[str, Field(max_length=100)] = "request"
    texts: Annotated[list[Text], Field(max_length=_MOST, fail_fast=True)] | None = None
    structured_messages: Annotated[list[dict[str, Any]], Field(max_length=_MOST, fail_fast=True)] | None = None
    request_data: CallerIn | None = None
    additional_provider_specific_params: GuardrailOptionsIn | None = None


class GuardrailOut(BaseModel):
    """action: "NONE", or "GUARDRAIL_INTERVENED" with what is to be sent instead; never "BLOCKED"."""

    model_config = ConfigDict(extra="allow")
    action: str


def answer(tools: ToolOutputs, request: GuardrailIn) -> dict[str, Any]:
    """Trim the tool outputs of a request to a model, each for the user's last question before it."""
    messages = request.structured_messages
    if request.input_type != "request" or not messages:
        return {"action": "NONE"}
    try:
        changed = _changed(tools, request, messages)
    except Exception as error:  # a proxy's request must never fail for this
        log.error("%s while tool outputs were trimmed; they stay as they are", type(error).__name__)
        return {"action": "NONE"}
    if not changed:
        return {"action": "NONE"}
    new = with_outputs(messages, changed)
    texts = placed_texts(request.texts or [], messages, new)
    sent = {"structured_messages": new} if texts is None else {"texts": texts}
    return {"action": "GUARDRAIL_INTERVENED", **sent}


def _changed(tools: ToolOutputs, request: GuardrailIn, messages: Sequence[Any]) -> list[tuple[ChatOutput, Any]]:
    options = request.additional_provider_specific_params or GuardrailOptionsIn()
    owner = (request.request_data.user_api_key_hash if request.request_data else None) or ""
    out = []
    for place in outputs_of(messages):
        conversation = conversation_key(place.question, options.budget, options.threshold, options.expand)
        state = tools.state(owner, conversation, options.expand)
        trimmed = tools.trimmed(options, place.output, place.question, call=place.call, state=state)
        if trimmed.cut and not trimmed.shadow:
            out.append((place, trimmed.output))
    return out
