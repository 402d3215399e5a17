"""The light install: what requirements-light.txt brings is enough for the library, the command line and the service."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIGHT = ROOT / "requirements-light.txt"
CASES = Path(__file__).with_name("light_cases.py")
HEAVY = {"scikit-learn", "faiss-cpu", "torch", "sentence-transformers"}
"""Of the base install, left out of the light one."""


def run(*arguments):
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.parametrize("case", ["library", "command_line", "service"])
def test_it_runs_with_nothing_else_to_import(case, tmp_path):
    done = run(CASES, LIGHT, case, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize(("package", "case"), [("onnxruntime", "library"), ("tiktoken", "command_line")])
def test_a_package_that_is_missing_from_the_list_is_noticed(package, case, tmp_path):
    lines = [line for line in LIGHT.read_text("utf-8").splitlines() if not line.startswith(package)]
    (tmp_path / "short.txt").write_text("\n".join(lines), "utf-8")
    done = run(CASES, tmp_path / "short.txt", case, tmp_path)
    assert done.returncode != 0 and package in done.stderr, done.stderr[-3000:]


def test_the_list_says_of_each_package_what_the_project_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [r for r in project["dependencies"] if re.split(r"[<>=]", r)[0] not in HEAVY]
    wanted += [*extras["onnx"], *extras["service"]]
    lines = [line for line in LIGHT.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert sorted(lines) == sorted(set(wanted))
