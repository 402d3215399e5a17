"""Many packs: a file of tasks in, shards of rows out. Read this file first.

tasks ──► shards of `batch` ──► workers, each with a packer ──► packs-000000.jsonl, packs-000001.jsonl, ...
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldpack import storage as store
from fieldpack.checks import whole
from fieldpack.errors import BudgetError, EmbeddingError, InputError
from fieldpack.index import KIND, VERSION
from fieldpack.parallel.jobs import ComputeOptions
from fieldpack.parallel.run import run_jobs
from fieldpack.parallel.shards import MANIFEST, MOST_BATCH, Output
from fieldpack.parallel.spec import PackerSpec, gpu_use, made_with
from fieldpack.parallel.tasks import Lines, Source, Task, read
from fieldpack.pipeline import ContextPacker, Index
from fieldpack.protocols import Progress
from fieldpack.request import RequestOptions, checked_budget
from fieldpack.result import Result

BATCH = 64
"""Tasks in a shard: what a stopped run loses at most for each worker."""
_OWN = ("InputError", "BudgetError")
"""Errors of the task itself: they come again however often it is done."""


@dataclass(frozen=True)
class Summary:
    """Of a finished run. errors: tasks whose row says what was wrong with them, first_error one of these; done_before:
    shards that an earlier run had written."""

    output: Path
    tasks: int
    errors: int
    shards: int
    done_before: int
    first_error: str = ""


def pack_many(
    packer: ContextPacker,
    tasks: Source,
    output: str | Path,
    *,
    budget: int | None = None,
    index: str | Path | None = None,
    ray: str | None = None,
    workers: int | None = None,
    gpus: float | None = None,
    cores: float = 1.0,
    batch: int = BATCH,
    explain: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Packs every task into the folder `output`; `rows(output)` reads the rows, in the order of the tasks.
    tasks: a file of JSON Lines (also .gz) or Parquet, or an iterable of dicts: {"query", "documents", "budget", "id",
        "pins", "scores", "enough"}, as in `ContextPacker.pack`; documents: texts or {"text", "id", "title", "metadata",
        "score"}; pins: ids or [id, start, end]; scores also as a list of {"id", "start", "end", "score"}.
    budget: of tasks without one. index: the folder of a saved index, for tasks without documents; with Ray it is at
        this path on every machine. ray, workers, gpus, cores: see `ComputeOptions`. batch: tasks in a shard.
    explain: rows name dropped segments too. progress: called as progress("pack", tasks done, tasks).

    A row: {"task": number, "id", "query", "budget", "tokens", "text", "kept", "dropped_count", "enough", "notes"}, the
    same in every run. A task that cannot be done has {"task", "id", "error": {"kind", "message"}} instead. A run that
    was stopped goes on when it is called again; tasks that failed by an embedder's trouble are done again.

    Raises InputError for tasks, index or output that cannot be used, when the output was begun with other tasks or
    settings, and when no cluster answers; MissingExtraError without ray; EmbeddingError when the embedder always fails.
    """
    compute = ComputeOptions(ray, workers, gpus, cores)
    whole("batch", batch, 1, MOST_BATCH)
    budget = None if budget is None else checked_budget(budget)
    lines = Lines(tasks)
    shared = None if index is None else str(Path(index).resolve())
    setup = PackSetup(budget, batch, bool(explain), shared, "" if shared is None else index_head(shared, packer))
    about = {"tasks": lines.sha, "budget": budget, "index": setup.head, "explain": setup.explain, **made_with(packer)}
    out = Output(Path(output), kind="packs", count=lines.count, size=batch, ending="jsonl", about=about)
    return _run(out, lines, packer, setup=setup, compute=compute, progress=progress)


@dataclass(frozen=True)
class PackSetup:
    """What all tasks of a run share. size: tasks in a shard. index: the folder of an index, head: which it is."""

    budget: int | None
    size: int
    explain: bool
    index: str | None
    head: str


def _run(
    out: Output,
    lines: Lines,
    packer: ContextPacker,
    setup: PackSetup,
    compute: ComputeOptions,
    progress: Progress | None,
) -> Summary:
    carried = packer if compute.ray is None else PackerSpec.of(packer)
    with out.opened():
        missing = out.missing(functools.partial(_is_complete, out))
        done = lines.count - sum(len(out.items(k)) for k in missing)
        if progress is not None and missing:
            progress("pack", done, lines.count)
        jobs = lines.blocks(setup.size, missing)
        for k, content in run_jobs(
            functools.partial(PackWorker, carried, setup), jobs, compute, gpu_use(packer.embedder, packer.reranker)
        ):
            out.write(k, content)
            done += len(out.items(k))
            if progress is not None:
                progress("pack", done, lines.count)
        out.finish()
        return _summary(out, len(out) - len(missing))


