"""What is fitted to the codes of training data once training is over."""

import numpy as np

from lebm_tf.datasets import DataSet
from lebm_tf.mcmc import rng
from lebm_tf.models import EnergyModel

_ROWS = 1_000  # At a time: pixels as floats take four times the room.


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
    codes = np.concatenate([
        model.infer(data.to_model(data.x_train[first:first + _ROWS]),
                    rng.named(model.seed, "codes", first))
        for first in range(0, len(data.x_train), _ROWS)])
    for density in waiting:
        density.fit(codes, model.seed, step)
    return True
