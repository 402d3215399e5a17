"""The options of every verb, one record each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

Paths = Annotated[list[str], typer.Argument(metavar="PATH...", help="Files or folders; - reads standard input.")]
Model = Annotated[str, typer.Option("--model", "-m", help="static | minilm | cascade | a folder, hub name or URL.")]
Encoding = Annotated[
    str, typer.Option("--encoding", "-e", help="Tokens of: o200k_base, cl100k_base, a model name, a tokenizer.json.")
]
Unit = Annotated[str, typer.Option(help="auto | paragraph | sentence")]
Budget = Annotated[int | None, typer.Option("--budget", "-b", help="Tokens at most, counted on the final text.")]
Errors = Annotated[
    str, typer.Option("--encoding-errors", help="Bytes that are no UTF-8: strict (detect) | replace | ignore.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Report = Annotated[Path | None, typer.Option("--report", help="Also write a self-contained HTML report.")]
Ray = Annotated[str | None, typer.Option("--ray", help="Work on a Ray cluster: HOST:PORT of its head, auto, or local.")]
Workers = Annotated[int | None, typer.Option("--workers", help="Processes on the cluster; as many as it holds.")]


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """How files are read, for the verbs that read some."""

    encoding_errors: Errors = "strict"
    charset: Annotated[
        str | None, typer.Option("--charset", help="Encoding of files that have no byte order mark, else detected.")
    ] = None
    everything: Annotated[bool, typer.Option("--all", help="Read hidden and ignored files of folders too.")] = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Name every file that was skipped, and why.")] = False


@dataclass(frozen=True, kw_only=True)
class PackerOptions:
    """The settings of a packer, for the verbs that pack."""

    model: Model = "static"
    encoding: Encoding = "o200k_base"
    unit: Unit = "auto"
    order: Annotated[str, typer.Option(help="source | edges | relevance")] = "source"
    cite: Annotated[
        bool, typer.Option("--cite", help="Head each source with number, title and id; by pack with lines.")
    ] = False
    render: Annotated[
        str, typer.Option(help="text | json: what is kept of a JSON array or object as valid JSON, with counts.")
    ] = "text"
    titles: Annotated[bool, typer.Option("--titles", help="Head each source with its bare title.")] = False
    min_relevance: Annotated[float, typer.Option(help="Leave out what is less probable, 0 to 1.")] = 0.0
    allow_cut: Annotated[bool, typer.Option("--allow-cut", help="Cut the best segment when none fits.")] = False
    cache: Annotated[Path | None, typer.Option(help="SQLite file that keeps vectors between runs.")] = None
    boundary: Annotated[
        Path | None,
        typer.Option(help="A file of `fieldpack calibrate`: sets --min-relevance and the weight of scores."),
    ] = None
    enough: Annotated[
        float, typer.Option(help="End at this share of the relevance that fits, above 0 to 1; 1 fills the budget.")
    ] = 0.98


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is packed: documents, queries and the budget."""

    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH...", help="Files or folders; - reads standard input.")
    ] = None
    query: Annotated[
        list[str] | None,
        typer.Option("--query", "-q", help="What the evidence is for; may be repeated. Without: the gist."),
    ] = None
    budget: Budget = None


