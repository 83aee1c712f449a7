"""Samplers: an initializer, a kernel and a number of moves."""

import dataclasses

import numpy as np
import tensorflow as tf

from lebm_tf.densities import (
    ConditionalGaussian, Flow, GaussianMixture, StandardNormal, Target,
    prior_target, tempered)
from lebm_tf.mcmc import Langevin, Mala, rng, run_chain
from lebm_tf.networks import AffineCouplings
from lebm_tf.samplers import (
    ChainBank, Draws, Encoded, FromBase, FromEncoder, ShortRun)
from tests import oracles

SEED = rng.make_seed(6)
BASE = StandardNormal(2)
X = tf.constant(np.random.default_rng(0).normal(size=[5, 4]), tf.float32)


def encoder():
    return ConditionalGaussian(oracles.LinearEncoder(4, 2))


def test_a_short_run_starts_at_its_initializer_and_runs_its_kernel():
    sampler = ShortRun(FromBase(BASE), Langevin(0.4), 3)
    draw = sampler.draw(oracles.CORRELATED.log_prob, 5, Draws({}), SEED)
    start = BASE.sample(5, rng.stream(SEED, "start"))
    end = run_chain(Langevin(0.4), oracles.CORRELATED.log_prob, start, 3,
                    rng.stream(SEED, "chain"))
    np.testing.assert_array_equal(draw.start, start)
    np.testing.assert_array_equal(draw.position, end.position)


def test_a_compiled_chain_makes_the_same_noise_free_moves():
    sampler = ShortRun(FromBase(BASE), Langevin(0.4, noise_scale=0.0), 5)
    plain, compiled = (tf.function(lambda s=s: s.draw(
        oracles.CORRELATED.log_prob, 5, Draws({}), SEED).position)() for s in
        (sampler, dataclasses.replace(sampler, jit_compile=True)))
    np.testing.assert_allclose(compiled, plain, rtol=1e-5, atol=1e-6)
    assert np.all(np.not_equal(plain, BASE.sample(
        5, rng.stream(SEED, "start"))))


def test_a_persistent_chain_goes_on_where_it_stopped():
    bank = ChainBank(BASE, 5)
    sampler = ShortRun(bank, Langevin(0.4), 3)
    first = sampler.draw(oracles.standard_normal, 5, Draws({}), SEED)
    second = sampler.draw(oracles.standard_normal, 5, Draws({}), SEED)
    np.testing.assert_array_equal(second.start, first.position)


def test_a_warm_start_is_a_draw_of_the_encoder():
    q = encoder()
    sampler = ShortRun(FromEncoder(q), Langevin(0.4), 0)
    draw = sampler.draw(oracles.standard_normal, 5, Draws({"x": X}), SEED)
    np.testing.assert_array_equal(
        draw.position, q.sample(X, rng.stream(SEED, "start")))


def test_an_encoded_draw_carries_gradients_to_the_encoder_only_by_its_end():
    q = encoder()
    with tf.GradientTape(persistent=True) as tape:
        draw = Encoded(q).draw(None, 5, Draws({"x": X}), SEED)
        end, start = (tf.reduce_sum(z) for z in (draw.position, draw.start))
    np.testing.assert_array_equal(draw.position, draw.start)
    assert all(g is not None for g in tape.gradient(
        end, q.trainable_variables))
    assert all(g is None for g in tape.gradient(
        start, q.trainable_variables))


def test_samplers_say_whether_their_draws_carry_gradients():
    assert Encoded(encoder()).is_reparameterized
    assert not ShortRun(FromBase(BASE), Langevin(0.4), 3).is_reparameterized


def test_with_a_seed_for_every_row_a_chain_depends_on_its_own_alone():
    sampler = ShortRun(FromBase(BASE), Langevin(0.4), 4)
    seeds = rng.make_seed(tf.range(5, dtype=tf.int64))

    @tf.function
    def draw(seeds):
        return sampler.draw(oracles.standard_normal, seeds.shape[0], Draws({}),
                            seeds).position
    whole = np.asarray(draw(seeds))
    assert len(np.unique(whole)) == whole.size
    np.testing.assert_allclose(
        draw(tf.gather(seeds, [3, 1])), whole[[3, 1]], rtol=1e-6)


