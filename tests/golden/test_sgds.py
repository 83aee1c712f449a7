"""The recurrent decoder, its chains and a property's head against the authors'
program.

Kong et al. 2023, arXiv:2306.14902: an LSTM under an energy-based prior. Their
first token has the last number, and no number stands for padding.
"""

import types

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import EnergyPrior, GaussianAttribute, StandardNormal
from lebm_tf.densities.targets import Target, joint_target
from lebm_tf.mcmc import InTurn, Langevin, rng, value_and_gradient
from lebm_tf.networks import EnergyMLP, RecurrentDecoder, VectorMLP
from tests import oracles
from tests.golden.reference import (
    Injected, Reference, assert_close, assert_gradients, assert_read)

SEED = rng.make_seed(0)
# Their names of activations.
ACTIVATIONS = {"swish": "silu", "relu": "relu"}


def gates(kernel):
    """Their i, f, g, o along the last axis as our input, candidate, ..."""
    i, f, g, o = np.split(kernel, 4, axis=-1)
    return np.concatenate([i, g, f, o], -1)


def weights(theirs, prefix, biases=("bias_ih_l0", "bias_hh_l0")):
    """Theirs of the decoder, in the order of our variables."""
    def read(name):
        return theirs[f"{prefix}/{name}"]
    return [read("dec_word_vecs.weight"),
            *theirs.weights(prefix, "latent_hidden_linear"),
            gates(np.concatenate([read("dec_rnn.weight_ih_l0").T,
                                  read("dec_rnn.weight_hh_l0").T])),
            gates(sum(read("dec_rnn." + name) for name in biases)),
            *theirs.weights(prefix, "dec_linear.0")]


def prior_weights(theirs, prefix):
    """Of the energy; their network is minus it, so its head has another
    sign."""
    arrays = [theirs.weights(prefix, f"prior_network.{i}") for i in (0, 2, 4)]
    return [*arrays[0], *arrays[1], *(-array for array in arrays[2])]


def head_weights(theirs, prefix):
    return [array for i in (0, 2, 4)
            for array in theirs.weights(prefix, f"mlp.mlp.{i}")]


@pytest.fixture(scope="module", params=["sgds", "sgds_qed"])
def model(request):
    """Their arrays, and prior, decoder and head with their weights."""
    with oracles.precision("float64"):
        theirs = Reference(request.param)
        c = theirs.config
        decoder = RecurrentDecoder(
            c["vocab_size"], c["latent_dim"], c["dec_word_dim"],
            c["dec_h_dim"])
        prior = EnergyPrior(
            StandardNormal(c["latent_dim"], c["ref_sigma"]),
            EnergyMLP(c["latent_dim"], (c["prior_hidden_dim"],) * 2))
        head = VectorMLP(c["latent_dim"], 1, (c["mlp_hidden_dim"],) * 2, 1,
                         ACTIVATIONS[c["property_activation"]])
        for layer, arrays in (
                (decoder, weights(theirs, "weights")),
                (prior.energy_network, prior_weights(theirs, "weights")),
                (head, head_weights(theirs, "weights"))):
            for variable, array in zip(layer.trainable_variables, arrays,
                                       strict=True):
                variable.assign(array)
        # So that its squared error has their coefficient.
        attribute = GaussianAttribute(
            head, (0.5 / c["prop_coefficient"])**0.5, c["property_output"])
        yield types.SimpleNamespace(
            theirs=theirs, c=c, decoder=decoder, prior=prior,
            attribute=attribute, y=tf.constant(theirs["property"]),
            tokens=theirs["tokens"].astype(np.int32))


def token_nll(model, z):
    tokens = model.tokens
    return tf.nn.sparse_softmax_cross_entropy_with_logits(
        tokens[:, 1:], model.decoder.logits(model.decoder(tokens[:, :-1], z)))


def nll(model, z):
    """-log p(x | z), [batch], of the tokens that their option keeps."""
    mask = model.theirs["token_mask"] if model.c["mask"] else 1.0
    return tf.reduce_sum(mask * token_nll(model, z), 1)


def start_of(model):
    return tf.constant(model.theirs["noise/posterior_start"])


def test_the_decoder_says_what_theirs_says(model):
    theirs, z = model.theirs, start_of(model)
    logits = model.decoder.logits(model.decoder(model.tokens[:, :-1], z))
    assert_close(tf.nn.log_softmax(logits), theirs["decoder/log_probs"])
    tokens = token_nll(model, z)
    assert_close(tokens, theirs["decoder/token_nll"])
    assert_close(tf.reduce_sum(tokens, 1),
                 theirs["decoder/sequence_nll_all_positions"])
    assert_close(tf.reduce_sum(theirs["token_mask"] * tokens, 1),
                 theirs["decoder/sequence_nll_masked"])
    np.testing.assert_array_equal(theirs["lengths"],
                                  theirs["token_mask"].sum(1))
    value, gradient = value_and_gradient(lambda z: nll(model, z), z)
    assert_close(tf.reduce_sum(value), theirs["decoder/nll_sum_used"])
    assert_close(gradient, theirs["decoder/nll_grad_z"])


def test_step_by_step_is_all_at_once(model):
    steps = model.tokens.shape[1] - 1
    state = model.decoder.start(start_of(model), steps)
    for t in range(steps):
        hidden, state = model.decoder.step(
            tf.constant(model.tokens[:, t]), state, tf.constant(t))
        assert_close(tf.nn.log_softmax(model.decoder.logits(hidden)),
                     model.theirs["decoder/log_probs"][:, t])


def posterior(model):
    """What their chains climb; our family has no factor on the prior."""
    beta = model.c["beta"]
    return Target(lambda z, rows: beta * model.prior.unnormalized_log_prob(z)
                  - nll(model, z))


