"""The flow prior against the authors' program, number for number.

Xie et al. 2023, arXiv:2301.09300: model.py and train.py.
"""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.assembly.learned import FlowConfig
from lebm_tf.families import ChainConfig, DataSpec, GeneratorConfig, flow_prior
from lebm_tf.mcmc import Langevin, rng, value_and_gradient
from lebm_tf.models import OptimizerConfig
from lebm_tf.networks import LatentGlow, glow
from tests import oracles
from tests.golden.reference import (
    Injected, Reference, assert_close, assert_gradients, assert_read,
    assert_updates, inject)

FLOW, SEED = Reference("latent_flow"), rng.make_seed(0)
C, X = FLOW.config, FLOW["x"]
COUPLING = {0: "additive", 1: "affine"}
STEP = "revnet2d_s.0.revnet2d_step_s.{}."


@pytest.fixture(autouse=True, scope="module")
def double_precision():
    with oracles.precision("float64"):
        yield


def flow_names(depth):
    """Their name of each array, in the order of our variables."""
    names = [STEP.format(k) + "invertible_1x1_conv.w" for k in range(depth)]
    for k in range(depth):
        names += [STEP.format(k) + f"actnorm.{name}" for name in ("b", "logs")]
    for k in range(depth):
        names += [STEP.format(k) + f"f.{name}" for name in (
            "fc_1.w", "fc_2.w", "fc_zeros.w", "fc_zeros.b", "fc_zeros.logs",
            "fc_1.actnorm.b", "fc_1.actnorm.logs", "fc_2.actnorm.b",
            "fc_2.actnorm.logs")]
    return names


def flow_arrays(prefix, depth):
    return [array[0] if len(array) == 1 else array for array in (
        FLOW.arrays[f"{prefix}/{name}"] for name in flow_names(depth))]


def make_flow(prefix="w/F", depth=C["f_depth"],
              coupling=COUPLING[C["f_flow_coupling"]]):
    network = LatentGlow(C["nz"], depth, C["f_width"], coupling)
    network.set_weights(flow_arrays(prefix, depth))
    return network


def generator_names():
    return sorted((key.removeprefix("w/").removesuffix(".weight")
                   for key in FLOW.arrays if key.startswith("w/G/")
                   and key.endswith(".weight")),
                  key=lambda name: int(name.rpartition(".")[2]))


def generator_arrays(prefix):
    first, *others = generator_names()
    return [array for arrays in (
        FLOW.map_weights(prefix, first),
        *(FLOW.weights(prefix, name) for name in others)) for array in arrays]


def make_model():
    kernels = [FLOW.arrays[f"w/{name}.weight"] for name in generator_names()]
    config = flow_prior.FlowPriorConfig(
        latent_dim=C["nz"], likelihood_scale=C["g_llhd_sigma"],
        posterior=ChainConfig(
            C["g_l_steps"], C["g_l_step_size"], float(C["g_l_with_noise"])),
        flow=FlowConfig(C["f_depth"], C["f_width"],
                        COUPLING[C["f_flow_coupling"]]),
        generator=GeneratorConfig(
            kernels[0].shape[2], tuple(k.shape[1] for k in kernels[:-1]),
            1 if kernels[-1].shape[2] == 3 else 2),
        **{f"{part}_optimizer": OptimizerConfig(
            C[f"{letter}_lr"], C[f"{letter}_beta1"], C[f"{letter}_beta2"],
            C["adam_eps"], weight_decay=C[f"{letter}_decay"],
            clip_norm=C[f"{letter}_is_grad_clamp"] * C[f"{letter}_max_norm"])
            for part, letter in (("flow", "f"), ("generator", "g"))})
    model = flow_prior.build(
        config, DataSpec(X.shape[1:], len(X)), batch_size=len(X))
    model.prior.network.set_weights(flow_arrays("w/F", C["f_depth"]))
    generator = model.likelihood.generator
    generator.set_weights(generator_arrays("w"))
    inject(model, positive=Injected(
        model.samplers["positive"].kernel,
        tf.constant(FLOW["noise_post_start"]), tf.constant(FLOW["noise_post"])))
    return model


