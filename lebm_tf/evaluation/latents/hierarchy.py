"""What each layer of latents stands for: pictures that differ in one alone."""

import dataclasses
import os
from typing import Any, Iterator

import numpy as np
import tensorflow as tf

from lebm_tf.densities import Base
from lebm_tf.errors import InputError
from lebm_tf.evaluation import pictures
from lebm_tf.evaluation.evaluator import Better, Context, Evaluator, Metric
from lebm_tf.kinds import IMAGE

_NUM_PICTURES = 64


def one_layer_at_a_time(prior: Any, z: tuple) -> list[tuple]:
    """For every layer, z whose rows differ in that layer alone.

    All other layers are those of row 0: of the noise behind them where a layer
    depends on the one above it, so that what is below follows. As in
    train_hs.py of Cui et al. 2023, arXiv:2310.09604, and for conditional
    hierarchies as in arXiv:2306.06323.

    Args:
        prior: Whose base has `to_noise` and `from_noise`.
        z: Draws, (z1, ..., zL), each [rows, ...].
    """
    base = prior if isinstance(prior, Base) else prior.base
    noise = base.to_noise(tuple(map(tf.convert_to_tensor, z)))
    held = tuple(tf.repeat(leaf[:1], tf.shape(leaf)[0], 0) for leaf in noise)
    return [base.from_noise(tuple(
        (noise if j == i else held)[j] for j in range(len(noise))))
        for i in range(len(noise))]


@dataclasses.dataclass(frozen=True)
class LayersEvaluator(Evaluator):
    """What each layer of latents stands for, as pictures and distances."""

    name = "layers"
    kinds = (IMAGE,)
    needs_directory = True
    metrics = {"layers/change_*": Better.NEITHER}

    def check(self, context: Context, model: Any) -> None:
        """Besides, raises unless there are several layers."""
        super().check(context, model)
        base = getattr(model.prior, "base", model.prior)
        if model.num_layers < 2 or not hasattr(base, "to_noise"):
            raise InputError("evaluator layers needs two or more layers of "
                             f"latents, got {model.num_layers}.")

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Hierarchical samples: a panel for every layer, all others held.

        change_k is the mean squared difference of a pixel between samples that
        differ in layer k alone (1 next to the data); from the prior, and, of a
        prior with an energy, from p0 in a picture of its own.

        Yields:
            layers/change_K, and the names of the pictures.
        """
        samples = model.sample(_NUM_PICTURES, context.config.seed)
        yield from self._drawn(model, context, samples, "layers.png", "prior")
        if model.has_energy:
            start = model.sample(_NUM_PICTURES, context.config.seed,
                                 num_steps=0)
            for name, value in self._drawn(
                    model, context, start, "layers_base.png", "$p_0$"):
                yield name.replace("change", "change_base"), value

    def _drawn(self, model, context, samples, file, source):
        panels = [(f"samples of the {source}" if source != "$p_0$" else
                   f"samples of {source}", samples.x)]
        for i, z in enumerate(one_layer_at_a_time(model.prior, samples.z), 1):
            x = model.decode(tf.nest.map_structure(np.asarray, z))
            panels.append((f"z{i} alone drawn anew", x))
            yield f"layers/change_{i}", float(2.0 * np.mean(np.var(x, 0)))
        pictures.save_panels(os.path.join(context.directory, file), panels,
                             pictures.square_columns(_NUM_PICTURES), 240)
        yield f"layers/{file.removesuffix('.png')}", file
