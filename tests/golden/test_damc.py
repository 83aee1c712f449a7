"""Diffusion-amortized MCMC against the authors' program, number for number.

Yu et al. 2023, arXiv:2310.03218: diffusion_net.py, diffusion_helper_func.py,
MCMC.py and the loops of train_gen_recon.py and train_anomaly_det.py.
"""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.assembly.learned import DiffusionConfig
from lebm_tf.densities import Unconditional
from lebm_tf.families import (
    ChainConfig, DataSpec, EnergyConfig, GeneratorConfig, image)
from lebm_tf.mcmc import Langevin, rng, run_chain
from lebm_tf.models import OptimizerConfig
from lebm_tf.networks.time_embedding import sinusoidal_embedding
from tests import oracles
from tests.golden.reference import (
    Reference, assert_close, assert_read, assert_updates)

DAMC, SEED = Reference("damc"), rng.make_seed(0)
C, X = DAMC.config, DAMC["x"]
BATCH = {"x": tf.constant(X)}
# The schedule's embedding takes sines of angles up to 1,000.
ROUGH = 1e-10


@pytest.fixture(autouse=True, scope="module")
def double_precision():
    with oracles.precision("float64"):
        yield


def dense(name, bias=True):
    return [(f"{name}.weight", "dense"), *([(f"{name}.bias", "")] * bias)]


def gated(name):
    return [entry for part, bias in (
        ("_layer_ctx.1", True), ("_hyper_gate", True), ("_hyper_bias", False),
        ("_layer.0", True), ("_skip", True))
        for entry in dense(f"{name}.{part}", bias)]


def network_names():
    names = [("p.B", "")] + dense("p.time_mlp.1") + dense("p.time_mlp.3")
    for kind, count in (("in", 3), ("mid", 1), ("out", 3)):
        for k in range(count):
            names += gated(f"p.{kind}_layers.{k}")
    return names


def convolution_ids():
    ids = {int(key.split(".")[2]) for key in DAMC.arrays if key.startswith(
        "w/Q/encoder.net.") and DAMC.arrays[key].ndim == 4}
    return sorted(ids)


def encoder_names():
    *convolutions, last = convolution_ids()
    names = []
    for k in convolutions:
        names += [(f"encoder.net.{k}.weight", "conv"),
                  *((name, "") for name in (
                      f"encoder.net.{k}.bias", f"encoder.net.{k + 1}.weight",
                      f"encoder.net.{k + 1}.bias"))]
    return names + [(f"encoder.net.{last}.weight", "whole"),
                    (f"encoder.net.{last}.bias", "")]


def q_names():
    """Their name and kind of each array, in the order of our variables."""
    return (network_names() + encoder_names() + dense("prior_emb.0")
            + dense("prior_emb.2"))


def shaped(array, kind):
    if kind == "dense":
        return array.T
    if kind == "conv":
        return array.transpose(2, 3, 1, 0)
    if kind == "whole":
        return array.transpose(2, 3, 1, 0).reshape(-1, len(array))
    return array


def q_arrays(prefix):
    return [shaped(DAMC.arrays[f"{prefix}/{name}"], kind)
            for name, kind in q_names()]


def generator_names():
    return sorted((key.removeprefix("w/").removesuffix(".weight")
                   for key in DAMC.arrays if key.startswith("w/G/")
                   and key.endswith(".weight")),
                  key=lambda name: int(name.rpartition(".")[2]))


def generator_arrays(prefix):
    first, *others = generator_names()
    return [array for arrays in (
        DAMC.map_weights(prefix, first),
        *(DAMC.weights(prefix, name) for name in others)) for array in arrays]


def energy_arrays(prefix):
    return [array for k in (0, 2, 4)
            for array in DAMC.weights(prefix, f"E/ebm.{k}")]


def optimizer(letter, **changes):
    beta_1, beta_2 = C["adam_betas"]
    return OptimizerConfig(
        C[f"{letter}_lr"], beta_1, beta_2, C["adam_eps"],
        clip_norm=C[f"{letter}_is_grad_clamp"] * C[f"{letter}_max_norm"],
        **changes)


