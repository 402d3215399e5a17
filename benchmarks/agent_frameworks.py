"""One conversation in each agent framework, with a scripted model and one tool, offline.

`RUNS` has a function for each: run(script, questions, trimming, asynchronous). script: a `Script`, which answers in
place of a language model and records every request. trimming: the keyword arguments of the framework's
`FieldpackToolTrimming`; None for an agent without it. It gives back the adapter, or None.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

NOTICE_ID = re.compile(r"\bid=([0-9a-f]+)")
Turn = tuple[str, str]
"""(role, text) of a message: user, tool, or model."""


@dataclass(frozen=True)
class Step:
    """What the model does: it calls a tool, or says something."""

    say: str = ""
    tool: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    id: str = ""


@dataclass
class Script:
    """A model that calls `read` once for each question and answers with the line of the output that `wanted` matches,
    or with all of a list of facts where each stands in an output. Where it cannot, it asks `expand` once, and else says
    that it found nothing.

    wanted: {question: pattern, or facts}. read: the tool, by a source. sources: {question: source}, default "jobs".
    queries: {question: what it asks of `expand`}, default the question. requests: the (role, text) of all messages of
    each request.
    """

    wanted: dict[str, Any]
    read: Callable[[str], Any]
    sources: dict[str, str] = field(default_factory=dict)
    queries: dict[str, str] = field(default_factory=dict)
    requests: list[list[Turn]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    calls: int = 0

    def next(self, turns: Sequence[Turn]) -> Step:
        """What the model does after these messages."""
        self.requests.append(list(turns))
        at = max(i for i, (role, _) in enumerate(turns) if role == "user")
        question, outputs = turns[at][1], [text for role, text in turns[at:] if role == "tool"]
        self.calls += 1
        if not outputs:
            return Step(tool="read", arguments={"source": self.sources.get(question, "jobs")}, id=f"call_{self.calls}")
        if found := answer_of(self.wanted[question], outputs):
            return Step(say=found)
        if len(outputs) == 1 and (m := NOTICE_ID.search(outputs[0])):
            wish = {"id": m.group(1), "query": self.queries.get(question, question)}
            return Step(tool="expand", arguments=wish, id=f"call_{self.calls}")
        return Step(say="not found")


def answer_of(wanted: str | list[str], outputs: Sequence[str]) -> str:
    """The first line of the outputs that the pattern matches, or the facts where all stand in them; else ""."""
    if isinstance(wanted, str):
        matches = (re.search(wanted, output) for output in outputs)
        return next((m.group(0) for m in matches if m), "")
    joined = "\n".join(outputs)
    return "; ".join(wanted) if all(fact in joined for fact in wanted) else ""


def text_of(value: Any) -> str:
    """A tool's result as a model reads it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def run_langchain(script: Script, questions: Sequence[str], trimming: Any, asynchronous: bool = True) -> Any:
    """LangChain's create_agent, which runs on LangGraph."""
    from langchain.agents import create_agent
    from langgraph.checkpoint.memory import InMemorySaver

    return _langchain(create_agent, {"checkpointer": InMemorySaver()}, script, questions, trimming, asynchronous)


def run_deepagents(script: Script, questions: Sequence[str], trimming: Any, asynchronous: bool = True) -> Any:
    """deepagents' create_deep_agent with the same middleware."""
    from deepagents import create_deep_agent
    from langgraph.checkpoint.memory import InMemorySaver

    return _langchain(create_deep_agent, {"checkpointer": InMemorySaver()}, script, questions, trimming, asynchronous)


def _langchain(
    make: Any, options: Any, script: Script, questions: Sequence[str], trimming: Any, asynchronous: bool
) -> Any:
    from langchain_core.tools import tool

    from fieldpack.adapters.langchain_tools import FieldpackToolTrimming

    @tool
    def read(source: str) -> Any:
        """Reads a source."""
        return script.read(source)

    middleware = [] if trimming is None else [FieldpackToolTrimming(**trimming)]
    agent = make(_langchain_model(script), tools=[read], middleware=middleware, **options)
    for question in questions:
        given = {"messages": [{"role": "user", "content": question}]}
        config = {"configurable": {"thread_id": "1"}}
        state = asyncio.run(agent.ainvoke(given, config)) if asynchronous else agent.invoke(given, config)
        script.answers.append(state["messages"][-1].text)
    return middleware[0] if middleware else None


def _langchain_model(script: Script) -> Any:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.outputs import ChatGeneration, ChatResult

    roles = {"human": "user", "ai": "model", "system": "system", "tool": "tool"}

    class Scripted(BaseChatModel):
        @property
        def _llm_type(self) -> str:
            return "scripted"

        def bind_tools(self, tools: Any, **_: Any) -> Any:
            return self

        def _generate(self, messages: Any, *_: Any, **__: Any) -> Any:
            step = script.next([(roles[m.type], text_of(m.content)) for m in messages])
            call = [{"name": step.tool, "args": step.arguments, "id": step.id}] if step.tool else []
            return ChatResult(generations=[ChatGeneration(message=AIMessage(step.say, tool_calls=call))])

    return Scripted()


