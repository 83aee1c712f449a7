"""Out-of-distribution detection with layers of latents."""

import dataclasses
from typing import Any, Iterator

import numpy as np
import tensorflow as tf

from lebm_tf.configuration.data import DataConfig
from lebm_tf.datasets import load_dataset
from lebm_tf.datasets.loading import kind_of
from lebm_tf.densities import prior_target
from lebm_tf.errors import InputError
from lebm_tf.evaluation.evaluator import Better, Context, Evaluator, Metric
from lebm_tf.kinds import IMAGE
from lebm_tf.mcmc import rng
from lebm_tf.ranges import NonNegativeInt, PositiveInt

ROTATED = "rotated"


def redrawn(model: Any, z: tuple, num_layers: int, seed: rng.Seed) -> tuple:
    """z with its lowest layers redrawn from the prior, given the others.

    They are drawn from the base, given the layers above; if the prior has an
    energy, its chains then move these layers only.

    Args:
        model: An `EnergyModel` whose base has `to_noise` and `from_noise`.
        z: (z1, ..., zL), each [rows, ...].
        num_layers: Number of layers to redraw, from 0 to L.
        seed: int32 [2].
    """
    if not num_layers:
        return z
    base = getattr(model.prior, "base", model.prior)
    noise = base.to_noise(z)
    z = base.from_noise(tuple(
        rng.normal_like(leaf, rng.stream(seed, f"z{i + 1}"))
        if i < num_layers else leaf for i, leaf in enumerate(noise)))
    if not model.has_energy:
        return z
    held, chains = z[num_layers:], model.generation.lowest(num_layers)
    low = chains.trace(
        lambda low: model.prior.unnormalized_log_prob((*low, *held)),
        z[:num_layers], rng.stream(seed, "chain"),
        lambda state, _: state.position, every=max(1, chains.num_steps))
    low = tf.nest.map_structure(lambda leaf: leaf[-1], low)
    return (*low, *held)


def bounds(model: Any, x: np.ndarray, layers: list[int], num_draws: int,
           seed: int) -> np.ndarray:
    """L>k of images: the mean over draws of log p(x | z) - E(z) + log p0(z).

    Layers above k are posterior draws; layers up to k come from the prior given
    them. L>0 is `score`. Cui et al. 2023, arXiv:2306.06323, equation 20, with
    all three terms, after Havtorn et al. 2021, arXiv:2102.08248.

    Args:
        model: An `EnergyModel`.
        x: Images as the model takes them, [num, height, width, channels].
        layers: Values of k.
        num_draws: Number of draws, at least 1.
        seed: Any int.

    Returns:
        float64 [k, num], in nats up to log Z.
    """
    @tf.function(autograph=False)
    def of_batch(x, z, seed):
        found = []
        for k in layers:
            moved = redrawn(model, z, k, rng.stream(seed, f"above_{k}"))
            found.append(model.likelihood.log_prob(x, moved)
                         + prior_target(model.prior)(moved))
        return tf.stack(found)
    size = min(model.inference_batch, len(x))
    total: Any = 0.0
    for draw in range(num_draws):
        z = model.infer(x, rng.named(seed, "draw", draw))
        parts = []
        for first in range(0, len(x), size):
            # The last batch is padded, so that there is one graph.
            rows = np.arange(first, first + size) % len(x)
            parts.append(of_batch(
                x[rows], tf.nest.map_structure(
                    lambda leaf: tf.constant(leaf[rows]), z),  # noqa: B023
                rng.fold_in(rng.make_seed(rng.named(
                    seed, "redrawn", draw)), first)).numpy())
        total = total + np.concatenate(parts, 1)[:, :len(x)].astype(np.float64)
    return total / num_draws


@dataclasses.dataclass(frozen=True)
class OutOfDistributionEvaluator(Evaluator):
    """Detection of images from another distribution.

    Attributes:
        dataset: The other images: rotated (held-out images of the data, rotated
            by 90 degrees), or a data set as in --dataset, in the same folder
            and resized to the same side.
        layer: k of L>k and LLR>k; 0 for every layer but the top.
        num_examples: Maximum number of held-out images of each kind.
    """
    dataset: str = ROTATED
    layer: NonNegativeInt = 0
    num_examples: PositiveInt = 1000

    name = "out_of_distribution"
    kinds = (IMAGE,)
    metrics = {
        "out_of_distribution/auroc_*": Better.HIGHER,
        "out_of_distribution/auprc_*": Better.HIGHER,
        "out_of_distribution/num_examples": Better.NEITHER}

    def check(self, context: Context, model: Any) -> None:
        """As `Evaluator.check`; also raises unless there are several layers, k
        is among them, and the other images have the same shape."""
        super().check(context, model)
        base = getattr(model.prior, "base", model.prior)
        if model.num_layers < 2 or not hasattr(base, "to_noise"):
            raise InputError(f"evaluator {self.name} needs two or more layers "
                             f"of latents, got {model.num_layers}.")
        if not self.layer < model.num_layers:
            raise InputError(
                f"evaluator {self.name} needs a layer below the top, 1 to "
                f"{model.num_layers - 1}, or 0 for all, got {self.layer}.")
        self._others(context.data)

    def _is_image(self):
        return kind_of(DataConfig(self.dataset)) == IMAGE

    def _others(self, data) -> np.ndarray:
        """The other images, in the format of `data`."""
        if self.dataset == ROTATED:
            others = np.rot90(data.x_test, axes=(1, 2))
            shape = tuple(others.shape[1:])
        else:
            loaded = load_dataset(
                self.dataset, data_dir=data.origin.get("data_dir", ""),
                image_size=data.shape[0] if self._is_image() else 0)
            if loaded.kind != IMAGE or not len(loaded.x_test):
                raise InputError(
                    f"evaluator {self.name} needs a data set with held-out "
                    f"images, got {len(loaded.x_test)} in {self.dataset}.")
            others, shape = loaded.x_test, tuple(loaded.shape)
        if shape != tuple(data.shape):
            raise InputError(
                f"evaluator {self.name} needs images of shape "
                f"{tuple(data.shape)}, got {shape} in {self.dataset}.")
        return others

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Areas under the ROC and precision-recall curves, with the other
        images as positives.

        The scores are -L>k, which is high for improbable images, and LLR>k =
        L>0 - L>k, which is high if low layers are needed to explain the image.
        The area under the precision-recall curve is the average precision.

        Yields:
            out_of_distribution/auroc_l_K, auprc_l_K for k = 0, ..., and
            auroc_llr_K, auprc_llr_K for k >= 1.
        """
        from sklearn import metrics  # Slow to import.
        data, config = context.data, context.config
        others = self._others(data)
        count = min(self.num_examples, len(others), len(data.x_test))
        x = np.concatenate([np.asarray(data.to_model(pictures[:count]))
                            for pictures in (data.x_test, others)])
        is_other = np.repeat([False, True], count)
        layers = [0, *([self.layer] if self.layer else
                       range(1, model.num_layers))]
        values = bounds(model, x, layers, config.num_draws, config.seed)
        for k, value in zip(layers, values):
            scores = {f"l_{k}": -value}
            if k:
                scores[f"llr_{k}"] = values[0] - value
            for name, score in scores.items():
                yield (f"out_of_distribution/auroc_{name}",
                       float(metrics.roc_auc_score(is_other, score)))
                yield (f"out_of_distribution/auprc_{name}", float(
                    metrics.average_precision_score(is_other, score)))
        yield "out_of_distribution/dataset", self.dataset
        yield "out_of_distribution/num_examples", count
