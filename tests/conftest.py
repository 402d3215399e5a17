"""The tests of adapters and of the cluster run where their packages are installed; the header says which are not.

Hypothesis draws the same examples in every run, so that a run fails only for what the change did. To look for new
examples set `HYPOTHESIS_PROFILE=explore`; an example that fails goes into the test as an `@example`.
"""

import importlib.util
import os

import browser
import pytest
import slow
from hypothesis import settings

settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

if "PYTEST_XDIST_WORKER" in os.environ:  # before numpy: the workers share the processors
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"  # read when haystack is imported: tests reach no network

_NEEDS = {
    "test_adapters_langchain.py": ("langchain_core", "langchain_classic"),
    "test_adapters_langchain_agent.py": ("langchain_core", "langchain"),
    "test_adapters_llamaindex.py": ("llama_index",),
    "test_adapters_haystack.py": ("haystack",),
    "test_adapters_litellm.py": ("litellm", "orjson", "apscheduler", "fastapi_sso", "uvicorn", "prometheus_client"),
    "test_adapters_langchain_tools.py": ("langchain",),
    "test_adapters_deepagents.py": ("deepagents",),
    "test_adapters_pydantic_ai.py": ("pydantic_ai",),
    "test_adapters_openai_agents.py": ("agents",),
    "test_adapters_adk.py": ("google.adk",),
    "test_adapters_llamaindex_tools.py": ("llama_index",),
    "test_adapters_haystack_tools.py": ("haystack",),
    "test_parallel_ray.py": ("ray", "pyarrow", "pandas"),
}


def _is_absent(module):
    try:
        return importlib.util.find_spec(module) is None
    except ModuleNotFoundError:  # the package that holds it
        return True


_ABSENT = {file: [m for m in needs if _is_absent(m)] for file, needs in _NEEDS.items()}
if not os.environ.get("FIELDPACK_MCP_FILESYSTEM"):
    _ABSENT["test_mcp_reference.py"] = ["@modelcontextprotocol/server-filesystem in FIELDPACK_MCP_FILESYSTEM"]

collect_ignore = [file for file, modules in _ABSENT.items() if modules]


def pytest_report_header():
    """Says what is not collected, and why."""
    return [f"not collected: {file} (not installed: {', '.join(m)})" for file, m in _ABSENT.items() if m]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """Workers for the whole suite, as many as there are processors (four at most: each takes up to 2 GB); none for
    files that are named, which begin sooner without."""
    return min(os.cpu_count() or 1, 4) if config.args == config.getini("testpaths") else 0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """`-m fast`: all tests but those that slow.py names."""
    left_out = slow.listed()
    for item in items:
        if item.path.name not in slow.COSTLY and slow.key(item.path.name, item.nodeid) not in left_out:
            item.add_marker(pytest.mark.fast)


def pytest_ignore_collect(collection_path, config):
    """`-m fast` does not import a file that has no part in it."""
    name = collection_path.name
    if config.option.markexpr == "fast" and name.startswith("test_") and slow.left_out(collection_path):
        return True
    return None


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    """A tab of a browser, one for the tests of a file."""
    if browser.found() is None:
        pytest.skip("no Chromium")
    with browser.Browser(tmp_path_factory.mktemp("profile")) as b:
        yield b
