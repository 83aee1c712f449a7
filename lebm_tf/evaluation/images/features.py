"""Feature extractors: what distances between sets of pictures compare."""

import dataclasses
import math
import os
from typing import Callable

import numpy as np

from lebm_tf.datasets import ImageData, to_model
from lebm_tf.evaluation.evaluator import Metric
from lebm_tf.evaluation.images import classifier, inception

FEATURES = ("classifier", "inception")


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


def check(features: str, data: ImageData, inception_weights: str = ""
          ) -> None:
    """Raises InputError if labels or the weights are missing.

    Weights that no file is named for are fetched now, not after hours of
    training. Arguments as of `load`.
    """
    if features == "classifier":
        classifier.check(data)
    elif inception_weights:
        inception.check(os.path.expanduser(inception_weights))
    else:
        inception.load("")


def load(features: str, data: ImageData, *, inception_weights: str = "",
         num_classifier_steps: int = 1000, classifier_path: str = ""
         ) -> Features:
    """The features that distances compare.

    Args:
        features: classifier, which is measured against held-out pictures,
            which it has not seen; or inception, against all training
            pictures, as in the published numbers.
        data: Pictures.
        inception_weights: As of `inception.load`.
        num_classifier_steps: Training steps of the classifier, >= 1.
        classifier_path: File that keeps it, as of `classifier.load`.

    Raises:
        InputError: If labels or weights are missing, or not those.
    """
    if features == "inception":
        name, extract = inception.load(inception_weights)
        return Features(name, extract, inception.BATCH_SIZE, "train")
    network, accuracy = classifier.load(
        data, num_classifier_steps, classifier_path)
    return Features(
        "classifier", network, 500, "held_out",
        () if accuracy is None else (("classifier_accuracy", accuracy),))
