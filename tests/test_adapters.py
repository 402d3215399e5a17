"""The adapters where their frameworks are not: what is imported, and what is said."""

import subprocess
import sys

import pytest

EXTRAS = {
    "langchain_tools": "agents",
    "pydantic_ai": "pydantic-ai",
    "openai_agents": "openai-agents",
    "llamaindex_tools": "llamaindex",
    "haystack_tools": "haystack",
}


def test_importing_the_adapters_imports_no_framework():
    code = (
        "import sys, fieldpack.adapters\n"
        "names = ('langchain_core', 'llama_index', 'haystack', 'pydantic', 'agents', 'google')\n"
        "print([m for m in names if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [
        ("langchain", "langchain_core", "langchain-core"),
        ("llamaindex", "llama_index", "llama-index-core"),
        ("haystack", "haystack", "haystack-ai"),
        ("langchain_tools", "langchain", "langchain"),
        ("pydantic_ai", "pydantic_ai", "pydantic-ai-slim"),
        ("openai_agents", "agents", "openai-agents"),
        ("adk", "google", "google-adk"),
        ("llamaindex_tools", "llama_index", "llama-index-core"),
        ("haystack_tools", "haystack", "haystack-ai"),
    ],
)
def test_a_framework_that_is_not_there_is_named_with_its_extra(name, module, package):
    code = (
        f"import importlib.abc, sys\n"
        f"class Block(importlib.abc.MetaPathFinder):\n"
        f"    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] == {module!r}: raise ModuleNotFoundError(name, name=name)\n"
        f"sys.meta_path.insert(0, Block())\n"
        f"import fieldpack as fp\n"
        f"try:\n    import fieldpack.adapters.{name}\n"
        f"except fp.MissingExtraError as e: print(e.package, e.extra)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [package, EXTRAS.get(name, name)]
