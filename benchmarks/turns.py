"""Packs over the turns of a conversation: python benchmarks/turns.py --data FOLDER [--page]

Queries about one document (or one pool) as consecutive turns, the state of each carried to the next. For the default,
for other values of `residue_weight`, for the boundary's admission (the permeability that the state has come
to), and for every other switch of src/fieldpack/bench/fieldpack_systems.py:

evidence  share of the evidence's characters kept, over all turns
overlap   tokens of the rows that two consecutive packs share, over those of the rows that either has
again     share of a pack's row tokens that the pack before showed too
prefix    share of a pack's tokens that begin it as they began the one before (what a prompt cache can reuse)
used      share of the budget used

Each switch minus the default over the same turns; 95 % bootstrap intervals over conversations, drawn within sets.
Weights are those trained without the set at hand. One budget a set: 10 % of the candidates' tokens, or 1,000 where
these are many. `faint`: what was packed is carried with its relevance as its strength, not with 1. `Session`: its price
of switching, and its prompt, which puts what was shown before first.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fieldpack.bench import budgets, fieldpack_systems, quality, tables
from fieldpack.bench.context import Context, Packed
from fieldpack.bench.dataset import Query, Span, evenly_spaced, same_pool
from fieldpack.bench.machine import machine
from fieldpack.bench.measures import measure
from fieldpack.bench.statistics import Gap, mean_gap
from fieldpack.corpus.reading import read_field
from fieldpack.embed.service import EmbeddingService
from fieldpack.field.state import FieldState
from fieldpack.prompt import common_prefix
from fieldpack.request import Request
from fieldpack.session import Session
from fieldpack.text.tokens import tokenizer

HERE = Path(__file__).resolve().parent
SETS = "squad,evinf,policyqa,chunkeval,multihoprag_facts,xquad_de,qmsum"
DEFAULT = "residue_weight 1"
MEASURES = ("evidence", "overlap", "again", "prefix", "used")
LEAST, SHARE, MANY = 3, 0.10, 1000.0
Talk = Sequence[Query]
Row = dict[str, Any]


class Switch(NamedTuple):
    """What a row of the table is: a packer, and how much its residue weighs."""

    name: str
    system: fieldpack_systems.Fieldpack
    residue_weight: float = 1.0
    faint: bool = False
    session: bool = False


def switches(every: bool = True) -> list[Switch]:
    """The default first. every: with those that have nothing to do with turns."""
    default = replace(fieldpack_systems.systems()[0], reuse=True)  # type: ignore[type-var]
    bounded = replace(default, name="boundary", bias=fieldpack_systems.boundary)
    faint = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
    out = [Switch(DEFAULT, default)]
    out += [Switch(f"residue_weight {w:g}", default, w) for w in (0.0, 0.5, 1.5, 2.0, 4.0)]
    out += [Switch(f"faint, residue_weight {w:g}", default, w, faint=True) for w in faint]
    out += [Switch("Session", default, session=True)]
    out += [Switch(f"boundary, residue_weight {w:g}", bounded, w) for w in (1.0, 0.0)]
    rest = [s for s in fieldpack_systems.ablations() if s.name != "with_boundary"]
    return out + [Switch(s.name, s) for s in rest if every]  # type: ignore[arg-type]


def talks(cases: Iterable[Query], turns: int, limit: int) -> list[Talk]:
    """Conversations: up to `turns` consecutive queries with the same candidates, `limit` of them at even distances."""
    return evenly_spaced(same_pool((c for c in cases if c.mode != "none"), turns, LEAST), limit)


def walked(talk: Talk, switch: Switch, budget: int, context: Context) -> list[Row]:
    """One row a turn: MEASURES, those of two packs None in the first turn, and the permeability."""
    if switch.session:
        return in_session(talk, switch, budget, context)
    state, before, out = None, None, []
    for case in talk:
        corpus = switch.system.corpus(case, context)
        packer = replace(switch.system.packer(corpus, context), residue_weight=switch.residue_weight)
        share = None
        if switch.system.bias is not None:
            share = read_field(corpus, None, state, packer.field).permeability
        result = switch.system.pack(packer, Request.checked(case.query, budget), corpus, state, share)
        state = weakened(result) if switch.faint else result.state
        out.append({**scored(case, result, budget, context), "permeability": result.reading.permeability})
        if before is not None:
            out[-1] |= shared(before, result, context)
        before = result
    return out


def in_session(talk: Talk, switch: Switch, budget: int, context: Context) -> list[Row]:
    """The same by a Session; prefix is that of its prompt."""
    packer = switch.system.packer(switch.system.corpus(talk[0], context), context)
    session = Session(replace(packer, residue_weight=switch.residue_weight))
    index = session.packer.index(talk[0].passages)
    before, out = None, []
    for case in talk:
        result = session.turn(case.query, index, budget)
        out.append({**scored(case, result, budget, context), "permeability": result.reading.permeability})
        if before is not None:
            prefix = session.prompt.prefix_tokens / max(session.prompt.tokens, 1)
            out[-1] |= {**shared(before, result, context), "prefix": prefix}
        before = result
    return out


def weakened(result: Any) -> FieldState:
    """The next state, what was just packed with its relevance as its strength."""
    score = {f"{k.doc_id}:{k.start}-{k.end}": k.score for k in result.kept}
    residue = result.state.residue
    fragments = tuple(replace(f, strength=score.get(f.key, f.strength)) if f.age == 0 else f for f in residue.fragments)
    return replace(result.state, residue=replace(residue, fragments=fragments))


def scored(case: Query, result: Any, budget: int, context: Context) -> Row:
    """evidence and used of one pack."""
    spans = tuple(Span(k.doc_id, k.start, k.end) for k in result.kept)
    found = measure(case, Packed(result.text, spans, result.text), budget, context)
    return {"evidence": found["evidence"], "used": result.tokens / budget}


def shared(before: Any, result: Any, context: Context) -> dict[str, float]:
    """overlap, again and prefix of a pack and the one before it, both of the same rows."""
    tokens = result.segments.tokens
    both = int(tokens[before.inside & result.inside].sum())
    either = int(tokens[before.inside | result.inside].sum())
    same = context.tokenizer.count(result.text[: common_prefix(before.text, result.text)])
    return {
        "overlap": both / max(either, 1),
        "again": both / max(int(tokens[result.inside].sum()), 1),
        "prefix": same / max(result.tokens, 1),
    }


def measured(name: str, options: quality.Options, every: Sequence[Switch], turns: int, limit: int) -> dict[str, Any]:
    """{"budget", "turns", "talks": {switch: {measure: mean of each conversation}}} of a set."""
    cases = quality.cases_of(name, options)
    context = Context(EmbeddingService("static"), tokenizer(options.encoding), quality.weights_of(name, options))
    chosen = talks(cases, turns, limit)
    sizes = budgets.candidate_tokens([t[0] for t in chosen], context.tokenizer)
    share = MANY if sum(sizes) / len(sizes) > budgets.LARGE else SHARE
    found: dict[str, dict[str, list[float]]] = {s.name: {m: [] for m in (*MEASURES, "permeability")} for s in every}
    for talk, size in zip(chosen, sizes, strict=True):
        for switch in every:
            rows = walked(talk, switch, budgets.tokens_of(share, size), context)
            for m, values in found[switch.name].items():
                values.append(float(np.mean([r[m] for r in rows if m in r])))
    return {"budget": budgets.label(share), "turns": sum(map(len, chosen)), "talks": found}


def compared(sets: Mapping[str, Any]) -> list[Row]:
    """One entry for each switch and set and for their mean: for each measure [difference, low, high]."""
    out = []
    names = list(next(iter(sets.values()))["talks"])
    for name in (n for n in names if n != DEFAULT):
        gaps = {m: {s: _gaps(found["talks"], name, m) for s, found in sets.items()} for m in MEASURES}
        for place in ("mean", *sets):
            some = {m: gaps[m] if place == "mean" else {place: gaps[m][place]} for m in MEASURES}
            out.append({"switch": name, "set": place, **{m: list(mean_gap(some[m])) for m in MEASURES}})
    return out


def _gaps(talks: Mapping[str, Mapping[str, list[float]]], name: str, m: str) -> np.ndarray:
    return np.array(talks[name][m]) - np.array(talks[DEFAULT][m])


def summary(sets: Mapping[str, Any], command: str) -> dict[str, Any]:
    about, base = {}, {}
    for name, found in sets.items():
        mine = found["talks"][DEFAULT]
        about[name] = {"conversations": len(mine["evidence"]), "turns": found["turns"], "budget": found["budget"]}
        base[name] = {m: round(float(np.mean(values)), 4) for m, values in mine.items()}
    head = {"kind": "turns", "command": command, "machine": machine(), "sets": about, "default": base}
    return {**head, "compared": compared(sets)}


def table(results: Mapping[str, Any]) -> str:
    """One row a switch: mean over the sets of each measure, with the interval; then evidence and overlap by set."""
    sets, base = list(results["sets"]), results["default"]
    found = {(r["switch"], r["set"]): r for r in results["compared"]}
    lines = [["*the default itself*", *(f"{np.mean([base[s][m] for s in sets]):.3f}" for m in MEASURES)]]
    lines[0] += [f"{base[s]['evidence']:.3f}, {base[s]['overlap']:.3f}" for s in sets]
    for name in dict.fromkeys(r["switch"] for r in results["compared"]):
        line = [name]
        for m in MEASURES:
            gap = Gap(*found[name, "mean"][m])
            line.append(f"{gap.difference:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]")
        line += [", ".join(str(Gap(*found[name, s][m])) for m in ("evidence", "overlap")) for s in sets]
        lines.append(line)
    return tables.markdown(["switch", *MEASURES, *(f"{s}: evidence, overlap" for s in sets)], lines)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("FIELDPACK_DATA"), required="FIELDPACK_DATA" not in os.environ)
    parser.add_argument("--sets", default=SETS, help="names, separated by commas")
    parser.add_argument("--turns", type=int, default=6, help="of a conversation at most")
    parser.add_argument("--conversations", type=int, default=10, help="of each set at most")
    parser.add_argument("--held-out", type=Path, default=HERE / "held_out")
    parser.add_argument("--few", action="store_true", help="residue and boundary only")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "turns.json")
    parser.add_argument("--page", action="store_true", help="put the table into benchmarks/README.md")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    o = arguments(argv)
    options = quality.Options(o.data, tuple(filter(None, o.sets.split(","))), limit=None, held_out=o.held_out)
    command = f"python benchmarks/turns.py --data FOLDER --turns {o.turns} --conversations {o.conversations}"
    sets: dict[str, Any] = {}
    for name in options.sets:
        sets[name] = measured(name, options, switches(not o.few), o.turns, o.conversations)
        print(f"{name}: {sets[name]['turns']} turns", file=sys.stderr, flush=True)
        quality.save(summary(sets, command), o.out, "compared")
    results = json.loads(o.out.read_text("utf-8"))
    if o.page:
        tables.insert(HERE / "README.md", "turns", table(results))
    print(table(results))


if __name__ == "__main__":
    main()
