"""The clients of docs/service.md: curl, and TypeScript with types made from the OpenAPI document.

The TypeScript part runs where `npm install` was run in examples/typescript.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from serving import app, running_well

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "typescript"
GUIDE = (ROOT / "docs" / "service.md").read_text("utf-8")


def block(language):
    return re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)[1]


@pytest.fixture(scope="module")
def service():
    with running_well() as url:
        yield url.rstrip("/")


def test_the_guide_shows_the_example_as_it_is():
    assert block("typescript").strip() == (EXAMPLE / "pack.ts").read_text("utf-8").strip()


def test_curl(service):
    if not shutil.which("curl") or not shutil.which("bash"):
        pytest.skip("no curl")
    command = block('bash title="curl"').replace("http://127.0.0.1:8017", service)
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert "gravity of the Moon" in json.loads(done.stdout)["text"]


def test_typescript_with_types_of_this_service(service, tmp_path):
    if not (EXAMPLE / "node_modules").is_dir():
        pytest.skip("no `npm install` in examples/typescript")
    for name in ("package.json", "tsconfig.json", "pack.ts"):
        shutil.copy(EXAMPLE / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(EXAMPLE / "node_modules", target_is_directory=True)
    (tmp_path / "openapi.json").write_text(json.dumps(app().openapi()), "utf-8")

    def npm(*arguments):
        return subprocess.run(["npm", "run", "-s", *arguments], cwd=tmp_path, capture_output=True, text=True)

    assert npm("types").returncode == 0
    checked = npm("check")
    assert checked.returncode == 0, checked.stdout
    ran = npm("start", "--", service)
    assert "gravity of the Moon" in ran.stdout and "tides" in ran.stdout, ran.stderr
    source = (tmp_path / "pack.ts").read_text("utf-8")
    (tmp_path / "pack.ts").write_text(source.replace("budget: 20", "budgett: 20"), "utf-8")
    assert "budget" in npm("check").stdout, "a misspelt field is an error of types"
