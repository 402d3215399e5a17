"""Tool trimming in deepagents: the middleware of LangChain."""

from agent_contract import LOG, AgentContract, tools_of


class TestDeepAgents(AgentContract):
    framework = "deepagents"

    def test_an_output_that_deepagents_would_write_to_a_file_is_trimmed_before(self):
        large = LOG + "\nnothing of note happened here\n" * 20_000
        script = self.talk({"trimmer": {"budget": 200}}, ["Why did job 413 fail?"], read=lambda source: large)
        assert script.answers == ["job 413 failed: disk full in 75 s"]
        (shown,) = tools_of(script.requests[-1])
        assert "left out" in shown and "large_tool_results" not in shown
