"""Trains the scorer: listwise weights, then calibration; also with each set held out.

    python models/build_scorer.py --data FOLDER [--vectors minilm.npz] [--code FOLDER] [--held-out OUT_FOLDER]

FOLDER holds labelled sets in the schema that benchmarks/README.md describes. Sets whose licence forbids commercial use
(rgb, locomo, agnews) are never trained on. `--vectors`: an npz with "sha256" (n, 32) uint8 of the texts and
their "vectors" (n, d) by a sentence embedder, for the "dense" weights. `--code`: a set that
make_code_set.py wrote; with the sets of CODE it trains the layers for source code. Writes models/scorer/weights.json,
and OUT_FOLDER/<set>.json trained without that set and its kin.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from fieldpack.analysis.metrics import normalised_answer
from fieldpack.bench.corpora import discover, load_named
from fieldpack.corpus.build import CorpusReader
from fieldpack.corpus.corpus import in_rows, texts_of
from fieldpack.embed.static import StaticEmbedder
from fieldpack.relevance.features import DENSE, PARAGRAPH, SENTENCE, paragraph_features, sentence_features
from fieldpack.relevance.query import parse_query
from fieldpack.relevance.scorer import FACTS, LAYERS, OWN_FILE, Layer, facts
from fieldpack.relevance.shortlist import all_candidates
from fieldpack.relevance.signals import signals_of

NEVER = ("rgb", "locomo", "agnews")
CODE = ("cosqa",)
MOST_CANDIDATES = 300
RIDGE = {"paragraph": 1.0, "dense": 3.0, "sentence": 0.01, "code": 0.03, "code_dense": 0.03}
FREE = ("length", "sentences", "maxsim_met", "bm25_met", "dense_met")
LEXICAL = {
    "maxsim": 0.5,
    "maxsim_titled": 0.5,
    "bm25": 0.5,
    "neighbours": 0.3,
    "best_sentence": 0.3,
    "title": 0.3,
    "pairs": 0.2,
}
PRIOR = {"paragraph": {**LEXICAL, "cosine": 0.7}, "dense": {**LEXICAL, "dense": 1.5}}
"""A plain sum of signals, which does well on texts of other kinds: weights are drawn to a multiple of it."""
HERE = Path(__file__).resolve().parent


@dataclass
class Case:
    """One query: feature tables (n, f) of paragraphs and, where sentences are labelled, what sentence features need."""

    signals: object
    par: object
    dense: object
    par_label: np.ndarray
    sent_label: np.ndarray | None
    known: float


def kin(name):
    """Sets of one origin: what is held out together."""
    return {"xquad": "squad"}.get(name.split("_")[0], name.split("_")[0])


def read_set(folder, name, limit, static, vectors):
    reader, cache, cases = CorpusReader(static), {}, []
    for query in load_named(folder, name, limit):
        key = tuple(d.id for d in query.passages)
        if key not in cache:
            corpus = reader.read(query.passages)
            cache[key] = corpus, dense_rows(corpus, vectors)
        corpus, rows = cache[key]
        parsed = parse_query(query.query, corpus, static)
        # Every paragraph, in pools of any size: a shortlist would hide evidence that the weights are to find.
        signals = signals_of(all_candidates(corpus), parsed)
        dense = None
        if rows is not None and digest(query.query) in vectors:
            dense = rows @ vectors[digest(query.query)]
        par = paragraph_features(signals)
        with_dense = paragraph_features(signals, dense) if dense is not None else None
        spans = [(corpus.numbers[s.doc_id], s.start, s.end) for s in query.evidence() if s.doc_id in corpus.numbers]
        hit = in_rows(spans, corpus.sentences.spans).astype(float)
        par_label = np.maximum.reduceat(hit, corpus.starts)
        sent_label = sentence_labels(query, corpus, hit)
        cases.append(Case(signals, par, with_dense, par_label, sent_label, parsed.known))
    return cases


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def dense_rows(corpus, vectors):
    """(g, d): the passage's vector stands for each of its paragraphs."""
    if not vectors or any(digest(d.text) not in vectors for d in corpus.documents):
        return None
    rows = np.stack([vectors[digest(d.text)] for d in corpus.documents])
    return rows[corpus.paragraphs.spans.doc]


def sentence_labels(query, corpus, hit):
    """Sentences that overlap a gold span; without spans, sentences of gold passages that hold an answer; else None."""
    if query.gold_spans:
        return hit
    answers = [a for a in map(normalised_answer, query.answers) if a not in ("", "yes", "no")]
    if not answers or not hit.any():
        return None
    label = np.zeros(len(hit))
    evidence = np.flatnonzero(hit)
    for i, sentence in zip(evidence, texts_of(corpus.sentences.spans, corpus.documents, evidence), strict=True):
        text = f" {normalised_answer(sentence)} "
        label[i] = any(f" {a} " in text or (len(text) > 30 and text.strip() in a) for a in answers)
    return label if label.any() else None


