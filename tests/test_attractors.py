from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans, MeanShift
from sklearn.metrics import adjusted_mutual_info_score as agreement
from sklearn.metrics import silhouette_score

from fieldpack.errors import InputError
from fieldpack.field.attractors import detect
from fieldpack.field.descent import merging_cosine, refine, step
from fieldpack.field.scale import noise_scale, null_cohesion, silhouette, trapping_scale


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def noise(n: int, d: int, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(n, d)))


def topics(n: int, k: int, d: int = 64, seed: int = 0, tightness: float = 1.2) -> tuple[np.ndarray, np.ndarray]:
    """n rows around k directions, with a common part such as real models give to all texts."""
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.arange(n) % k)
    x = rng.normal(size=(n, d)) + tightness * rng.normal(size=(k, d))[label] + 0.4 * rng.normal(size=d)
    return unit(x), label


def turned(d: int, seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0].astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 40), st.integers(2, 20), st.floats(0.1, 60), st.floats(0, 2), st.integers(0, 10**6))
def test_energy_never_rises_from_any_start(n, d, beta, size, seed):
    rng = np.random.default_rng(seed)
    x = unit(rng.normal(size=(n, d))).astype(np.float64)
    weight = rng.random(n) + 0.01
    b = size * rng.normal(size=d) / np.sqrt(d)
    z = unit(rng.normal(size=(8, d))).astype(np.float64)
    _, trace = refine(z, x, weight / weight.sum(), beta, b, steps=30)
    assert (np.diff(trace, axis=0) <= 1e-9).all()


def test_energy_is_the_stated_formula():
    x, z = noise(9, 5, 1).astype(np.float64), noise(3, 5, 2).astype(np.float64)
    weight, b, beta = np.full(9, 1 / 9), noise(1, 5, 3)[0].astype(np.float64), 4.0
    _, energy = step(z, x, weight, beta, b)
    expected = [-np.log(sum(w * np.exp(beta * (p @ row)) for w, row in zip(weight, x, strict=True))) / beta for p in z]
    np.testing.assert_allclose(energy, np.array(expected) - z @ b, rtol=1e-9)


def test_centers_are_the_fixed_points_that_the_slow_loop_finds():
    x, _ = topics(60, 4)
    found = detect(x)
    assert len(found) == 4
    for center in found.centers:
        slow = oracles.mean_shift(x, center, found.beta, -found.background)
        assert float(slow @ center) > 0.999


def test_basins_are_where_the_rows_themselves_descend_to():
    x, _ = topics(70, 4, 32, seed=4)
    found = detect(x)
    mine = []
    for row in x:
        end = oracles.mean_shift(x, row, found.beta, -found.background, steps=60)
        near = found.centers @ end
        mine.append(near.argmax() if near.max() > merging_cosine(found.beta) else -1)
    assert np.mean(np.array(mine) == found.basin) > 0.97


@pytest.mark.parametrize("d", [2, 3, 8, 32, 64, 256, 384])
@pytest.mark.parametrize("n", [10, 20, 50, 200, 1000, 5000])
def test_noise_has_no_attractor(n, d):
    for seed in range(5 if n <= 200 else 1):
        found = detect(noise(n, d, seed))
        assert len(found) == 0 and (found.basin == -1).all()


@pytest.mark.parametrize(("n", "k", "d"), [(20, 2, 64), (40, 4, 256), (200, 8, 64), (500, 10, 256), (3000, 6, 64)])
def test_planted_topics_are_found_and_no_more(n, k, d):
    x, label = topics(n, k, d, seed=n)
    found = detect(x)
    assert len(found) == k
    assert agreement(label, found.basin) > 0.97


def test_topics_inside_noise_are_found_and_the_noise_is_nobodys():
    x, label = topics(90, 3, 256, seed=7, tightness=2.0)
    found = detect(np.vstack([x, noise(90, 256, 8)]))
    assert agreement(label, found.basin[:90]) > 0.97
    assert (found.basin[90:] == -1).mean() > 0.5


def test_more_than_a_hundred_attractors_when_they_are_asked_for():
    x, label = topics(1440, 120, 256, seed=9, tightness=1.6)
    found = detect(x, limit=200)
    assert 110 <= len(found) <= 130
    assert agreement(label, found.basin) > 0.95
    assert len(detect(x, limit=12)) <= 12


