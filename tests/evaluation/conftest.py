"""A small model of the digits, trained for a moment; shared by all tests."""

import pytest

from lebm_tf.datasets import ImageData, load_dataset, train_batches
from lebm_tf.evaluation import (
    ChainsEvaluator, CodesEvaluator, Context, EvaluationConfig,
    FrechetEvaluator, LikelihoodEvaluator, Settings)
from lebm_tf.families import (
    ChainConfig, DataSpec, EncoderConfig, EnergyConfig, GeneratorConfig, image,
    vae)
from lebm_tf.models import OptimizerConfig

GENERATOR = GeneratorConfig(base_size=4, channels=(16,), final_stride=2)
SMALL = Settings(EvaluationConfig(num_draws=1), (
    ChainsEvaluator(num_chains=8, num_steps=30),
    CodesEvaluator(num_examples=100, components=(1,), num_annealing_steps=5,
                   num_annealing_chains=20),
    FrechetEvaluator(num_samples=100, num_classifier_steps=40),
    LikelihoodEvaluator(
        num_examples=2, num_proposal_draws=40, num_importance_samples=20,
        num_annealing_steps=20, num_annealing_chains=8)))


def few(data: ImageData, num: int = 100) -> ImageData:
    """The same data, with fewer held-out pictures."""
    return ImageData(data.name, data.x_train, data.x_test[:num],
                     data.y_train, data.y_test[:num])


@pytest.fixture(scope="session")
def digits() -> ImageData:
    return few(load_dataset("digits"))


def fit(model, data, steps=30):
    model.fit(train_batches(data, 100, seed=0), steps_per_epoch=steps,
              epochs=1, shuffle=False, verbose=0)
    return model


@pytest.fixture(scope="session")
def energy_model(digits):
    config = image.ImageConfig(
        latent_dim=4, prior=ChainConfig(num_steps=8, step_size=0.4),
        posterior=ChainConfig(num_steps=8, step_size=0.1),
        energy=EnergyConfig(hidden_units=(16,)), generator=GENERATOR,
        energy_optimizer=OptimizerConfig(learning_rate=1e-3),
        generator_optimizer=OptimizerConfig(learning_rate=1e-2))
    return fit(image.build(config, DataSpec((8, 8, 1), 1347, 10)), digits)


@pytest.fixture(scope="session")
def vae_model(digits):
    config = vae.VAEConfig(latent_dim=4, generator=GENERATOR,
                           encoder=EncoderConfig(channels=(8, 16)))
    return fit(vae.build(config, DataSpec((8, 8, 1), 1347, 10)), digits)


@pytest.fixture
def context(digits, tmp_path):
    return Context(digits, SMALL.config, str(tmp_path))
