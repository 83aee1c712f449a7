"""What every sampler owes its callers. A new sampler joins the list."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf import samplers
from lebm_tf.densities import (
    ConditionalGaussian, LadderTarget, LearnedFlow, NoiseLevels, StandardNormal,
    prior_target)
from lebm_tf.mcmc import Langevin, Mala, rng
from lebm_tf.mcmc.kernel import initial_state
from lebm_tf.networks import LatentGlow
from lebm_tf.samplers import (
    Diffused, Draw, Draws, Encoded, Flowed, FromBase, FromData, Ladder,
    LowestNoise, Mapped, Sampler, ShortRun)
from tests import oracles

BASE = StandardNormal(2)
X = tf.constant(np.random.default_rng(0).normal(size=[5, 2]), tf.float32)
DRAWS = Draws({"x": X})
SEED = rng.make_seed(3)


def levels(level, start):
    """Nearer to where a level starts, the lower it is."""
    return dataclasses.replace(prior_target(BASE), log_prob=lambda z, rows: (
        -tf.reduce_sum(tf.square(z - start), -1)))


# Name -> sampler, and what it climbs.
SAMPLERS = {
    "short run": (ShortRun(FromBase(BASE), Langevin(0.3), 4),
                  prior_target(BASE)),
    "short run, exact": (ShortRun(FromBase(BASE), Mala(0.3), 4),
                         prior_target(BASE)),
    "encoded": (Encoded(ConditionalGaussian(oracles.LinearEncoder(2, 2))),
                None),
    "flowed": (Flowed(LearnedFlow(LatentGlow(2, 2, 5))), None),
    "from data": (FromData(), None),
    "mapped": (Mapped(tf.tanh, lambda draws: draws.batch["x"]), None),
    "ladder": (Ladder(FromBase(BASE), Langevin(0.3), 2, (0.1, 0.3, 0.5)),
               LadderTarget(levels))}
# Name -> sampler of the states of another role, and its states for each.
NOISED = {
    "diffused": (Diffused(NoiseLevels((0.1, 0.4, 0.7))), 2),
    "lowest noise": (LowestNoise(NoiseLevels((0.1, 0.4, 0.7))), 1)}
each_sampler = pytest.mark.parametrize("name", SAMPLERS)


def draw(name, seed=SEED):
    sampler, target = SAMPLERS[name]
    return sampler.draw(target, 5, DRAWS, seed)


def test_every_sampler_is_in_the_list():
    kinds = {kind for kind in vars(samplers).values() if isinstance(
        kind, type) and issubclass(kind, Sampler)} - {Sampler}
    assert kinds == {*(type(sampler) for sampler, _ in SAMPLERS.values()),
                     *(type(sampler) for sampler, _ in NOISED.values())}


@pytest.mark.parametrize("name", NOISED)
def test_states_with_noise_keep_the_gradient_of_those_without(name):
    sampler, rows = NOISED[name]
    x = tf.Variable(X)
    with tf.GradientTape(persistent=True) as tape:
        draws = Draws({}, {"positive": Draw(x, initial_state(x + 0.0))})
        drawn, again, other = (sampler.draw(None, 5, draws, rng.make_seed(i))
                               for i in (3, 3, 4))
        total = tf.reduce_sum(drawn.position)
    assert drawn.position.shape == drawn.start.shape == (5 * rows, 2)
    np.testing.assert_array_equal(drawn.position, again.position)
    assert np.all(drawn.position != other.position)
    assert np.all(tape.gradient(total, x) != 0)
    assert tape.gradient(drawn.start, x) is None


@each_sampler
def test_a_draw_has_a_row_for_each_chain_and_looks_as_told(name):
    sampler, _ = SAMPLERS[name]
    drawn = draw(name)
    assert isinstance(drawn, Draw)
    for leaf in (drawn.position, drawn.start):
        assert leaf.shape == (5, 2) and np.all(np.isfinite(leaf))
    for value in drawn.state[1:4]:
        assert value.shape == (5,)
    spec = sampler.latents(Draws({"x": X[:1]}))
    assert spec == tf.TensorSpec([None, 2], tf.float32)


@each_sampler
def test_equal_seeds_give_equal_draws_and_others_differ(name):
    first, other = draw(name).position, draw(name, rng.make_seed(4)).position
    np.testing.assert_array_equal(first, draw(name).position)
    assert np.any(first != other) != (name in ("from data", "mapped"))


@each_sampler
def test_with_a_seed_a_row_each_row_depends_on_its_own_alone(name):
    sampler, target = SAMPLERS[name]
    assert not sampler.row_seeds_need()
    seeds = rng.make_seed(tf.range(5, dtype=tf.int64))

    @tf.function(autograph=False)
    def some(rows):
        return sampler.draw(target, len(rows), Draws(
            {"x": tf.gather(X, rows)}), tf.gather(seeds, rows)).position
    np.testing.assert_allclose(
        some([3, 1]), some([0, 1, 2, 3, 4]).numpy()[[3, 1]], rtol=1e-5,
        atol=1e-6)


@each_sampler
def test_a_trace_begins_at_its_start_and_ends_as_a_draw_does(name):
    sampler, target = SAMPLERS[name]
    drawn = draw(name)
    records = sampler.trace(
        target, drawn.start, rng.stream(SEED, "chain"),
        lambda state, target: state.position)
    assert records.shape == (sampler.num_steps + 1, 5, 2)
    np.testing.assert_array_equal(records[0], drawn.start)
    if sampler.climbs:
        np.testing.assert_allclose(records[-1], drawn.position, rtol=1e-6)


@each_sampler
def test_a_sampler_takes_other_numbers_of_moves_or_says_why_not(name):
    sampler, target = SAMPLERS[name]
    if not sampler.climbs:
        with pytest.raises(ValueError, match="num_steps needs a chain, got 6"):
            sampler.with_steps(6)
        return
    longer = sampler.with_steps(6)
    assert longer.num_steps == 6 and sampler.num_steps in (4, 6)
    assert longer.draw(target, 5, DRAWS, SEED).position.shape == (5, 2)


def test_a_ladder_refuses_what_does_not_fit():
    ladder, _ = SAMPLERS["ladder"]
    with oracles.raises(ValueError, "num_steps must be a multiple of the 3 "
                        "levels, got 7."):
        ladder.with_steps(7)
    with oracles.raises(ValueError, "step_sizes must be one or more numbers "
                        "> 0, got (0.1, 0.0)."):
        dataclasses.replace(ladder, step_sizes=(0.1, 0.0))
    assert dataclasses.replace(ladder, kernel=Mala(0.1)).row_seeds_need()