def run_pydantic_ai(script: Script, questions: Sequence[str], trimming: Any, asynchronous: bool = True) -> Any:
    """Pydantic AI's Agent."""
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import FunctionModel

    from fieldpack.adapters.pydantic_ai import FieldpackToolTrimming

    roles = {"user-prompt": "user", "tool-return": "tool", "text": "model", "system-prompt": "system"}

    def model(messages: Any, _info: Any) -> Any:
        parts = [p for m in messages for p in m.parts if p.part_kind in roles]
        step = script.next([(roles[p.part_kind], text_of(p.content)) for p in parts])
        if step.tool:
            return ModelResponse([ToolCallPart(step.tool, step.arguments, tool_call_id=step.id)])
        return ModelResponse([TextPart(step.say)])

    capabilities = [] if trimming is None else [FieldpackToolTrimming(**trimming)]
    agent = Agent(FunctionModel(model), capabilities=capabilities)

    @agent.tool_plain
    def read(source: str) -> Any:
        """Reads a source."""
        return script.read(source)

    history: Any = None
    for question in questions:
        if asynchronous:
            result = asyncio.run(agent.run(question, message_history=history))
        else:
            result = agent.run_sync(question, message_history=history)
        history = result.all_messages()
        script.answers.append(result.output)
    return capabilities[0] if capabilities else None


def run_openai_agents(script: Script, questions: Sequence[str], trimming: Any, asynchronous: bool = True) -> Any:
    """The Runner of the OpenAI Agents SDK."""
    from agents import Agent, RunConfig, Runner, function_tool

    from fieldpack.adapters.openai_agents import FieldpackToolTrimming

    @function_tool
    def read(source: str) -> Any:
        """Reads a source."""
        return script.read(source)

    adapter = None if trimming is None else FieldpackToolTrimming(**trimming)
    tools = [read, *(adapter.tools if adapter else [])]
    agent = Agent(name="agent", model=_openai_model(script), tools=tools)
    config = RunConfig(call_model_input_filter=adapter, tracing_disabled=True)
    items: list[Any] = []
    for question in questions:
        items = [*items, {"role": "user", "content": question}]
        if asynchronous:
            result = asyncio.run(Runner.run(agent, items, run_config=config))
        else:
            result = Runner.run_sync(agent, items, run_config=config)
        items = result.to_input_list()
        script.answers.append(result.final_output)
    return adapter


