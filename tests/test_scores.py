"""Scores from outside: any scale, by document or range, one more signal of the choice that changes no relevance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fieldpack as fp
from fieldpack.relevance.outside import MOST, ScoreRange, standardised, z_scores
from fieldpack.types import Segments

TEXTS = [f"Passage {k} is of the tide at {k} o'clock in the harbour of {name}." for k, name in enumerate(
    ("Brest", "Dover", "Cadiz", "Genoa", "Turku", "Split"))]  # fmt: skip
DOCS = [fp.Document(f"d{k}", text) for k, text in enumerate(TEXTS)]
QUERY, BUDGET = "tide in the harbour", 40
SCORES = [0.2, 0.9, 0.1, 0.5, 0.7, 0.3]
PACKER = fp.ContextPacker(score_weight=3.0)


def kept(scores=None, documents=DOCS, packer=PACKER, **options):
    return [k.doc_id for k in packer.pack(QUERY, documents, BUDGET, scores=scores, **options).kept]


def test_the_best_scores_are_packed_and_their_negatives_change_the_pack():
    assert kept(SCORES) == ["d1", "d4"] != kept([-s for s in SCORES]) == ["d0", "d2"]
    default = fp.ContextPacker()
    assert kept(SCORES, packer=default) != kept([-s for s in SCORES], packer=default)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=6, max_size=6), st.floats(1e-3, 1e6), st.floats(-1e3, 1e3))
def test_a_scale_and_an_origin_do_not_matter(numbers, scale, origin):
    z = z_scores(np.array(numbers, np.float64))
    other = z_scores(np.array(numbers, np.float64) * scale + origin * scale)
    np.testing.assert_allclose(z, other, atol=1e-3)
    np.testing.assert_allclose(z_scores(-np.array(numbers, np.float64)), -z, atol=1e-6)
    assert np.abs(z).max() <= MOST


@pytest.mark.parametrize("scores", [[1e300, -1e300, 0, 1, 2, 3], [5] * 6, [None] * 6, {}, {"d3": 2.0}])
def test_extreme_and_constant_scores_do_no_harm(scores):
    result = PACKER.pack(QUERY, DOCS, BUDGET, scores=scores)
    assert result.tokens <= BUDGET and np.isfinite(result.scored.problem.logit).all()
    if scores in ([5] * 6, [None] * 6, {}, {"d3": 2.0}):
        assert result.text == PACKER.pack(QUERY, DOCS, BUDGET).text


def test_relevance_stays_the_calibrated_probability():
    plain, other = PACKER.pack(QUERY, DOCS, BUDGET), PACKER.pack(QUERY, DOCS, BUDGET, scores=SCORES)
    np.testing.assert_array_equal(plain.relevance.total, other.relevance.total)
    np.testing.assert_allclose(
        other.scored.problem.logit - plain.scored.problem.logit, 3 * z_scores(np.array(SCORES)), atol=1e-5
    )


def test_all_forms_say_the_same():
    own = [fp.Document(d.id, d.text, score=s) for d, s in zip(DOCS, SCORES, strict=True)]
    forms = [
        np.array(SCORES, np.float32),
        dict(zip([d.id for d in DOCS], SCORES, strict=True)),
        {(d.id, 0, len(d.text)): s for d, s in zip(DOCS, SCORES, strict=True)},
    ]
    wanted = kept(SCORES)
    assert [kept(form) for form in forms] == [wanted] * 3
    assert kept(documents=own) == wanted
    assert kept([-s for s in SCORES], documents=own) == kept([-s for s in SCORES]), (
        "the call's go before the documents'"
    )
    assert [k.doc_id for k in PACKER.pack_stream(QUERY, iter(own), BUDGET).kept] == wanted


def test_a_score_of_a_range_is_that_of_the_rows_in_it():
    rows = Segments(
        doc=np.array([0, 0, 1]), start=np.array([0, 10, 0]), end=np.array([10, 20, 10]), tokens=np.ones(3, np.int64),
        kind=np.zeros(3, np.int8), parent=np.arange(3),
    )  # fmt: skip
    z = standardised([ScoreRange(0, 0, 15, 1.0), ScoreRange(0, 15, 20, -1.0)], rows)
    np.testing.assert_allclose(z, [1.0, 0.0, 0.0])
    assert standardised([], rows).tolist() == [0, 0, 0]


def test_an_index_takes_scores_with_the_call_and_keeps_none():
    own = [fp.Document(d.id, d.text, score=s) for d, s in zip(DOCS, SCORES, strict=True)]
    index = PACKER.index(own)
    assert [k.doc_id for k in index.pack(QUERY, BUDGET, scores=SCORES).kept] == kept(SCORES)
    assert index.pack(QUERY, BUDGET).text == PACKER.pack(QUERY, DOCS, BUDGET).text


def test_a_long_stream_holds_what_scores_prefer():
    many = [fp.Document(f"n{k}", f"Word {k} of the tide in the harbour, and of the tide again.") for k in range(300)]
    many.insert(20, fp.Document("dull", "Nothing of this is what was wanted here.", score=9.0))
    many[0] = fp.Document("n0", many[0].text, score=-1.0)
    packer = fp.ContextPacker(score_weight=20.0)
    result = packer.pack_stream(QUERY, iter(many), 40, hold=40, block=50)
    assert result.skipped.documents and "dull" in {k.doc_id for k in result.kept}
    named = packer.pack_stream(QUERY, iter(many), 40, hold=40, block=50, scores={"dull": 1.0, "n1": -1.0})
    assert "dull" in {k.doc_id for k in named.kept}
    with pytest.raises(fp.InputError, match="of a stream go by id"):
        packer.pack_stream(QUERY, iter(many), 40, hold=40, block=50, scores=[1.0] * len(many))


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        ([1, 2], "2 scores for 6 documents"),
        ([float("nan")] * 6, "score 0 is nan; give a finite number"),
        ({"d1": float("inf")}, "the score of 'd1' is inf"),
        ({"none": 1}, "score 'none' is no document id"),
        ({("d1", 5, 999): 1}, "is no range of that document"),
        ({"d1": "high"}, "the score of 'd1' is 'high'"),
        ([True] * 6, "score 0 is True"),
        ("123456", "scores is a str"),
        (3, "scores is a int"),
    ],
)
def test_what_is_no_score_is_one_clear_error(scores, says):
    with pytest.raises(fp.InputError) as raised:
        PACKER.pack(QUERY, DOCS, BUDGET, scores=scores)
    assert says in str(raised.value)


def test_a_documents_own_score_is_checked_too():
    with pytest.raises(fp.InputError, match="the score of document 'a' is nan"):
        PACKER.pack(QUERY, [fp.Document("a", "text", score=float("nan"))], BUDGET)


def test_random_scores_at_the_default_weight_leave_a_clear_answer_in():
    rng = np.random.default_rng(0)
    clear = [*DOCS, fp.Document("answer", "The lighthouse of Ar-Men was built in 1881.")]
    for _ in range(20):
        result = fp.ContextPacker().pack(
            "when was the lighthouse of Ar-Men built", clear, 20, scores=rng.normal(size=7)
        )
        assert "answer" in {k.doc_id for k in result.kept}