def prior(model):
    return Target(lambda z, rows: model.prior.unnormalized_log_prob(z))


def test_the_prior_and_the_posterior_are_theirs(model):
    theirs, z = model.theirs, start_of(model)
    energy, gradient = value_and_gradient(model.prior.energy, z)
    assert_close(-energy, theirs["prior/neg_energy"])
    assert_close(-gradient, theirs["prior/neg_energy_grad"])
    value, gradient = value_and_gradient(
        lambda z: model.prior.unnormalized_log_prob(z) - nll(model, z), z)
    assert_close(-gradient, theirs["potential/posterior_grad"])
    constant = value + theirs["potential/posterior"]
    np.testing.assert_allclose(
        constant, np.full(len(z), constant[0]), rtol=0, atol=1e-9)


def path(model, name, step, target, start=None):
    """Positions of chains with their noise."""
    theirs, c = model.theirs, model.c
    kernel = InTurn(c[step], c["noise_factor"])
    first = theirs[f"{name}/trajectory"][0] if start is None else start
    chain = Injected(kernel, tf.constant(first),
                     tf.constant(theirs[f"{name}/noise"]))
    return tf.stack(chain.positions(target, SEED))


@pytest.mark.parametrize("name, step, target, start", [
    ("langevin_prior", "prior_step_size", prior, "noise/prior_start"),
    ("langevin_posterior_without_property", "z_step_size", posterior,
     "noise/posterior_start")])
def test_chains_move_for_move(model, name, step, target, start):
    theirs = model.theirs
    found = path(model, name, step, target(model), theirs[start])
    assert_close(found, theirs[f"{name}/trajectory"])
    steps = model.c["z_n_iters" if "posterior" in name else "z_n_iters_prior"]
    assert len(found) == steps + 1
    if target is prior:
        assert_close(found[-1], theirs["z_prior"])


@pytest.mark.parametrize("name, target", [
    ("langevin_posterior_with_property", posterior),
    ("langevin_given_property", prior)])
def test_chains_that_are_given_a_property_move_in_two_parts(
        model, name, target):
    given = joint_target(target(model), model.attribute, model.y)
    found = path(model, name, "z_step_size", given)
    assert_close(found, model.theirs[f"{name}/trajectory"])
    if target is posterior:
        assert_close(found[-1], model.theirs["z_posterior"])
    # A Langevin move of the sum is another one.
    once = Langevin(model.c["z_step_size"], model.c["noise_factor"])
    moved = once.step(given, once.init(None, found[0]), SEED, tf.constant(
        model.theirs[f"{name}/noise"][0]))
    assert np.max(np.abs(moved.position - found[1])) > 1e-4


def test_the_head_says_what_theirs_says(model):
    theirs, z, c = model.theirs, start_of(model), model.c["prop_coefficient"]
    assert_close(model.attribute.mean(z), theirs["property_head/prediction"])
    _, gradient = value_and_gradient(
        lambda z: -model.attribute.log_prob(model.y, z) / c, z)
    assert_close(gradient, theirs["property_head/squared_error_grad"])


def test_losses_and_their_gradients(model):
    theirs, y = model.theirs, model.y
    z = tf.constant(theirs["z_posterior"])
    with tf.GradientTape(persistent=True) as tape:
        loss = tf.reduce_mean(nll(model, z))
        # Up to the constant of a normal density.
        least = -model.attribute.log_prob(y, z) + tf.stop_gradient(
            model.attribute.log_prob(model.attribute.mean(z), z))
        error = tf.reduce_mean(least)
        energies = [tf.reduce_mean(model.prior.energy(tf.constant(
            theirs[f"z_{name}"]))) for name in ("posterior", "prior")]
        contrast = energies[0] - energies[1]
    assert_close(loss, theirs["loss/nll"])
    assert_close(error, theirs["loss/property"])
    assert_close(loss + error, theirs["loss/generator_total"])
    for energy, name in zip(energies, ("positive", "negative")):
        assert_close(-energy, theirs[f"loss/neg_energy_{name}"])
    assert_close(contrast, theirs["loss/ebm"])
    # Both their biases have the gradient of our one.
    assert_close(theirs["grad/dec_rnn.bias_ih_l0"],
                 theirs["grad/dec_rnn.bias_hh_l0"])
    for value, layer, wanted in (
            (loss, model.decoder, weights(theirs, "grad", ("bias_ih_l0",))),
            (error, model.attribute, head_weights(theirs, "grad")),
            (contrast, model.prior, prior_weights(theirs, "grad_ebm"))):
        assert_gradients([tf.convert_to_tensor(gradient) for gradient in
                          tape.gradient(value, layer.trainable_variables)],
                         wanted)


def test_greedy_decoding_takes_their_tokens(model):
    theirs, sos = model.theirs, model.c["sos"]
    expected = theirs["generation/greedy_tokens"]
    rows, steps = expected.shape
    state = model.decoder.start(tf.constant(theirs["z_prior"]), steps)
    token = tf.fill([rows], sos)
    for t in range(steps):
        hidden, state = model.decoder.step(token, state, tf.constant(t))
        logs = tf.nn.log_softmax(model.decoder.logits(hidden))
        masked = theirs["generation/log_probs_with_sos_masked"][:, t]
        # They are normalised with the first token, which is left out then.
        assert_close(logs[:, :sos], masked[:, :sos])
        np.testing.assert_array_equal(masked[:, sos:], -1e5)
        token = tf.argmax(logs[:, :sos], 1, tf.int32)
        np.testing.assert_array_equal(token, expected[:, t])


def test_every_key_is_read(request, model):
    assert_read(request, model.theirs.name)
