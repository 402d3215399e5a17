"""The message trimmer in an agent of the real langchain package."""

import asyncio

import framework_cases as cases
import pytest
from langchain.agents import create_agent
from langchain_cases import ASKED, TALK, tokens_of
from langchain_core.language_models import FakeListChatModel

from fieldpack.adapters.langchain import FieldpackMessageTrimmer


class Seeing(FakeListChatModel):
    """A model that remembers what it was shown."""

    seen: list

    def _call(self, messages, *args, **kwargs):
        self.seen.append(list(messages))
        return super()._call(messages, *args, **kwargs)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_agents_model_sees_the_trimmed_messages_and_its_state_keeps_all(asynchronous):
    model = Seeing(responses=["Peanuts."], seen=[])
    trimmer = FieldpackMessageTrimmer(budget=120)
    agent = create_agent(model, system_prompt="Answer in one word.", middleware=[trimmer.as_middleware()])
    given_state = {"messages": [*TALK[1:], ASKED]}
    state = asyncio.run(agent.ainvoke(given_state)) if asynchronous else agent.invoke(given_state)
    (seen,) = model.seen
    assert seen[0].content == "Answer in one word." and "ada" in [m.id for m in seen]
    assert seen[-1].content == ASKED.content and [m.type for m in seen].count("system") == 1
    assert tokens_of(seen) <= 120
    assert len(state["messages"]) == len(TALK) + 1


def test_the_code_of_the_docs_runs():
    cases.run_docs("LangChain agents")
