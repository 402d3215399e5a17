"""Conversation memory and packs over turns: python benchmarks/memory.py --data FOLDER

recall     a file of conversations with questions and their evidence turns (NAME.conv.jsonl[.gz]: {"turns": [{"id",
           "speaker", "text", "time", "session"}], "questions": [{"question", "evidence": [turn ids], "category"}]}).
           Share of the evidence turns whose text is recalled whole, by kept id, at 500, 1,000 and 2,000 tokens. Every
           system pays for what it shows by the same rendering: "speaker", a line break, the turn, a blank line.
           Windowing and top-k take the next turn that fits and skip what does not.
tried      the same with parts taken out or set otherwise, on every n-th question.
stability  pairs of neighbouring questions over the same documents: tokens of the second prompt that begin it as they
           began the first, against the evidence that it keeps, for several prices of switching.
speed      a conversation of 5,000 turns, and a pack over an index of 100,000 segments.

Nothing here is fitted to the data: the weights are the shipped ones. What was tried is in the results, good or bad.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from fieldpack.analysis.metrics import evidence_kept, paired_bootstrap
from fieldpack.bench.corpora import load
from fieldpack.bench.dataset import records
from fieldpack.bench.machine import machine
from fieldpack.embed.static import StaticEmbedder
from fieldpack.field.couplings import TurnGains
from fieldpack.memory import ContextMemoryManager, turns
from fieldpack.pipeline import ContextPacker
from fieldpack.prompt import common_prefix
from fieldpack.session import Session
from fieldpack.text.tokens import tokenizer
from fieldpack.types import Document

BUDGETS = (500, 1000, 2000)
ADVERSARIAL = "adversarial"
TOKENS = tokenizer("o200k_base")
Scores = dict[str, dict[int, list[float]]]


def conversations(folder: Path) -> list[dict[str, Any]]:
    files = [folder] if folder.is_file() else sorted(folder.glob("*.conv.jsonl*"))
    return [row for file in files for row in records(file)]


def questions(conversation: dict[str, Any], every: int, adversarial: bool = False) -> list[tuple[str, list[str], str]]:
    known = {t["id"] for t in conversation["turns"]}
    out = []
    for q in conversation["questions"]:
        wanted = [e for e in q["evidence"] if e in known]
        if wanted and (q["category"] == ADVERSARIAL) == adversarial:
            out.append((q["question"], wanted, q["category"]))
    return out[::every]


def memory_of(
    conversation: dict[str, Any], packer: ContextPacker, fields: Sequence[str], transcript: bool = False
) -> ContextMemoryManager:
    """transcript: each text begins with the speaker's name."""
    memory = ContextMemoryManager(1000, packer)
    first = conversation["turns"][0]["speaker"]
    for t in conversation["turns"]:
        role = "user" if t["speaker"] == first else "assistant"
        text = f"{t['speaker']}: {t['text']}" if transcript else t["text"]
        memory.add_message(role, text, id=t["id"], **{f: t[f] for f in fields if f in t})
    return memory


def recalled(
    talks: list[dict[str, Any]],
    packer: ContextPacker,
    every: int = 1,
    fields: Sequence[str] = ("speaker", "time", "session"),
    adversarial: bool = False,
    partly: bool = False,
    transcript: bool = False,
) -> tuple[dict[int, list[float]], list[str]]:
    """Per budget the share of evidence turns of each question; and the questions' categories. partly: a turn of which
    some sentences were kept counts by its characters."""
    out: dict[int, list[float]] = {b: [] for b in BUDGETS}
    kinds: list[str] = []
    for talk in talks:
        memory = memory_of(talk, packer, fields, transcript)
        length = {t["id"]: len(t["text"].strip()) for t in talk["turns"]}
        for question, wanted, kind in questions(talk, every, adversarial):
            kinds.append(kind)
            for budget in BUDGETS:
                result = memory.recall(question, budget)
                assert result.tokens <= budget
                have = dict.fromkeys(length, 0)
                for k in result.kept:
                    have[k.doc_id] += k.end - k.start
                shares = [min(1.0, have[w] / length[w]) for w in wanted]
                # white space between paragraphs is nobody's
                out[budget].append(float(np.mean(shares if partly else [s > 0.97 for s in shares])))
    return out, kinds


