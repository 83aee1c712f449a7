"""What is particular to the ladder of energies over codes."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import lebm_tf
from lebm_tf.assembly.code_ladder import LogitsConfig, NoiseLadderConfig
from lebm_tf.assembly.observations import DenseConfig
from lebm_tf.datasets import in_memory
from lebm_tf.densities import LadderPrior, NoiseLevels
from lebm_tf.errors import InputError
from lebm_tf.evaluation import Context, EvaluationConfig, evaluators
from lebm_tf.evaluation.latents.codes import CodesEvaluator
from lebm_tf.families import DataSpec, build
from lebm_tf.families.latent_diffusion import LatentDiffusionConfig
from lebm_tf.mcmc import Langevin, rng, run_chain
from lebm_tf.models import CodeClusters, OptimizerConfig
from lebm_tf.models.clusters import directions
from lebm_tf.samplers import Diffused, Draw, Draws

CONFIG = LatentDiffusionConfig(
    latent_dim=2, num_symbols=3, likelihood_scale=0.1, prior_weight=1.0,
    masks_entropy=False, cluster_axes=2, dense_generator=DenseConfig((8,)),
    dense_encoder=DenseConfig((8,), "relu"),
    prior=NoiseLadderConfig(3, num_steps=4), energy=LogitsConfig(8, 1),
    energy_optimizer=OptimizerConfig(1e-3, 0.9),
    autoencoder_optimizer=OptimizerConfig(3e-3, 0.9))
SPEC = DataSpec((2,), 60, kind="vector")


def points(count, seed):
    """Three clusters in the plane, of variance 1."""
    generator = np.random.default_rng(seed)
    mode = np.arange(count) % 3
    angle = 2 * np.pi * mode / 3
    return (1.4 * np.stack([np.cos(angle), np.sin(angle)], -1)
            + 0.1 * generator.standard_normal([count, 2])).astype(np.float32)


@pytest.fixture(scope="module")
def data():
    return in_memory(points(60, 0), points(30, 1), "vector", "three")


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A run of 30 steps, clustered at 0, 10, 20 and 30."""
    config = dataclasses.replace(CONFIG, cluster_every=10)
    model = build("latent_diffusion", config, data, batch_size=20)
    workdir = str(tmp_path_factory.mktemp("run"))
    lebm_tf.fit(model, data, lebm_tf.RunConfig(
        train_steps=30, workdir=workdir, checkpoint_every=15, log_every=5),
        verbose=False)
    return model, workdir


@pytest.mark.parametrize("change, message", [
    ({"noise_scales": (0.1, 0.5, 0.4)},
     "must increase, got 0.4 at level 2 after 0.5"),
    ({"noise_scales": (0.1, 0.0, 0.4)}, "got 0 at level 1"),
    ({"num_levels": 1}, "num_levels must be >= 2, got 1"),
    ({"num_levels": 600}, "num_levels must be from 2 to 501, got 600"),
    ({"num_steps": 0}, "num_steps must be >= 1, got 0"),
    ({"num_levels": 3, "noise_scales": (0.1, 0.3, 0.9)},
     "num_levels must be left out with noise_scales")])
def test_a_ladder_that_can_not_be_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        NoiseLadderConfig(**change)


@pytest.mark.parametrize("change, message", [
    ({"learned_prior": False}, "must be left out without learned_prior"),
    ({"symbol_weight": 0.0}, "cluster_axes must be left out without symbol"),
    ({"entropy_threshold": 0.5},
     "entropy_threshold must be left out without masks_entropy")])
def test_settings_without_an_effect_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)


def test_symbols_must_fit_labels_and_examples():
    def refused(message, spec, **change):
        with pytest.raises(InputError, match=message):
            build("latent_diffusion", dataclasses.replace(CONFIG, **change),
                  spec, batch_size=2)
    labelled = dataclasses.replace(SPEC, num_classes=4, num_labels=8)
    refused("must be the 4 classes of the labels, or 0, got 3", labelled)
    refused("must be at most the 60 training examples to cluster, got 61",
            SPEC, num_symbols=61)
    refused("must be >= 2 for data without labels, got 0", SPEC,
            num_symbols=0)
    build("latent_diffusion", dataclasses.replace(
        CONFIG, num_symbols=0, cluster_axes=3), labelled, batch_size=2)


