"""Many packs from the command line, and packs over a saved index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fieldpack.cli.work import Query, pins_of
from fieldpack.errors import InputError
from fieldpack.pipeline import ContextPacker
from fieldpack.protocols import Progress
from fieldpack.result import Result

if TYPE_CHECKING:
    from fieldpack.parallel import Summary


def check_tasks(
    tasks: Path | None,
    output: Path | None,
    index: Path | None,
    ray: str | None,
    workers: int | None,
    single: Mapping[str, Any],
) -> None:
    """Raises InputError for options that do not go together. single: what only one pack has."""
    if tasks is None:
        for name, value in (("--output", output), ("--ray", ray), ("--workers", workers)):
            if value is not None:
                raise InputError(f"{name} goes with --tasks FILE, which packs many")
        if not single["--query"] and single["--shell"] is None:
            raise InputError("no query: say --query TEXT, or --tasks FILE to pack many")
        if index is not None and single["PATH..."]:
            raise InputError("PATH... and --index FOLDER are both given; the index has its documents: say one of them")
        return
    if output is None:
        raise InputError("--tasks needs --output FOLDER, where the rows go")
    if given := [name for name, value in single.items() if value]:
        raise InputError(f"{given[0]} does not go with --tasks: a task brings its own, or reads --index FOLDER")


def pack_tasks(
    packer: ContextPacker,
    tasks: Path,
    output: Path,
    budget: int | None,
    index: Path | None,
    ray: str | None,
    workers: int | None,
    batch: int,
    explain: bool,
    progress: Progress | None,
) -> Summary:
    """All tasks packed into the folder."""
    from fieldpack.parallel import pack_many

    packer.embedder.progress = None  # progress is counted in tasks
    return pack_many(
        packer,
        tasks,
        output,
        budget=budget,
        index=index,
        ray=ray,
        workers=workers,
        batch=batch,
        explain=explain,
        progress=progress,
    )


def pack_index(
    packer: ContextPacker, folder: Path | None, queries: Sequence[Query], budget: int, pins: Sequence[str]
) -> Result:
    """One pack over a saved index. In unit auto the unit is that of the index."""
    from fieldpack.index import Index

    assert folder is not None
    found = Index.load(folder, packer)
    return found.pack(queries, budget, pins=pins_of(pins, found.documents))
