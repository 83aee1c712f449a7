"""The joint energy prior against the authors' program, number for number."""

import functools
import math

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.assembly.layered import LayersConfig
from lebm_tf.families import ChainConfig, DataSpec, GeneratorConfig, multilayer
from lebm_tf.families.multilayer import MultilayerConfig
from lebm_tf.mcmc import Langevin, rng, value_and_gradient
from lebm_tf.models import OptimizerConfig
from tests import oracles
from tests.golden.reference import (
    Injected, Reference, assert_close, assert_gradients, assert_read,
    assert_updates, inject)

JOINT, SEED = Reference("joint_ebm"), rng.make_seed(0)
X = JOINT["x"]
RATES = {"energy_1": JOINT.config["e1_lr"], "energy_2": JOINT.config["e2_lr"],
         "base": JOINT.config["g2_lr"], "generator": JOINT.config["g1_lr"]}


@pytest.fixture(autouse=True, scope="module")
def double_precision():
    with oracles.precision("float64"):
        yield
    joint_model.cache_clear()


def layers(model):
    """Part, their name of a layer, and our layer, in order of variables."""
    prior = model.prior
    found = []
    for part, theirs, energy in (
            ("energy_1", "E1", prior.energy_network.energies[0]),
            ("energy_2", "E2", prior.energy_network.energies[1])):
        found += [(part, f"{theirs}/energy.fc{i + 1}", layer)
                  for i, layer in enumerate(energy.layers)]
        found.append((part, f"{theirs}/energy.out", energy.head))
    network, = prior.base.networks
    found += [("base", f"G2/logit.fc{i + 1}", layer)
              for i, layer in enumerate(network.layers)]
    found.append(("base", "G2/logit.out", network.head))
    generator = model.likelihood.generator.generator
    found.append(("generator", "G1/decode.0", generator.first))
    return found + [("generator", f"G1/decode.{2 * i + 2}", layer)
                    for i, layer in enumerate(generator.layers)]


def read(prefix, name):
    if name == "G1/decode.0":
        return JOINT.map_weights(prefix, name)
    arrays = JOINT.weights(prefix, name)
    # They store f = -E: the last layer of an energy changes its sign.
    return [-a for a in arrays] if "energy.out" in name else arrays


def expected(prefix, part):
    return [array for p, name, _ in layers(joint_model()) if p == part
            for array in read(prefix, name)]


def optimizer(rate):
    beta_1, beta_2 = JOINT.config["adam_betas"]
    return OptimizerConfig(
        rate, beta_1, beta_2, epsilon=JOINT.config["adam_eps"])


def make_model():
    c = JOINT.config
    model = multilayer.build(MultilayerConfig(
        layers=LayersConfig(
            latent_dims=(c["z1_dim"], c["z2_dim"]),
            energy_units=(c["enz1_nef"], c["enz2_nef"]),
            energy_layers=(c["enz1_layers"], c["enz2_layers"]),
            base_units=(c["pz1gz2_ndf"],), base_layers=(c["pz1gz2_layers"],),
            scale_floor=c["sigma_floor"], top_scale=1.0 + c["sigma_floor"]),
        likelihood_scale=c["sigma"],
        prior=ChainConfig(c["e_l_steps"], c["e_l_step_size"]),
        posterior=ChainConfig(c["g_l_steps"], c["g_l_step_size"]),
        generator=GeneratorConfig(8, tuple(
            factor * c["ngf"] for factor in (16, 8, 4)), 1)),
        DataSpec(X.shape[1:], len(X)), batch_size=len(X))
    model.compile({part: optimizer(RATES[part]).make(1)
                   for part in model.parts})
    for _, name, layer in layers(model):
        layer.set_weights(read("w", name))
    inject(model, positive=chains("post"), negative=chains("prior"))
    return model


def chains(name, noise_scale=None):
    noise_scale = float(JOINT.config["use_noise"]) if (
        noise_scale is None) else noise_scale
    step = JOINT.config[
        "g_l_step_size" if name == "post" else "e_l_step_size"]
    return Injected(Langevin(step, noise_scale), start(name), tuple(
        tf.constant(JOINT[f"noise_z{i}_{name}"]) for i in (1, 2)))


def start(name):
    return tuple(tf.constant(JOINT[f"z{i}_{name}_0"]) for i in (1, 2))


@functools.cache
def joint_model():
    """A model at the weights before the step; not to be trained."""
    return make_model()


def targets(model):
    batch = {"x": tf.constant(X)}
    return {"post": model.target("positive", batch),
            "prior": model.target("negative", batch)}


each_chain = pytest.mark.parametrize("name", ["post", "prior"])