def top_k(talks: list[dict[str, Any]], every: int = 1, minilm: bool = True) -> Scores:
    """Windowing and top-k, each over the texts with the speaker's name, and with name and time of the session."""
    embedders: dict[str, Any] = {"dense_static": StaticEmbedder()}
    if minilm:
        from fieldpack.embed.onnx import OnnxEmbedder

        embedders["dense_minilm"] = OnnxEmbedder(threads=1)
    scores: Scores = {}
    for talk in talks:
        asked = questions(talk, every)
        named = [f"{t['speaker']}: {t['text']}" for t in talk["turns"]]
        timed = [f"{t['time']} {n}" for t, n in zip(talk["turns"], named, strict=True)]
        cost = TOKENS.count_many([f"{t['speaker']}\n{t['text'].strip()}\n\n" for t in talk["turns"]])
        ranks: dict[str, Callable[[str], np.ndarray]] = {"window": lambda q, n=named: np.arange(len(n))}
        for label, texts in (("", named), ("+time", timed)):
            ranks[f"bm25{label}"] = bm25(texts)
            for name, embedder in embedders.items():
                rows = embedder.embed(texts)
                ranks[f"{name}{label}"] = lambda q, rows=rows, e=embedder: rows @ e.embed([q])[0]
        for name, rank in ranks.items():
            for question, wanted, _ in asked:
                order = np.argsort(-rank(question), kind="stable")
                for budget in BUDGETS:
                    kept = filled(order, cost, budget)
                    share = float(np.mean([talk_id(talk, w) in kept for w in wanted]))
                    scores.setdefault(name, {b: [] for b in BUDGETS})[budget].append(share)
    return scores


def talk_id(talk: dict[str, Any], name: str) -> int:
    return next(i for i, t in enumerate(talk["turns"]) if t["id"] == name)


def filled(order: np.ndarray, cost: np.ndarray, budget: int) -> set[int]:
    kept: set[int] = set()
    for i in order.tolist():
        if cost[i] <= budget:
            kept.add(i)
            budget -= int(cost[i])
    return kept


def bm25(texts: list[str]) -> Callable[[str], np.ndarray]:
    import bm25s

    corpus = bm25s.tokenize(texts, stopwords="en", show_progress=False)
    index = bm25s.BM25()
    index.index(corpus, show_progress=False)

    def rank(query: str) -> np.ndarray:
        words = bm25s.tokenize([query], stopwords="en", show_progress=False, return_ids=False)[0]
        known = [w for w in words if w in corpus.vocab]
        return np.asarray(index.get_scores(known)) if known else np.zeros(len(texts))

    return rank


def means(scores: dict[int, list[float]]) -> dict[str, float]:
    return {str(b): round(float(np.mean(v)), 4) for b, v in scores.items()}


def recall_section(folder: Path, every: int, tried: int) -> dict[str, Any]:
    talks = conversations(folder)
    packer = ContextPacker(unit="paragraph", titles=True)
    ours, kinds = recalled(talks, packer, every)
    others = top_k(talks, every)
    rng = np.random.default_rng(0)
    against = {}
    for b in BUDGETS:
        best = max(others, key=lambda name: float(np.mean(others[name][b])))
        gap = paired_bootstrap(ours[b], others[best][b], rng)
        bar = float(np.mean(others[best][b]))
        against[str(b)] = {
            "best of them": best,
            "its share": round(bar, 4),
            "ours": round(float(np.mean(ours[b])), 4),
            "relative gain": round(float(np.mean(ours[b])) / bar - 1, 4),
            "difference": [round(x, 4) for x in gap],
        }
    by_kind = {
        kind: {
            str(b): round(float(np.mean([s for s, k in zip(ours[b], kinds, strict=True) if k == kind])), 4)
            for b in BUDGETS
        }
        for kind in sorted(set(kinds))
    }
    apart, _ = recalled(talks, packer, max(every, tried), adversarial=True)
    return {
        "measure": "share of evidence turns recalled whole, adversarial questions apart",
        "conversations": len(talks),
        "questions": len(kinds),
        "fieldpack": means(ours),
        "by category": by_kind,
        "others": {name: means(s) for name, s in others.items()},
        "against the best of them": against,
        "adversarial (evidence of the wrong speaker)": means(apart),
    }