def make_model(**changes):
    kernels = [DAMC.arrays[f"w/{name}.weight"] for name in generator_names()]
    widths = [DAMC.arrays[f"w/Q/encoder.net.{k}.weight"].shape[0]
              for k in convolution_ids()]
    diffusion = {
        "num_steps": C["n_interval_posterior"], "context_dim": C["nxemb"],
        "time_dim": C["ntemb"], "hidden_units": tuple(C["in_widths"]),
        "channels": tuple(widths[:-1]), "residual": C["diffusion_residual"],
        "log_ratio_min": C["logsnr_min"], "log_ratio_max": C["logsnr_max"],
        "variance": C["var_type"], "mask_rate": C["p_mask"],
        "updates": C["q_updates"], "target_rate": C["rho"], **changes}
    model = image.build(image.ImageConfig(
        latent_dim=C["nz"], likelihood_scale=C["g_llhd_sigma"],
        prior=ChainConfig(C["e_l_steps"], C["e_l_step_size"],
                          float(C["e_l_with_noise"])),
        posterior=ChainConfig(C["g_l_steps"], C["g_l_step_size"],
                              float(C["g_l_with_noise"])),
        energy=EnergyConfig((C["ndf"],) * 2, "leaky_relu"),
        generator=GeneratorConfig(
            kernels[0].shape[2], tuple(k.shape[1] for k in kernels[:-1]),
            1 if kernels[-1].shape[2] == 3 else 2),
        posterior_sampler="diffusion", diffusion=DiffusionConfig(**diffusion),
        energy_optimizer=optimizer("e"), generator_optimizer=optimizer("g"),
        diffusion_optimizer=optimizer(
            "q", decoupled_decay=C["q_weight_decay"])),
        DataSpec(X.shape[1:], len(X)), batch_size=len(X))
    model.encoder.set_weights(q_arrays("w/Q"))
    model.likelihood.generator.set_weights(generator_arrays("w"))
    model.prior.energy_network.set_weights(energy_arrays("w"))
    model.copies["diffusion"].layer.set_weights(q_arrays("w/Qtarget"))
    return model


@pytest.fixture(scope="module")
def model(double_precision):
    return make_model()


@pytest.fixture
def tape(monkeypatch):
    """names -> what is drawn from now on is these arrays, one by one; returns
    those that are left."""
    left = []

    def drawn(shape, seed, dtype=None):
        array = left.pop(0)
        assert tuple(int(n) for n in shape) == array.shape
        return tf.constant(array)
    monkeypatch.setattr(rng, "normal", drawn)
    monkeypatch.setattr(rng, "uniform", drawn)

    def play(*names):
        for name in names:
            array = DAMC[name]
            left.extend(list(array) if array.ndim == 3 else [array])
        return left
    return play


def constant(name):
    return tf.constant(DAMC[name])


def test_the_schedule(model):
    angle = model.encoder.angle(constant("schedule_u"))
    assert_close(-2.0 * tf.math.log(tf.tan(angle)), DAMC["schedule_logsnr"])
    assert_close(tf.cos(angle), DAMC["schedule_alpha"])
    assert_close(tf.sin(angle), DAMC["schedule_sigma"])
    time = angle / (0.5 * np.pi)
    assert_close(time, DAMC["schedule_time"])
    assert_close(sinusoidal_embedding(1000.0 * time, C["ntemb"]),
                 DAMC["schedule_time_embedding"], ROUGH)


@pytest.mark.parametrize("variance", ["large", "small"])
def test_the_factors_of_the_reverse_steps(model, variance):
    angles = model.encoder.angles()
    assert_close(-2.0 * np.log(np.tan(angles)), DAMC["reverse_logsnr_t"])
    assert_close(-2.0 * np.log(np.tan(angles[[0, *range(len(angles) - 1)]])),
                 DAMC["reverse_logsnr_s"])
    encoder = model.encoder.with_steps(C["n_interval_posterior"])
    encoder.variance = variance
    kept, pull, scale = encoder.coefficients()
    assert_close(kept, DAMC["reverse_coef_zt"])
    assert_close(pull, DAMC["reverse_coef_z0"])
    assert_close(scale, DAMC[f"reverse_std_{variance}"])
    assert_close(2.0 * np.log(scale), DAMC[f"reverse_logvar_{variance}"])
    assert_close(1.0 / np.cos(angles), DAMC["pred_coef_z"])
    np.testing.assert_allclose(
        np.abs(DAMC["pred_coef_eps"]), np.tan(angles), rtol=1e-11)


