"""The tests that `pytest -m fast` leaves out: the functions in slow.txt, `file::name` a line, and the files of
COSTLY and those of which all tests are in the list, which are not even imported.

To write the list anew, on a quiet machine: python -m pytest -n 0 --junitxml=times.xml && python tests/slow.py times.xml
"""

import functools
import re
import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

LIST = Path(__file__).with_name("slow.txt")
MOST = 0.25
"""Seconds that all cases of a test function may take together."""
COSTLY = frozenset({
    "test_adapters_haystack.py", "test_adapters_haystack_tools.py", "test_adapters_langchain.py",
    "test_adapters_langchain_agent.py", "test_adapters_langchain_tools.py", "test_adapters_llamaindex.py",
    "test_adapters_llamaindex_tools.py", "test_adapters_openai_agents.py", "test_adapters_pydantic_ai.py",
    "test_attractors.py", "test_bench_gpu.py", "test_clients.py", "test_parallel_ray.py", "test_report_browser.py",
    "test_server_page.py", "test_transformer.py",
})  # fmt: skip
"""What they import or start (a cluster, a browser, a service) takes a second and more."""


def key(file, nodeid):
    """`file::name` of a test's id, with its class and without its parameters."""
    return f"{file}::{nodeid.partition('::')[2].partition('[')[0]}"


@functools.cache
def listed():
    return set(LIST.read_text("utf-8").split("\n")) - {""}


def left_out(path):
    """Whether nothing of a test file is in the fast part."""
    names = {entry.split("::")[-1] for entry in listed() if entry.startswith(f"{path.name}::")}
    defined = set(re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE))
    return path.name in COSTLY or (bool(defined) and defined <= names)


def measured(report):
    """{file::name: seconds} of a report in JUnit's form."""
    seconds = defaultdict(float)
    for case in ElementTree.parse(report).iter("testcase"):
        parts = case.get("classname").split(".")
        at = next(i for i, part in enumerate(parts) if part.startswith("test_"))
        name = "::".join([*parts[at + 1 :], case.get("name").partition("[")[0]])
        seconds[f"{parts[at]}.py::{name}"] += float(case.get("time"))
    return seconds


if __name__ == "__main__":
    slow = sorted(
        name
        for name, seconds in measured(sys.argv[1]).items()
        if seconds > MOST and name.partition("::")[0] not in COSTLY
    )
    LIST.write_text("\n".join(slow) + "\n", "utf-8")
