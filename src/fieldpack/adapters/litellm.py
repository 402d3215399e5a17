"""LiteLLM: a guardrail that trims tool output before a request goes to the model, built on litellm.

Without this module `fieldpack serve` does the same for a proxy over HTTP, and nothing is installed beside the proxy.
"""

from __future__ import annotations

from typing import Any

from fieldpack.adapters._common import missing
from fieldpack.tools import MemoryStore, ToolTrimmer
from fieldpack.tools.chat import ChatOutput, conversation_key, outputs_of, placed_texts, with_outputs
from fieldpack.tools.state import DecisionState, TrimState

try:
    from litellm.integrations.custom_guardrail import CustomGuardrail
    from litellm.types.guardrails import GuardrailEventHooks
except ModuleNotFoundError as error:
    raise missing(error, "litellm", "litellm", "litellm") from error


class FieldpackGuardrail(CustomGuardrail):  # type: ignore[misc]  # litellm is not followed by mypy
    """Trims the tool outputs in requests, each for the user's last question before it; the rest of a request stays.

    budget: tokens of one output at most. threshold: outputs of so many tokens or fewer stay as they are. shadow: decide
    and report, change nothing. store: where what is left out waits for `trimmer.expand`, as ToolTrimmer has it; with
    None (the default) notices name no id, because the proxy's agents have no tool to ask with. trimmer: in place of
    these. Other arguments are CustomGuardrail's. Raises SettingsError for a setting out of range.
    """

    def __init__(
        self,
        *,
        budget: int = 1000,
        threshold: float | None = None,
        shadow: bool = False,
        store: Any = None,
        trimmer: ToolTrimmer | None = None,
        **options: Any,
    ) -> None:
        options.setdefault("supported_event_hooks", [GuardrailEventHooks.pre_call])
        super().__init__(**options)
        limit = 500 if threshold is None else int(threshold)
        self.trimmer = trimmer or ToolTrimmer(budget=budget, threshold=limit, shadow=shadow, store=store)
        self._decisions = MemoryStore()

    async def apply_guardrail(
        self, inputs: Any, request_data: dict[str, Any], input_type: str, logging_obj: Any = None
    ) -> Any:
        """Called by LiteLLM before a request: the inputs, with the texts that changed in their place. Never raises:
        whatever goes wrong, the inputs go on as they came."""
        messages = inputs.get("structured_messages")
        if input_type != "request" or not messages:
            return inputs
        changed = []
        for place in outputs_of(messages):
            trimmed = await self.trimmer.atrim(
                place.output, question=place.question, call=place.call, state=self._state(place)
            )
            if trimmed.cut and not trimmed.shadow:
                changed.append((place, trimmed.output))
        if not changed:
            return inputs
        new = with_outputs(messages, changed)
        texts = placed_texts(inputs.get("texts") or [], messages, new)
        return {**inputs, **({"structured_messages": new} if texts is None else {"texts": texts})}

    def _state(self, place: ChatOutput) -> TrimState:
        settings = self.trimmer.settings
        name = conversation_key(place.question, settings.budget, settings.threshold)
        if self.trimmer.store is not None:
            return self.trimmer.state_of(name)
        return DecisionState(self._decisions, name)
