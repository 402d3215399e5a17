"""Does a change keep what packs say? Some hundred packs through the public face, compared with what is stored.

    python benchmarks/behaviour.py --data FOLDER            # compare with results/behaviour.json; exit 1 if any differs
    python benchmarks/behaviour.py --data FOLDER --write    # store what is found as what is right

Of every pack the tokens and the numbers of kept and dropped segments are stored plainly, and of each facet (the text,
the kept spans, their scores and reasons, what was dropped and why, notes, bound, field, the state for the next turn) a
digest, so that a difference says where to look. `--only SUBSTR` takes the packs whose names hold it, `--verbose` shows
what is found where it differs, `--raw FILE` writes all facets in full: made in two trees, the files can be compared.
Scores, bound and field are stored too and may differ by one in the fourth digit. Runs on one thread unless
OMP_NUM_THREADS says otherwise: on several, sums end in other last bits and improbable segments that are all but equal
change places, so that `places` (where in the queue a dropped segment stands) is compared on one thread alone.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import fieldpack as fp

STORED = Path(__file__).parent / "results" / "behaviour.json"
EXACT = ("tokens", "kept", "dropped", "attractors", "error")
NEAR = ("scores", "own_scores", "bound", "field")
"""Facets that are stored as they are; NEAR are ten thousandths and may differ by one. Of all others a digest is."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
SETS = (
    *("hotpotqa", "twowiki", "nq20", "squad", "policyqa", "chunkeval", "qmsum", "evinf", "cosqa", "entailment"),
    *("rgb_en_fact", "multihoprag_facts", "xquad_ar", "xquad_de", "xquad_es"),
)
QUERIES, MOST, LARGEST = 4, 640, 12_000
"""Queries of a set, candidates of a query, and the tokens of candidates that shares of a budget are taken of."""

Facets = dict[str, Any]
Outcome = fp.Result | Facets


@dataclass(frozen=True)
class Case:
    """A pack by its name, or several that follow from each other, made when `run` is called."""

    name: str
    run: Callable[[], Outcome | Iterable[Outcome]]


