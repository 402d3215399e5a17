"""Every Python block of the guides runs, in order, in one namespace a page."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
OWN = {"frameworks.md", "agents.md", "service.md"}  # run beside the tests of the adapters and of the service
PAGES = sorted(p.name for p in DOCS.glob("*.md") if p.name not in OWN and "```python" in p.read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL):
        exec(compile(block, page, "exec"), names)
