"""The verbs that pack: one query (`pack`), a file of tasks (`batch`), and the index that both can read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fieldpack.cli import show
from fieldpack.cli.compare import comparison_with
from fieldpack.cli.decisions import DROPPED_IN_JSON, DROPPED_SHOWN
from fieldpack.cli.inputs import (
    Query,
    boundary_of,
    documents_of,
    packer_of,
    pins_of,
    read_text,
    streamed_documents,
    with_boundary,
    with_score,
    write_text,
)
from fieldpack.cli.options import BatchOptions, IndexOptions, PackerOptions, PackOptions, Tasks
from fieldpack.cli.takes import takes
from fieldpack.errors import BudgetError, InputError
from fieldpack.packing.enough import ENOUGH
from fieldpack.protocols import Progress

if TYPE_CHECKING:
    from fieldpack.pipeline import ContextPacker
    from fieldpack.result import Result
    from fieldpack.types import Document


@takes(PackOptions)
def pack(options: PackOptions) -> None:
    """Pack documents into a token budget: for a query, or without one what they are about."""
    if options.tasks is not None:
        _batch_by_option(options)
        return
    _check_single(options)
    dropped = _dropped_shown(options)
    with show.Progress() as progress:
        result = _noted(_packed(options, progress), options)
    if options.report is not None:
        other = None if options.compare is None else comparison_with(result, options.compare)
        write_text(options.report, result.to_html(compare=other))
    if options.as_json:
        typer.echo(json.dumps(result.to_dict(dropped=dropped), ensure_ascii=False, allow_nan=False))
    else:
        show.pack(result, options.explain, dropped)


def _dropped_shown(options: PackOptions) -> int | None:
    """How many dropped segments are shown, None for all. Raises InputError for what is no number and not "all"."""
    value = options.dropped
    if value is None:
        return DROPPED_IN_JSON if options.as_json else DROPPED_SHOWN
    if value == "all":
        return None
    if not value.isdecimal():
        raise InputError(f"--dropped is {value!r}; give a whole number, 0 or more, or all")
    return int(value)


@takes(BatchOptions)
def batch(options: BatchOptions) -> None:
    """Pack a file of tasks, here or on a Ray cluster.

    A run that was stopped goes on where it was.
    """
    _run_batch(options)


def _run_batch(options: BatchOptions) -> None:
    from fieldpack.parallel import pack_many

    with show.Progress(as_lines=True) as progress:
        packer = _packer(options, progress)
        packer.embedder.progress = None  # progress is counted in tasks
        summary = pack_many(
            packer,
            options.tasks,
            options.output,
            budget=options.budget,
            index=options.index,
            ray=options.ray,
            workers=options.workers,
            batch=options.batch,
            explain=options.explain,
            progress=progress,
        )
    show.batch(summary, options.as_json)


@takes(IndexOptions)
def index(options: IndexOptions) -> None:
    """Read documents once, for `pack --index`."""
    from fieldpack.parallel import index_corpus

    with show.Progress(as_lines=True) as progress:
        documents = documents_of(options.paths, options)
        packer = packer_of(options.model, options.encoding, None, progress, unit=options.unit)
        made = index_corpus(
            packer, documents, options.output, ray=options.ray, workers=options.workers, progress=progress
        )
    show.index(made, options.output, options.as_json)


@dataclass(frozen=True)
class _Request:
    """What one pack is made with, after a shell has had its say."""

    packer: ContextPacker
    queries: list[Query] | None
    budget: int


def _packed(options: PackOptions, progress: Progress | None) -> Result:
    documents: tuple[Document, ...] = ()
    if options.index is None and not options.stream:
        documents = documents_of(options.paths or [], options)
        documents = tuple(map(with_score, documents)) if options.scores else documents
    request = _request(options, _packer(options, progress))
    queries, budget, pins = request.queries, request.budget, options.pin or []
    if options.stream:
        packer = _with_lines(options, request.packer) if options.sources else request.packer
        streamed = streamed_documents(options.encoding_errors)
        streamed = map(with_score, streamed) if options.scores else streamed
        return packer.pack_stream(queries, streamed, budget, pins=pins)

    def pack_with(packer: ContextPacker) -> Result:
        if options.index is None:
            return packer.pack(queries, documents, budget, pins=pins_of(pins, documents))
        from fieldpack.pipeline import Index

        saved = Index.load(options.index, packer)  # in unit auto the unit is that of the index
        return saved.pack(queries, budget, pins=pins_of(pins, saved.documents))

    return _naming_sources(options, request.packer, pack_with, several=len(documents) != 1)


def _naming_sources(
    options: PackOptions, packer: ContextPacker, pack_with: Callable[[ContextPacker], Result], *, several: bool
) -> Result:
    """A pack that names file and lines, where that is asked for or where there are several documents. Where nobody
    asked and the names leave no room for text, a pack without them."""
    unasked = (several or options.cite) and not options.as_json and not options.titles
    if not (unasked if options.sources is None else options.sources):
        return pack_with(packer)
    named = _with_lines(options, packer)
    if options.sources:
        return pack_with(named)
    try:
        result = pack_with(named)
    except BudgetError:
        return pack_with(packer)
    return result if result.text else pack_with(packer)


def _with_lines(options: PackOptions, packer: ContextPacker) -> ContextPacker:
    """The packer that heads each source with file and lines; with --cite or --titles with its title too."""
    return replace(packer, cite="lines", titles=options.cite or options.titles)


def _noted(result: Result, options: PackOptions) -> Result:
    """The result with a note where its pool is of another size or unit than the boundary was fitted on."""
    if options.boundary is None:
        return result
    note = boundary_of(options.boundary).note(len(result.segments), result.corpus.unit)
    return replace(result, notes=(*result.notes, note)) if note else result


def _packer(options: PackerOptions, progress: Progress | None) -> ContextPacker:
    packer = packer_of(
        options.model,
        options.encoding,
        options.cache,
        progress,
        unit=options.unit,
        order=options.order,
        cite=options.cite,
        titles=options.titles,
        render=options.render,
        min_relevance=options.min_relevance,
        allow_cut=options.allow_cut,
        enough=options.enough,
    )
    return packer if options.boundary is None else with_boundary(options.boundary, packer, options.unit)


def _request(options: PackOptions, packer: ContextPacker) -> _Request:
    """The packer, set by a shell or fractal.json. What the command line says goes before what the file says."""
    queries: list[Query] = [*(options.query or [])]
    budget = options.budget
    if options.shell is not None:
        from fieldpack.shell import configure, load

        configured = configure(packer, load(read_text(str(options.shell))))
        floor, enough = packer.min_relevance, packer.enough
        packer = configured.packer if floor == 0 else replace(configured.packer, min_relevance=floor)
        packer = packer if enough == ENOUGH else replace(packer, enough=enough)
        budget = budget if budget is not None else configured.budget
    if budget is None:
        raise InputError("no budget: say --budget TOKENS (or give a --shell that has one)")
    return _Request(packer, queries or None, budget)


def _check_single(options: PackOptions) -> None:
    """Raises InputError for options of `pack` that do not go together."""
    many = (("--output", options.output), ("--ray", options.ray), ("--workers", options.workers))
    for name, value in many:
        if value is not None:
            raise InputError(f"{name} goes with fieldpack batch TASKS, which packs many")
    if options.index is not None and options.paths:
        raise InputError("PATH... and --index FOLDER are both given; the index has its documents: say one of them")
    if options.index is not None and options.scores:
        raise InputError("--scores goes with PATH...: an index keeps no scores, which are of one query")
    if options.compare is not None and options.report is None:
        raise InputError("--compare goes with --report FILE, which shows both")
    if options.stream and (options.index is not None or (options.paths or ["-"]) != ["-"]):
        raise InputError("--stream reads standard input; leave out PATH... and --index")


def _batch_by_option(options: PackOptions) -> None:
    """`pack --tasks FILE`, which `batch FILE` replaces: it works for one more release, and says so."""
    if options.tasks is None or options.output is None:
        raise InputError("--tasks needs --output FOLDER, where the rows go")
    single: Sequence[tuple[str, object]] = (
        ("PATH...", options.paths),
        ("--stream", options.stream),
        ("--query", options.query),
        ("--pin", options.pin),
        ("--shell", options.shell),
        ("--report", options.report),
    )
    if extra := [name for name, value in single if value]:
        raise InputError(f"{extra[0]} does not go with --tasks: a task brings its own, or reads --index FOLDER")
    sys.stderr.write("fieldpack: pack --tasks FILE is now fieldpack batch FILE; the next release has only that\n")
    shared = {f.name for f in fields(BatchOptions)} - {f.name for f in fields(Tasks)}
    values = {name: getattr(options, name) for name in shared}
    batch_options = BatchOptions(tasks=options.tasks, output=Path(options.output), budget=options.budget, **values)
    _run_batch(batch_options)
