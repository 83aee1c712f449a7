"""What every density owes its callers. A new density joins the list."""

import json
from typing import Any, Callable, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from lebm_tf import densities
from lebm_tf.densities import (
    BottomUpGaussian, ClassifiedNormal, ConditionalGaussian, DiffusionEncoder,
    EnergyPrior, Flat, Flow, FlowTransport, GaussianAttribute,
    GaussianLikelihood, GaussianMixture, GeneratorTransport, LabelledVAE,
    LadderPrior, LatentVAE, LayeredGaussian, LayeredNormal, LearnedFlow,
    LevelPrior, LevelProposal, NoiseEncoder, PointEncoder, SequenceLikelihood,
    StandardNormal, SymbolPrior, TopDownGaussian, UnigramLikelihood)
from lebm_tf.mcmc import rng
from lebm_tf.networks import (
    AffineCouplings, ContextEncoder, ConvEncoder, DeconvGenerator, EnergyMLP,
    LadderNetwork, LatentDenoiser, LatentGlow, LevelEnergy, LevelLogits,
    NoiseContext, PictureGlow, RecurrentDecoder, ResidualEnergy,
    ResidualProposal, VectorMLP)
from tests import oracles

tfd = tfp.distributions
SEED = rng.make_seed(2)
WEIGHT = np.linspace(-1.0, 1.0, 12).reshape(3, 4)
DECONV = {"latent_dim": 3, "image_shape": (8, 8, 3), "base_size": 4,
          "channels": (5,)}


class Case(NamedTuple):
    """A density and what to expect of it.

    Attributes:
        make: () -> density.
        given: Arguments before the seed of `sample`.
        shape: Of a draw.
        condition: What `log_prob` takes beside a draw.
        twin: density -> normalized TFP distribution of one draw, or None.
    """
    make: Callable
    given: tuple
    shape: tuple
    condition: tuple = ()
    twin: Callable | None = None


def mvn(mean, scale):
    return tfd.Independent(
        tfd.Normal(mean, scale), len(mean.shape) - 1)


X = np.random.default_rng(0).normal(size=[6, 4]).astype(np.float32)
Z = np.random.default_rng(1).normal(size=[6, 3]).astype(np.float32)
IMAGES = np.random.default_rng(2).normal(size=[6, 8, 8, 3]).astype(np.float32)

