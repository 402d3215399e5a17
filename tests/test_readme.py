"""The README is true: its example runs, its table points at what exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_example_runs(capsys):
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(compile(block, "README.md", "exec"), {})
    assert "Neil Peart" in capsys.readouterr().out


def test_every_section_has_its_home():
    page = (ROOT / "docs" / "design-text.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d[\d.\-]* [^|]+) \| (\S+)::(\S+) \|$", page, re.MULTILINE)
    assert len(rows) >= 25
    for section, path, name in rows:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        names = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        assert name in names, f"{section}: {path} has no {name}"


def test_commands_in_the_readme_are_verbs_of_the_command_line():
    from fieldpack.cli.app import app

    verbs = {c.name or c.callback.__name__ for c in app.registered_commands} | {"shell"}
    for verb in re.findall(r"^fieldpack (\w+)", README, re.MULTILINE):
        assert verb in verbs
