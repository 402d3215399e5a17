"""What the verbs do between reading their arguments and showing the answer."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldpack.errors import AssetError, InputError, SettingsError
from fieldpack.field.boundary import conformal
from fieldpack.field.state import FieldSettings, Reading, read
from fieldpack.inputs import Pin, checked_documents
from fieldpack.pipeline import ContextPacker
from fieldpack.prepared import Prepared
from fieldpack.protocols import Progress
from fieldpack.text.read import read as read_files
from fieldpack.text.records import stream_records
from fieldpack.types import Document

if TYPE_CHECKING:
    from fieldpack.budget import BudgetPlan
    from fieldpack.compress import Compression

Query = str | tuple[str, float]


def documents_of(
    paths: Sequence[str], errors: str, on_skip: Callable[[str, str], None], names: Sequence[str] | None = None
) -> tuple[Document, ...]:
    """The documents of files and folders; `names` replaces their ids."""
    found = read_files(paths, stdin=sys.stdin, encoding_errors=errors, on_skip=on_skip)
    if names is not None:
        found = tuple(replace(d, id=name) for d, name in zip(found, names, strict=True))
    if not found:
        raise InputError(f"no readable documents in {', '.join(paths)}; give text files, or folders that hold some")
    return found


def streamed(errors: str) -> Iterator[Document]:
    """The documents of JSON Lines on standard input, one by one."""
    lines = io.TextIOWrapper(sys.stdin.buffer, "utf-8", errors, newline="\n")
    try:
        yield from stream_records(lines, "-")
    except UnicodeDecodeError as error:
        raise InputError(
            f"standard input is not UTF-8 ({error.reason}); convert it, or say --encoding-errors replace"
        ) from error
    finally:
        lines.detach()


def packer_of(
    model: str, encoding: str, cache: Path | None, progress: Progress | None, **settings: Any
) -> ContextPacker:
    """A packer from the command line's words."""
    from fieldpack.embed.service import EmbeddingService

    service = EmbeddingService(model, cache=cache, progress=progress)
    return ContextPacker(embedder=service, tokenizer=encoding, **settings)


def pins_of(given: Sequence[str], documents: Sequence[Document]) -> list[Pin]:
    """ID or ID:START:END; an id may itself hold colons."""
    ids = {d.id for d in documents}
    pins: list[Pin] = []
    for text in given:
        name, _, rest = text.rpartition(":")
        first, _, start = name.rpartition(":")
        if text not in ids and first in ids and start.isdigit() and rest.isdigit():
            pins.append((first, int(start), int(rest)))
        else:
            pins.append(text)
    return pins


def with_shell(
    path: Path, packer: ContextPacker, budget: int | None, queries: Sequence[str]
) -> tuple[ContextPacker, int | None, list[Query]]:
    """A packer set by a shell or fractal.json. What the command line says goes before what the file says."""
    from fieldpack.shell import configure, load

    configured = configure(packer, load(_text(str(path))))
    if packer.min_relevance > 0:
        configured = replace(configured, packer=replace(configured.packer, min_relevance=packer.min_relevance))
    return configured.packer, budget if budget is not None else configured.budget, [*queries, *configured.queries]