@dataclass(frozen=True)
class Question:
    """A query of a labelled set, another one about the same kind of documents, and the candidates."""

    query: str
    other: str
    documents: tuple[fp.Document, ...]

    def budget(self, share: float) -> int:
        """Tokens that are about this share of the candidates'."""
        return max(16, int(share * min(LARGEST, sum(len(d.text) for d in self.documents) // 4)))


# What is looked at

PLACE = "; place "


def parts(value: float) -> int:
    """A number in ten thousandths."""
    return round(float(value) * 10_000)


def facets(result: fp.Result) -> Facets:
    """All that a result says, in plain values."""
    reading = result.reading
    fragments = result.state.residue.fragments
    return {
        "text": result.text,
        "spans": [(k.doc_id, k.start, k.end, k.tokens) for k in result.kept],
        "scores": [parts(k.score) for k in result.kept],
        "reasons": [k.reason for k in result.kept],
        "dropped_spans": [(d.doc_id, d.start, d.end, d.reason.partition(PLACE)[0]) for d in result.dropped],
        "places": [d.reason.partition(PLACE)[2] for d in result.dropped],
        "notes": list(result.notes),
        "bound": [parts(result.packing.bound)],
        "attractors": len(reading.attractors),
        "field": [parts(reading.resonance), parts(reading.permeability)],
        "state": sorted((f.key, f.state, f.age) for f in fragments),
        "tokens": result.tokens,
        "kept": len(result.kept),
        "dropped": len(result.dropped),
    }


def error_facets(error: fp.FieldpackError) -> Facets:
    """The error in place of a pack."""
    said = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, fp.BudgetError):
        said |= {"needed": error.needed, "budget": error.budget}
    return {"error": said, "tokens": 0, "kept": 0, "dropped": 0}


def object_facets(shown: Mapping[str, Any]) -> Facets:
    """The object that the command line prints, without its times."""
    kept, dropped = shown["kept"], shown["dropped"]
    return {
        "text": shown["text"],
        "spans": [(k["doc_id"], k["start"], k["end"], k["tokens"]) for k in kept],
        "scores": [parts(k["score"]) for k in kept],
        "reasons": [k["reason"] for k in kept],
        "dropped_spans": [(d["doc_id"], d["start"], d["end"], d["reason"].partition(PLACE)[0]) for d in dropped],
        "places": [d["reason"].partition(PLACE)[2] for d in dropped],
        "notes": shown["notes"],
        "bound": [parts(shown["field"]["bound"])],
        "names": [sorted(shown), sorted(shown["field"]), sorted(kept[0]) if kept else []],
        "tokens": shown["tokens"],
        "kept": len(kept),
        "dropped": len(dropped),
    }


def piece_facets(found: Sequence[tuple[Any, str, Mapping[str, Any], float | None]]) -> Facets:
    """What an adapter gives back: (id, text, what it says under "fieldpack", score) of every document."""
    said = [facts for _, _, facts, _ in found]
    spans = [[(s["start"], s["end"]) for s in facts["spans"]] for facts in said]
    return {
        "text": [(name, text) for name, text, _, _ in found],
        "spans": spans,
        "scores": [parts(s["score"]) for facts in said for s in facts["spans"]],
        "reasons": [[facts.get("reason"), [s["reason"] for s in facts["spans"]]] for facts in said],
        "own_scores": [parts(score) for *_, score in found if score is not None],
        "tokens": sum(int(facts["tokens"]) for facts in said),
        "kept": sum(map(len, spans)),
        "dropped": 0,
    }


def digest(value: Any) -> str:
    """Twelve hexadecimal digits that stand for a value."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=True).encode()).hexdigest()[:12]


def found_by(case: Case) -> dict[str, Facets]:
    """{name: facets} of the packs of a case; an error ends it and is stored in place of the pack."""
    out: list[Facets] = []
    try:
        made = case.run()
        for one in [made] if isinstance(made, fp.Result | dict) else made:
            out.append(one if isinstance(one, dict) else facets(one))
    except fp.FieldpackError as error:
        out.append(error_facets(error))
    if len(out) == 1:
        return {case.name: out[0]}
    return {f"{case.name} #{i}": one for i, one in enumerate(out, 1)}


# Labelled sets, each query in some of the ways below


@dataclass(frozen=True)
class Way:
    """How to pack: settings of the packer, the budget as a share of the candidates, and how it is called."""

    name: str
    settings: Mapping[str, Any]
    share: float
    call: Callable[[fp.ContextPacker, Question, int], Outcome | Iterable[Outcome]] | None = None

    def run(self, question: Question) -> Outcome | Iterable[Outcome]:
        packer, budget = fp.ContextPacker(**self.settings), question.budget(self.share)
        if self.call is not None:
            return self.call(packer, question, budget)
        return packer.pack(question.query, question.documents, budget)


def shortest(documents: Sequence[fp.Document]) -> str:
    """The id of the shortest document."""
    return min(documents, key=lambda d: len(d.text)).id


def pinned_document(packer: fp.ContextPacker, question: Question, budget: int) -> Outcome:
    return packer.pack(question.query, question.documents, budget, pins=[shortest(question.documents)])


def pinned_ranges(packer: fp.ContextPacker, question: Question, budget: int) -> Outcome:
    first, last = question.documents[0], question.documents[-1]
    pins = [(last.id, 0, 5), (first.id, len(first.text) // 2, len(first.text) // 2 + 9)]
    return packer.pack(question.query, question.documents, budget, pins=pins)


def two_queries(packer: fp.ContextPacker, question: Question, budget: int) -> Outcome:
    return packer.pack([(question.query, 1.0), (question.other, 0.4)], question.documents, budget)


def even_queries(packer: fp.ContextPacker, question: Question, budget: int) -> Outcome:
    return packer.pack([question.query, question.other], question.documents, budget)


def three_turns(packer: fp.ContextPacker, question: Question, budget: int) -> Iterator[Outcome]:
    """Turn after turn with the state of the one before, other documents at the second."""
    documents = question.documents
    first = packer.pack(question.query, documents, budget)
    yield first
    second = packer.pack(question.other, documents[: len(documents) * 2 // 3 + 1], budget, state=first.state)
    yield second
    yield packer.pack(question.query, documents[::-1], budget, state=second.state)


def other_budgets(packer: fp.ContextPacker, question: Question, budget: int) -> Iterator[Outcome]:
    result = packer.pack(question.query, question.documents, budget)
    assert result.repack is not None
    yield result.repack(budget // 2 + 8)
    yield result.repack(budget * 2)


def strings(packer: fp.ContextPacker, question: Question, budget: int) -> Outcome:
    return packer.pack(question.query, [d.text for d in question.documents], budget)


def smallest(packer: fp.ContextPacker, question: Question, budget: int) -> Outcome:
    """A budget that no paragraph fits."""
    return packer.pack(question.query, question.documents, 9)


def ways() -> tuple[Way, ...]:
    """All ways; queries take some of them in turns, so that every way meets several sets."""
    whole: dict[str, Any] = {"unit": "paragraph"}
    parts: dict[str, Any] = {"unit": "sentence"}
    settings = fp.PackingSettings
    return (
        Way("tight", {}, 0.04),
        Way("sentences", parts, 0.2),
        Way("paragraphs", whole, 0.25),
        Way("edges", {"order": "edges"}, 0.25),
        Way("by relevance", {"order": "relevance"}, 0.25),
        Way("cited", {"cite": True}, 0.2),
        Way("titled", {"titles": True}, 0.2),
        Way("cited paragraphs by relevance", {**whole, "cite": True, "order": "relevance"}, 0.3),
        Way("titled sentences at edges", {**parts, "titles": True, "order": "edges"}, 0.15),
        Way("pinned document", {}, 0.3, pinned_document),
        Way("pinned ranges", {}, 0.3, pinned_ranges),
        Way("weighted queries", {}, 0.15, two_queries),
        Way("two queries, cited", {"cite": True}, 0.25, even_queries),
        Way("turns", {}, 0.15, three_turns),
        Way("turns, persistent sentences", {**parts, "persist": 3.0}, 0.1, three_turns),
        Way("cut", {"allow_cut": True}, 0.1, smallest),
        Way("no cut", whole, 0.1, smallest),
        Way("relevant", {"min_relevance": 0.15}, 0.4),
        Way("hardly relevant", {"min_relevance": 0.97}, 0.4),
        Way("unfilled", {"fill": False}, 0.4),
        Way("cl100k", {"tokenizer": "cl100k_base"}, 0.12),
        Way("most", {}, 0.7),
        Way("everything fits", {}, 9.0),
        Way("other budgets", {}, 0.15, other_budgets),
        Way("strings", {}, 0.15, strings),
        Way("attracted", {"packing": settings(attract=0.6, chain=1.0)}, 0.15),
        Way("uncoupled", {"packing": settings(chain=0.0, repel=0.0, cover=0.0, complete=0.0)}, 0.15),
        Way("by cost", {**whole, "packing": settings(rho=(0.0, 0.5, 1.0))}, 0.2),
        Way("narrow field", {"field": fp.FieldSettings(limit=3, bias=1.0)}, 0.15, three_turns),
    )


def rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def passage(row: Mapping[str, Any]) -> fp.Document:
    more = {k: row[k] for k in ("doc", "pos") if row.get(k) is not None}
    return fp.Document(row["id"], row["text"], row.get("title") or "", more)


def chosen(found: Sequence[Any], count: int) -> list[Any]:
    """So many of the list, evenly spread."""
    return [found[i * len(found) // count] for i in range(count)] if len(found) > count else list(found)


def candidates(pool: Sequence[dict[str, Any]], gold: Sequence[str]) -> tuple[fp.Document, ...]:
    """The pool, or of a large one an even sample that holds the gold ones."""
    taken = {p["id"] for p in chosen(pool, MOST)} | set(gold)
    return tuple(passage(p) for p in pool if p["id"] in taken)


def questions(data: Path, name: str, count: int = QUERIES) -> list[Question]:
    """Some queries of a labelled set."""
    inline = data / f"{name}.jsonl.gz"
    listed = rows(inline if inline.exists() else data / f"{name}.queries.jsonl.gz")
    pool = [] if inline.exists() else rows(data / f"{name}.passages.jsonl.gz")
    out = []
    for row in chosen(listed, count):
        passages = row.get("passages") or [p for p in pool if "doc" not in row or p.get("doc") == row["doc"]]
        others = [r["query"] for r in listed if r.get("doc") == row.get("doc") and r["query"] != row["query"]]
        other = chosen(others or [listed[0]["query"]], 3)[-1]
        out.append(Question(row["query"], other, candidates(passages, row["gold"])))
    return out


def talk(data: Path, count: int = QUERIES) -> list[Question]:
    """Questions about a conversation, its turns as documents under their speakers' names."""
    told = rows(data / "locomo.conv.jsonl.gz")[0]
    documents = tuple(
        fp.Document(t["id"], t["text"], t["speaker"], {"session": t["session"], "time": t["time"]})
        for t in told["turns"]
    )
    asked = [q["question"] for q in told["questions"]]
    return [Question(q, asked[-1], documents) for q in chosen(asked, count)]


def set_cases(data: Path, name: str, listed: Sequence[Question]) -> Iterator[Case]:
    """Every query by default, and in three of the ways."""
    every = ways()
    first = (*SETS, "locomo").index(name) * QUERIES * 3
    for i, question in enumerate(listed):
        plain = Way("default", {}, 0.12)
        for way in (plain, *(every[(first + 3 * i + k) % len(every)] for k in range(3))):
            yield Case(f"{name}/{i} {way.name}", lambda way=way, question=question: way.run(question))


# Texts that the sets lack

LONG = "The pump keeps the pressure of the cooling circuit between two and three bar"
TEXTS: dict[str, tuple[str, str]] = {
    "markdown": (
        "how is the timeout of the client set",
        """# Client

The client talks to the server over one connection. It is safe to share.

## Settings

| name | default | meaning |
| --- | --- | --- |
| `timeout` | 30 | seconds until a call is given up |
| `retries` | 3 | how often a call is tried again |
| `pool` | 8 | connections that are kept open |

Settings are read once, when the client is made:

```python
client = Client(url, timeout=5)

# a call may have its own
client.get("/status", timeout=1)
```

### Lists

- The first item is about proxies.
  It goes on here.
- The second names certificates:
  1. the authority,
  2. the client's own.
- [ ] A task that is open.

> A quotation. It has two sentences.

## Errors

A call that takes longer than the timeout raises `TimeoutError`. The connection is closed then.

Term
: Its definition, with a [link](https://example.org/a_(b)).
""",
    ),
    "source": (
        "how are old entries removed",
        '''import time


class Cache:
    """Values by name, each for some seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.entries: dict[str, tuple[float, object]] = {}

    def put(self, name: str, value: object) -> None:
        """Stores a value; an old one of the name is replaced."""
        self.entries[name] = (time.monotonic(), value)

    def expire(self) -> int:
        """Removes entries that are too old; how many there were."""
        limit = time.monotonic() - self.seconds
        old = [name for name, (made, _) in self.entries.items() if made < limit]
        for name in old:
            del self.entries[name]
        return len(old)
''',
    ),
    "log": (
        "why did the worker stop",
        "\n".join(
            f"2024-05-{1 + i // 4:02} 10:{i:02}:00 {'ERROR' if i == 17 else 'INFO'} worker[{100 + i % 3}] "
            + ("stopped: out of memory while merging part 17" if i == 17 else f"merged part {i} in {i * 7} ms")
            for i in range(30)
        ),
    ),
    "long line": (
        "what pressure does the pump keep",
        " and ".join([*(f"valve {i} opens at {i} degrees" for i in range(150)), LONG.lower()]),
    ),
    "unbroken": ("which key is it", "x9f" * 900 + " the key is seven " + "q" * 1200),
    "json": (
        "port of the billing service",
        json.dumps({f"service{i}": {"port": 8000 + i, "name": n, "tags": ["a", n]} for i, n in enumerate(LONG.split())})
        + "\n\n"
        + json.dumps({"billing": {"port": 9443, "host": "10.0.0.7"}}, indent=2),
    ),
    "crlf": (
        "when is the office closed",
        "Opening hours\r\n\r\nThe office is open from nine to five. It is closed on Sundays.\r\n\r\n"
        "\tParking\t\r\nCars may be left behind the house.  Bicycles too!\r\n\r\n\r\nDr. Who et al. e.g. said so.",
    ),
    "chinese": (
        "茶叶什么时候采摘？",
        "茶树生长在南方的山区。春天的茶叶在清明前采摘,味道最好。秋天也可以采摘!\n\n绿茶不发酵。红茶完全发酵。\n\n水温应为八十度。",
    ),
    "japanese": (
        "桜はいつ咲きますか",
        "桜は三月の終わりに咲く。花見は人気がある。\n\n夏は暑い。祭りが多い。\n\n秋の紅葉も有名です。",
    ),
    "russian": (
        "Когда построили мост?",
        "Мост построили в 1912 году. Он соединяет два берега.\n\nРека замерзает зимой. Летом ходят суда.\n\nСтарый.",
    ),
    "hindi": (
        "नदी कितनी लंबी है?",
        "यह नदी पहाड़ों से निकलती है। नदी 2500 किलोमीटर लंबी है।\n\nमैदान में खेती होती है। गेहूँ मुख्य फ़सल है।",
    ),
    "mixed": (
        "emoji and café prices",
        "Le café coûte 2,50 €. Ο καφές είναι ακριβός. 👩‍👩‍👧‍👦 are welcome! 🎉🎉\n\nשלום עולם. זה משפט שני."
        "\n\nราคา ๓๐ บาท ไม่รวมภาษี\n\ne\u0301te\u0301 \u200bzero\u00a0width\ufeff.\n\n가격은 3,000원입니다. 비쌉니다.",
    ),
}


def text_cases(data: Path) -> Iterator[Case]:
    """Every inline text alone, in every unit and order, and all of them together."""
    orders, units = ("source", "edges", "relevance"), ("auto", "paragraph", "sentence")
    for t, (name, (query, text)) in enumerate(TEXTS.items()):
        for u, unit in enumerate(units):
            packer = fp.ContextPacker(
                unit=unit, order=orders[(t + u) % 3], cite=u == 1, titles=u == 2, allow_cut=u == 0
            )
            budget = max(14, len(text) // (9 if u == 1 else 18))
            document = fp.Document(name, text, title=name.title())
            yield Case(f"texts/{name} {unit}", lambda p=packer, q=query, d=document, b=budget: p.pack(q, d, b))
    documents = [fp.Document(name, text, title=name.title()) for name, (_, text) in TEXTS.items()]
    for name, (query, _) in list(TEXTS.items())[:8:2]:
        yield Case(f"texts/all, {name}", lambda q=query: fp.ContextPacker().pack(q, documents, 160))
        packer = fp.ContextPacker(tokenizer="cl100k_base", unit="sentence", cite=True)
        yield Case(f"texts/all cited, {name}", lambda q=query, p=packer: p.pack(q, documents, 300))


def whole_cases(data: Path) -> Iterator[Case]:
    """Many candidates joined to one text, and the outputs of tools."""
    for name, between in (("evinf", "\n\n"), ("chunkeval", "\n\n"), ("squad", "\n"), ("qmsum", "\n\n"), ("nq20", " ")):
        question = questions(data, name, 2)[1]
        text = between.join(d.text for d in question.documents)[:60_000]
        for share, packer in ((0.03, fp.ContextPacker()), (0.1, fp.ContextPacker(unit="paragraph", allow_cut=True))):
            budget = int(share * len(text) / 4)
            yield Case(
                f"whole/{name} {packer.unit}",
                lambda p=packer, q=question.query, t=text, b=budget: p.pack(q, t, b),
            )
    seen: set[str] = set()
    for row in rows(data / "toolout" / "dev.toolout.jsonl.gz"):
        if row["kind"] not in seen:
            seen.add(row["kind"])
            for budget in (150, 400):
                yield Case(
                    f"tools/{row['kind']} {budget}",
                    lambda row=row, b=budget: fp.ContextPacker().pack(row["query"], row["text"], b),
                )


# Indexes, streams, turns, memory


def grown(packer: fp.ContextPacker, documents: Sequence[fp.Document]) -> fp.Index:
    """An index of the first half to which the others were added in two steps."""
    half = len(documents) // 2
    return packer.index(documents[:half]).add(documents[half:-1]).add(documents[-1])


def reloaded(index: fp.Index, packer: fp.ContextPacker | None = None) -> fp.Index:
    folder = tempfile.mkdtemp(prefix="behaviour-")
    index.save(Path(folder) / "index")
    return fp.Index.load(Path(folder) / "index", packer)


def index_turns(index: fp.Index, question: Question, budget: int) -> Iterator[Outcome]:
    first = index.pack(question.query, budget)
    yield first
    yield index.pack([(question.query, 0.5), question.other], budget, state=first.state)
    yield index.pack(question.other, budget, pins=[shortest(index.documents)], state=first.state)


def index_cases(data: Path) -> Iterator[Case]:
    """Small indexes: new, grown, saved and loaded, of every unit."""
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("hotpotqa", {}),
        ("squad", {"unit": "paragraph", "cite": True}),
        ("policyqa", {"unit": "sentence", "tokenizer": "cl100k_base"}),
        ("xquad_de", {"min_relevance": 0.1}),
    )
    for name, settings in kinds:
        question, packer = questions(data, name, 3)[2], fp.ContextPacker(**settings)
        made: dict[str, Callable[[], fp.Index]] = {
            "new": lambda p=packer, q=question: p.index(q.documents),
            "grown": lambda p=packer, q=question: grown(p, q.documents),
            "loaded": lambda p=packer, q=question: reloaded(p.index(q.documents)),
            "grown, loaded, grown": lambda p=packer, q=question: reloaded(grown(p, q.documents)).add("A word. More."),
        }
        for kind, make in made.items():
            budget = question.budget(0.1)
            yield Case(f"index/{name} {kind}", lambda make=make, q=question, b=budget: index_turns(make(), q, b))


def folder_cases(data: Path) -> Iterator[Case]:
    """A folder of documentation, indexed once: more paragraphs than those over which the field is read anew."""
    packer = fp.ContextPacker()
    documents = [fp.Document(r["id"], r["text"]) for r in rows(data / "folders" / "pydantic.folder.jsonl.gz")]
    asked = [r["query"] for r in rows(data / "folders" / "pydantic.folder.queries.jsonl.gz")]

    @cache
    def index(kind: str) -> fp.Index:
        if kind == "loaded":
            return reloaded(index("new"))
        if kind == "grown":
            return index("loaded").add([fp.Document("more", TEXTS["markdown"][1], "Client"), "A string. Two."])
        return packer.index(documents)

    for i, query in enumerate(chosen(asked, 6)):
        for budget in (400, 2000):
            yield Case(f"folder/{i} {budget}", lambda q=query, b=budget: index("new").pack(q, b))
    for kind in ("loaded", "grown"):
        for i, query in enumerate([*chosen(asked, 2), "timeout of the client"]):
            yield Case(f"folder/{kind} {i}", lambda k=kind, q=query: index(k).pack(q, 800))
    question = Question(asked[3], asked[4], tuple(documents))
    yield Case("folder/turns", lambda: index_turns(index("new"), question, 900))
    some = [d for d in documents if len(d.text) < 20_000]
    yield Case("folder/direct", lambda: packer.pack(asked[5], some, 1500))
    yield Case("folder/stream", lambda: packer.pack_stream(asked[5], iter(some), 500, hold=10, block=7))


def stream_cases(data: Path) -> Iterator[Case]:
    """Streams of several small blocks, of which little is held."""
    kinds: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
        ("squad", {}, {"hold": 6, "block": 5}),
        ("hotpotqa", {"cite": True}, {"hold": 3, "block": 2}),
        ("qmsum", {"titles": True, "order": "edges"}, {"hold": 20, "block": 50}),
        ("multihoprag_facts", {"unit": "sentence"}, {"hold": 16, "block": 40}),
        ("cosqa", {"unit": "paragraph"}, {"hold": 24, "block": 64}),
        ("xquad_ar", {}, {"hold": 9, "block": 11}),
        ("nq20", {}, {}),
    )
    for name, settings, sizes in kinds:
        question = questions(data, name, 3)[1]
        packer = fp.ContextPacker(**settings)
        pins = [shortest(question.documents), (question.documents[-1].id, 0, 4)]
        both = [(question.query, 0.9), (question.other, 0.5)]

        def run(
            query: Any = question.query, q: Any = question, p: Any = packer, s: Any = sizes, **more: Any
        ) -> Outcome:
            result = p.pack_stream(query, iter(q.documents), max(60, q.budget(0.04)), **s, **more)
            passed = (result.passed.documents, result.passed.segments)
            return {**facets(result), "passed": passed}

        yield Case(f"stream/{name}", run)
        yield Case(f"stream/{name} pinned", lambda run=run, pins=pins: run(pins=pins))
        yield Case(f"stream/{name} two queries", lambda run=run, both=both: run(both))


def session_facets(session: fp.Session, result: fp.Result) -> Facets:
    prompt = session.prompt
    return {**facets(result), "prompt": (prompt.text, prompt.tokens, prompt.prefix, prompt.prefix_tokens)}


def session_turns(
    session: fp.Session, asked: Sequence[Any], documents: Callable[[int], Any], budget: int | None, **more: Any
) -> Iterator[Outcome]:
    for i, query in enumerate(asked):
        yield session_facets(session, session.turn(query, documents(i), budget, **more))


def resumed(session: fp.Session, asked: Sequence[Any], documents: Any, budget: int) -> Iterator[Outcome]:
    """As `session_turns`, saved and loaded after every turn."""
    for query in asked:
        yield session_facets(session, session.turn(query, documents, budget))
        folder = Path(tempfile.mkdtemp(prefix="behaviour-")) / "session"
        session.save(folder)
        session = fp.Session.load(folder, session.packer)


def session_cases(data: Path) -> Iterator[Case]:
    """Sessions over documents that stay, that change, over an index, with a planner, saved between turns."""
    for name, settings in (
        ("squad", {}),
        ("policyqa", {"cite": True}),
        ("qmsum", {"unit": "paragraph", "titles": True}),
    ):
        listed = questions(data, name, 2)
        question, packer = listed[0], fp.ContextPacker(**settings)
        documents, budget = question.documents, question.budget(0.06)
        asked = [question.query, question.other, [question.query, (question.other, 0.3)], question.query]
        yield Case(
            f"session/{name}",
            lambda p=packer, a=asked, d=documents, b=budget: session_turns(fp.Session(p), a, lambda i: d, b),
        )
        yield Case(
            f"session/{name} changing",
            lambda p=packer, a=asked, d=documents, b=budget: session_turns(
                fp.Session(p, switching=1.0), a, lambda i: d[i::2] if i else d, b
            ),
        )
        yield Case(
            f"session/{name} resumed", lambda p=packer, a=asked, d=documents, b=budget: resumed(fp.Session(p), a, d, b)
        )
    question, packer = questions(data, "evinf", 2)[1], fp.ContextPacker()

    def planned() -> Iterator[Outcome]:
        planner = fp.TokenBudgetPlanner(2400, preset="pyramid")
        index = packer.index(question.documents)
        session = fp.Session(packer, planner)
        return session_turns(
            session, [question.query, question.other], lambda i: index, None, pins=[index.documents[0].id]
        )

    yield Case("session/planned over an index", planned)
    yield Case("session/no budget", lambda: fp.Session(packer).turn(question.query, question.documents))


def remembered(told: Mapping[str, Any], count: int, **settings: Any) -> fp.ContextMemoryManager:
    memory = fp.ContextMemoryManager(600, **settings)
    memory.add_message("system", "You are helpful. Answer shortly.")
    for i, t in enumerate(told["turns"][:count]):
        role = "user" if t["speaker"] == told["speakers"][0] else "assistant"
        memory.add_message(role, t["text"], t["id"], speaker=t["speaker"], time=t["time"], session=t["session"])
        if i == 40:
            memory.add_message("user", "My name is Ada and my flight is on 3 May.")
    return memory


def recalls(memory: fp.ContextMemoryManager, asked: Sequence[str], told: Mapping[str, Any]) -> Iterator[Outcome]:
    """Several recalls, the memory growing between them, then a context."""
    first = memory.recall(asked[0], 300)
    yield first
    yield memory.recall([(asked[1], 1.0), (asked[2], 0.5)], 500, state=first.state)
    for t in told["turns"][-30:]:
        memory.add_message("user", t["text"], speaker=t["speaker"], time=t["time"])
    memory.add_message("user", asked[3])
    yield memory.recall(asked[3], 250, exclude=[k.doc_id for k in first.kept[:2]])
    for strategy in ("field", "window", "summary"):
        context = memory.get_context(strategy=strategy)
        yield {"text": context, "tokens": memory.tokens(), "kept": len(context), "dropped": memory.evicted}


def memory_cases(data: Path) -> Iterator[Case]:
    """A conversation: recalls and contexts, with bounds, other packers, saved and loaded."""
    told = rows(data / "locomo.conv.jsonl.gz")[1]
    asked = [q["question"] for q in chosen(told["questions"], 4)]
    kinds: dict[str, tuple[int, dict[str, Any]]] = {
        "default": (240, {}),
        "sentences": (160, {"packer": fp.ContextPacker(unit="sentence", titles=True)}),
        "cited, cl100k": (160, {"packer": fp.ContextPacker(unit="paragraph", cite=True, tokenizer="cl100k_base")}),
        "bounded": (240, {"max_messages": 120, "extract": True, "recent": 0.3}),
        "bounded tokens": (200, {"max_tokens": 2500}),
    }
    for name, (count, settings) in kinds.items():
        yield Case(f"memory/{name}", lambda c=count, s=settings: recalls(remembered(told, c, **s), asked, told))

    def loaded() -> Iterator[Outcome]:
        folder = Path(tempfile.mkdtemp(prefix="behaviour-")) / "memory"
        remembered(told, 120, extract=True).save(folder)
        return recalls(fp.ContextMemoryManager.load(folder), asked, told)

    yield Case("memory/loaded", loaded)
    yield Case("memory/empty", lambda: fp.ContextMemoryManager(500).recall("anything", 100))
    tools = fp.ContextMemoryManager(200)
    yield Case("memory/tool without call", lambda: tools.add_message("tool", "42", tool_call_id="c9") and {})


# Models, errors, frameworks, command line


def hashed(texts: list[str]) -> list[list[float]]:
    """Vectors that any machine makes alike: letters counted."""
    return [[1.0 + text.lower().count(c) for c in "abcdefghijklmnopqrstuvwxyz"] for text in texts]


def model_cases(data: Path) -> Iterator[Case]:
    """The sentence model, the cascade, a function as embedder and one as tokenizer."""
    plans: tuple[tuple[str, str, dict[str, Any], float], ...] = (
        ("minilm", "hotpotqa", {}, 0.15),
        ("minilm", "rgb_en_fact", {"unit": "sentence", "order": "relevance"}, 0.3),
        ("minilm", "entailment", {"unit": "paragraph"}, 0.3),
        ("minilm", "twowiki", {"cite": True, "tokenizer": "cl100k_base"}, 0.2),
        ("cascade", "hotpotqa", {}, 0.15),
        ("cascade", "entailment", {}, 0.3),
        ("cascade", "multihoprag_facts", {"unit": "paragraph"}, 0.05),
        ("cascade", "squad", {"cite": True}, 0.06),
        ("cascade", "cosqa", {}, 0.05),
    )
    for embedder, name, settings, share in plans:
        question = questions(data, name, 2)[1]
        way = Way(embedder, {"embedder": embedder, **settings}, share)
        yield Case(f"models/{embedder} {name}", lambda way=way, q=question: way.run(q))
        if name == "entailment":
            turns = replace(way, call=three_turns)
            yield Case(f"models/{embedder} {name} turns", lambda way=turns, q=question: way.run(q))
    question = questions(data, "hotpotqa", 2)[0]
    for name, settings in (
        ("function", {"embedder": hashed}),
        ("counter", {"tokenizer": lambda text: len(text.split())}),
    ):
        for unit in ("auto", "paragraph"):
            way = Way(name, {**settings, "unit": unit}, 0.2)
            yield Case(f"models/{name} {unit}", lambda way=way, q=question: way.run(q))

    def indexed(embedder: str, kind: Callable[[fp.Index], fp.Index]) -> Iterator[Outcome]:
        packer = fp.ContextPacker(embedder=embedder)
        return index_turns(kind(grown(packer, question.documents)), question, 150)

    yield Case("models/minilm index", lambda: indexed("minilm", lambda i: i))
    yield Case("models/minilm index, loaded", lambda: indexed("minilm", reloaded))
    yield Case("models/cascade index, loaded", lambda: indexed("cascade", reloaded))
    stream = {"hold": 3, "block": 3}
    packer = fp.ContextPacker(embedder="minilm")
    yield Case(
        "models/minilm stream", lambda: packer.pack_stream(question.query, iter(question.documents), 60, **stream)
    )


def error_cases(data: Path) -> Iterator[Case]:
    """What cannot be packed, and how that is said."""
    question = questions(data, "hotpotqa", 2)[0]
    query, documents, first = question.query, question.documents, question.documents[0]
    every = [d.id for d in documents]
    markdown = fp.Document("md", TEXTS["markdown"][1], "Client")
    long = fp.Document("long", TEXTS["long line"][1])
    packer, cited = fp.ContextPacker(), fp.ContextPacker(cite=True, order="relevance", unit="paragraph")
    index = packer.index(documents)
    tried: dict[str, Callable[[], Any]] = {
        "pins over the budget": lambda: packer.pack(query, documents, 60, pins=every),
        "pins over the budget, cited": lambda: cited.pack(query, documents, 60, pins=every[:3]),
        "pinned range over the budget": lambda: packer.pack(query, documents, 12, pins=[(first.id, 0, 300)]),
        "pinned long block": lambda: packer.pack("valve 7", [long, first], 40, pins=[("long", 0, 900)]),
        "pinned table": lambda: packer.pack("retries", [markdown], 25, pins=[("md", 120, 400)]),
        "pins over the budget of an index": lambda: index.pack(query, 30, pins=every[:2]),
        "pins over the budget of a stream": lambda: packer.pack_stream(
            query, iter(documents), 40, pins=every[:3], hold=3, block=3
        ),
        "pins that just fit": lambda: packer.pack(
            query, documents, just_enough(packer, query, documents), pins=every[:2]
        ),
        "unknown pin": lambda: packer.pack(query, documents, 100, pins=["nothing"]),
        "pin outside": lambda: packer.pack(query, documents, 100, pins=[(first.id, 5, 10**6)]),
        "pin of a stream that never came": lambda: packer.pack_stream(
            query, iter(documents), 100, pins=["nothing"], hold=3, block=3
        ),
        "blank query": lambda: packer.pack("  ", documents, 100),
        "no documents": lambda: packer.pack(query, [], 100),
        "blank documents": lambda: packer.pack(query, ["", " \n"], 100),
        "some blank documents": lambda: packer.pack(query, ["", *documents[:3], " \n\t"], 100),
        "budget of none": lambda: packer.pack(query, documents, 0),
        "the same id twice": lambda: packer.pack(query, [first, first], 100),
        "added twice": lambda: index.add(first).pack(query, 100),
        "weight too large": lambda: packer.pack([(query, 2.0)], documents, 100),
        "budget of one": lambda: packer.pack(query, documents, 1),
        "one word": lambda: packer.pack("word", "word", 1),
        "copies": lambda: packer.pack(query, [*documents, *(replace(d, id=d.id + "'") for d in documents)], 150),
        "only stop words": lambda: packer.pack("is it the", documents, 100),
        "unknown words": lambda: packer.pack("zxqv wqpt", documents, 100),
        "unknown unit": lambda: fp.ContextPacker(unit="page").pack(query, documents, 9),  # type: ignore[arg-type]
        "unknown encoding": lambda: fp.ContextPacker(tokenizer="o200k_bas").pack(query, documents, 9),
    }
    for name, run in tried.items():
        yield Case(f"errors/{name}", run)


def just_enough(packer: fp.ContextPacker, query: str, documents: Sequence[fp.Document]) -> int:
    """The budget that a BudgetError names."""
    try:
        packer.pack(query, documents, 20, pins=[d.id for d in documents[:2]])
    except fp.BudgetError as error:
        return error.needed
    return 20


def adapter_cases(data: Path) -> Iterator[Case]:
    """The three frameworks, each with three settings."""
    question = questions(data, "hotpotqa", 3)[1]
    budget = question.budget(0.2)
    kinds: dict[str, dict[str, Any]] = {
        "default": {},
        "sentences by relevance": {"packer": {"unit": "sentence", "order": "relevance"}},
        "titled paragraphs": {"packer": {"unit": "paragraph", "titles": True, "tokenizer": "cl100k_base"}},
        "function": {"embedder": hashed},
    }
    for kind, settings in kinds.items():
        for framework, run in (("langchain", langchain), ("llamaindex", llamaindex), ("haystack", haystack)):
            yield Case(f"adapters/{framework} {kind}", lambda run=run, s=settings: run(question, budget, s))


def langchain(question: Question, budget: int, settings: Mapping[str, Any]) -> Facets:
    from langchain_core.documents import Document

    from fieldpack.adapters.langchain import FieldpackCompressor

    given = [Document(id=d.id, page_content=d.text, metadata={"title": d.title}) for d in question.documents]
    found = FieldpackCompressor(budget=budget, **settings).compress_documents(given, question.query)
    return piece_facets([(d.id, d.page_content, d.metadata["fieldpack"], None) for d in found])


def llamaindex(question: Question, budget: int, settings: Mapping[str, Any]) -> Facets:
    from llama_index.core.schema import NodeWithScore, TextNode

    from fieldpack.adapters.llamaindex import FieldpackPostprocessor

    given = [
        NodeWithScore(node=TextNode(id_=d.id, text=d.text, metadata={"title": d.title}), score=0.5)
        for d in question.documents
    ]
    found = FieldpackPostprocessor(budget=budget, **settings).postprocess_nodes(given, query_str=question.query)
    return piece_facets([(n.node.node_id, n.node.get_content(), n.node.metadata["fieldpack"], n.score) for n in found])


def haystack(question: Question, budget: int, settings: Mapping[str, Any]) -> Facets:
    from haystack import Document

    from fieldpack.adapters.haystack import FieldpackRanker

    given = [Document(id=d.id, content=d.text, meta={"title": d.title}) for d in question.documents]
    found = FieldpackRanker(budget=budget, **settings).run(question.query, given)["documents"]
    return piece_facets([(d.id, d.content or "", d.meta["fieldpack"], d.score) for d in found])


def command(folder: Path, *arguments: str, given: str | None = None) -> Facets:
    """What `fieldpack pack --json` prints in the folder; its exit code and message where it fails."""
    places = [str(Path(p).resolve()) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places), "PYTHONIOENCODING": "utf-8"}
    line = [sys.executable, "-m", "fieldpack", "pack", "--json", *arguments]
    done = subprocess.run(line, cwd=folder, env=environment, input=given, capture_output=True, encoding="utf-8")
    if done.returncode:
        return {"error": [done.returncode, done.stderr], "tokens": 0, "kept": 0, "dropped": 0}
    return object_facets(json.loads(done.stdout))


