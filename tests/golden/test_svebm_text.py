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

SEED = rng.make_seed(0)
PLACES = ("posterior", "prior_start", "prior_end")


@pytest.fixture(scope="module", params=["svebm_text", "svebm_text_lstm"])
def text(request):
    return Reference(request.param)


@pytest.fixture(scope="module")
def model(text):
    c = text.config
    with oracles.precision("float64"):
        network = VectorMLP(c["latent_size"], c["num_cls"],
                            (c["ebm_hidden"],) * 2, activation="gelu")
        network.set_weights([array for i in (0, 2, 4) for array in
                             text.weights("weights", f"ebm.{i}")])
        yield types.SimpleNamespace(prior=SymbolPrior(
            StandardNormal(c["latent_size"]), network))


def drawn(position, encoded=()):
    return Draw(None, types.SimpleNamespace(position=position), encoded)


@pytest.fixture(scope="module")
def draws(text):
    encoded = tf.constant(text["posterior/mean"]), tf.constant(
        0.5 * text["posterior/logvar"])
    return Draws({}, {
        "positive": drawn(tf.constant(text["posterior/z"]), encoded),
        "negative": drawn(tf.constant(text["langevin/trajectory"][-1]))})


def place(text, name):
    """Latents at which they looked at the symbols."""
    return tf.constant({"posterior": text["posterior/z"],
                        "prior_start": text["noise/prior_start"],
                        "prior_end": text["langevin/trajectory"][-1]}[name])


def biases(text, prefix):
    return [text[f"{prefix}/ebm.{i}.bias"] for i in (0, 2, 4)]


def test_codes_are_drawn_as_theirs(text):
    assert_close(text["posterior/mean"] + np.exp(
        0.5 * text["posterior/logvar"]) * text["noise/posterior"],
        text["posterior/z"])


@pytest.mark.parametrize("name", PLACES)
def test_symbols_are_told_as_theirs(text, model, draws, name):
    z = place(text, name)
    logits = model.prior.logits(z)
    assert_close(logits, text[f"symbol/logits/{name}"])
    energy, gradient = value_and_gradient(model.prior.energy, z)
    assert_close(-energy, text[f"symbol/neg_energy/{name}"])
    assert_close(-gradient, text[f"symbol/neg_energy_grad/{name}"])
    assert_close(2.0 * tf.reduce_logsumexp(logits / 2.0, -1),
                 text[f"symbol/neg_energy_temperature2/{name}"])
    scale = text.config["e_prior_sig"]
    assert_close(energy + tf.reduce_sum(z**2, -1) / (2.0 * scale**2),
                 text[f"symbol/potential/{name}"])
    there = draws.with_states(positive=draws.states["positive"]._replace(
        state=types.SimpleNamespace(position=z)))
    assert_close(symbol_information(model, there),
                 text[f"symbol/mutual_information/{name}"])


def test_prior_chains_go_their_way(text, model):
    chains = Injected(
        Langevin(text.config["e_l_step_size"]),
        tf.constant(text["noise/prior_start"]),
        tf.constant(text["noise/langevin"]))
    target = prior_target(model.prior)
    found = chains.positions(target, SEED)
    assert_close(tf.stack(found), text["langevin/trajectory"])
    assert_close(tf.reduce_mean(tf.norm(value_and_gradient(
        model.prior.energy, found[-2])[1], axis=-1)),
        text["langevin/last_grad_norm_mean"])


def test_every_term_of_the_prior_is_theirs(text, model, draws):
    c = text.config
    kl = MaskedKL(c["dim_target_kl"])(model, draws)
    assert_close(kl, text["loss/kl_masked"])
    assert_close(gaussian_kl(model, draws), text["loss/kl_full"])
    assert_close(MaskedKL()(model, draws), text["loss/kl_full"])
    per_dim, mask = text["loss/kl_per_dim"], text["loss/kl_mask"]
    np.testing.assert_array_equal(mask, per_dim > c["dim_target_kl"])
    assert_close(kl, np.asarray((per_dim * mask).sum(1).mean()))
    energy = encoded_energy(model, draws)
    assert_close(-energy, text["loss/neg_energy_positive"])
    contrast = energy_contrast(model, draws)
    assert_close(contrast, text["loss/neg_energy_negative"]
                 - text["loss/neg_energy_positive"])
    information = symbol_information(model, draws)
    assert_close(information, text["loss/mutual_information"])
    assert_close(
        text["loss/nll"] + c["kl_weight"] * (kl + contrast)
        - c["mutual_weight"] * information, text["loss/total"])
    assert_close(text["loss/nll"], text["loss/total_weight_zero"])


def test_every_term_of_the_energy_has_its_gradient(text, model, draws):
    """Of their terms; ours of the contrast is the sum of two."""
    def gradients(term):
        with tf.GradientTape() as tape:
            value = term(model, draws)
        return tape.gradient(value, model.prior.trainable_variables)[1::2]
    assert_gradients(gradients(lambda *given: -encoded_energy(*given)),
                     biases(text, "grad_of/prob_pos"))
    assert_gradients(gradients(symbol_information), biases(text, "grad_of/mi"))
    assert_gradients(gradients(energy_contrast), [
        negative - positive for negative, positive in zip(
            biases(text, "grad_of/prob_neg"),
            biases(text, "grad_of/prob_pos"))])


def energy_gradients(text, model, draws, step, **settings):
    """Of all that the energy learns from in the family, weights then biases of
    each layer in turn."""
    c = text.config
    config = symbol_vector.SymbolVectorConfig(
        kl_weight=c["kl_weight"], information_weight=c["mutual_weight"],
        energy_annealed=True, **settings)
    objectives = symbol_vector._objectives(config, DataSpec(
        (c["max_utt_len"],), 100, num_tokens=c["vocab_size"], kind=SEQUENCE))
    model.step = types.SimpleNamespace(value=tf.constant(step))
    with tf.GradientTape() as tape:
        total = sum(objectives[name](model, draws)[0]
                    for name in ("energy", "information"))
    return tape.gradient(total, model.prior.trainable_variables)


def test_the_energy_learns_at_the_price_of_the_prior(text, model, draws):
    gradients = energy_gradients(text, model, draws, 0)
    assert_gradients(gradients, [
        array for i in (0, 2, 4) for array in text.weights("grad", f"ebm.{i}")])
    assert_close(tf.linalg.global_norm(gradients),
                 text["clip/prior_norm_before"])


def test_the_energy_learns_nothing_while_the_prior_costs_nothing(
        text, model, draws):
    held = energy_gradients(text, model, draws, 3, kl_hold_steps=4)
    np.testing.assert_array_equal(
        np.concatenate([np.ravel(gradient) for gradient in held]), 0.0)
    assert not any(name.startswith("grad_weight_zero/ebm")
                   for name in text.arrays)  # Theirs has none.


def test_the_price_of_the_prior_comes_in_their_cycles(text):
    c = text.config
    cycle = c["schedule_steps"] // c["n_cycle"]
    hold, rise = (round(cycle * c[name]) for name in (
        "ratio_zero", "ratio_increase"))
    annealed = Annealed(gaussian_kl, hold, rise, cycle)
    np.testing.assert_allclose(
        [c["max_kl_weight"] * float(annealed.factor(tf.constant(step)))
         for step in range(c["schedule_steps"])],
        text["schedule/kl_weights"], atol=1e-6)