@pytest.fixture(scope="module")
def model(double_precision):
    return make_model()


def test_our_constants_are_theirs():
    assert (glow.LOG_FACTOR, glow.OFFSET) == (
        C["logscale_factor"], C["scale_offset"])
    assert C["f_n_levels"] == 1 and C["f_flow_permutation"] == 2


def test_the_first_step_piece_by_piece():
    network, z = make_flow(), tf.constant(FLOW["flow_z"])
    normed = network.norms[0](z)
    assert_close(normed, FLOW["step0_actnorm"])
    rotation = tf.convert_to_tensor(network.rotations[0])
    rotated = tf.matmul(normed, rotation)
    assert_close(rotated, FLOW["step0_rotated"])
    growth = network.norms[0].growth()
    assert_close(tf.fill([len(z)], growth), FLOW["step0_actnorm_logdet"])
    assert_close(tf.fill([len(z)], growth + tf.linalg.slogdet(rotation)[1]),
                 FLOW["step0_rotated_logdet"])
    assert_close(network.networks[0](tf.split(rotated, 2, -1)[0]),
                 FLOW["step0_h"])


@pytest.mark.parametrize("depth", range(1, C["f_depth"] + 1))
def test_the_flow_step_by_step(depth):
    network = LatentGlow(C["nz"], depth, C["f_width"],
                         COUPLING[C["f_flow_coupling"]])
    network.set_weights(flow_arrays("w/F", depth))
    z, growth = network.inverse(tf.constant(FLOW["flow_z"]))
    assert_close(z, FLOW["flow_step_z"][depth - 1])
    assert_close(growth, FLOW["flow_step_logdet"][depth - 1])


def test_the_whole_flow_both_ways_and_its_jacobian(model):
    flow, z = model.prior, tf.constant(FLOW["flow_z"])
    with tf.GradientTape() as tape:
        tape.watch(z)
        eps, growth = flow.network.inverse(z)
    jacobian = tape.batch_jacobian(eps, z)
    assert_close(eps, FLOW["flow_eps"])
    assert_close(growth, FLOW["flow_logdet"])
    assert_close(jacobian, FLOW["flow_jacobian"])
    assert_close(tf.linalg.slogdet(jacobian)[1], FLOW["flow_logdet"])
    density, gradient = value_and_gradient(flow.log_prob, z)
    assert_close(density, FLOW["exact/flow_log_density"])
    assert_close(gradient, FLOW["flow_grad_ll"])
    np.testing.assert_allclose(
        density - FLOW["flow_ll_official"],
        -(C["nz"] / 2 + 1) * np.log(2 * np.pi), rtol=1e-10)
    back, shrinkage = flow.network(tf.constant(FLOW["inverse_eps"]))
    assert_close(back, FLOW["inverse_z"])
    assert_close(-shrinkage, FLOW["inverse_logdet"])
    assert_close(model.likelihood.mean(back), FLOW["sample_x"])


def test_additive_couplings():
    depth = len({key.split(".")[3] for key in FLOW.arrays if key.startswith(
        "additive/w/")})
    network = make_flow("additive/w", depth, "additive")
    eps, growth = network.inverse(tf.constant(FLOW["flow_z"]))
    assert_close(eps, FLOW["additive/eps"])
    assert_close(growth, FLOW["additive/logdet"])
    assert_close(network(tf.constant(FLOW["inverse_eps"]))[0],
                 FLOW["additive/inverse_z"])


def test_the_start_that_depends_on_data():
    network, z = make_flow(), tf.constant(FLOW["ddinit_z"])
    network.initialize(z)
    eps, growth = network.inverse(z)
    assert_close(eps, FLOW["ddinit_eps"], 1e-9)
    assert_close(growth, FLOW["ddinit_logdet"], 1e-9)
    for name, value in zip(flow_names(C["f_depth"]), network.get_weights()):
        if f"ddinit/F/{name}" in FLOW.arrays:
            np.testing.assert_allclose(
                value, FLOW.arrays[f"ddinit/F/{name}"][0], rtol=1e-9,
                atol=1e-12)