def command_cases(data: Path) -> Iterator[Case]:
    """Files, standard input, and pins that do not fit, by the command line."""

    @cache
    def folder() -> Path:
        place = Path(tempfile.mkdtemp(prefix="behaviour-"))
        endings = {"markdown": "md", "source": "py", "log": "log", "json": "json"}
        for name, (_, text) in TEXTS.items():
            path = place / "files" / f"{name.replace(' ', '_')}.{endings.get(name, 'txt')}"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8", newline="")
        return place

    query, text = TEXTS["markdown"]
    yield Case("command/folder", lambda: command(folder(), "-q", query, "-b", "200", "--cite", "files"))
    yield Case(
        "command/standard input",
        lambda: command(folder(), "-q", query, "-b", "60", "--unit", "sentence", "-", given=text),
    )
    yield Case("command/pin", lambda: command(folder(), "-q", query, "-b", "60", "--pin", "files/log.log", "files"))


# The run

GROUPS: dict[str, Callable[[Path], Iterator[Case]]] = {
    **{name: lambda data, name=name: set_cases(data, name, questions(data, name)) for name in SETS},
    "locomo": lambda data: set_cases(data, "locomo", talk(data)),
    "texts": text_cases,
    "whole": whole_cases,
    "index": index_cases,
    "folder": folder_cases,
    "stream": stream_cases,
    "session": session_cases,
    "memory": memory_cases,
    "models": model_cases,
    "errors": error_cases,
    "adapters": adapter_cases,
    "command": command_cases,
}