@each_chain
def test_the_terms_of_every_layer_at_the_start(name):
    model, z = joint_model(), start(name)
    energies = model.prior.energy_network
    for i, energy in enumerate(energies.energies):
        value, gradient = value_and_gradient(energy, z[i])
        assert_close(-value, JOINT[f"f{i + 1}_{name}_0"])
        assert_close(-gradient, JOINT[f"grad_f{i + 1}_{name}_0"])
    mean, scale = model.prior.base.parameters(0, z[1])
    assert_close(mean, JOINT[f"mu_z1_{name}_0"])
    assert_close(scale, JOINT[f"sigma_z1_{name}_0"])
    given, top = model.prior.base.log_prob_of_layers(z)
    assert_close(given, JOINT[f"log_p_z1_given_z2_{name}_0"])
    assert_close(top, JOINT[f"log_p_z2_{name}_0"])
    assert_close(tf.reduce_sum(model.prior.base.log_prob(z)),
                 JOINT[f"sum_log_pz_{name}_0"])


@each_chain
def test_the_gradient_of_a_target_in_both_layers(name):
    model, z = joint_model(), start(name)
    gradients = value_and_gradient(targets(model)[name], z)[1]
    energies = model.prior.energy_network.energies
    for i, gradient in enumerate(gradients):
        assert_close(gradient, JOINT[f"grad_target_z{i + 1}_{name}_0"])
        of_energy = value_and_gradient(energies[i], z[i])[1]
        assert_close(gradient + of_energy,
                     JOINT[f"grad_logp_z{i + 1}_{name}_0"])


def test_the_likelihood_at_the_start():
    model, z = joint_model(), start("post")
    assert_close(model.likelihood.mean(z), JOINT["x_hat_post_0"])
    error = model.likelihood.squared_error(tf.constant(X), z)
    assert_close(error, JOINT["sum_sq_recon_post_0"])
    total = tf.reduce_sum(model.prior.base.log_prob(z) - error / (
        2 * JOINT.config["sigma"]**2))
    assert_close(total, JOINT["sum_objective_post_0"])


@each_chain
@pytest.mark.parametrize("ending,noise_scale", [("", None),
                                                ("_noisefree", 0.0)])
def test_both_layers_move_as_theirs(name, ending, noise_scale):
    model = joint_model()
    positions = chains(name, noise_scale).positions(
        targets(model)[name], SEED)
    energies = model.prior.energy_network
    for i, energy in enumerate(energies.energies):
        layer = [z[i] for z in positions]
        assert_close(tf.stack(layer), JOINT[f"traj_z{i + 1}_{name}{ending}"])
        if not ending:
            assert_close(tf.stack([-energy(z) for z in layer]),
                         JOINT[f"f{i + 1}_traj_{name}"])


def test_losses_are_theirs_or_sums_of_theirs():
    model = joint_model()
    draws = model.draw({"x": tf.constant(X)}, SEED)
    losses = {name: objective(model, draws)[0]
              for name, objective in model.objectives.items()}
    both = JOINT["loss_e1"] + JOINT["loss_e2"]
    error = model.likelihood.squared_error(
        tf.constant(X), draws.positive.position)
    assert_close(tf.reduce_mean(error), JOINT["loss_g1_unscaled"])
    assert_close(losses["energy"], both)
    # Our contrast of the whole prior holds what does not train the base too.
    top = [tf.reduce_mean(model.prior.base.log_prob_of_layers(
        draw.position)[1]) for draw in (
            draws.positive, draws.negative)]
    assert_close(losses["base"], JOINT["loss_g2"] + both + np.asarray(
        top[1] - top[0]))
    # Theirs leaves out the normalizing constant of the likelihood.
    constant = X[0].size * math.log(
        JOINT.config["sigma"] * math.sqrt(2 * math.pi))
    assert_close(losses["generator"], JOINT["loss_g1"] + constant)
    assert_close(model.likelihood.mean(draws.positive.position),
                 JOINT["x_hat_post_K"])


def test_gradients_of_every_part():
    model = joint_model()
    draws = model.draw({"x": tf.constant(X)}, SEED)
    with tf.GradientTape(persistent=True) as tape:
        losses = {part: objective(model, draws)[0]
                  for objective in model.objectives.values()
                  for part in objective.parts}
    for part in model.parts:
        assert_gradients(
            tape.gradient(losses[part], model.variables_of(part)),
            expected("grad", part))


def test_one_unchanged_train_step_updates_every_part_as_theirs():
    model = make_model()
    before = {part: [v.numpy() for v in model.variables_of(part)]
              for part in model.parts}
    logs = model.train_step({"x": tf.constant(X)})
    assert_close(logs["loss/energy"], JOINT["loss_e1"] + JOINT["loss_e2"])
    assert_close(logs["positive/energy"],
                 -JOINT["f1_pos_mean"] - JOINT["f2_pos_mean"])
    assert_close(logs["negative/energy"],
                 -JOINT["f1_neg_mean"] - JOINT["f2_neg_mean"])
    for part, rate in RATES.items():
        assert_updates(before[part], model.variables_of(part),
                       expected("w1", part), rate)


def test_every_key_is_read(request):
    assert_read(request, "joint_ebm")