def test_the_target_and_its_parts_at_the_start(model):
    z = tf.constant(FLOW["noise_post_start"])
    density, gradient = value_and_gradient(model.prior.log_prob, z)
    np.testing.assert_allclose(
        density - FLOW["flow_ll_post_0"],
        -(C["nz"] / 2 + 1) * np.log(2 * np.pi), rtol=1e-10)
    assert_close(-gradient, FLOW["grad_flow_post_0"])
    _, gradient = value_and_gradient(
        lambda z: -model.likelihood.log_prob(tf.constant(X), z), z)
    assert_close(gradient, FLOW["grad_recon_post_0"])


def test_chains_move_for_move(model):
    chain = model.samplers["positive"]
    positions = chain.positions(
        model.target("positive", {"x": tf.constant(X)}), SEED)
    assert isinstance(chain.kernel, Langevin)
    assert_close(tf.stack(positions), FLOW["traj_post"])
    for name, function in (
            ("flow", model.prior.log_prob),
            ("recon", lambda z: model.likelihood.log_prob(tf.constant(X), z))):
        assert_close(tf.stack([tf.reduce_mean(tf.norm(
            value_and_gradient(function, z)[1], axis=-1))
            for z in positions[:-1]]), FLOW[f"grad_{name}_norm_post"])


def test_losses_and_their_gradients(model):
    draws = model.draw({"x": tf.constant(X)}, SEED)
    with tf.GradientTape(persistent=True) as tape:
        losses = {name: objective(model, draws)[0]
                  for name, objective in model.objectives.items()}
    assert_close(losses["generator"], FLOW["loss_g"])
    assert_close(losses["flow"], FLOW["exact/loss_f"])
    np.testing.assert_allclose(
        FLOW["exact/loss_f"] - FLOW["loss_f"],
        (C["nz"] / 2 + 1) * np.log(2 * np.pi), rtol=1e-9)
    eps, growth = model.prior.network.inverse(draws.positive.position)
    assert_close(eps, FLOW["eps_post_K"])
    assert_close(growth, FLOW["logdet_post_K"])
    assert_close(model.likelihood.mean(draws.positive.position),
                 FLOW["x_hat_post_K"])
    for part, expected in (
            ("generator", generator_arrays("grad")),
            ("flow", flow_arrays("grad/F", C["f_depth"]))):
        assert_gradients(tape.gradient(
            losses[part], model.variables_of(part)), expected)


def test_one_train_step_logs_and_updates_as_theirs():
    model = make_model()
    before = {part: [v.numpy() for v in model.variables_of(part)]
              for part in model.parts}
    logs = model.train_step({"x": tf.constant(X)})
    assert_close(logs["loss/generator"], FLOW["loss_g"])
    assert_close(logs["gradient_norm/generator"], FLOW["grad_norm_g"])
    assert_close(logs["gradient_norm/flow"], FLOW["grad_norm_f"])
    assert_updates(before["generator"], model.variables_of("generator"),
                   generator_arrays("w1"), C["g_lr"])
    assert_updates(before["flow"], model.variables_of("flow"),
                   flow_arrays("w1/F", C["f_depth"]), C["f_lr"])


def test_biases_that_they_leave_out_learn_nothing():
    """Ours has none of them; theirs stand before a normalisation's own."""
    idle = {f"w/F/{name}" for name in FLOW["without_gradient"]}
    assert idle == {key for key in FLOW.arrays if key.startswith("w/F/")
                    and key.rpartition(".f.")[2] in ("fc_1.b", "fc_2.b")}
    for key in idle | {key for key in FLOW.arrays if key.startswith(
            "additive/w/") and key.endswith(("fc_1.b", "fc_2.b"))}:
        assert np.isfinite(FLOW.arrays[key]).all()
        assert key.replace("w/", "grad/", 1) not in FLOW.arrays


def test_every_key_is_read(request):
    assert_read(request, "latent_flow")
