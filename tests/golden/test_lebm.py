"""The image family against the authors' program, number for number."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.families import (
    BaseConfig, ChainConfig, DataSpec, EnergyConfig, GeneratorConfig, image)
from lebm_tf.mcmc import Langevin, rng, value_and_gradient
from lebm_tf.models import OptimizerConfig
from tests import oracles
from tests.golden.reference import (
    Injected, Reference, assert_close, assert_gradients, assert_read,
    assert_updates, inject)

LEBM, SEED = Reference("lebm"), rng.make_seed(0)
X = LEBM["x"]


@pytest.fixture(autouse=True, scope="module")
def double_precision():
    with oracles.precision("float64"):
        yield
    lebm_model.cache_clear()


def layers(model):
    """Our layer, their name of it, and whether it is the first map."""
    generator, energy = model.likelihood.generator, model.prior.energy_network
    theirs = [("generator", "G/gen.0", generator.first)]
    theirs += [("generator", f"G/gen.{3 * i + 3}", layer)
               for i, layer in enumerate(generator.layers)]
    return theirs + [
        ("energy", f"E/ebm.{2 * i}", layer)
        for i, layer in enumerate((*energy.layers, energy.head))]


def expected(prefix, part):
    """Their arrays, in the order of our variables."""
    return [array for p, name, _ in layers(lebm_model()) if p == part
            for array in read(prefix, name)]


def read(prefix, name):
    return (LEBM.map_weights if name == "G/gen.0" else LEBM.weights)(
        prefix, name)


def make_model():
    c = LEBM.config
    model = image.build(image.ImageConfig(
        latent_dim=c["nz"], likelihood_scale=c["g_llhd_sigma"],
        p0=BaseConfig(base_scale=c["e_prior_sig"]),
        prior=ChainConfig(c["e_l_steps"], c["e_l_step_size"],
                          start_scale=c["e_init_sig"]),
        posterior=ChainConfig(c["g_l_steps"], c["g_l_step_size"]),
        energy=EnergyConfig((c["ndf"],) * 2, c["e_activation"]),
        generator=GeneratorConfig(
            4, (8 * c["ngf"], 4 * c["ngf"], 2 * c["ngf"])),
        energy_optimizer=OptimizerConfig(c["e_lr"]),
        generator_optimizer=OptimizerConfig(c["g_lr"])),
        DataSpec(X.shape[1:], len(X)), batch_size=len(X))
    for _, name, layer in layers(model):
        layer.set_weights(read("w", name))
    inject(model, **{
        role: Injected(model.samplers[role].kernel,
                       tf.constant(LEBM[f"z_{name}_0"]),
                       tf.constant(LEBM[f"noise_{name}"]))
        for role, name in (("positive", "post"), ("negative", "prior"))})
    return model


@functools.cache
def lebm_model():
    """A model at the weights before the step; not to be trained."""
    return make_model()


def targets(model):
    batch = {"x": tf.constant(X)}
    return {"post": model.target("positive", batch),
            "prior": model.target("negative", batch)}


@pytest.mark.parametrize("name", ["post", "prior"])
def test_energies_and_their_gradients_at_the_start(name):
    model, z = lebm_model(), tf.constant(LEBM[f"z_{name}_0"])
    energy, gradient = value_and_gradient(model.prior.energy, z)
    assert_close(energy, LEBM[f"energy_{name}_0"])
    assert_close(gradient, LEBM[f"grad_energy_{name}_0"])


def test_the_likelihood_and_its_gradient_at_the_start():
    model, z = lebm_model(), tf.constant(LEBM["z_post_0"])
    assert_close(model.likelihood.mean(z), LEBM["x_hat_post_0"])

    def scaled_error(z):
        return model.likelihood.squared_error(tf.constant(X), z) / (
            2 * LEBM.config["g_llhd_sigma"]**2)
    error, gradient = value_and_gradient(scaled_error, z)
    assert_close(error, LEBM["recon_nll_post_0"])
    assert_close(gradient, LEBM["grad_recon_post_0"])


@pytest.mark.parametrize("name", ["post", "prior"])
def test_targets_are_minus_their_potentials_up_to_a_constant(name):
    z = tf.constant(LEBM[f"z_{name}_0"])
    value, gradient = value_and_gradient(targets(lebm_model())[name], z)
    constant = value + LEBM[f"potential_{name}_0"]
    np.testing.assert_allclose(
        constant, np.full(len(z), constant[0]), rtol=0, atol=1e-9)
    assert_close(-gradient, LEBM[f"grad_potential_{name}_0"])


@pytest.mark.parametrize("name", ["post", "prior"])
@pytest.mark.parametrize("ending,noise_scale", [("", 1.0),
                                                ("_noisefree", 0.0)])
def test_chains_move_for_move(name, ending, noise_scale):
    model = lebm_model()
    sampler = model.samplers["positive" if name == "post" else "negative"]
    chain = Injected(Langevin(sampler.kernel.step_size, noise_scale),
                     sampler.first, sampler.noise)
    positions = chain.positions(targets(model)[name], SEED)
    assert_close(tf.stack(positions), LEBM[f"traj_{name}{ending}"])
    if ending:
        return
    assert_close(tf.stack([model.prior.energy(z) for z in positions]),
                 LEBM[f"energy_traj_{name}"])
    found = {"energy": model.prior.energy}
    if name == "post":
        found["recon"] = lambda z: model.likelihood.squared_error(
            tf.constant(X), z) / (2 * LEBM.config["g_llhd_sigma"]**2)
    for part, function in found.items():
        gradient = value_and_gradient(function, positions[-2])[1]
        assert_close(tf.reduce_mean(tf.norm(gradient, axis=-1)),
                     LEBM[f"grad_{part}_norm_{name}_last"])


def test_losses_and_their_gradients():
    model = lebm_model()
    draws = model.draw({"x": tf.constant(X)}, SEED)
    with tf.GradientTape(persistent=True) as tape:
        losses = {name: objective(model, draws)[0]
                  for name, objective in model.objectives.items()}
    assert_close(losses["energy"], LEBM["loss_e"])
    assert_close(losses["generator"], LEBM["loss_g"])
    assert_close(model.likelihood.mean(draws.positive.position),
                 LEBM["x_hat_post_K"])
    for part in ("energy", "generator"):
        assert_gradients(
            tape.gradient(losses[part], model.variables_of(part)),
            expected("grad", part))


def test_one_train_step_logs_and_updates_as_theirs():
    model = make_model()
    before = {part: [v.numpy() for v in model.variables_of(part)]
              for part in model.parts}
    logs = model.train_step({"x": tf.constant(X)})
    assert_close(logs["loss/energy"], LEBM["loss_e"])
    assert_close(logs["loss/generator"], LEBM["loss_g"])
    assert_close(logs["gradient_norm/energy"], LEBM["grad_norm_e"])
    assert_close(logs["gradient_norm/generator"], LEBM["grad_norm_g"])
    assert_close(logs["positive/energy"], LEBM["en_pos"])
    assert_close(logs["negative/energy"], LEBM["en_neg"])
    for part, rate in (("energy", "e_lr"), ("generator", "g_lr")):
        assert_updates(before[part], model.variables_of(part),
                       expected("w1", part), LEBM.config[rate])


def test_every_key_is_read(request):
    assert_read(request, "lebm")
