"""Distances between the features of samples and of real images."""

import dataclasses
import math
from typing import Annotated, Any, Iterator

import numpy as np

from lebm_tf.datasets.stored import first
from lebm_tf.evaluation.evaluator import Better, Context, Evaluator, Metric
from lebm_tf.evaluation.images import features
from lebm_tf.evaluation.images.features import FEATURES
from lebm_tf.evaluation.images.manifold import precision_recall
from lebm_tf.kinds import IMAGE
from lebm_tf.ranges import Ge, OneOf, PositiveInt

_LARGEST_BLOCK = 1000
_SMALLEST_NUMBER_OF_BLOCKS = 10


@dataclasses.dataclass(frozen=True)
class FrechetEvaluator(Evaluator):
    """Distances between samples and real images.

    Attributes:
        num_samples: Number of samples; published numbers use 50000.
        features: Features to compare: classifier (a small network trained on
            the labels of the data), mobilenet (for colour images on a CPU) or
            inception (as published).
        inception_weights: File of the Inception network; default: download the
            Keras weights. See `evaluation.images.inception`.
        mobilenet_weights: File of the MobileNet weights, .h5 or .npz.
        num_classifier_steps: Training steps of the classifier.
    """
    num_samples: Annotated[int, Ge(4)] = 5000
    features: Annotated[str, OneOf(FEATURES)] = "classifier"
    inception_weights: str = ""
    mobilenet_weights: str = ""
    num_classifier_steps: PositiveInt = 1000

    name = "frechet"
    kinds = (IMAGE,)
    metrics = {
        **{f"{distance}/{name}": Better.LOWER
           for distance in ("frechet", "kernel")
           for name in ("samples", "base_samples")},
        **{f"{part}/{name}": Better.HIGHER
           for part in ("precision", "recall")
           for name in ("samples", "base_samples")},
        "frechet/reconstructions": Better.LOWER,
        "frechet/real": Better.NEITHER, "kernel/real": Better.NEITHER,
        "kernel/*_standard_error": Better.NEITHER,
        "precision/real": Better.NEITHER, "recall/real": Better.NEITHER,
        "frechet/num_reference": Better.NEITHER,
        "frechet/num_samples": Better.NEITHER,
        "frechet/classifier_accuracy": Better.NEITHER}

    def check(self, context: Context, model: Any) -> None:
        """As `Evaluator.check`; also raises if labels or weights are missing.
        """
        super().check(context, model)
        features.check(self.features, context.data, self.inception_weights,
                       self.mobilenet_weights)

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Compares samples, base samples and reconstructions with real images.

        `real` compares the part of the data that is not the reference with the
        reference, the value of a perfect model. All sets but the reference have
        `num_samples` images, or as many as there are: the Frechet distance is
        biased upward for small sets, so compare equal numbers only. The kernel
        distance is unbiased.

        Yields:
            frechet/X, kernel/X, kernel/X_standard_error, precision/X and
            recall/X for X in samples (of the model), base_samples (its chains
            at the start, if it has an energy), reconstructions (of held-out
            images, if it infers latents; frechet alone, as the others are for
            independent sets) and real; then the settings of the measurement.
        """
        config, data = context.config, context.data
        extract = features.load(
            self.features, data, inception_weights=self.inception_weights,
            mobilenet_weights=self.mobilenet_weights,
            num_classifier_steps=self.num_classifier_steps,
            classifier_path=context.classifier_path)
        parts = {"train": first(data.x_train), "held_out": data.x_test}
        other, = set(parts) - {extract.reference}
        reference = extract(parts[extract.reference])
        compared = {"samples": lambda: model.sample(
            self.num_samples, config.seed).x}
        if model.has_energy:
            compared["base_samples"] = lambda: model.sample(
                self.num_samples, config.seed, num_steps=0).x
        if "inference" in model.roles:
            compared["reconstructions"] = lambda: model.reconstruct(
                np.asarray(data.to_model(data.x_test[:self.num_samples])),
                config.seed)
        compared["real"] = lambda: parts[other][:self.num_samples]
        for name, make in compared.items():
            values = extract(make())
            yield f"frechet/{name}", frechet_distance(values, reference)
            if name == "reconstructions":
                continue
            distance, error = kernel_distance(values, reference)
            yield f"kernel/{name}", distance
            yield f"kernel/{name}_standard_error", error
            precision, recall = precision_recall(values, reference)
            yield f"precision/{name}", precision
            yield f"recall/{name}", recall
        yield "frechet/features", extract.name
        yield "frechet/reference", extract.reference
        yield "frechet/num_reference", len(reference)
        yield "frechet/num_samples", self.num_samples
        for name, value in extract.metrics:
            yield f"frechet/{name}", value


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Frechet distance between Gaussians fitted to two sets of features.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)); Heusel et al. 2017,
    arXiv:1706.08500, equation (6).

    Args:
        first, second: float [num, width], at least 2 rows each.

    Raises:
        ValueError: If a shape is wrong, or a value is not finite.
    """
    first, second = _check(first, second)
    moments = [(values.mean(0), np.cov(values, rowvar=False, ddof=1).reshape(
        values.shape[1], values.shape[1])) for values in (first, second)]
    return gaussian_frechet_distance(*moments[0], *moments[1])