def variants(talks: list[dict[str, Any]], every: int) -> dict[str, Any]:
    """What the parts are worth, on every so manieth question."""
    packer = ContextPacker(unit="paragraph", titles=True)
    out: dict[str, Any] = {"every": every, "default": means(recalled(talks, packer, every)[0])}
    untitled = replace(packer, titles=False)
    out["names not shown"] = means(recalled(talks, untitled, every)[0])
    out["no time"] = means(recalled(talks, packer, every, ("speaker", "session"))[0])
    out["no sessions"] = means(recalled(talks, packer, every, ("speaker", "time"))[0])
    out["names in the text, no fields"] = means(recalled(talks, packer, every, (), transcript=True)[0])
    out["role and content alone"] = means(recalled(talks, packer, every, ())[0])
    sentences = replace(untitled, unit="sentence")
    out["sentences, names not shown: turns whole"] = means(recalled(talks, sentences, every)[0])
    out["sentences, names not shown: characters"] = means(recalled(talks, sentences, every, partly=True)[0])
    usual = turns.GAINS
    for reply, before in ((0.0, 0.0), (0.2, 0.0), (0.4, 0.0), (0.2, 0.2), (0.6, 0.2)):
        turns.GAINS = TurnGains(reply, before)
        out[f"reply {reply}, before {before}"] = means(recalled(talks, packer, every)[0])
    turns.GAINS = usual
    return out


def stability_section(folder: Path, names: Sequence[str], limit: int) -> dict[str, Any]:
    out: dict[str, Any] = {"budget": 1000, "sets": {}}
    for name in names:
        pairs = neighbours(folder, name, limit)
        packer = ContextPacker()
        rows = {}
        for price in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0):
            rows[str(price)] = two_turns(pairs, packer, price)
        out["sets"][name] = {"pairs": len(pairs), "switching": rows}
    return out


