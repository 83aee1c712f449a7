"""An energy over a flow: what closed forms know, and what is refused."""

import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import EnergyPrior, StandardNormal, TransportedEnergy
from lebm_tf.evaluation.latents import annealing
from lebm_tf.families import DataSpec, flow, neural_transport
from lebm_tf.families.neural_transport import (
    NeuralTransportConfig, TransportChainConfig)
from lebm_tf.mcmc import (
    Alternating, CrankNicolson, Hmc, Independence, Langevin, Mala, rng,
    run_chain)
from lebm_tf.networks import AffineCouplings
from tests import oracles

POINTS = DataSpec((2,), 12, kind="vector")
SEED = rng.make_seed(7)


class Shift(AffineCouplings):
    """x = 2 z + 1: a flow whose law is N(1, 4 I)."""

    def call(self, z):
        return 2.0 * z + 1.0, 0.0 * z[:, 0] + 2.0 * math.log(2.0)

    def inverse(self, x):
        return 0.5 * (x - 1.0), 0.0 * x[:, 0] - 2.0 * math.log(2.0)


class Quadratic(tf.keras.layers.Layer):
    """E(x) = |x|^2 / 2: p is N(0.2, 0.8 I) over that flow, and Z = e^-0.2 /
    5^(2/2)."""

    def call(self, x):
        return 0.5 * tf.reduce_sum(tf.square(x), -1)


def closed_form():
    transport = flow.make_transport(
        flow.FlowConfig(num_couplings=1), POINTS, 0, Shift(2, 1, (2,)))
    return transport, EnergyPrior(
        StandardNormal(2), TransportedEnergy(Quadratic(), transport))


@pytest.mark.parametrize("kernel", [
    Hmc(0.3, 3), Mala(0.4), CrankNicolson(0.6), Independence(),
    Alternating(Hmc(0.3, 3), CrankNicolson(0.6), 3)], ids=repr)
def test_chains_in_latents_have_the_moments_of_x(kernel):
    transport, prior = closed_form()
    start = prior.base.sample(5000, SEED)
    z = tf.function(lambda: run_chain(
        kernel, prior.unnormalized_log_prob, start, 60, SEED))().position
    oracles.assert_moments(transport.forward(z)[0], [0.2, 0.2],
                           [[0.8, 0.0], [0.0, 0.8]])


def test_the_normalizer_is_that_of_x_from_both_sides():
    _, prior = closed_form()
    exact = -0.2 - np.log(5.0)
    low, high, _ = annealing.interval(
        prior, prior.base.sample(2000, SEED), 50, SEED)
    for estimate in (low, high):
        assert estimate.standard_error < 0.03
        assert float(estimate.value) == pytest.approx(
            exact, abs=5 * estimate.standard_error)
    drawn = annealing.log_mean_exp(
        -np.asarray(prior.energy(prior.base.sample(50_000, SEED))))
    assert float(drawn.value) == pytest.approx(exact, abs=0.03)


def build(config=NeuralTransportConfig(), **networks):
    return neural_transport.build(config, POINTS, batch_size=4, **networks)


def transported():
    return {"transport": flow.make_transport(
        flow.FlowConfig(num_couplings=2, hidden_units=(4,)), POINTS, 1)}


def test_a_model_begins_as_its_flow():
    """Then all moves without a gradient are accepted, and the step size of a
    kernel follows only in training."""
    model = build(NeuralTransportConfig(chains=TransportChainConfig(
        3, 0.4, kernel="pcn")), **transported())
    z = model.sample(5, seed=1).z
    np.testing.assert_array_equal(model.energy(z), [0.0] * 5)
    before = float(model.generation.adaptation.value)
    logs = model.train_step({"x": tf.ones([4, 2])})
    assert float(logs["negative/accept_prob"]) == pytest.approx(1.0)
    assert float(model.generation.adaptation.value) > before
    assert model.generation.kernel == CrankNicolson(0.4)


@pytest.mark.parametrize("chains,kernel", [
    ({"kernel": "independence", "step_size": 0.2}, Independence()),
    ({"kernel": "langevin"}, Langevin(0.2)),
    ({"pcn_every": 4, "pcn_step_size": 0.5},
     Alternating(Hmc(0.2, 3), CrankNicolson(0.5), 4))])
def test_chains_are_of_the_kernel_that_is_asked_for(chains, kernel):
    config = TransportChainConfig(**chains)
    assert config.make_kernel() == kernel
    assert config.is_adapted == ("kernel" not in chains)


def test_a_refitted_flow_follows_samples_and_a_frozen_one_stays():
    for refit in (False, True):
        model = build(dataclasses.replace(
            NeuralTransportConfig(), refit=refit, dense_energy=(
                neural_transport.EnergyConfig((4,))),
            chains=TransportChainConfig(3, num_leapfrog_steps=2)),
            **transported())
        flowing = model.likelihood.network
        before = [w.copy() for w in flowing.get_weights()]
        for _ in range(2):
            model.train_step({"x": tf.ones([4, 2])})
        changed = any(np.any(a != b) for a, b in zip(
            before, flowing.get_weights()))
        assert changed == refit


@pytest.mark.parametrize("make,message", [
    (lambda: build(), "transport=flow needs a --backbone of the family flow, "
     "got none."),
    (lambda: build(NeuralTransportConfig(transport="generator")),
     "transport=generator needs a --backbone with generator and encoder, got "
     "no generator."),
    (lambda: neural_transport.build(NeuralTransportConfig(), DataSpec(
        (4,), 12, kind="vector"), **transported()),
     "the transport must have outputs of shape (4,), got (2,)."),
    (lambda: flow.build(flow.FlowConfig(), DataSpec(
        (3,), 12, kind="vector")), "a flow of coupling layers needs an even "
     "dimension of at least 2, got 3."),
    (lambda: flow.build(flow.FlowConfig("glow"), DataSpec((28, 28, 1), 12)),
     "a flow of 3 levels needs image sides that are multiples of 8, got "
     "28x28."),
    (lambda: flow.FlowConfig(glow_steps=2),
     "glow_steps must be left out with network=realnvp, got 2."),
    (lambda: flow.FlowConfig("glow", num_couplings=2),
     "num_couplings must be left out with network=glow, got 2."),
    (lambda: TransportChainConfig(pcn_every=1), "pcn_every must be 0 or >= 2, "
     "got 1; for pcn moves only, use kernel=pcn."),
    (lambda: TransportChainConfig(kernel="pcn", step_size=1.5).make_kernel(),
     "step_size must lie in (0, 1], got 1.5."),
    (lambda: TransportChainConfig(kernel="pcn", pcn_every=3),
     "pcn_every must be left out with kernel=pcn, got 3."),
    (lambda: TransportChainConfig(pcn_step_size=0.1),
     "pcn_step_size must be left out without pcn_every, got 0.1."),
    (lambda: NeuralTransportConfig(latent_dim=3),
     "latent_dim must be left out with transport=flow, got 3."),
    (lambda: NeuralTransportConfig(bank_size=3),
     "bank_size must be left out without chains_start=bank, got 3."),
    (lambda: NeuralTransportConfig(transport="generator", refit=True),
     "refit must be left out with transport=generator, got True."),
    (lambda: NeuralTransportConfig(chains=TransportChainConfig(
        start="encoder")), "chains_start must be base or bank, got 'encoder': "
     "samples have no input observation.")])
def test_what_can_not_be_is_refused_with_its_message(make, message):
    with oracles.raises(ValueError, message):
        make()
