"""Run by tests/test_light.py in a process of its own: only what requirements-light.txt brings can be imported.

python light_cases.py REQUIREMENTS CASE
"""

import importlib.machinery
import io
import json
import sys
from contextlib import redirect_stdout
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

HEAVY = ("torch", "transformers", "sentence_transformers", "sklearn", "faiss", "scipy")


def closure(file):
    """The names of the distributions that pip would install for a file of requirements, without their extras."""
    lines = [line for line in Path(file).read_text("utf-8").splitlines() if line and not line.startswith("#")]
    todo, names = [Requirement(line) for line in lines], set()
    while todo:
        requirement = todo.pop()
        name = requirement.name.lower().replace("_", "-")
        if name in names or not (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            continue
        names.add(name)
        try:
            todo += [Requirement(r) for r in metadata.requires(name) or []]
        except metadata.PackageNotFoundError:
            continue  # a dependency of another system or version
    return names


def others(file):
    """The top-level modules of every installed distribution that the requirements do not bring."""
    light = closure(file)
    modules = {}
    for module, distributions in metadata.packages_distributions().items():
        modules[module] = {d.lower().replace("_", "-") for d in distributions}
    return {m for m, owners in modules.items() if not owners & {*light, "fieldpack"}} | {*HEAVY}


def without(modules):
    """Puts a finder of files in place that does not see these modules: they are as if they were not installed."""

    class Finder(importlib.machinery.PathFinder):
        @classmethod
        def find_spec(cls, name, path=None, target=None):
            return None if name.partition(".")[0] in modules else super().find_spec(name, path, target)

    plain = importlib.machinery.PathFinder
    sys.meta_path = [Finder if f is plain else f for f in sys.meta_path if "editable" not in str(f).lower()]


TEXTS = ["Tides are caused by the Moon and the Sun.", "Sourdough bread needs a starter. It is fed every day."]


def library():
    import fieldpack as fp

    for model in ("static", "minilm", "cascade"):
        packer = fp.ContextPacker(model)
        assert packer.pack("what causes tides", TEXTS, 12).text == TEXTS[0], model
    index = fp.ContextPacker().index(TEXTS)
    assert index.pack("what does bread need", 30).kept
    assert fp.Session(fp.ContextPacker()).turn("what causes tides", TEXTS, 40).text
    assert fp.ContextPacker(unit="paragraph").explore(TEXTS).to_dict()["segments"] == 2
    assert "<html" in fp.ContextPacker().pack("tides", TEXTS, 12).to_html()
    try:
        fp.EmbeddingService("some-owner/some-model").embed(["a"])
    except fp.MissingExtraError as error:
        assert "pip install" in str(error)
    else:
        raise AssertionError("a transformer of the hub was loaded without its packages")


def command_line():
    from fieldpack.cli.app import run

    folder = Path(sys.argv[3])
    for number, text in enumerate(TEXTS):
        (folder / f"{number}.txt").write_text(text, "utf-8")
    calls = (
        ["pack", "-q", "what causes tides", "-b", "12", "-m", "minilm", "--json", f"{folder}/0.txt", f"{folder}/1.txt"],
        ["field", "--json", f"{folder}/0.txt", f"{folder}/1.txt"],
        ["index", f"{folder}/0.txt", f"{folder}/1.txt", "-o", f"{folder}/index", "--json"],
        ["models", "verify", "--json"],
    )
    for call in calls:
        out = io.StringIO()
        with redirect_stdout(out):
            assert run(call) == 0, call
        assert json.loads(out.getvalue()), call


def service():
    from serving import ASK, app
    from starlette.testclient import TestClient

    with TestClient(app()) as client:
        answer = client.post("/v1/pack", json=ASK)
        assert answer.status_code == 200 and "Moon" in answer.json()["text"]
        vectors = client.post("/v1/embeddings", json={"model": "minilm", "input": TEXTS})
        assert len(vectors.json()["data"]) == 2
        assert client.get("/").status_code == 200


if __name__ == "__main__":
    without(others(sys.argv[1]))
    {"library": library, "command_line": command_line, "service": service}[sys.argv[2]]()
    loaded = [name for name in HEAVY if name in sys.modules]
    assert not loaded, loaded