def found_in(group: str, data: Path, only: str) -> tuple[str, float, dict[str, Facets]]:
    """The group, its seconds, and the facets of its packs."""
    started = time.perf_counter()
    out: dict[str, Facets] = {}
    for case in GROUPS[group](data):
        if only in case.name or only.startswith(case.name + " #"):
            out |= {name: one for name, one in found_by(case).items() if only in name}
    return group, time.perf_counter() - started, out


def run(data: Path, only: str, jobs: int) -> dict[str, Facets]:
    """{name: facets} of all packs; what it writes goes into a folder of its own that is removed."""
    out: dict[str, Facets] = {}
    with tempfile.TemporaryDirectory(prefix="behaviour-") as scratch:
        os.environ["TMPDIR"] = tempfile.tempdir = scratch
        with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
            waiting = [pool.submit(found_in, group, data, only) for group in GROUPS]
            for future in waiting:
                group, seconds, found = future.result()
                out |= found
                if found:
                    print(f"{group}: {len(found)} packs, {seconds:.1f} s", file=sys.stderr, flush=True)
    return out


def shortened(found: Mapping[str, Facets]) -> dict[str, Facets]:
    """Digests in place of all facets but the plain ones."""
    return {
        name: {key: v if key in (*EXACT, *NEAR) else digest(v) for key, v in one.items()} for name, one in found.items()
    }


