"""Symbols behind sentences: prior, chains and terms of the authors' program.

Pang and Wu 2021, arXiv:2108.11556, text_generation.py; what encoder and decoder
say is in test_svebm_networks.py.
"""

import types

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.assembly.observations import (
    RecurrentDecoderConfig, RecurrentReaderConfig)
from lebm_tf.densities.targets import prior_target
from lebm_tf.families import ChainConfig, DataSpec, EnergyConfig, symbol_vector
from lebm_tf.kinds import SEQUENCE
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.mcmc.kernel import value_and_gradient
from lebm_tf.models import OptimizerConfig
from lebm_tf.objectives import (
    Annealed, MaskedKL, Objective, SymbolCrossEntropy, encoded_energy,
    energy_contrast, gaussian_kl, symbol_information)
from tests import oracles
from tests.golden.reference import (
    Injected, InjectedCode, Reference, assert_close, assert_gradients,
    assert_read, inject, kl_to_normal)
from tests.golden.test_svebm_networks import decoder_weights, encoder_weights

SEED = rng.make_seed(0)
PLACES = ("posterior", "prior_start", "prior_end")


@pytest.fixture(scope="module", params=["svebm_text", "svebm_text_lstm"])
def text(request):
    return Reference(request.param)


def built(text, **changes):
    """A model of the family with their weights, noise and settings."""
    c, (rows, length) = text.config, text["tokens"].shape
    cell = c["rnn_cell"]
    model = symbol_vector.build(
        symbol_vector.SymbolVectorConfig(**{**dict(
            latent_dim=c["latent_size"], num_symbols=c["num_cls"],
            base_scale=c["e_prior_sig"], kl_threshold=c["dim_target_kl"],
            kl_weight=c["kl_weight"], information_weight=c["mutual_weight"],
            energy_annealed=True, joint_clip_norm=c["grad_clip"],
            log_variance_head=True,
            prior=ChainConfig(c["e_l_steps"], c["e_l_step_size"]),
            energy=EnergyConfig((c["ebm_hidden"],) * 2, "gelu"),
            decoder=RecurrentDecoderConfig(
                cell, c["embed_size"], c["dec_cell_size"], c["dropout"],
                tied=c["tie_output_embed"], starts_cell=cell == "lstm"),
            sequence_encoder=RecurrentReaderConfig(
                cell, c["embed_size"], c["enc_cell_size"], reads_padding=True,
                reads_begin=True),
            energy_optimizer=OptimizerConfig(
                c["adam_lr_ebm"], 0.9, clip_norm=c["prior_grad_clip"]),
            generator_optimizer=OptimizerConfig(c["init_lr"], 0.9),
            encoder_optimizer=OptimizerConfig(c["init_lr"], 0.9)),
            **changes}),
        DataSpec((length - 1,), rows, num_tokens=c["vocab_size"],
                 kind=SEQUENCE), batch_size=rows)
    for layer, weights in (
            (model.prior.energy_network, energy_weights(text, "weights")),
            (model.likelihood.decoder, decoder_weights(text, cell, "weights")),
            (model.encoder.network, encoder_weights(text, cell))):
        layer.set_weights(weights)
    kl_to_normal(model, c["dim_target_kl"])
    # Theirs has no bias there; ours begins at 0, and is not to learn.
    model.likelihood.decoder.first_bias.trainable = False
    inject(model, positive=InjectedCode(
        model.encoder, text["noise/posterior"]), negative=Injected(
            Langevin(c["e_l_step_size"]),
            tf.constant(text["noise/prior_start"]),
            tf.constant(text["noise/langevin"])))
    return model


def energy_weights(text, prefix):
    return [array for i in (0, 2, 4) for array in
            text.weights(prefix, f"ebm.{i}")]


@pytest.fixture(scope="module")
def model(text):
    with oracles.precision("float64"):
        yield built(text)


def batch_of(text, **others):
    """Their sentences; ours have no beginning."""
    return {"x": tf.constant(text["tokens"][:, 1:], tf.int32), **others}


@pytest.fixture(scope="module")
def draws(text, model):
    found = model.draw(batch_of(text), SEED)
    assert_close(found.positive.position, text["posterior/z"])
    assert_close(found.negative.position, text["langevin/trajectory"][-1])
    return found


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
    chains = model.samplers["negative"]
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


def tape_of(model, batch, **seeds):
    """(tape, draws, objective -> (sum, terms)) of one step."""
    with tf.GradientTape(persistent=True) as tape:
        found = model.draw(batch, SEED, tape)
        losses = {name: objective(model, found)
                  for name, objective in model.objectives.items()}
    return tape, found, losses


