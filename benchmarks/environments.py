"""The tests in an environment of its own: another Python, or the lowest versions that pyproject.toml allows.

    python benchmarks/environments.py --lowest                  the floors, and a fast part of the tests
    python benchmarks/environments.py --python 3.13 --all       the newest versions under Python 3.13, all tests

Makes the environment with uv (`pip install uv`), installs this folder without its dependencies, prints what was
installed, and runs pytest. Exit code: that of pytest. --without NAME leaves a requirement out, and what needs it is not
tested (torch from the index is 3 GB with its CUDA libraries). --keep FOLDER puts the environment there and leaves it;
one that is there already is used as it is, so that a run that was stopped goes on with other --tests.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FAST = (
    "adapters_haystack adapters_langchain adapters_llamaindex attractors budget cli index mcp onnx pickle pipeline "
    "plot read_formats static tokens"
)
_EXTRA = re.compile(r"fieldpack\[([a-z,-]+)\]")


def requirements(project: dict[str, Any], extra: str, without: list[str]) -> list[str]:
    """The base requirements and those of an extra, extras that it names followed."""
    extras = project["optional-dependencies"]

    def followed(listed: list[str]) -> list[str]:
        out = []
        for line in listed:
            named = _EXTRA.fullmatch(line)
            out += [r for name in named[1].split(",") for r in followed(extras[name])] if named else [line]
        return out

    listed = dict.fromkeys([*project["dependencies"], *followed(extras[extra])])
    return [r for r in listed if re.split(r"[<>=\[ ]", r)[0] not in without]


def run(*command: str | Path, **options: Any) -> None:
    """A command that has to succeed."""
    print("$", *command, flush=True)
    subprocess.run([str(part) for part in command], check=True, cwd=ROOT, **options)


def environment(folder: Path, python: str, lowest: bool, without: list[str]) -> None:
    """Makes a new environment with the requirements in it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked, chosen = folder / "asked.txt", folder / "chosen.txt"
    asked.write_text("\n".join(requirements(project, "test", without)) + "\n", "utf-8")
    uv = [sys.executable, "-m", "uv"]
    run(*uv, "venv", "-q", "--python", python, folder / "env")
    interpreter = folder / "env" / "bin" / "python"
    resolution = "lowest-direct" if lowest else "highest"
    run(*uv, "pip", "compile", "-q", "--python", interpreter, "--resolution", resolution, asked, "-o", chosen)
    # Copies: some packages refuse to read files that are hard links into a cache.
    install = [*uv, "pip", "install", "-q", "--link-mode", "copy", "--python", interpreter]
    run(*install, "-r", chosen)
    run(*install, "--no-deps", "-e", ROOT)
    run(*uv, "pip", "list", "-q", "--python", interpreter)


def made(folder: Path, arguments: argparse.Namespace) -> Path:
    """The interpreter of the environment in a folder: the one that is there whole, else a new one."""
    interpreter, whole = folder / "env" / "bin" / "python", folder / "whole"
    if not whole.exists():
        folder.mkdir(parents=True, exist_ok=True)
        environment(folder, arguments.python, arguments.lowest, arguments.without)
        whole.touch()
    return interpreter


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=f"{sys.version_info.major}.{sys.version_info.minor}")
    parser.add_argument("--lowest", action="store_true", help="the lowest versions that are allowed")
    parser.add_argument("--all", action="store_true", help="all tests, not the fast part")
    parser.add_argument("--without", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the environment stays")
    parser.add_argument("--tests", nargs="*", metavar="FILE", help="these files and no others")
    arguments = parser.parse_args()
    files = arguments.tests or ([] if arguments.all else [f"tests/test_{name}.py" for name in FAST.split()])
    with tempfile.TemporaryDirectory() as temporary:
        interpreter = made(arguments.keep or Path(temporary), arguments)
        # Old releases warn of what newer Pythons deprecate; their warnings are not ours.
        command = [interpreter, "-m", "pytest", "-p", "no:cacheprovider", "-W", "ignore", *files]
        return subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}).returncode


if __name__ == "__main__":
    sys.exit(main())
