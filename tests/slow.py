"""The tests that `pytest -m fast` leaves out: the functions in slow.txt, `file::name` a line.

To write the list anew, on a quiet machine: python -m pytest -n 0 --junitxml=times.xml && python tests/slow.py times.xml
"""

import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

LIST = Path(__file__).with_name("slow.txt")
MOST = 0.4
"""Seconds that all cases of a test function may take together."""


def key(file, nodeid):
    """`file::name` of a test's id, with its class and without its parameters."""
    return f"{file}::{nodeid.partition('::')[2].partition('[')[0]}"


def listed():
    return set(LIST.read_text("utf-8").split("\n")) - {""}


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
    slow = sorted(name for name, seconds in measured(sys.argv[1]).items() if seconds > MOST)
    LIST.write_text("\n".join(slow) + "\n", "utf-8")
