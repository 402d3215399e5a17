"""All questions retention: what a pack that was made WITHOUT a question keeps of the evidence of all questions.

    python benchmarks/retention.py --data FOLDER [--sets squad,policyqa] [--systems lead,textrank]
                                   [--plug MODULE:FUNCTION] [--shares 0.1,0.25,0.5] [--limit 20] [--json FILE]

A source is a text with several labelled questions: an article, a privacy policy, a meeting, a conversation, a file of
a documentation folder; one that is longer than --most tokens is cut into runs of whole passages. Each system packs a
source at a share of its tokens and never sees the questions. A source's score is the mean over its questions of the
evidence that is kept (where one passage is enough: of the one kept best), a set's score is the mean over its sources.

All systems that rank sentences share the sentences, the vectors, and one rule: take the next sentence that fits, print
in reading order, count the final string. `--plug` adds any function (documents, budget) -> a PackResult, or
(text, spans) with spans (document id, start, end).
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fieldpack.analysis.metrics import bootstrap_ci, evidence_kept
from fieldpack.bench import corpora, reference_baseline
from fieldpack.bench.context import Context, Packed
from fieldpack.bench.dataset import Query, Span, evenly_spaced, records
from fieldpack.bench.statistics import mean_gap
from fieldpack.bench.system import require
from fieldpack.errors import FieldpackError, InputError
from fieldpack.text.sentences import sentence_spans
from fieldpack.types import Document

SETS = ("squad", "policyqa", "chunkeval", "qmsum", "evinf", "locomo")
FOLDERS = ("sqlalchemy", "git", "pydantic", "man")
SHARES = (0.1, 0.25, 0.5)
MOST_TOKENS = 20_000
"""Tokens of a source: LexRank and TextRank compare every sentence with every other in Python."""
LEAST_QUESTIONS = 2
SHUFFLES = 12
"""Orders of chance whose mean is the row `random`: on one set of 13 sources a single order gives .19 to .30."""


@dataclass(frozen=True)
class Source:
    """A text in its documents; its questions, each with the alternatives of its evidence, of which the best counts."""

    name: str
    documents: tuple[Document, ...]
    questions: tuple[tuple[tuple[Span, ...], ...], ...]


@dataclass(frozen=True)
class Kept:
    """The final string, and the characters of the documents in it."""

    text: str
    spans: tuple[Span, ...]


Select = Callable[[Source, int, Context], "Kept | list[Kept]"]
"""A source and a budget to what is kept; of several packs the mean counts. The questions are not to be read."""
Order = Callable[["Sentences", int, Context], Iterable[int]]
"""Sentences, best first; the budget only where the number of clusters depends on it."""


class Sentences:
    """The sentences of a source in reading order."""

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self.bodies = {d.id: d.text for d in source.documents}
        self.spans = [Span(d.id, a, b) for d in source.documents for a, b in sentence_spans(d.text, 0, len(d.text))]
        self.texts = [self.bodies[s.doc_id][s.start : s.end] for s in self.spans]

    def kept(self, order: Iterable[int], budget: int, context: Context) -> Kept:
        """The next sentence that fits, until the budget is full."""
        chosen: list[int] = []
        left = budget
        for i in dict.fromkeys(int(j) for j in order):
            cost = context.count(self.texts[i] + "\n")
            if cost <= left:
                chosen.append(i)
                left -= cost
        while chosen and context.tokenizer.count(self.render(chosen)) > budget:
            chosen.pop()
        return Kept(self.render(chosen), tuple(self.spans[i] for i in sorted(chosen)))

    def render(self, chosen: Iterable[int]) -> str:
        """Reading order; a blank before a sentence that follows the one before it in its document, else a new line."""
        parts: list[str] = []
        last = -2
        for i in sorted(chosen):
            joined = i == last + 1 and self.spans[i].doc_id == self.spans[last].doc_id
            parts += [(" " if joined else "\n") if parts else "", self.texts[i]]
            last = i
        return "".join(parts)


# --- the systems
def lead(sentences: Sentences, budget: int, context: Context) -> Iterable[int]:
    """The opening of the text."""
    return range(len(sentences.texts))


def shuffled(sentences: Sentences, budget: int, context: Context, seed: int = 0) -> Iterable[int]:
    """Chance. seed: another order for each."""
    order = list(range(len(sentences.texts)))
    random.Random(zlib.crc32(sentences.name.encode()) + seed).shuffle(order)
    return order


def sumy(module: str, name: str) -> Order:
    """A summarizer of sumy with its stemmer and stop words; its rating of every sentence."""

    def order(sentences: Sentences, budget: int, context: Context) -> Iterable[int]:
        base = getattr(require(f"sumy.summarizers.{module}"), name)

        class Rated(base):  # type: ignore[misc,valid-type]
            def _get_best_sentences(
                self, listed: Any, count: Any, rating: Any, *args: Any, **kwargs: Any
            ) -> list[float]:
                return [float(rating[s] if isinstance(rating, Mapping) else rating(s)) for s in listed]

        rated = Rated(require("sumy.nlp.stemmers").Stemmer("english"))
        rated.stop_words = require("sumy.utils").get_stop_words("english")
        return np.argsort(-np.array(rated(_sumy_document(sentences.texts), 1)), kind="stable")

    return order


def _sumy_document(texts: Sequence[str]) -> Any:
    dom = require("sumy.models.dom")

    class Words:
        """sumy's own tokenizer wants a download; its words are runs of letters too."""

        def to_words(self, text: str) -> tuple[str, ...]:
            return tuple(w for w in "".join(c if c.isalpha() else " " for c in text).split())

    words = Words()
    return dom.ObjectDocumentModel([dom.Paragraph([dom.Sentence(text or "-", words) for text in texts])])


