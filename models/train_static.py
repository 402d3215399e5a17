"""Trains a static table further: pairs of texts that belong together, token resonance, and a teacher's similarities.

    pip install torch numpy
    python models/train_static.py passages.jsonl --init a.npy --out b.npy [--pairs 1] [--maxsim 0] [--teacher 0]

A text's vector is the unit sum of its pieces' rows, as in fieldpack. Three losses, each with its own weight:
pairs    a title, a sentence or the first half must find its own passage among the batch's (cross-entropy of cosines);
maxsim   the same with token resonance: each piece's best cosine in the passage, weighted by the piece's norm;
teacher  the cosines between the texts of a batch are those between the teacher's vectors (mean squared error).
`--group k` fills a share `--grouped` of the batches with k passages at a time of one source: neighbours in subject are
the hard negatives that packing meets.
"""

import argparse
import json
import re
import sys
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy, embedding_bag, normalize

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "src"))
from fieldpack.embed.wordpiece import wordpieces  # noqa: E402
from fieldpack.words import split  # noqa: E402

VOCABULARY = {w: i for i, w in enumerate((HERE / "static/vocab.txt").read_text("utf-8").split("\n")) if w}
QUERY, PASSAGE = 40, 160
"""Pieces of a query and of a passage that a pair takes at most."""
TEMPERATURE = 0.05


@cache
def rows_of(word):
    return wordpieces(word, VOCABULARY)


def rows(text):
    return [row for word in split(text) for row in rows_of(word)]


