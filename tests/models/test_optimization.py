"""Adam against its recursion, its schedule and its clipping."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.models import Adam, OptimizerConfig, optimization
from tests import oracles

GRADIENTS = np.random.default_rng(0).normal(size=[4, 3]) * np.array(
    [1.0, 1e-3, 1e-8])  # The last is as small as epsilon.


def adam(gradients, rate, beta_1, beta_2, epsilon):
    """PyTorch's recursion, in numpy; positions after every step."""
    x, m, v, path = np.zeros(3), 0.0, 0.0, []
    for t, g in enumerate(gradients, 1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        x = x - rate * (m / (1 - beta_1**t)) / (
            np.sqrt(v / (1 - beta_2**t)) + epsilon)
        path.append(x)
    return np.array(path)


def descend(optimizer, gradients=GRADIENTS, dtype="float64", compiled=True):
    variable = keras.Variable(np.zeros(3), dtype=dtype)
    optimizer.build([variable])

    def step(gradient):
        optimizer.apply([gradient], [variable])
    step = tf.function(step) if compiled else step
    path = []
    for gradient in gradients:
        step(tf.constant(gradient, dtype))
        path.append(variable.numpy())
    return np.array(path)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("beta_1", [0.0, 0.5, 0.9])
def test_adam_follows_the_recursion_of_pytorch(beta_1, compiled, float64):
    config = OptimizerConfig(1e-3, beta_1, 0.999, 1e-8)
    np.testing.assert_allclose(
        descend(config.make(10), compiled=compiled),
        adam(GRADIENTS, 1e-3, beta_1, 0.999, 1e-8), rtol=1e-12)


def test_decoupled_decay_shrinks_the_weights_by_the_learning_rate(float64):
    """PyTorch's AdamW: w (1 - rate decay), then Adam's step."""
    plain, decayed = (descend(OptimizerConfig(
        1e-3, decoupled_decay=decay).make(10)) for decay in (0.0, 0.25))
    expected, position = [], 0.0
    for move in np.diff(plain, axis=0, prepend=0.0):
        position = position * (1 - 1e-3 * 0.25) + move
        expected.append(position)
    np.testing.assert_allclose(decayed, expected, rtol=1e-12)


def test_adam_in_single_precision_is_close_to_it():
    np.testing.assert_allclose(
        descend(OptimizerConfig(1e-3).make(10), dtype="float32"),
        adam(GRADIENTS, 1e-3, 0.5, 0.999, 1e-8), rtol=1e-4)


def test_kerass_own_adam_is_another_algorithm(float64):
    """Why we have ours; if this fails, ours can go."""
    theirs = descend(keras.optimizers.Adam(1e-3, 0.5, 0.999, 1e-8))
    ours = adam(GRADIENTS, 1e-3, 0.5, 0.999, 1e-8)
    assert np.max(np.abs(theirs[:, 2] / ours[:, 2] - 1)) > 0.3


def test_the_learning_rate_falls_once_an_epoch(float64):
    optimizer = OptimizerConfig(
        1e-3, beta_1=0.0, beta_2=0.0, epoch_decay=0.5).make(2)
    path = descend(optimizer, np.ones([6, 3]))
    steps = -np.diff(path[:, 0], prepend=0.0)
    np.testing.assert_allclose(
        steps, 1e-3 * np.repeat([1.0, 0.5, 0.25], 2), rtol=1e-6)


def test_without_decay_the_learning_rate_is_a_number():
    assert float(OptimizerConfig(3e-4).make(2).learning_rate) == \
        pytest.approx(3e-4)


def test_clipping_scales_the_whole_gradient_of_a_part(float64):
    """Two variables of norm 5 together, clipped to 1; a gradient within the
    bound stays as it is."""
    for factor, expected in ((1.0, 0.2), (0.1, 1.0)):
        optimizer = OptimizerConfig(1e-3, clip_norm=1.0).make(2)
        variables = [keras.Variable(np.zeros(1)) for _ in range(2)]
        optimizer.build(variables)
        optimizer.apply([tf.constant([factor * g], tf.float64)
                         for g in (3.0, 4.0)], variables)
        moments = [m.numpy()[0] for m in optimizer._momentums]
        np.testing.assert_allclose(
            moments, [0.5 * factor * expected * g for g in (3.0, 4.0)],
            rtol=1e-6)


def test_the_defaults_are_those_of_the_authors_programs():
    optimizer = OptimizerConfig().make(2)
    assert isinstance(optimizer, Adam)
    assert (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (
        0.5, 0.999, 1e-8)


@pytest.mark.parametrize("values,message", [
    ({"learning_rate": 0.0}, "learning_rate must be > 0, got 0.0."),
    ({"epsilon": -1.0}, "epsilon must be > 0, got -1.0."),
    ({"beta_1": 1.0}, "beta_1 must lie in [0, 1), got 1.0."),
    ({"beta_2": -0.1}, "beta_2 must lie in [0, 1), got -0.1."),
    ({"epoch_decay": 0.0}, "epoch_decay must lie in (0, 1], got 0.0."),
    ({"schedule": "epochs"}, "decay_epochs must be >= 1 for epochs, got 0."),
    ({"clip_norm": -1.0}, "clip_norm must be >= 0, got -1.0.")])
def test_a_bad_value_is_refused_with_its_message(values, message):
    with oracles.raises(ValueError, message):
        OptimizerConfig(**values)


@pytest.mark.parametrize("values, expected", [
    ({"schedule": "linear", "schedule_steps": 4, "schedule_factor": 0.2},
     [1.0, 0.8, 0.6, 0.4, 0.2, 0.2]),
    ({"schedule": "cosine", "schedule_steps": 4, "schedule_factor": 0.0},
     [1.0, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5, 0.0, 0.0]),
    ({"schedule": "step", "schedule_steps": 2, "schedule_factor": 0.1},
     [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]),
    ({"schedule": "step", "schedule_steps": 2, "schedule_factor": 0.1,
      "least_learning_rate": 5e-5}, [1.0, 1.0, 0.1, 0.1, 0.05, 0.05]),
    ({"schedule": "epochs", "decay_epochs": 2, "schedule_factor": 0.2},
     [1.0, 1.0, 1.0, 0.6, 0.6, 0.6]),
    ({"warmup_steps": 4}, [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]),
    ({"warmup_steps": 2, "epoch_decay": 0.5},  # Epochs of three steps.
     [0.5, 1.0, 1.0, 0.5, 0.5, 0.5])])
def test_schedules_have_their_closed_form(values, expected, float64):
    optimizer = OptimizerConfig(
        1e-3, beta_1=0.0, beta_2=0.0, **values).make(3)
    path = descend(optimizer, np.ones([6, 3]))
    steps = -np.diff(path[:, 0], prepend=0.0)
    np.testing.assert_allclose(
        steps, 1e-3 * np.array(expected), rtol=1e-5, atol=1e-9)


def test_the_schedule_of_cycle_translation_is_the_published_one():
    """Epochs 0 to 50 constant; the last of 100 is 49/50 of the way."""
    optimizer = OptimizerConfig(
        2e-4, schedule="epochs", hold_epochs=50, decay_epochs=50,
        schedule_factor=0.05).make(10)
    for epoch, expected in ((0, 2e-4), (50, 2e-4), (51, 1.962e-4),
                            (99, 1.38e-5), (100, 1e-5), (200, 1e-5)):
        optimizer.iterations.assign(10 * epoch + 9)
        np.testing.assert_allclose(
            float(optimizer.learning_rate), expected, rtol=1e-5)


def test_a_moving_average_of_the_weights_follows_its_recursion(float64):
    optimizer = OptimizerConfig(0.1, average_decay=0.9).make(1)
    path = descend(optimizer)
    average = path[0]
    for position in path[1:]:
        average = 0.9 * average + 0.1 * position
    np.testing.assert_allclose(
        optimizer._model_variables_moving_average[0], average, rtol=1e-12)


def test_parts_that_are_clipped_together_have_one_factor():
    """Of gradients (3, 0) and a table with 4 twice in one row: norm 5 with
    the row summed, and no part alone beyond it."""
    rows = tf.IndexedSlices(tf.constant([[1.0], [3.0]]), tf.constant([2, 2]),
                            tf.constant([4, 1]))
    given = {"encoder": [tf.constant([3.0, 0.0]), None], "decoder": [rows]}
    optimizers = {part: OptimizerConfig().make(1) for part in given}
    found = optimization.clipped_together(1.0, optimizers, given)
    np.testing.assert_allclose(found["encoder"][0], [0.6, 0.0], rtol=1e-5)
    assert found["encoder"][1] is None
    np.testing.assert_allclose(found["decoder"][0][:, 0], [0, 0, 0.8, 0],
                               rtol=1e-5)
    same = optimization.clipped_together(6.0, optimizers, given)
    np.testing.assert_array_equal(same["encoder"][0], [3.0, 0.0])
