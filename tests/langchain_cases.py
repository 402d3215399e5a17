"""A conversation for the tests of the LangChain adapters."""

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

import fieldpack as fp
from fieldpack.memory import render

TALK = [
    SystemMessage("Be brief."),
    HumanMessage("My daughter Ada is allergic to peanuts.", id="ada"),
    AIMessage("Noted."),
]
for _day in range(30):
    TALK += [HumanMessage(f"What is the weather on day {_day}?"), AIMessage(f"Mild, {_day} degrees, some clouds.")]
ASKED = HumanMessage("Which food must my daughter Ada avoid?")


def tokens_of(messages):
    roles = {"human": "user", "ai": "assistant"}
    rows = []
    for m in messages:
        row = {"role": roles.get(m.type, m.type), "content": m.content}
        if getattr(m, "tool_calls", None):
            row["tool_calls"] = m.tool_calls
        rows.append(row)
    return fp.tokenizer("o200k_base").count(render(rows))
