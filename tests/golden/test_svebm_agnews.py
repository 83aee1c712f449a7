"""Symbols and vectors behind counts of words, against the authors' program.

Pang and Wu 2021, arXiv:2108.11556, semi_sup_classification.py. Their three
updates of a step follow one another; ours are the same gradients, taken at
the same weights.
"""

import types

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.assembly.observations import DenseConfig
from lebm_tf.densities import UnigramLikelihood
from lebm_tf.families import ChainConfig, DataSpec, EnergyConfig, symbol_vector
from lebm_tf.mcmc import Langevin, rng, run_chain, value_and_gradient
from lebm_tf.networks import VectorMLP
from lebm_tf.samplers import Draw, Draws
from tests import oracles
from tests.golden.reference import (
    Injected, Reference, assert_close, assert_gradients)

NEWS, SEED = Reference("svebm_agnews"), rng.make_seed(0)
C = NEWS.config
ENERGY = [f"E.ebm.{i}" for i in (0, 2, 4)]
GENERATOR = [f"G.gen.{i}" for i in (0, 2, 4, 6)]
HIDDEN = ["I.net.0", "I.net.3"]
# Kernels and biases that are halved: our head says log scales, half of their
# log variances.
HEADS = ("I.mu_proj", "I.log_sigma_proj")


def read(prefix, names):
    return [array for name in names for array in NEWS.weights(prefix, name)]


def head(prefix, factor):
    """Their two heads as our one; the second is 0 where they have none."""
    mean = NEWS.weights(prefix, HEADS[0])
    if f"{prefix}/{HEADS[1]}.weight" not in NEWS.arrays:
        return [np.concatenate([a, 0 * a], -1) for a in mean]
    return [np.concatenate([a, factor * b], -1) for a, b in zip(
        mean, NEWS.weights(prefix, HEADS[1]))]


@pytest.fixture(scope="module")
def model():
    with oracles.precision("float64"):
        wide = (C["hidden"],)
        made = symbol_vector.build(
            symbol_vector.SymbolVectorConfig(
                latent_dim=C["nz"], information_weight=C["mi_weight"],
                labelled_weight=C["labeled_weight"],
                energy=EnergyConfig((C["ndf"],) * 2, "leaky_relu"),
                prior=ChainConfig(C["e_l_steps"], C["e_l_step_size"]),
                dense_generator=DenseConfig(3 * wide),
                dense_encoder=DenseConfig(2 * wide, "relu")),
            DataSpec((C["img_size"],), 8, num_classes=C["nez"], num_labels=12,
                     kind="counts"), batch_size=8)
        for layer, names in ((made.prior.energy_network, ENERGY),
                             (made.likelihood.generator, GENERATOR)):
            layer.set_weights(read("weights", names))
        made.encoder.network.set_weights(
            [*read("weights", HIDDEN), *head("weights", 0.5)])
        made.likelihood.bias.assign(NEWS["weights/G.bow_bn.bias"])
        # They take it in float32.
        made.likelihood.background.assign(NEWS["background/log"])
        yield made


@pytest.fixture(scope="module")
def draws(model):
    """What their step looked at."""
    mean, log_scale = model.encoder.parameters(tf.constant(NEWS["x"]))
    z = mean + tf.exp(log_scale) * NEWS["noise/posterior"]
    rows = NEWS["labelled_index"]
    return Draws(
        {"x": tf.constant(NEWS["x"]),
         "labelled_x": tf.constant(NEWS["labelled_x"][rows]),
         "labelled_y": tf.constant(NEWS["labelled_y"][rows])},
        {"positive": Draw(z, types.SimpleNamespace(position=z),
                          (mean, log_scale)),
         "negative": Draw(None, types.SimpleNamespace(position=tf.constant(
             NEWS["langevin/trajectory"][-1])))}, SEED)


def losses(model, batch):
    """The objectives with gradients to every part, and the tape."""
    with tf.GradientTape(persistent=True) as tape:
        mean, log_scale = model.encoder.parameters(batch.batch["x"])
        z = mean + tf.exp(log_scale) * NEWS["noise/posterior"]
        positive = batch.positive._replace(
            state=types.SimpleNamespace(position=z),
            encoded=(mean, log_scale))
        found = {name: objective(model, batch.with_states(positive=positive))
                 for name, objective in model.objectives.items()}
    return found, tape


