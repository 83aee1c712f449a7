"""Fits to the codes of training data: bases, clusters and fitted densities."""

import keras
import numpy as np
import tensorflow as tf

from lebm_tf.datasets import DataSet
from lebm_tf.densities.fitted import check_codes
from lebm_tf.errors import InputError
from lebm_tf.mcmc import rng
from lebm_tf.models import CodeClusters, EnergyModel

_ROWS = 1_000  # Per chunk: float pixels need four times the memory of bytes.
_LARGEST = 20_000  # Maximum number of codes that a base is fitted to.


class FitBases(keras.callbacks.Callback):
    """Fits the bases of a model to posterior codes every `every` steps.

    It must precede the callbacks that save checkpoints.

    Args:
        data: The training data.
        every: Steps between two fits; 0 fits once, before the first step.
    """

    def __init__(self, data: DataSet, every: int):
        super().__init__()
        self.data, self.every = data, every

    def on_train_begin(self, logs=None):
        if not self.every and int(self.model.bases[0].fitted_step) < 0:
            self._fit()

    def on_train_batch_end(self, batch, logs=None):
        if self.every and int(self.model.step) % self.every == 0:
            self._fit()

    def _fit(self):
        """Raises InputError if no base can be fitted to the codes."""
        codes = codes_of(self.model, self.data, _LARGEST)
        for base in self.model.bases:
            try:
                check_codes(codes, base.min_codes)
            except ValueError as error:
                raise InputError(
                    f"step {int(self.model.step)}: {error}") from error
            base.fit(codes, self.model.seed, int(self.model.step))


class FitClusters(keras.callbacks.Callback):
    """Clusters the codes of the training data at the first step and at regular
    intervals.

    It must precede the callbacks that save checkpoints.

    Args:
        data: The training data.
        clusters: Clusters of the model, `models.CodeClusters`.
    """

    def __init__(self, data: DataSet, clusters: CodeClusters):
        super().__init__()
        self.data, self.clusters = data, clusters

    def on_train_begin(self, logs=None):
        if int(self.clusters.fitted_step.numpy()) < 0:
            self._fit()

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step) % self.clusters.interval == 0:
            self._fit()

    def _fit(self):
        """Raises InputError if the codes cannot be clustered."""
        step = int(self.model.step)
        try:
            self.clusters.fit(means_of(self.model, self.data),
                              self.model.seed, step)
        except ValueError as error:
            raise InputError(f"step {step}: {error}") from error


def means_of(model: EnergyModel, data: DataSet) -> np.ndarray:
    """Returns the means of q(z | x) of all training examples, float [num,
    latent_dim]."""
    means = tf.function(lambda x: model.encoder.parameters(x)[0],
                        autograph=False, reduce_retracing=True)
    rows = data.x_train
    return np.concatenate([
        means(data.to_model(rows[first:first + _ROWS])).numpy()
        for first in range(0, len(rows), _ROWS)])


def fit_codes(model: EnergyModel, data: DataSet) -> bool:
    """Fits the `fitted` densities of a model; returns whether any was fitted.

    A density that was fitted at the current step is skipped, so calling this
    again changes nothing.

    Args:
        model: A trained model.
        data: Its training data.
    """
    step = int(model.step)
    waiting = [density for density in model.fitted
               if int(density.fitted_step) != step]
    if not waiting:
        return False
    codes = codes_of(model, data)
    for density in waiting:
        density.fit(codes, model.seed, step)
    return True


def codes_of(model: EnergyModel, data: DataSet, largest: int = 0
             ) -> np.ndarray:
    """Posterior samples of the training examples, float [num, latent_dim].

    Args:
        model: A model with latent vectors.
        data: Its training data.
        largest: Use at most this many examples, from the first on; 0 uses all.
    """
    rows = data.x_train
    num = min(largest or len(rows), len(rows))
    return np.concatenate([
        model.infer(data.to_model(rows[first:min(first + _ROWS, num)]),
                    rng.named(model.seed, "codes", first))
        for first in range(0, num, _ROWS)])
