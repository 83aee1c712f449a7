"""Symbols and vectors behind counts of words, against the authors' program.

Pang and Wu 2021, arXiv:2108.11556, semi_sup_classification.py. Gradients are
compared at the weights before the step, and a whole step with its three
updates in turns.
"""

import types

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.assembly.observations import DenseConfig
from lebm_tf.densities import UnigramLikelihood
from lebm_tf.families import ChainConfig, DataSpec, EnergyConfig, symbol_vector
from lebm_tf.mcmc import Langevin, rng, run_chain, value_and_gradient
from lebm_tf.models import Adam, OptimizerConfig
from lebm_tf.networks import VectorMLP
from lebm_tf.objectives import symbol_information
from lebm_tf.samplers import Draw, Draws
from tests import oracles
from tests.golden.reference import (
    Injected, InjectedCode, Reference, assert_close, assert_gradients,
    assert_read, inject, kl_to_normal)

NEWS, SEED = Reference("svebm_agnews"), rng.make_seed(0)
C = NEWS.config
ENERGY = [f"E.ebm.{i}" for i in (0, 2, 4)]
GENERATOR = [f"G.gen.{i}" for i in (0, 2, 4, 6)]
HIDDEN = ["I.net.0", "I.net.3"]
START = tf.constant(C["e_init_sig"] * NEWS["noise/prior_start"])
HEADS = ("I.mu_proj", "I.log_sigma_proj")


def read(prefix, names):
    return [array for name in names for array in NEWS.weights(prefix, name)]


def head(prefix):
    """Their two heads as our one; the second is 0 where they have none."""
    mean = NEWS.weights(prefix, HEADS[0])
    if f"{prefix}/{HEADS[1]}.weight" not in NEWS.arrays:
        return [np.concatenate([a, 0 * a], -1) for a in mean]
    return [np.concatenate(pair, -1) for pair in zip(
        mean, NEWS.weights(prefix, HEADS[1]))]


def optimizer(name):
    """Of their energy, generator or encoder: e, g or i."""
    return OptimizerConfig(
        C[f"{name}_lr"], C[f"{name}_beta1"], C[f"{name}_beta2"],
        weight_decay=C[f"{name}_decay"])


@pytest.fixture(scope="module")
def model():
    yield from built()


def built():
    rows = len(NEWS["x"])
    with oracles.precision("float64"):
        wide = (C["hidden"],)
        made = symbol_vector.build(
            symbol_vector.SymbolVectorConfig(
                latent_dim=C["nz"], information_weight=C["mi_weight"],
                labelled_weight=C["labeled_weight"],
                energy=EnergyConfig((C["ndf"],) * 2, "leaky_relu"),
                prior=ChainConfig(C["e_l_steps"], C["e_l_step_size"],
                                  start_scale=C["e_init_sig"]),
                base_scale=C["e_prior_sig"], log_variance_head=True,
                updates_in_turns=True, energy_optimizer=optimizer("e"),
                generator_optimizer=optimizer("g"),
                encoder_optimizer=optimizer("i"),
                dense_generator=DenseConfig(3 * wide),
                dense_encoder=DenseConfig(2 * wide, "relu")),
            DataSpec((C["img_size"],), rows, num_classes=C["nez"],
                     num_labels=len(NEWS["labelled_y"]), kind="counts"),
            batch_size=rows)
        for layer, names in ((made.prior.energy_network, ENERGY),
                             (made.likelihood.generator, GENERATOR)):
            layer.set_weights(read("weights", names))
        made.encoder.network.set_weights(
            [*read("weights", HIDDEN), *head("weights")])
        made.likelihood.bias.assign(NEWS["weights/G.bow_bn.bias"])
        kl_to_normal(made)
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
                    ("prior_start", START),
                    ("prior_end", draws.negative.position)):
        assert_close(model.prior.logits(z), NEWS[f"symbol/logits/{name}"])
        assert_close(model.prior.symbol_log_probs(z),
                     NEWS[f"symbol/log_posterior/{name}"])
        energy, gradient = value_and_gradient(model.prior.energy, z)
        assert_close(-energy, NEWS[f"symbol/neg_energy/{name}"])
        assert_close(-gradient, NEWS[f"symbol/neg_energy_grad/{name}"])
        assert_close(energy + tf.reduce_sum(z**2, -1) / (
            2.0 * C["e_prior_sig"]**2), NEWS[f"symbol/potential/{name}"])
        there = draws.with_states(positive=draws.positive._replace(
            state=types.SimpleNamespace(position=z)))
        assert_close(symbol_information(model, there),
                     NEWS[f"symbol/mutual_information/{name}"])
    # Their loop draws it, and uses it for nothing.
    assert NEWS["noise/unused_posterior_start"].shape == (
        NEWS["posterior/z"].shape)


