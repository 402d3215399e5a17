"""`fieldpack evaluate`: one command for continuous integration. Labelled questions, the pipeline of today against a
pack: evidence, tokens, money, and a threshold that fails the build."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import typer

from fieldpack.analysis.evaluate import Evaluated, Sent, evaluated, sent
from fieldpack.analysis.top_k import top_k
from fieldpack.bench.dataset import records
from fieldpack.cli import show
from fieldpack.cli.context_options import EvaluateOptions
from fieldpack.cli.inputs import packer_of
from fieldpack.cli.labels import examples_of
from fieldpack.cli.options import CalibrateOptions
from fieldpack.cli.takes import takes
from fieldpack.cli.terminal import bar, beginning, console, escaped, one_line
from fieldpack.errors import InputError

if TYPE_CHECKING:
    from fieldpack.pipeline import ContextPacker, Index
    from fieldpack.relevance.calibrate import Example
    from fieldpack.types import Document

_BUDGET = 1000
_SHOWN = 5


@dataclass(frozen=True)
class _Question:
    """A question with the quotes that answer it, what the pipeline of today sends, and what a pack holds."""

    text: str
    current: Sent
    packed: Sent


@takes(EvaluateOptions)
def evaluate(options: EvaluateOptions) -> None:
    """Hold a pack against your pipeline on labelled questions: evidence, tokens, money.

    Exit 1 when a pack holds less of the evidence than --at-least: for continuous integration.
    """
    _check(options)
    with show.Progress() as progress:
        examples = _examples(options)
        packer = packer_of(options.model, options.encoding, None, progress, unit=options.unit)
        questions = list(_answered(examples, options, packer))
    name = "BM25, best chunks" if options.current is None else str(options.current)
    both = [
        evaluated(name, [q.current for q in questions], options.price),
        evaluated("fieldpack", [q.packed for q in questions], options.price),
    ]
    failed = options.at_least is not None and both[1].evidence < options.at_least
    if options.as_json:
        typer.echo(json.dumps(_facts(both, questions, options, failed=failed), ensure_ascii=False))
    else:
        _show(both, questions, options)
    if failed:
        show.line(f"evidence {both[1].evidence:.3f} is below --at-least {options.at_least}")
        raise typer.Exit(1)


def _check(options: EvaluateOptions) -> None:
    if options.at_least is not None and not 0 <= options.at_least <= 1:
        raise InputError(f"--at-least is {options.at_least}; give a share of the evidence, 0 to 1")
    if options.price is not None and options.price < 0:
        raise InputError(f"--price is {options.price}; give the price of a million tokens, 0 or more")
    if options.budget is not None and options.budget < 1:
        raise InputError(f"--budget is {options.budget}; give a whole number of tokens, 1 or more")


def _examples(options: EvaluateOptions) -> list[Example]:
    """The labelled questions. Raises InputError as for `fieldpack calibrate`, and where there are none."""
    examples = examples_of(
        CalibrateOptions(
            examples=options.labels,
            documents=options.documents,
            encoding_errors=options.encoding_errors,
            charset=options.charset,
            everything=options.everything,
            verbose=options.verbose,
        )
    )
    if not examples:
        raise InputError(f"{options.labels} holds no labelled question; docs/evaluate.md shows the format")
    return examples


def _answered(examples: Sequence[Example], options: EvaluateOptions, packer: ContextPacker) -> Iterator[_Question]:
    contexts = {} if options.current is None else contexts_of(options.current)
    index: Index | None = None
    count, usual = packer.tokenizer.count, _BUDGET
    if contexts:
        usual = max(round(median(count(text) for text in contexts.values())), 1)
    budget = options.budget or usual
    for example in examples:
        query, documents = example.query, tuple(example.documents)
        quotes = _quotes(example, documents)
        if index is None or index.documents != documents:
            index = packer.index(documents)
        pack = index.pack(query, budget, scores={d.id: d.score for d in documents if d.score is not None} or None)
        if options.current is None:
            other = top_k(query, documents, budget, count=count)
            current = sent(quotes, other.text, other.tokens)
        elif query in contexts:
            current = sent(quotes, contexts[query], count(contexts[query]))
        else:
            raise InputError(
                f"{options.current} has no context for the question {query[:80]!r}; give one for each label"
            )
        yield _Question(query, current, sent(quotes, pack.text, pack.tokens))


def _quotes(example: Example, documents: Sequence[Document]) -> list[str]:
    texts = {d.id: d.text for d in documents}
    return [texts[name][start:end] for name, start, end in example.evidence]


def contexts_of(path: Path) -> dict[str, str]:
    """{question: context} of JSON Lines: `question` and `context`, a string or a list of them. Raises InputError."""
    out: dict[str, str] = {}
    for number, row in enumerate(records(path), 1):
        question, context = row.get("question", row.get("query")), row.get("context", row.get("contexts"))
        listed = [context] if isinstance(context, str) else context
        if not isinstance(question, str) or not isinstance(listed, list):
            raise InputError(
                f"{path.name}, line {number}: give {{'question': ..., 'context': a string or a list of them}}"
            )
        texts: list[Any] = [c.get("text") if isinstance(c, dict) else c for c in listed]
        if not all(isinstance(text, str) for text in texts):
            raise InputError(f"{path.name}, line {number}: a context holds what is no string and no {{'text': ...}}")
        out[question] = "\n\n".join(texts)
    return out


def _facts(
    both: Sequence[Evaluated], questions: Sequence[_Question], options: EvaluateOptions, *, failed: bool
) -> dict[str, Any]:
    """The object that `--json` prints."""
    each = [
        {
            "question": q.text,
            "quotes": q.packed.quotes,
            "current": {"found": q.current.found, "tokens": q.current.tokens},
            "fieldpack": {"found": q.packed.found, "tokens": q.packed.tokens},
        }
        for q in questions
    ]
    return {
        "current": both[0].to_dict(),
        "fieldpack": both[1].to_dict(),
        "at_least": options.at_least,
        "failed": failed,
        "questions": each,
    }


def _show(both: Sequence[Evaluated], questions: Sequence[_Question], options: EvaluateOptions) -> None:
    out = console()
    money = "  per 1,000" if options.price is not None else ""
    out.print(f"[dim]{len(questions):,} questions{'':<14}evidence{'':<9}complete     tokens{money}[/]", highlight=False)
    for row in both:
        name = f"{escaped(beginning(row.name, 22)):<22}"
        price = "" if row.money is None else f"{row.money:>11,.2f}"
        numbers = f"{row.evidence:>6.1%}  {row.complete:>9.1%} {row.tokens:>10,.0f}{price}"
        out.print(
            f"{name} [cyan]{bar(row.evidence, 10)}[/] {numbers}",
            highlight=False,
        )
    lost = [q for q in questions if q.packed.found < q.packed.quotes]
    if lost:
        out.print("\n[bold]not whole in the pack[/]", highlight=False)
    for q in lost[:_SHOWN]:
        out.print(
            f"  {q.packed.found} of {q.packed.quotes}  {escaped(beginning(one_line(q.text), 66))}", highlight=False
        )
    if len(lost) > _SHOWN:
        out.print(f"  [dim]{len(lost) - _SHOWN:,} more: --json names them[/]", highlight=False)
