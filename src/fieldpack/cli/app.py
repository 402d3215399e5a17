"""The verbs. Each reads its arguments, calls the library, and shows what came back."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fieldpack.cli.services import mcp, serve
from fieldpack.errors import BudgetError, FieldpackError, InputError

app = typer.Typer(
    name="fieldpack",
    help="Query + documents + token budget -> the evidence, verbatim, inside the budget, with a reason for everything.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
shell_app = typer.Typer(
    help="Protocol shells and fractal.json: check them, see what they compile to.", no_args_is_help=True
)
app.add_typer(shell_app, name="shell")

Paths = Annotated[list[str], typer.Argument(metavar="PATH...", help="Files or folders; - reads standard input.")]
Model = Annotated[str, typer.Option("--model", "-m", help="static | minilm | cascade | a folder, hub name or URL.")]
Encoding = Annotated[
    str, typer.Option("--encoding", "-e", help="Tokens of: o200k_base, cl100k_base, a model name, a tokenizer.json.")
]
Errors = Annotated[str, typer.Option("--encoding-errors", help="Bytes that are no UTF-8: strict | replace | ignore.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Report = Annotated[Path | None, typer.Option("--report", help="Also write a self-contained HTML report.")]
Ray = Annotated[str | None, typer.Option("--ray", help="Work on a Ray cluster: HOST:PORT of its head, auto, or local.")]
Workers = Annotated[int | None, typer.Option("--workers", help="Processes on the cluster; as many as it holds.")]


def run(arguments: Sequence[str]) -> int:
    """The exit code of one call; whatever goes wrong is one line on stderr."""
    try:
        outcome = app(args=list(arguments), standalone_mode=False, prog_name="fieldpack")
        return outcome if isinstance(outcome, int) else 0
    except BudgetError as error:
        return _fail(str(error), 3)
    except (FieldpackError, MemoryError) as error:
        return _fail(str(error), 2)
    except (typer.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except BrokenPipeError:
        return 0
    except OSError as error:
        return _fail(f"{error.filename or 'input/output'}: {error.strerror or error}", 2)
    except Exception as error:
        # Usage errors are click's; which click (typer carries one of its own) depends on typer's version.
        if not hasattr(error, "format_message"):
            raise
        message = str(error.format_message()).strip().rstrip(".")
        return _fail(f"{message}; see fieldpack --help" if message else "say what to do; see fieldpack --help", 2)


def _fail(message: str, code: int) -> int:
    from fieldpack.cli.show import harmless

    line = " ".join(harmless(message).split())
    sys.stderr.write(f"fieldpack: {line}\n")
    return code


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if show:
        from fieldpack.version import __version__

        typer.echo(f"fieldpack {__version__}")
        raise typer.Exit


@app.command()
def pack(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH...", help="Files or folders; - reads standard input.")
    ] = None,
    query: Annotated[
        list[str] | None, typer.Option("--query", "-q", help="What the evidence is for; may be repeated.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option("--budget", "-b", help="Tokens at most, counted on the final text.")
    ] = None,
    model: Model = "static",
    encoding: Encoding = "o200k_base",
    unit: Annotated[str, typer.Option(help="auto | paragraph | sentence")] = "auto",
    order: Annotated[str, typer.Option(help="source | edges | relevance")] = "source",
    cite: Annotated[bool, typer.Option("--cite", help="Head each source with its number, title and id.")] = False,
    titles: Annotated[bool, typer.Option("--titles", help="Head each source with its bare title.")] = False,
    min_relevance: Annotated[float, typer.Option(help="Leave out what is less probable, 0 to 1.")] = 0.0,
    pin: Annotated[list[str] | None, typer.Option(help="ID or ID:START:END that must be in; may be repeated.")] = None,
    allow_cut: Annotated[bool, typer.Option("--allow-cut", help="Cut the best segment when none fits.")] = False,
    cache: Annotated[Path | None, typer.Option(help="SQLite file that keeps vectors between runs.")] = None,
    shell: Annotated[Path | None, typer.Option(help="Pack by a protocol shell or fractal.json.")] = None,
    boundary: Annotated[
        Path | None, typer.Option(help="A file of `fieldpack calibrate`: sets --min-relevance.")
    ] = None,
    encoding_errors: Errors = "strict",
    as_json: Json = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show scores as bars, and every reason.")] = False,
    report: Report = None,
    tasks: Annotated[
        Path | None, typer.Option("--tasks", help="Pack many: a .jsonl or .parquet file of tasks (docs/cluster.md).")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for the rows of --tasks.")] = None,
    index: Annotated[
        Path | None, typer.Option("--index", help="A folder of `fieldpack index`, in place of PATH...")
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Read JSON Lines from standard input one by one: any number fits.")
    ] = False,
    ray: Ray = None,
    workers: Workers = None,
    batch: Annotated[int, typer.Option(help="Tasks in a shard of --output: what a stopped run may lose.")] = 64,
) -> None:
    """Pack documents for a query into a token budget; or, with --tasks, for many."""
    from fieldpack.cli import show
    from fieldpack.cli.batch import check_tasks, pack_index, pack_tasks
    from fieldpack.cli.work import documents_of, packer_of, pins_of, streamed, with_boundary, with_shell

    single: dict[str, object] = {"PATH...": paths, "--stream": stream, "--query": query, "--pin": pin}
    single |= {"--shell": shell, "--report": report}
    check_tasks(tasks, output, index, ray, workers, single)
    with show.Progress(plain=tasks is not None) as progress:
        documents = None
        if stream and (index is not None or (paths or ["-"]) != ["-"]):
            raise InputError("--stream reads standard input; leave out PATH... and --index")
        if tasks is None and index is None and not stream:
            documents = documents_of(paths or [], encoding_errors, show.skipped)
        packer = packer_of(
            model,
            encoding,
            cache,
            progress,
            unit=unit,
            order=order,
            cite=cite,
            titles=titles,
            min_relevance=min_relevance,
            allow_cut=allow_cut,
        )
        if boundary is not None:
            packer = with_boundary(boundary, packer)
        if tasks is not None and output is not None:
            done = pack_tasks(packer, tasks, output, budget, index, ray, workers, batch, explain, progress)
            show.batch(done, as_json)
            return
        queries: Sequence[str | tuple[str, float]] = query or []
        if shell is not None:
            packer, budget, queries = with_shell(shell, packer, budget, query or [])
        if budget is None:
            raise InputError("no budget: say --budget TOKENS (or give a --shell that has one)")
        if stream:
            result = packer.pack_stream(queries, streamed(encoding_errors), budget, pins=pin or [])
        elif documents is None:
            result = pack_index(packer, index, queries, budget, pin or [])
        else:
            result = packer.pack(queries, documents, budget, pins=pins_of(pin or [], documents))
    if report is not None:
        _write(report, result.to_html())
    if as_json:
        typer.echo(json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False))
    else:
        show.result(result, explain)


@app.command("index")
def make_index(
    paths: Paths,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the index.")],
    model: Model = "static",
    encoding: Encoding = "o200k_base",
    unit: Annotated[str, typer.Option(help="auto | paragraph | sentence")] = "auto",
    encoding_errors: Errors = "strict",
    as_json: Json = False,
    ray: Ray = None,
    workers: Workers = None,
) -> None:
    """Read documents once, for the queries of `fieldpack pack --index`."""
    from fieldpack.cli import show
    from fieldpack.cli.work import documents_of, packer_of
    from fieldpack.parallel import index_corpus

    with show.Progress(plain=True) as progress:
        documents = documents_of(paths, encoding_errors, show.skipped)
        packer = packer_of(model, encoding, None, progress, unit=unit)
        found = index_corpus(packer, documents, output, ray=ray, workers=workers, progress=progress)
    show.index(found, output, as_json)


@app.command()
def field(
    paths: Paths,
    model: Model = "static",
    encoding: Encoding = "o200k_base",
    limit: Annotated[int, typer.Option(help="Attractors at most.")] = 12,
    encoding_errors: Errors = "strict",
    as_json: Json = False,
    report: Report = None,
) -> None:
    """Read the field alone: attractors, resonance, boundary."""
    from fieldpack.cli import show
    from fieldpack.cli.work import documents_of, packer_of, read_field

    with show.Progress() as progress:
        documents = documents_of(paths, encoding_errors, show.skipped)
        found = read_field(packer_of(model, encoding, None, progress, unit="paragraph"), documents, limit)
    if report is not None:
        from fieldpack.report import field_page

        _write(report, field_page(found.prepared, found.reading))
    if as_json:
        typer.echo(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False))
    else:
        show.field(found)


@app.command()
def demo(
    query: Annotated[str, typer.Option("--query", "-q")] = "What happens when nothing is relevant?",
    budget: Annotated[int, typer.Option("--budget", "-b")] = 250,
) -> None:
    """Pack fieldpack's own documents, and show what was kept, what was dropped, and why."""
    from fieldpack.assets import own_documents
    from fieldpack.cli import show
    from fieldpack.cli.work import documents_of, packer_of

    paths = own_documents()
    documents = documents_of([str(p) for p in paths], "strict", show.skipped, [p.name for p in paths])
    result = packer_of("static", "o200k_base", None, None).pack(query, documents, budget)
    show.demo(result)