@pytest.fixture(scope="module")
def step(text, model):
    return tape_of(model, batch_of(text))


def of_parts(tape, model, loss):
    """Gradients of a loss by part, as tensors; of several by name, each to
    the parts that it trains."""
    def taught(part):
        return loss if not isinstance(loss, dict) else [
            total for name, (total, _) in loss.items()
            if part in model.objectives[name].parts]
    return {part: [tf.zeros(v.shape, tf.float64) if g is None else
                   tf.convert_to_tensor(g) for v, g in zip(
                       model.variables_of(part), tape.gradient(
                           taught(part), model.variables_of(part)))]
            for part in model.parts}


def wanted(text, prefix, part):
    """Theirs of all weights of a part, in our order."""
    cell = text.config["rnn_cell"]
    if part == "energy":
        return energy_weights(text, prefix)
    if part == "encoder":
        return encoder_weights(text, cell, prefix)
    arrays = decoder_weights(text, cell, prefix)
    return arrays[:2] + arrays[3:]  # Without our first bias.


def ours_of_bias(text, model, name, arrays):
    """Of one of their biases: theirs, and ours of the same gates."""
    part, key = (("generator", "bias") if name.startswith("decoder") else
                 ("encoder", "head_bias") if name.startswith("q_y") else
                 ("encoder", ("backwards" if name.endswith("reverse") else
                              "forwards") + "_bias"))
    index = [variable.path.rpartition("/")[2] for variable in
             model.variables_of(part)].index(key)
    array = np.asarray(arrays[part][index])
    if name.startswith("q_y"):
        return np.split(array, 2)["logvar" in name]
    cell, width = text.config["rnn_cell"], len(array) // 4
    gates = np.split(array, 4)
    if cell == "lstm":  # Our input, candidate, forget, output.
        return np.concatenate([gates[i] for i in (0, 2, 1, 3)])
    new = gates[3] if "bias_hh" in name else gates[2]
    assert len(new) == width
    return np.concatenate([*gates[:2], new])


BIASES = ["q_y_mean.bias", "q_y_logvar.bias", *(
    f"{rnn}.rnn.bias_{of}_l0{way}" for rnn, ways in (
        ("decoder", ("",)), ("x_encoder", ("", "_reverse")))
    for way in ways for of in ("ih", "hh"))]


def assert_biases(text, model, prefix, gradients):
    """Those of their 1-d parameters that a term has gradients of."""
    keys = [name for name in BIASES if f"{prefix}/{name}" in text.arrays]
    assert keys
    theirs = [text[f"{prefix}/{name}"] for name in keys]
    assert_gradients([ours_of_bias(text, model, name, gradients)
                      for name in keys], theirs)


def test_every_gradient_of_the_whole_is_theirs(text, model, step):
    tape, _, losses = step
    gradients = of_parts(tape, model, losses)
    for part in model.parts:
        assert_gradients(gradients[part], wanted(text, "grad", part))


def test_every_term_has_its_gradient_in_every_network(text, model, step):
    tape, _, losses = step
    terms = {name: value for _, values in losses.values()
             for name, value in values.items()}
    for theirs, ours, sign in (
            ("nll", "nll", 1), ("zkl", "kl", 1),
            ("prob_pos", "encoded_energy", -1), ("mi", "information", 1)):
        found = of_parts(tape, model, terms[ours])
        assert_biases(text, model, f"grad_of/{theirs}", {
            part: [sign * g for g in some] for part, some in found.items()})


