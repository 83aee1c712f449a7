"""True densities of the plane, and divergences from them."""

import numpy as np
import pytest

from benchmarks import plane, recovery


@pytest.fixture(autouse=True)
def few_points(monkeypatch):
    monkeypatch.setattr(plane, "_NUM_COUNTED", 400_000)
    plane._points.cache_clear()
    plane.noised.cache_clear()
    yield
    plane._points.cache_clear()
    plane.noised.cache_clear()


def gaussian(scale):
    return -0.5 * np.sum(np.square(plane.grid().astype(float)), 1) / scale**2


def test_all_noise_is_a_gaussian_and_its_divergence_is_0():
    probs = plane.noised("ring", 1e-3, 0.7)
    assert plane.divergence(probs, gaussian(0.7)) == pytest.approx(0, abs=1e-3)
    # KL(N(0, a^2 I) || N(0, b^2 I)) of the plane, a / b = 0.7.
    wanted = -2 * np.log(0.7) - 1 + 0.7**2
    assert plane.divergence(probs, gaussian(1.0)) == pytest.approx(
        wanted, abs=0.01)


@pytest.mark.parametrize("name", plane.SETS)
def test_samples_of_a_set_diverge_little_from_it_and_those_of_others_more(
        name):
    probs = plane.noised(name, 1.0, 0.05)
    random = np.random.default_rng(5)
    x = plane.SETS[name](20_000, random)
    assert np.abs(x).max() < plane.SIDE
    near = plane.sample_divergence(
        probs, x + 0.05 * random.normal(size=x.shape))
    far = plane.sample_divergence(probs, random.normal(size=[20_000, 2]))
    assert near < 0.05 < 0.3 < far


def test_the_table_says_what_was_measured_and_no_more():
    results = {"plane": {"ring: DRL, 6 x 30": {
        "steps": 7, "kl_levels": [0.5, 0.4, 0.3, 0.2, 0.1, 0.05],
        "kl_samples": 0.25}, "ring: one energy, 180": {
            "steps": 3, "kl_levels": [2.0], "kl_samples": 1.5}},
        "digits": {"image family": {
            "steps": 9, "samples": 3.456, "kernel": 0.1234, "real": 1.0}}}
    found = recovery.table(results)
    assert ("| ring | DRL, 6 x 30 | 7 | 0.500 | 0.400 | 0.300 | 0.200 | 0.100 "
            "| 0.050 | 0.250 |") in found
    assert ("| ring | one energy, 180 | 3 | 2.000 |  |  |  |  |  | 1.500 |"
            ) in found
    assert "| image family | 9 | 3.46 | 0.123 | 1.00 |" in found