@app.command()
def plan(
    window: Annotated[str, typer.Option("--window", "-w", help="Tokens, or a model name.")],
    preset: Annotated[str, typer.Option(help="pyramid | forty_forty_twenty | simple_qa | ...")] = "default",
    used: Annotated[list[str] | None, typer.Option(help="SECTION=TOKENS already used; may be repeated.")] = None,
    reserve: Annotated[int, typer.Option(help="Tokens kept for the answer.")] = 0,
    alert: Annotated[float, typer.Option(help="Share of a section's budget from which it is reported.")] = 0.9,
    as_json: Json = False,
) -> None:
    """Divide a context window among the sections of a prompt."""
    from fieldpack.cli import show
    from fieldpack.cli.work import plan_of

    found = plan_of(window, preset, used or [], reserve, alert)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), ensure_ascii=False))
    else:
        show.plan(found)


@app.command()
def compress(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A text file, or - for standard input.")],
    budget: Annotated[int, typer.Option("--budget", "-b", help="Tokens at most.")],
    strategy: Annotated[
        str | None, typer.Option(help="compress_format | restructure | extract_key_points | summarize; else by ratio.")
    ] = None,
    encoding: Encoding = "o200k_base",
    encoding_errors: Errors = "strict",
    as_json: Json = False,
) -> None:
    """Make one text shorter without a language model, never over the budget."""
    from fieldpack.cli import show
    from fieldpack.cli.work import compressed

    found = compressed(path, budget, strategy, encoding, encoding_errors)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), ensure_ascii=False))
    else:
        show.compression(found)


