"""`fieldpack analyze`: what a context that somebody else made repeats, holds for nothing, has cut, and costs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from fieldpack.analysis.waste import Place, cuts, repeats
from fieldpack.cli.context_options import AnalyzeOptions
from fieldpack.cli.decisions import place_in_lines
from fieldpack.cli.inputs import packer_of, read_text
from fieldpack.cli.takes import takes
from fieldpack.cli.terminal import bar, beginning, console, escaped, one_line, shortened
from fieldpack.errors import InputError
from fieldpack.request import checked_documents
from fieldpack.types import BoolArray, Document, FloatArray

if TYPE_CHECKING:
    from rich.console import Console

    from fieldpack.corpus.corpus import Corpus

_WIDTH = 80
_NEGLIGIBLE = 0.05


@dataclass(frozen=True, eq=False)
class ContextAnalysis:
    """n segments of a context. tokens: of the documents, counted whole; repeated: {row: the row that said it before};
    irrelevant (n,): what the question does not need, None without one; cut: places."""

    corpus: Corpus
    tokens: int
    repeated: dict[int, int]
    irrelevant: BoolArray | None
    cut: tuple[Place, ...]
    price: float | None

    @cached_property
    def shares(self) -> dict[str, float]:
        """Of the tokens, by what they are for; they add to 1."""
        own = self.corpus.rows.tokens
        again = np.zeros(len(own), np.bool_)
        again[list(self.repeated)] = True
        idle = np.zeros(len(own), np.bool_) if self.irrelevant is None else self.irrelevant & ~again
        total = max(int(own.sum()), 1)
        return {
            "repeated": int(own[again].sum()) / total,
            "irrelevant": int(own[idle].sum()) / total,
            "rest": int(own[~again & ~idle].sum()) / total,
        }

    def place(self, row: int) -> str:
        """Document and lines of a segment."""
        s = self.corpus.rows[row]
        document = self.corpus.documents[s.doc]
        return place_in_lines(document.id, document.text, start=s.start, end=s.end)

    def lines_of(self, place: Place) -> str:
        """Document and lines of a range."""
        text = next(d.text for d in self.corpus.documents if d.id == place.doc_id)
        return place_in_lines(place.doc_id, text, start=place.start, end=place.end)

    def to_dict(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        rows = self.corpus.rows
        idle = [] if self.irrelevant is None else np.flatnonzero(self.irrelevant).tolist()
        wasted = self.shares["repeated"] + self.shares["irrelevant"]
        return {
            "documents": len(self.corpus.documents),
            "segments": len(rows),
            "tokens": self.tokens,
            "shares": {name: round(share, 4) for name, share in self.shares.items()},
            "repeated": [
                {"place": self.place(row), "tokens": rows[row].tokens, "first": self.place(first)}
                for row, first in self.repeated.items()
            ],
            "irrelevant": [
                {"place": self.place(row), "tokens": rows[row].tokens} for row in idle if row not in self.repeated
            ],
            "cut": [{"place": self.lines_of(place), **place.to_dict()} for place in self.cut],
            "money": None if self.price is None else round(self.tokens * self.price / 1e6, 8),
            "money_wasted": None if self.price is None else round(wasted * self.tokens * self.price / 1e6, 8),
        }


@takes(AnalyzeOptions)
def analyze(options: AnalyzeOptions) -> None:
    """Judge a context: what it repeats, what its question does not need, where it was cut, and what it costs."""
    if options.price is not None and options.price < 0:
        raise InputError(f"--price is {options.price}; give the price of a million tokens, 0 or more")
    analysis = analysis_of(documents_in(read_text(options.file), options.file), options)
    if options.as_json:
        typer.echo(json.dumps(analysis.to_dict(), ensure_ascii=False, allow_nan=False))
    else:
        _show(analysis, options)


def documents_in(text: str, name: str) -> tuple[Document, ...]:
    """The documents of a JSON list (or {"documents": [...]}), else the whole text as one. Raises InputError."""
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    listed = value.get("documents", value) if isinstance(value, dict) else value
    documents = checked_documents(listed if isinstance(listed, list) else [Document("context", text)])
    if not any(d.text.strip() for d in documents):
        raise InputError(f"{name} holds no text; give a context as text, or as a JSON list of documents")
    return documents


def analysis_of(documents: tuple[Document, ...], options: AnalyzeOptions) -> ContextAnalysis:
    """The analysis. Irrelevant are the least relevant segments that together hold less than 5% of the expected evidence
    (the sum of the relevance of all that is not repeated)."""
    packer = packer_of("static", options.encoding, None, None, unit="sentence")
    tokens = sum(packer.tokenizer.count(d.text) for d in documents)
    if options.query is None:
        corpus, relevance = packer.read(documents), None
    else:
        result = packer.pack(options.query, documents, max(tokens, 1))
        corpus, relevance = result.corpus, result.relevance.total
    again = repeats(corpus.documents, corpus.rows)
    return ContextAnalysis(
        corpus=corpus,
        tokens=tokens,
        repeated=again,
        irrelevant=None if relevance is None else _irrelevant(relevance, list(again)),
        cut=cuts(corpus.documents, corpus.rows),
        price=options.price,
    )


def _irrelevant(relevance: FloatArray, repeated: list[int]) -> BoolArray:
    expected = relevance.astype(np.float64)
    expected[repeated] = 0.0
    order = np.argsort(-expected, kind="stable")
    before = np.cumsum(expected[order]) - expected[order]
    out = np.zeros(len(expected), np.bool_)
    out[order[before >= (1 - _NEGLIGIBLE) * expected.sum()]] = True
    return out


def _show(analysis: ContextAnalysis, options: AnalyzeOptions) -> None:
    out, rows = console(), analysis.corpus.rows
    out.print(
        f"[bold]{analysis.tokens:,}[/] tokens in {_counted(len(analysis.corpus.documents), 'document')}, "
        f"{_counted(len(rows), 'segment')}",
        highlight=False,
    )
    meaning = {"repeated": "said before", "irrelevant": "under 5% of the evidence", "rest": "what remains"}
    for name, share in analysis.shares.items():
        if name == "irrelevant" and analysis.irrelevant is None:
            out.print("  irrelevant  -  say --query to see what a question does not need", highlight=False)
            continue
        tokens = f"{share * analysis.tokens:,.0f}"
        out.print(
            f"  {name:<11} [cyan]{bar(share, 16)}[/] {share:>4.0%} {tokens:>9} tok  {meaning[name]}", highlight=False
        )
    out.print(f"  {'cut':<11} {_counted(len(analysis.cut), 'place')}", highlight=False)
    facts = analysis.to_dict()
    if analysis.price is not None:
        money, wasted = facts["money"], facts["money_wasted"]
        out.print(f"  {'cost':<11} {money:.6g} a call, {wasted:.6g} of it for nothing", highlight=False)
    _list(out, "repeated", [(r["place"], f"as in {r['first']}") for r in facts["repeated"]], options.places)
    _list(out, "irrelevant", [(r["place"], f"{r['tokens']} tok") for r in facts["irrelevant"]], options.places)
    _list(out, "cut", [(c["place"], c["what"]) for c in facts["cut"]], options.places)


def _counted(number: int, name: str) -> str:
    return f"{number:,} {name}" if number == 1 else f"{number:,} {name}s"


def _list(out: Console, title: str, items: list[tuple[str, str]], most: int) -> None:
    if items:
        out.print(f"\n[bold]{title}[/]", highlight=False)
    for place, note in items[:most]:
        line = f"{shortened(one_line(place), 38):<38}  {shortened(one_line(note), 37)}"
        out.print(f"  {escaped(beginning(line, _WIDTH - 2))}", highlight=False)
    if len(items) > most:
        out.print(f"  [dim]{len(items) - most:,} more: --places, or --json for all[/]", highlight=False)