def centroid(sentences: Sentences, budget: int, context: Context) -> Iterable[int]:
    """Cosine with the mean of all sentences."""
    rows = context.embed(sentences.texts)
    return np.argsort(-(rows @ rows.mean(0)), kind="stable")


def facility_location(sentences: Sentences, budget: int, context: Context) -> Iterable[int]:
    """submodlib's FacilityLocation by cost over all sentences."""
    n = len(sentences.texts)
    costs = np.array([max(1, context.count(t)) for t in sentences.texts], float)
    if n < 3 or (costs > budget).all():
        return range(n)
    rows = context.embed(sentences.texts)
    function = require("submodlib").FacilityLocationFunction(
        n=n, mode="dense", sijs=np.clip(rows @ rows.T, 0, 1).astype(np.float64), separate_rep=False
    )
    # submodlib refuses a budget >= n even with costs, so costs are rescaled to make the budget n - 1
    quiet = {"stopIfZeroGain": False, "stopIfNegativeGain": False, "verbose": False, "show_progress": False}
    chosen = function.maximize(
        budget=n - 1,
        optimizer="LazyGreedy",
        costs=(costs * (n - 1) / budget).tolist(),
        costSensitiveGreedy=True,
        **quiet,
    )
    return [i for i, _ in chosen]


def k_medoids(sentences: Sentences, budget: int, context: Context) -> Iterable[int]:
    """FasterPAM with as many medoids as fill the budget at the mean length; those of the largest clusters first, then
    what is nearest to its medoid."""
    rows, k = context.embed(sentences.texts), clusters(sentences, budget, context)
    found = require("kmedoids").fasterpam(1 - rows @ rows.T, k, random_state=0)
    labels, medoids = found.labels.astype(int), found.medoids.astype(int)
    by_size = np.argsort(-np.bincount(labels, minlength=k), kind="stable")
    nearest = np.argsort(-(rows * rows[medoids[labels]]).sum(1), kind="stable")
    return [*medoids[by_size].tolist(), *nearest.tolist()]


def cluster_filter(sentences: Sentences, budget: int, context: Context) -> Iterable[int]:
    """LangChain's EmbeddingsClusteringFilter: k-means, the sentence nearest to each centre, in reading order; what the
    budget has left goes to the sentences nearest to the mean."""
    transformers, document = require("langchain_community.document_transformers"), require("langchain_core.documents")
    base = require("langchain_core.embeddings").Embeddings

    class Shared(base):  # type: ignore[misc,valid-type]
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            rows: list[list[float]] = context.embed(texts).tolist()
            return rows

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

    k = clusters(sentences, budget, context)
    kept = transformers.EmbeddingsClusteringFilter(embeddings=Shared(), num_clusters=k, sorted=True)
    pages = [document.Document(page_content=t, metadata={"row": i}) for i, t in enumerate(sentences.texts)]
    return [*(d.metadata["row"] for d in kept.transform_documents(pages)), *centroid(sentences, budget, context)]


