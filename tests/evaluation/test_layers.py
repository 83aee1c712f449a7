"""Evaluators of latents with several layers."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.assembly.layered import LayersConfig
from lebm_tf.datasets import ImageData
from lebm_tf.errors import InputError
from lebm_tf.evaluation import EVALUATORS, Context, EvaluationConfig, evaluate
from lebm_tf.evaluation.latents import annealing, likelihood
from lebm_tf.evaluation.latents.hierarchy import one_layer_at_a_time
from lebm_tf.evaluation.latents.out_of_distribution import bounds, redrawn
from lebm_tf.families import (
    ChainConfig, DataSpec, image, ladder_vae, multilayer)
from lebm_tf.mcmc import rng
from tests import oracles
from tests.contracts.test_families import DATA, IMAGE, LADDER, MULTILAYER

RANDOM = np.random.default_rng(0)
PICTURES = ImageData("noise", *(
    RANDOM.uniform(-1, 1, [rows, 8, 8, 3]).astype(np.float32)
    for rows in (12, 9)))
X = np.asarray(PICTURES.x_test)
OOD = EVALUATORS["out_of_distribution"]


@pytest.fixture(scope="module")
def model():
    return multilayer.build(MULTILAYER, DATA)


def without_energy(model):
    for layer in model.prior.energy_network.energies:
        layer.set_weights([0 * weight for weight in layer.get_weights()])


def test_noise_is_what_layers_are_made_of(model):
    base = model.prior.base
    z = base.sample(5, rng.make_seed(1))
    again = base.from_noise(base.to_noise(z))
    for a, b in zip(again, z):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_pictures_differ_in_the_noise_of_one_layer(model):
    base = model.prior.base
    z = base.sample(5, rng.make_seed(1))
    noise = base.to_noise(z)
    for i, varied in enumerate(one_layer_at_a_time(model.prior, z)):
        for j, leaf in enumerate(base.to_noise(varied)):
            wanted = noise[j] if j == i else tf.repeat(noise[j][:1], 5, 0)
            np.testing.assert_allclose(leaf, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("config", [MULTILAYER, LADDER],
                         ids=["conditional", "ladder"])
def test_layers_above_are_held(config):
    model = multilayer.build(config, DATA)
    z = tuple(map(tf.convert_to_tensor, model.sample(6).z))
    for k in range(3):
        moved = redrawn(model, z, k, rng.make_seed(3))
        for i, (a, b) in enumerate(zip(moved, z)):
            same = np.isclose(a, b, atol=1e-5)
            assert not same.any() if i < k else same.all()


def test_without_an_energy_the_lowest_layer_follows_its_gaussian():
    model = multilayer.build(MULTILAYER, DATA)
    without_energy(model)
    model.roles["generation"] = dataclasses.replace(
        model.roles["generation"],
        sampler=model.generation.with_steps(0))
    base = model.prior.base
    z = tuple(tf.repeat(leaf[:1], 20_000, 0)
              for leaf in base.sample(1, rng.make_seed(1)))
    moved = redrawn(model, z, 1, rng.make_seed(2))
    mean, scale = base.parameters(0, z[1][:1])
    oracles.assert_moments(
        moved[0].numpy(), mean.numpy()[0], np.diag(scale.numpy()[0]**2))


def test_the_bound_of_all_layers_is_the_score(model):
    found = bounds(model, X, [0], 1, 4)
    score = model.score(X, rng.named(4, "draw", 0))
    np.testing.assert_allclose(found[0], score.log_joint, rtol=1e-4)


def test_areas_of_every_layer_are_measured(model):
    context = Context(PICTURES, EvaluationConfig(num_draws=2))
    found = evaluate(model, context, [OOD])
    assert {key.split("/")[1] for key in found} == {
        "dataset", "num_examples", *(
            f"{area}_{name}" for area in ("auroc", "auprc")
            for name in ("l_0", "l_1", "l_2", "llr_1", "llr_2"))}
    alone = evaluate(model, context, [dataclasses.replace(OOD, layer=2)])
    assert alone["out_of_distribution/auroc_llr_2"] == pytest.approx(
        found["out_of_distribution/auroc_llr_2"], abs=1e-6)
    assert "out_of_distribution/auroc_l_1" not in alone


def test_other_images_are_found_beside_the_data_and_resized(model, tmp_path):
    other = np.zeros([6, 5, 5, 3], np.uint8)
    np.savez(tmp_path / "other.npz", x_train=other, x_test=other + 9)
    found = dataclasses.replace(
        OOD, dataset=f"npz:{tmp_path / 'other.npz'}")._others(PICTURES)
    assert found.shape == (6, 8, 8, 3)
    assert found.min() == found.max() == 9


def test_what_no_layer_explains_is_improbable_at_every_k():
    """The sign: pictures far from all that the model makes score lower."""
    model = ladder_vae.build(ladder_vae.LadderVAEConfig(
        group_sides=(4, 2), group_channels=(2, 3), channels=4), DATA)
    near = model.sample(20).x
    far = np.sign(near - near.mean(0)) * 0.99
    values = bounds(model, np.concatenate([near, far]), [0, 1], 1, 0)
    assert values[:, :20].min() > values[:, 20:].max()


@pytest.mark.parametrize("change, message", [
    ({"layer": 3}, "evaluator out_of_distribution needs a layer below the top, "
     "1 to 2, or 0 for all, got 3."),
    ({"dataset": "digits"}, "evaluator out_of_distribution needs images of "
     "shape (8, 8, 3), got (8, 8, 1) in digits."),
    ({"dataset": "csv:numbers.csv"}, "evaluator out_of_distribution needs a "
     "data set with held-out images, got 2 in csv:numbers.csv.")])
def test_what_does_not_fit_is_refused(
        model, change, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "numbers.csv").write_text("a,b\n" + "1.5,2\n2,0.5\n" * 10)
    with oracles.raises(InputError, message):
        dataclasses.replace(OOD, **change).check(Context(PICTURES), model)


@pytest.mark.parametrize("name", ["out_of_distribution", "layers"])
def test_one_layer_is_refused(name, tmp_path):
    with pytest.raises(InputError, match=f"evaluator {name} needs two or more "
                                         "layers of latents, got 1"):
        EVALUATORS[name].check(Context(
            PICTURES, directory=str(tmp_path)), image.build(IMAGE, DATA))


def test_layers_are_drawn(model, tmp_path):
    found = evaluate(model, Context(PICTURES, directory=str(tmp_path)),
                     ["layers"])
    assert (tmp_path / "layers.png").exists()
    assert (tmp_path / "layers_base.png").exists()
    assert (tmp_path / "layers_transition.png").exists()
    assert found["layers/change_1"] > 0
    for i in (1, 2, 3):
        assert found[f"layers/frechet_{i}"] > 0
        assert found[f"layers/base_frechet_{i}"] > 0


@keras.saving.register_keras_serializable(package="lebm_tf_tests")
class LowestLayer(keras.layers.Layer):
    """A linear generator of z1."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.matrix = np.linspace(-1.0, 1.0, 8).reshape(2, 4)
        self.built = True

    def call(self, z1):
        return tf.reshape(tf.matmul(z1, tf.constant(
            self.matrix, z1.dtype)), [-1, 2, 2, 1])