def test_one_layer_and_its_gradients(model):
    layer = model.encoder.network.up[1]
    x, context = constant("layer_x"), constant("layer_ctx")
    with tf.GradientTape() as tape:
        tape.watch((x, context))
        y = layer(x, context)
        total = tf.reduce_sum(y * constant("layer_cotangent"))
    assert_close(y, DAMC["layer_out"])
    for gradient, name in zip(tape.gradient(total, (x, context)), (
            "layer_grad_x", "layer_grad_ctx")):
        assert_close(gradient, DAMC[name])


def test_the_network_and_its_gradients(model):
    network, time = model.encoder.network, model.encoder.angle(
        constant("net_u")) / (0.5 * np.pi)
    assert_close(-2.0 * tf.math.log(tf.tan(model.encoder.angle(
        constant("net_u")))), DAMC["net_logsnr"])
    z, context = constant("net_z"), constant("net_c")
    assert_close(network.features(z), DAMC["net_input"])
    assert_close(network.embedded_time(time), DAMC["net_temb"], ROUGH)
    with tf.GradientTape() as tape:
        tape.watch((z, context))
        noise = network(z, time, context)
        total = tf.reduce_sum(noise * constant("net_cotangent"))
    assert_close(noise, DAMC["net_eps_hat"], ROUGH)
    for gradient, name in zip(tape.gradient(total, (z, context)), (
            "net_grad_z", "net_grad_c")):
        assert_close(gradient, DAMC[name], ROUGH)


def test_contexts_with_x_and_without(model):
    assert_close(model.encoder.parameters(BATCH["x"])[0], DAMC["encoder_c"],
                 ROUGH)
    assert_close(model.encoder.noise_context(constant("noise_uncond_c")),
                 DAMC["uncond_c"])


def test_one_reverse_step(model):
    encoder, context = model.encoder, constant("encoder_c")
    i, z = int(DAMC["step_index"]), constant("step_z_t")
    angle = tf.fill([len(z)], tf.constant(encoder.angles()[i]))
    assert_close(encoder.predicted_noise(z, angle, context),
                 DAMC["step_eps_hat"], ROUGH)
    assert_close(encoder.denoised(i, z, context), DAMC["step_z0"], ROUGH)
    mean, moved = (encoder.reverse_step(i, z, context, noise) for noise in (
        tf.zeros_like(z), constant("noise_step")))
    assert_close(mean, DAMC["step_mean"], ROUGH)
    np.testing.assert_allclose(DAMC["step_std"], encoder.coefficients()[2][
        i - 1], rtol=1e-9)
    assert_close(moved, DAMC["step_z_s"], ROUGH)


@pytest.mark.parametrize("name, start, noisy", [
    ("sampler", "sampler", True), ("sampler_noisefree", "sampler", False),
    ("sampler_guided", "guided", True)])
def test_a_draw_step_by_step(model, name, start, noisy):
    encoder = model.encoder.with_steps(C["n_interval_posterior"])
    guided = name == "sampler_guided"
    encoder.guidance = C["guidance_test"] * guided
    z, path = constant(f"noise_{start}_start"), [DAMC[f"noise_{start}_start"]]
    for k, i in enumerate(reversed(range(encoder.num_steps))):
        other = (encoder.noise_context(tf.constant(
            DAMC["noise_guided_c"][k])) if guided else None)
        if not i:
            z = encoder.denoised(0, z, constant("encoder_c"), other)
        else:
            z = encoder.reverse_step(
                i, z, constant("encoder_c"), noisy * tf.constant(
                    DAMC[f"noise_{start}"][k]), other)
        path.append(z)
    assert_close(tf.stack(path), DAMC[f"traj_{name}"], ROUGH)


@pytest.mark.parametrize("name", ["target", "thrown"])
def test_a_whole_draw(model, tape, name):
    if name == "target":
        left = tape("noise_target_start", "noise_target")
        z = model.copies["diffusion"].layer.sample(BATCH["x"], SEED)
    else:
        left = tape("noise_thrown_c", "noise_thrown_start", "noise_thrown")
        z = Unconditional(model.encoder).sample(len(X), SEED)
    assert not left
    assert_close(z, DAMC[f"traj_{name}"][-1], ROUGH)


def test_errors_of_given_rows(model):
    encoder, given = model.encoder, constant("lossvar_z")
    for context, name in (("encoder_c", "conditional"),
                          ("uncond_c", "unconditional")):
        assert_close(encoder.denoising_error(
            given, constant(context), constant("noise_lossvar_u"),
            constant("noise_lossvar_eps")),
            DAMC[f"lossvar_{name}_rows"], ROUGH)


