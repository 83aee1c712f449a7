"""Tests of the list of evaluators, each on a small trained model."""

import dataclasses
import json
import math
import os
import types

from PIL import Image
import numpy as np
import pytest

from lebm_tf import evaluate as evaluate_command
from lebm_tf.configuration.run import RunConfig
from lebm_tf.datasets import ImageData
from lebm_tf.densities import GaussianMixture
from lebm_tf.errors import InputError
from lebm_tf.evaluation import (
    EVALUATORS, AnomalyEvaluator, Context, EvaluationConfig, FrechetEvaluator,
    LikelihoodEvaluator, SentencesEvaluator, Settings, TrajectoriesEvaluator,
    check as check_inputs, evaluate)
from lebm_tf.evaluation.images.frechet import frechet_distance
from lebm_tf.evaluation.latents.codes import CodesEvaluator, best_mixture
from lebm_tf.families import ChainConfig, build
from lebm_tf.families.image import ImageConfig
from lebm_tf.mcmc import rng
from tests import oracles
from tests.evaluation.conftest import GENERATOR, SMALL
from tests.oracles import raises, undeclared

PICTURES = {"reconstruction": ["reconstructions.png"],
            "chains": ["long_run.png", "transition.png"],
            "pictures": ["interpolation.png", "reconstructions.png",
                         "samples.png"]}
WITHOUT_ENERGY = ("reconstruction", "frechet", "likelihood", "pictures")


def check(metrics, folder, name):
    """Names are flat, values plain, and the promised pictures are there."""
    assert metrics and json.loads(json.dumps(metrics)) == metrics
    assert not undeclared(metrics)
    for key, value in metrics.items():
        assert key.count("/") == 1, key
        assert type(value) in (int, float, str), key
        assert isinstance(value, str) or math.isfinite(value), key
    made = sorted(os.listdir(folder))
    assert made == PICTURES.get(name, [])
    for file in made:
        with Image.open(folder / file) as picture:
            assert min(picture.size) > 200


# Those of other data or models have tests of their own.
@pytest.mark.parametrize("name", sorted(set(EVALUATORS) - {
    "anomaly", "bits", "latents", "layers", "levels", "molecules",
    "out_of_distribution", "perplexity", "sampler", "sentences", "sequences",
    "symbols", "trajectories", "translation"}))
def test_it_yields_plain_numbers_for_an_energy_model(
        name, energy_model, context, tmp_path):
    check(evaluate(energy_model, context, SMALL.select([name])), tmp_path,
          name)


@pytest.mark.parametrize("name", WITHOUT_ENERGY)
def test_it_yields_plain_numbers_for_a_model_without_energy(
        name, vae_model, context, tmp_path):
    metrics = evaluate(vae_model, context, SMALL.select([name]))
    check(metrics, tmp_path, name)
    assert not any("energy" in key or "base" in key or "log_z" in key
                   for key in metrics)


@pytest.mark.parametrize("name", ["reconstruction", "chains"])
def test_equal_seeds_give_equal_numbers_and_others_others(
        name, energy_model, digits, context):
    without = dataclasses.replace(context, directory="")
    chosen = SMALL.select([name])
    first = evaluate(energy_model, without, chosen)
    assert evaluate(energy_model, without, chosen) == first
    other = dataclasses.replace(without, config=dataclasses.replace(
        context.config, seed=1))
    assert evaluate(energy_model, other, chosen) != first


def test_several_evaluators_are_merged(energy_model, context):
    names = {key.split("/")[0] for key in evaluate(
        energy_model, context, ["reconstruction", "pictures"])}
    assert names == {"reconstruction", "pictures"}


def test_reconstruction_error_is_that_of_the_model(energy_model, context):
    metrics = evaluate(energy_model, context, ["reconstruction"])
    x = np.asarray(context.data.to_model(context.data.x_test))
    error = (energy_model.reconstruct(x, seed=0) - x)**2
    assert metrics["reconstruction/mse"] == pytest.approx(
        error.mean(), rel=1e-5)
    assert metrics["reconstruction/mse_largest"] == pytest.approx(
        error.mean((1, 2, 3)).max(), rel=1e-5)


def test_the_chains_start_where_the_base_is(energy_model, context):
    metrics = evaluate(energy_model, context, SMALL.select(["chains"]))
    assert metrics["chains/accept_prob"] == 1.0  # Unadjusted.
    assert 0.0 < metrics["chains/mala_accept_prob"] <= 1.0
    assert metrics["chains/displacement"] > 0.5
    assert metrics["chains/long_num_steps"] == 30


def test_unknown_evaluators_list_the_known(energy_model, context):
    with raises(
            InputError, "evaluator must be one of anomaly, bits, chains, "
            "codes, frechet, latents, layers, levels, likelihood, molecules, "
            "out_of_distribution, perplexity, pictures, reconstruction, "
            "sampler, sentences, sequences, symbols, trajectories, "
            "translation, got 'fid'."):
        evaluate(energy_model, context, ["frechet", "fid"])


@pytest.mark.parametrize("evaluator, change, message", [
    ("fid", {}, "evaluator must be one of"),
    (FrechetEvaluator(features="inception", inception_weights="absent.pb"),
     {}, "absent.pb"),
    ("anomaly", {}, "anomaly label"),
    ("sequences", {}, "needs sequences of tokens, got images, digits"),
    ("latents", {}, "needs num_draws >= 2 to fit posteriors of chains, got 1"),
    (LikelihoodEvaluator(proposal="encoder"), {}, "needs an encoder, got non"),
    ("pictures", {"directory": ""}, "directory")])
def test_what_is_missing_is_found_before_training(
        evaluator, change, message, energy_model, context):
    with pytest.raises(InputError, match=message):
        check_inputs([evaluator], dataclasses.replace(context, **change),
                     energy_model)
    check_inputs(["frechet", "chains", "pictures"], context, energy_model)


