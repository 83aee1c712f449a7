"""Recovery likelihood: what it refuses, published sizes, and missing parts."""

import dataclasses
import glob

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf import evaluation, families, train
from lebm_tf.configuration import command
from lebm_tf.datasets.in_memory import in_memory
from lebm_tf.errors import InputError
from lebm_tf.evaluation import Context, LevelsEvaluator
from lebm_tf.evaluation.images import levels as levels_evaluator
from lebm_tf.families import DataSpec, recovery_likelihood
from lebm_tf.families.recovery_likelihood import (
    LevelEnergyConfig, RecoveryLikelihoodConfig)
from lebm_tf.mcmc import rng
from lebm_tf.models import inpainting
from lebm_tf.serving import ServingConfig, export_model
from tests import oracles

SMALL = LevelEnergyConfig(4, (1,), 1, 4)
CORRELATION = 0.8
COVARIANCE = 0.25 * (CORRELATION * np.ones([4, 4])
                     + (1 - CORRELATION) * np.eye(4))


class ExactLevels(keras.layers.Layer):
    """f = -s_t^2 y^T C_t^-1 y / 2, of Gaussian pictures of 2 x 2 pixels."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        levels = config.levels()
        sizes = levels.step_sizes(config.step_factor, config.steps_grow)
        self.covariances = [
            levels.model_factors[t + 1]**2 * (
                levels.total_factors[t]**2 * COVARIANCE
                + levels.total_scales[t]**2 * np.eye(4))
            for t in range(levels.num_levels)]
        self.precisions = tf.constant([
            size**2 * np.linalg.inv(covariance) for size, covariance in zip(
                sizes, self.covariances)], tf.float32)
        self.unused = self.add_weight(name="unused", shape=())
        self.built = True

    def call(self, y, time):
        y = tf.reshape(y, [-1, 4])
        matrices = tf.gather(self.precisions, tf.cast(time, tf.int32))
        return -0.5 * tf.einsum("bi,bij,bj->b", y, matrices, y)


@pytest.fixture(scope="module")
def exact():
    """A model whose every level is what it should be."""
    config = RecoveryLikelihoodConfig(
        num_levels=4, step_factor=5e-4, steps_grow=False, num_steps=100)
    return recovery_likelihood.build(
        config, DataSpec((2, 2, 1), 10), energy=ExactLevels(config))


@pytest.fixture(scope="module")
def data():
    """Its pictures; they seldom leave [-1, 1]."""
    random = np.random.default_rng(0)
    x = random.multivariate_normal(np.zeros(4), COVARIANCE, 600)
    pixels = np.clip(np.round(127.5 * (x + 1)), 0, 255).astype(np.uint8)
    pixels = pixels.reshape(-1, 2, 2, 1)
    return in_memory(pixels[:300], pixels[300:])


@pytest.mark.parametrize("values, message", [
    ({"schedule": "given", "noise_scales": (0.1, 0.5, 0.4)},
     "noise_scales must increase, got 0.4 at level 2 after 0.5."),
    ({"schedule": "given", "noise_scales": (0.1, 0.0, 0.4)},
     "noise_scales must lie in (0, 1], got 0 at level 1."),
    ({"schedule": "given"}, "noise_scales must hold at least 3 numbers, for "
     "2 or more levels, got 0."),
    ({"schedule": "given", "noise_scales": (0.1, 0.2, 0.4), "num_levels": 3},
     "num_levels must be left out with schedule=given, got 3."),
    ({"noise_scales": (0.1, 0.2, 0.4)},
     "noise_scales must be left out without schedule=given, got "
     "(0.1, 0.2, 0.4)."),
    ({"num_levels": 1000}, "num_levels must be from 2 to 501, got 1000."),
    ({"schedule": "angles", "log_ratio_min": 3.0, "log_ratio_max": 2.0},
     "log_ratio_min must be < log_ratio_max, got 3 and 2."),
    ({"log_ratio_max": 3.0},
     "log_ratio_max must be left out without schedule=angles, got 3.0."),
    ({"num_steps": 0}, "num_steps must be >= 1, got 0."),
    ({"proposal": recovery_likelihood.ProposalConfig(3)},
     "proposal must be left out without start=proposal, got "
     "ProposalConfig(channels=3, multipliers=(1, 2, 2, 2), num_blocks=2, "
     "embedding_dim=64)."),
    ({"schedule": "cosine"}, "schedule must be one of betas, angles, given, "
     "got 'cosine'.")])
def test_ladders_that_can_not_be_are_refused(values, message):
    with oracles.raises(ValueError, message):
        RecoveryLikelihoodConfig(**values)


@pytest.mark.parametrize("config, shape, message", [
    (LevelEnergyConfig(4, (1, 2, 2)), (6, 8, 1),
     "3 multipliers need image sides that are multiples of 4, got 6x8"),
    (LevelEnergyConfig(4, embedding_dim=7), (8, 8, 1),
     "width must be even and >= 4, got 7")])
def test_networks_that_can_not_be_are_refused(config, shape, message):
    with pytest.raises(ValueError, match=message):
        recovery_likelihood.build(RecoveryLikelihoodConfig(
            energy=config), DataSpec(shape, 10)).prior.energy(
                tf.zeros([1, *shape]))


def test_a_given_schedule_is_taken():
    config = RecoveryLikelihoodConfig(
        schedule="given", noise_scales=(0.1, 0.5, 0.9), num_steps=2,
        energy=SMALL)
    model = recovery_likelihood.build(config, DataSpec((4, 4, 1), 10))
    assert model.generation.num_levels == 2
    assert model.prior.levels.scales == (0.1, 0.5, 0.9)


@pytest.mark.parametrize("path", sorted(glob.glob("configs/recovery_*.cfg")))
def test_flagfiles_describe_a_run(path):
    run, config, _ = train.resolve(command.parse(
        train.all_fields(), ["", *command.expand([f"--flagfile={path}"])]))
    assert run.family == "recovery_likelihood"
    assert isinstance(config, RecoveryLikelihoodConfig)


@pytest.mark.parametrize("num_blocks, millions", [(8, 34.8), (2, 9.06)])
def test_the_published_network_has_the_published_size(num_blocks, millions):
    """Of CIFAR-10, with 8 blocks a width as there, and with the default 2."""
    network = dataclasses.replace(
        RecoveryLikelihoodConfig().energy, num_blocks=num_blocks).make(
            (32, 32, 3), 0)
    count = sum(int(np.prod(v.shape)) for v in network.trainable_variables)
    assert count / 1e6 == pytest.approx(millions, abs=0.05)


def test_vectors_have_a_ladder_too():
    model = recovery_likelihood.build(
        RecoveryLikelihoodConfig(
            num_levels=2, num_steps=2, start="proposal", energy=SMALL,
            proposal=recovery_likelihood.ProposalConfig(4, (1,), 1, 4)),
        DataSpec((7,), 12, kind="vector"), batch_size=6)
    before = [variable.numpy() for part in ("energy", "proposal")
              for variable in model.variables_of(part)]
    x = tf.constant(np.random.default_rng(0).normal(size=[6, 7]), tf.float32)
    for _ in range(3):  # The first one has no learning rate.
        logs = model.train_step({"x": x})
    assert all(np.isfinite(value) for value in logs.values())
    after = [variable.numpy() for part in ("energy", "proposal")
             for variable in model.variables_of(part)]
    # The last bias cancels between both states.
    assert sum(np.any(a != b) for a, b in zip(before, after)) >= (
        len(before) - 1)
    model.inference_batch = 3
    assert model.sample(3).x.shape == (3, 7)


def test_samples_of_exact_levels_have_the_covariance_of_the_data(exact):
    x = exact.sample(4000, 1).x.reshape(-1, 4)
    levels = exact.prior.levels
    wanted = (levels.factors[0]**2 * COVARIANCE
              + levels.scales[0]**2 * np.eye(4))
    # Chains of step s overestimate a variance v by s^2 / (4 v), and more.
    np.testing.assert_allclose(np.cov(x.T), wanted, atol=0.03)


def test_levels_of_exact_energies(exact, data, tmp_path):
    """log Z of a Gaussian is known, so that both estimates are."""
    metrics = evaluation.evaluate(
        exact, Context(data, directory=str(tmp_path)), [LevelsEvaluator(
            100, 200, 50, num_steps=40, num_chains=10)])
    _, log_det = np.linalg.slogdet(
        2 * np.pi * exact.prior.energy_network.network.covariances[0])
    assert metrics["levels/log_z"] == pytest.approx(0.5 * log_det, abs=0.2)
    assert metrics["levels/log_z_reverse"] == pytest.approx(
        0.5 * log_det, abs=0.2)
    # Bits of a Gaussian density of x, in steps of 1 / 127.5.
    wanted = 0.5 * np.linalg.slogdet(
        2 * np.pi * np.e * COVARIANCE)[1] / 4 / np.log(2) + np.log2(127.5)
    for key in ("bits_per_dim", "bits_per_dim_high"):
        assert metrics[f"levels/{key}"] == pytest.approx(wanted, abs=0.15)
    assert metrics["levels/auroc_uniform_0"] > 0.7
    assert abs(metrics["levels/auroc_uniform_3"] - 0.5) < 0.15
    assert metrics["levels/inpainting_mse"] < 2 * metrics[
        "levels/inpainting_mse_of_mean"]
    for picture in ("inpainting.png", "long_chains.png"):
        assert (tmp_path / picture).is_file()


def test_missing_parts_follow_what_is_known(exact):
    random = np.random.default_rng(1)
    x = random.multivariate_normal(np.zeros(4), COVARIANCE, 1500)
    x = np.clip(x, -1, 1).reshape(-1, 2, 2, 1).astype(np.float32)
    known = np.array([[True, True], [True, False]])[..., None]
    drawn = inpainting.complete(exact, x, known, rng.make_seed(3))
    np.testing.assert_array_equal(drawn[:, known], x[:, known])
    given = x[:, known].mean(1)
    # The mean of three equally correlated pixels tells of the fourth.
    slope = np.polyfit(given, drawn[:, 1, 1, 0], 1)[0]
    wanted = 3 * CORRELATION / (1 + 2 * CORRELATION)
    assert slope == pytest.approx(wanted, abs=0.1)


@pytest.mark.parametrize("x, known, message", [
    (np.full([2, 2, 2, 1], 255.0), np.ones([2, 2, 1], bool),
     r"images must lie in \[-1, 1\] .*, got 255"),
    (np.full([2, 2, 2, 1], np.nan), np.ones([2, 2, 1], bool),
     r"images must lie in \[-1, 1\] .*, got nan"),
    (np.zeros([2, 2, 2, 1]), np.ones([3, 2, 1], bool), "known must be bool"),
    (np.zeros([2, 2, 2, 1]), np.ones([2, 2, 1]), "known must be bool")])
def test_what_can_not_be_completed_is_refused(exact, x, known, message):
    with pytest.raises(ValueError, match=message):
        inpainting.complete(exact, x, known, rng.make_seed(3))


@pytest.mark.parametrize("name, message", [
    ("reconstruction", "needs a model that infers latents"),
    ("likelihood", "needs a model that infers latents"),
    ("anomaly", "needs a model that infers latents"),
    ("chains", "needs chains of one level, got a ladder of 4")])
def test_evaluators_of_other_models_say_what_they_need(
        exact, data, name, message):
    with pytest.raises(InputError, match=message):
        evaluation.check([name], Context(data), exact)


def test_strange_pictures_are_others_and_stay_in_range():
    x = np.random.default_rng(0).uniform(-1, 1, [3, 4, 4, 2])
    found = levels_evaluator.strange(x.astype(np.float32), rng.make_seed(1))
    assert set(found) == {"shuffled", "flipped", "uniform"}
    for other in found.values():
        assert other.shape == x.shape and np.max(np.abs(other)) <= 1
    np.testing.assert_allclose(np.sort(found["shuffled"], axis=(1)).sum(),
                               x.sum(), rtol=1e-4)


def test_moves_are_chosen_by_request_and_have_equal_shares(tmp_path):
    """Each row has its own; 7 moves of two levels are three at each."""
    model = recovery_likelihood.build(RecoveryLikelihoodConfig(
        num_levels=2, num_steps=2, energy=SMALL), DataSpec((4, 4, 1), 10))
    served = tf.saved_model.load(export_model(
        model, str(tmp_path), (4, 4, 1), ServingConfig(
            exposed=("num_steps",), check_rows=0, warmup=False,
            row_blocks=(16,))))
    asked = served.signatures["sample"](
        seed=tf.constant([1, 1, 2, 2], tf.int64),
        num_steps=tf.constant([4, 6, 6, 7]))
    x = asked["x"].numpy()
    np.testing.assert_array_equal(asked["status"], [b""] * 4)
    assert np.any(x[0] != x[1])
    np.testing.assert_array_equal(x[2], x[3])
    alone = served.signatures["sample"](
        seed=tf.constant([1], tf.int64), num_steps=tf.constant([4]))
    np.testing.assert_allclose(alone["x"][0], x[0], atol=1e-6)


def test_a_last_step_without_noise_is_the_mean_of_the_data(exact):
    """Tweedie's formula, exact for Gaussians."""
    levels = exact.prior.levels
    finish = recovery_likelihood.denoising(exact.prior, 1.0)
    x = np.random.default_rng(2).normal(size=[5, 4]).astype(np.float32)
    factor, noise = levels.factors[0], levels.scales[0]**2
    wanted = factor * COVARIANCE @ np.linalg.solve(
        factor**2 * COVARIANCE + noise * np.eye(4), x.T)
    found = finish(tf.reshape(tf.constant(x), [5, 2, 2, 1]))
    np.testing.assert_allclose(
        tf.reshape(found, [5, 4]), wanted.T, atol=1e-3)


