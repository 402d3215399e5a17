"""The options of the verbs that judge a context: analyze and evaluate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fieldpack.cli.options import Encoding, FileOptions, Json, Model, Unit

Price = Annotated[float | None, typer.Option(help="Price of a million input tokens, to show money.")]


@dataclass(frozen=True, kw_only=True)
class AnalyzeOptions:
    """Of `fieldpack analyze`."""

    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A context: text, or a JSON list of documents; - reads input.")
    ]
    query: Annotated[
        str | None, typer.Option("--query", "-q", help="The question it was made for: shows what is irrelevant to it.")
    ] = None
    price: Price = None
    places: Annotated[int, typer.Option(help="Places shown of each kind.")] = 5
    encoding: Encoding = "o200k_base"
    as_json: Json = False


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(FileOptions):
    """Of `fieldpack evaluate`."""

    labels: Annotated[
        Path, typer.Argument(metavar="LABELS", help="Questions with file and quote in JSON Lines, as for calibrate.")
    ]
    documents: Annotated[
        list[str] | None, typer.Option("--documents", help="Files or folders that are asked; else those of the labels.")
    ] = None
    current: Annotated[
        Path | None,
        typer.Option(
            help="What your pipeline sends: JSON Lines of question and context. Without: BM25, the best chunks."
        ),
    ] = None
    budget: Annotated[
        int | None, typer.Option("--budget", "-b", help="Tokens of a pack; default: those of --current, else 1000.")
    ] = None
    at_least: Annotated[
        float | None, typer.Option(help="Exit 1 when a pack holds less of the evidence on the mean, 0 to 1.")
    ] = None
    price: Price = None
    model: Model = "static"
    encoding: Encoding = "o200k_base"
    unit: Unit = "auto"
    as_json: Json = False
