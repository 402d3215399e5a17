"""Records cross processes: pickle, copies, `asdict`, process pools, joblib and Ray's way of pickling."""

from __future__ import annotations

import copy
import dataclasses
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import fieldpack as fp
from fieldpack.errors import AssetError, FieldpackError, MissingExtraError, ShellSyntaxError, UnknownNameError

DOCUMENTS = (
    fp.Document("a", "The Moon is up. Bread needs yeast. Tides are caused by the Moon.", "Sky", {"page": 1}),
    fp.Document("b", "Nothing here. The Moon again."),
    fp.Document("c", "Salt water.", metadata=MappingProxyType({"page": 2})),
)
PACKER = fp.ContextPacker(unit="sentence")
COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "oldest pickle": lambda value: pickle.loads(pickle.dumps(value, protocol=2)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


def packed(query: str, budget: int) -> fp.Result:
    return PACKER.pack(query, DOCUMENTS, budget)


def words(text: str) -> int:
    return len(text.split())


@pytest.fixture(params=sorted(COPIES))
def copied(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    return COPIES[request.param]


def test_documents(copied: Callable[[Any], Any]) -> None:
    for document in DOCUMENTS:
        assert copied(document) == document
        assert fp.Document(**dataclasses.asdict(document)) == document


def test_a_result_and_all_that_can_be_asked_of_it(copied: Callable[[Any], Any]) -> None:
    result = packed("moon tides", 20)
    again = copied(result)
    assert again.text == result.text and again.kept == result.kept and again.dropped == result.dropped
    assert again.repack(9).text == result.repack(9).text
    same, own = again.to_dict(), result.to_dict()
    assert {**same, "timings_ms": 0} == {**own, "timings_ms": 0}
    assert dataclasses.asdict(result)["request"]["budget"] == 20


def test_an_index_a_packer_a_state_and_a_session(copied: Callable[[Any], Any]) -> None:
    index, result = PACKER.index(DOCUMENTS), packed("moon", 12)
    assert copied(index).pack("moon", 12).text == result.text
    assert copied(PACKER).pack("moon", DOCUMENTS, 12).text == result.text
    assert copied(PACKER).pack("moon", DOCUMENTS, 12, state=copied(result.state)).text
    assert dataclasses.asdict(PACKER)["unit"] == "sentence"
    assert len(dataclasses.asdict(index)["corpus"]["documents"]) == 3


def test_copies_are_as_read_only_as_what_they_were_made_of(copied: Callable[[Any], Any]) -> None:
    result = copied(packed("moon", 12))
    arrays = (result.segments.start, result.relevance.total, result.inside, result.corpus.paragraphs.vectors)
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            np.asarray(array)[0] = 0


@pytest.mark.parametrize(
    "error",
    [
        fp.InputError("a"),
        fp.BudgetError("b", 7, 5),
        UnknownNameError("preset", "pyramide", ["pyramid"]),
        ShellSyntaxError("c", 1, 2, ["d"]),
        MissingExtraError("ray", "ray"),
        AssetError("e"),
    ],
)
def test_errors_keep_their_words_and_their_numbers(error: FieldpackError, copied: Callable[[Any], Any]) -> None:
    again = copied(error)
    assert type(again) is type(error) and str(again) == str(error) and vars(again) == vars(error)


def failed(budget: int) -> fp.Result:
    return PACKER.pack("moon", DOCUMENTS, budget, pins=["a"])


def test_a_pool_of_processes() -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(packed, ["moon", "bread"], [12, 12]))
        by_method = pool.submit(PACKER.pack, "moon", DOCUMENTS, 12).result()
        with pytest.raises(fp.BudgetError) as error:
            pool.submit(failed, 3).result()
    assert [r.text for r in results] == [packed("moon", 12).text, packed("bread", 12).text]
    assert by_method.text == results[0].text and error.value.budget == 3 < error.value.needed


def test_joblib_and_a_packer_with_a_function_of_the_callers() -> None:
    joblib = pytest.importorskip("joblib")
    packer = fp.ContextPacker(tokenizer=lambda text: len(text.split()))
    calls = [joblib.delayed(packer.pack)(query, DOCUMENTS, 6) for query in ("moon", "bread")]
    results = joblib.Parallel(n_jobs=2)(calls)
    assert [r.text for r in results] == [packer.pack(q, DOCUMENTS, 6).text for q in ("moon", "bread")]


def test_the_way_that_ray_pickles() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    packer = fp.ContextPacker(tokenizer=lambda text: len(text.split()))
    again = pickle.loads(cloudpickle.dumps(packer.index(DOCUMENTS)))
    assert again.pack("moon", 6).text == packer.pack("moon", DOCUMENTS, 6).text


def test_a_token_counter_is_a_function_of_a_module_or_python_says_which_one_is_not() -> None:
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        pickle.dumps(fp.ContextPacker(tokenizer=lambda text: len(text)))
    assert pickle.loads(pickle.dumps(fp.ContextPacker(tokenizer=words))).tokenizer.count("a b") == 2
