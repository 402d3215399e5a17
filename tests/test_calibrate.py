"""The conformal boundary of labelled queries: what it promises, and the errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fieldpack as fp
from fieldpack.relevance.calibrate import Boundary, Calibration, Example, calibrate, evidence_relevance

DOCS = tuple(
    fp.Document(f"d{i}", text)
    for i, text in enumerate(
        ["Sourdough bread needs a starter.", "Tides are caused by the Moon.", "Azurite is a blue copper mineral."]
    )
)
WHOLE = {d.id: (d.id, 0, len(d.text)) for d in DOCS}
EXAMPLES = [
    Example("what does a starter need", DOCS, [WHOLE["d0"]]),
    Example("what causes tides", DOCS, [WHOLE["d1"]]),
    Example("which mineral is blue", DOCS, [WHOLE["d2"], WHOLE["d1"]]),
]
PACKER = fp.ContextPacker(unit="paragraph")


class Scored:
    """Stands for a packer: the relevance of every document is a number in its text."""

    def pack(self, query, documents, budget):
        scores = np.array([float(d.text) for d in documents], np.float32)
        n = len(documents)
        rows = type("Rows", (), {"doc": np.arange(n), "start": np.zeros(n, int), "end": np.full(n, 9)})
        rows.__len__ = lambda self: n
        relevance = type("Relevance", (), {"total": scores})
        corpus = type("Corpus", (), {"unit": "paragraph"})
        return type("Result", (), {"segments": rows(), "relevance": relevance, "corpus": corpus})


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=40), st.integers(1, 99))
def test_all_but_a_share_alpha_of_the_evidence_passes_the_boundary(numbers, percent):
    scores = np.array(numbers, np.float32) / 1000
    documents = [fp.Document(str(i), str(s)) for i, s in enumerate(scores)]
    examples = [Example("q", [d], [(d.id, 0, 1)]) for d in documents]
    boundary = calibrate(examples, Scored(), percent / 100)
    assert boundary.queries == boundary.evidence == len(numbers)
    assert (scores >= boundary.min_relevance - 1e-6).mean() >= 1 - percent / 100
    assert 0 <= boundary.min_relevance <= 1


def test_only_segments_that_share_characters_with_the_evidence_count():
    full = PACKER.pack(EXAMPLES[2].query, DOCS, 1000)
    relevance = {k.doc_id: k.score for k in (*full.kept, *full.dropped)}
    counted = evidence_relevance(EXAMPLES[2], PACKER)
    assert counted == pytest.approx([relevance["d1"], relevance["d2"]], abs=1e-5)
    inside = Example(EXAMPLES[2].query, DOCS, [("d2", 3, 4)])
    assert evidence_relevance(inside, PACKER) == pytest.approx([relevance["d2"]], abs=1e-5)


def test_the_same_examples_give_the_same_boundary_and_a_packer_takes_it():
    steps = []
    first = calibrate(EXAMPLES, PACKER, 0.2, progress=lambda *step: steps.append(step))
    assert first == calibrate(EXAMPLES, PACKER, 0.2) and isinstance(first, Calibration)
    assert steps == [("calibrate", k, 3) for k in (1, 2, 3)]
    fitted = {"min_relevance", "alpha", "queries", "evidence", "coverage_held_out"}
    assert set(first.to_dict()) == fitted | {"pool", "units", "score_weight"}
    assert (first.pool, first.units, first.score_weight) == ((3, 3, 3), ("paragraph",), None)
    fp.ContextPacker(min_relevance=first.min_relevance)


def test_one_example_has_nothing_held_out():
    assert calibrate(EXAMPLES[:1], PACKER).coverage_held_out is None


@pytest.mark.parametrize("alpha", [0, 1, -0.1, True, "0.1", float("nan")])
def test_an_alpha_outside_its_range_is_refused(alpha):
    with pytest.raises(fp.SettingsError, match="above 0 and below 1"):
        calibrate(EXAMPLES, PACKER, alpha)


def test_examples_without_evidence_are_refused_by_name():
    with pytest.raises(fp.InputError, match=r"labels\.jsonl has no labelled evidence"):
        calibrate([Example("q", DOCS, [])], PACKER, source="labels.jsonl")


def scored(kind, seed=0):
    """Thirty examples whose documents have scores that point at the evidence, away from it, or nowhere."""
    rng = np.random.default_rng(seed)
    out = []
    for k in range(30):
        mark = {"good": 1.0, "bad": -1.0, "random": 0.0}[kind]
        numbers = rng.normal(0, 1, 3) + mark * 2 * np.array([i == k % 3 for i in range(3)])
        documents = [fp.Document(d.id, d.text, score=float(s)) for d, s in zip(DOCS, numbers, strict=True)]
        out.append(Example("what is this about", documents, [WHOLE[f"d{k % 3}"]]))
    return out


def test_the_weight_of_scores_is_fitted_to_what_they_say():
    good, noise, bad = (calibrate(scored(kind), PACKER).score_weight for kind in ("good", "random", "bad"))
    assert good > 0.7 > 0.4 > noise >= bad == 0
    assert fp.ContextPacker(score_weight=good).pack("q", scored("good")[0].documents, 10).tokens <= 10


def test_a_boundary_says_what_it_was_fitted_with():
    facts = {**calibrate(EXAMPLES, PACKER).to_dict(), "model": "static", "unit": "paragraph"}
    boundary = Boundary.from_dict(facts)
    assert boundary.differs("static", "paragraph") == "" == boundary.note(3, "paragraph")
    assert boundary.differs("minilm", "auto") == (
        "model static and is used with minilm and unit paragraph and is used with auto"
    )
    assert "3 to 3 segments, and this one has 70" in boundary.note(70, "paragraph")
    assert "by paragraph, and this one is by sentence" in boundary.note(3, "sentence")
    old = Boundary.from_dict({"min_relevance": 0.1})
    assert old.differs("minilm", "auto") == "" == old.note(10**6, "sentence")