def neighbours(folder: Path, name: str, limit: int) -> list[tuple[Any, Any]]:
    found = load(next(p for p in folder.glob(f"{name}*") if "passages" not in p.name))
    same = [(a, b) for a, b in pairwise(found) if a.passages == b.passages and a.gold and b.gold]
    step = max(1, len(same) // limit)
    return same[::step][:limit]


def two_turns(pairs: Iterable[tuple[Any, Any]], packer: ContextPacker, price: float) -> dict[str, float]:
    reused, plain, kept = [], [], []
    for first, second in pairs:
        session = Session(packer, switching=price)
        index = packer.index(first.passages)
        before = session.turn(first.query, index, budget=1000).text
        after = session.turn(second.query, index, budget=1000).text
        same = after[: common_prefix(before, after)]
        plain.append(TOKENS.count(same) / max(TOKENS.count(after), 1))
        reused.append(session.prompt.prefix_tokens / max(session.prompt.tokens, 1))
        spans = [
            (k.rpartition(":")[0], *map(int, k.rpartition(":")[2].split("-")))
            for p in session.prompt.pieces
            for k in p.keys
        ]
        kept.append(evidence_kept(second.evidence(), spans))
    return {
        "prefix tokens reused": round(float(np.mean(reused)), 4),
        "the same in reading order": round(float(np.mean(plain)), 4),
        "evidence kept": round(float(np.mean(kept)), 4),
    }


def speed_section(folder: Path, turns_count: int, segments: int) -> dict[str, Any]:
    sentences = [
        s for talk in conversations(folder) for t in talk["turns"] for s in t["text"].split(". ") if len(s) > 20
    ]
    rng = np.random.default_rng(0)
    memory = ContextMemoryManager(1000)
    added = []
    for k in range(turns_count):
        text = ". ".join(sentences[i] for i in rng.integers(0, len(sentences), 3))
        added.append(timed(lambda k=k, t=text: memory.add_message("user" if k % 2 else "assistant", t)))
    asked = [sentences[i] for i in rng.integers(0, len(sentences), 24)]
    recalls = [timed(lambda q=q: memory.recall(q, 1000)) for q in asked]
    growing = []
    for q in asked[:8]:
        memory.add_message("user", f"One more: {q}")
        growing.append(timed(lambda q=q: memory.recall(q, 1000)))
    documents = [
        Document(str(d), " ".join(sentences[i].rstrip(".") + "." for i in rng.integers(0, len(sentences), 5)))
        for d in range(segments * 10 // 69)  # 6.9 sentences each
    ]
    packer = ContextPacker(unit="sentence")
    start = time.process_time()
    index = packer.index(documents)
    built = time.process_time() - start
    index.pack(asked[0], 1000)
    packs = [timed(lambda q=q: index.pack(q, 1000)) for q in asked]
    questions_too = [q for talk in conversations(folder) for q, _, _ in questions(talk, 40)][:24]
    packs += [timed(lambda q=q: index.pack(q, 1000)) for q in questions_too]
    clocks = [timed(lambda q=q: index.pack(q, 1000), time.perf_counter) for q in (*asked, *questions_too)]
    return {
        "unit": "processor time",
        "memory": {
            "turns": turns_count,
            "add, median ms of the first and last thousand": [
                round(float(np.median(added[:1000])), 3),
                round(float(np.median(added[-1000:])), 3),
            ],
            "first recall ms (reads all)": round(recalls[0], 1),
            "later recalls, median ms": round(float(np.median(recalls[1:])), 1),
            "recall after one more message, median ms": round(float(np.median(growing)), 1),
        },
        "index": {
            "segments": len(index),
            "built in s": round(built, 1),
            "pack, median ms on the clock": round(float(np.median(clocks)), 1),
            "pack, median ms": round(float(np.median(packs)), 1),
            "pack, ninth of ten, ms": round(float(np.quantile(packs, 0.9)), 1),
        },
    }


def timed(run: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> float:
    """Milliseconds, of processor time unless another clock is given: what else the machine does matters less there."""
    start = clock()
    run()
    return (clock() - start) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("FIELDPACK_DATA"), help="folder of data sets")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "memory.json")
    parser.add_argument("--only", default="recall,tried,stability,speed")
    parser.add_argument("--every", type=int, default=1, help="take every n-th question")
    parser.add_argument("--tried", type=int, default=8, help="variants take every n-th question")
    parser.add_argument("--sets", default="squad,policyqa,chunkeval")
    parser.add_argument("--pairs", type=int, default=40)
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data or FIELDPACK_DATA must name a folder of data sets")
    results = json.loads(options.out.read_text()) if options.out.is_file() else {}
    results["machine"] = {**machine(), "load": [round(x, 1) for x in os.getloadavg()]}
    for section in options.only.split(","):
        if section == "recall":
            results[section] = recall_section(options.data, options.every, options.tried)
        elif section == "tried":
            results[section] = variants(conversations(options.data), options.tried)
        elif section == "stability":
            results[section] = stability_section(options.data, options.sets.split(","), options.pairs)
        elif section == "speed":
            results[section] = speed_section(options.data, 5000, 100_000)
        else:
            parser.error(f"unknown section {section!r}; known: recall, tried, stability, speed")
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(results, indent=1) + "\n")
        print(json.dumps(results[section], indent=1))


if __name__ == "__main__":
    main()