def written(packs: Mapping[str, Facets]) -> str:
    """JSON with a line for each pack."""
    lines = [
        f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(one, separators=(',', ':'))}"
        for name, one in packs.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def same(key: str, a: Any, b: Any) -> bool:
    """Whether a facet is what it was."""
    if key in NEAR and a is not None and b is not None:
        return len(a) == len(b) and all(abs(x - y) <= 1 for x, y in zip(a, b, strict=True))
    return bool(a == b) or (key == "places" and os.environ[THREADS[0]] != "1")


def differences(stored: Mapping[str, Facets], found: Mapping[str, Facets]) -> dict[str, list[str]]:
    """{facet: names of the packs in which it differs}; packs that are on one side alone under "missing" and "new"."""
    out: dict[str, list[str]] = {}
    for name in dict.fromkeys([*stored, *found]):
        if name not in found or name not in stored:
            out.setdefault("missing" if name in stored else "new", []).append(name)
            continue
        for key in dict.fromkeys([*stored[name], *found[name]]):
            if not same(key, stored[name].get(key), found[name].get(key)):
                out.setdefault(key, []).append(name)
    return out


def report(
    stored: Mapping[str, Facets], short: Mapping[str, Facets], found: Mapping[str, Facets], verbose: bool
) -> int:
    """Says what differs; 1 when anything does."""
    differing = differences(stored, short)
    names = dict.fromkeys(name for some in differing.values() for name in some)
    print(f"{len(short)} packs, {len(names)} differ")
    for key, some in differing.items():
        print(f"\n{key}: {len(some)}")
        print("\n".join(f"  {name}" for name in (some if verbose else some[:12])))
        if len(some) > 12 and not verbose:
            print(f"  and {len(some) - 12} more")
    for name in names if verbose else ():
        print(f"\n== {name}")
        for kind, one in (("stored", stored), ("found ", short)):
            print(kind, {key: v for key, v in one.get(name, {}).items() if key in (*EXACT, *NEAR)})
        for key in [key for key, some in differing.items() if name in some and name in found and key not in NEAR]:
            print(f"-- {key}: {json.dumps(found[name].get(key), ensure_ascii=False, indent=1)}")
    return int(bool(differing))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = os.environ.get("FIELDPACK_DATA")
    parser.add_argument("--data", type=Path, default=folder, required=folder is None)
    parser.add_argument("--write", action="store_true", help="store what is found")
    parser.add_argument("--only", default="", help="packs whose names hold this")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--verbose", action="store_true", help="all names, and what was found where it differs")
    parser.add_argument("--raw", type=Path, help="file for all facets in full")
    given = parser.parse_args()
    for name in THREADS:
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    found = run(Path(given.data), given.only, given.jobs)
    short = shortened(found)
    if given.raw:
        given.raw.write_text(json.dumps(found, ensure_ascii=False, indent=1), "utf-8")
    stored = json.loads(STORED.read_text("utf-8")) if STORED.exists() else {}
    if given.write:
        STORED.write_text(written(stored | short if given.only else short), "utf-8")
        print(f"{len(short)} packs stored")
        return 0
    return report({k: v for k, v in stored.items() if given.only in k}, short, found, given.verbose)


if __name__ == "__main__":
    sys.exit(main())