def test_a_step_of_the_family_is_one_of_theirs(text):
    """Clipped in two groups, then Adam.

    Their recurrent layers have two biases where ours have one, their sum: a
    norm counts both, and each moves as ours does, so that their sum moves
    twice as far.
    """
    with oracles.precision("float64"):
        model = built(text)
        model.compile({part: OptimizerConfig(
            text.config["adam_lr_ebm" if part == "energy" else "init_lr"],
            0.9, clip_norm=text.config["prior_grad_clip"] * (
                part == "energy")).make(1) for part in model.parts})
        before = {part: [v.numpy() for v in model.variables_of(part)]
                  for part in model.parts}
        logs = model.train_step(batch_of(text))
    c = text.config
    assert_close(logs["gradient_norm/energy"], text["clip/prior_norm_before"])
    twice = [text[f"grad/{name}"] for name in BIASES if "bias_hh" in name]
    half = 2 * len(twice[0]) // 3 if c["rnn_cell"] == "gru" else None
    counted = [a if half is None else a[:2 * len(a) // 3] for a in twice]
    norm = np.sqrt(text["clip/other_norm_before"]**2
                   - sum(np.sum(a**2) for a in counted))
    clipped = np.sqrt(sum(float(logs[f"gradient_norm/{part}"])**2
                          for part in ("generator", "encoder")))
    assert norm > c["grad_clip"]  # So that it is clipped.
    np.testing.assert_allclose(clipped, c["grad_clip"], rtol=1e-6)
    moved = {part: [(v.numpy() - old) / c["init_lr"] for v, old in zip(
        model.variables_of(part), before[part])] for part in model.parts}
    for name in BIASES:
        theirs = (text[f"after_adam/{name}"]
                  - text[f"weights/{name}"]) / c["init_lr"]
        # By how much a gradient is clipped does not matter to a first step,
        # but for the epsilon of Adam.
        size = np.abs(text[f"grad/{name}"]) / norm
        np.testing.assert_allclose(
            ours_of_bias(text, model, name, moved), theirs, rtol=0,
            atol=1e-7 + 1e-8 * np.max(1 / np.maximum(size, 1e-6)))
    for i, layer in zip((0, 2, 4), biases_of(model)):
        np.testing.assert_allclose(
            (layer - text[f"weights/ebm.{i}.bias"]) / c["adam_lr_ebm"],
            (text[f"after_adam/ebm.{i}.bias"]
             - text[f"weights/ebm.{i}.bias"]) / c["adam_lr_ebm"],
            rtol=0, atol=1e-5)


def biases_of(model):
    return [variable.numpy() for variable in
            model.variables_of("energy")[1::2]]


def test_the_prior_teaches_nothing_while_it_costs_nothing(text):
    """Gradients of the likelihood alone, of codes that are still drawn."""
    with oracles.precision("float64"):
        model = built(text, kl_hold_steps=1)
        tape, found, losses = tape_of(model, batch_of(text))
    assert text["finding/weight_zero_still_samples_in_train_mode"]
    assert_close(found.positive.position, text["posterior/z"])
    gradients = of_parts(tape, model, losses)
    assert_biases(text, model, "grad_weight_zero", gradients)
    assert not np.any(np.concatenate(
        [np.ravel(g) for g in gradients["energy"]]))
    assert not any(name.startswith("grad_weight_zero/ebm")
                   for name in text.arrays)  # Theirs has none.


def test_mean_logits_and_labels_of_draws_are_those_of_yelp(text):
    """sentence_attribute_control.py with the same weights and noise."""
    c, labels = text.config, text["yelp/labels"]
    with oracles.precision("float64"):
        model = built(text, mean_logits=True, kl_hold_steps=0)
        code = SymbolCrossEntropy(
            lambda model, draws: draws.positive.position)
        model.objectives["labels"] = Objective(
            ("energy", "encoder"), {"classification": code},
            {"classification": c["cls_weight"]})
        tape, found, losses = tape_of(model, batch_of(
            text, labelled_y=tf.constant(labels)))
    terms = {name: value for _, values in losses.values()
             for name, value in values.items()}
    for ours, theirs in (("nll", "nll"), ("information", "mi"), ("kl", "zkl"),
                         ("classification", "cls_loss")):
        assert_close(terms[ours], text[f"yelp/loss/{theirs}"])
    assert_close(-terms["encoded_energy"], text["yelp/loss/prob_pos"])
    assert_close(terms["energy"] - terms["encoded_energy"],
                 text["yelp/loss/prob_neg"])
    assert_close(-terms["energy"], text["yelp/loss/cd"])
    told = tf.argmax(model.prior.logits(found.positive.position), -1)
    np.testing.assert_allclose(np.mean(told == labels),
                               text["yelp/loss/cls_acc"])
    totals = {name: total for name, (total, _) in losses.items()}
    # The energy's positive part stands in `bound` and in `energy`.
    assert_close(tf.add_n(list(totals.values()))
                 - c["kl_weight"] * terms["encoded_energy"],
                 text["yelp/loss/total"])
    gradients = of_parts(tape, model, losses)
    assert_biases(text, model, "yelp/grad", gradients)
    assert_gradients(gradients["energy"][1::2], biases(text, "yelp/grad"))
    target = model.target("negative", {"condition": tf.constant(labels)})
    assert_close(model.samplers["negative"].positions(target, SEED)[-1],
                 text["yelp/conditional_langevin_end"])


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


def test_every_key_of_the_prior_is_read(request, text):
    assert_read(request, text.name)
