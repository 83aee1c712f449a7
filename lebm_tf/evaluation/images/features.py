"""Feature extractors: what distances between sets of pictures compare."""

import dataclasses
import math
import os
from typing import Callable

import numpy as np

from lebm_tf.datasets import to_model
from lebm_tf.evaluation.evaluator import Context, Metric
from lebm_tf.evaluation.images import classifier, inception


@dataclasses.dataclass(frozen=True)
class Features:
    """Pictures to vectors, with what must be said next to every number.

    Attributes:
        name: Which network, "classifier" or one of `inception`'s.
        extract: Pictures, float32 [batch, height, width, channels] in
            [-1, 1], to features, float32 [batch, width].
        batch_size: Pictures at a time, >= 1.
        reference: Part of the data that distances are measured to, "train"
            or "held_out".
        metrics: What else to report, (name, value) pairs.
    """
    name: str
    extract: Callable[[np.ndarray], np.ndarray]
    batch_size: int
    reference: str
    metrics: tuple[Metric, ...] = ()

    def __call__(self, images) -> np.ndarray:
        """Features of pictures, float64 [num_images, width].

        Args:
            images: [num_images, height, width, channels], uint8, or float;
                values outside [-1, 1] are clipped, nothing is rounded.
        """
        parts = []
        for i in range(math.ceil(len(images) / self.batch_size)):
            rows = images[i * self.batch_size:(i + 1) * self.batch_size]
            part = self.extract(np.clip(to_model(rows), -1.0, 1.0))
            parts.append(np.asarray(part, np.float64))
        return np.concatenate(parts)


def check(context: Context) -> None:
    """Raises InputError if labels or the weights are missing.

    Weights that no file is named for are fetched now, not after hours of
    training.
    """
    config, data = context.config, context.data
    if config.features == "classifier":
        classifier.check(data)
    elif config.inception_weights:
        inception.check(os.path.expanduser(config.inception_weights))
    else:
        inception.load("")


def load(context: Context) -> Features:
    """The features that the configuration asks for.

    classifier: measured against held-out pictures, which it has not seen.
    inception: against all training pictures, as in the published numbers.

    Raises:
        InputError: If labels or weights are missing, or not those.
    """
    config = context.config
    if config.features == "inception":
        name, extract = inception.load(config.inception_weights)
        return Features(name, extract, inception.BATCH_SIZE, "train")
    network, accuracy = classifier.load(
        context.data, config.classifier_steps, context.classifier_path)
    return Features(
        "classifier", network, 500, "held_out",
        () if accuracy is None else (("classifier_accuracy", accuracy),))
