"""The thin packages under `packages/` build to wheels and give the adapters' classes; a container installs offline."""

import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from fieldpack.version import __version__

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "langchain-fieldpack": ("langchain_fieldpack", "fieldpack.adapters.langchain", "langchain_core"),
    "llama-index-postprocessor-fieldpack": (
        "llama_index.postprocessor.fieldpack",
        "fieldpack.adapters.llamaindex",
        "llama_index",
    ),
    "fieldpack-haystack": (
        "haystack_integrations.components.rankers.fieldpack",
        "fieldpack.adapters.haystack",
        "haystack",
    ),
}
IMPORT = """
import importlib, sys
thin = importlib.import_module(sys.argv[1])
classes = {}
for name in (sys.argv[2], sys.argv[2] + "_tools"):  # documents, and tool output of agents
    classes.update({n: c for n, c in vars(importlib.import_module(name)).items() if n.startswith("Fieldpack")})
assert thin.__all__ == sorted(classes) and "FieldpackToolTrimming" in classes
assert all(getattr(thin, name) is classes[name] for name in thin.__all__)
"""


@pytest.mark.parametrize("name", PACKAGES)
def test_a_thin_package_builds_and_gives_every_class_of_its_adapter(name, tmp_path):
    builder = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(ROOT / "packages" / name))
    wheel = next(iter(builder.build(directory=str(tmp_path / "dist"), versions=["standard"])))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
        metadata = next(n for n in archive.namelist() if n.endswith("METADATA"))
        assert f"Name: {name}" in archive.read(metadata).decode("utf-8")
    module, adapter, framework = PACKAGES[name]
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    call = [sys.executable, "-c", f"import sys; sys.path.append({str(tmp_path / 'site')!r})\n{IMPORT}", module, adapter]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", PACKAGES)
def test_a_thin_package_asks_for_the_extra_of_its_framework(name):
    project = tomllib.loads((ROOT / "packages" / name / "pyproject.toml").read_text("utf-8"))["project"]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    [requirement] = project["dependencies"]
    extra = re.fullmatch(r"fieldpack\[(\w+)\]>=([\d.]+),<0\.3", requirement)
    assert extra and extra[1] in extras and project["version"] == extra[2]
    assert tuple(map(int, extra[2].split("."))) >= tuple(map(int, __version__.split(".")[:3]))
    readme = (ROOT / "packages" / name / "README.md").read_text("utf-8")
    for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL):
        compile(block, name, "exec")


def test_the_container_is_built_from_wheels_without_an_index():
    steps = [line for line in (ROOT / "Dockerfile").read_text("utf-8").splitlines() if not line.startswith("#")]
    text = "\n".join(steps)
    assert text.startswith("\nFROM python:3.") or text.startswith("FROM python:3.")
    installs = re.findall(r"pip install [^\n\\]*", text)
    assert installs and all("--no-index --find-links /wheels" in i or "/wheels/fieldpack-" in i for i in installs)
    assert all("--no-index" in i for i in installs), "no step asks an index"
    order = [text.index(step) for step in ("COPY wheels", "pip install", "USER fieldpack", "ENTRYPOINT")]
    assert order == sorted(order), "the service does not run as root"
    assert "FIELDPACK_API_KEY" in (ROOT / "Dockerfile").read_text("utf-8")