DENSITIES = {
    "standard_normal": Case(
        lambda: StandardNormal(3), (6,), (6, 3),
        twin=lambda d: mvn(tf.zeros([6, 3]), 1.0)),
    "mixture, not fitted": Case(
        lambda: GaussianMixture(3, 2), (6,), (6, 3),
        twin=lambda d: mvn(tf.zeros([6, 3]), 1.0)),
    "flow, not fitted": Case(
        lambda: Flow(AffineCouplings(4, 2, (5,))), (6,), (6, 4),
        twin=lambda d: mvn(tf.zeros([6, 4]), 1.0)),
    "flow, turned and learned": Case(
        lambda: LearnedFlow(LatentGlow(4, 2, 5, "additive")), (6,), (6, 4),
        twin=lambda d: mvn(tf.zeros([6, 4]), 1.0)),
    "conditional_gaussian": Case(
        lambda: ConditionalGaussian(oracles.LinearEncoder(4, 3)),
        (tf.constant(X),), (6, 3), (tf.constant(X),),
        twin=lambda d: mvn(d.parameters(X)[0], tf.exp(d.parameters(X)[1]))),
    "image_encoder": Case(
        lambda: ConditionalGaussian(ConvEncoder(3, (8, 8, 3), (4, 5))),
        (tf.constant(IMAGES),), (6, 3), (tf.constant(IMAGES),),
        twin=lambda d: mvn(d.parameters(IMAGES)[0],
                           tf.exp(d.parameters(IMAGES)[1]))),
    "vector_likelihood": Case(
        lambda: GaussianLikelihood(
            oracles.LinearGenerator(WEIGHT, np.ones(4)), 0.3),
        (tf.constant(Z),), (6, 4), (tf.constant(Z),),
        twin=lambda d: mvn(d.mean(Z), 0.3)),
    "image_likelihood": Case(
        lambda: GaussianLikelihood(DeconvGenerator(**DECONV), 0.3),
        (tf.constant(Z),), (6, 8, 8, 3), (tf.constant(Z),),
        twin=lambda d: mvn(d.mean(Z), 0.3)),
    "energy_prior": Case(
        lambda: EnergyPrior(StandardNormal(3), EnergyMLP(3, (5,))),
        (6,), (6, 3)),
}
# Every class, with a function of its numbers: those that are more than one
# density, or of other things than vectors, have tests of their own besides.
TOKENS = tf.constant([[4, 5, 3, 0], [6, 3, 0, 0]])
CLASSES = {
    Flat: (Flat, lambda d: d.unnormalized_log_prob(Z)),
    StandardNormal: (lambda: StandardNormal(3, 0.5), lambda d: d.log_prob(Z)),
    Flow: (lambda: Flow(AffineCouplings(4, 2, (5,))),
           lambda d: d.log_prob(X)),
    LearnedFlow: (lambda: LearnedFlow(LatentGlow(4, 2, 5)),
                  lambda d: d.log_prob(X)),
    PointEncoder: (lambda: PointEncoder(VectorMLP(4, 3, (5,))),
                   lambda d: d.parameters(X)[0]),
    ConditionalGaussian: (
        lambda: ConditionalGaussian(VectorMLP(4, 3, (5,), num_outputs=2)),
        lambda d: d.log_prob(tf.constant(Z), X)),
    DiffusionEncoder: (lambda: diffusion(),
                       lambda d: d.sample(IMAGES, SEED)),
    EnergyPrior: (lambda: EnergyPrior(StandardNormal(3), EnergyMLP(3, (5,))),
                  lambda d: d.unnormalized_log_prob(Z)),
    LevelPrior: (
        lambda: LevelPrior(LevelEnergy(
            ResidualEnergy((3,), 4, (1, 2), 1, 4, starts_small=False),
            (0.0, 1.0), 0.9), (0.1, 0.4, 0.7), (0.2, 0.3)),
        lambda d: d.unnormalized_log_prob(
            Z, condition=tf.constant([0, 1, 1, 0, 0, 1]))),
    LadderPrior: (
        lambda: LadderPrior(LevelLogits(3, 2, 2, 6, 1), (0.1, 0.4, 0.7)),
        lambda d: d.unnormalized_log_prob(Z)),
    LevelProposal: (
        lambda: LevelProposal(ResidualProposal(
            (3,), 4, (1,), 1, 4), (1.0, 2.0), (0.1, 0.2)),
        lambda d: d.sample(tf.constant(Z), tf.constant([0, 1, 1, 0, 0, 1]),
                           SEED)),
    SymbolPrior: (
        lambda: SymbolPrior(StandardNormal(3), VectorMLP(3, 2, (5,))),
        lambda d: d.symbol_log_probs(Z)),
    TopDownGaussian: (
        lambda: TopDownGaussian([VectorMLP(2, 3, (5,), num_outputs=2)], 2),
        lambda d: d.log_prob(d.sample(6, SEED))),
    LayeredNormal: (lambda: LayeredNormal([3, (2, 2, 1)]),
                    lambda d: d.log_prob(d.sample(6, SEED))),
    LayeredGaussian: (
        lambda: LayeredGaussian(TwoLayers()),
        lambda d: d.log_prob(d.sample(X, SEED), X)),
    NoiseEncoder: (
        lambda: NoiseEncoder(LadderNetwork(
            (8, 8, 3), (4, 2), (2, 3), 4), 0.7),
        lambda d: d.log_prob(d.sample(IMAGES, SEED), IMAGES)),
    BottomUpGaussian: (
        lambda: BottomUpGaussian(
            VectorMLP(4, 3, (5,), num_outputs=2),
            [VectorMLP(3, 2, (5,), num_outputs=2)], 0.2),
        lambda d: d.log_prob(d.sample(X, SEED), X)),
    GaussianMixture: (lambda: GaussianMixture(3, 2), lambda d: d.log_prob(Z)),
    GaussianLikelihood: (
        lambda: GaussianLikelihood(VectorMLP(3, 4, (5,)), 0.3, True),
        lambda d: d.log_prob(X, Z)),
    GaussianAttribute: (
        lambda: GaussianAttribute(VectorMLP(3, 1, (5,))),
        lambda d: d.log_prob(Z[:, 0], Z)),
    SequenceLikelihood: (
        lambda: SequenceLikelihood(RecurrentDecoder(7, 3, 4, 5), 4),
        lambda d: d.log_prob(TOKENS, Z[:2])),
    UnigramLikelihood: (
        lambda: UnigramLikelihood(VectorMLP(3, 4, (5,)), 4),
        lambda d: d.log_prob(tf.abs(X), Z)),
    FlowTransport: (
        lambda: FlowTransport(PictureGlow((2, 2, 1), 1, 1, 3), (2, 2, 1), 5),
        lambda d: d.log_density(tf.zeros([6, 2, 2, 1]), SEED)),
    GeneratorTransport: (
        lambda: GeneratorTransport(
            VectorMLP(3, 4, (5,)), ConditionalGaussian(
                VectorMLP(4, 3, (5,), num_outputs=2)), (4,), 3, 0.5),
        lambda d: d.log_density(tf.constant(X), SEED)),
    LatentVAE: (
        lambda: LatentVAE(3, VectorMLP(3, 3, (5,)),
                          VectorMLP(3, 3, (5,), num_outputs=2), 0.7),
        lambda d: d.sample(6, SEED)),
    LabelledVAE: (lambda: labelled_vae(), lambda d: d.symbol_log_probs(Z)),
    ClassifiedNormal: (lambda: ClassifiedNormal(labelled_vae()),
                       lambda d: (d.symbol_log_probs(Z)
                                  + d.log_prob(Z)[:, None])),
}


