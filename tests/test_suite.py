"""The suite itself: its fast part leaves out tests that there are, and tries every part of the package."""

import ast
import functools
from pathlib import Path

import pytest
import slow

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "src" / "fieldpack"


@functools.cache
def nodes(path):
    return tuple(ast.walk(ast.parse(path.read_text("utf-8"))))


def defined(path):
    """The names of a file's functions and classes, methods too."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return {node.name for node in nodes(path) if isinstance(node, kinds)}


def imported(path):
    """The parts of the package that a file imports, in functions too."""
    out = set()
    for node in nodes(path):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
        out |= {name.split(".")[1] for name in names if name.startswith("fieldpack.")}
    return out


FILES = sorted(TESTS.glob("*.py"))


@functools.cache
def in_fast():
    """The parts of the package that the files of the fast part import."""
    fast = [path for path in FILES if path.name.startswith("test_") and not slow.left_out(path)]
    return set().union(*map(imported, fast))


def test_every_test_in_the_list_is_there():
    names = {path: defined(path) for path in FILES}
    everywhere = set().union(*names.values())  # what a class inherits stands in another file
    for entry in slow.listed():
        file, owner, *name = entry.split("::")
        there = owner in names[TESTS / file] and everywhere.issuperset(name)
        assert there, f"{entry}: take it out of slow.txt, or write the list anew (slow.py)"


def test_the_fast_part_is_marked(request):
    assert request.node.get_closest_marker("fast")


@pytest.mark.parametrize("part", sorted(p.name for p in PACKAGE.iterdir() if (p / "__init__.py").exists()))
def test_the_fast_part_tries_every_part_of_the_package(part):
    assert part in in_fast()


def test_what_a_function_takes_is_the_sum_of_its_cases(tmp_path):
    cases = "".join(
        f'<testcase classname="{c}" name="{n}" time="{t}"/>'
        for c, n, t in [
            ("tests.test_a", "test_x[1]", 0.3),
            ("tests.test_a", "test_x[2.b]", 0.2),
            ("t.test_a.B", "test_y", 1),
        ]
    )
    (tmp_path / "times.xml").write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    found = slow.measured(tmp_path / "times.xml")
    assert found == {"test_a.py::test_x": pytest.approx(0.5), "test_a.py::B::test_y": 1.0}
