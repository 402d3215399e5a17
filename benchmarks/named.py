"""What a named attractor does to a pack: its weight in log odds, measured.

    python benchmarks/named.py --data FOLDER [--texts 400] [--out FILE]

Texts of agnews at 10 % of their tokens; an attractor has three keywords of a label. Without a query: the share of the
kept characters whose text has the label, without the attractor and with it. With a query (the keywords of another
label), for each weight: the share of the label that is asked for, and of the one that is named, over all pairs.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fieldpack.bench.dataset import evenly_spaced, records
from fieldpack.field.settings import FieldSettings, NamedAttractor
from fieldpack.pipeline import ContextPacker
from fieldpack.relevance import drawn
from fieldpack.request import Request
from fieldpack.types import Document

HERE = Path(__file__).resolve().parent
WEIGHTS = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
SHARE = 0.1
KEYWORDS = {
    "World": ("government", "war", "president"),
    "Sports": ("game", "team", "season"),
    "Business": ("company", "market", "profit"),
    "Sci/Tech": ("software", "science", "internet"),
}


def named(packer: ContextPacker, words: Sequence[str]) -> ContextPacker:
    return replace(packer, field=FieldSettings(attractors=(NamedAttractor("topic", 1.0, tuple(words)),)))


def with_query(documents: Sequence[Document], label: dict[str, str], names: Sequence[str]) -> list[dict[str, Any]]:
    """For each weight the mean share of what is asked for and of what is named, over all pairs of two labels."""
    packer = ContextPacker()
    index = packer.index(documents)
    budget, out = int(SHARE * sum(index.corpus.rows.tokens.tolist())), []
    for weight in WEIGHTS:
        drawn.NAMED_WEIGHT = weight
        shares = []
        for asked, other in itertools.permutations(names, 2):
            with_named = named(packer, KEYWORDS[other])
            request = Request.checked(" ".join(KEYWORDS[asked]), budget, enough=1.0)
            kept = with_named.pack_corpus(request, index.corpus).kept
            shares.append([_of_label(kept, label, name) for name in (asked, other)])
        asked_share, named_share = np.mean(shares, 0)
        out.append({"weight": weight, "asked": round(float(asked_share), 3), "named": round(float(named_share), 3)})
    return out


def without_query(documents: Sequence[Document], label: dict[str, str], names: Sequence[str]) -> dict[str, Any]:
    packer, out = ContextPacker(), {}
    budget = int(SHARE * sum(packer.tokenizer.count(d.text) for d in documents))
    plain = packer.pack(None, documents, budget).kept
    for name in names:
        kept = named(packer, KEYWORDS[name]).pack(None, documents, budget).kept
        out[name] = {"without": _of_label(plain, label, name), "named": _of_label(kept, label, name)}
    return out


def _of_label(kept: Sequence[Any], label: dict[str, str], name: str) -> float:
    size = [(k.end - k.start, label[k.doc_id] == name) for k in kept]
    return round(sum(s for s, own in size if own) / max(sum(s for s, _ in size), 1), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "named.json")
    options = parser.parse_args()
    path = next(iter(sorted(options.data.glob("agnews.topics.jsonl*"))))
    rows = list(evenly_spaced([r for r in records(path) if r["label"] in KEYWORDS], options.texts))
    documents = [Document(str(i), row["text"]) for i, row in enumerate(rows)]
    label = {str(i): str(row["label"]) for i, row in enumerate(rows)}
    results = {
        "command": f"python benchmarks/named.py --data FOLDER --texts {options.texts}",
        "shipped": drawn.NAMED_WEIGHT,
        "without a query": without_query(documents, label, tuple(KEYWORDS)),
        "with a query": with_query(documents, label, tuple(KEYWORDS)),
    }
    options.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
