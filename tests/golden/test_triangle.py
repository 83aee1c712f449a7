"""The divergence triangle against the authors' program, number for number.

Han et al. 2019, arXiv:1812.10907: the three nets and steps of
train_cifar10.py.
"""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.families import DataSpec, divergence_triangle
from lebm_tf.mcmc import rng
from lebm_tf.models import OptimizerConfig
from tests import oracles
from tests.golden.reference import Reference, assert_close, assert_read

TRIANGLE = Reference("triangle")
C, X = TRIANGLE.config, TRIANGLE["x"]
BATCH = {"x": tf.constant(X)}
LETTERS = {"energy": "e", "encoder": "i", "generator": "g"}


@pytest.fixture(autouse=True, scope="module")
def double_precision():
    with oracles.precision("float64"):
        yield


def numbered(prefix, ending="weight"):
    """Their names below a prefix, in the order of their numbers."""
    names = {key.split("/", 2)[2] for key in TRIANGLE.arrays
             if key.startswith(f"w/{prefix}") and key.endswith(ending)}
    return sorted(names, key=lambda name: int(
        "".join(c for c in name if c.isdigit())))


def whole(array):
    """A convolution that sees all, as a matrix."""
    return array.transpose(2, 3, 1, 0).reshape(-1, len(array))


def arrays(prefix, part):
    """Their arrays, in the order of our trainable variables."""
    def get(name):
        return TRIANGLE.arrays[f"{prefix}/{part}/{name}"]
    if part == "G":
        kernels = [name for name in numbered("G/deconv") if "bn" not in name]
        first, *others = kernels
        norms = [f"{name.partition('.')[0]}_bn" for name in kernels[:-1]]
        bias, = numbered("G/deconv5", "deconv5.bias")
        return [get(first).transpose(0, 2, 3, 1).reshape(C["nz"], -1),
                *(get(name).transpose(2, 3, 1, 0) for name in others),
                get(bias), *(get(f"{norm}.{kind}") for norm in norms
                             for kind in ("weight", "bias"))]
    heads = ("conv5",) if part == "E" else ("conv51", "conv52")
    trunk = [name for name in numbered(f"{part}/conv")
             if name.partition(".")[0] not in heads]
    return [*(get(name).transpose(2, 3, 1, 0) for name in trunk),
            *(array for head in heads for array in (
                whole(get(f"{head}.weight")), get(f"{head}.bias")))]


def optimizer(letter):
    upper, (beta_1, beta_2) = letter.upper(), C["adam_betas"]
    return OptimizerConfig(
        C[f"{letter}_lr"], beta_1, beta_2, C["adam_eps"],
        weight_decay=C[f"{letter}_decay"],
        clip_norm=C[f"is_grad_clamp{upper}"] * C[f"max_norm{upper}"])


def set_trainable(layer, values):
    for variable, value in zip(layer.trainable_variables, values, strict=True):
        variable.assign(value)


def make_model():
    model = divergence_triangle.build(
        divergence_triangle.DivergenceTriangleConfig(
            latent_dim=C["nz"], energy_form=C["energy_form"] or "identity",
            generator_channels=tuple(C["widths_G"]),
            energy_widths=tuple(C["widths_E"]),
            encoder_channels=tuple(C["widths_I"]),
            reconstruction_weight=C["vfactor"],
            latent_weight=C["latent_weight"],
            **{f"{part}_optimizer": optimizer(letter)
               for part, letter in LETTERS.items()}),
        DataSpec(X.shape[1:], len(X)), batch_size=len(X))
    for part, letter in LETTERS.items():
        layer, = model.parts[part]
        set_trainable(layer, arrays("w", letter.upper()))
    return model


@pytest.fixture
def play(monkeypatch):
    """names -> what is drawn from now on is these arrays, one by one."""
    left = []

    def drawn(shape, seed, dtype=None):
        assert tuple(int(n) for n in shape) == left[0].shape
        return tf.constant(left.pop(0))
    monkeypatch.setattr(rng, "normal", drawn)

    def play(*names):
        left.extend(TRIANGLE[name] for name in names)
        return left
    return play


def turn(model, draws, part):
    """Terms of a part and the gradients of its loss."""
    with tf.GradientTape() as tape:
        total, terms = model.objectives[part](model, draws)
    return total, terms, tape.gradient(total, model.variables_of(part))


def check_gradients(gradients, letter):
    for gradient, wanted in zip(gradients, arrays("grad", letter.upper()),
                                strict=True):
        np.testing.assert_allclose(
            gradient, wanted, rtol=0,
            atol=1e-10 * np.max(np.abs(wanted)) + 1e-13)