def test_a_symbol_that_there_is_not_is_refused(trained):
    model, _ = trained
    for wrong in (3, -2):
        with pytest.raises(ValueError, match="symbols from 0 to 2, or -1 for "
                           f"none, got {wrong}"):
            model.sample(2, condition=np.array([0, wrong], np.int32))
    drawn = model.sample(2, condition=np.array([-1, 2], np.int32))
    assert np.all(np.isfinite(drawn.z))


def test_no_symbol_is_the_sum_over_symbols(trained):
    model, _ = trained
    z = tf.constant(points(5, 3))
    logits = model.prior.logits(z)
    np.testing.assert_allclose(
        model.prior.energy(z, condition=tf.constant([0, 1, 2, -1, -1])),
        [-logits[0, 0], -logits[1, 1], -logits[2, 2],
         *-tf.reduce_logsumexp(logits[3:], -1)], rtol=1e-5)
    np.testing.assert_allclose(model.prior.energy(z, condition={
        "level": tf.constant([1] * 5), "symbol": tf.constant([0] * 5)}),
        model.prior.energy(z, condition={"level": tf.constant([1] * 5)}))


def test_no_moves_are_draws_of_the_base(trained):
    drawn = trained[0].sample(100, num_steps=0).z
    assert abs(drawn.std() - 1) < 0.2 and np.abs(drawn.mean()) < 0.3


def test_noised_codes_have_the_moments_of_their_levels():
    levels = NoiseLevels((0.2, 0.5, 0.7, 0.9))
    z = tf.fill([40_000, 1], 2.0)
    drawn = Diffused(levels).draw(
        None, 40_000, Draws({}, {"positive": Draw(z, Draw(z, None))._replace(
            state=type("State", (), {"position": z}))}), rng.make_seed(3))
    level = drawn.condition["level"].numpy()
    assert set(level[::2]) == {0, 1} and set(level[1::2]) == {2}
    assert abs((level[::2] == 0).mean() - 0.5) < 0.01
    for t in range(3):
        x = drawn.position.numpy()[level == t] / levels.model_factors[t + 1]
        above = drawn.start.numpy()[level == t]
        error = 4 / np.sqrt(len(x))
        assert abs(x.mean() - 2 * levels.total_factors[t]) < error
        assert abs(above.mean() - 2 * levels.total_factors[t + 1]) < error
        assert abs(x.std() - levels.total_scales[t]) < error
        assert abs(above.std() - levels.total_scales[t + 1]) < error


class Constant:
    """F = 0."""
    num_symbols = 3

    def __call__(self, z, level):
        return tf.zeros([tf.shape(z)[0], 3]) * z[:, :1]


def test_without_an_energy_a_chain_draws_what_the_level_above_tells():
    """N(z_{t+1}, s^2 I), and N(0, s^2 I) at the highest level; its Langevin
    chain has the variance s^2 / (1 - s_t^2 / (4 s^2)) of its AR(1)."""
    scales, factor = (0.1, 0.5, 0.7, 0.9), 0.05
    prior = LadderPrior(Constant(), scales, factor)
    above = tf.tile([[1.0, -2.0]], [4_000, 1])
    for level in range(3):
        levels = tf.fill([4_000], level)
        target = prior.at_level(levels, above)
        size = NoiseLevels(scales).step_sizes(factor)[level]
        state = run_chain(Langevin(size), target, above, 300,
                          rng.make_seed(level))
        scale = scales[level + 1]
        wanted = scale / np.sqrt(1 - size**2 / (4 * scale**2))
        error = 4 * wanted / np.sqrt(4_000)
        mean = np.mean(state.position, 0)
        assert np.all(np.abs(mean - ([1, -2] if level < 2 else 0)) < error)
        assert np.all(np.abs(np.std(state.position, 0) - wanted) < error)


