"""The field of a pack is read when it is asked for, once, and says the same whenever that is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import fieldpack as fp
from fieldpack.corpus import reading
from fieldpack.packing.problem import PackingSettings

DOCS = [
    "Tides are caused by the Moon. The Sun raises tides too.",
    "Sourdough bread is leavened with wild yeast. A starter needs flour and water.",
    "Spring tides come at new and full moon. Neap tides come in between.",
    "A rye starter smells of apples. Rye bread keeps for a week.",
]
QUERY = "what causes spring tides"


@pytest.fixture
def calls(monkeypatch):
    made = []

    def counted(*args, **more):
        made.append(len(args[0]))
        return original(*args, **more)

    original = reading.read
    monkeypatch.setattr(reading, "read", counted)
    return made


def test_a_pack_does_not_wait_for_the_field(calls):
    result = fp.ContextPacker().pack(QUERY, DOCS, 30)
    assert calls == [] and result.kept and "tokens" in repr(result)
    first = result.reading
    assert calls == [4] and result.scored.milliseconds > 0
    assert (
        result.reading is first and result.repack(60).reading is first and result.to_dict()["timings_ms"]["field"] > 0
    )
    assert result.state.turn == 1 and len(result.state.residue) == len(result.kept) and calls == [4]


def test_a_packer_that_is_drawn_to_attractors_reads_the_field_first(calls):
    packer = fp.ContextPacker(packing=PackingSettings(attract=0.5))
    packer.pack(QUERY, DOCS, 30)
    assert calls == [4]


def test_a_state_of_another_model_is_refused_by_the_pack_itself():
    packer = fp.ContextPacker()
    state = packer.pack(QUERY, DOCS, 30).state
    strange = replace(state, sums=np.zeros(3), centers=np.zeros((0, 3), np.float32))
    with pytest.raises(fp.InputError, match="3 dims"):
        packer.pack(QUERY, DOCS, 30, state=strange)
    with pytest.raises(fp.InputError, match="state is a dict"):
        packer.pack(QUERY, DOCS, 30, state={})  # type: ignore[arg-type]


def test_a_late_reading_is_the_early_one():
    packer = fp.ContextPacker()
    early, late = packer.pack(QUERY, DOCS, 30), packer.pack(QUERY, DOCS, 30)
    wanted = early.reading.attraction
    late.repack(60).to_dict()
    np.testing.assert_array_equal(late.reading.attraction, wanted)
    assert late.state.to_dict() == early.state.to_dict()
