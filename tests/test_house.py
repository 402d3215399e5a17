"""The house rules: imports point down, public names are the public names, nothing unfinished, no machine's paths."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import fieldpack

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "fieldpack"
LEVELS = [
    {"errors", "types", "settings", "version"},
    {"protocols", "assets", "words", "observe", "room", "arrays", "checks", "files"},
    {"text", "embed", "field", "relevance", "packing", "render", "budget", "compress", "value", "metrics", "templates"},
    {"prepared", "result", "reasons", "settle", "problem", "inputs", "pins", "look", "cascade", "pipeline"}
    | {"shell", "experiment"},
    {"index", "growth", "folder", "memory", "parallel", "report", "plot", "stream"},
    {"session"},
    {"cli", "server", "mcp", "adapters", "bench"},
]
# A method of the packer, or of its result, that opens the door to a higher level when it is called.
DOORS = {("pipeline", "index"), ("pipeline", "stream"), ("result", "report"), ("field", "report")}
# Texts have to be cut and counted to be budgeted and compressed; these import `text` inside functions.
TEXT_USERS = {"compress", "budget"}


def level(name):
    found = [i for i, names in enumerate(LEVELS) if name in names]
    assert found, f"{name} has no level: give it one in tests/test_house.py"
    return found[0]


def imports(path):
    """(module of fieldpack, whether at the top of the file) for every import in a file."""
    tree = ast.parse(path.read_text("utf-8"))
    typing_only = {
        id(node)
        for guard in ast.walk(tree)
        if isinstance(guard, ast.If) and "TYPE_CHECKING" in ast.unparse(guard.test)
        for node in ast.walk(guard)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("fieldpack."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.ImportFrom) and node.module == "fieldpack":
            yield from (a.name for a in node.names if a.name in set().union(*LEVELS))
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("fieldpack."))


def test_imports_point_down():
    wrong = []
    for path in SOURCE.rglob("*.py"):
        mine = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if mine in ("__init__", "__main__"):
            continue
        for other in imports(path):
            if other == mine or (mine, other) in DOORS or (mine in TEXT_USERS and other == "text"):
                continue
            ours, theirs = level(mine), level(other)
            same_stage = theirs == ours == 2
            if theirs > ours or same_stage:
                wrong.append(f"{path.relative_to(SOURCE)} imports {other}")
    assert not wrong, "\n".join(wrong)


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