def clusters(sentences: Sentences, budget: int, context: Context) -> int:
    """As many as the budget holds sentences of mean length."""
    mean = sum(map(context.count, sentences.texts)) / len(sentences.texts)
    return max(1, min(len(sentences.texts) - 1, round(budget / max(1.0, mean))))


def oracle(source: Source, budget: int, context: Context) -> Kept:
    """Knows the evidence: the sentences with most questions per token. Greedy, so not quite the optimum."""
    sentences = Sentences(source)
    worth = np.zeros(len(sentences.texts))
    for question in source.questions:
        for alternative in question:
            size = sum(s.end - s.start for s in alternative) or 1
            for i, s in enumerate(sentences.spans):
                worth[i] += sum(_overlap(s, e) for e in alternative) / size
    costs = np.array([max(1, context.count(t)) for t in sentences.texts])
    return sentences.kept(np.argsort(-worth / costs, kind="stable"), budget, context)


def design_text(source: Source, budget: int, context: Context) -> Kept:
    """The manager of the design text: a field grows from the text, the text is filtered by its attractors."""
    case = Query.without_evidence(source.name, "", source.documents)
    packed: Packed = reference_baseline.system().select(case, budget, context)
    return Kept(packed.text, packed.spans)


def ranked(order: Order, source: Source, budget: int, context: Context) -> Kept:
    sentences = Sentences(source)
    if len(sentences.texts) < 3:
        return sentences.kept(range(len(sentences.texts)), budget, context)
    key = f"{source.name} {order} {budget if order in BUDGETED else ''}"
    known = context.keep(key, lambda: list(order(sentences, budget, context)))
    return sentences.kept(known, budget, context)


def by_chance(source: Source, budget: int, context: Context) -> list[Kept]:
    """SHUFFLES packs."""
    return [ranked(partial(shuffled, seed=seed), source, budget, context) for seed in range(SHUFFLES)]


def plugged(pack: Callable[[Sequence[Document], int], Any], source: Source, budget: int, context: Context) -> Kept:
    """Any function of documents and budget: a result with `text` and `kept` (doc_id, start, end), or a pair of both."""
    result = pack(source.documents, budget)
    text, kept = (result.text, result.kept) if hasattr(result, "kept") else result
    spans = [(k.doc_id, k.start, k.end) if hasattr(k, "doc_id") else tuple(k) for k in kept]
    return Kept(text, tuple(Span(*s) for s in spans))


def ours(context: Context, **settings: Any) -> Callable[[Sequence[Document], int], Any]:
    """`ContextPacker.pack(None, documents, budget)`, made once."""

    def pack(documents: Sequence[Document], budget: int) -> Any:
        from fieldpack.pipeline import ContextPacker

        packer = context.keep(f"fieldpack {settings}", lambda: ContextPacker(tokenizer=context.tokenizer, **settings))
        return packer.pack(None, documents, budget)

    return pack


BUDGETED = (facility_location, k_medoids, cluster_filter)
"""Orders that depend on the budget."""
BASELINES: Mapping[str, Select] = {
    "lead": partial(ranked, lead),
    "random": by_chance,
    "textrank": partial(ranked, sumy("text_rank", "TextRankSummarizer")),
    "lexrank": partial(ranked, sumy("lex_rank", "LexRankSummarizer")),
    "lsa": partial(ranked, sumy("lsa", "LsaSummarizer")),
    "centroid": partial(ranked, centroid),
    "facility_location": partial(ranked, facility_location),
    "k_medoids": partial(ranked, k_medoids),
    "cluster_filter": partial(ranked, cluster_filter),
    "design_text": design_text,
}