def listwise(layer, names, tables, labels, weights):
    """argmin of -sum_query w mean_gold log softmax(X b)_gold + ridge min_a |b - a prior|^2, a >= 0; the scores' unit is
    nats. Weights of signals are at least 0 (monotone); those of FREE have any sign."""
    ridge, prior = RIDGE[layer], np.array([PRIOR.get(layer, {}).get(name, 0.0) for name in names])
    rng = np.random.default_rng(0)
    xs, ys, ws = [], [], []
    for x, y, w in zip(tables, labels, weights, strict=True):
        if 0 < y.sum() < len(y):
            other = np.flatnonzero(y == 0)
            other = rng.choice(other, MOST_CANDIDATES, replace=False) if len(other) > MOST_CANDIDATES else other
            rows = np.r_[np.flatnonzero(y), other]
            xs.append(x[rows]), ys.append(y[rows]), ws.append(w)
    sizes = [len(y) for y in ys]
    x, y, w = np.concatenate(xs).astype(float), np.concatenate(ys), np.array(ws)
    at = np.cumsum([0, *sizes[:-1]])
    query = np.repeat(np.arange(len(sizes)), sizes)
    share = (y / np.add.reduceat(y, at)[query]) * w[query]

    def loss(b):
        s = x @ b
        e = np.exp(s - np.maximum.reduceat(s, at)[query])
        p = e / np.add.reduceat(e, at)[query]
        off = b - max(b @ prior, 0) / max(prior @ prior, 1e-9) * prior
        return -(share * np.log(p + 1e-30)).sum() + ridge * off @ off, -(share - p * w[query]) @ x + 2 * ridge * off

    bounds = [(None if name in FREE else 0.0, None) for name in names]
    return minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=bounds).x


def calibrate(names, weights, cases, kind):
    """slope and bias by logistic regression over all candidates of all queries; every query counts the same."""
    xs, ys, ws = [], [], []
    for case, weight in cases:
        table, label, raw = kind(case)
        if label is None:
            continue
        score = table @ weights
        f = facts(score, raw, case.known)
        xs.append(np.c_[score, np.repeat(f[None, 1:], len(score), 0)])
        ys.append(label)
        ws.append(np.full(len(label), weight / len(label)))
    x, y, w = np.concatenate(xs), np.concatenate(ys), np.concatenate(ws)
    fitted = LogisticRegression(C=10.0, max_iter=2000).fit(x, y, sample_weight=w * len(w) / w.sum())
    bias = np.r_[fitted.intercept_, fitted.coef_[0][1:]]
    return Layer(names, np.asarray(weights, np.float32), max(float(fitted.coef_[0][0]), 1e-3), bias.astype(np.float32))


def train(sets, code):
    """`code`: sets of source code, of which the layers for code are trained; without any these are the general ones."""
    cases = [(c, 1 / len(cs)) for cs in sets.values() for c in cs]
    paragraph, dense = layers("paragraph", "dense", cases)
    programs = [(c, 1 / len(cs)) for cs in code.values() for c in cs]
    of_paragraph, of_dense = layers("code", "code_dense", programs) if code else (paragraph, dense)
    tables = {id(c): sentence_features(c.signals, paragraph.score(c.par.table)) for c, _ in cases}
    have = [(c, x) for c, x in cases if c.sent_label is not None]
    found = [tables[id(c)].table for c, _ in have]
    b = listwise("sentence", SENTENCE, found, [c.sent_label for c, _ in have], [x for _, x in have])
    seen = {id(c) for c, _ in have}
    have += [(c, x) for c, x in cases if not c.par_label.any() and id(c) not in seen]

    def sentences(c):
        t = tables[id(c)]
        return t.table, c.sent_label if c.sent_label is not None else np.zeros(len(t.table)), t.raw

    sentence = calibrate(SENTENCE, b, have, sentences)
    made = {"paragraph": paragraph, "dense": dense, "sentence": sentence, "code": of_paragraph, "code_dense": of_dense}
    return {name: made[name] for name in LAYERS if name not in OWN_FILE}


def layers(base, dense, cases):
    """Weights without and with a sentence embedder's vectors; without any of these, the former do for both."""
    w = [weight for _, weight in cases]
    b = listwise(base, PARAGRAPH, [c.par.table for c, _ in cases], [c.par_label for c, _ in cases], w)
    first = calibrate(PARAGRAPH, b, cases, lambda c: (c.par.table, c.par_label, c.par.raw))
    have = [(c, x) for c, x in cases if c.dense is not None]
    names = (*PARAGRAPH, *DENSE)
    if not have:
        same = np.append(first.weights, np.zeros(len(DENSE))).astype(np.float32)
        return first, Layer(names, same, first.slope, first.bias)
    tables, labels = [c.dense.table for c, _ in have], [c.par_label for c, _ in have]
    b = listwise(dense, names, tables, labels, [x for _, x in have])
    return first, calibrate(names, b, have, lambda c: (c.dense.table, c.par_label, c.dense.raw))


def write(path, scorer, sets):
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = {name: layer.to_dict() for name, layer in scorer.items()}
    path.write_text(json.dumps({**parts, "trained_on": sorted(sets), "facts": FACTS}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--vectors")
    parser.add_argument("--code")
    parser.add_argument("--held-out")
    parser.add_argument("--limit", type=int, default=150)
    parser.add_argument("--static", type=Path, help="a folder with another static table")
    options = parser.parse_args()
    static = StaticEmbedder(options.static) if options.static else StaticEmbedder()
    vectors = {}
    if options.vectors:
        stored = np.load(options.vectors)
        vectors = {key.tobytes().hex(): row for key, row in zip(stored["sha256"], stored["vectors"], strict=True)}
    names = [n for n in discover(options.data) if not n.startswith(NEVER)]
    sets = {n: read_set(options.data, n, options.limit, static, vectors) for n in names}
    code = {n: sets[n] for n in names if n in CODE}
    if options.code:
        code |= {n: read_set(options.code, n, options.limit, static, vectors) for n in discover(options.code)}
    every = {**sets, **code}
    print({n: (len(c), sum(x.dense is not None for x in c)) for n, c in every.items()})
    write(HERE / "scorer" / "weights.json", train(sets, code), every)
    subprocess.run([sys.executable, str(HERE / "manifest.py")], check=True)
    if options.held_out:
        for name in [*names, "rgb_en_fact"]:
            rest, programs = ({n: c for n, c in some.items() if kin(n) != kin(name)} for some in (sets, code))
            write(Path(options.held_out) / f"{name}.json", train(rest, programs), {**rest, **programs})