def test_it_agrees_with_mean_shift_and_k_means_of_scikit_learn():
    x, label = topics(240, 6, 64, seed=11, tightness=1.8)
    found = detect(x)
    y = unit(x - x.mean(0))
    flat = MeanShift(bandwidth=0.9).fit_predict(y)
    assert agreement(found.basin, flat) > 0.95
    assert agreement(found.basin, KMeans(6, n_init=4, random_state=0).fit_predict(y)) > 0.95
    assert agreement(found.basin, label) > 0.95


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([12, 60, 400]))
def test_order_and_rotation_of_the_rows_do_not_matter(seed, n):
    x, _ = topics(n, 4, 32, seed=seed)
    found = detect(x)
    rng = np.random.default_rng(seed)
    order, q = rng.permutation(n), turned(32, seed)
    for other, back in ((x[order], np.eye(32)), (x @ q, q.T)):
        again = detect(other)
        assert len(again) == len(found)
        assert again.beta == pytest.approx(found.beta, rel=1e-3)
        np.testing.assert_allclose(np.sort(again.strength), np.sort(found.strength), atol=2e-3)
        near = found.centers @ (again.centers @ back).T
        assert (near.max(1, initial=-1) > 0.995).all()
    assert agreement(found.basin[order], detect(x[order]).basin) > 0.99


def test_the_design_texts_threshold_finds_nothing_where_attractors_are():
    x, _ = topics(60, 4)
    assert oracles.detect_attractors(x, threshold=0.8) == []
    assert len(detect(x)) == 4


def test_strength_is_share_of_mass_times_cohesion_and_cohesion_a_mean_over_pairs():
    x, _ = topics(80, 4, seed=13)
    mass = np.random.default_rng(0).random(80) + 0.1
    found = detect(x, mass)
    y = (x - found.background).astype(np.float64)
    for k in range(len(found)):
        rows = np.flatnonzero(found.basin == k)
        pairs = [y[i] @ y[j] for i in rows for j in rows if i != j]
        cohesion = np.mean(pairs) / np.mean([y[i] @ y[i] for i in rows])
        assert found.cohesion[k] == pytest.approx(cohesion, abs=1e-4)
        assert found.strength[k] == pytest.approx(mass[rows].sum() / mass.sum() * cohesion, abs=1e-4)
    assert (np.diff(found.strength) <= 0).all() and found.strength.sum() <= 1


def test_mass_moves_the_field():
    x, label = topics(90, 3, seed=17)
    even = detect(x)
    heavy = detect(x, np.where(label == 1, 10.0, 1.0), background=x.mean(0))
    assert heavy.basin[label == 1].tolist() == [0] * 30
    assert heavy.strength[0] > 1.5 * even.strength.max()


def test_the_query_pulls():
    x, label = topics(120, 4, 32, seed=19)
    query = unit(x[label == 2].mean(0))
    plain, pulled = detect(x), detect(x, query=query, bias=0.3)
    nearest = int((pulled.centers @ query).argmax())
    assert pulled.centers[nearest] @ query > (plain.centers @ query).max()
    assert (detect(x, query=np.stack([query, query]), bias=0.3).centers == pulled.centers).all()
    assert (detect(x, query=query, bias=0.0).centers == plain.centers).all()
    assert len(detect(noise(200, 64), query=noise(1, 64, 5)[0], bias=0.5)) == 0


def test_background_can_be_given():
    x, _ = topics(60, 1, 64, seed=21)
    assert len(detect(x)) == 0  # what all share is the background
    raw = detect(x, background=np.zeros(64))
    assert len(raw) == 1 and raw.basin.tolist() == [0] * 60
    np.testing.assert_allclose(raw.centers[0], unit(x.mean(0)), atol=0.05)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_rows_have_none(n):
    found = detect(noise(2, 8)[:n])
    assert len(found) == 0 and found.centers.shape == (0, 8) and found.basin.tolist() == [-1] * n


def test_equal_rows_are_background_and_duplicates_are_a_topic():
    same = np.repeat(noise(1, 16), 30, 0)
    assert len(detect(same)) == 0
    copies = detect(np.repeat(noise(5, 64), 20, 0))
    assert len(copies) == 5 and copies.beta < 30 and np.bincount(copies.basin).tolist() == [20] * 5
    found = detect(np.vstack([np.repeat(noise(2, 64), 6, 0), noise(30, 64, 5)]))
    assert len(found) >= 2
    assert len(set(found.basin[:6])) == 1 and len(set(found.basin[6:12])) == 1 and found.basin[0] != found.basin[6]


def test_rows_are_not_changed_and_the_answer_repeats_to_the_byte():
    x, _ = topics(300, 5, seed=23)
    before = x.copy()
    one, two = detect(x), detect(x)
    assert (x == before).all()
    assert one.centers.tobytes() == two.centers.tobytes() and one.basin.tobytes() == two.basin.tobytes()


