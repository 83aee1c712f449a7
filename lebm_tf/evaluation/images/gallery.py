"""Figures of samples, reconstructions and interpolations."""

import dataclasses
import os
from typing import Any, Iterator

import numpy as np

from lebm_tf.evaluation import pictures
from lebm_tf.evaluation.evaluator import Context, Evaluator, Metric
from lebm_tf.evaluation.images.reconstruction import write_picture
from lebm_tf.kinds import IMAGE

_NUM_SAMPLES = 64
_NUM_LINES = 8
_NUM_POINTS = 10


@dataclasses.dataclass(frozen=True)
class PicturesEvaluator(Evaluator):
    """Figures of samples, reconstructions and interpolations."""

    name = "pictures"
    kinds = (IMAGE,)
    needs_directory = True
    min_examples = 2  # Interpolations lie between pairs.
    metrics = {}

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Writes samples and, if the model infers latents, reconstructions and
        interpolations.

        Yields:
            The name of each file in `context.directory`.
        """
        yield "pictures/samples", _samples(model, context)
        if "inference" not in model.roles:
            return
        yield "pictures/reconstructions", write_picture(model, context)
        yield "pictures/interpolation", _interpolation(model, context)


def _samples(model, context):
    """Held-out images, samples, and draws of p0."""
    seed = context.config.seed
    real = context.data.x_test[:_NUM_SAMPLES]
    panels = [("held-out pictures", real)]
    steps = model.generation.num_steps
    if model.has_energy:
        panels += [
            (f"samples of the learned prior, {steps} steps",
             model.sample(_NUM_SAMPLES, seed).x),
            ("the same chains at the start, $p_0$",
             model.sample(_NUM_SAMPLES, seed, num_steps=0).x)]
    else:
        panels.append(("samples of the prior",
                       model.sample(_NUM_SAMPLES, seed).x))
    pictures.save_panels(os.path.join(context.directory, "samples.png"),
                         panels, pictures.square_columns(_NUM_SAMPLES))
    return "samples.png"


def _interpolation(model, context):
    """Lines between posterior draws of pairs of held-out images."""
    count = min(_NUM_LINES, len(context.data.x_test) // 2)
    x = np.asarray(context.data.to_model(context.data.x_test[:2 * count]))
    first, last = x[:count], x[count:]
    lines = model.interpolate(first, last, _NUM_POINTS, context.config.seed)
    rows = np.concatenate([first[:, None], lines, last[:, None]], axis=1)
    pictures.save_panels(
        os.path.join(context.directory, "interpolation.png"),
        [("held-out pictures at both ends; between them g(z) on the line "
          "from z to z", rows.reshape(-1, *x.shape[1:]))],
        _NUM_POINTS + 2, smallest=720)
    return "interpolation.png"