def test_prior_chains_go_their_way(model):
    chains = Injected(
        Langevin(C["e_l_step_size"]), START,
        tf.constant(NEWS["noise/langevin"]))
    found = chains.positions(model.target("negative", {}), SEED)
    assert_close(tf.stack(found), NEWS["langevin/trajectory"])
    _, gradient = value_and_gradient(model.prior.energy, found[-2])
    assert_close(tf.reduce_mean(tf.norm(gradient, axis=-1)),
                 NEWS["langevin/last_grad_norm_mean"])


def test_chains_of_a_symbol_go_their_way(model):
    target = model.target(
        "negative", {"condition": tf.constant(NEWS["langevin/conditional_y"])})
    end = run_chain(
        Langevin(C["e_l_step_size"]), target,
        START, C["e_l_steps"], SEED,
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
    for draw, name in ((draws.positive, "positive"),
                       (draws.negative, "negative")):
        assert_close(tf.reduce_mean(model.prior.energy(draw.position)),
                     NEWS[f"loss/ebm_energy_{name}"])
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
    assert_gradients(gradients("encoder", "bound", "information"),
                     [*read("grad/generator", HIDDEN),
                      *head("grad/generator")])
    assert_gradients(gradients("encoder", "labels"),
                     [*read("grad/labelled", HIDDEN), *head("grad/labelled")])
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
    logits = likelihood.logits(z, training=True)
    assert_close(logits, NEWS["generator/logits_plus_background"])
    assert_close(logits - NEWS["background/log"],
                 NEWS["generator/logits_train_mode"], 1e-9)
    assert_close(likelihood.moving_mean, NEWS["generator/running_mean_after"])
    assert_close(likelihood.moving_variance,
                 NEWS["generator/running_var_after"])
    assert_close(likelihood.logits(z) - NEWS["background/log"],
                 NEWS["generator/logits_eval_mode_after"], 1e-9)


def test_symbols_are_told_as_theirs(model):
    rows = NEWS["labelled_index"]
    mean = model.encoder.parameters(
        tf.constant(NEWS["labelled_x"][rows]))[0]
    assert_close(mean, NEWS["labelled/mean"])
    logits = model.prior.logits(mean)
    assert_close(logits, NEWS["labelled/logits"])
    np.testing.assert_allclose(
        np.mean(np.argmax(logits, -1) == NEWS["labelled_y"][rows]),
        NEWS["labelled/accuracy"])
    mean = model.encoder.parameters(tf.constant(NEWS["labelled_x"]))[0]
    assert_close(model.prior.logits(mean),
                 NEWS["evaluation/logits_on_labelled"])
    told = np.argmax(NEWS["evaluation/logits_on_labelled"], -1)
    np.testing.assert_allclose(np.mean(told == NEWS["labelled_y"]),
                               NEWS["evaluation/accuracy_on_labelled"])


class WithoutIdle(Adam):
    """Leaves the half of a head alone that a loss says nothing of.

    PyTorch has no gradient there. Ours is a head of two halves in one layer,
    whose idle half would have the gradient 0, be decayed and counted.
    """

    def update_step(self, gradient, variable, learning_rate):
        if "/head/" not in variable.name:
            super().update_step(gradient, variable, learning_rate)
            return
        width, index = C["nz"], self._get_variable_index(variable)
        kept = [variable, self._momentums[index], self._velocities[index]]
        before = [array.numpy()[..., width:] for array in kept]
        idle = not np.any(gradient.numpy()[..., width:])
        super().update_step(gradient, variable, learning_rate)
        if idle:
            for array, old in zip(kept, before):
                array.assign(np.concatenate(
                    [array.numpy()[..., :width], old], -1))
            return
        # The first move of this half, whatever the other has made.
        half = gradient.numpy()[..., width:] + self.gradient_decay * before[0]
        rate = float(learning_rate)
        variable.assign(np.concatenate([
            variable.numpy()[..., :width], before[0] - rate * half / (
                np.abs(half) + self.epsilon)], -1))


def test_three_updates_in_turns_are_theirs():
    """Labels, then generator and encoder, then the energy."""
    (made,) = built()
    with oracles.precision("float64"):
        idle = WithoutIdle(C["i_lr"], C["i_beta1"], C["i_beta2"], 1e-8)
        idle.gradient_decay = C["i_decay"]
        made.compile({"energy": optimizer("e").make(1),
                      "generator": optimizer("g").make(1), "encoder": idle})
    inject(made, positive=InjectedCode(
        made.encoder, NEWS["noise/posterior"]), negative=Injected(
            Langevin(C["e_l_step_size"]),
            START,
            tf.constant(NEWS["noise/langevin"])))
    likelihood = made.likelihood
    for ours, theirs in ((likelihood.moving_mean, "running_mean"),
                         (likelihood.moving_variance, "running_var")):
        ours.assign(NEWS[f"weights/G.bow_bn.{theirs}"])
    before = {part: [v.numpy() for v in made.variables_of(part)]
              for part in made.parts}
    rows = NEWS["labelled_index"]
    logs = made.train_step({
        "x": tf.constant(NEWS["x"]),
        "labelled_x": tf.constant(NEWS["labelled_x"][rows]),
        "labelled_y": tf.constant(NEWS["labelled_y"][rows])})
    assert [int(made.optimizers[part].iterations) for part in (
        "energy", "generator", "encoder")] == [2, 1, 2]
    # The value of turn 2 is that of the information, too, in turn 3.
    total = logs["loss/nll"] + logs["loss/kl"] + logs["loss/encoded_energy"]
    information = C["mi_weight"] * logs["loss/information"]
    assert_close(total - information, NEWS["after_adam/loss/generator_total"])
    assert_close(logs["loss/energy"] - information,
                 NEWS["after_adam/loss/ebm_total"])
    for part, name, keys in (("energy", "e", ENERGY), ("encoder", "i", HIDDEN),
                             ("generator", "g", GENERATOR)):
        after = {v.path.partition("/")[2]: (v.numpy() - old) / C[f"{name}_lr"]
                 for v, old in zip(made.variables_of(part), before[part])}
        theirs = {f"{place}/bias": moved(key, name) for place, key in zip(
            [f"dense_{i}" for i in range(len(keys) - (part != "encoder"))]
            + ["head"], keys)}
        if part == "encoder":
            theirs["head/bias"] = np.concatenate(
                [moved(key, "i") for key in HEADS])
        if part == "generator":
            theirs["bias"] = moved("G.bow_bn", "g")
        for place, expected in theirs.items():
            np.testing.assert_allclose(after[place], expected, rtol=0,
                                       atol=1e-7, err_msg=place)
    # Their batch normalisation has a scale that does not learn.
    for key in ("weights", "after_adam"):
        np.testing.assert_array_equal(NEWS[f"{key}/G.bow_bn.weight"], 1.0)
    assert_close(likelihood.moving_mean,
                 NEWS["after_adam/G.bow_bn.running_mean"])
    assert_close(likelihood.moving_variance,
                 NEWS["after_adam/G.bow_bn.running_var"])


def moved(key, name):
    """How far one of their biases went, in units of the rate."""
    return (NEWS[f"after_adam/{key}.bias"]
            - NEWS[f"weights/{key}.bias"]) / C[f"{name}_lr"]


def test_every_key_is_read(request):
    assert_read(request, "svebm_agnews")