@pytest.mark.parametrize("start", ["neighbour", "proposal"])
def test_energies_are_float32_in_mixed_precision(start):
    """And near those in float32: networks alone compute in bfloat16."""
    config = RecoveryLikelihoodConfig(
        num_levels=2, num_steps=2, start=start,
        energy=dataclasses.replace(SMALL, starts_small=False),
        **({"proposal": recovery_likelihood.ProposalConfig(4, (1, 2), 1, 4)}
           if start == "proposal" else {}))
    x = tf.constant(np.random.default_rng(0).uniform(
        -1, 1, [6, 4, 4, 1]), tf.float32)
    found = []
    for precision in ("float32", "mixed_bfloat16"):
        model = families.build(
            "recovery_likelihood", config, DataSpec((4, 4, 1), 10),
            batch_size=6, precision=precision)
        assert model.prior.energy_network.network.first.compute_dtype == (
            precision.removeprefix("mixed_"))
        draws = model.draw({"x": x}, rng.make_seed(1))
        for draw in draws.states.values():
            assert draw.position.dtype == tf.float32
        found.append(model.prior.energy(x))
        logs = model.train_step({"x": x})
        assert all(np.isfinite(value) for value in logs.values())
    assert found[0].dtype == found[1].dtype == tf.float32
    spread = np.std(found[0])
    np.testing.assert_allclose(*found, atol=0.2 * spread)
    assert np.any(found[0] != found[1])