def test_the_first_two_turns(play):
    model = make_model()
    left = play("noise_z", "noise_recon_i")
    with tf.GradientTape(persistent=True) as tape:
        draws = model.draw(BATCH, rng.make_seed(0), tape)
        energy, _ = model.objectives["energy"](model, draws)
        encoder, terms = model.objectives["encoder"](model, draws)
    assert not left
    assert_close(draws.negative.position, TRIANGLE["samples"])
    pictures = model.roles["data"].prior.energy_network
    for x, name in ((X, "true"), (draws.negative.position, "fake")):
        assert_close(pictures.network(tf.constant(x)),
                     TRIANGLE[f"net_e_{name}"])
    assert_close(tf.reduce_mean(pictures(BATCH["x"])), TRIANGLE["e_true"])
    assert_close(tf.reduce_mean(pictures(draws.negative.position)),
                 TRIANGLE["e_fake_e"])
    assert_close(energy, TRIANGLE["loss_e"])
    check_gradients(tape.gradient(energy, model.variables_of("energy")), "e")
    mean, log_scale = draws.positive.encoded
    assert_close(mean, TRIANGLE["mu_true_i"])
    assert_close(2.0 * log_scale, TRIANGLE["logvar_true_i"])
    assert_close(draws.positive.position, TRIANGLE["z_input_i"])
    assert_close(model.likelihood.generator(
        draws.positive.position, training=True), TRIANGLE["x_recon_i"])
    mean, log_scale = model.encoder.parameters(draws.negative.position)
    assert_close(mean, TRIANGLE["mu_gen_i"])
    assert_close(2.0 * log_scale, TRIANGLE["logvar_gen_i"])
    assert_close(terms["encoder_error"], TRIANGLE["recon_i"])
    assert_close(terms["kl"], TRIANGLE["kld"])
    # Theirs has the weight inside.
    assert_close(C["latent_weight"] * terms["encoder_latent"],
                 TRIANGLE["latent_i"])
    assert_close(encoder, TRIANGLE["loss_i"])
    check_gradients(tape.gradient(encoder, model.variables_of("encoder")), "i")


def test_the_last_turn_sees_the_other_two(play):
    model = make_model()
    for part in ("energy", "encoder"):
        layer, = model.parts[part]
        set_trainable(layer, arrays("w1", LETTERS[part].upper()))
    play("noise_z", "noise_recon_g")
    draws = model.draw(BATCH, rng.make_seed(0))
    total, terms, gradients = turn(model, draws, "generator")
    assert_close(draws.positive.position, TRIANGLE["z_input_g"], 1e-9)
    for encoded, name in (
            (draws.positive.encoded, "true"),
            (model.encoder.parameters(draws.negative.position), "gen")):
        assert_close(encoded[0], TRIANGLE[f"mu_{name}_g"], 1e-9)
        assert_close(2.0 * encoded[1], TRIANGLE[f"logvar_{name}_g"], 1e-9)
    assert_close(model.likelihood.generator(
        draws.positive.position, training=True), TRIANGLE["x_recon_g"], 1e-9)
    assert_close(terms["generator_error"], TRIANGLE["recon_g"], 1e-9)
    assert_close(terms["generator_energy"], TRIANGLE["e_fake_g"], 1e-9)
    assert_close(C["latent_weight"] * terms["generator_latent"],
                 TRIANGLE["latent_g"], 1e-9)
    assert_close(total, TRIANGLE["loss_g"], 1e-9)
    check_gradients(gradients, "g")


def test_one_train_step_and_what_batch_norm_remembers(play):
    model = make_model()
    before = {part: [v.numpy() for v in model.variables_of(part)]
              for part in model.parts}
    # The energy's turn draws codes too, which it does not look at.
    left = play("noise_z", "noise_recon_i", "noise_recon_i", "noise_recon_g")
    logs = model.train_step(BATCH)
    assert not left
    for part, letter in LETTERS.items():
        assert_close(logs[f"gradient_norm/{part}"],
                     TRIANGLE[f"grad_norm_{letter}"], 1e-9)
        wanted = arrays("w1", letter.upper())
        for old, new, array in zip(before[part], model.variables_of(part),
                                   wanted, strict=True):
            if part == "energy" and old.shape == (1,):
                continue  # Its gradient is rounding, but for nonlinear forms.
            rate = C[f"{letter}_lr"]
            np.testing.assert_allclose(
                (np.asarray(new) - old) / rate, (array - old) / rate, rtol=0,
                atol=1e-6)
    for norm, name in zip(model.likelihood.generator.norms, sorted(
            {key.split("/")[1].partition(".")[0] for key in TRIANGLE.arrays
             if key.startswith("bn_after/")})):
        assert_close(norm.moving_mean,
                     TRIANGLE[f"bn_after/{name}.running_mean"], 1e-9)
        assert_close(norm.moving_variance,
                     TRIANGLE[f"bn_after/{name}.running_var"], 1e-9)


def test_every_key_is_read(request):
    assert_read(request, "triangle")
