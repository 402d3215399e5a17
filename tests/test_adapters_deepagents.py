"""Tool trimming in deepagents: the middleware of LangChain."""

from agent_contract import AgentContract


class TestDeepAgents(AgentContract):
    framework = "deepagents"
