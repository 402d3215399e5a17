"""Trains the scorer's layers for documents with sections: listwise weights, then calibration.

    python models/build_sections.py --data FOLDER

FOLDER holds sets of whole folders of documentation, as make_folders.py writes them: NAME.folder.jsonl.gz, a file
a line, {"id", "text"}, and NAME.folder.queries.jsonl.gz, {"id", "query", "groups"}, where a group is a list of
alternatives {"doc", "start", "end"}. Every query is read in the whole folder and in pools of few of its files, so that
scores mean the same in both. Writes models/scorer/sections.json; with --check prints first how well weights trained
without each folder rank its evidence.
"""

import argparse
import gzip
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from fieldpack import Document
from fieldpack.arrays import sorted_unique
from fieldpack.corpus.build import CorpusReader
from fieldpack.corpus.corpus import in_rows
from fieldpack.embed.static import StaticEmbedder
from fieldpack.relevance.features import SECTION, SENTENCE, paragraph_features, sentence_features
from fieldpack.relevance.query import parse_query
from fieldpack.relevance.scorer import FACTS, Layer, Scorer, facts
from fieldpack.relevance.sections import promising, section_features, section_signals
from fieldpack.relevance.shortlist import all_candidates, some_candidates
from fieldpack.relevance.signals import signals_of

POOLS = (0, 12)
"""Files read with those of a query; 0 for the whole folder."""
RIDGE = {"section": 3.0, "section_sentence": 3.0}
FREE = {"section": (), "section_sentence": ("length", "sentences", "first")}
PRIOR = {
    "section": {"paragraph": 0.3, "piece_cosine": 0.3, "section_bm25": 0.2, "piece_bm25": 0.2},
    "section_sentence": {"paragraph": 0.8, "maxsim_titled": 0.2, "neighbours": 0.2, "bm25": 0.1},
}
HARDEST, EVERY = 500, 8
"""Rows that the listwise weights see, the best by the prior; of how many negatives the calibration sees one."""
HERE = Path(__file__).resolve().parent


@dataclass
class Case:
    """A query in a pool. table (g, f); groups, sentence_groups: rows of the alternatives of each group."""

    signals: object
    table: np.ndarray
    raw: dict
    groups: list
    sentence_groups: list
    known: float


def read_lines(path):
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        return [json.loads(line) for line in file]


def read_folder(path, static, rng):
    documents = [Document(row["id"], row["text"]) for row in read_lines(path)]
    queries = read_lines(path.with_name(path.name.replace(".folder.", ".folder.queries.")))
    reader, scorer = CorpusReader(static), Scorer.load(HERE / "scorer" / "weights.json")
    whole = reader.read(documents)
    cases = []
    for query in queries:
        gold = {a["doc"] for group in query["groups"] for a in group}
        others = [d for d in documents if d.id not in gold]
        for count in POOLS:
            corpus = whole
            if count:
                picked = {others[i].id for i in rng.choice(len(others), min(count, len(others)), replace=False)}
                corpus = reader.read([d for d in documents if d.id in gold | picked])
            if corpus.sections is not None:
                cases.append(case_of(query, corpus, static, scorer))
    return cases


def case_of(query, corpus, static, scorer):
    parsed = parse_query(query["query"], corpus, static)
    groups = [[(corpus.numbers[a["doc"]], a["start"], a["end"]) for a in group] for group in query["groups"]]
    rows = [np.flatnonzero(in_rows(group, corpus.paragraphs.spans)) for group in groups]
    candidates, found = all_candidates(corpus), section_signals(parsed, corpus)
    if corpus.postings is not None:
        # With the evidence that the first stage misses: the weights are to find it.
        candidates = some_candidates(corpus, sorted_unique(np.concatenate([promising(found), *rows])))
    signals = signals_of(candidates, parsed)
    paragraph = paragraph_features(signals)
    features = section_features(signals, paragraph, scorer.paragraph.score(paragraph.table), found)
    sentences = [np.flatnonzero(in_rows(group, corpus.sentences.spans)) for group in groups]
    return Case(
        signals=signals,
        table=features.table,
        raw=paragraph.raw,
        groups=[np.searchsorted(candidates.paragraphs, r) for r in rows],
        sentence_groups=[np.searchsorted(candidates.sentences, r) for r in sentences],
        known=parsed.known,
    )


