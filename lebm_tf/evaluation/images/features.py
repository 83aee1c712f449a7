"""Feature extractors for distances between sets of images."""

import dataclasses
import math
import os
from typing import Callable

import numpy as np

from lebm_tf.datasets import ImageData, to_model
from lebm_tf.evaluation.evaluator import Metric
from lebm_tf.evaluation.images import classifier, inception, mobilenet

FEATURES = ("classifier", "inception", "mobilenet")


@dataclasses.dataclass(frozen=True)
class Features:
    """A map from images to feature vectors, with the data to report with it.

    Attributes:
        name: Name of the network: "classifier", "mobilenet" or a name of
            `inception.load`.
        extract: Function from images, float32 [batch, height, width, channels]
            in [-1, 1], to features, float32 [batch, width].
        batch_size: Images per batch, >= 1.
        reference: Part of the data that distances are measured to, "train" or
            "held_out".
        metrics: Further metrics to report, (name, value) pairs.
    """
    name: str
    extract: Callable[[np.ndarray], np.ndarray]
    batch_size: int
    reference: str
    metrics: tuple[Metric, ...] = ()

    def __call__(self, images) -> np.ndarray:
        """Features of images, float64 [num_images, width].

        Args:
            images: [num_images, height, width, channels], uint8, or float;
                values outside [-1, 1] are clipped, and not rounded.
        """
        parts = []
        for i in range(math.ceil(len(images) / self.batch_size)):
            rows = images[i * self.batch_size:(i + 1) * self.batch_size]
            part = self.extract(np.clip(to_model(rows), -1.0, 1.0))
            parts.append(np.asarray(part, np.float64))
        return np.concatenate(parts)


def check(features: str, data: ImageData, inception_weights: str = "",
          mobilenet_weights: str = "") -> None:
    """Raises InputError if labels or weights are missing.

    Weights without a file are downloaded now, not after hours of training.
    Arguments as in `load`.
    """
    if features == "classifier":
        classifier.check(data)
    elif features == "mobilenet":
        mobilenet.check(mobilenet_weights)
    elif inception_weights:
        inception.check(os.path.expanduser(inception_weights))
    else:
        inception.load("")


def load(features: str, data: ImageData, *, inception_weights: str = "",
         mobilenet_weights: str = "", num_classifier_steps: int = 1000,
         classifier_path: str = "") -> Features:
    """Returns the features for distances.

    Args:
        features: classifier, compared with held-out images, which it has not
            seen in training; mobilenet, compared with held-out images; or
            inception, compared with all training images, as in published
            numbers.
        data: Images.
        inception_weights: As in `inception.load`.
        mobilenet_weights: As in `mobilenet.load`.
        num_classifier_steps: Training steps of the classifier, >= 1.
        classifier_path: File that keeps it, as in `classifier.load`.

    Raises:
        InputError: If labels are missing, or weights are missing or wrong.
    """
    if features == "inception":
        name, extract = inception.load(inception_weights)
        return Features(name, extract, inception.BATCH_SIZE, "train")
    if features == "mobilenet":
        return Features(features, mobilenet.load(mobilenet_weights),
                        mobilenet.BATCH_SIZE, "held_out")
    network, accuracy = classifier.load(
        data, num_classifier_steps, classifier_path)
    return Features(
        "classifier", network, 500, "held_out",
        () if accuracy is None else (("classifier_accuracy", accuracy),))