class Passages:
    """Titled passages as flat piece rows, with sentence and record offsets (a record's first sentence is its title)."""

    def __init__(self, path):
        flat, sentences, records, sources = [], [0], [0], []
        with open(path, encoding="utf-8") as lines:
            for record in map(json.loads, lines):
                parts = re.split(r"(?<=[.!?;]) ", record["text"])
                if len(parts) == 1:
                    words = record["text"].split()
                    parts = [" ".join(words[i : i + 15]) for i in range(0, len(words), 15)]
                for part in [record["title"], *parts]:
                    flat.extend(rows(part))
                    sentences.append(len(flat))
                records.append(len(sentences) - 1)
                sources.append(record["source"])
        self.flat, self.sentences, self.records = np.array(flat, np.int32), np.array(sentences), np.array(records)
        _, self.source = np.unique(sources, return_inverse=True)
        sizes = np.bincount(self.source)
        # A source's share of the draws is the root of its size.
        self.cumulated = np.cumsum((1 / np.sqrt(sizes))[self.source])
        self.members = [np.flatnonzero(self.source == k) for k in range(len(sizes))]
        self.sizes = sizes

    def between(self, first, last):
        return self.flat[self.sentences[first] : self.sentences[last]]

    def draw(self, rng, count, group):
        if not group:
            return np.searchsorted(self.cumulated, rng.random(count) * self.cumulated[-1])
        share = np.where(self.sizes >= 2 * group, np.sqrt(self.sizes), 0)
        chosen = rng.choice(len(share), -(-count // group), p=share / share.sum())
        return np.concatenate([self.members[k][rng.integers(0, self.sizes[k], group)] for k in chosen])[:count]

    def pair(self, rng, record):
        """(query rows, passage rows) of one record, or None where it has no two parts."""
        title, end = self.records[record], self.records[record + 1]
        start, count = title + 1, end - title - 1
        head, body = self.between(title, start), self.between(start, end)[:PASSAGE]
        mode = rng.integers(3)
        if (mode == 0 and len(head)) or count < 2:
            return (head, body) if len(head) else None
        if mode == 1:
            middle = start + int(rng.integers(1, count))
            return self.between(start, middle)[:PASSAGE], self.between(middle, end)[:PASSAGE]
        i = start + int(rng.integers(count))
        query = self.between(i, i + 1)[:QUERY]
        if rng.random() < 0.1:  # Now and then the sentence stays in its passage: exact words are evidence too.
            return query, body
        return query, np.concatenate([self.between(start, i), self.between(i + 1, end)])[:PASSAGE]

    def batch(self, rng, count, group):
        queries, passages = [], []
        while len(queries) < count:
            for record in self.draw(rng, count - len(queries), group):
                made = self.pair(rng, int(record))
                if made is not None and len(made[0]) and len(made[1]) >= 3:
                    queries.append(made[0])
                    passages.append(made[1])
        return queries, passages


def joined(texts):
    return torch.from_numpy(np.concatenate(texts).astype(np.int64)), torch.tensor([len(t) for t in texts])


def vectors(table, texts):
    flat, lengths = joined(texts)
    return normalize(embedding_bag(flat, table, torch.cumsum(lengths, 0) - lengths, mode="sum"), dim=1)


def pairs_loss(table, queries, passages):
    scores = vectors(table, queries) @ vectors(table, passages).T / TEMPERATURE
    own = torch.arange(len(queries))
    return (cross_entropy(scores, own) + cross_entropy(scores.T, own)) / 2


def maxsim_loss(table, queries, passages):
    """Cross-entropy of token resonance: sum of norm x best cosine over the query's pieces, over the sum of norms."""
    flat_q, length_q = joined([q[:24] for q in queries])
    flat_p, length_p = joined([p[:100] for p in passages])
    pieces_q, at_q = torch.unique(flat_q, return_inverse=True)
    pieces_p, at_p = torch.unique(flat_p, return_inverse=True)
    weight = table[pieces_q].norm(dim=1)
    cosines = normalize(table[pieces_q], dim=1) @ normalize(table[pieces_p], dim=1).T
    n = len(passages)
    passage = torch.repeat_interleave(torch.arange(n), length_p).expand(len(pieces_q), -1)
    best = torch.full((len(pieces_q), n), -1.0).scatter_reduce(1, passage, cosines[:, at_p], "amax")
    query = torch.repeat_interleave(torch.arange(n), length_q)
    total = torch.zeros(n, n).index_add(0, query, best[at_q] * weight[at_q, None])
    mass = torch.zeros(n).index_add(0, query, weight[at_q])
    return cross_entropy(total / mass[:, None].clamp(min=1e-6) / TEMPERATURE, torch.arange(n))


class Teacher:
    """Texts and their teacher's vectors, as build_static.py teach wrote them."""

    def __init__(self, folder):
        self.texts, found = [], []
        for path in sorted(Path(folder).glob("*.npy")):
            listed = json.loads(path.with_suffix(".json").read_text("utf-8"))
            for text, vector in zip(map(rows, listed), np.load(path), strict=True):
                if text:
                    self.texts.append(np.array(text, np.int32))
                    found.append(vector)
        self.vectors = torch.from_numpy(np.array(found, np.float32))

    def loss(self, table, rng, count):
        drawn = rng.integers(0, len(self.texts), count)
        x, y = vectors(table, [self.texts[i] for i in drawn]), self.vectors[drawn]
        return 100 * ((x @ x.T - y @ y.T) ** 2).mean()


def train(options):
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    passages = Passages(options.passages)
    teacher = Teacher(options.vectors) if options.teacher else None
    table = torch.nn.Parameter(torch.tensor(np.load(options.init)))
    adam = torch.optim.Adam([table], lr=options.lr)
    for step in range(options.steps):
        for part in adam.param_groups:
            part["lr"] = options.lr * min(1, (step + 1) / 20) * max(0.05, 1 - step / options.steps)
        losses = {}
        for name, loss, count in (("pairs", pairs_loss, options.batch), ("maxsim", maxsim_loss, options.maxsim_batch)):
            if getattr(options, name):
                group = options.group if rng.random() < options.grouped else 0
                losses[name] = loss(table, *passages.batch(rng, count, group))
        if teacher:
            losses["teacher"] = teacher.loss(table, rng, options.batch)
        adam.zero_grad()
        sum(getattr(options, name) * loss for name, loss in losses.items()).backward()
        adam.step()
        if step % 50 == 49:
            print(step + 1, {name: round(loss.item(), 3) for name, loss in losses.items()}, flush=True)
    np.save(options.out, table.detach().numpy())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("passages")
    for name in ("init", "out", "vectors"):
        parser.add_argument(f"--{name}")
    for name, value in (("pairs", 1.0), ("maxsim", 0.0), ("teacher", 0.0), ("lr", 3e-3), ("grouped", 1.0)):
        parser.add_argument(f"--{name}", type=float, default=value)
    for name, value in (("steps", 300), ("batch", 1024), ("maxsim-batch", 40), ("group", 0), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=value)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
