"""The benchmark of scale: its texts, its fits, its page."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from fieldpack.bench import speed_tables

FILE = Path(__file__).resolve().parents[1] / "benchmarks" / "scale.py"


@pytest.fixture(scope="module")
def scale():
    spec = importlib.util.spec_from_file_location("scale", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("data")
    said = "the tunnel was dug through granite by two hundred miners who sang of quinces and whales"
    words = said.split()
    passages = [
        {"id": f"p{k}", "title": "T", "text": " ".join([*words[k % 7 :], str(k)]) + ". It was long and cold and wet."}
        for k in range(12)
    ]
    row = {"id": "q", "query": "Who dug?", "passages": passages, "gold": ["p0"], "answers": []}
    (place / "tiny.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    return place


def test_texts_are_put_together_anew_and_the_same_each_time(scale, folder):
    sentences = scale.pool(folder)
    assert len(sentences) >= 12
    first, again = (list(scale.documents(sentences, 100)) for _ in range(2))
    assert [d.text for d in first] == [d.text for d in again] and len(first) == 10
    assert all(d.text.count("\n\n") == 4 for d in first)
    said = {w for s in sentences for w in s}
    assert {w for d in first for w in d.text.split()} <= said
    rows = scale.vectors(folder, 40)
    assert rows.shape == (40, 256) and np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_an_exponent_is_the_slope_of_the_logarithms(scale):
    assert scale.exponent([1e4, 1e5, 1e6], [2.0, 20.0, 200.0]) == 1.0
    assert scale.exponent([1e4, 1e5, 1e6], [1.0, 100.0, 10000.0]) == 2.0
    rows = [{"segments": n, "processor_s": n / 1e4, "stages_processor_s": {"words": n / 1e4}} for n in (1e3, 1e4, 1e5)]
    assert scale.fitted(rows) == {"processor": 1.0, "words": 1.0}


def test_small_sizes_run_and_make_a_page(scale, folder):
    results = {"machine": {"system": "any", "processor": "one", "cores": 2, "python": "3"}}
    for name in ("text", "stream", "index", "floor", "vectors"):
        row = scale.STEPS[name][0](folder, 200)
        results[name] = {"rows": [{**row, "load": 1.0}], "exponents": {}}
    assert results["text"]["rows"][0]["kept_tokens"] <= scale.BUDGET
    page = speed_tables.scale_page(json.loads(json.dumps(results)))
    assert page.count("| --- |") == 5 and "x both tokenizers" in page