def test_a_kernel_that_draws_for_all_runs_every_row_alone():
    """Row i from seed i alone; temperatures and numbers of moves too."""
    sampler = ShortRun(FromBase(BASE), Mala(0.4), 4)
    heats, steps = tf.constant([1.0, 2.0, 0.5]), tf.constant([4, 1, 2])
    seeds = rng.make_seed(tf.range(3, dtype=tf.int64))

    @tf.function(autograph=False)
    def draw(rows):
        target = tempered(prior_target(BASE), tf.gather(heats, rows))
        return sampler.draw(target, len(rows), Draws({}),
                            tf.gather(seeds, rows),
                            tf.gather(steps, rows)).position
    whole = np.asarray(draw([0, 1, 2]))
    assert len(np.unique(whole)) == whole.size
    np.testing.assert_allclose(draw([2, 0]), whole[[2, 0]], rtol=1e-6)
    assert not ShortRun(FromBase(BASE), Mala(0.4), 4).row_seeds_need()


def test_moves_cannot_be_negative():
    with oracles.raises(ValueError, "num_steps must be >= 0, got -1."):
        ShortRun(FromBase(BASE), Langevin(0.4), -1)


def fitted_base():
    codes = np.random.default_rng(3).normal(size=[4_000, 2]) * [0.1, 5.0] @ [
        [0.8, 0.6], [-0.6, 0.8]] + [2.0, -1.0]
    base = GaussianMixture(2)
    base.fit(codes, 0, 0)
    return base


def test_one_step_fits_all_directions_in_the_coordinates_of_a_base():
    """An affine base under a quadratic energy is a Gaussian again: its chains
    find it with a step that is eight times its narrowest width."""
    base = fitted_base()
    energy = oracles.Gaussian(np.array([2.0, 0.0]), 50.0 * np.eye(2))
    target = Target(lambda z, rows: base.log_prob(z) + energy.log_prob(z))
    root = base.spread.numpy().astype(np.float64)
    precision = np.linalg.inv(root @ root.T) + 0.02 * np.eye(2)
    covariance = np.linalg.inv(precision)
    mean = covariance @ (np.linalg.inv(root @ root.T) @ base.center.numpy()
                         + 0.02 * np.array([2.0, 0.0]))
    sampler = ShortRun(FromBase(base), Mala(0.8), 100, coordinates=base)
    draw = tf.function(lambda: sampler.draw(target, 8_000, Draws({}), SEED))()
    oracles.assert_moments(draw.position.numpy(), mean, covariance)
    plain = dataclasses.replace(sampler, coordinates=None,
                                kernel=Langevin(0.8))
    away = tf.function(lambda: plain.draw(
        target, 50, Draws({}), SEED))().position
    assert not np.all(np.abs(away) < 1e6)


def test_a_trace_in_other_coordinates_is_one_of_z():
    base = fitted_base()
    target = Target(lambda z, rows: base.log_prob(z))
    sampler = ShortRun(FromBase(base), Langevin(0.3), 4, coordinates=base)
    start = base.sample(5, SEED)
    z, log_prob = sampler.trace(target, start, SEED, lambda state, target: (
        state.position, target(state.position)))
    np.testing.assert_allclose(z[0], start, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        log_prob[-1], base.log_prob(z[-1]), rtol=1e-4, atol=1e-4)


def test_a_flow_takes_volumes_into_account():
    """In its own coordinates the target of a flow is N(0, I)."""
    flow = Flow(AffineCouplings(2, 2, (8,)), num_steps=50)
    flow.fit(np.random.default_rng(3).normal(size=[500, 2]) ** 3, 0, 0)
    sampler = ShortRun(FromBase(flow), Langevin(0.3), 1, coordinates=flow)
    moved, u = sampler._moved(
        Target(lambda z, rows: flow.log_prob(z)), flow.sample(50, SEED))
    np.testing.assert_allclose(
        moved(u), StandardNormal(2).log_prob(u), rtol=1e-3, atol=1e-3)