@pytest.mark.parametrize(
    "wrong", [{"limit": -1}, {"sharpness": 0}, {"sharpness": ()}, {"bias": -1.0}, {"beta": 0.0}, {"beta": -3.0}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=r"allowed: a|one number above 0"):
        detect(noise(10, 4), **wrong)


@pytest.mark.parametrize("mass", [[1.0], [-1.0] * 10, [0.0] * 10])
def test_mass_must_be_weights(mass):
    with pytest.raises(InputError, match="mass has shape"):
        detect(noise(10, 4), np.array(mass))


def test_mass_on_a_few_rows_of_many():
    x, _ = topics(1500, 4, seed=35)
    for heavy in (1, 40):
        mass = np.zeros(1500)
        mass[:heavy] = 1
        found = detect(x, mass, background=x.mean(0))
        assert np.isfinite(found.centers).all() and np.isfinite(found.strength).all() and found.strength.sum() <= 1


def test_rows_without_mass_are_assigned_but_do_not_form():
    x, label = topics(120, 4, seed=25)
    found = detect(x, (label < 2).astype(float), background=x.mean(0))
    assert found.strength[np.unique(found.basin[label < 2])].sum() == pytest.approx(found.strength.sum(), abs=1e-6)


def test_torch_tensors_give_the_same_field():
    torch = pytest.importorskip("torch")
    x, _ = topics(400, 5, seed=27)
    ours, theirs = detect(x), detect(torch.from_numpy(x), torch.ones(400), query=torch.from_numpy(x[0]), bias=0.0)
    np.testing.assert_allclose(theirs.centers, ours.centers, atol=1e-3)
    assert (theirs.basin == ours.basin).mean() > 0.99
    np.testing.assert_allclose(ours.affinity(torch.from_numpy(x)), ours.affinity(x), atol=1e-5)


def test_affinity_is_the_cosine_without_the_background():
    x, _ = topics(30, 3, seed=29)
    found = detect(x)
    np.testing.assert_allclose(found.affinity(x), unit(x - found.background) @ found.centers.T, atol=1e-5)


def test_the_noise_scale_of_noise_is_that_of_its_dimension():
    for d in (16, 64, 256):
        x = noise(400, d)
        assert noise_scale(x) == pytest.approx(d**-0.5, rel=0.12)
    x, _ = topics(400, 8, 64)
    y = x - x.mean(0)
    within = (y @ y.T)[np.triu_indices(400, 1)].std()
    assert 64**-0.5 * (y * y).sum(1).mean() <= noise_scale(y) < 0.7 * within
    assert noise_scale(x[:1]) > 0


def test_the_trapping_scale_solves_its_equation():
    x = noise(48, 32)
    r = (x @ x.T).astype(np.float64)
    beta = trapping_scale(r)
    held = [sum(np.exp(beta * (r[i, j] - 1)) for j in range(48) if j != i) for i in range(48)]
    assert np.log(np.median(held)) == pytest.approx(0, abs=0.5)


@settings(max_examples=30, deadline=None)
@given(st.integers(5, 300), st.floats(0.02, 0.5))
def test_what_noise_reaches_falls_with_the_size_of_the_subset(n, sigma):
    sizes = np.arange(2.0, n + 1)
    null = null_cohesion(sizes, n, sigma, np.zeros(n - 1))
    assert (np.diff(null) < 1e-9).all() and (null > 0).all()


def test_no_subset_of_noise_agrees_more_than_the_null():
    for n, d, seed in ((12, 16, 0), (14, 64, 1)):
        x = noise(n, d, seed).astype(np.float64)
        r = x @ x.T
        for bits in range(3, 2**n):
            rows = [i for i in range(n) if bits >> i & 1]
            m = len(rows)
            if 2 <= m <= 5:
                pairs = (r[np.ix_(rows, rows)].sum() - m) / (m * (m - 1))
                assert pairs < null_cohesion(np.array([float(m)]), n, d**-0.5, np.zeros(1))[0]


def test_a_stretched_cloud_is_not_two_topics():
    rng = np.random.default_rng(0)
    for n in (50, 200, 1000):
        cloud = rng.normal(size=(n, 128))
        cloud[:, 0] *= 2.0
        assert len(detect(unit(cloud))) == 0
        cloud[:, 0] += 7.0 * rng.choice([-1, 1], n)
        assert len(detect(unit(cloud))) == 2


@pytest.mark.parametrize("n", [40, 300])
def test_topics_shuffled_within_each_column_are_gone(n):
    x, _ = topics(n, 5, 128, seed=33)
    rng = np.random.default_rng(0)
    assert len(detect(x)) == 5
    assert len(detect(unit(np.stack([rng.permutation(column) for column in x.T], 1)))) == 0


def test_silhouette_ranks_divisions_as_the_full_one_does():
    x, label = topics(200, 4, 32, seed=31)
    y = unit(x - x.mean(0))
    ours, full = [], []
    for labels in (label, label % 2, (np.arange(200) % 4)):
        centers = unit(np.stack([y[labels == k].mean(0) for k in np.unique(labels)]))
        ours.append(silhouette(y @ centers.T, np.full(200, 1 / 200)))
        full.append(silhouette_score(y, labels, metric="cosine"))
    assert np.argsort(ours).tolist() == np.argsort(full).tolist()
    assert silhouette(np.ones((3, 1)), np.ones(3) / 3) == 0.0
    assert silhouette(np.array([[1.0, 0.0]]), np.ones(1)) == 1.0