def test_the_encoder_and_the_logits_say_what_theirs_say(model, draws):
    assert_close(draws.positive.encoded[0], NEWS["posterior/mean"])
    assert_close(2 * draws.positive.encoded[1], NEWS["posterior/logvar"])
    for name, z in (("posterior", draws.positive.position),
                    ("prior_start", tf.constant(NEWS["noise/prior_start"])),
                    ("prior_end", draws.negative.position)):
        assert_close(model.prior.logits(z), NEWS[f"symbol/logits/{name}"])
        assert_close(model.prior.symbol_log_probs(z),
                     NEWS[f"symbol/log_posterior/{name}"])
        energy, gradient = value_and_gradient(model.prior.energy, z)
        assert_close(-energy, NEWS[f"symbol/neg_energy/{name}"])
        assert_close(-gradient, NEWS[f"symbol/neg_energy_grad/{name}"])


def test_prior_chains_go_their_way(model):
    chains = Injected(
        Langevin(C["e_l_step_size"]), tf.constant(NEWS["noise/prior_start"]),
        tf.constant(NEWS["noise/langevin"]))
    assert_close(tf.stack(chains.positions(model.target("negative", {}), SEED)),
                 NEWS["langevin/trajectory"])


def test_chains_of_a_symbol_go_their_way(model):
    target = model.target(
        "negative", {"condition": tf.constant(NEWS["langevin/conditional_y"])})
    end = run_chain(
        Langevin(C["e_l_step_size"]), target,
        tf.constant(NEWS["noise/prior_start"]), C["e_l_steps"], SEED,
        tf.constant(NEWS["noise/langevin"])).position
    assert_close(end, NEWS["langevin/conditional_end"])


def test_every_loss_is_theirs(model, draws):
    found, _ = losses(model, draws)
    terms = {name: value for _, values in found.values()
             for name, value in values.items()}
    for name, theirs in (("nll", "reconstruction"), ("kl", "kl"),
                         ("encoded_energy", "energy_positive"),
                         ("information", "mutual_information")):
        assert_close(terms[name], NEWS[f"loss/{theirs}"])
    assert_close(found["labels"][0], NEWS["labelled/loss_weighted"])
    assert_close(found["bound"][0] + found["information"][0],
                 NEWS["loss/generator_total"])
    assert_close(found["energy"][0] + found["information"][0],
                 NEWS["loss/ebm_total"])
    # Sums over words and documents, one by one.
    assert_close(-model.likelihood.log_prob(
        draws.batch["x"], draws.positive.position, seed=SEED),
        NEWS["loss/per_document_nll"])


def test_every_gradient_is_theirs(model, draws):
    found, tape = losses(model, draws)

    def gradients(part, *names):
        return tape.gradient([found[name][0] for name in names],
                             model.variables_of(part))
    for part, names, prefix in (
            ("energy", ("labels",), "grad/labelled"),
            ("energy", ("energy", "information"), "grad/ebm")):
        assert_gradients(gradients(part, *names), read(prefix, ENERGY))
    # A gradient to a log scale is twice that to a log variance.
    assert_gradients(gradients("encoder", "bound", "information"),
                     [*read("grad/generator", HIDDEN),
                      *head("grad/generator", 2.0)])
    assert_gradients(gradients("encoder", "labels"),
                     [*read("grad/labelled", HIDDEN),
                      *head("grad/labelled", 2.0)])
    learned = dict(zip(
        [v.path for v in model.variables_of("generator")],
        gradients("generator", "bound")))
    bias = learned.pop(model.likelihood.bias.path)
    assert_gradients([bias], [NEWS["grad/generator/G.bow_bn.bias"]])
    assert_gradients(list(learned.values()), read("grad/generator", GENERATOR))


def test_words_are_as_frequent_as_in_theirs():
    data = types.SimpleNamespace(
        frequencies=np.concatenate([[0.0], NEWS["background/raw"]]))
    likelihood = UnigramLikelihood(VectorMLP(2, C["img_size"]), C["img_size"])
    likelihood.adapt(data)
    np.testing.assert_allclose(
        likelihood.background, NEWS["background/log"], rtol=1e-6)


def test_batch_statistics_are_kept_as_theirs(model):
    likelihood, z = model.likelihood, tf.constant(NEWS["posterior/z"])
    likelihood.moving_mean.assign(tf.zeros_like(likelihood.moving_mean))
    likelihood.moving_variance.assign(
        tf.ones_like(likelihood.moving_variance))
    assert_close(likelihood.logits(z, training=True),
                 NEWS["generator/logits_plus_background"])
    assert_close(likelihood.moving_mean, NEWS["generator/running_mean_after"])
    assert_close(likelihood.moving_variance,
                 NEWS["generator/running_var_after"])
    assert_close(likelihood.logits(z) - NEWS["background/log"],
                 NEWS["generator/logits_eval_mode_after"], 1e-9)


def test_symbols_are_told_as_theirs(model):
    mean = model.encoder.parameters(tf.constant(NEWS["labelled_x"]))[0]
    assert_close(model.prior.logits(mean),
                 NEWS["evaluation/logits_on_labelled"])