def listwise(layer, names, cases):
    """argmin of -sum_group log sum_alternatives softmax(X b) + ridge |b - prior|^2; weights of signals at least 0.
    cases: (table, groups)."""
    prior = np.array([PRIOR[layer].get(name, 0.0) for name in names])
    cases = [hardest(table, groups, prior) for table, groups in cases]

    def loss(b):
        value, slope = RIDGE[layer] * (b - prior) @ (b - prior), 2 * RIDGE[layer] * (b - prior)
        for x, groups in cases:
            s = x @ b
            p = np.exp(s - s.max())
            p /= p.sum()
            mean = x.T @ p
            for at in groups:
                share = p[at].sum() + 1e-12
                value -= np.log(share) / len(groups) / len(POOLS)
                slope -= (x[at].T @ (p[at] / share) - mean) / len(groups) / len(POOLS)
        return value, slope

    bounds = [(None if name in FREE[layer] else 0.0, None) for name in names]
    return minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=bounds).x


def hardest(table, groups, prior):
    """The rows that the prior ranks first, and those of the groups."""
    first = np.argsort(-(table @ prior), kind="stable")[:HARDEST]
    rows = sorted_unique(np.concatenate([first, *groups]))
    return table[rows].astype(float), [np.searchsorted(rows, at) for at in groups]


def calibrate(names, weights, cases):
    """slope and bias by logistic regression over all candidates; every case counts the same.
    cases: (table, groups, raw, known)."""
    xs, ys, ws = [], [], []
    for table, groups, raw, known in cases:
        score = table @ weights
        label = np.zeros(len(score))
        label[np.concatenate(groups)] = 1
        f = facts(score, raw, known)
        rows = np.flatnonzero((label > 0) | (np.arange(len(label)) % EVERY == 0))
        xs.append(np.c_[score[rows], np.repeat(f[None, 1:], len(rows), 0)])
        ys.append(label[rows])
        ws.append(np.where(label[rows] > 0, 1, EVERY) / len(label))
    x, y, w = np.concatenate(xs), np.concatenate(ys), np.concatenate(ws)
    fitted = LogisticRegression(C=10.0, max_iter=2000).fit(x, y, sample_weight=w * len(w) / w.sum())
    bias = np.r_[fitted.intercept_, fitted.coef_[0][1:]]
    return Layer(names, np.asarray(weights, np.float32), max(float(fitted.coef_[0][0]), 1e-3), bias.astype(np.float32))


def train(cases):
    b = listwise("section", SECTION, [(c.table, c.groups) for c in cases])
    section = calibrate(SECTION, b, [(c.table, c.groups, c.raw, c.known) for c in cases])
    tables = [sentence_features(c.signals, section.score(c.table)) for c in cases]
    b = listwise(
        "section_sentence",
        SENTENCE,
        [(t.table, c.sentence_groups) for t, c in zip(tables, cases, strict=True)],
    )
    sentence = calibrate(
        SENTENCE, b, [(t.table, c.sentence_groups, t.raw, c.known) for t, c in zip(tables, cases, strict=True)]
    )
    return section, sentence


def reciprocal_rank(cases, section):
    """Mean over groups of 1 / rank of the best alternative."""
    out = []
    for case in cases:
        score = section.score(case.table)
        out += [1 / (1 + int((score > score[at].max()).sum())) for at in case.groups if len(at)]
    return float(np.mean(out))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--check", action="store_true", help="also train without each folder, and measure on it")
    options = parser.parse_args()
    rng, static = np.random.default_rng(0), StaticEmbedder()
    files = sorted(p for p in Path(options.data).glob("*.folder.jsonl.gz"))
    sets = {p.name.split(".")[0]: read_folder(p, static, rng) for p in files}
    for name, cases in sets.items() if options.check else ():
        section, _ = train([c for n, cs in sets.items() if n != name for c in cs])
        print(f"{name}: {len(cases)} cases, reciprocal rank {reciprocal_rank(cases, section):.3f} without it")
    section, sentence = train([c for cs in sets.values() for c in cs])
    parts = {"section": section.to_dict(), "section_sentence": sentence.to_dict()}
    out = json.dumps({**parts, "trained_on": sorted(sets), "facts": FACTS}, indent=1) + "\n"
    (HERE / "scorer" / "sections.json").write_text(out, "utf-8")
    subprocess.run([sys.executable, str(HERE / "manifest.py")], check=True)
