"""Measures of symbols against values that a hand can check."""

import math
import types

import numpy as np
import pytest

from lebm_tf.datasets import VectorData, label_split
from lebm_tf.errors import InputError
from lebm_tf.evaluation import Context, evaluate
from lebm_tf.evaluation.symbols.metrics import (
    calibration_error, chance_homogeneity)


def test_chance_alone_tells_little_of_a_large_set():
    random = np.random.default_rng(0)
    labels, clusters = random.integers(0, 4, 5000), random.integers(0, 20, 5000)
    by_chance = chance_homogeneity(labels, clusters, seed=0)
    # About (K - 1) (C - 1) / (2 N H): a chi-squared statistic's mean.
    assert by_chance == pytest.approx(3 * 19 / (2 * 5000 * math.log(4)),
                                      rel=0.3)


def test_calibration_error_by_hand():
    probs = np.array([[0.9, 0.1]] * 10 + [[0.4, 0.6]] * 10)
    labels = np.array([0] * 7 + [1] * 3 + [1] * 6 + [0] * 4)
    # 0.7 right at 0.9, 0.6 right at 0.6.
    assert calibration_error(probs, labels) == pytest.approx(0.1)


class Model:
    """Knows the answer from the first number of x."""
    prior = types.SimpleNamespace(tells_symbols=True, num_symbols=0)

    def classify(self, x, seed, num_draws):
        right = np.asarray(x)[:, 0] > 0
        return np.stack([np.where(right, 0.1, 0.9),
                         np.where(right, 0.9, 0.1)], 1)


def data():
    x = np.random.default_rng(0).normal(size=[1200, 2]).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    y[:120] = 1 - y[:120]
    return VectorData("table", x, x, y, y)


def test_what_is_measured_with_and_without_labels():
    found = evaluate(
        Model(), Context(label_split(data(), 10)), ["symbols"])
    assert found["symbols/accuracy"] == pytest.approx(0.9)
    assert found["symbols/calibration_error"] == pytest.approx(0, abs=1e-6)
    assert found["symbols/num_labels"] == 10
    assert found["symbols/homogeneity"] > 0.4
    assert found["symbols/homogeneity_by_chance"] < 0.01
    found = evaluate(Model(), Context(data()), ["symbols"])
    assert "symbols/accuracy" not in found


def test_a_model_without_symbols_is_refused():
    model = types.SimpleNamespace(prior=types.SimpleNamespace(
        tells_symbols=False))
    with pytest.raises(InputError, match="needs a prior with symbols"):
        evaluate(model, Context(data()), ["symbols"])
    bare = VectorData("table", data().x_train, data().x_test)
    with pytest.raises(InputError, match="needs held-out labels"):
        evaluate(Model(), Context(bare), ["symbols"])
