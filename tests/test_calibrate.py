"""The conformal boundary of labelled queries: what it promises, and the errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fieldpack as fp
from fieldpack.relevance.calibrate import Calibration, Example, calibrate, evidence_relevance

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
        return type("Result", (), {"segments": rows(), "relevance": relevance})


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
    assert set(first.to_dict()) == {"min_relevance", "alpha", "queries", "evidence", "coverage_held_out"}
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