@app.command()
def models(
    action: Annotated[str, typer.Argument(help="list | verify")] = "list",
    as_json: Json = False,
) -> None:
    """What ships with fieldpack, and whether the files are as they were made."""
    from fieldpack.cli import show
    from fieldpack.cli.work import shipped_models

    if action not in ("list", "verify"):
        raise InputError(f"unknown action {action!r}; allowed: list, verify")
    found = shipped_models(action == "verify")
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        show.models(found, action == "verify")


@app.command()
def calibrate(
    examples: Annotated[Path, typer.Argument(metavar="EXAMPLES", help="Labelled queries, one JSON object a line.")],
    alpha: Annotated[float, typer.Option(help="Share of the evidence that may be lost, 0 to 1.")] = 0.1,
    out: Annotated[Path | None, typer.Option(help="Write the boundary here, for pack --boundary.")] = None,
    model: Model = "static",
    unit: Annotated[str, typer.Option(help="auto | paragraph | sentence")] = "paragraph",
    as_json: Json = False,
) -> None:
    """Find the relevance from which at least 1 - alpha of the evidence passes (split conformal)."""
    from fieldpack.cli import show
    from fieldpack.cli.work import calibrated

    with show.Progress() as progress:
        found = calibrated(examples, alpha, model, unit, progress)
    if out is not None:
        _write(out, json.dumps(found, indent=1) + "\n")
    if as_json:
        typer.echo(json.dumps(found))
    else:
        show.boundary(found)


@shell_app.command("check")
def shell_check(files: Annotated[list[str], typer.Argument(metavar="FILE...")]) -> None:
    """Check shells and fractal.json files; exit 2 when one is wrong."""
    from fieldpack.cli.work import check_shells

    lines, wrong = check_shells(files)
    for line in lines:
        typer.echo(line)
    if wrong:
        raise InputError(f"{wrong} of {len(files)} files are wrong")


@shell_app.command("run")
def shell_run(file: Annotated[str, typer.Argument(metavar="FILE")], as_json: Json = False) -> None:
    """Show what a shell or fractal.json compiles to."""
    from fieldpack.cli.work import run_shell

    typer.echo(run_shell(file, as_json))


@app.command()
def bench(
    data: Annotated[
        Path | None, typer.Option(envvar="FIELDPACK_DATA", help="Folder or file of labelled queries.")
    ] = None,
    sets: Annotated[str, typer.Option(help="Names of sets, comma-separated; all when empty.")] = "",
    systems: Annotated[str, typer.Option(help="Names of systems, comma-separated; all when empty.")] = "",
    budgets: Annotated[str, typer.Option(help="Shares (0.25) or tokens (1000), comma-separated.")] = "",
    limit: Annotated[int | None, typer.Option(help="Queries of each set at most.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few queries, few systems: about two minutes.")] = False,
    out: Annotated[Path, typer.Option(help="Results and resumable shards go here.")] = Path("bench-results"),
    model: Annotated[str, typer.Option("--model", "-m", help="The one embedder of all peers.")] = "minilm",
    held_out: Annotated[
        Path | None, typer.Option(help="Folder of scorer weights trained without each set (models/build_scorer.py).")
    ] = None,
    ray: Ray = None,
    workers: Workers = None,
) -> None:
    """Measure fieldpack beside the real peer libraries on labelled sets."""
    from fieldpack.cli import show
    from fieldpack.cli.work import measured

    with show.Progress(plain=ray is not None) as progress:
        table = measured(data, sets, systems, budgets, limit, quick, out, model, held_out, progress, ray, workers)
    typer.echo(table)


app.command()(serve)
app.command()(mcp)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
