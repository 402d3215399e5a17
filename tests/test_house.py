"""The house rules: imports point down, records stay as made, nothing grows, public names are the public names, nothing
unfinished, no machine's paths.

What breaks a rule today stands in house/allowed.json, which may only shrink. Every rule is tried on a planted fault.
"""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from house import allowed, glossary, shape, tree
from house.rows import ROWS

import fieldpack

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "fieldpack"
SOURCES = tree.sources()


@cache
def parsed():
    return tree.parsed(SOURCES)


@cache
def broken():
    return allowed.broken(SOURCES)


def planted(rule, **files):
    """The new faults of one rule in some more files, among files of the package's names that are empty. The part of a
    name before __ is the folder."""
    more = {f"fieldpack/{name.replace('__', '/')}.py": text for name, text in files.items()}
    faults = allowed.new_faults(allowed.broken({**dict.fromkeys(SOURCES, ""), **more}), {})
    return [fault for fault in faults if fault.startswith(f"{rule}: ")]


def test_no_rule_is_broken_anew():
    assert not allowed.new_faults(broken(), allowed.allowed()), "mend it; house/allowed.py says what the list is for"


def test_the_list_of_what_is_allowed_shrinks_with_what_is_mended():
    assert not allowed.mended(broken(), allowed.allowed()), "run: PYTHONPATH=tests python -m house.allowed"


def test_every_row_is_a_module_and_every_module_has_a_row():
    modules = {tree.room_of(path) for path in SOURCES} - {"__init__", "__main__"}
    assert sorted(modules) == sorted(ROWS), "its row goes into tests/house/rows.py"


@pytest.mark.parametrize(
    "text",
    [
        "from fieldpack.text import planted_b",
        "def late():\n    import fieldpack.text.planted_b",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from fieldpack.text.planted_b import x",
        "from . import planted_b",
    ],
)
def test_a_planted_circle_is_seen(text):
    seen = planted("circles", text__planted_a=text, text__planted_b="from fieldpack.text.planted_a import y")
    assert seen == ["circles: fieldpack/text/planted_a.py - fieldpack/text/planted_b.py"]
    assert not planted("circles", text__planted_a=text, text__planted_b="x = 1")


def test_a_circle_of_many_files_is_one_and_a_larger_one_is_not_allowed():
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"a"}}
    assert tree.circles(edges) == [["a", "b", "c"]]
    assert allowed.new_faults({"circles": ["a - b - c"]}, {"circles": ["a - b"]})


@pytest.mark.parametrize("text", ["import fieldpack.cli.app", "def f():\n    from fieldpack.server import Settings"])
def test_an_import_that_points_up_is_seen(text):
    (seen,) = planted("imports that point up", text__planted=text)
    assert "fieldpack/text/planted.py -> fieldpack/" in seen
    assert not planted("imports that point up", cli__planted=text)


def test_an_import_of_the_root_is_seen_and_one_of_a_module_is_none():
    assert planted("imports of the root", text__planted="def f():\n    import fieldpack as fp")
    assert planted("imports of the root", text__planted="from fieldpack import ContextPacker")
    assert not planted("imports of the root", text__planted="from fieldpack import errors")


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("file lines", "x = 1\n" * 301),
        ("function lines", "def f():\n" + "    x = 1\n" * 40),
        ("function lines", "class A:\n    def f(self):\n" + "        x = 1\n" * 40),
        ("parameters", "def f(a, b, c, d, *, e, f, g, h): ..."),
        ("parameters", "class A:\n    def f(self, a, b, c, d, e, f, *g, **h): ..."),
        ("positional arguments", "def f():\n    g(1, 2, 3, 4, 5, 6)"),
        ("positional arguments", "g(1, 2, 3, 4, 5, *h)"),
        ("returned tuple", "def f() -> tuple[int, int, str]: ..."),
        ("returned tuple", "class A:\n    async def f(self) -> tuple[int, int, tuple[int, ...]] | None: ..."),
    ],
)
def test_what_is_too_large_is_seen(rule, text):
    assert planted(rule, text__planted=text)


def test_what_is_not_too_large_passes():
    fine = "class A:\n    def f(self, a, b, c, d, e, f, g) -> tuple[int, ...]:\n" + "        h(1, 2, 3, 4, 5)\n" * 39
    assert not any(planted(rule, text__planted=fine) for rule in shape.LIMITS)


