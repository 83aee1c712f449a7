"""Symbols behind sentences: prior, chains and terms of the authors' program.

Pang and Wu 2021, arXiv:2108.11556, text_generation.py; encoder and decoder
are in test_svebm_networks.py.
"""

import types

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import StandardNormal, SymbolPrior
from lebm_tf.densities.targets import prior_target
from lebm_tf.families import DataSpec, symbol_vector
from lebm_tf.kinds import SEQUENCE
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.mcmc.kernel import value_and_gradient
from lebm_tf.networks import VectorMLP
from lebm_tf.objectives import (
    Annealed, MaskedKL, encoded_energy, energy_contrast, gaussian_kl,
    symbol_information)
from lebm_tf.samplers import Draw, Draws
from tests import oracles
from tests.golden.reference import (
    Injected, Reference, assert_close, assert_gradients)

TEXT, SEED = Reference("svebm_text"), rng.make_seed(0)
C = TEXT.config


@pytest.fixture(scope="module")
def model():
    with oracles.precision("float64"):
        network = VectorMLP(C["latent_size"], C["num_cls"],
                            (C["ebm_hidden"],) * 2, activation="gelu")
        network.set_weights([array for i in (0, 2, 4) for array in
                             TEXT.weights("weights", f"ebm.{i}")])
        yield types.SimpleNamespace(prior=SymbolPrior(
            StandardNormal(C["latent_size"]), network))


def drawn(position, encoded=()):
    return Draw(None, types.SimpleNamespace(position=position), encoded)


@pytest.fixture(scope="module")
def draws():
    encoded = tf.constant(TEXT["posterior/mean"]), tf.constant(
        0.5 * TEXT["posterior/logvar"])
    return Draws({}, {
        "positive": drawn(tf.constant(TEXT["posterior/z"]), encoded),
        "negative": drawn(tf.constant(TEXT["langevin/trajectory"][-1]))})


def test_symbols_are_told_as_theirs(model):
    for name, z in (("posterior", TEXT["posterior/z"]),
                    ("prior_end", TEXT["langevin/trajectory"][-1])):
        z = tf.constant(z)
        assert_close(model.prior.logits(z), TEXT[f"symbol/logits/{name}"])
        energy, gradient = value_and_gradient(model.prior.energy, z)
        assert_close(-energy, TEXT[f"symbol/neg_energy/{name}"])
        assert_close(-gradient, TEXT[f"symbol/neg_energy_grad/{name}"])


def test_prior_chains_go_their_way(model):
    chains = Injected(
        Langevin(C["e_l_step_size"]), tf.constant(TEXT["noise/prior_start"]),
        tf.constant(TEXT["noise/langevin"]))
    assert_close(tf.stack(chains.positions(prior_target(model.prior), SEED)),
                 TEXT["langevin/trajectory"])


def test_every_term_of_the_prior_is_theirs(model, draws):
    kl = MaskedKL(C["dim_target_kl"])(model, draws)
    assert_close(kl, TEXT["loss/kl_masked"])
    assert_close(gaussian_kl(model, draws), TEXT["loss/kl_full"])
    assert_close(MaskedKL()(model, draws), TEXT["loss/kl_full"])
    assert TEXT["loss/kl_masked"] != TEXT["loss/kl_full"]
    energy = encoded_energy(model, draws)
    assert_close(-energy, TEXT["loss/neg_energy_positive"])
    contrast = energy_contrast(model, draws)
    assert_close(contrast, TEXT["loss/neg_energy_negative"]
                 - TEXT["loss/neg_energy_positive"])
    information = symbol_information(model, draws)
    assert_close(information, TEXT["loss/mutual_information"])
    assert_close(
        TEXT["loss/nll"] + C["kl_weight"] * (kl + contrast)
        - C["mutual_weight"] * information, TEXT["loss/total"])


def energy_gradients(model, draws, step, **settings):
    """Of all that the energy learns from in the family, weights then biases of
    each layer in turn."""
    config = symbol_vector.SymbolVectorConfig(
        kl_weight=C["max_kl_weight"], information_weight=C["mutual_weight"],
        energy_annealed=True, **settings)
    objectives = symbol_vector._objectives(config, DataSpec(
        (C["max_utt_len"],), 100, num_tokens=C["vocab_size"], kind=SEQUENCE))
    model.step = types.SimpleNamespace(value=tf.constant(step))
    with tf.GradientTape() as tape:
        total = sum(objectives[name](model, draws)[0]
                    for name in ("energy", "information"))
    return tape.gradient(total, model.prior.trainable_variables)


def test_the_energy_learns_at_the_price_of_the_prior(model, draws):
    assert C["kl_weight"] == C["max_kl_weight"]
    assert_gradients(energy_gradients(model, draws, 0), [
        array for i in (0, 2, 4) for array in TEXT.weights("grad", f"ebm.{i}")])


def test_the_energy_learns_nothing_while_the_prior_costs_nothing(model, draws):
    held = energy_gradients(model, draws, 3, kl_hold_steps=4)
    np.testing.assert_array_equal(
        np.concatenate([np.ravel(gradient) for gradient in held]), 0.0)
    for gradient in TEXT.arrays:
        if gradient.startswith("grad_weight_zero/ebm"):
            np.testing.assert_array_equal(TEXT[gradient], 0.0)


def test_the_price_of_the_prior_comes_in_their_cycles(model, draws):
    cycle = C["schedule_steps"] // C["n_cycle"]
    hold, rise = (round(cycle * C[name]) for name in (
        "ratio_zero", "ratio_increase"))
    annealed = Annealed(gaussian_kl, hold, rise, cycle)
    np.testing.assert_allclose(
        [C["max_kl_weight"] * float(annealed.factor(tf.constant(step)))
         for step in range(C["schedule_steps"])],
        TEXT["schedule/kl_weights"], atol=1e-6)
