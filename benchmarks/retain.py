"""Evidence of conversations inside 2,048 tokens, by the harness of the package retainkit (MIT): its records, its budget
at four characters a token, its measure.

    pip install retainkit
    python benchmarks/retain.py CONVERSATIONS.jsonl.gz [--budget 2048] [--policies fieldpack,retrieval,fact_memory]

CONVERSATIONS: one JSON object a line with `id`, `turns` ({"id", "session", "speaker", "text", "time"}) and `questions`
({"id", "question", "evidence": turn ids, "category"}). kept: questions whose evidence is all kept, in any part of its
turns; whole: in whole turns; by category the latter.

The policy `fieldpack`: each turn is a document, speaker and time its title; a turn gains by the turn that it answers
and by the one before it (`PackingSettings(reply, before)`); where the question names one speaker, that speaker's turns
gain 1 in log odds; turns are taken by log probability less 0.4 times the log of their cost, while they fit.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from retainkit.evaluate import Case, score
from retainkit.policies import DEFAULT_POLICIES
from retainkit.policies.base import fill, package, turn_fragments
from retainkit.tokens import char4, cost
from retainkit.types import Probe, Retained, Transcript, Turn

from fieldpack import ContextPacker, Document, PackingSettings
from fieldpack.corpus.corpus import Corpus
from fieldpack.request import Request
from fieldpack.scored import LazyReading

COST_EXPONENT = 0.4
GAIN = 0.3
SPEAKER = 1.0


class FieldpackPolicy:
    """Whole turns, chosen by fieldpack's relevance."""

    name = "fieldpack"
    query_aware = True

    def __init__(self) -> None:
        self.packer = ContextPacker(unit="paragraph", packing=PackingSettings(reply=GAIN, before=GAIN))
        self._corpora: dict[str, Corpus] = {}

    def select(self, transcript: Transcript, probe: Probe, budget: int, tokenizer: Any = char4) -> Retained:
        """What is kept for a probe."""
        corpus = self._corpus(transcript)
        request = Request.checked(probe.question, budget)
        vectors = self.packer.query_vectors(request.queries, corpus)
        rows = self.packer.relevance(request, corpus, LazyReading(corpus, vectors, None, self.packer.field)).logit
        logit = np.full(len(transcript.turns), -np.inf)
        np.maximum.at(logit, corpus.rows.doc, rows)
        named = {t.speaker for t in transcript.turns if t.speaker.lower() in probe.question.lower()}
        if len(named) == 1:
            logit += SPEAKER * np.array([t.speaker in named for t in transcript.turns])
        fragments = turn_fragments(transcript)
        costs = np.array([cost(f.text, tokenizer) for f in fragments])
        worth = -np.logaddexp(0, -logit) - COST_EXPONENT * np.log(costs)
        kept, _ = fill([fragments[i] for i in np.argsort(-worth, kind="stable").tolist()], budget, tokenizer)
        return package(self.name, budget, kept, tokenizer)

    def _corpus(self, transcript: Transcript) -> Corpus:
        if transcript.id not in self._corpora:
            documents = [Document(t.id, t.text, f"{t.speaker} {t.timestamp or ''}") for t in transcript.turns]
            self._corpora[transcript.id] = self.packer.embedded(self.packer.read(documents))
        return self._corpora[transcript.id]


def read_cases(path: Path) -> list[Case]:
    """Conversations with their questions; those without evidence are left out."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    cases = []
    for line in content.decode("utf-8").splitlines():
        talk = json.loads(line)
        turns = [Turn(t["id"], t["session"], t["speaker"], t["text"], t.get("time")) for t in talk["turns"]]
        known = {t.id for t in turns}
        probes = []
        for q in talk["questions"]:
            if evidence := tuple(e for e in q["evidence"] if e in known):
                probes.append(Probe(q["id"], q["question"], evidence, q.get("answer"), q.get("category")))
        cases.append(Case(Transcript(talk["id"], tuple(turns)), tuple(probes)))
    return cases


def row_of(policy: Any, cases: list[Case], budget: int) -> str:
    """One row of the table."""
    outcomes = []
    for case in cases:
        for probe in case.probes:
            retained = policy.select(case.transcript, probe, budget)
            if retained.tokens > budget:
                raise ValueError(f"{policy.name} kept {retained.tokens} tokens, the budget is {budget}")
            outcomes.append(score(retained, case.transcript, probe))
    tags = defaultdict(list)
    for o in outcomes:
        tags[o.tag].append(o.covered_whole)
    kept, whole = (100 * sum(getattr(o, n) for o in outcomes) / len(outcomes) for n in ("covered", "covered_whole"))
    by_tag = ", ".join(f"{tag} {100 * sum(v) / len(v):.1f}" for tag, v in sorted(tags.items(), key=str))
    return f"| {policy.name} | {len(outcomes)} | {kept:.1f} | {whole:.1f} | {by_tag} |"


def main() -> None:
    """Reads the arguments, writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conversations", type=Path)
    parser.add_argument("--budget", type=int, default=2048)
    parser.add_argument("--policies", default="fieldpack")
    arguments = parser.parse_args()
    cases = read_cases(arguments.conversations)
    policies = {p.name: p for p in (FieldpackPolicy(), *DEFAULT_POLICIES)}
    sys.stdout.write("| policy | questions | kept | whole | whole by category |\n|---|--:|--:|--:|---|\n")
    for name in arguments.policies.split(","):
        sys.stdout.write(row_of(policies[name], cases, arguments.budget) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
