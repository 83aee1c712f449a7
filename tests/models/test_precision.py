"""Mixed precision: float32 where it counts, and no gradient lost."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf import precision as precisions
from lebm_tf.errors import InputError
from lebm_tf.families import (
    ChainConfig, DataSpec, EncoderConfig, EnergyConfig, GeneratorConfig, build,
    image, vae)
from lebm_tf.models import optimization

DATA = DataSpec((8, 8, 1), num_train=16)
GENERATOR = GeneratorConfig(4, (8,))
CONFIGS = {
    "image": image.ImageConfig(
        latent_dim=4, generator=GENERATOR, energy=EnergyConfig((8,)),
        prior=ChainConfig(5, 0.4), posterior=ChainConfig(5, 0.1)),
    "vae": vae.VAEConfig(
        latent_dim=4, generator=GENERATOR, encoder=EncoderConfig((8,)))}
X = np.random.default_rng(0).uniform(-1, 1, [8, 8, 8, 1]).astype(np.float32)


def trained(family, precision, steps=4, **changes):
    model = build(family, CONFIGS[family], DATA, batch_size=8, seed=1,
                  precision=precision, **changes)
    step = tf.function(model.train_step)
    return model, [step({"x": tf.constant(X)}) for _ in range(steps)]


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.parametrize("precision", precisions.PRECISIONS[1:])
def test_a_mixed_model_computes_small_and_keeps_float32(family, precision):
    model, logs = trained(family, precision, loss_scale=64.0)
    reference, expected = trained(family, "float32")
    generator = model.likelihood.generator
    assert generator.layers[0].compute_dtype == precision[len("mixed_"):]
    assert {v.dtype for part in model.parts
            for v in model.variables_of(part)} == {"float32"}
    assert model.sample(2, seed=0).x.dtype == np.float32
    for name, value in expected[0].items():  # Then the weights differ.
        assert logs[0][name].dtype == tf.float32
        np.testing.assert_allclose(logs[0][name], value, rtol=0.02, atol=0.02)
    assert keras.config.dtype_policy().name == "float32"
    for part in model.parts:
        for mixed, full in zip(
                model.variables_of(part), reference.variables_of(part)):
            # Adam moves each weight by about the learning rate a step.
            np.testing.assert_allclose(mixed, full, atol=4 * 2e-4)


def test_an_overflow_skips_one_step_and_halves_the_scale():
    model, _ = trained("vae", "mixed_float16", steps=0, loss_scale=2.0**40)
    before = [v.numpy() for v in model.variables_of("generator")]
    logs = model.train_step({"x": tf.constant(X)})
    assert float(logs["skipped/generator"]) == 1.0
    assert float(logs["gradient_norm/generator"]) == 0.0
    assert float(model.optimizers["generator"].dynamic_scale) == 2.0**39
    for old, new in zip(before, model.variables_of("generator")):
        np.testing.assert_array_equal(old, new)
    # The step counts: noise and data go on.
    assert int(model.step) == 1
    assert int(model.optimizers["generator"].iterations) == 0


def test_the_loss_scale_changes_no_gradient():
    """A power of two moves the exponent only."""
    norms = []
    for scale in (2.0**4, 2.0**8):
        _, logs = trained("vae", "mixed_float16", steps=1, loss_scale=scale)
        norms.append(float(logs[0]["gradient_norm/generator"]))
        assert float(logs[0]["loss_scale/generator"]) == scale
    np.testing.assert_allclose(norms[0], norms[1], rtol=1e-2)


def test_a_gradient_is_scaled_before_it_is_taken():
    optimizer = optimization.with_loss_scale(keras.optimizers.SGD(0.5))
    variable = keras.Variable([1.0, 2.0])
    optimizer.build([variable])
    gradient = tf.constant([0.2, -0.4]) * optimization.loss_scale(optimizer)
    logs = optimization.apply(optimizer, [gradient], [variable])
    np.testing.assert_allclose(variable, [0.9, 2.2], rtol=1e-6)
    np.testing.assert_allclose(logs["gradient_norm"], 0.2**0.5, rtol=1e-6)
    assert optimization.with_loss_scale(optimizer) is optimizer


@pytest.mark.parametrize("changes, needed", [
    ({"precision": "float8"}, "precision must be one of float32"),
    ({"precision": "mixed_float16", "loss_scale": 0.0},
     "loss_scale must be > 0 with precision mixed_float16"),
    ({"loss_scale": -1.0}, "loss_scale must be >= 0")])
def test_a_precision_that_cannot_train_is_refused(changes, needed):
    with pytest.raises(InputError, match=needed):
        build("vae", CONFIGS["vae"], DATA, **changes)


def test_chains_read_kernels_that_were_cast_before_them():
    model, _ = trained("image", "mixed_bfloat16", steps=0)
    layers = model.likelihood.generator.layers
    before = model.likelihood.mean(tf.ones([2, 4]))
    with precisions.kernels_cast_once(model.prior, model.likelihood):
        assert {layer.kernel.value.dtype for layer in layers} == {tf.bfloat16}
        head = model.prior.energy_network.head
        assert head.kernel.value.dtype == tf.float32
        np.testing.assert_array_equal(
            model.likelihood.mean(tf.ones([2, 4])), before)
    assert {layer.kernel.value.dtype for layer in layers} == {tf.float32}


def test_a_chain_casts_no_kernel_at_its_moves():
    model, _ = trained("image", "mixed_bfloat16", steps=0)
    graph = tf.function(lambda: model.draw(
        {"x": tf.constant(X)}, tf.constant([1, 2])).positive.position
    ).get_concrete_function().graph.as_graph_def()
    bodies = [function for function in graph.library.function
              if "while_body" in function.signature.name]
    assert bodies
    read = {node.name for body in bodies for node in body.node_def
            if node.op == "ReadVariableOp"}
    assert any("deconv_0" in name and "Bias" in name for name in read)
    assert not any("deconv_0" in name and "Bias" not in name for name in read)


def test_full_precision_has_nothing_to_cast():
    model, _ = trained("image", "float32", steps=0)
    kernel = model.likelihood.generator.layers[0].kernel
    with precisions.kernels_cast_once(model.prior, model.likelihood):
        assert kernel.value.dtype == tf.float32


@pytest.fixture
def speed(monkeypatch):
    """Says how fast bfloat16 is."""
    def say(value):
        monkeypatch.setattr(precisions, "bfloat16_speed", lambda: value)
    return say


@pytest.mark.parametrize("measured, chosen, words", [
    (2.0, "mixed_bfloat16", "bfloat16 is 2.0 times as fast as float32"),
    (0.1, "float32", "bfloat16 is 10.0 times slower than float32")])
def test_auto_takes_what_is_faster_here_and_says_so(
        speed, measured, chosen, words):
    speed(measured)
    assert precisions.resolve("auto") == chosen
    assert words in precisions.advice("auto")
    model, _ = trained("image", "auto", steps=0)
    assert model.recipe.precision == chosen
    generator = model.likelihood.generator
    assert generator.layers[0].compute_dtype == chosen.removeprefix("mixed_")


def test_bfloat16_where_it_is_slow_gets_a_warning(speed):
    speed(0.125)
    assert "8.0 times slower" in precisions.advice("mixed_bfloat16")
    assert precisions.resolve("mixed_bfloat16") == "mixed_bfloat16"
    speed(1.5)
    assert not precisions.advice("mixed_bfloat16")
    assert not precisions.advice("float32")


def test_the_speed_of_bfloat16_is_measured():
    precisions.bfloat16_speed.cache_clear()
    assert 0.001 < precisions.bfloat16_speed() < 100
