from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack.errors import InputError, SettingsError
from fieldpack.field import resonance
from fieldpack.field.residue import STATES, basis, unexplained
from fieldpack.field.state import FieldSettings, FieldState, read


def topics(n: int, k: int, d: int = 32, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + 1.5 * rng.normal(size=(k, d))[np.arange(n) % k] + 0.5 * rng.normal(size=d)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def carried() -> FieldState:
    x = topics(60, 3)
    state = read(x, x[0]).state.absorb(x)
    return read(x[:30], x[1], state).state.integrate(["a", "ümlaut"], x[:2], [0.9, 0.5])


def same(a: FieldState, b: FieldState) -> bool:
    arrays = all(getattr(a, f).tobytes() == getattr(b, f).tobytes() for f in ("centers", "strength", "sums"))
    plain = (a.turn, a.boundary, a.residue, a.count, a.squares) == (b.turn, b.boundary, b.residue, b.count, b.squares)
    return arrays and plain


def test_the_parts_of_a_reading_are_what_the_single_functions_say():
    x = topics(90, 3)
    state = carried()
    reading = read(x, x[5], state)
    assert reading.resonance == pytest.approx(resonance.overall(x), abs=1e-6)
    np.testing.assert_allclose(reading.row_resonance, resonance.per_row(x), atol=1e-6)
    np.testing.assert_allclose(reading.residue, state.residue.echo(x), atol=1e-6)
    span = basis(reading.attractors.centers)
    np.testing.assert_allclose(reading.unexplained, unexplained((x**2).sum(1), x @ span), atol=2e-3)
    for part in (reading.attraction, reading.residue, reading.unexplained):
        assert part.shape == (90,) and part.min() >= 0 and part.max() <= 1


def test_attraction_is_the_pull_of_the_nearest_center():
    x = topics(90, 3)
    reading = read(x)
    found = reading.attractors
    expected = (found.affinity(x) * np.sqrt(found.strength / found.strength.max())).max(1)
    np.testing.assert_allclose(reading.attraction, np.clip(expected, 0, 1), atol=1e-5)
    stranger = read(np.vstack([x, -x.mean(0, keepdims=True) / np.linalg.norm(x.mean(0))]))
    assert stranger.attraction[-1] < np.median(stranger.attraction)


def test_demand_is_the_querys_share_in_the_attractors():
    x = topics(90, 3)
    plain = read(x)
    query = x[np.flatnonzero(plain.attractors.basin == 2)].mean(0)
    asked = read(x, query / np.linalg.norm(query))
    wanted = asked.attractors.affinity(query[None] / np.linalg.norm(query))[0].argmax()
    assert asked.demand.argmax() == wanted and asked.demand[wanted] > 0.5
    assert asked.demand.sum() == pytest.approx(1) and plain.demand.sum() == pytest.approx(1)
    np.testing.assert_allclose(plain.demand, plain.attractors.strength / plain.attractors.strength.sum(), rtol=1e-5)
    assert read(x, np.stack([x[0], x[1]])).demand.sum() == pytest.approx(1)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_rows_can_be_read(n):
    reading = read(topics(5, 1)[:n], topics(5, 1)[4])
    assert reading.attraction.tolist() == [0.0] * n and len(reading.attractors) == 0
    assert reading.demand.shape == (0,) and reading.state.turn == 1
    json.dumps(reading.to_dict())
    assert reading.unexplained.tolist() == [1.0] * n


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.integers(0, 999))
def test_absorbing_step_by_step_equals_starting_from_scratch(sizes, seed):
    x = topics(sum(sizes), 3, seed=seed) if sum(sizes) else np.zeros((0, 32), np.float32)
    state, first = FieldState(), 0
    for size in sizes:
        state, first = state.absorb(x[first : first + size]), first + size
    whole = FieldState().absorb(x)
    assert state.count == whole.count == len(x)
    np.testing.assert_allclose(state.sums, whole.sums, atol=1e-9)
    assert state.resonance == pytest.approx(whole.resonance, abs=1e-9)
    assert state.resonance == pytest.approx(resonance.overall(x), abs=1e-6)


def test_what_is_carried_fades_merges_and_stays_bounded():
    config = FieldSettings(half_life=1.0, limit=5)
    x = topics(90, 3)
    state = read(x, settings=config).state
    assert len(state.centers) == 3
    again = read(x, state=state, settings=config).state
    assert len(again.centers) == 3  # the same attractors merge
    np.testing.assert_allclose(again.strength, state.strength, rtol=1e-3)
    for turn in range(30):
        other = read(topics(80, 4, seed=100 + turn), state=again, settings=config).state
        assert len(other.centers) <= 5 and (np.diff(other.strength) <= 0).all()
        np.testing.assert_allclose(np.linalg.norm(other.centers, axis=1), 1, atol=1e-5)
        again = other
    faded = read(topics(2, 1), state=state, settings=config).state
    np.testing.assert_allclose(faded.strength, state.strength / 2, rtol=1e-6)