def systems(context: Context) -> dict[str, Select]:
    """The baselines, fieldpack without a query, the same without attractors or their coverage, and the ceiling."""
    from fieldpack.field.settings import FieldSettings
    from fieldpack.packing.problem import UNASKED_SETTINGS

    packers = {
        "fieldpack": ours(context),
        "fieldpack_paragraph": ours(context, unit="paragraph"),
        "no_attractors": ours(context, field=FieldSettings(limit=0)),
        "no_coverage": ours(context, packing=replace(UNASKED_SETTINGS, attract=0.0)),
    }
    return {**{name: partial(plugged, pack) for name, pack in packers.items()}, **BASELINES, "oracle": oracle}


# --- the data
def sources(data: Path, name: str, context: Context, most: int = MOST_TOKENS) -> list[Source]:
    """The sources of a set of any kind; raises InputError where the folder has no such set."""
    if (path := _first(data, f"{name}.conv.jsonl")) is not None:
        whole = [_conversation(row) for row in records(path)]
    elif (path := _first(data / "folders", f"{name}.folder.queries.jsonl", data)) is not None:
        whole = _files(path, context)
    else:
        whole = _articles(corpora.load_named(data, name))
    cut = [part for source in whole for part in runs(source, most, context)]
    return [source for source in cut if len(source.questions) >= LEAST_QUESTIONS]


def _first(folder: Path, name: str, *others: Path) -> Path | None:
    return next((p for f in (folder, *others) for p in (f / name, f / f"{name}.gz") if p.is_file()), None)


def _articles(cases: Sequence[Query]) -> list[Source]:
    groups: dict[int, list[Query]] = {}
    for case in cases:
        if wanted(case):
            groups.setdefault(id(case.passages), []).append(case)
    made = [
        Source(group[0].passages[0].id, group[0].passages, tuple(wanted(c) for c in group)) for group in groups.values()
    ]
    return made


def wanted(case: Query) -> tuple[tuple[Span, ...], ...]:
    """The alternatives of a question's evidence: all of it, or in mode any that of each gold passage."""
    spans = case.evidence()
    if case.mode != "any":
        return (spans,) if spans else ()
    return tuple(tuple(s for s in spans if s.doc_id == gold) for gold in dict.fromkeys(s.doc_id for s in spans))


def _conversation(row: Mapping[str, Any]) -> Source:
    turns = tuple(Document(t["id"], t["text"], t["speaker"]) for t in row["turns"] if t["text"])
    size = {d.id: len(d.text) for d in turns}
    asked = [q["evidence"] for q in row["questions"] if q["evidence"] and q["category"] != "adversarial"]
    golds = [tuple(Span(e, 0, size[e]) for e in evidence if e in size) for evidence in asked]
    return Source(row["id"], turns, tuple((gold,) for gold in golds if gold))


def _files(path: Path, context: Context) -> list[Source]:
    """Each file with evidence is a source, cut into pieces at its paragraphs; a group of evidence is a question."""
    beside = path.with_name(path.name.replace(".queries.", "."))
    texts = {row["id"]: row["text"] for row in records(beside)}
    asked: dict[str, list[tuple[Span, ...]]] = {}
    for row in records(path):
        for group in row["groups"]:
            for alternative in group:
                span = Span(alternative["doc"], alternative["start"], alternative["end"])
                asked.setdefault(span.doc_id, []).append((span,))
    out = []
    for name, spans in asked.items():
        pieces = _pieces(texts[name])
        documents = tuple(Document(f"{name}:{a}", texts[name][a:b]) for a, b in pieces)
        golds = [tuple(_within(s, name, pieces)) for (s,) in spans]
        out.append(Source(name, documents, tuple((gold,) for gold in golds)))
    return out


def _pieces(text: str, size: int = 1500) -> list[tuple[int, int]]:
    """Consecutive pieces that end before an empty line, `size` characters or the least more."""
    out, start = [], 0
    while start < len(text):
        end = text.find("\n\n", start + size)
        end = len(text) if end < 0 else end + 2
        out.append((start, end))
        start = end
    return out


def _within(span: Span, name: str, pieces: Sequence[tuple[int, int]]) -> Iterable[Span]:
    for a, b in pieces:
        if a < span.end and span.start < b:
            yield Span(f"{name}:{a}", max(span.start, a) - a, min(span.end, b) - a)