@keras.saving.register_keras_serializable(package="lebm_tf_tests")
class Pull(keras.layers.Layer):
    """E(z) = |z1|^2 + |z2|^2 / 2."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True

    def call(self, z):
        return tf.reduce_sum(z[0]**2, -1) + 0.5 * tf.reduce_sum(z[1]**2, -1)


def test_the_likelihood_of_two_layers_is_the_closed_form():
    """A quadratic energy of both, linear layers: all of it is Gaussian."""
    config = multilayer.MultilayerConfig(
        layers=LayersConfig(latent_dims=(2, 3), base_layers=(1,),
                            base_units=(5,)), likelihood_scale=0.5,
        prior=ChainConfig(5, 0.3), posterior=ChainConfig(5, 0.1))
    model = multilayer.build(
        config, DataSpec((2, 2, 1), 10), energy=Pull(),
        generator=LowestLayer())
    network, = model.prior.base.networks
    first, = network.layers
    kernel = np.zeros([3, 5], np.float32)
    kernel[:, :3] = np.eye(3)
    # Far on one side of the kink of its activation it is linear.
    first.set_weights([kernel, np.full(5, 50.0, np.float32)])
    head = np.zeros([5, 4], np.float32)
    head[:3, :2] = slope = np.random.default_rng(1).normal(
        size=[3, 2]).astype(np.float32)
    network.head.set_weights([head, np.concatenate(
        [-50.0 * slope.sum(0), [-0.3, 0.2]]).astype(np.float32)])
    deviation = np.exp([-0.3, 0.2]) + 0.01
    precision = np.zeros([5, 5])
    residual = np.concatenate([np.eye(2), -slope.T], 1) / deviation[:, None]
    precision += residual.T @ residual
    precision[2:, 2:] += np.eye(3)
    base = precision.copy()
    precision += np.diag([2.0, 2.0, 1.0, 1.0, 1.0])
    covariance = np.linalg.inv(precision)
    matrix = np.concatenate([LowestLayer().matrix, np.zeros([3, 4])])
    marginal = matrix.T @ covariance @ matrix + 0.25 * np.eye(4)
    x = np.random.default_rng(2).normal(size=[10, 4])
    expected = -0.5 * (np.einsum(
        "bi,ij,bj->b", x, np.linalg.inv(marginal), x)
        + np.linalg.slogdet(2 * np.pi * marginal)[1])
    log_z = 0.5 * (np.linalg.slogdet(base)[1] - np.linalg.slogdet(
        precision)[1])
    joint, _ = likelihood.log_marginal(
        model, x.reshape(-1, 2, 2, 1).astype(np.float32),
        likelihood.posterior_proposals(model, 200), 500, rng.make_seed(0))
    error = np.abs(joint.value - log_z - expected)
    assert np.all(error < 5 * joint.standard_error + 0.02)
    start = tf.nest.map_structure(tf.constant, model.sample(100).z)
    low, high, _ = annealing.interval(model.prior, start, 50, rng.make_seed(1))
    assert abs(float(low.value) - log_z) < 5 * float(low.standard_error) + 0.02
    assert abs(float(high.value) - log_z) < 5 * float(
        high.standard_error) + 0.05
