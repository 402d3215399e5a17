"""Builds follow-up questions from labelled sets: the second of two questions about one document, as people ask it when
the first has just been answered.

    python benchmarks/build_followups.py --data FOLDER --out FOLDER [--sets squad,policyqa,locomo,qmsum] [--most 120]
                                         [--ask alone|joined|whole]

For each set, SET_followups.queries.jsonl.gz and SET_followups.passages.jsonl.gz in the schema of benchmarks/README.md,
so that `fieldpack bench --data OUT` reads them. A row's `query` is the follow-up; `previous` is the question before it,
`whole` the second question as its author wrote it, and the evidence is that of the second. `form` says how it was made:

* pronoun: names that both questions have are replaced ("it", "its"; "they", "their" where the set talks of people);
* left out: no name is shared; words of content that both questions have are left out ("And ... ?").

A pair is two questions next to each other in the file, of one document, the second with words of its own left. The same
files give the same bytes: nothing is drawn.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from fieldpack.bench import corpora, kinds
from fieldpack.bench.dataset import TALK, Query, evenly_spaced

SETS = ("squad", "policyqa", "locomo", "qmsum")
PEOPLE = ("locomo",)
"""Sets whose names are mostly those of people."""
MOST_LEFT = 5
"""Words of content that a follow-up by leaving out has at most: with more it is no short question."""
ASKED = ("alone", "joined", "whole")
DATES = re.compile(
    r"(january|february|march|april|may|june|july|august|september|october|november|december|\w+day)$", re.IGNORECASE
)
STOP = frozenset(
    [
        "a", "about", "after", "also", "an", "and", "any", "are", "as", "at", "be", "been", "before", "but", "by",
        "can", "could", "did", "do", "does", "during", "for", "from", "had", "has", "have", "how", "i", "if", "in",
        "into", "is", "it", "its", "many", "much", "of", "on", "or", "out", "s", "should", "so", "some", "such",
        "that", "the", "their", "them", "there", "these", "they", "this", "those", "to", "was", "were", "what",
        "when", "where", "which", "who", "whom", "whose", "why", "will", "with", "would", "you", "your",
    ]
)  # fmt: skip
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_NAME = re.compile(r"(?<!^)(?<![.?!] )\b[A-Z][\w’-]*(?: (?:(?:of|the|and|de|von) )?[A-Z][\w’-]*)*")
_LEAD = re.compile(r"(what|which|who|whom|when|where|why|how|is|are|was|were|do|does|did|can|could|will)\b", re.I)


@dataclass(frozen=True)
class FollowUp:
    """The follow-up, and how it was made: pronoun or left out."""

    query: str
    form: str


def follow_up(previous: str, whole: str, people: bool) -> FollowUp | None:
    """The second question as a follow-up of the first; None where they share nothing or nothing would be left."""
    shared = shared_names(previous, whole)
    if shared:
        text = whole
        for name in shared:
            text = replaced(text, name, previous, people)
        return FollowUp(text, "pronoun") if text != whole and left(text, previous) else None
    text = left_out(previous, whole)
    return FollowUp(text, "left out") if text else None


def shared_names(previous: str, whole: str) -> list[str]:
    """Names of the second question that the first has too, the longest first; a part of a longer one is left to it."""
    found = (n for n in _NAME.findall(whole) if not DATES.match(n))
    names = sorted({n.removesuffix("'s").removesuffix("’s") for n in found}, key=lambda n: (-len(n), n))
    words = set(map(str.lower, _WORD.findall(previous)))
    folded = {w.removesuffix("'s").removesuffix("’s") for w in words}
    return [n for n in names if all(part.lower() in folded | STOP for part in n.split()) and n.lower() not in STOP]


def replaced(text: str, name: str, previous: str, people: bool) -> str:
    """The name by a pronoun, with an article before it and a noun after it that the first question has too ("the
    Ottoman empire"); its possessive by a possessive."""
    bare, owner = ("they", "their") if people else ("it", "its")
    nouns = "|".join(re.escape(w) for w in _WORD.findall(previous) if w.islower() and w not in STOP)
    phrase = rf"(?:\b[Tt]he )?\b{re.escape(name)}" + (rf"(?: (?:{nouns})\b)?" if nouns else "")
    text = re.sub(rf"{phrase}['’]s\b", owner, text)
    return re.sub(rf"{phrase}\b", bare, text)


def left_out(previous: str, whole: str) -> str:
    """ "And", and the words of the second question that the first has not; "" where it would say nothing, or all."""
    before = {stem(w) for w in _WORD.findall(previous)}
    kept = [w for w in _WORD.findall(whole) if w.lower() not in STOP and stem(w) not in before]
    dropped = [w for w in _WORD.findall(whole) if w.lower() not in STOP and stem(w) in before]
    if not dropped or not 1 <= len(kept) <= MOST_LEFT:
        return ""
    lead = _LEAD.match(whole)
    asks = (
        f" {lead[0].lower()}" if lead and lead[0].lower() in ("who", "when", "where", "why", "how") else " what about"
    )
    return f"And{asks} {' '.join(kept)}?"


def left(text: str, previous: str) -> int:
    """Words of content of the follow-up that are not in the question before."""
    before = {stem(w) for w in _WORD.findall(previous)}
    return sum(w.lower() not in STOP and stem(w) not in before for w in _WORD.findall(text))


def stem(word: str) -> str:
    """Lower case, without the endings that most differ."""
    return re.sub(r"(ing|ed|es|s)$", "", word.lower()) or word.lower()


def pairs(name: str, cases: Sequence[Query]) -> Iterator[dict[str, Any]]:
    """Rows of follow-ups: neighbours in the file with the same candidates and evidence."""
    usable = [c for c in cases if c.gold and c.mode != "none"]
    for first, second in pairwise(usable):
        if first.passages is not second.passages or first.query == second.query:
            continue
        found = follow_up(first.query, second.query, name in PEOPLE)
        if found is None:
            continue
        yield {
            "id": f"{second.id}/follow-up",
            "query": found.query,
            "previous": first.query,
            "whole": second.query,
            "form": found.form,
            "doc": f"{name}/{doc_of(second)}",
            "gold": list(second.gold),
            "gold_spans": [{"pid": s.doc_id, "start": s.start, "end": s.end} for s in second.gold_spans],
            "answers": list(second.answers),
            "mode": second.mode,
            "same_gold": set(first.gold) == set(second.gold),
        }


def with_query(row: dict[str, Any], how: str) -> dict[str, Any]:
    """The row with its query "alone" (the follow-up), "joined" to the question before it, or "whole" as its author
    wrote it: what a session has to beat, twice, and what it can reach at most."""
    queries = {"alone": row["query"], "joined": f"{row['previous']} {row['query']}", "whole": row["whole"]}
    return {**row, "query": queries[how]}


def doc_of(case: Query) -> str:
    """A name for the candidates of a question: their document, or the conversation that its id begins with."""
    if case.kind == TALK:
        return case.id.rsplit("/", 1)[0]
    return str(case.passages[0].metadata.get("doc", case.passages[0].id))


def passages_of(name: str, cases: Iterable[Query], docs: set[str]) -> Iterator[dict[str, Any]]:
    """The candidates of the documents, once each."""
    done = set[str]()
    for case in cases:
        doc = f"{name}/{doc_of(case)}"
        if doc in docs and doc not in done:
            done.add(doc)
            for pos, p in enumerate(case.passages):
                yield {"id": p.id, "title": p.title, "text": p.text, "doc": doc, "pos": pos}


def load(data: Path, name: str) -> list[Query]:
    """A set of passages, or the conversation NAME.conv."""
    found = corpora.discover(data)
    return corpora.load(found[name if name in found else name + kinds.CONVERSATIONS.removesuffix(".jsonl")])


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Lines of JSON; no time in the gzip header, so that the same rows give the same bytes."""
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress(content.encode("utf-8"), mtime=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--ask", choices=ASKED, default="alone", help="what a row's query is: see with_query()")
    parser.add_argument("--most", type=int, default=120, help="pairs of each set, spread evenly")
    parsed = parser.parse_args()
    parsed.out.mkdir(parents=True, exist_ok=True)
    for name in parsed.sets.split(","):
        cases = load(parsed.data, name)
        rows = [with_query(row, parsed.ask) for row in evenly_spaced(list(pairs(name, cases)), parsed.most)]
        stem = f"{name}_followups" + ("" if parsed.ask == "alone" else f"_{parsed.ask}")
        write(parsed.out / f"{stem}.queries.jsonl.gz", rows)
        write(parsed.out / f"{stem}.passages.jsonl.gz", passages_of(name, cases, {r["doc"] for r in rows}))
        forms = {form: sum(r["form"] == form for r in rows) for form in ("pronoun", "left out")}
        print(f"{name}: {len(rows)} pairs; {', '.join(f'{k} {v}' for k, v in forms.items())}")


if __name__ == "__main__":
    main()