@dataclass(frozen=True, kw_only=True)
class PackOptions(FileOptions, PackerOptions, Question):
    """Of `fieldpack pack`. The hidden options were those of many packs, which `fieldpack batch` makes now."""

    pin: Annotated[list[str] | None, typer.Option(help="ID or ID:START:END that must be in; may be repeated.")] = None
    shell: Annotated[Path | None, typer.Option(help="Pack by a protocol shell or fractal.json.")] = None
    scores: Annotated[
        bool, typer.Option("--scores", help="Use the `score` of JSON Lines records: the higher the better, any scale.")
    ] = False
    as_json: Json = False
    explain: Annotated[bool, typer.Option("--explain", help="Show scores as bars, and every reason.")] = False
    dropped: Annotated[
        str | None, typer.Option(metavar="N|all", help="Dropped segments shown by --explain (10) and --json (100).")
    ] = None
    sources: Annotated[
        bool | None,
        typer.Option(
            "--sources/--no-sources", help="Name file and lines of each source; on for several files, off in --json."
        ),
    ] = None
    report: Report = None
    compare: Annotated[
        str | None, typer.Option(metavar="WHAT", help="In the report: top-k (BM25), no-query, or another budget.")
    ] = None
    index: Annotated[
        Path | None, typer.Option("--index", help="A folder of `fieldpack index`, in place of PATH...")
    ] = None
    stream: Annotated[
        bool, typer.Option("--stream", help="Read JSON Lines from standard input one by one: any number fits.")
    ] = False
    tasks: Annotated[Path | None, typer.Option("--tasks", hidden=True)] = None
    output: Annotated[Path | None, typer.Option("--output", "-o", hidden=True)] = None
    ray: Annotated[str | None, typer.Option("--ray", hidden=True)] = None
    workers: Annotated[int | None, typer.Option("--workers", hidden=True)] = None
    batch: Annotated[int, typer.Option(hidden=True)] = 64


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """What is packed many times: a file of tasks, and the budget of those that name none."""

    tasks: Annotated[
        Path, typer.Argument(metavar="TASKS", help="A .jsonl or .parquet file of tasks (docs/cluster.md).")
    ]
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the rows.")]
    budget: Annotated[
        int | None, typer.Option("--budget", "-b", help="Tokens at most, for tasks that name no budget.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class BatchOptions(PackerOptions, Tasks):
    """Of `fieldpack batch`."""

    index: Annotated[
        Path | None, typer.Option("--index", help="A folder of `fieldpack index`, for tasks without documents.")
    ] = None
    as_json: Json = False
    explain: Annotated[bool, typer.Option("--explain", help="Rows name dropped segments too, with reasons.")] = False
    ray: Ray = None
    workers: Workers = None
    batch: Annotated[int, typer.Option(help="Tasks in a shard of --output: what a stopped run may lose.")] = 64


@dataclass(frozen=True, kw_only=True)
class IndexOptions(FileOptions):
    """Of `fieldpack index`."""

    paths: Paths
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the index.")]
    model: Model = "static"
    encoding: Encoding = "o200k_base"
    unit: Unit = "auto"
    as_json: Json = False
    ray: Ray = None
    workers: Workers = None


@dataclass(frozen=True, kw_only=True)
class FieldOptions(FileOptions):
    """Of `fieldpack field`."""

    paths: Paths
    model: Model = "static"
    encoding: Encoding = "o200k_base"
    limit: Annotated[int, typer.Option(help="Attractors at most.")] = 12
    since: Annotated[
        Path | None, typer.Option("--since", help="A folder that --save wrote: says what is new and what faded.")
    ] = None
    save: Annotated[Path | None, typer.Option("--save", help="Folder for the state of this look.")] = None
    as_json: Json = False
    report: Report = None


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """Of `fieldpack plan`."""

    window: Annotated[str, typer.Option("--window", "-w", help="Tokens, or a model name.")]
    preset: Annotated[str, typer.Option(help="pyramid | forty_forty_twenty | simple_qa | ...")] = "default"
    used: Annotated[list[str] | None, typer.Option(help="SECTION=TOKENS already used; may be repeated.")] = None
    reserve: Annotated[int, typer.Option(help="Tokens kept for the answer.")] = 0
    alert: Annotated[float, typer.Option(help="Share of a section's budget from which it is reported.")] = 0.9
    as_json: Json = False


@dataclass(frozen=True, kw_only=True)
class CompressOptions(FileOptions):
    """Of `fieldpack compress`."""

    path: Annotated[str, typer.Argument(metavar="PATH", help="A text file, or - for standard input.")]
    budget: Annotated[int, typer.Option("--budget", "-b", help="Tokens at most.")]
    strategy: Annotated[
        str | None, typer.Option(help="compress_format | restructure | extract_key_points | summarize; else by ratio.")
    ] = None
    encoding: Encoding = "o200k_base"
    as_json: Json = False


@dataclass(frozen=True, kw_only=True)
class CalibrateOptions(FileOptions):
    """Of `fieldpack calibrate`."""

    examples: Annotated[
        Path,
        typer.Argument(metavar="EXAMPLES", help="Labelled queries: question, file, quote in JSON Lines, or a set."),
    ]
    documents: Annotated[
        list[str] | None, typer.Option("--documents", help="Files or folders that are asked; else those of the labels.")
    ] = None
    alpha: Annotated[float, typer.Option(help="Share of the evidence that may be lost, 0 to 1.")] = 0.1
    out: Annotated[Path | None, typer.Option(help="Write the boundary here, for pack --boundary.")] = None
    model: Model = "static"
    unit: Unit = "auto"
    as_json: Json = False


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """Of `fieldpack bench`."""

    data: Annotated[Path | None, typer.Option(envvar="FIELDPACK_DATA", help="Folder or file of labelled queries.")] = (
        None
    )
    sets: Annotated[str, typer.Option(help="Names of sets, comma-separated; all when empty.")] = ""
    systems: Annotated[str, typer.Option(help="Names of systems, comma-separated; all when empty.")] = ""
    budgets: Annotated[str, typer.Option(help="Shares (0.25) or tokens (1000), comma-separated.")] = ""
    limit: Annotated[int | None, typer.Option(help="Queries of each set at most.")] = None
    quick: Annotated[bool, typer.Option("--quick", help="Few queries, few systems: about two minutes.")] = False
    out: Annotated[Path, typer.Option(help="Results and resumable shards go here.")] = Path("bench-results")
    model: Annotated[str, typer.Option("--model", "-m", help="The one embedder of all peers.")] = "minilm"
    held_out: Annotated[
        Path | None, typer.Option(help="Folder of scorer weights trained without each set (models/build_scorer.py).")
    ] = None
    ray: Ray = None
    workers: Workers = None


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """Of `fieldpack serve`."""

    host: Annotated[str, typer.Option(help="Address to listen on; other than loopback only with an API key.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8017
    api_key: Annotated[
        str | None, typer.Option(envvar="FIELDPACK_API_KEY", show_envvar=True, help="What clients have to send.")
    ] = None
    max_body: Annotated[int, typer.Option(help="Bytes of a request.")] = 8 << 20
    timeout: Annotated[float, typer.Option(help="Seconds that a request may wait and work.")] = 60.0
    concurrency: Annotated[int, typer.Option(help="Requests worked on at once.")] = 2
    waiting: Annotated[int, typer.Option(help="Requests that may wait; more are answered 429.")] = 64
    max_sessions: Annotated[int, typer.Option(help="Sessions kept at once.")] = 64
    tool_bytes: Annotated[int, typer.Option(help="Memory for what was left out of tools' outputs.")] = 64 << 20
    allow_model: Annotated[
        list[str] | None, typer.Option(help="A further folder, hub name or URL that clients may name; may be repeated.")
    ] = None
    allow_remote_models: Annotated[
        bool, typer.Option("--allow-remote-models", help="Let clients name any hub model or URL.")
    ] = False
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A further name in the Host header; may be repeated.")
    ] = None
    access_log: Annotated[bool, typer.Option("--access-log", help="Log every request to standard error.")] = False
