"""The adapters' tests run where their frameworks are installed; the header says which are not."""

import importlib.util
import os

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"  # read when haystack is imported: tests reach no network

_ADAPTERS = {"langchain": "langchain_core", "llamaindex": "llama_index", "haystack": "haystack"}
_ABSENT = {name: module for name, module in _ADAPTERS.items() if importlib.util.find_spec(module) is None}

collect_ignore = [f"test_adapters_{name}.py" for name in _ABSENT]


def pytest_report_header():
    """Says what is not collected, and why."""
    return [f"not collected: test_adapters_{name}.py ({module} is not installed)" for name, module in _ABSENT.items()]