@pytest.mark.parametrize(
    "statement",
    [
        *("x.y[0] = 1", "x.y[0] += 1", "del x.y[0]", "x.y.z[0][1] = 2", "x[0].y[1] = 2", "a, x.y[0] = 1, 2"),
        *("vars(x)['y'] = 1", "x.__dict__['y'] = 1", "object.__setattr__(x, 'y', 1)", "np.add(1, 2, out=x.y)"),
    ],
)
def test_a_planted_write_into_a_record_is_seen(statement):
    assert planted("writes into records", text__planted=f"def f(x):\n    {statement}")
    assert planted("writes into records", text__planted=f"def f(x):\n    def g():\n        {statement}")


def test_writes_into_what_is_ones_own_are_no_fault():
    frozen = "@dataclass(frozen=True)\nclass A:\n    def {}(self):\n        {}"
    assert planted("writes into records", text__planted=frozen.format("f", "self.y[0] = 1"))
    assert not planted(
        "writes into records", text__planted=frozen.format("__post_init__", "object.__setattr__(self, 'y', 1)")
    )
    for own in (
        "def f(x):\n    x[0] = 1",
        "def f(x):\n    y = copy(x)\n    y.z[0] = 1",
        "class A:\n    def f(self):\n        self.y[0] = 1",
    ):
        assert not planted("writes into records", text__planted=own)


def test_a_setting_that_nobody_reads_is_seen():
    record = "class PlantedSettings:\n    planted_knob: int = 1\n    def f(self):\n        return self.planted_knob\n"
    serialised = record + "def to_dict(s):\n    return {'k': s.planted_knob}"
    assert planted("settings that nobody reads", text__planted=serialised) == [
        "settings that nobody reads: PlantedSettings.planted_knob"
    ]
    for use in ("s.planted_knob", "s.f()"):
        assert not planted("settings that nobody reads", text__planted=f"{record}def use(s):\n    return {use}")


def test_the_glossary_names_every_class_and_module_and_its_homes_are_there():
    assert not glossary.faults(glossary.PAGE.read_text("utf-8"), parsed()), glossary.__doc__


def test_a_planted_gap_in_the_glossary_is_seen():
    page = glossary.PAGE.read_text("utf-8")
    more = {**parsed(), **tree.parsed({"fieldpack/text/planted.py": "class Planted: ..."})}
    seen = glossary.faults(page, more)
    assert seen == ["the class Planted of text/planted.py is missing", "the module text/planted.py is missing"]
    assert not glossary.faults(glossary.page_with_tables(page, more), more)
    for row, says in (
        ("| thing | something | - | `text/gone.py` |", "text/gone.py"),
        ("| thing | something | - | `errors.py::GoneError` |", "GoneError"),
        ("| thing |  | - | `errors.py` |", "empty cell"),
        ("| spread | something | - | `errors.py` |", "struck word"),
    ):
        assert any(says in fault for fault in glossary.faults(f"{page}\n{row}\n", parsed()))


@pytest.mark.parametrize(
    "text", ["def spread(): ...", "def f(asked): ...", "class A:\n    def _near(self): ...", "def f(*, held=1): ..."]
)
def test_a_struck_word_is_seen(text):
    assert planted("struck words", text__planted=text)


def test_public_names_are_there():
    assert fieldpack.__all__ == dir(fieldpack)
    for name in fieldpack.__all__:
        assert getattr(fieldpack, name) is not None, name


def test_import_costs_nothing():
    code = "import sys, fieldpack; print([m for m in ('numpy', 'tiktoken', 'rich', 'httpx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_is_unfinished_and_no_machine_is_named():
    words = re.compile(
        r"NotImplementedError|\bTODO\b|\bFIXME\b|\bXXX\b|pragma: no cover|pytest\.mark\.skip|" + re.escape(f"{ROOT}/")
    )
    wrong = []
    for folder in ("src", "tests", "benchmarks", "models", "docs", "notebooks", "README.md", "pyproject.toml", ".ci"):
        place = ROOT / folder
        for path in [place] if place.is_file() else place.rglob("*"):
            if path.suffix in (".py", ".md", ".toml", ".ipynb", ".json", ".html", "") and path.is_file():
                if path.name in ("test_house.py", "vocab.txt", "LICENSE"):
                    continue
                for number, line in enumerate(path.read_text("utf-8", "ignore").split("\n"), 1):
                    if words.search(line):
                        wrong.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert not wrong, "\n".join(wrong)


def test_no_file_prints_or_pickles():
    wrong = []
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [a.name for a in node.names] + [getattr(node, "module", "") or ""]
                wrong += [f"{path.name} imports {n}" for n in names if n.split(".")[0] in ("pickle", "shelve", "dill")]
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) == "np.load"
                and "allow_pickle=True" in ast.unparse(node)
            ):
                wrong.append(f"{path.name} loads pickles")
    assert not wrong, wrong
