"""benchmarks/gpu.py on CPU tensors, small: it runs, its results are consistent and say what they were measured on."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from tiny_models import tiny_bert

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gpu.py"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("gpu_benchmark", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    folder = tmp_path_factory.mktemp("gpu")
    model = str(tiny_bert(folder))
    out = folder / "gpu.json"
    sizes = ["--paragraphs", "30", "--rows", "300", "--vectors", "4000", "--dims", "32"]
    script.main(["--device", "cpu", "--model", model, "--out", str(out), *sizes])
    return json.loads(out.read_text("utf-8"))


def test_results_say_that_no_gpu_took_part(results):
    assert results["machine"]["gpu"] is None and "no GPU" in results["machine"]["note"]


def test_rates_are_rates(results):
    found = results["embedding"]
    assert found["paragraphs"] == found["distinct"] == 30 and found["ours_per_second"] > 0
    assert found["ratio"] == pytest.approx(found["ours_per_second"] / found["plain_per_second"])
    # The tiny model reads 32 tokens, so most texts are longer; the rest must have the same vectors.
    assert found["longer_than_the_window"] + (found["smallest_cosine_to_plain"] is not None) > 0
    assert (found["smallest_cosine_to_plain"] or 1.0) > 0.999
    product = results["resonance"]["float32"]
    assert product["share_of_plain"] == pytest.approx(product["ours_tflops"] / product["plain_tflops"])


def test_numpy_and_tensors_agree_on_the_attractors(results):
    found = results["attractors"]
    assert found["centers_found"] == found["known_centers"]
    assert found["same_number"] and found["smallest_center_cosine"] > 0.9999 and found["same_basin"] > 0.999
