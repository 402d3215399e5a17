"""What is shipped, under which licences, and that what the tests are pinned to satisfies what the package asks for."""

import importlib.metadata
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from fieldpack import __version__, assets

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
WHEEL = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def asked(extra):
    """The requirements of an extra, extras of fieldpack itself opened."""
    for line in EXTRAS[extra]:
        requirement = Requirement(line)
        if requirement.name == "fieldpack":
            for inner in requirement.extras:
                yield from asked(inner)
        else:
            yield requirement


def test_the_pins_satisfy_what_the_package_and_its_tests_ask_for():
    found = {normal(name): Version(version) for name, version in pins().items()}
    for requirement in (*map(Requirement, PROJECT["project"]["dependencies"]), *asked("test")):
        version = found.get(normal(requirement.name))
        assert version is not None, f"{requirement.name} is not pinned in constraints.txt"
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement} but {version} is pinned"


def test_the_environments_script_opens_every_extra():
    """It installs this folder without dependencies: an extra that it leaves closed would be asked of an index."""
    spec = importlib.util.spec_from_file_location("environments", ROOT / "benchmarks" / "environments.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for extra in EXTRAS:
        found = {normal(Requirement(line).name) for line in script.requirements(PROJECT["project"], extra, [])}
        wanted = {normal(r.name) for r in (*map(Requirement, PROJECT["project"]["dependencies"]), *asked(extra))}
        assert found == wanted, extra


def test_pins_are_names_and_versions_only():
    """No index, no host, no path, no hash of files that only one index has."""
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        assert re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line), line
        assert "://" not in line
    assert len(pins()) > 50


def test_the_metadata_is_that_of_the_source():
    version_file = ROOT / PROJECT["tool"]["hatch"]["version"]["path"]
    assert PROJECT["project"]["dynamic"] == ["version"] and version_file == ROOT / "src/fieldpack/version.py"
    written = re.search(r'^__version__ = "(.+)"$', version_file.read_text("utf-8"), re.MULTILINE)[1]
    assert written == __version__ == importlib.metadata.version("fieldpack")
    assert PROJECT["project"]["license"].startswith("Apache-2.0")
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")[:400]
    declared = {c.split(" :: ")[-1] for c in PROJECT["project"]["classifiers"] if "Python :: 3." in c}
    assert PROJECT["project"]["requires-python"] == ">=3.11" and "3.11" in declared
    trust = (ROOT / "docs" / "trust.md").read_text("utf-8")
    ran = set(re.findall(r"^\| (3\.\d+)\.\d+ \| [0-9a-f]{7,} \| (?!not finished)", trust, re.MULTILINE))
    assert ran == declared, "docs/trust.md says on which versions the whole suite ran: declare those"


def test_every_shipped_folder_is_in_the_wheel_and_every_file_in_the_manifest():
    shipped = {name.partition("/")[0] for name in assets.manifest()["files"]}
    targets = WHEEL["force-include"]
    for folder in shipped:
        assert targets.get(f"models/{folder}") == f"fieldpack/_models/{folder}"
    assert "models/manifest.json" in targets
    on_disk = {
        p.relative_to(assets.root()).as_posix() for f in shipped for p in (assets.root() / f).rglob("*") if p.is_file()
    }
    assert on_disk == set(assets.manifest()["files"]), "a file ships without a checksum"


def test_the_wheel_has_the_texts_of_the_demo_and_no_pictures():
    wheel = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(ROOT))
    files = {f.distribution_path.replace("\\", "/") for f in wheel.recurse_included_files()}
    assert {"fieldpack/pipeline.py", "fieldpack/_demo/docs/guide.md", "fieldpack/report/numbers.js"} <= files
    pages = {f.rpartition("/")[2] for f in files if f.startswith("fieldpack/_demo/docs/")}
    assert pages == {p.name for p in (ROOT / "docs").iterdir() if p.is_file()}


def test_what_others_made_ships_with_its_licence():
    allowed = {"Apache-2.0": "Apache License", "MIT": "Permission is hereby granted, free of charge"}
    for name, info in assets.manifest()["models"].items():
        text = (assets.root() / name / "LICENSE").read_text("utf-8")
        assert allowed[info["license"]] in text, f"{name} says {info['license']} and carries another text"
    # What has no licence file of its own was made here, and is under the project's.
    bare = {n.partition("/")[0] for n in assets.manifest()["files"]} - set(assets.manifest()["models"])
    assert bare == {"scorer"}


def test_nothing_that_runs_code_when_it_is_loaded_is_shipped():
    allowed = {"", ".json", ".safetensors", ".txt", ".gz", ".onnx"}
    assert {Path(name).suffix for name in assets.manifest()["files"]} <= allowed


@pytest.mark.parametrize("place", ["src/fieldpack", "models"])
def test_no_file_is_left_over(place):
    endings = {".pyc", ".pkl", ".pickle", ".pt", ".bin", ".orig", ".rej", ".swp", ".log", ".sqlite"}
    wrong = [p for p in (ROOT / place).rglob("*") if p.suffix in endings and "__pycache__" not in p.parts]
    assert not wrong