def runs(source: Source, most: int, context: Context) -> list[Source]:
    """The source in runs of documents of at most `most` tokens; a question goes where all its evidence is."""
    parts: list[list[Document]] = [[]]
    used = 0
    for document in source.documents:
        cost = context.count(document.text)
        if parts[-1] and used + cost > most:
            parts.append([])
            used = 0
        parts[-1].append(document)
        used += cost
    if len(parts) == 1:
        return [source]
    out = []
    for i, part in enumerate(parts):
        ids = {d.id for d in part}
        inside = [tuple(a for a in q if all(s.doc_id in ids for s in a)) for q in source.questions]
        out.append(Source(f"{source.name}#{i}", tuple(part), tuple(q for q in inside if q)))
    return out


# --- the measure
def retention(source: Source, kept: Sequence[Span]) -> float:
    """Mean over the questions of the share of evidence kept, of its best alternative; white space between two kept
    spans counts as kept, so that sentences are not charged for the blanks between them."""
    whole = closed(source.documents, kept)
    return float(np.mean([max(evidence_kept(a, whole) for a in question) for question in source.questions]))


def closed(documents: Sequence[Document], kept: Iterable[Span]) -> list[Span]:
    """The spans with those joined that only white space parts."""
    bodies = {d.id: d.text for d in documents}
    out: list[Span] = []
    for span in sorted(kept):
        last = out[-1] if out else None
        if last and last.doc_id == span.doc_id and not bodies[span.doc_id][last.end : span.start].strip():
            out[-1] = Span(span.doc_id, last.start, max(last.end, span.end))
        else:
            out.append(span)
    return out


def _overlap(a: Span, b: Span) -> int:
    return max(0, min(a.end, b.end) - max(a.start, b.start)) if a.doc_id == b.doc_id else 0


