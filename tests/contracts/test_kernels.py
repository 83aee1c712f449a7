"""What every kernel owes its callers. A new kernel joins the list."""

import dataclasses

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf import mcmc
from lebm_tf.mcmc import (
    Alternating, CrankNicolson, Hmc, Independence, InTurn, Langevin, Mala, Nuts,
    State, Tempering, rng, run_chain)
from tests import oracles

# Kernel, and whether the target is its exact stationary distribution.
KERNELS = [(Langevin(0.3), False), (InTurn(0.3), False),
           (Mala(0.3), True), (Hmc(0.3, 2), True),
           (Nuts(0.3, 2), True), (Mala(0.3, num_adaptation_steps=2), True),
           (CrankNicolson(0.6), True), (Independence(), True),
           (Alternating(Hmc(0.3, 2), CrankNicolson(0.6), 3), True),
           (Alternating(Langevin(0.3), Independence(), 2), False),
           (Tempering(Hmc(0.3, 2), 3, 0.5), True)]
BAD_VALUES = [
    (Langevin, {"step_size": 0.0}, "step_size must be > 0, got 0.0."),
    (Langevin, {"step_size": float("nan")}, "step_size must be > 0, got nan."),
    (Langevin, {"step_size": 0.1, "noise_scale": -1.0},
     "noise_scale must be >= 0, got -1.0."),
    (Mala, {"step_size": -0.1}, "step_size must be > 0, got -0.1."),
    (Mala, {"step_size": 0.1, "num_adaptation_steps": -1},
     "num_adaptation_steps must be >= 0, got -1."),
    (Mala, {"step_size": 0.1, "target_accept_prob": 1.0},
     "target_accept_prob must lie in (0, 1), got 1.0."),
    (Hmc, {"step_size": 0.1, "num_leapfrog_steps": 0},
     "num_leapfrog_steps must be >= 1, got 0."),
    (Nuts, {"step_size": 0.1, "max_tree_depth": 0},
     "max_tree_depth must be >= 1, got 0."),
    (CrankNicolson, {"step_size": 0.0}, "step_size must be > 0, got 0.0."),
    (CrankNicolson, {"step_size": 1.5},
     "step_size must lie in (0, 1], got 1.5."),
    (Alternating, {"kernel": Mala(0.1), "other": Independence(), "every": 1},
     "every must be >= 2, got 1."),
    (Alternating, {"kernel": Mala(0.1, num_adaptation_steps=3),
                   "other": Independence()},
     "alternating kernels need num_adaptation_steps 0, got 3 for Mala."),
    (Tempering, {"num_replicas": 1}, "num_replicas must be >= 2 and hottest "
     "lie in (0, 1), got 1 and 0.1."),
    (Tempering, {"kernel": Mala(0.1, num_adaptation_steps=3)},
     "replicas need num_adaptation_steps 0, got 3.")]

each_kernel = pytest.mark.parametrize("kernel", [k for k, _ in KERNELS],
                                      ids=repr)


def position(dtype=tf.float32):
    random = np.random.default_rng(0)
    return {"map": tf.constant(random.normal(size=[4, 2, 1]), dtype),
            "vectors": (tf.constant(random.normal(size=[4, 3]), dtype),)}


def compiled(kernel, num_steps=3, target=oracles.standard_normal):
    return tf.function(lambda start, seed: run_chain(
        kernel, target, start, num_steps, seed))


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
@each_kernel
def test_a_nest_keeps_its_structure_shapes_and_type(kernel, dtype):
    start = position(dtype)
    state = compiled(kernel)(start, rng.make_seed(0))
    assert isinstance(state, State)
    tf.nest.assert_same_structure(state.position, start)
    for old, new in zip(tf.nest.flatten(start),
                        tf.nest.flatten(state.position)):
        assert (new.shape, new.dtype) == (old.shape, old.dtype)
        assert np.all(np.isfinite(new)) and np.all(new != old)
    for value in (state.log_prob, state.gradient_norm, state.accept_prob):
        assert (value.shape, value.dtype) == ((4,), dtype)
    accept = np.asarray(state.accept_prob)
    assert np.all((accept >= 0) & (accept <= 1))


@pytest.mark.parametrize("kernel,is_calibrated", KERNELS, ids=repr)
def test_a_kernel_says_if_it_is_calibrated(kernel, is_calibrated):
    assert kernel.is_calibrated is is_calibrated


