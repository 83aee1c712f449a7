"""A step size that training keeps, and samples have."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import StandardNormal, prior_target
from lebm_tf.mcmc import (
    Alternating, CrankNicolson, Hmc, Independence, Langevin, Mala, rng)
from lebm_tf.samplers import Draws, FromBase, ShortRun, StepSizeAdaptation
from tests import oracles

BASE = StandardNormal(2)


def chains(kernel=None, **settings):
    kernel = kernel or Mala(0.01)
    adaptation = StepSizeAdaptation(kernel, **settings)
    return ShortRun(FromBase(BASE), kernel, 3, adaptation=adaptation)


def draw(sampler, step, is_training):
    seed = rng.fold_in(rng.make_seed(0), step)
    return sampler.draw(prior_target(BASE), 200, Draws(
        {}, {}, seed if is_training else None), seed)


def test_training_brings_it_to_its_goal_and_samples_have_it():
    sampler = chains()
    step = tf.function(lambda k: draw(sampler, k, True).state.accept_prob)
    for k in range(150):
        accepted = step(tf.constant(k))
    assert np.mean(accepted) == pytest.approx(0.574, abs=0.08)
    size = float(sampler.adaptation.value)
    assert size > 0.5
    again = draw(sampler, 1000, False)
    assert np.mean(again.state.accept_prob) == pytest.approx(0.574, abs=0.08)
    assert float(sampler.adaptation.value) == size  # A sample changes nothing.
    moved = sampler.trace(
        prior_target(BASE), again.start, rng.make_seed(1),
        lambda state, _: state.position)
    assert np.abs(moved[-1] - moved[0]).max() > 0.5
    assert sampler.layers == (sampler.adaptation,)
    assert sampler.calibrated(5).layers == ()


def test_one_draw_moves_it_by_its_rate():
    sampler = chains(accept_prob=0.5, rate=0.2)
    accepted = np.mean(draw(sampler, 0, True).state.accept_prob)
    assert float(sampler.adaptation.value) == pytest.approx(
        0.01 * np.exp(0.2 * (accepted - 0.5)), rel=1e-5)


def test_crank_nicolson_stays_within_one():
    sampler = chains(CrankNicolson(0.99), rate=1.0)
    draw(sampler, 0, True)
    assert float(sampler.adaptation.value) == 1.0


def test_of_two_kernels_the_first_is_adapted():
    kernel = Alternating(Hmc(0.3), CrankNicolson(0.5))
    assert StepSizeAdaptation(kernel).goal == 0.65


@pytest.mark.parametrize("kernel", [Langevin(0.1), Independence()], ids=repr)
def test_a_kernel_without_a_goal_is_refused(kernel):
    name = type(kernel).__name__
    with oracles.raises(ValueError, "a step size can be tuned for Mala, Hmc, "
                        f"Nuts, CrankNicolson, got {name}."):
        StepSizeAdaptation(kernel)


@pytest.mark.parametrize("settings", [{"accept_prob": 1.0}, {"rate": 0.0}])
def test_a_value_out_of_range_is_refused(settings):
    with pytest.raises(ValueError, match="accept_prob must lie in"):
        StepSizeAdaptation(Mala(0.1), **settings)
