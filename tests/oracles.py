"""Targets, layers and laws that are known in closed form."""

import contextlib
import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf


@contextlib.contextmanager
def precision(name: str):
    """Layers made inside compute in `name`, for example "float64"."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(name)
    # Keras keeps the first policy it makes, whatever floatx becomes.
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def standard_normal(position) -> tf.Tensor:
    """log N(0, I) of a nest up to a constant, [chains]."""
    return tf.add_n([-0.5 * tf.reduce_sum(tf.square(leaf), list(
        range(1, leaf.shape.rank))) for leaf in tf.nest.flatten(position)])


@dataclasses.dataclass(frozen=True, eq=False)
class Gaussian:
    """N(mean, covariance), [d] and [d, d]."""
    mean: np.ndarray
    covariance: np.ndarray

    def log_prob(self, z):
        inverse = np.linalg.inv(self.covariance).astype(z.dtype.name)
        error = z - self.mean.astype(z.dtype.name)
        return -0.5 * tf.reduce_sum(tf.matmul(error, inverse) * error, -1)

    def sample(self, num_samples, seed=0):
        draws = np.random.default_rng(seed).multivariate_normal(
            self.mean, self.covariance, num_samples)
        return draws.astype(np.float32)


@dataclasses.dataclass(frozen=True, eq=False)
class Mixture:
    """Two spherical Gaussians of weights w and 1 - w, at +m and -m."""
    weight: float = 0.3
    centre: tuple = (1.5, 0.5)
    scale: float = 0.8

    def log_prob(self, z):
        logs = [tf.math.log(tf.constant(w, z.dtype)) - tf.reduce_sum(
            tf.square(z - s * tf.constant(self.centre, z.dtype)), -1)
            / (2 * self.scale**2)
            for w, s in ((self.weight, 1.0), (1 - self.weight, -1.0))]
        return tf.reduce_logsumexp(tf.stack(logs), 0)

    def sample(self, num_samples, seed=0):
        random = np.random.default_rng(seed)
        sign = np.where(random.random([num_samples, 1]) < self.weight, 1, -1)
        noise = random.standard_normal([num_samples, len(self.centre)])
        return (sign * self.centre + self.scale * noise).astype(np.float32)

    @property
    def mean(self):
        return (2 * self.weight - 1) * np.array(self.centre)

    @property
    def covariance(self):
        spread = 1 - (2 * self.weight - 1)**2
        return (self.scale**2 * np.eye(len(self.centre))
                + spread * np.outer(self.centre, self.centre))


CORRELATED = Gaussian(
    np.array([0.5, -1.0]), np.array([[1.0, 0.6], [0.6, 0.8]]))


def langevin_law(target: Gaussian, start: Gaussian, step_size: float,
                 num_steps: int, noise_scale: float = 1.0) -> Gaussian:
    """Law of unadjusted Langevin on a Gaussian after some moves.

    z' - m = A (z - m) + s e with A = I - s^2/2 / covariance.
    """
    step = np.eye(len(target.mean)) - 0.5 * step_size**2 * np.linalg.inv(
        target.covariance)
    mean, covariance = start.mean, start.covariance
    for _ in range(num_steps):
        mean = target.mean + step @ (mean - target.mean)
        covariance = step @ covariance @ step.T + (
            step_size * noise_scale)**2 * np.eye(len(mean))
    return Gaussian(mean, covariance)


def linear_posterior(weight, bias, x, scale, prior_precision) -> Gaussian:
    """p(z | x) of x = z W + b + scale e under z ~ N(0, 1 / precision)."""
    precision_ = (prior_precision * np.eye(len(weight))
                  + weight @ weight.T / scale**2)
    covariance = np.linalg.inv(precision_)
    return Gaussian(covariance @ weight @ (x - bias) / scale**2, covariance)


def assert_moments(draws, mean, covariance, num_errors: float = 5.0):
    """Mean and covariance of independent draws lie within standard errors."""
    draws = np.asarray(draws, np.float64)
    root = math.sqrt(len(draws))
    error = draws - np.asarray(mean)
    np.testing.assert_array_less(
        np.abs(error.mean(0)), num_errors * error.std(0) / root + 1e-12)
    products = error[:, :, None] * error[:, None, :]
    np.testing.assert_array_less(
        np.abs(products.mean(0) - covariance),
        num_errors * products.std(0) / root + 1e-12)


def assert_nests_equal(first, second):
    """Same structure, and the same numbers bit for bit."""
    tf.nest.assert_same_structure(first, second)
    for a, b in zip(tf.nest.flatten(first), tf.nest.flatten(second)):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


@contextlib.contextmanager
def raises(kind, message: str):
    """The block raises `kind` with exactly this message."""
    with pytest.raises(kind) as caught:
        yield
    assert str(caught.value) == message


@keras.saving.register_keras_serializable(package="lebm_tf_tests")
class LinearGenerator(keras.layers.Layer):
    """x = z W + b with given numbers."""

    def __init__(self, weight, bias, **kwargs):
        super().__init__(**kwargs)
        weight, bias = np.asarray(weight), np.asarray(bias)
        self.weight = self.add_weight(
            name="weight", shape=weight.shape, initializer="zeros")
        self.bias = self.add_weight(
            name="bias", shape=bias.shape, initializer="zeros")
        self.weight.assign(weight)
        self.bias.assign(bias)
        self.built = True

    def call(self, z):
        return tf.matmul(z, self.weight) + self.bias

    def get_config(self):
        return {**super().get_config(), "weight": self.weight.numpy().tolist(),
                "bias": self.bias.numpy().tolist()}


@keras.saving.register_keras_serializable(package="lebm_tf_tests")
class QuadraticEnergy(keras.layers.Layer):
    """E(z) = q/2 |z|^2, so that the tilted prior is N(0, 1 / (1 + q)).

    With a condition c, E(z, c) = q/2 |z - c|^2.
    """

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = self.add_weight(
            name="factor", shape=(), initializer="zeros")
        self.factor.assign(factor)
        self.built = True

    def call(self, z, condition=None):
        error = z if condition is None else z - condition
        return 0.5 * self.factor * tf.reduce_sum(tf.square(error), -1)

    def get_config(self):
        return {**super().get_config(), "factor": float(self.factor.numpy())}


@keras.saving.register_keras_serializable(package="lebm_tf_tests")
class LinearEncoder(keras.layers.Layer):
    """(mean, log_scale) = (x A + a, x C + c) with random numbers."""

    def __init__(self, data_dim, latent_dim, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.data_dim, self.latent_dim, self.seed = data_dim, latent_dim, seed
        self.dense = keras.layers.Dense(
            2 * latent_dim, kernel_initializer=keras.initializers.RandomNormal(
                stddev=0.3, seed=seed), dtype=self.dtype_policy)
        self.dense.build((None, data_dim))
        self.dense.bias.assign(np.linspace(-0.5, 0.5, 2 * latent_dim))
        self.built = True

    def call(self, x):
        return tuple(tf.split(self.dense(x), 2, axis=-1))

    def get_config(self):
        return {**super().get_config(), "data_dim": self.data_dim,
                "latent_dim": self.latent_dim, "seed": self.seed}


def undeclared(metrics: dict) -> list[str]:
    """Numbers among metrics that their evaluator says nothing of, which way
    they are better."""
    from lebm_tf.evaluation import EVALUATORS
    return [name for name, value in metrics.items()
            if not isinstance(value, str)
            and name.partition("/")[0] not in ("run", "training", "evaluation")
            and not any(evaluator.better(name)
                        for evaluator in EVALUATORS.values())]