def with_boundary(path: Path, packer: ContextPacker) -> ContextPacker:
    """A packer with the boundary that `calibrated` found."""
    try:
        value = json.loads(_text(str(path)))["min_relevance"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no boundary file; make one with fieldpack calibrate --out") from error
    return replace(packer, min_relevance=value)


@dataclass(frozen=True, eq=False)
class FieldView:
    """What `fieldpack field` shows: for each attractor the segments that lie nearest to it."""

    prepared: Prepared
    reading: Reading

    def nearest(self, attractor: int, count: int = 3) -> list[int]:
        a = self.reading.attractors
        members = np.flatnonzero(a.basin == attractor)
        rows = self.prepared.corpus.groups if self.prepared.dense is None else self.prepared.dense
        near = a.affinity(rows)[members, attractor]
        return [int(i) for i in members[np.argsort(-near, kind="stable")[:count]]]

    def to_dict(self) -> dict[str, Any]:
        rows, found = self.prepared.rows, self.reading.to_dict()
        for k, entry in enumerate(found["attractors"]):
            entry["nearest"] = [
                {"doc_id": self.prepared.documents[rows[i].doc].id, "start": rows[i].start, "end": rows[i].end}
                for i in self.nearest(k)
            ]
        return {"documents": len(self.prepared.documents), "segments": len(rows), **found}


def read_field(packer: ContextPacker, documents: Sequence[Document], limit: int) -> FieldView:
    """The field of documents, without a query."""
    prepared = packer.prepare(checked_documents(documents))
    rows = prepared.corpus.groups if prepared.dense is None else prepared.dense
    mass = np.maximum(prepared.rows.tokens, 1).astype(np.float32)
    return FieldView(prepared, read(rows, mass=mass, settings=FieldSettings(limit=limit)))


def plan_of(window: str, preset: str, used: Sequence[str], reserve: int, alert: float) -> BudgetPlan:
    """A budget plan; the window is a number or a model's name."""
    from fieldpack.budget import TokenBudgetPlanner, parse_used

    number = window.replace("_", "").replace(",", "")
    planner = TokenBudgetPlanner(
        int(number) if number.lstrip("-").isdigit() else window, preset, output_reserve=reserve, alert_threshold=alert
    )
    for section, tokens in parse_used(used).items():
        planner.track_usage(section, tokens)
    return planner.plan()


def compressed(path: str, budget: int, strategy: str | None, encoding: str, errors: str) -> Compression:
    """One text made to fit."""
    from fieldpack.compress import DynamicTokenOptimizer
    from fieldpack.text.tokens import tokenizer

    if budget < 1:
        raise InputError(f"budget is {budget}; give a whole number of tokens, 1 or more")
    text = "\n\n".join(d.text for d in documents_of([path], errors, lambda path, why: None))
    return DynamicTokenOptimizer(tokenizer(encoding)).run(text, budget, strategy)


def shipped_models(verify: bool) -> list[dict[str, Any]]:
    """One entry for each folder of models: facts, size, and with `verify` whether the checksums hold."""
    from fieldpack import assets

    manifest = assets.manifest()
    out = []
    for name, info in sorted(manifest["models"].items()):
        files = [f for f in manifest["files"] if f.rpartition("/")[0] == name]
        entry = {"name": name, "bytes": sum((assets.root() / f).stat().st_size for f in files), **info}
        if verify:
            try:
                entry["verified"] = all(assets.verified(f) for f in files)
            except AssetError as error:
                entry["verified"], entry["problem"] = False, str(error)
        out.append(entry)
    return out


def calibrated(examples: Path, alpha: float, model: str, unit: str, progress: Progress | None) -> dict[str, Any]:
    """The conformal boundary of labelled queries, fitted on a random half of them and checked on the rest."""
    from fieldpack.bench.corpora import load

    if not 0 < alpha < 1:
        raise SettingsError(f"alpha is {alpha}; allowed: above 0 and below 1")
    packer = packer_of(model, "o200k_base", None, None, unit=unit)
    scores: list[list[float]] = []
    cases = [c for c in load(examples) if c.gold]
    for k, case in enumerate(cases):
        spans = case.evidence()
        result = packer.pack(case.query, case.passages, 1 << 40)
        rows, total = result.segments, result.relevance.total
        hit = np.zeros(len(rows), np.bool_)
        number = {d.id: i for i, d in enumerate(result.prepared.documents)}
        for s in spans:
            hit |= (rows.doc == number[s.doc_id]) & (rows.start < s.end) & (rows.end > s.start)
        scores.append(total[hit].astype(float).tolist())
        if progress is not None:
            progress("calibrate", k + 1, len(cases))
    shuffled = np.random.default_rng(0).permutation(len(scores))
    fit = np.array([s for k in shuffled[::2] for s in scores[k]])
    held = np.array([s for k in shuffled[1::2] for s in scores[k]])
    everything = np.concatenate([fit, held]) if len(held) else fit
    if not len(everything):
        raise InputError(f"{examples} has no labelled evidence; each query needs gold passages")
    half, whole = conformal(fit, alpha) if len(fit) else -np.inf, conformal(everything, alpha)
    return {
        "min_relevance": round(max(float(whole), 0.0), 6),
        "alpha": alpha,
        "queries": len(cases),
        "evidence": len(everything),
        "coverage_held_out": round(float((held >= half).mean()), 4) if len(held) else None,
        "model": model,
        "unit": unit,
    }


def check_shells(files: Sequence[str]) -> tuple[list[str], int]:
    """One line for each finding, and how many files have errors."""
    from fieldpack.shell.check import check

    lines, wrong = [], 0
    for name in files:
        found = check(_text(name))
        wrong += any(d.severity == "error" for d in found)
        lines += [f"{name}:{d}" for d in found] or [f"{name}: ok"]
    return lines, wrong


def run_shell(file: str, as_json: bool) -> str:
    """What a shell compiles to, for people or as JSON."""
    from fieldpack.shell.check import run

    return json.dumps(run(_text(file)), ensure_ascii=False, indent=None if as_json else 2)


def measured(
    data: Path | None,
    sets: str,
    systems: str,
    budgets: str,
    limit: int | None,
    quick: bool,
    out: Path,
    model: str,
    held_out: Path | None,
    progress: Progress | None,
    ray: str | None = None,
    workers: int | None = None,
) -> str:
    """Runs the benchmark and gives its tables."""
    from fieldpack.bench.quality import Options
    from fieldpack.bench.spread import run
    from fieldpack.bench.tables import quality_page
    from fieldpack.parallel import Where

    if data is None:
        raise InputError("no data: say --data FOLDER or set FIELDPACK_DATA; benchmarks/README.md has the schema")
    options = Options(
        data=data,
        sets=_names(sets),
        systems=_names(systems),
        budgets=tuple(_number(b) for b in _names(budgets)),
        limit=limit,
        embedder=model,
        quick=quick,
        out=out,
        held_out=held_out,
    )
    return quality_page(run(options, Where(ray, workers), progress))


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"budget {text!r} is no number; give shares (0.25) or tokens (1000)") from error


def _text(name: str) -> str:
    if name == "-":
        return sys.stdin.read()
    try:
        return Path(name).read_text("utf-8")
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 at byte {error.start}; save it as UTF-8") from error
