"""The documentation site builds without a warning; its index for language models names what exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    call = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "--site-dir", str(tmp_path)]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "api" / "index.html").read_text("utf-8")
    assert "ContextPacker" in page and "BudgetError" in page
    assert (tmp_path / "llms.txt").is_file()
    home = (tmp_path / "index.html").read_text("utf-8")
    loaded = re.findall(r'<(?:script|link)[^>]+(?:src|href)="(https?:[^"]+)"', home)
    assert not [url for url in loaded if "canonical" not in url], "reading the site asks no other host"


def test_every_page_is_in_the_navigation_and_in_the_index_for_models():
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    index = (DOCS / "llms.txt").read_text("utf-8")
    for page in sorted(p.name for p in DOCS.glob("*.md")):
        assert f": {page}" in navigation, f"{page} is not in mkdocs.yml"
        assert page == "index.md" or f"]({page})" in index, f"{page} is not in docs/llms.txt"
    for name in re.findall(r"\]\(([^)]+)\)", index):
        assert (DOCS / name).is_file(), f"docs/llms.txt names {name}"