def test_carried_attractors_still_attract():
    x = topics(90, 3)
    state = read(x).state
    few = x[:2]
    assert read(few).attraction.tolist() == [0, 0]
    assert (read(few, state=state.absorb(x)).attraction > 0.3).all()


def test_known_rows_are_the_background_of_new_ones():
    x = topics(90, 3)
    one_topic = x[np.arange(90) % 3 == 0]
    assert len(read(one_topic).attractors) == 0
    assert len(read(one_topic, state=FieldState().absorb(x)).attractors) == 1


def test_permeability_follows_the_turns():
    tight, loose = topics(40, 1), topics(40, 20)
    first = read(loose)
    assert first.permeability == 0.7
    assert read(tight, state=first.state).permeability > 0.7
    assert read(loose, state=read(tight).state).permeability < 0.7
    assert read(tight, settings=FieldSettings(permeability=0.3)).permeability == 0.3


def test_state_survives_a_folder(tmp_path):
    state = carried()
    state.save(tmp_path / "deep" / "state")
    loaded = FieldState.load(tmp_path / "deep" / "state")
    assert same(state, loaded) and loaded.dims == 32
    FieldState().save(tmp_path)
    assert same(FieldState.load(tmp_path), FieldState()) and FieldState.load(tmp_path).dims == 0
    x = topics(50, 3, seed=5)
    assert read(x, x[0], state).to_dict() == read(x, x[0], loaded).to_dict()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep", "field.json", "field.npz"]


def test_it_stays_small(tmp_path):
    state = FieldState.start()
    for turn in range(40):
        x = topics(60, 6, seed=turn)
        keys = [f"{turn}:{i}" for i in range(20)]
        state = read(x, x[0], state).state.absorb(x).integrate(keys, x[:20])
    state.save(tmp_path)
    assert len(state.centers) <= 12 and len(state.residue) <= 64
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) < 30_000


def test_damaged_files_are_one_clear_error(tmp_path):
    carried().save(tmp_path)
    facts, arrays = (tmp_path / "field.json").read_bytes(), (tmp_path / "field.npz").read_bytes()

    def broken(json_bytes: bytes, npz_bytes: bytes, match: str) -> None:
        (tmp_path / "field.json").write_bytes(json_bytes)
        (tmp_path / "field.npz").write_bytes(npz_bytes)
        with pytest.raises(InputError, match=match):
            FieldState.load(tmp_path)

    for cut in (0, 1, 100, len(facts) - 2):
        broken(facts[:cut], arrays, "damaged")
    for cut in (0, 10, len(arrays) - 1):
        broken(facts, arrays[:cut], "checksum")
    broken(facts, arrays[:500] + bytes([arrays[500] ^ 1]) + arrays[501:], "checksum")
    broken(facts.replace(b'"version": 1', b'"version": 7'), arrays, "version 7; this fieldpack reads version 1")
    broken(b"[]", arrays, "version None")
    broken(b"\xff\xfe", arrays, "damaged")
    broken(b"[" * 100_000, arrays, "damaged")
    for key in (b"turn", b"boundary", b"fragments"):
        broken(facts.replace(b'"' + key + b'"', b'"lost"'), arrays, "damaged")
    broken(facts.replace(b'"echo"', b'"odd"').replace(b'"integrated"', b'"odd"'), arrays, "damaged")
    broken(facts.replace(b'"permeability": 0', b'"permeability": 7'), arrays, "damaged")
    (tmp_path / "field.npz").unlink()
    with pytest.raises(InputError, match="no field state"):
        FieldState.load(tmp_path)


def test_arrays_with_objects_or_of_the_wrong_shape_are_refused(tmp_path):
    import hashlib

    carried().save(tmp_path)
    facts = json.loads((tmp_path / "field.json").read_text("utf-8"))
    good = dict(np.load(tmp_path / "field.npz"))
    bad = (
        {**good, "centers": np.array([{"a": 1}], dtype=object)},
        {**good, "centers": np.zeros(3, np.float32)},
        {**good, "strength": np.zeros(99, np.float32)},
        {**good, "centers": np.full_like(good["centers"], np.nan)},
        {**good, "sums": np.zeros(7)},
        {k: v for k, v in good.items() if k != "sums"},
    )
    for arrays in bad:
        np.savez(tmp_path / "field.npz", **arrays)
        facts["sha256"] = hashlib.sha256((tmp_path / "field.npz").read_bytes()).hexdigest()
        (tmp_path / "field.json").write_text(json.dumps(facts), "utf-8")
        with pytest.raises(InputError, match="damaged"):
            FieldState.load(tmp_path)


