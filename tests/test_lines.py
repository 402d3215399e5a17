"""Rows of a file of lines share the probability, and the fields of a record speak for each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import fieldpack as fp
from fieldpack.arrays import sigmoid
from fieldpack.relevance.lines import SHARPNESS, _competing


@settings(max_examples=100, deadline=None)
@given(arrays(np.float32, st.integers(1, 60), elements=st.floats(-12, 6, width=32)))
def test_rows_that_fit_equally_well_share_the_probability_and_keep_their_order(odds):
    shared = _competing(odds, np.ones(len(odds), np.bool_))
    assert (np.diff(shared[np.argsort(odds, kind="stable")]) >= -1e-4).all()
    assert shared.max() == pytest.approx(
        SHARPNESS * odds.max() - np.log1p(sigmoid(SHARPNESS * odds).sum() - sigmoid(SHARPNESS * odds.max())), abs=1e-3
    )
    rival = _competing(np.append(odds, odds.max()), np.ones(len(odds) + 1, np.bool_))
    assert rival[np.argmax(odds)] <= shared.max() + 1e-4


def orders(count):
    return "order,customer,total\n" + "".join(f"{1000 + k},Customer {k},{k}.50\n" for k in range(count))


@pytest.mark.parametrize("count", [20, 200, 2000])
def test_how_probable_the_best_rows_are_does_not_grow_with_the_rows_that_half_fit(count):
    result = fp.ContextPacker().pack(
        "total of the order of Customer 17", [fp.Document("orders.csv", orders(count))], 200
    )
    assert "1017,Customer 17,17.50" in result.text
    assert result.relevance.total.sum() < 4


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("Which version of juniper is locked?", ['name = "juniper"', 'version = "3.0.1"']),
        ("checksum of rowan", ['name = "rowan"', 'checksum = "c4"']),
    ],
)
def test_a_field_comes_with_the_field_that_names_its_record(query, wanted):
    names = ["ash", "beech", "juniper", "rowan", "elm", "yew", "oak", "fir"]
    text = "".join(
        f'[[package]]\nname = "{name}"\nversion = "{k + 1}.0.1"\nchecksum = "c{k + 1}"\nsource = "registry"\n\n'
        for k, name in enumerate(names)
    )
    result = fp.ContextPacker().pack(query, [fp.Document("lock.toml", text)], 60)
    assert [part for part in wanted if part not in result.text] == []
    others = [line for line in result.text.splitlines() if line.startswith("name") and line != wanted[0]]
    assert others == []