def test_clusters_are_found_and_kept(trained, data):
    model, workdir = trained
    clusters = model.frozen["clusters"]
    labels = clusters.labels.numpy()
    assert int(clusters.fitted_step.numpy()) == 30
    assert len(labels) == 60 and set(labels) == {0, 1, 2}
    # Points of one mode share a cluster.
    for mode in range(3):
        assert len(set(labels[mode::3])) == 1
    own, weights = clusters.of(tf.constant([0, 1, 5], tf.int64))
    np.testing.assert_array_equal(own, labels[[0, 1, 5]])
    np.testing.assert_allclose(weights, 1.0)
    again = lebm_tf.load(workdir, data=data)
    np.testing.assert_array_equal(
        again.frozen["clusters"].labels.numpy(), labels)


def test_a_run_that_was_stopped_has_the_same_clusters(trained, data, tmp_path):
    model, _ = trained
    config = dataclasses.replace(CONFIG, cluster_every=10)
    for steps in (15, 30):
        other = build("latent_diffusion", config, data, batch_size=20)
        lebm_tf.fit(other, data, lebm_tf.RunConfig(
            train_steps=steps, workdir=str(tmp_path), checkpoint_every=15,
            log_every=5), verbose=False)
    np.testing.assert_array_equal(other.frozen["clusters"].labels.numpy(),
                                  model.frozen["clusters"].labels.numpy())
    for part in model.parts:
        for one, same in zip(other.variables_of(part),
                             model.variables_of(part)):
            np.testing.assert_array_equal(one, same)


def test_clusters_keep_their_numbers_and_count_alike():
    codes = np.repeat([[3.0, 0], [-3, 1], [0, -4]], [10, 4, 2], 0)
    codes += 0.1 * np.random.default_rng(0).standard_normal(codes.shape)
    clusters = CodeClusters(16, 3, num_axes=2)
    assert set(clusters.of(tf.range(16, dtype=tf.int64))[0].numpy()) == {-1}
    clusters.fit(codes, 0, 5)
    first = clusters.labels.numpy()
    np.testing.assert_array_equal(np.bincount(first)[first[[0, 10, 14]]],
                                  [10, 4, 2])
    clusters.fit(codes, 1, 6)
    np.testing.assert_array_equal(clusters.labels.numpy(), first)
    _, weights = clusters.of(tf.range(16, dtype=tf.int64))
    np.testing.assert_allclose(
        [weights.numpy()[first == k].sum() for k in range(3)], 16 / 3,
        rtol=1e-6)
    with pytest.raises(ValueError, match="finite codes, got some that are"):
        clusters.fit(np.full([16, 2], np.nan), 0, 1)


def test_directions_are_white_and_of_length_one():
    generator = np.random.default_rng(1)
    codes = generator.standard_normal([500, 4]) * [5.0, 2.0, 1.0, 0.0] + 3.0
    found = directions(codes, 3)
    assert found.shape == (500, 3)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0)
    white = codes - codes.mean(0)
    white = white[:, :3] / white[:, :3].std(0)
    # The same up to a rotation near to none, and signs.
    assert np.mean(np.abs(np.abs(found) - np.abs(
        white / np.linalg.norm(white, axis=1, keepdims=True)))) < 0.05
    assert directions(codes, 10).shape == (500, 3)


def test_a_likelihood_that_nobody_knows_is_refused(trained, data):
    model, _ = trained
    context = Context(data, EvaluationConfig(num_draws=1))
    with pytest.raises(InputError, match="over a base with a known density, "
                                         "got LadderPrior"):
        evaluators.check(["likelihood"], context, model)
    metrics = evaluators.evaluate(model, context, [CodesEvaluator(
        num_examples=60, components=(1,))])
    assert metrics["codes/frechet_prior"] > 0
    assert "codes/log_prob_mixture_1" in metrics
    assert "codes/log_prob_prior" not in metrics


def test_the_published_network_has_its_size():
    _, config, _ = lebm_tf.from_flagfile("configs/latent_diffusion_ptb.cfg")
    levels = config.prior.levels
    assert levels == NoiseLevels.published(6) and config.prior.num_steps == 50
    model = build("latent_diffusion", config, DataSpec(
        (41,), 42_068, num_tokens=50, kind="sequence"))
    count = sum(int(tf.size(v)) for v in model.variables_of("energy"))
    two = 200 * 200 + 200
    assert count == (40 * 200 + 200 + two) + 2 * two + (
        400 * 200 + 200) + 12 * two + (200 * 20 + 20)
