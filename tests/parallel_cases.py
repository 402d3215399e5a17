"""What the tests of `fieldpack.parallel` work on; imported by the workers of the cluster too."""

import json
import time

import numpy as np

import fieldpack as fp

WORDS = ["tide", "moon", "spring", "neap", "harbour", "current", "salt", "shore", "wave", "chart", "pilot", "rope"]


def sentence(seed, length=12):
    pick = np.random.default_rng(seed).integers(0, len(WORDS), length)
    return " ".join(WORDS[i] for i in pick).capitalize() + f" {seed}."


def document(seed, sentences=4):
    return " ".join(sentence(1000 * seed + k) for k in range(sentences))


def tasks(count, documents=6):
    """`count` good tasks."""
    return [
        {
            "id": f"q{k}",
            "query": f"what does the {WORDS[k % len(WORDS)]} do",
            "documents": [{"id": f"d{i}", "text": document(10 * k + i), "title": f"T{i}"} for i in range(documents)],
            "budget": 40 + k % 7,
        }
        for k in range(count)
    ]


BAD = {
    "number as query": {"id": "nq", "query": 5, "documents": ["a"], "budget": 5},
    "blank query": {"id": 7, "query": " ", "documents": ["a"], "budget": 5},
    "no documents": {"id": "none", "query": "q", "budget": 5},
    "number as document": {"id": "n", "query": "q", "documents": [1], "budget": 5},
    "document without text": {"id": "t", "query": "q", "documents": [{"id": "a"}], "budget": 5},
    "twice the same id": {"id": "2", "query": "q", "documents": [{"id": "a", "text": "b"}] * 2, "budget": 5},
    "budget 0": {"id": "0", "query": "q", "documents": ["a"], "budget": 0},
    "budget of words": {"id": "b", "query": "q", "documents": ["a"], "budget": "ten"},
    "no budget": {"id": "nb", "query": "q", "documents": ["a"]},
    "unknown key": {"id": "k", "query": "q", "documents": ["a"], "budget": 5, "pin": ["x"]},
    "unknown pin": {"id": "p", "query": "q", "documents": ["a"], "budget": 5, "pins": ["x"]},
    "pin that does not fit": {"id": "f", "query": "q", "documents": [document(1)], "budget": 5, "pins": ["doc-0"]},
    "surrogate": {"id": "s\ud800", "query": "q", "documents": ["a\ud800"], "budget": 5},
}


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def slow_words(text):
    """Counts words, taking its time: a run of it can be stopped in the middle."""
    time.sleep(0.002)
    return len(text.split())


class Letters:
    """An embedder of the caller's: a row is the letters that a text has. Fails where it is told to."""

    dims, fingerprint = 26, "letters"

    def __init__(self, fails=()):
        self.fails = fails

    def embed(self, texts):
        if any(word in text for text in texts for word in self.fails):
            raise OSError("the line is dead")
        rows = np.array([[t.lower().count(chr(97 + i)) for i in range(26)] for t in texts], np.float32) + 0.01
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def content(folder):
    """{name: bytes} of all files of a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def corpus(count=60):
    return [fp.Document(f"c{k}", document(k, 1 + k % 5), f"Chapter {k}", {"page": k}) for k in range(count)]
