"""Columns as z-scores among the candidates that can win; which layer of the scorer reads them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpack import ContextPacker, Document
from fieldpack.arrays import zscore
from fieldpack.relevance.features import RIVALS, zscore_by_top
from fieldpack.relevance.scorer import Scorer


@given(st.integers(0, 2**32 - 1), st.integers(1, 3 * RIVALS))
def test_a_crowd_that_ranks_below_the_rivals_changes_nothing(seed: int, crowd: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(RIVALS, 3)).astype(np.float32)
    rank = rng.normal(size=RIVALS)
    others = rng.normal(5, 9, size=(crowd, 3)).astype(np.float32)
    alone = zscore_by_top(table, rank)
    crowded = zscore_by_top(np.concatenate([table, others]), np.append(rank, rng.normal(size=crowd) - 100))
    assert np.allclose(crowded[:RIVALS], alone, atol=1e-5)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100), st.floats(-100, 100))
def test_the_unit_of_a_signal_does_not_matter(seed: int, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    table, rank = rng.normal(size=(250, 2)), rng.normal(size=250)
    assert np.allclose(zscore_by_top(table * scale + shift, rank), zscore_by_top(table, rank), atol=1e-3)


@pytest.mark.parametrize("value", [0.0, 0.3, 3.0, 49.7])
@pytest.mark.parametrize("rows", [0, 1, 2, RIVALS, 1111])
def test_what_does_not_tell_the_rivals_apart_is_nothing(rows: int, value: float) -> None:
    table = np.full((rows, 2), value, np.float32)
    assert not zscore_by_top(table, np.arange(rows)).any() and not zscore(table[:, 0]).any()


@given(st.integers(0, 2**32 - 1), st.integers(2, 300))
def test_z_scores_are_those_of_numpy(seed: int, rows: int) -> None:
    values = np.random.default_rng(seed).normal(3, 2, rows).astype(np.float32)
    assert np.allclose(zscore(values), (values - values.mean()) / values.std(), atol=1e-4)


FUNCTION = Document("f", "def area(radius):\n    return 3.14159 * radius**2\n")
PROSE = Document("p", "The area of a circle is the square of its radius times a constant that is about three.")


@pytest.mark.parametrize(("documents", "code"), [([FUNCTION], True), ([PROSE], False), ([FUNCTION, PROSE], False)])
def test_text_is_code_where_most_of_it_is(documents: list[Document], code: bool) -> None:
    assert ContextPacker().read(documents).is_code is code


def test_code_has_layers_of_its_own_and_nothing_else_changes() -> None:
    shipped = Scorer.load()
    code = shipped.for_code(True)
    assert (code.paragraph, code.dense) == (shipped.code, shipped.code_dense) and code.sentence is shipped.sentence
    assert shipped.for_code(False) is shipped
    assert not np.allclose(shipped.code.weights, shipped.paragraph.weights)