def rows(output: str | Path) -> Iterator[dict[str, Any]]:
    """The rows that `pack_many` has written, in the order of the tasks. Raises InputError for a folder that holds no
    finished run."""
    place = Path(output)
    try:
        head = json.loads((place / MANIFEST).read_text("utf-8"))
        count, size = int(head["count"]), int(head["batch"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{place} is no folder of packs: {error}") from error
    out = Output(place, kind="packs", count=count, size=size, ending="jsonl", about={})
    sums = out.checksums()
    for k in range(len(out)):
        try:
            content = out.path(k).read_bytes()
        except OSError as error:
            raise InputError(f"{out.path(k)} is not there yet: finish the run with the call that began it") from error
        if sums.get(out.path(k).name) != store.sha256(content):
            raise InputError(f"{out.path(k)} is not what was written: run the call that made it again, it is made anew")
        yield from (json.loads(line) for line in content.splitlines())


class PackWorker:
    """A packer in a worker. `packer` as it is when the work is done here, else what rebuilds it."""

    def __init__(self, packer: ContextPacker | PackerSpec, setup: PackSetup) -> None:
        self._packer = packer.build() if isinstance(packer, PackerSpec) else packer
        self._setup = setup
        self._index = None
        if setup.index is not None:
            if index_head(setup.index, self._packer) != setup.head:
                raise InputError(
                    f"the index in {setup.index} is another one than the caller's; copy it to every machine"
                )
            self._index = Index.load(setup.index, self._packer, verify=False)

    def __call__(self, number: int, content: bytes) -> bytes:
        """The rows of a shard."""
        lines = content.split(b"\n")
        made = [self._row(number * self._setup.size + i, line) for i, line in enumerate(lines)]
        if all(row.get("error", {}).get("kind") == "EmbeddingError" for row in made):
            self._packer.embedder.embed(["Is it the tasks, or the embedder?"])  # raises when it is the embedder
        text = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in made)
        return text.encode("utf-8", "backslashreplace")  # a lone surrogate in an id, as JSON's own escape

    def _row(self, number: int, line: bytes) -> dict[str, Any]:
        name, task = read(line)
        head = {"task": number, "id": name}
        try:
            if not isinstance(task, Task):
                raise task
            return {**head, **_facts(self._packed(task), self._setup.explain)}
        except Exception as error:  # whatever one task does, the others are done
            kinds = (InputError, BudgetError, EmbeddingError)
            kind = next((k for k in kinds if isinstance(error, k)), type(error)).__name__
            return {**head, "error": {"kind": kind, "message": str(error)[:500]}}

    def _packed(self, task: Task) -> Result:
        budget = task.budget if task.budget is not None else self._setup.budget
        if budget is None:
            raise InputError("the task has no budget, and none was given for all")
        options: RequestOptions = {"pins": task.pins, "scores": task.scores, "enough": task.enough}
        if task.documents is not None:
            return self._packer.pack(task.query, task.documents, budget, **options)
        if self._index is None:
            raise InputError("the task has no documents, and no index was given for all")
        return self._index.pack(task.query, budget, **options)


def index_head(folder: str, packer: ContextPacker) -> str:
    """The name of an index: the hash of its head, in which the checksums of its files stand."""
    store.load(folder, KIND, VERSION, verify=False)
    return store.sha256_of_file(Path(folder) / f"{KIND}.json")[:16]


def _facts(result: Result, explain: bool) -> dict[str, Any]:
    """The row of a pack: `Result.to_dict` without times and, unless `explain` is set, without dropped segments."""

    def entry(item: Any) -> dict[str, Any]:
        return {k: v for k, v in item._asdict().items() if k != "text"}

    row: dict[str, Any] = {
        "query": result.request.shown,
        "budget": result.budget,
        "tokens": result.tokens,
        "text": result.text,
        "kept": [entry(k) for k in result.kept],
        "dropped_count": len(result.inside) - int(result.inside.sum()),
        "enough": result.enough.to_dict(),
        "notes": list(result.notes),
    }
    return {**row, "dropped": [entry(d) for d in result.dropped]} if explain else row


def _errors(content: bytes) -> list[dict[str, Any]]:
    rows_with = (json.loads(line) for line in content.splitlines() if b'"error": {"kind": ' in line)
    return [row["error"] for row in rows_with if "error" in row]


def _is_complete(out: Output, shard: int, content: bytes) -> bool:
    """Whether a shard has all its rows, and no error but those of the tasks themselves."""
    try:
        same = content.endswith(b"\n") and content.count(b"\n") == len(out.items(shard))
        first = json.loads(content[: content.index(b"\n")]) if same else {}
        return (
            bool(first)
            and first.get("task") == out.items(shard)[0]
            and all(e["kind"] in _OWN for e in _errors(content))
        )
    except (ValueError, KeyError, TypeError):
        return False


def _summary(out: Output, before: int) -> Summary:
    errors = [e for k in range(len(out)) for e in _errors(out.path(k).read_bytes())]
    first = errors[0]["message"] if errors else ""
    return Summary(
        output=out.folder,
        tasks=out.count,
        errors=len(errors),
        shards=len(out),
        done_before=before,
        first_error=first,
    )