def test_codes_are_compared_with_the_prior_and_with_the_base(
        energy_model, context):
    metrics = evaluate(energy_model, context, SMALL.select(["codes"]))
    count = metrics["codes/num_codes"]
    z = energy_model.infer(np.asarray(context.data.to_model(
        context.data.x_train[:count])), seed=0)
    assert metrics["codes/posterior_mean_norm"] == pytest.approx(
        np.linalg.norm(z.mean(0)), rel=1e-4)
    assert metrics["codes/posterior_variance_largest"] == pytest.approx(
        np.linalg.norm(np.cov(z, rowvar=False), 2), rel=1e-4)
    base = energy_model.sample(count, 0, num_steps=0).z
    assert metrics["codes/frechet_base"] == pytest.approx(
        frechet_distance(base, z), rel=1e-4)


def test_chains_need_an_energy(vae_model, context):
    assert not vae_model.has_energy
    with raises(InputError, "evaluator chains needs a prior with an energy, "
                "got StandardNormal."):
        evaluate(vae_model, context, ["chains"])


def test_pictures_need_a_directory(energy_model, context):
    with pytest.raises(InputError, match="needs a directory"):
        evaluate(energy_model, dataclasses.replace(context, directory=""),
                 ["pictures"])


def test_pictures_of_two_held_out_images_are_enough(
        energy_model, digits, tmp_path):
    two = ImageData("two", digits.x_train, digits.x_test[:2])
    evaluate(energy_model, Context(two, directory=str(tmp_path)),
             ["pictures"])
    one = ImageData("one", digits.x_train, digits.x_test[:1])
    with pytest.raises(InputError, match="at least 2 held-out"):
        evaluate(energy_model, Context(one, directory=str(tmp_path)),
                 ["pictures"])


@pytest.mark.parametrize("make, field, value, message", [
    (EvaluationConfig, "num_draws", 0, "num_draws must be >= 1, got 0."),
    (FrechetEvaluator, "num_samples", 1, "num_samples must be >= 4, got 1."),
    (FrechetEvaluator, "num_classifier_steps", 0,
     "num_classifier_steps must be >= 1, got 0."),
    (FrechetEvaluator, "features", "vgg",
     "features must be one of classifier, inception, mobilenet, got 'vgg'."),
    (LikelihoodEvaluator, "num_importance_samples", 1,
     "num_importance_samples must be >= 2, got 1."),
    (AnomalyEvaluator, "score", "x",
     "score must be one of damc, log_joint, got 'x'."),
    (TrajectoriesEvaluator, "miss_distance", float("nan"),
     "miss_distance must be >= 0, got nan."),
    (SentencesEvaluator, "transition_steps", (0, 2, 1),
     "transition_steps must increase, and end above 0, got (0, 2, 1).")])
def test_a_value_out_of_range_is_refused(make, field, value, message):
    with raises(ValueError, message):
        make(**{field: value})


def test_codes_have_the_nats_that_a_quadratic_energy_gives(context):
    """E(z) = f |z|^2 / 2 over N(0, I) is N(0, 1 / (1 + f)): log Z is known."""
    factor = 0.7
    model = build("image", ImageConfig(
        latent_dim=4, prior=ChainConfig(5, 0.4), generator=GENERATOR,
        posterior=ChainConfig(5, 0.1)), context.data,
        energy=oracles.QuadraticEnergy(factor))
    x = np.asarray(context.data.to_model(context.data.x_test))
    metrics = evaluate(model, context, [CodesEvaluator(
        num_annealing_steps=50, num_annealing_chains=400, components=(1,))])
    held = model.infer(x, rng.named(context.config.seed, "held_out"))
    dim = held.shape[1]
    square = float(np.mean(np.sum(held**2, -1)))
    base = -0.5 * square - 0.5 * dim * np.log(2 * np.pi)
    expected = base - 0.5 * factor * square + 0.5 * dim * np.log1p(factor)
    assert metrics["codes/log_prob_base"] == pytest.approx(base, rel=1e-4)
    error = 5 * metrics["codes/log_prob_standard_error"] + 0.02
    for name in ("prior", "prior_low"):
        assert metrics[f"codes/log_prob_{name}"] == pytest.approx(
            expected, abs=error)
    assert metrics["codes/log_prob_mixture_1"] > -1e3


def test_a_flow_over_codes_of_odd_width_is_refused_before(context):
    model = build("image", ImageConfig(latent_dim=3, generator=GENERATOR),
                  context.data)
    with raises(InputError, "evaluator codes with flow needs one layer of "
                "latents of even width, got 3."):
        check_inputs([CodesEvaluator(flow=True)], context, model)


def test_a_floor_is_chosen_by_codes_that_were_not_learned():
    """Four codes for each Gaussian: without a floor they are learned by
    heart."""
    codes = np.random.default_rng(0).normal(size=[100, 4])
    held = np.random.default_rng(1).normal(size=[5_000, 4]).astype(np.float32)
    chosen = float(np.mean(best_mixture(codes, 10, 0).log_prob(held)))
    by_heart = GaussianMixture(4, 10)
    by_heart.fit(codes, 0, 0)
    assert chosen > float(np.mean(by_heart.log_prob(held))) + 1


def test_default_evaluators_are_those_that_support_the_data(tmp_path):
    """recovery_likelihood learns vectors too, and its defaults need images."""
    resolved = types.SimpleNamespace(run=RunConfig(
        family="recovery_likelihood"))
    planned, _ = evaluate_command.plan(
        None, types.SimpleNamespace(kind="vector"), resolved, (),
        Settings(), str(tmp_path))
    assert planned == ()