def gaussian_frechet_distance(mean_1: np.ndarray, covariance_1: np.ndarray,
                              mean_2: np.ndarray, covariance_2: np.ndarray
                              ) -> float:
    """The same from means [width] and covariances [width, width].

    The authors take a matrix square root of C1 C2, which fails for singular
    matrices; they then add 1e-6 to both diagonals. C1^(1/2) C2 C1^(1/2) has the
    same eigenvalues and is symmetric, so no such correction is needed.
    """
    root = _root(np.asarray(covariance_1, np.float64))
    product = root @ np.asarray(covariance_2, np.float64) @ root
    eigenvalues = np.linalg.eigvalsh(0.5 * (product + product.T))
    overlap = np.sqrt(np.maximum(eigenvalues, 0.0)).sum()
    difference = np.asarray(mean_1, np.float64) - mean_2
    distance = (difference @ difference + np.trace(covariance_1)
                + np.trace(covariance_2) - 2.0 * overlap)
    return float(max(distance, 0.0))  # Rounding may leave -1e-12.


def kernel_distance(first: np.ndarray, second: np.ndarray
                    ) -> tuple[float, float]:
    """Squared maximum mean discrepancy with k(a, b) = (a.b / width + 1)^3.

    Unbiased; Binkowski et al. 2018, arXiv:1801.01401, section 4. Averaged over
    at least 10 blocks of at most 1000 rows, where they use random subsets; our
    blocks do not overlap, so the standard error is valid.

    Args:
        first, second: float [num, width], at least 2 rows each.

    Returns:
        The distance and its standard error. Fewer than 20 rows make fewer than
        10 blocks; fewer than 4 rows make one block, with error 0.

    Raises:
        ValueError: If a shape is wrong, or a value is not finite.
    """
    first, second = _check(first, second)
    largest, smallest = sorted((len(first), len(second)), reverse=True)
    blocks = min(max(_SMALLEST_NUMBER_OF_BLOCKS,
                     math.ceil(largest / _LARGEST_BLOCK)), smallest // 2)
    # Every blocks-th row, since data sets may be sorted by class.
    values = np.array([_discrepancy(first[i::blocks], second[i::blocks])
                       for i in range(blocks)])
    error = values.std(ddof=1) / math.sqrt(blocks) if blocks > 1 else 0.0
    return float(values.mean()), float(error)


def _discrepancy(first, second):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1.0)**3

    def within(a):
        matrix, n = kernel(a, a), len(a)
        return (matrix.sum() - np.trace(matrix)) / (n * (n - 1))
    return within(first) + within(second) - 2 * kernel(first, second).mean()


def _root(covariance):
    """The symmetric square root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def _check(*given):
    sets = [np.asarray(values, np.float64) for values in given]
    shapes = " and ".join(str(list(values.shape)) for values in sets)
    if any(values.ndim != 2 or len(values) < 2 for values in sets) or (
            sets[0].shape[1] != sets[1].shape[1]):
        raise ValueError("features must be two arrays [num >= 2, width] of "
                         f"one width, got {shapes}.")
    if not all(np.isfinite(values).all() for values in sets):
        raise ValueError("features must be finite, got NaN or infinity.")
    return sets
