"""Cycle translation against the authors' program, number for number."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.families import ChainConfig, DataSpec, cycle_translation
from lebm_tf.mcmc import Langevin, rng, run_chain, value_and_gradient
from lebm_tf.models import OptimizerConfig
from tests import oracles
from tests.golden.reference import (
    RELATIVE, Reference, assert_close, assert_read)

# Their file is NHWC already, so its arrays are read as they are.
THEIRS, C = Reference("cyclecoop").arrays, Reference("cyclecoop").config
SEED = rng.make_seed(0)
BATCH = {"x": {name: tf.constant(THEIRS[f"obs_{name}"]) for name in "ab"}}
# Our part -> their network, in which A makes b's of a's.
NETWORKS = {"energy_a": "ebm_A", "energy_b": "ebm_B", "translator_ab": "gen_A",
            "translator_ba": "gen_B"}
STRIDES = {4: (1, 2, 2, 2), 3: (2, 2, 1)}  # By the number of layers.


@pytest.fixture(autouse=True, scope="module")
def double_precision():
    with oracles.precision("float64"):
        yield
    model.cache_clear()


def names(network):
    """Their layers, in the order of the network."""
    found = dict.fromkeys(
        key.removeprefix(f"w/{network}/").rpartition("/")[0]
        for key in THEIRS if key.startswith(f"w/{network}/"))
    return list(found)


def arrays(prefix, part):
    """Their arrays of a part, in the order of our variables."""
    network = NETWORKS[part]
    ends = [("scale", "offset") if name.endswith(("_bn", "_bn1", "_bn2")) else
            ("kernel", "bias") for name in names(network)]
    pairs = [[THEIRS[f"{prefix}/{network}/{name}/{end}"] for end in found]
             for name, found in zip(names(network), ends)]
    if part.startswith("energy"):
        kernel, bias = pairs.pop()  # As large as the map: a product.
        pairs.append([kernel.reshape(-1, kernel.shape[-1]), bias])
    return [array for pair in pairs for array in pair]


def layers(model, part):
    """Our layers in their order."""
    network, = model.parts[part]
    if part.startswith("energy"):
        return [*network.layers, network.head]
    found = []
    for convolution, norm in zip(network.convolutions, [*network.norms, None]):
        found += [convolution] if norm is None else [convolution, norm]
    return found


def variables(model, part):
    return [variable for layer in layers(model, part)
            for variable in layer.trainable_variables]


def make(**changes):
    kernels = [THEIRS[f"w/ebm_A/{name}/kernel"].shape
               for name in names("ebm_A")[:-1]]
    optimizers = {f"{kind}_optimizer": OptimizerConfig(
        float(THEIRS[key]), beta_1=C["adam_beta_1"], beta_2=C["adam_beta_2"])
        for kind, key in (("energy", "lr_e"), ("translator", "lr_g"))}
    config = cycle_translation.CycleTranslationConfig(
        reference_scale=C["ebm_refsig"],
        chain=ChainConfig(C["ebm_sample_steps"], C["ebm_step_size"], 0.0),
        cycle_weight_a=C["lambdaA"], cycle_weight_b=C["lambdaB"],
        energy=cycle_translation.PictureEnergyConfig(
            tuple(shape[-1] for shape in kernels),
            tuple(shape[0] for shape in kernels), STRIDES[len(kernels)],
            C["ebm_outputs"]),
        translator=cycle_translation.TranslatorConfig(
            C["ngf"], C["gen_num_blocks"], C["dropout"]),
        **{"teaching_weight": 1.0, **optimizers, **changes})
    shape = THEIRS["obs_a"].shape
    built = cycle_translation.build(
        config, DataSpec(shape[1:], shape[0], kind="pair"),
        batch_size=shape[0])
    load(built, "w", NETWORKS)
    for part in ("energy_a", "energy_b"):
        # Their slope is 0.2 in float32, whatever they compute in.
        built.parts[part][0].act = lambda x: tf.nn.leaky_relu(
            x, C["leaky_slope"])
    return built


def load(built, prefix, parts):
    """Gives parts their weights."""
    for part in parts:
        for variable, array in zip(variables(built, part),
                                   arrays(prefix, part), strict=True):
            variable.assign(array)


@functools.cache
def model(through_chain=False):
    """At the weights before the step; not to be trained."""
    return make(through_chain=through_chain)


@functools.cache
def step(through_chain):
    """Draws and losses, with the gradients of every part."""
    built = model(through_chain)
    with tf.GradientTape(persistent=True) as tape:
        draws = built.draw(BATCH, SEED, tape)
        losses = {name: objective(built, draws) for name, objective in
                  built.objectives.items()}
    return draws.states, losses, {part: tape.gradient(
        losses[part if part in losses else "translators"][0],
        variables(built, part)) for part in NETWORKS}


def of(domain):
    """(energy network, translations) of a domain, as they name it."""
    return model().parts[f"energy_{domain}"][0], THEIRS[f"gen_res_{domain}"]


@pytest.mark.parametrize("part, domain", [("translator_ab", "a"),
                                          ("translator_ba", "b")])
def test_translations_there_and_back(part, domain):
    other = cycle_translation.OTHER[domain]
    there = model().parts[part][0](BATCH["x"][domain])
    assert_close(there, THEIRS[f"gen_res_{other}"])
    back, = model().parts[f"translator_{other}{domain}"]
    assert_close(back(there), THEIRS[f"rec_{domain}"])


@pytest.mark.parametrize("domain", "ab")
def test_outputs_and_gradients_of_the_energies(domain):
    network, made = of(domain)
    for x, end in ((THEIRS[f"obs_{domain}"], "obs"), (made, "gen"),
                   (THEIRS[f"syn_{domain}"], "syn")):
        expected = THEIRS[f"f_{domain.upper()}_{end}"]
        assert_close(network.outputs(tf.constant(x)), expected[:, 0, 0])
    _, gradient = value_and_gradient(network, tf.constant(made))
    assert_close(-gradient, THEIRS[f"grad_sum_f_{domain.upper()}_gen"])


@pytest.mark.parametrize("domain", "ab")
def test_chains_move_for_move(domain):
    _, made = of(domain)
    target = model().target(f"revision_{domain}", BATCH)
    kernel = Langevin(C["ebm_step_size"], 0.0)
    assert_close(tf.stack([
        run_chain(kernel, target, tf.constant(made), k, SEED).position
        for k in range(C["ebm_sample_steps"] + 1)]),
        THEIRS[f"traj_{domain}"])


@pytest.mark.parametrize("through_chain", [False, True])
def test_losses(through_chain):
    states, losses, _ = step(through_chain)
    for domain in "ab":
        assert_close(states[f"translation_{domain}"].position,
                     THEIRS[f"gen_res_{domain}"])
        assert_close(states[f"revision_{domain}"].position,
                     THEIRS[f"syn_{domain}"])
        assert_close(losses[f"energy_{domain}"][0],
                     THEIRS[f"ebm_loss_{domain.upper()}"])
    total, terms = losses["translators"]
    assert_close(total, THEIRS["loss_G"])
    for domain, translator in (("b", "A"), ("a", "B")):
        assert_close(terms[f"teaching_{domain}"],
                     THEIRS[f"gen_loss_{translator}"])
        assert_close(C["lambda" + domain.upper()] * terms[f"cycle_{domain}"],
                     THEIRS[f"loss_cycle_{domain.upper()}"])


@pytest.mark.parametrize("part", NETWORKS)
@pytest.mark.parametrize("through_chain", [False, True])
def test_gradients_with_chains_held_constant_and_through_them(
        part, through_chain):
    loss = "ebm_loss" if part.startswith("energy") else "loss_G"
    end = "through_chain" if through_chain else "stopped"
    wanted = arrays(f"grad_{loss}_{end}", part)
    largest = max(np.max(np.abs(array)) for array in wanted)
    for gradient, array in zip(
            step(through_chain)[2][part], wanted, strict=True):
        # Biases before a normalization have gradients of 0 up to rounding.
        np.testing.assert_allclose(
            gradient, array, rtol=0,
            atol=RELATIVE * np.max(np.abs(array)) + 1e-14 * largest)


def test_a_step_in_their_order_updates_as_theirs():
    """Energies first, then translators from chains that are drawn anew. Their
    energies share an Adam, so that of A is at its second step: its step
    count, and the epsilon that TensorFlow 1 adds there, are set by hand."""
    built = make(through_chain=True, translators_last=True)
    before = {part: [v.numpy() for v in variables(built, part)]
              for part in NETWORKS}
    for part, network in NETWORKS.items():
        counts = C["adam_step_count"]
        count = counts.get(network, counts["gen"])
        optimizer = built.optimizers[part]
        optimizer.iterations.assign(count - 1)
        optimizer.epsilon = C["adam_eps"] / (
            1 - C["adam_beta_2"]**count)**0.5
    logs = built.train_step(BATCH)
    for domain in "ab":
        assert_close(logs[f"loss/energy_{domain}"] / C["ebm_outputs"],
                     THEIRS[f"seq/ebm_loss_{domain.upper()}"])
    total = sum(
        C["lambda" + domain.upper()] * logs[f"loss/cycle_{domain}"]
        + logs[f"loss/teaching_{domain}"] for domain in "ab")
    assert_close(total, THEIRS["seq/loss_G"])
    for part in NETWORKS:
        rate = float(THEIRS["lr_e" if part.startswith("energy") else "lr_g"])
        gradients = arrays(
            "grad_ebm_loss_through_chain" if part.startswith("energy") else
            "grad_loss_G_through_chain", part)
        for old, new, wanted, gradient in zip(
                before[part], variables(built, part), arrays("w1", part),
                gradients):
            if np.max(np.abs(gradient)) < 1e-12:
                continue  # 0 but for rounding, which Adam makes large.
            np.testing.assert_allclose(
                (new.numpy() - old) / rate, (wanted - old) / rate, rtol=0,
                atol=1e-5)


def test_chains_that_are_drawn_anew_climb_the_updated_energies():
    built = make()
    load(built, "w1", ("energy_a", "energy_b"))
    states = built.draw(BATCH, SEED).states
    for domain in "ab":
        assert_close(states[f"revision_{domain}"].position,
                     THEIRS[f"seq/syn_{domain}_before_gen_step"])


def test_every_key_is_read(request):
    assert_read(request, "cyclecoop")
