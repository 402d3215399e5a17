"""The verbs that do not pack a query: field, demo, plan, compress, models, calibrate, bench, and those of shells."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from fieldpack.cli import show
from fieldpack.cli.inputs import documents_of, packer_of, read_text, write_text
from fieldpack.cli.options import (
    BenchOptions,
    CalibrateOptions,
    CompressOptions,
    FieldOptions,
    FileOptions,
    Json,
    PlanOptions,
)
from fieldpack.cli.takes import takes
from fieldpack.errors import AssetError, InputError

shell_app = typer.Typer(help="Check protocol shells and fractal.json.", no_args_is_help=True)


@takes(FieldOptions)
def field(options: FieldOptions) -> None:
    """What is in here: topics with their words, passages and places; what is new and what faded since."""
    from fieldpack.field.state import FieldState

    with show.Progress() as progress:
        documents = documents_of(options.paths, options)
        packer = packer_of(options.model, options.encoding, None, progress, unit="paragraph")
        since = None if options.since is None else FieldState.load(options.since)
        explored = packer.explore(documents, options.limit, since=since)
    if options.save is not None:
        explored.state.save(options.save)
    if options.report is not None:
        from fieldpack.report import field_page, field_view

        write_text(options.report, field_page(field_view(explored.corpus, explored.reading)))
    if options.as_json:
        typer.echo(json.dumps(explored.to_dict(), ensure_ascii=False, allow_nan=False))
    else:
        show.field(explored)


def demo(
    query: Annotated[str, typer.Option("--query", "-q")] = "What happens when nothing is relevant enough?",
    budget: Annotated[int, typer.Option("--budget", "-b")] = 250,
) -> None:
    """Pack fieldpack's own documents, and show why."""
    from fieldpack.assets import own_documents

    paths = own_documents()
    documents = documents_of([str(p) for p in paths], FileOptions(), [p.name for p in paths])
    show.demo(packer_of("static", "o200k_base", None, None).pack(query, documents, budget))


@takes(PlanOptions)
def plan(options: PlanOptions) -> None:
    """Divide a context window among the sections of a prompt."""
    from fieldpack.budget import TokenBudgetPlanner, parse_used

    number = options.window.replace("_", "").replace(",", "")
    planner = TokenBudgetPlanner(
        int(number) if number.lstrip("-").isdigit() else options.window,
        options.preset,
        output_reserve=options.reserve,
        alert_threshold=options.alert,
    )
    for section, tokens in parse_used(options.used or []).items():
        planner.track_usage(section, tokens)
    budget_plan = planner.plan()
    if options.as_json:
        typer.echo(json.dumps(budget_plan.to_dict(), ensure_ascii=False))
    else:
        show.plan(budget_plan)


@takes(CompressOptions)
def compress(options: CompressOptions) -> None:
    """Make one text shorter, without a language model.

    It is never over the budget.
    """
    from fieldpack.summary import optimizer

    if options.budget < 1:
        raise InputError(f"budget is {options.budget}; give a whole number of tokens, 1 or more")
    documents = documents_of([options.path], options)
    text = "\n\n".join(d.text for d in documents)
    packer = packer_of("static", options.encoding, None, None)
    compression = optimizer(packer).run(text, options.budget, options.strategy)
    if options.as_json:
        typer.echo(json.dumps(compression.to_dict(), ensure_ascii=False))
    else:
        show.compression(compression)


def models(
    action: Annotated[str, typer.Argument(help="list | verify")] = "list",
    as_json: Json = False,
) -> None:
    """List the shipped models, or verify their files."""
    if action not in ("list", "verify"):
        raise InputError(f"unknown action {action!r}; allowed: list, verify")
    shipped = _shipped_models(action == "verify")
    if as_json:
        typer.echo(json.dumps(shipped, ensure_ascii=False))
    else:
        show.models(shipped, action == "verify")


def _shipped_models(verify: bool) -> list[dict[str, Any]]:
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


@takes(CalibrateOptions)
def calibrate(options: CalibrateOptions) -> None:
    """Fit --min-relevance from labelled queries.

    It is the relevance from which at least 1 - alpha of the evidence passes (split conformal).
    """
    from fieldpack.cli.labels import examples_of
    from fieldpack.relevance import calibrate as calibration

    calibration.check_alpha(options.alpha)
    with show.Progress() as progress:
        packer = packer_of(options.model, "o200k_base", None, None, unit=options.unit)
        examples, source = examples_of(options), str(options.examples)
        boundary = calibration.calibrate(examples, packer, options.alpha, progress=progress, source=source)
    facts = {**boundary.to_dict(), "model": options.model, "unit": options.unit}
    if options.out is not None:
        write_text(options.out, json.dumps(facts, indent=1) + "\n")
    if options.as_json:
        typer.echo(json.dumps(facts))
    else:
        show.calibration(boundary)


@shell_app.command("check")
def shell_check(files: Annotated[list[str], typer.Argument(metavar="FILE...")]) -> None:
    """Check shells and fractal.json files; exit 2 when one is wrong."""
    from fieldpack.shell.check import check

    lines: list[str] = []
    wrong = 0
    for name in files:
        diagnostics = check(read_text(name))
        wrong += any(d.severity == "error" for d in diagnostics)
        lines += [f"{name}:{d}" for d in diagnostics] or [f"{name}: ok"]
    for line in lines:
        typer.echo(line)
    if wrong:
        raise InputError(f"{wrong} of {len(files)} files are wrong")


@shell_app.command("run")
def shell_run(file: Annotated[str, typer.Argument(metavar="FILE")], as_json: Json = False) -> None:
    """Show what a shell or fractal.json compiles to."""
    from fieldpack.shell.check import run

    typer.echo(json.dumps(run(read_text(file)), ensure_ascii=False, indent=None if as_json else 2))


@takes(BenchOptions)
def bench(options: BenchOptions) -> None:
    """Measure fieldpack beside the real peer libraries."""
    from fieldpack.bench.distributed import run
    from fieldpack.bench.options import Options, numbers_of, words_of
    from fieldpack.bench.tables import quality_page
    from fieldpack.parallel import ComputeOptions

    if options.data is None:
        raise InputError("no data: say --data FOLDER or set FIELDPACK_DATA; benchmarks/README.md has the schema")
    with show.Progress(as_lines=options.ray is not None) as progress:
        measured = Options(
            data=options.data,
            sets=words_of(options.sets),
            systems=words_of(options.systems),
            budgets=numbers_of(options.budgets),
            limit=options.limit,
            embedder=options.model,
            quick=options.quick,
            out=options.out,
            held_out=options.held_out,
        )
        table = quality_page(run(measured, ComputeOptions(options.ray, options.workers), progress))
    typer.echo(table)
