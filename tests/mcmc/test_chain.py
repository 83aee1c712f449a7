"""Loops: what they promise whatever the kernel."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.mcmc import Langevin, Mala, rng, run_chain, trace_chain
from tests import oracles

SEED = rng.make_seed(5)
KERNELS = [Langevin(0.4), Mala(0.4)]
TARGET = oracles.CORRELATED.log_prob


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_move_k_uses_the_seed_folded_with_k():
    kernel, start = Langevin(0.4), tf.constant(normal(4, 2))
    state = kernel.init(TARGET, start)
    for k in range(3):
        state = kernel.step(TARGET, state, rng.fold_in(SEED, k))
    end = run_chain(kernel, TARGET, start, 3, SEED)
    np.testing.assert_array_equal(end.position, state.position)


def test_chains_of_different_lengths_stop_where_each_would_alone():
    start, noise = tf.constant(normal(4, 2)), tf.constant(normal(5, 4, 2))
    lengths = [3, 0, 5, 1]
    together = run_chain(Langevin(0.4), TARGET, start, tf.constant(lengths),
                         None, noise)
    for i, length in enumerate(lengths):
        alone = run_chain(Langevin(0.4), TARGET, start, length, None, noise)
        for a, b in zip(together[:4], alone[:4]):
            np.testing.assert_array_equal(a[i], b[i])


@pytest.mark.parametrize("kernel", KERNELS)
def test_no_moves_leave_the_start_as_it_is(kernel):
    start = tf.constant(normal(4, 2))
    end = run_chain(kernel, TARGET, start, 0, SEED)
    np.testing.assert_array_equal(end.position, start)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_traced_chain_makes_the_moves_of_a_run(kernel):
    start = tf.constant(normal(4, 2))
    last, trace = trace_chain(
        kernel, TARGET, start, 4, SEED, lambda state: state.position)
    runs = [run_chain(kernel, TARGET, start, k, SEED).position
            for k in range(5)]
    np.testing.assert_array_equal(trace, runs)
    np.testing.assert_array_equal(last.position, runs[-1])


def test_a_trace_records_a_nest_at_every_few_moves():
    start = {"z": tf.constant(normal(4, 2))}

    def target(z):
        return TARGET(z["z"])

    def record(state):
        return state.position, {"log_prob": target(state.position)}
    (position, logs) = trace_chain(
        Langevin(0.4), target, start, 6, SEED, record, every=3)[1]
    full = trace_chain(
        Langevin(0.4), TARGET, start["z"], 6, SEED, lambda s: s.position)[1]
    np.testing.assert_array_equal(position["z"], full[::3])
    np.testing.assert_array_equal(
        logs["log_prob"], [TARGET(z) for z in full[::3]])


@pytest.mark.parametrize("every", [0, 4])
def test_records_must_be_spread_evenly(every):
    with oracles.raises(
            ValueError, "every must be >= 1 and divide num_steps, got "
            f"{every} and 6."):
        trace_chain(Langevin(0.4), TARGET, tf.zeros([1, 2]), 6, SEED,
                    lambda state: state.position, every=every)


def test_injected_noise_replaces_the_drawn_one():
    start, noise = normal(4, 2), normal(3, 4, 2, seed=1)
    z = start
    for e in noise:
        z = (1 - 0.08) * z + 0.4 * e
    end = run_chain(Langevin(0.4), oracles.standard_normal,
                    tf.constant(start), 3, SEED, noise)
    np.testing.assert_allclose(end.position, z, rtol=1e-5)


@pytest.mark.parametrize("split", [
    lambda z: (z[..., :2], z[..., 2:]),
    lambda z: {"a": z[..., :1], "b": [z[..., 1:2], z[..., 2:]]}])
def test_a_nest_moves_as_its_concatenated_vector(split):
    gaussian = oracles.Gaussian(
        np.zeros(3), np.array([[1.0, 0.5, 0.2], [0.5, 1.0, 0.3],
                               [0.2, 0.3, 1.0]]))
    start, noise = tf.constant(normal(5, 3)), tf.constant(normal(4, 5, 3))
    whole = run_chain(
        Langevin(0.5), gaussian.log_prob, start, 4, SEED, noise)
    nested = run_chain(
        Langevin(0.5),
        lambda z: gaussian.log_prob(tf.concat(tf.nest.flatten(z), -1)),
        split(start), 4, SEED, split(noise))
    tf.nest.assert_same_structure(nested.position, split(start))
    np.testing.assert_allclose(
        tf.concat(tf.nest.flatten(nested.position), -1), whole.position,
        rtol=1e-6)
    np.testing.assert_allclose(
        nested.gradient_norm, whole.gradient_norm, rtol=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_chain_does_not_feel_where_another_starts(kernel):
    start = normal(6, 2)
    other = start.copy()
    other[3] += 10.0
    first, second = (np.asarray(run_chain(
        kernel, TARGET, tf.constant(z), 4, SEED).position)
        for z in (start, other))
    rest = np.arange(6) != 3
    np.testing.assert_array_equal(first[rest], second[rest])
    assert np.all(first[3] != second[3])


@pytest.mark.parametrize("kernel", KERNELS)
def test_eager_and_graph_chains_agree(kernel):
    def chain(start):
        return run_chain(kernel, TARGET, start, 4, SEED).position
    start = tf.constant(normal(6, 2))
    np.testing.assert_allclose(
        chain(start), tf.function(chain)(start), rtol=2e-6, atol=1e-7)


def test_ten_calls_of_a_compiled_chain_trace_the_target_once():
    traces = []

    def target(z):
        traces.append(1)
        return oracles.standard_normal(z)

    @tf.function
    def chain(start, num_steps, seed):
        return run_chain(Langevin(0.4), target, start, num_steps, seed)
    for i in range(10):
        chain(tf.zeros([3, 2]), tf.constant(i), rng.make_seed(i))
    assert len(traces) == 1


@pytest.mark.parametrize("width", [1, 3])
def test_the_number_of_chains_may_be_unknown_when_traced(width):
    @tf.function(input_signature=[tf.TensorSpec([None, width])])
    def chain(start):
        return run_chain(
            Langevin(0.4), oracles.standard_normal, start, 2, SEED).position
    assert chain(tf.zeros([7, width])).shape == (7, width)