def measure_set(
    name: str, sources_of_set: Sequence[Source], chosen: Mapping[str, Select], shares: Sequence[float], context: Context
) -> list[dict[str, Any]]:
    """A row for each source, share and system; a system that raises gets a row with the error."""
    rows = []
    for at, source in enumerate(sources_of_set, 1):
        total = sum(context.count(d.text + "\n") for d in source.documents)
        for system, select in chosen.items():
            for share in shares:
                budget = max(1, int(share * total))
                row = {"set": name, "source": source.name, "share": share, "system": system}
                try:
                    found = select(source, budget, context)
                except (ImportError, FieldpackError, TypeError, ValueError) as error:
                    rows.append({**row, "error": f"{type(error).__name__}: {error}"[:200]})
                    continue
                packs = found if isinstance(found, list) else [found]
                over = any(context.tokenizer.count(kept.text) > budget for kept in packs)
                held = float(np.mean([retention(source, kept.spans) for kept in packs]))
                rows.append({**row, "retention": held, "over": over})
        print(f"\r{name}: {at} of {len(sources_of_set)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return rows


def table(rows: Sequence[Mapping[str, Any]], sets: Sequence[str]) -> str:
    """Mean over shares by set with 95 % intervals over sources; then the mean over the sets at each share."""
    good = [r for r in rows if "retention" in r]
    shares = sorted({r["share"] for r in good})
    names = list(dict.fromkeys(r["system"] for r in good))
    lines = [["system", *sets, *(f"mean {s:.0%}" for s in shares), "mean", "over"]]
    ranked_lines = []
    for system in names:
        by = {s: _by_source(good, system, s) for s in sets}
        cells = [_interval(by[s]) if by[s] else "" for s in sets]
        means = [_mean_of([_by_source(good, system, s, share) for s in sets]) for share in shares]
        whole = _mean_of(list(by.values()))
        over = sum(r["over"] for r in good if r["system"] == system)
        ranked_lines.append((whole or 0, [system, *cells, *(_figure(m) for m in means), _figure(whole), str(over)]))
    lines += [line for _, line in sorted(ranked_lines, key=lambda x: -x[0])]
    rule = ["---", *("--:" for _ in lines[0][1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))


def gaps(rows: Sequence[Mapping[str, Any]], sets: Sequence[str], system: str) -> str:
    """`system` minus every other: the mean over sets, and by set; * where the 95 % interval leaves 0 out."""
    good = [r for r in rows if "retention" in r]
    lines = [f"| {system} minus | mean | {' | '.join(sets)} |", f"|---|{'--:|' * (len(sets) + 1)}"]
    for other in dict.fromkeys(r["system"] for r in good if r["system"] != system):
        pairs = {s: (_by_source(good, system, s), _by_source(good, other, s)) for s in sets}
        both = {s: np.array([a[k] - b[k] for k in a if k in b]) for s, (a, b) in pairs.items()}
        if all(len(d) for d in both.values()):
            cells = [str(mean_gap({s: d})) for s, d in both.items()]
            lines.append(f"| {other} | {mean_gap(both)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _by_source(
    rows: Sequence[Mapping[str, Any]], system: str, name: str, share: float | None = None
) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for r in rows:
        if r["system"] == system and r["set"] == name and share in (None, r["share"]):
            values.setdefault(r["source"], []).append(r["retention"])
    return {source: float(np.mean(v)) for source, v in values.items()}


def _mean_of(sets: Sequence[Mapping[str, float]]) -> float | None:
    return float(np.mean([np.mean(list(v.values())) for v in sets])) if all(sets) else None


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _interval(values: Mapping[str, float]) -> str:
    found = bootstrap_ci(list(values.values()), np.random.default_rng(0), resamples=2000)
    return f"{found.mean:.3f} [{found.low:.2f}, {found.high:.2f}]"


def load_function(text: str) -> Callable[[Sequence[Document], int], Any]:
    """MODULE:FUNCTION, the module importable from here or the working folder."""
    module, _, name = text.partition(":")
    sys.path.insert(0, os.getcwd())
    found: Any = getattr(importlib.import_module(module), name or "pack", None)
    if found is None:
        raise InputError(f"{module} has no function {name or 'pack'}; give MODULE:FUNCTION")
    return found  # type: ignore[no-any-return]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=",".join((*SETS, *FOLDERS)))
    parser.add_argument("--systems", default="", help="names separated by commas; all without it")
    parser.add_argument("--plug", action="append", default=[], help="MODULE:FUNCTION of (documents, budget)")
    parser.add_argument("--shares", default=",".join(map(str, SHARES)))
    parser.add_argument("--limit", type=int, default=20, help="sources of each set, spread evenly")
    parser.add_argument("--most", type=int, default=MOST_TOKENS, help="tokens of a source; longer ones are cut")
    parser.add_argument("--embedder", default="static")
    parser.add_argument("--json", type=Path, help="where the rows go")
    parsed = parser.parse_args()
    from fieldpack.embed.service import EmbeddingService
    from fieldpack.text.tokens import tokenizer

    context = Context(EmbeddingService(parsed.embedder), tokenizer("o200k_base"))
    known = systems(context)
    known |= {text: partial(plugged, load_function(text)) for text in parsed.plug}
    names = parsed.systems.split(",") if parsed.systems else list(known)
    if unknown := [n for n in names if n not in known]:
        raise SystemExit(f"unknown system {unknown[0]!r}; known: {', '.join(known)}")
    chosen = {n: known[n] for n in dict.fromkeys((*names, *parsed.plug))}
    sets = [name for name in parsed.sets.split(",") if name]
    rows: list[dict[str, Any]] = []
    for name in sets:
        found = evenly_spaced(sources(parsed.data, name, context, parsed.most), parsed.limit)
        print(f"{name}: {len(found)} sources, {sum(len(s.questions) for s in found)} questions")
        rows += measure_set(name, found, chosen, [float(s) for s in parsed.shares.split(",")], context)
    print("\n" + table(rows, sets))
    for system in [n for n in chosen if n.startswith("fieldpack") or n in parsed.plug]:
        if any(r["system"] == system and "retention" in r for r in rows):
            print("\n" + gaps(rows, sets, system))
    for message in sorted({f"{r['system']}: {r['error']}" for r in rows if "error" in r}):
        print(f"not measured: {message}")
    if parsed.json:
        parsed.json.write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")


if __name__ == "__main__":
    main()