@keras.saving.register_keras_serializable(package="lebm_tf_tests")
class TwoLayers(keras.layers.Layer):
    """x -> means and log scales of two layers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.layers = [VectorMLP(4, width, (5,), 2, seed=width)
                       for width in (3, 2)]
        self.built = True

    def call(self, x):
        return tuple(zip(*(layer(x) for layer in self.layers)))


def diffusion():
    return DiffusionEncoder(
        LatentDenoiser(3, 6, 4, (5, 6)), ContextEncoder((8, 8, 3), 6, (4, 5)),
        NoiseContext(3, 6, 5), 3, guidance=0.5, variance="small")


def labelled_vae():
    return LabelledVAE(3, 2, VectorMLP(5, 3, (5,)),
                       VectorMLP(5, 3, (5,), num_outputs=2),
                       VectorMLP(3, 2, (5,)), 0.7)


def test_every_density_is_in_the_list():
    assert set(CLASSES) == {
        kind for kind in vars(densities).values()
        if isinstance(kind, type) and issubclass(kind, keras.Model)}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_class_is_made_again_from_json(kind):
    make, numbers = CLASSES[kind]
    density = make()
    assert type(density) is kind
    config = json.loads(json.dumps(
        keras.saving.serialize_keras_object(density)))
    twin = keras.saving.deserialize_keras_object(config)
    assert type(twin) is kind
    assert {**twin.get_config(), "name": ""} == {
        **density.get_config(), "name": ""}
    for new, old in zip(twin.variables, density.variables, strict=True):
        new.assign(old)
    expected = numbers(density)
    assert np.all(np.isfinite(expected))
    np.testing.assert_array_equal(numbers(twin), expected)


NORMALIZED = [name for name, case in DENSITIES.items() if case.twin]


def sampler_of(density):
    """What draws without a chain."""
    return density.base if isinstance(density, EnergyPrior) else density


def density_and_draw(case: Case) -> tuple[Any, tf.Tensor]:
    density = case.make()
    return density, sampler_of(density).sample(*case.given, SEED)


def evaluate(density, draw, case: Case) -> tf.Tensor:
    if isinstance(density, EnergyPrior):
        return density.unnormalized_log_prob(draw, **dict(zip(
            ("condition",), case.condition)))
    return density.log_prob(draw, *case.condition)


@pytest.mark.parametrize("name", DENSITIES)
def test_draws_and_their_densities_have_one_row_each(name):
    case = DENSITIES[name]
    density, draw = density_and_draw(case)
    log_prob = evaluate(density, draw, case)
    assert (draw.shape, draw.dtype) == (case.shape, tf.float32)
    assert (log_prob.shape, log_prob.dtype) == ((6,), tf.float32)
    assert np.all(np.isfinite(log_prob)) and len(np.unique(log_prob)) == 6


@pytest.mark.parametrize("name", DENSITIES)
def test_equal_seeds_give_equal_draws_and_others_differ(name):
    case = DENSITIES[name]
    density, draw = density_and_draw(case)
    sampler = sampler_of(density)
    np.testing.assert_array_equal(draw, sampler.sample(*case.given, SEED))
    other = sampler.sample(*case.given, rng.make_seed(9))
    assert not np.any(np.equal(draw, other))


@pytest.mark.parametrize("name", NORMALIZED)
def test_a_log_prob_is_normalized(name):
    case = DENSITIES[name]
    density, draw = density_and_draw(case)
    np.testing.assert_allclose(
        evaluate(density, draw, case), case.twin(density).log_prob(draw),
        rtol=1e-5)


@pytest.mark.parametrize("name", NORMALIZED)
def test_draws_follow_the_density(name):
    """E |z - mean|^2 / scale^2 is the number of elements, per row."""
    case = DENSITIES[name]
    density, _ = density_and_draw(case)
    twin = case.twin(density)
    draws = np.stack([density.sample(*case.given, rng.make_seed(i))
                      for i in range(300)])
    errors = np.asarray((draws - twin.mean()) / twin.stddev())
    assert abs(errors.mean()) < 5 / errors.size**0.5
    assert abs((errors**2).mean() - 1) < 5 * (2 / errors.size)**0.5


@pytest.mark.parametrize("name", DENSITIES)
def test_a_density_made_from_its_config_gives_the_same_numbers(name):
    case = DENSITIES[name]
    density, draw = density_and_draw(case)
    config = json.loads(json.dumps(
        keras.saving.serialize_keras_object(density)))
    twin = keras.saving.deserialize_keras_object(config)
    assert type(twin) is type(density)
    assert [v.path.split("/")[1:] for v in twin.variables] == [
        v.path.split("/")[1:] for v in density.variables]
    np.testing.assert_array_equal(
        evaluate(twin, draw, case), evaluate(density, draw, case))


@pytest.mark.parametrize("name", DENSITIES)
def test_a_density_computes_in_double_precision_if_asked(name, float64):
    case = DENSITIES[name]
    doubled = case._replace(
        given=tuple(tf.cast(v, tf.float64) if tf.is_tensor(v) else v
                    for v in case.given),
        condition=tuple(tf.cast(v, tf.float64) for v in case.condition))
    density, draw = density_and_draw(doubled)
    assert draw.dtype == tf.float64
    assert evaluate(density, draw, doubled).dtype == tf.float64


@pytest.mark.parametrize("make,message", [
    (lambda: StandardNormal(0), "latent_dim must be >= 1, got 0."),
    (lambda: GaussianLikelihood(None, 0.0), "scale must be > 0, got 0.0."),
    (lambda: GaussianLikelihood(None, float("nan")),
     "scale must be > 0, got nan.")])
def test_a_bad_value_is_refused_with_its_message(make, message):
    with oracles.raises(ValueError, message):
        make()
