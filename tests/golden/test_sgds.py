"""The recurrent decoder and its chains against the authors' program.

Kong et al. 2023, arXiv:2306.14902: an LSTM under an energy-based prior. Their
first token has the last number, and no number stands for padding.
"""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import EnergyPrior, GaussianAttribute, StandardNormal
from lebm_tf.mcmc import Langevin, rng, value_and_gradient
from lebm_tf.networks import EnergyMLP, RecurrentDecoder, VectorMLP
from tests import oracles
from tests.golden.reference import (
    Injected, Reference, assert_close, assert_gradients)

SGDS, SEED = Reference("sgds_qed"), rng.make_seed(0)
TOKENS = SGDS["tokens"].astype(np.int32)
MASK = SGDS["token_mask"]


def gates(kernel):
    """Their i, f, g, o along the last axis as our input, candidate, ..."""
    i, f, g, o = np.split(kernel, 4, axis=-1)
    return np.concatenate([i, g, f, o], -1)


def weights(prefix, biases=("bias_ih_l0", "bias_hh_l0")):
    """Theirs, in the order of our variables."""
    read = {key.removeprefix(prefix + "/"): value
            for key, value in SGDS.arrays.items() if key.startswith(prefix)}
    return [read["dec_word_vecs.weight"],
            *SGDS.weights(prefix, "latent_hidden_linear"),
            gates(np.concatenate([read["dec_rnn.weight_ih_l0"].T,
                                  read["dec_rnn.weight_hh_l0"].T])),
            gates(sum(read["dec_rnn." + name] for name in biases)),
            *SGDS.weights(prefix, "dec_linear.0")]


@pytest.fixture(scope="module")
def model():
    """(prior, decoder) with their weights."""
    with oracles.precision("float64"):
        c = SGDS.config
        decoder = RecurrentDecoder(
            c["vocab_size"], c["latent_dim"], c["dec_word_dim"],
            c["dec_h_dim"])
        for variable, value in zip(
                decoder.trainable_variables, weights("weights"), strict=True):
            variable.assign(value)
        prior = EnergyPrior(StandardNormal(c["latent_dim"]), EnergyMLP(
            c["latent_dim"], (c["prior_hidden_dim"],) * 2))
        energy = prior.energy_network
        for i, layer in enumerate((*energy.layers, energy.head)):
            kernel, bias = SGDS.weights("weights", f"prior_network.{2 * i}")
            # Their network is minus the energy.
            sign = -1 if layer is energy.head else 1
            layer.kernel.assign(sign * kernel)
            layer.bias.assign(sign * bias)
        yield prior, decoder


def nll(decoder, z):
    """-log p(x | z), [batch], of the tokens that their mask keeps."""
    logits = decoder.logits(decoder(TOKENS[:, :-1], z))
    return tf.reduce_sum(
        MASK * tf.nn.sparse_softmax_cross_entropy_with_logits(
            TOKENS[:, 1:], logits), 1)


def test_the_decoder_says_what_theirs_says(model):
    _, decoder = model
    z = tf.constant(SGDS["noise/posterior_start"])
    logits = decoder.logits(decoder(TOKENS[:, :-1], z))
    assert_close(tf.nn.log_softmax(logits), SGDS["decoder/log_probs"])
    value, gradient = value_and_gradient(lambda z: nll(decoder, z), z)
    assert_close(value, SGDS["decoder/sequence_nll_masked"])
    assert_close(gradient, SGDS["decoder/nll_grad_z"])


def test_step_by_step_is_all_at_once(model):
    _, decoder = model
    z = tf.constant(SGDS["noise/posterior_start"])
    state = decoder.start(z, 7)
    for t in range(7):
        hidden, state = decoder.step(
            tf.constant(TOKENS[:, t]), state, tf.constant(t))
        assert_close(tf.nn.log_softmax(decoder.logits(hidden)),
                     SGDS["decoder/log_probs"][:, t])


@pytest.mark.parametrize("name, step", [
    ("langevin_prior", "prior_step_size"),
    ("langevin_posterior_without_property", "z_step_size")])
def test_chains_move_for_move(model, name, step):
    prior, decoder = model
    is_prior = name == "langevin_prior"
    start = SGDS[f"{name}/trajectory"][0]
    chain = Injected(Langevin(SGDS.config[step]), tf.constant(start),
                     tf.constant(SGDS[f"{name}/noise"]))

    def target(z):
        log_prior = prior.unnormalized_log_prob(z)
        return log_prior if is_prior else log_prior - nll(decoder, z)
    assert_close(tf.stack(chain.positions(target, SEED)),
                 SGDS[f"{name}/trajectory"])