STEP = ("mask_uniform", "noise_target_start", "noise_target", "noise_post",
        "noise_prior_start", "noise_prior", "noise_q_c_1", "noise_q_u_1",
        "noise_q_eps_1")


def drawn(model, tape):
    """States and losses of a step, with what is left of the tape."""
    left = tape(*STEP)
    with tf.GradientTape(persistent=True) as recorded:
        draws = model.draw(BATCH, SEED, recorded)
        losses = {name: model.objectives[name](model, draws)[0]
                  for name in ("diffusion", "generator", "energy")}
    return draws, losses, recorded, left


def test_states_and_losses_of_a_step(model, tape):
    draws, losses, recorded, left = drawn(model, tape)
    assert not left
    np.testing.assert_array_equal(
        draws.states["masked"].position >= C["p_mask"], DAMC["mask"][:, 0])
    assert_close(draws.positive.start, DAMC["traj_target"][-1], ROUGH)
    assert_close(draws.positive.position, DAMC["traj_post"][-1], ROUGH)
    assert_close(draws.negative.start, DAMC["traj_prior"][0], ROUGH)
    assert_close(draws.negative.position, DAMC["traj_prior"][-1], ROUGH)
    assert_close(losses["diffusion"], DAMC["loss_q_1"], ROUGH)
    assert_close(losses["generator"], DAMC["loss_g"], ROUGH)
    assert_close(losses["energy"], DAMC["loss_e"], ROUGH)
    for role, name in (("positive", "pos"), ("negative", "neg")):
        assert_close(model.prior.energy(draws.states[role].position),
                     DAMC[f"energy_{name}"], ROUGH)
    assert_close(model.likelihood.mean(draws.positive.position),
                 DAMC["x_hat"], ROUGH)
    for part, expected in (("generator", generator_arrays("grad")),
                           ("energy", energy_arrays("grad")),
                           ("diffusion", q_arrays("grad/Q"))):
        gradients = recorded.gradient(losses[part], model.variables_of(part))
        for gradient, array in zip(gradients, expected, strict=True):
            # Biases before an instance norm have none: 0 up to rounding.
            np.testing.assert_allclose(
                gradient, array, rtol=0,
                atol=1e-9 * np.max(np.abs(array)) + 1e-12)


@pytest.mark.parametrize("chain", ["post", "prior"])
@pytest.mark.parametrize("ending", ["", "_noisefree"])
def test_chains_move_for_move(model, chain, ending):
    if f"traj_{chain}{ending}" not in DAMC.arrays:
        pytest.skip("The file holds no such chain.")
    role, letter = {"post": ("positive", "g"), "prior": ("negative", "e")
                    }[chain]
    kernel = Langevin(C[f"{letter}_l_step_size"],
                      0.0 if ending else float(C[f"{letter}_l_with_noise"]))
    path = DAMC[f"traj_{chain}{ending}"]
    for k in (1, len(path) - 1):
        end = run_chain(kernel, model.target(role, BATCH), tf.constant(
            path[0]), k, SEED, constant(f"noise_{chain}")).position
        assert_close(end, path[k], ROUGH)


