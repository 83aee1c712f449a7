"""Reconstruction error of held-out images."""

import dataclasses
import math
import os
from typing import Any, Iterator

import numpy as np

from lebm_tf.evaluation import pictures
from lebm_tf.evaluation.evaluator import Better, Context, Evaluator, Metric
from lebm_tf.kinds import IMAGE, VECTOR

_NUM_SHOWN = 36


@dataclasses.dataclass(frozen=True)
class ReconstructionEvaluator(Evaluator):
    """Reconstruction error of held-out images or vectors."""

    name = "reconstruction"
    kinds = (IMAGE, VECTOR)
    needs_inference = True
    metrics = {
        "reconstruction/mse": Better.LOWER,
        "reconstruction/mse_largest": Better.LOWER,
        **{f"reconstruction/{name}": Better.NEITHER for name in (
            "mse_standard_error", "energy", "energy_scale", "num_images",
            "num_draws")}}

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Mean squared error per pixel and channel, pixels in [-1, 1].

        |x - g(z)|^2 / (height width channels) with z from the posterior
        sampler of the model, averaged over draws and over all held-out images:
        the number in the tables of Pang et al. 2020, arXiv:2006.08205. Draws
        include the noise of the sampler, as in training; g(z) includes none.
        """
        x = np.asarray(context.data.to_model(context.data.x_test))
        config = context.config
        score = model.score(x, config.seed, num_draws=config.num_draws)
        error = score.squared_error.astype(np.float64) / math.prod(x.shape[1:])
        yield "reconstruction/mse", float(error.mean())
        yield "reconstruction/mse_standard_error", standard_error(error)
        yield "reconstruction/mse_largest", float(error.max())
        if model.has_energy:
            yield "reconstruction/energy", float(score.energy.mean())
            yield "reconstruction/energy_scale", float(score.energy.std())
        yield "reconstruction/num_images", len(x)
        yield "reconstruction/num_draws", config.num_draws
        if context.directory and context.data.kind == IMAGE:
            write_picture(model, context)


def write_picture(model: Any, context: Context) -> str:
    """Writes reconstructions.png, held-out images and one posterior draw of
    each; returns its name."""
    x = np.asarray(context.data.to_model(context.data.x_test[:_NUM_SHOWN]))
    columns = pictures.square_columns(len(x))
    pictures.save_panels(
        os.path.join(context.directory, "reconstructions.png"),
        [("held-out pictures", x),
         ("reconstructions g(z), z ~ p(z | x)",
          model.reconstruct(x, context.config.seed))], columns)
    return "reconstructions.png"


def standard_error(values: np.ndarray) -> float:
    """Standard error of the mean of independent values; 0 for one value."""
    return float(np.std(values, ddof=min(1, len(values) - 1))
                 / math.sqrt(len(values)))
