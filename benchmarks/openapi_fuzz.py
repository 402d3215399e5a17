"""The service against its own OpenAPI document, by schemathesis with all its checks:

    python benchmarks/openapi_fuzz.py [--seconds 120]

Starts `fieldpack serve` on a free port of this machine. Exit 1 when a request that the document allows is refused, one
that it forbids is accepted, an answer is none of those it lists, or the service fails. Needs schemathesis.

The file is also schemathesis' module of hooks. JSON Schema cannot say that ids are unique, that some document has text,
that a pin or a score names a document, that scores are as many as documents, or that shares add to one. Requests that
are to be accepted are mended in these points alone before they are sent.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONFIG = """
hooks = {hooks!r}
[phases.stateful]
enabled = true
"""


@contextlib.contextmanager
def served() -> Iterator[str]:
    """The address of a service in a process of its own."""
    environment = {k: v for k, v in os.environ.items() if k != "FIELDPACK_API_KEY"}
    command = [sys.executable, "-m", "fieldpack", "serve", "--port", "0", "--max-sessions", "100000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        if "http://" not in line:
            raise SystemExit(line.strip() or "the service did not start")
        yield next(word for word in line.split() if word.startswith("http://"))
    finally:
        process.terminate()
        sys.stderr.write(process.stderr.read())
        process.wait(60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=120, help="of fuzzing")
    parser.add_argument("--seed", type=int, help="of a run to repeat")
    options = parser.parse_args()
    with served() as url, tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "schemathesis.toml")
        config.write_text(CONFIG.format(hooks=str(Path(__file__).resolve())), "utf-8")
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", f"{url}openapi.json"]
        command += ["--checks", "all", "--max-time", str(options.seconds), "--no-color", "--max-failures", "10"]
        command += ["--generation-database", "none", "--suppress-health-check", "all"]
        if options.seed is not None:
            command += ["--seed", str(options.seed)]
        done = subprocess.run(command, cwd=folder)
    sys.exit(done.returncode)


# ---- hooks


def mended(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """A body that the document allows, with what JSON Schema cannot say put right."""
    body = dict(body)
    if body.get("documents") is not None:
        body["documents"] = [*body["documents"], "Tides are caused by the Moon."]  # one that is not blank
        if path.endswith("/rerank"):
            return body  # its documents have no names
        names = [_name(document, i) for i, document in enumerate(body["documents"])]
        texts = [d if isinstance(d, str) else d["text"] for d in body["documents"]]
        body["documents"] = [
            d if isinstance(d, str) else d | {"id": n} for d, n in zip(body["documents"], names, strict=True)
        ]
        body = _with_scores(_with_pins(body, [n for n, text in zip(names, texts, strict=True) if text.strip()]), names)
    else:
        body.pop("scores", None)
        body |= {"pins": []} if "pins" in body else {}
    if path.endswith("/embeddings"):
        body.pop("dimensions", None)  # those of the model alone
    return _plan(body) if path.endswith("/plan") else body


def _name(document: Any, number: int) -> str:
    own = None if isinstance(document, str) else document.get("id")
    return f"{own[:1900]} {number}" if own else f"doc-{number}"


def _with_pins(body: dict[str, Any], names: list[str]) -> dict[str, Any]:
    if body.get("pins"):
        body["pins"] = [
            names[i % len(names)] if isinstance(pin, str) else {"id": names[i % len(names)], "start": 0, "end": 1}
            for i, pin in enumerate(body["pins"])
        ]
        body["budget"] = 100_000_000
    return body


def _with_scores(body: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """One score for each document, or scores of whole documents that there are."""
    scores = body.get("scores")
    if scores and isinstance(scores[0], dict):
        body["scores"] = [{"id": n, "score": s["score"]} for n, s in zip(names, scores, strict=False)]
    elif scores is not None:
        body["scores"] = [scores[i % len(scores)] if scores else None for i in range(len(names))]
    return body


def _plan(body: dict[str, Any]) -> dict[str, Any]:
    if isinstance(body.get("window"), str):
        body["window"] = "gpt-4o-2024-08-06"
        body.pop("output_reserve", None)
    if isinstance(body.get("output_reserve"), int | float):
        body["output_reserve"] = min(body["output_reserve"], body["window"])
    sections = ["system"]
    if body.get("allocations") is not None:
        body.pop("preset", None)
        sections = [f"{name[:1000]} section" for name in body["allocations"]]
        body["allocations"] = dict.fromkeys(sections, 0.5 / max(len(sections), 1))
    else:
        body["preset"] = "pyramid"
    if body.get("used"):
        body["used"] = dict(zip(sections, body["used"].values(), strict=False))
    return body


with contextlib.suppress(ImportError):
    import schemathesis

    @schemathesis.hook
    def before_call(context: Any, case: Any, kwargs: Any) -> None:
        """Called by schemathesis before each request."""
        positive = case.meta is not None and case.meta.generation.mode.name == "POSITIVE"
        if positive and isinstance(case.body, dict):
            case.body = mended(case.operation.path, case.body)


if __name__ == "__main__":
    main()