def test_a_whole_step_with_its_second_update_and_the_copy(tape):
    model = make_model()
    model.step.assign(C["iteration"])
    before = {part: [v.numpy() for v in model.variables_of(part)]
              for part in model.parts}
    followed = [v.numpy() for v in model.copies["diffusion"].layer.variables]
    left = tape(*STEP)
    for k in range(2, C["q_updates"] + 1):
        tape(f"noise_q_c_{k}", f"noise_q_u_{k}", f"noise_q_eps_{k}")
    updates, update = [], model._update

    def recorded(tape, losses, parts):
        logs = update(tape, losses, parts)
        updates.append((losses["diffusion"][0],
                        logs["gradient_norm/diffusion"], [
                            v.numpy() for v in model.variables_of(
                                "diffusion")]))
        return logs
    model._update = recorded
    logs = model.train_step(BATCH)
    assert not left and len(updates) == C["q_updates"]
    assert_close(logs["loss/diffusion"], DAMC["loss_q_1"], ROUGH)
    for k, (loss, norm, after) in enumerate(updates, 1):
        assert_close(loss, DAMC[f"loss_q_{k}"], 1e-6)
        assert_close(loss, np.mean(DAMC[f"loss_q_rows_{k}"]), 1e-6)
        assert_close(norm, DAMC[f"grad_norm_q_{k}"], 1e-6)
        for (name, _), *arrays in zip(q_names(), before["diffusion"], after,
                                      q_arrays(f"w{k}/Q")):
            if not is_before_a_norm(name):
                old, new, wanted = arrays
                np.testing.assert_allclose(
                    (new - old) / C["q_lr"], (wanted - old) / C["q_lr"],
                    rtol=0, atol=1e-6, err_msg=name)
    for part, letter in (("diffusion", "q_1"), ("generator", "g"),
                         ("energy", "e")):
        assert_close(logs[f"gradient_norm/{part}"],
                     DAMC[f"grad_norm_{letter}"], ROUGH)
    assert_updates(before["generator"], model.variables_of("generator"),
                   generator_arrays("w1"), C["g_lr"])
    # The last bias of the energy has a gradient of rounding alone.
    assert_updates(before["energy"][:-1], model.variables_of("energy"),
                   energy_arrays("w1"), C["e_lr"])
    copies = model.copies["diffusion"].layer.variables
    for (name, kind), old, new in zip(q_names(), followed, copies):
        if f"w1/Qtarget/{name}" in DAMC.arrays:
            np.testing.assert_allclose(
                new, shaped(DAMC.arrays[f"w1/Qtarget/{name}"], kind),
                rtol=0, atol=1e-9)
            assert np.any(np.asarray(new) != old)


def is_before_a_norm(name):
    """Whether it is a bias that an instance norm takes off again: Adam makes
    a full step of the rounding of its gradient."""
    return any(name == f"encoder.net.{k}.bias"
               for k in convolution_ids()[:-1])


def test_the_step_of_anomaly_detection(tape):
    model = make_model(learns="both", negatives="refined")
    left = tape(*(f"noise_anomaly_{name}" for name in (
        "target_start", "target", "post", "prior", "u_cond", "eps_cond",
        "c_uncond", "u_uncond", "eps_uncond")))
    draws = model.draw(BATCH, SEED)
    assert_close(draws.positive.start, DAMC["anomaly_z0"], ROUGH)
    assert_close(draws.positive.position, DAMC["anomaly_z_pos"], ROUGH)
    assert_close(draws.negative.position, DAMC["anomaly_z_neg"], ROUGH)
    total, terms = model.objectives["diffusion"](model, draws)
    assert not left
    assert_close(total, DAMC["anomaly_loss_q"], ROUGH)
    for term, name in (("given", "cond"), ("none", "uncond")):
        assert_close(terms[f"diffusion_{term}"], np.mean(
            DAMC[f"anomaly_loss_q_rows_{name}"]), ROUGH)
    for part, letter in (("generator", "g"), ("energy", "e")):
        assert_close(model.objectives[part](model, draws)[0],
                     DAMC[f"anomaly_loss_{letter}"], ROUGH)


def test_the_score_of_an_anomaly(model, tape):
    left = tape("noise_score_start", "noise_score")
    z = model.encoder.sample(BATCH["x"], SEED)
    assert not left
    assert_close(z, DAMC["anomaly_score_z0"], ROUGH)
    for k in range(1, 50):  # Their number of moves is not among the sizes.
        end = run_chain(Langevin(C["g_l_step_size"], 0.0), model.target(
            "positive", BATCH), z, k, SEED).position
        if np.allclose(end, DAMC["anomaly_score_zK"], rtol=1e-9, atol=1e-12):
            break
    assert_close(end, DAMC["anomaly_score_zK"], ROUGH)
    error = model.likelihood.squared_error(BATCH["x"], end)
    assert_close(error + model.prior.energy(end)
                 + 0.5 * tf.reduce_sum(tf.square(end), -1),
                 DAMC["anomaly_score"], ROUGH)


def test_an_embedding_of_theirs_is_used_by_nothing():
    """Ours has none; their copy follows it all the same."""
    assert "xemb" in set(DAMC["without_gradient"])
    rho, own = C["rho"], DAMC["w/Q/xemb"]
    assert_close(rho * own + (1 - rho) * DAMC["w/Qtarget/xemb"],
                 DAMC["w1/Qtarget/xemb"], 1e-9)


def test_every_key_is_read(request):
    assert_read(request, "damc")