@each_kernel
def test_equal_seeds_make_equal_moves_and_others_differ(kernel):
    chain, start = compiled(kernel), position()
    first, again, other = (
        chain(start, rng.make_seed(i)).position for i in (1, 1, 2))
    oracles.assert_nests_equal(first, again)
    for a, b in zip(tf.nest.flatten(first), tf.nest.flatten(other)):
        assert np.any(np.not_equal(a, b))


@each_kernel
def test_later_calls_trace_the_target_no_more(kernel):
    traces = []

    def target(z):
        traces.append(1)
        return oracles.standard_normal(z)
    chain = compiled(kernel, target=target)
    chain(position(), rng.make_seed(0))
    once = len(traces)
    for i in range(9):
        chain(position(), rng.make_seed(i))
    assert len(traces) == once


@each_kernel
def test_a_kernel_is_a_value(kernel):
    """It compares, hashes and prints, so it can sit in a configuration."""
    assert kernel == dataclasses.replace(kernel)
    assert hash(kernel) == hash(dataclasses.replace(kernel))
    assert eval(repr(kernel)) == kernel
    with pytest.raises(dataclasses.FrozenInstanceError):
        kernel.kernel = kernel.step_size = 1.0


@pytest.mark.parametrize("kind,values,message", BAD_VALUES)
def test_a_bad_value_is_refused_with_its_message(kind, values, message):
    with oracles.raises(ValueError, message):
        kind(**values)


def shapes(leaves=3):
    leaf = st.lists(st.integers(1, 3), max_size=2).map(tuple)
    return st.recursive(
        leaf.map(lambda shape: np.zeros((2, *shape), np.float32)),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(tuple),
            st.dictionaries(st.sampled_from("abc"), inner, min_size=1)),
        max_leaves=leaves)


@hypothesis.given(start=shapes())
def test_any_nest_keeps_its_structure_under_langevin(start):
    start = tf.nest.map_structure(tf.constant, start)
    end = run_chain(Langevin(0.3), oracles.standard_normal, start, 2,
                    rng.make_seed(0)).position
    tf.nest.assert_same_structure(start, end)
    for old, new in zip(tf.nest.flatten(start), tf.nest.flatten(end)):
        assert (new.shape, new.dtype) == (old.shape, old.dtype)
        assert np.all(np.asarray(new) != 0.0)


def test_every_kernel_is_in_the_list():
    public = [getattr(mcmc, name) for name in mcmc.__all__]
    assert {kind for kind in public if isinstance(kind, type)
            and hasattr(kind, "step") and kind is not mcmc.Kernel} == {
                type(kernel) for kernel, _ in KERNELS}


@each_kernel
def test_a_step_size_may_be_given_by_call_in_any_form(kernel):
    """Its own as a number, one a chain or one a part is the same; another
    moves otherwise, each chain and each part by its own."""
    start = position()
    own, small = kernel.step_size, 1e-6
    if own is None:
        with oracles.raises(ValueError, f"{type(kernel).__name__} has no step "
                            "size; got one."):
            run_chain(kernel, oracles.standard_normal, start, 1,
                      rng.make_seed(0), step_size=0.3)
        return

    def end(step_size):  # After a move, or two where a kernel makes all.
        moves = 1 if isinstance(kernel, Alternating) else 2
        return run_chain(
            kernel, oracles.standard_normal, start, moves, rng.make_seed(0),
            step_size=step_size).position
    plain = end(None)
    forms = (own, tf.fill([4], own), {"map": own, "vectors": (own,)})
    for form in forms:
        for a, b in zip(tf.nest.flatten(end(form)), tf.nest.flatten(plain)):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    parts = end({"map": small, "vectors": (own,)})
    assert np.abs(parts["map"] - start["map"]).max() < 1e-4
    assert np.abs(parts["vectors"][0] - start["vectors"][0]).max() > 1e-2
    if kernel.num_adaptation_steps:
        return  # Tuned for all chains together.
    chains = end(tf.constant([small, own, own, own]))
    moved = np.abs(chains["vectors"][0] - start["vectors"][0]).max(-1)
    assert moved[0] < 1e-4 and moved[1:].max() > 1e-2


def test_a_step_size_of_another_structure_is_refused():
    with oracles.raises(ValueError, "step_size must be one value, or one for "
                        "each of the 2 parts of the position, got 3."):
        run_chain(Langevin((0.1, 0.2, 0.3)), oracles.standard_normal,
                  position(), 1, rng.make_seed(0))
