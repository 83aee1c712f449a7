"""Role of each layer of latents, and the distance to its prior."""

import dataclasses
import os
from typing import Annotated, Any, Iterator

import numpy as np
import tensorflow as tf

from lebm_tf.densities import Base
from lebm_tf.errors import InputError
from lebm_tf.evaluation import pictures, plots
from lebm_tf.evaluation.evaluator import Better, Context, Evaluator, Metric
from lebm_tf.evaluation.images.frechet import frechet_distance
from lebm_tf.kinds import IMAGE
from lebm_tf.mcmc import rng
from lebm_tf.ranges import Ge

_NUM_PICTURES = 64
_NUM_CHAINS = 200
_LARGEST_WIDTH = 512  # Widest layer whose covariance is compared.


def one_layer_at_a_time(prior: Any, z: tuple) -> list[tuple]:
    """For every layer, latents whose rows differ in that layer only.

    All other layers equal row 0; if a layer depends on the one above it, the
    noise behind it does, so that lower layers follow. As in train_hs.py of Cui
    et al. 2023, arXiv:2310.09604, and for conditional hierarchies as in
    arXiv:2306.06323.

    Args:
        prior: A prior whose base has `to_noise` and `from_noise`.
        z: Draws, (z1, ..., zL), each [rows, ...].
    """
    base = _base(prior)
    noise = base.to_noise(tuple(map(tf.convert_to_tensor, z)))
    held = tuple(tf.repeat(leaf[:1], tf.shape(leaf)[0], 0) for leaf in noise)
    return [base.from_noise(tuple(
        (noise if j == i else held)[j] for j in range(len(noise))))
        for i in range(len(noise))]


def _base(prior):
    return prior if isinstance(prior, Base) else prior.base


@dataclasses.dataclass(frozen=True)
class LayersEvaluator(Evaluator):
    """Role of each layer of latents, and the distance to its prior.

    Attributes:
        num_draws: Draws of the prior for Frechet distances, and maximum number
            of held-out images with one posterior draw each.
    """
    num_draws: Annotated[int, Ge(2)] = 1000

    name = "layers"
    kinds = (IMAGE,)
    needs_directory = True
    min_examples = 2
    metrics = {"layers/change_*": Better.NEITHER,
               "layers/frechet_*": Better.LOWER,
               "layers/base_frechet_*": Better.NEITHER}

    def check(self, context: Context, model: Any) -> None:
        """As `Evaluator.check`; also raises unless there are several layers."""
        super().check(context, model)
        base = getattr(model.prior, "base", model.prior)
        if model.num_layers < 2 or not hasattr(base, "to_noise"):
            raise InputError("evaluator layers needs two or more layers of "
                             f"latents, got {model.num_layers}.")

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Distances and figures of every layer; layer 1 is next to the data.

        change_K is the mean squared difference per pixel between samples that
        differ in layer K only; for p0 it is change_base_K, with a figure of its
        own. frechet_K is the Frechet distance, in z of layer K, between draws
        of the prior and posterior draws of held-out images, base_frechet_K that
        of p0: the metric of the toy example of arXiv:2306.06323. Layers wider
        than 512 are skipped.

        Yields:
            layers/change_K, frechet_K and base_frechet_K, and the names of the
            figures.
        """
        seed = context.config.seed
        samples = model.sample(max(_NUM_PICTURES, self.num_draws), seed)
        x = np.asarray(context.data.to_model(
            context.data.x_test[:self.num_draws]))
        posterior = model.infer(x, seed)
        start = _base(model.prior).sample(
            self.num_draws, rng.stream(rng.make_seed(seed), "layers"))
        yield from self._drawn(model, context, samples.z, "layers.png",
                               "samples of the prior")
        yield from _distances("frechet", samples.z, posterior)
        if model.has_energy:
            for name, value in self._drawn(model, context, start,
                                           "layers_base.png",
                                           "samples of $p_0$"):
                yield name.replace("change", "change_base"), value
            yield from _distances("base_frechet", start, posterior)
            transition = model.transition(_NUM_CHAINS, seed=seed)
            plots.layers_on_the_way(
                os.path.join(context.directory, "layers_transition.png"),
                transition.steps, [_flat(leaf, 2) for leaf in transition.z],
                [_flat(leaf, 1) for leaf in posterior])
            yield "layers/transition", "layers_transition.png"

    def _drawn(self, model, context, z, file, caption):
        z = tuple(leaf[:_NUM_PICTURES] for leaf in z)
        panels = [(caption, model.decode(
            tf.nest.map_structure(np.asarray, z)))]
        for i, varied in enumerate(one_layer_at_a_time(model.prior, z), 1):
            x = model.decode(tf.nest.map_structure(np.asarray, varied))
            panels.append((f"z{i} alone drawn anew", x))
            yield f"layers/change_{i}", float(2.0 * np.mean(np.var(x, 0)))
        pictures.save_panels(os.path.join(context.directory, file), panels,
                             pictures.square_columns(_NUM_PICTURES), 240)
        yield f"layers/{file.removesuffix('.png')}", file


def _distances(name, drawn, posterior):
    for i, layers in enumerate(zip(drawn, posterior), 1):
        first, second = (_flat(np.asarray(leaf), 1) for leaf in layers)
        if first.shape[1] <= _LARGEST_WIDTH:
            yield f"layers/{name}_{i}", frechet_distance(first, second)


def _flat(leaf, num_axes):
    """Merges all but the first axes into one."""
    return np.reshape(leaf, [*leaf.shape[:num_axes], -1])