def _openai_model(script: Script) -> Any:
    from agents import Model, ModelResponse, Usage
    from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

    def turn(item: Any) -> Turn | None:
        if item.get("type") == "function_call_output":
            return "tool", text_of(item["output"])
        if item.get("role") == "user":
            return "user", item["content"]
        if item.get("role") == "assistant":
            return "model", "".join(part["text"] for part in item["content"])
        return None

    class Scripted(Model):
        async def get_response(self, system_instructions: Any, input: Any, *_: Any, **__: Any) -> Any:
            step = script.next([t for t in map(turn, input) if t is not None])
            if step.tool:
                out: Any = ResponseFunctionToolCall(
                    type="function_call", name=step.tool, arguments=json.dumps(step.arguments), call_id=step.id
                )
            else:
                text = ResponseOutputText(type="output_text", text=step.say, annotations=[])
                out = ResponseOutputMessage(
                    id="m", type="message", role="assistant", status="completed", content=[text]
                )
            return ModelResponse(output=[out], usage=Usage(), response_id=None)

        def stream_response(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("this model does not stream")

    return Scripted()


def run_adk(script: Script, questions: Sequence[str], trimming: Any, asynchronous: bool = True) -> Any:
    """Google ADK's runner."""
    from google.adk.agents import LlmAgent
    from google.adk.apps import App
    from google.adk.runners import InMemoryRunner
    from google.genai import types

    from fieldpack.adapters.adk import FieldpackToolTrimming

    def read(source: str) -> Any:
        """Reads a source."""
        return script.read(source)

    plugins = [] if trimming is None else [FieldpackToolTrimming(**trimming)]
    agent = LlmAgent(name="agent", model=_adk_model(script), tools=[read])
    runner = InMemoryRunner(app=App(name="app", root_agent=agent, plugins=plugins))

    async def converse() -> None:
        session = await runner.session_service.create_session(app_name="app", user_id="user")
        for question in questions:
            message = types.Content(role="user", parts=[types.Part(text=question)])
            one = {"user_id": "user", "session_id": session.id, "new_message": message}
            if asynchronous:
                events = [event async for event in runner.run_async(**one)]
            else:
                events = await asyncio.to_thread(lambda one=one: list(runner.run(**one)))
            script.answers.append("".join(p.text or "" for p in events[-1].content.parts))

    asyncio.run(converse())
    return plugins[0] if plugins else None


def _adk_model(script: Script) -> Any:
    from google.adk.models import BaseLlm, LlmResponse
    from google.genai import types

    def turn(role: str, part: Any) -> Turn | None:
        if part.function_response:
            response = part.function_response.response
            return "tool", text_of(response["result"] if set(response) == {"result"} else response)
        return None if part.function_call else (role, part.text or "")

    class Scripted(BaseLlm):
        async def generate_content_async(self, request: Any, stream: bool = False) -> Any:
            turns = [turn(c.role, p) for c in request.contents for p in c.parts]
            step = script.next([t for t in turns if t is not None])
            if step.tool:
                part = types.Part(function_call=types.FunctionCall(name=step.tool, args=step.arguments, id=step.id))
            else:
                part = types.Part(text=step.say)
            yield LlmResponse(content=types.Content(role="model", parts=[part]))

    return Scripted(model="scripted")


def run_llamaindex(script: Script, questions: Sequence[str], trimming: Any, asynchronous: bool = True) -> Any:
    """LlamaIndex's FunctionAgent, which is asynchronous."""
    from llama_index.core.agent.workflow import FunctionAgent
    from llama_index.core.base.llms.types import ChatMessage, TextBlock, ToolCallBlock
    from llama_index.core.llms.mock import MockFunctionCallingLLM
    from llama_index.core.memory import Memory
    from llama_index.core.workflow import Context

    from fieldpack.adapters.llamaindex_tools import FieldpackToolTrimming

    def read(source: str) -> Any:
        """Reads a source."""
        return script.read(source)

    roles = {"user": "user", "assistant": "model", "tool": "tool", "system": "system"}

    def respond(messages: Any, **_: Any) -> Any:
        turns = [(roles[m.role.value], m.content or "") for m in messages]
        step = script.next([t for t in turns if t[1]])
        if step.tool:
            call = ToolCallBlock(tool_call_id=step.id, tool_name=step.tool, tool_kwargs=step.arguments)
            return ChatMessage(role="assistant", blocks=[call])
        return ChatMessage(role="assistant", blocks=[TextBlock(text=step.say)])

    adapter = None if trimming is None else FieldpackToolTrimming(**trimming)
    tools: Any = [read] if adapter is None else adapter.tools([read])
    agent = FunctionAgent(
        tools=tools, llm=MockFunctionCallingLLM(response_generator=respond, is_chat_model=True), streaming=False
    )

    async def converse() -> None:
        context, memory = Context(agent), Memory.from_defaults(token_limit=1_000_000)
        for question in questions:
            response = await agent.run(user_msg=question, ctx=context, memory=memory)
            script.answers.append(str(response))

    asyncio.run(converse())
    return adapter


def run_haystack(script: Script, questions: Sequence[str], trimming: Any, asynchronous: bool = True) -> Any:
    """Haystack's Agent."""
    from haystack import component
    from haystack.components.agents import Agent
    from haystack.dataclasses import ChatMessage, ToolCall
    from haystack.tools import create_tool_from_function

    from fieldpack.adapters.haystack_tools import FieldpackToolTrimming

    def read(source: str) -> str:
        """Reads a source."""
        return text_of(script.read(source))

    def turn(message: Any) -> Turn:
        if message.tool_call_result:
            return "tool", text_of(message.tool_call_result.result)
        return {"assistant": "model"}.get(message.role.value, message.role.value), message.text or ""

    @component
    class Scripted:
        @component.output_types(replies=list[ChatMessage])
        def run(self, messages: list[ChatMessage], tools: Any = None, **_: Any) -> dict[str, Any]:
            step = script.next([t for t in map(turn, messages) if t[1]])
            calls = [ToolCall(step.tool, step.arguments, step.id)] if step.tool else None
            return {"replies": [ChatMessage.from_assistant(step.say or None, tool_calls=calls)]}

    adapter = None if trimming is None else FieldpackToolTrimming(**trimming)
    tools = [create_tool_from_function(read), *(adapter.tools if adapter else [])]
    hooks = {"after_tool": [adapter]} if adapter else None
    agent = Agent(chat_generator=Scripted(), tools=tools, hooks=hooks)
    messages: list[Any] = []
    for question in questions:
        messages = [*messages, ChatMessage.from_user(question)]
        result = asyncio.run(agent.run_async(messages=messages)) if asynchronous else agent.run(messages=messages)
        messages = result["messages"]
        script.answers.append(messages[-1].text)
    return adapter


RUNS: dict[str, Callable[..., Any]] = {
    "langchain": run_langchain,
    "deepagents": run_deepagents,
    "pydantic_ai": run_pydantic_ai,
    "openai_agents": run_openai_agents,
    "adk": run_adk,
    "llamaindex": run_llamaindex,
    "haystack": run_haystack,
}
NEEDS = {
    "langchain": "langchain",
    "deepagents": "deepagents",
    "pydantic_ai": "pydantic_ai",
    "openai_agents": "agents",
    "adk": "google.adk",
    "llamaindex": "llama_index.core",
    "haystack": "haystack",
}
"""The module that a framework's run needs."""