def test_a_state_saved_by_release_0_1_is_read_with_the_states_of_today():
    state = FieldState.load(Path(__file__).parent / "data" / "state_0.1")
    assert state.turn == 2 and state.dims == 8 and len(state.centers) == 3
    assert {f.key: f.state for f in state.residue.fragments} == {
        "packed": "integrated",
        "strong": "echo",
        "faded": "shadow",
        "was surfaced": "echo",
        "was orphaned": "shadow",
    }
    after = state.integrate(["packed"], state.residue.vectors()[:1])
    assert {f.state for f in after.residue.fragments} <= set(STATES)


def test_the_name_of_release_0_1_warns_and_works():
    with pytest.warns(DeprecationWarning, match=r"FieldSettings\.of is now FieldSettings\.from_mapping"):
        assert FieldSettings.of({"limit": 3}) == FieldSettings(limit=3)


def test_another_models_rows_are_refused():
    state = carried()
    for wrong in (lambda x: read(x, state=state), state.absorb):
        with pytest.raises(InputError, match="32 dims, the rows have 16"):
            wrong(topics(10, 2, 16))
    with pytest.raises(InputError, match="the query has 16 dims"):
        read(topics(10, 2), topics(1, 1, 16)[0])


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"limit": -1}, "limit is -1; allowed: a whole number from 0"),
        ({"permeability": 0.95}, "0.1 to 0.9"),
        ({"half_life": float("nan")}, "half_life is nan"),
        ({"gradient": True}, "gradient is True"),
        ({"bias": "much"}, "bias is 'much'"),
        ({"limit": 3.5}, "limit is 3.5"),
        ({"speed": 1}, "unknown field setting 'speed'; known: limit, bias"),
    ],
)
def test_settings_are_checked(values, match):
    with pytest.raises(SettingsError, match=match):
        FieldSettings.from_mapping(values)


def test_json_of_state_and_reading():
    state = carried()
    shown = json.loads(json.dumps(state.to_dict()))
    assert shown["turn"] == 2 and shown["rows"] == 60 and shown["residue"][0]["key"] == "a"
    x = topics(60, 3)
    field = json.loads(json.dumps(read(x, x[0]).to_dict()))
    assert sum(a["segments"] for a in field["attractors"]) == 60 and field["turn"] == 1
    assert all(0 <= a["strength"] <= 1 and 0 <= a["cohesion"] <= 1 for a in field["attractors"])


SCRIPT = """
import hashlib, sys
import numpy as np
from fieldpack.field.state import read
rng = np.random.default_rng(3)
for n, d in ((700, 256), (900, 384), (2200, 768)):
    x = rng.normal(size=(n, d)) + rng.normal(size=(9, d))[np.arange(n) % 9]
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    r = read(x, x[0])
    state = read(x[:20], x[1], r.state.absorb(x)).state
    a = r.attractors
    parts = (a.basin, a.strength, a.centers, a.cohesion, r.attraction, r.row_resonance, r.unexplained, r.demand)
    more = (np.float64(r.resonance), np.float64(a.beta), state.strength, state.centers, state.sums)
    print(hashlib.sha256(b"".join(p.tobytes() for p in parts + more)).hexdigest())
assert not {"torch", "sklearn", "faiss", "scipy"} & set(sys.modules), "heavy import"
"""


def test_one_or_two_threads_and_another_process_give_the_same_field_without_heavy_imports():
    digests = set()
    for threads in ("1", "2", "2"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONHASHSEED")
        environment = dict.fromkeys(names, threads) | {"PATH": ""}
        done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        digests.add(done.stdout)
    assert len(digests) == 1


def test_torch_tensors_give_the_same_reading():
    torch = pytest.importorskip("torch")
    x = topics(90, 3)
    state = carried()
    ours, theirs = read(x, x[0], state), read(torch.from_numpy(x), torch.from_numpy(x[0]), state)
    assert (ours.attractors.basin == theirs.attractors.basin).all()
    for part in ("attraction", "row_resonance", "residue", "unexplained", "demand"):
        np.testing.assert_allclose(getattr(theirs, part), getattr(ours, part), atol=2e-3)
    more = state.absorb(torch.from_numpy(x))
    np.testing.assert_allclose(more.sums, state.absorb(x).sums, atol=1e-6)


def test_states_are_values():
    state = carried()
    before = replace(state)
    read(topics(40, 2), state=state)
    state.absorb(topics(5, 1))
    state.integrate(["z"], topics(1, 1))
    assert same(state, before)
