"""docs/cli.md quotes the real help of every verb. To write it anew: python tests/test_docs_cli.py"""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
VERBS = ["pack", "batch", "index", "field", "demo", "plan", "compress", "models", "calibrate"]
VERBS += ["shell", "bench", "serve", "mcp", "trim", "expand", "hook post-tool-use", "analyze", "evaluate"]


END = "\x00"
ALL = f"""
import sys
from fieldpack.cli.app import run
for verb in sys.argv[1:]:
    code = run([*verb.split(), "--help"])
    assert code == 0, (verb, code)
    print({END!r}, end="")
"""


def real_helps():
    """{verb: its help}, all of one process: starting one for each takes most of a second each."""
    env = {**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    env.pop("FIELDPACK_DATA", None)
    done = subprocess.run([sys.executable, "-c", ALL, *VERBS], capture_output=True, text=True, check=True, env=env)
    helps = done.stdout.split(END)[:-1]
    return {
        v: "\n".join(line.rstrip() for line in h.strip("\n").split("\n")) for v, h in zip(VERBS, helps, strict=True)
    }


def page():
    parts = [
        "# The command line\n\nExit codes: 0 done, 2 bad usage or input (one line on stderr), 3 the pins cannot fit.\n"
    ]
    parts += [f"## fieldpack {verb}\n\n```text\n{text}\n```\n" for verb, text in real_helps().items()]
    return "\n".join(parts)


def words(text):
    """The boxes that help is drawn in differ by version and terminal; its words must not."""
    return re.findall(r"[\w.,;:=|<>/'\"+*-]+", text.replace("│", " "))


def test_the_page_quotes_the_real_help():
    assert words(PAGE.read_text("utf-8")) == words(page())


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
