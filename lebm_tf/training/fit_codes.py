"""What is fitted to the codes of training data, during training or after it."""

import keras
import numpy as np
import tensorflow as tf

from lebm_tf.datasets import DataSet
from lebm_tf.densities.fitted import check_codes
from lebm_tf.errors import InputError
from lebm_tf.mcmc import rng
from lebm_tf.models import CodeClusters, EnergyModel

_ROWS = 1_000  # At a time: pixels as floats take four times the room.
_LARGEST = 20_000  # Codes that a base is fitted to, at most.


class FitBases(keras.callbacks.Callback):
    """Fits the bases of a model every so many steps, to the codes that its
    posterior has then. Comes before what makes checkpoints.

    Args:
        data: What is trained on.
        every: Steps between two fits; 0 for one, before the first step.
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
        """Raises InputError if the codes are none that a base can fit."""
        codes = codes_of(self.model, self.data, _LARGEST)
        for base in self.model.bases:
            try:
                check_codes(codes, base.min_codes)
            except ValueError as error:
                raise InputError(
                    f"step {int(self.model.step)}: {error}") from error
            base.fit(codes, self.model.seed, int(self.model.step))


class FitClusters(keras.callbacks.Callback):
    """Clusters the codes of training data at the first step, and every so
    many. Comes before what makes checkpoints.

    Args:
        data: What is trained on.
        clusters: Of the model, `models.CodeClusters`.
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
        """Raises InputError if the codes are none that can be clustered."""
        step = int(self.model.step)
        try:
            self.clusters.fit(means_of(self.model, self.data),
                              self.model.seed, step)
        except ValueError as error:
            raise InputError(f"step {step}: {error}") from error


def means_of(model: EnergyModel, data: DataSet) -> np.ndarray:
    """Means of q(z | x) of all training examples, float [num, latent_dim]."""
    means = tf.function(lambda x: model.encoder.parameters(x)[0],
                        autograph=False, reduce_retracing=True)
    rows = data.x_train
    return np.concatenate([
        means(data.to_model(rows[first:first + _ROWS])).numpy()
        for first in range(0, len(rows), _ROWS)])


def fit_codes(model: EnergyModel, data: DataSet) -> bool:
    """Fits the `fitted` densities of a model; returns whether there was one.

    One that was fitted at this very step is left as it is, so a run that is
    called again changes nothing.

    Args:
        model: A trained model.
        data: What it was trained on.
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
    """Posterior draws of training examples, float [num, latent_dim].

    Args:
        model: A model whose latents are vectors.
        data: What it is trained on.
        largest: How many of the examples at most, from the first on; 0 for
            all.
    """
    rows = data.x_train[:largest] if largest else data.x_train
    return np.concatenate([
        model.infer(data.to_model(rows[first:first + _ROWS]),
                    rng.named(model.seed, "codes", first))
        for first in range(0, len(rows), _ROWS)])