def test_losses_and_their_gradients(model):
    _, decoder = model
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(nll(decoder, tf.constant(SGDS["z_posterior"])))
    assert_close(loss, SGDS["loss/nll"])
    # Both their biases have the gradient of our one.
    assert_gradients([
        tf.convert_to_tensor(gradient) for gradient in tape.gradient(
            loss, decoder.trainable_variables)],
        weights("grad", ("bias_ih_l0",)))


def test_greedy_decoding_takes_their_tokens(model):
    _, decoder = model
    state = decoder.start(tf.constant(SGDS["z_prior"]), 7)
    token = tf.fill([4], SGDS.config["sos"])
    for t in range(7):
        hidden, state = decoder.step(token, state, tf.constant(t))
        logits = decoder.logits(hidden)
        token = tf.argmax(logits[:, :SGDS.config["sos"]], 1, tf.int32)
        np.testing.assert_array_equal(
            token, SGDS["generation/greedy_tokens"][:, t])


# Name of their program -> our activation and output.
HEADS = {"sgds": ("silu", "linear"), "sgds_qed": ("relu", "sigmoid")}


@pytest.fixture(params=HEADS)
def head(request):
    """(their arrays, p(y | z) with their weights, whose squared error has
    their coefficient)."""
    with oracles.precision("float64"):
        theirs = Reference(request.param)
        activation, output = HEADS[request.param]
        layers = [theirs.weights("weights", f"mlp.mlp.{i}")
                  for i in (0, 2, 4)]
        widths = [kernel.shape[0] for kernel, _ in layers]
        network = VectorMLP(widths[0], 1, tuple(widths[1:]), 1, activation)
        for layer, (kernel, bias) in zip(
                (*network.layers, network.head), layers, strict=True):
            layer.kernel.assign(kernel)
            layer.bias.assign(bias)
        scale = (0.5 / theirs.config["prop_coefficient"])**0.5
        yield theirs, GaussianAttribute(network, scale, output)


def test_the_head_says_what_theirs_says(head):
    theirs, attribute = head
    c, y = theirs.config["prop_coefficient"], tf.constant(theirs["property"])
    z = tf.constant(theirs["noise/posterior_start"])
    assert_close(attribute.mean(z), theirs["property_head/prediction"])
    _, gradient = value_and_gradient(
        lambda z: -attribute.log_prob(y, z) / c, z)
    assert_close(gradient, theirs["property_head/squared_error_grad"])
    at = tf.constant(theirs["z_posterior"])
    error = -attribute.log_prob(y, at)
    # Up to the constant of a normal density.
    least = -attribute.log_prob(attribute.mean(at), at)
    assert_close(tf.reduce_mean(error - least), theirs["loss/property"])


def test_their_chains_given_a_property_move_in_two_parts(head):
    """They add the gradient of the property at where the noise led to; our
    chains add it where the move began. Each part is theirs."""
    theirs, attribute = head
    name, y = "langevin_given_property", tf.constant(theirs["property"])
    path, noise = theirs[f"{name}/trajectory"], theirs[f"{name}/noise"]
    step = theirs.config["z_step_size"]
    climb = Langevin(step, noise_scale=0.0)
    moved = [path[k + 1] for k in range(len(path) - 1)]
    for k, end in enumerate(moved):
        # Undo their first part with the prior of this very program.
        between = path[k] + noise[k] * step * theirs.config["noise_factor"]
        start = tf.constant(between + 0.5 * step**2 * prior_gradient(
            theirs, path[k]))
        state = climb.step(lambda z: attribute.log_prob(y, z),
                           climb.init(None, start), SEED)
        assert_close(state.position, end)


def prior_gradient(theirs, z):
    """d/dz of f(z) - |z|^2 / (2 sigma^2), of their weights."""
    with oracles.precision("float64"):
        widths = theirs.config["prior_hidden_dim"]
        energy = EnergyMLP(z.shape[1], (widths,) * 2)
        for i, layer in enumerate((*energy.layers, energy.head)):
            kernel, bias = theirs.weights("weights", f"prior_network.{2 * i}")
            layer.kernel.assign(kernel)
            layer.bias.assign(bias)
        sigma = theirs.config["ref_sigma"]
        return value_and_gradient(
            lambda z: energy(z) - tf.reduce_sum(z**2, 1) / (2 * sigma**2),
            tf.constant(z))[1].numpy()
