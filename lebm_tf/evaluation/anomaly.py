"""Anomaly detection: images of a class that was left out of training."""

import dataclasses
import math
from typing import Annotated, Any, Iterator

import numpy as np
import tensorflow as tf

from lebm_tf.datasets.classes import number_of
from lebm_tf.errors import InputError
from lebm_tf.evaluation.evaluator import Better, Context, Evaluator, Metric
from lebm_tf.kinds import IMAGE
from lebm_tf.ranges import OneOf

SCORES = ("damc", "log_joint")


@dataclasses.dataclass(frozen=True)
class AnomalyEvaluator(Evaluator):
    """Detection of a class that was left out of training.

    Attributes:
        score: Anomaly score: damc (squared error + E + |z|^2 / 2, as published)
            or log_joint (-log p(x, z), which includes the scale of the
            likelihood).
    """
    score: Annotated[str, OneOf(SCORES)] = "damc"

    name = "anomaly"
    kinds = (IMAGE,)
    needs_inference = True
    metrics = {
        "anomaly/auprc": Better.HIGHER, "anomaly/auprc_*": Better.HIGHER,
        "anomaly/auroc": Better.HIGHER, "anomaly/mse_normal": Better.LOWER,
        # Low for a good model of all classes, high for one of the normal ones.
        "anomaly/mse_anomaly": Better.NEITHER,
        "anomaly/prevalence": Better.NEITHER,
        "anomaly/label": Better.NEITHER, "anomaly/num_draws": Better.NEITHER}

    def check(self, context: Context, model: Any) -> None:
        """As `Evaluator.check`; also raises unless the data are split for the
        label."""
        super().check(context, model)
        if self.score == "damc" and not _has_distance(model):
            raise InputError(
                "evaluator anomaly needs --evaluation_anomaly_score=log_joint "
                "for a model whose likelihood has no squared error, got damc.")
        data, label = context.data, context.anomaly_label
        if label < 0:
            raise InputError("evaluator anomaly needs an anomaly label >= 0, "
                             f"got {label}.")
        if data.y_test is None:
            raise InputError("evaluator anomaly needs held-out labels, got "
                             f"none in {data.name}.")
        number = number_of(data.classes, label)
        is_anomaly = data.y_test == number
        if not 0 < is_anomaly.sum() < len(is_anomaly):
            raise InputError(
                f"{data.name}: held-out labels must include class {label} and "
                f"others, got {is_anomaly.sum()} of {len(is_anomaly)} in that "
                "class.")
        if data.y_train is not None and (
                data.y_train == number).any():
            raise InputError(
                f"{data.name}: training images must not include the anomaly "
                f"class {label}; split them with anomaly_split.")

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Area under the precision-recall curve, with anomalies as positives.

        Pang et al. 2020, arXiv:2006.08205, with the split of `anomaly_split`.
        The score is averaged over `num_draws` posterior draws. These include
        the sampler's noise; the code of Yu et al. 2023, arXiv:2310.03218, takes
        one draw without noise. An uninformative score has an area equal to the
        prevalence.
        """
        from sklearn import metrics  # Slow to import.
        data, config = context.data, context.config
        is_anomaly = data.y_test == number_of(
            data.classes, context.anomaly_label)
        measured = scores(model, data.to_model(data.x_test), config.num_draws,
                          config.seed)
        errors = measured.pop("error", None)
        if errors is not None:
            yield "anomaly/mse_normal", float(errors[~is_anomaly].mean())
            yield "anomaly/mse_anomaly", float(errors[is_anomaly].mean())
        for name, values in measured.items():
            yield f"anomaly/auprc_{name}", precision_recall_area(
                is_anomaly, values)
        chosen = measured[self.score]
        yield "anomaly/auprc", precision_recall_area(is_anomaly, chosen)
        yield "anomaly/auroc", float(metrics.roc_auc_score(is_anomaly, chosen))
        yield "anomaly/prevalence", float(is_anomaly.mean())
        yield "anomaly/label", context.anomaly_label
        yield "anomaly/score", self.score
        yield "anomaly/num_draws", config.num_draws


def scores(model: Any, x: Any, num_draws: int, seed: int
           ) -> dict[str, np.ndarray]:
    """Anomaly scores of images, high for anomalies, and the error.

    damc: |x - g(z)|^2 + E(z) + |z|^2 / 2, the squared error with weight 1 as in
    the code of Yu et al. 2023. log_joint: -log p(x, z) up to log Z, where the
    squared error has weight 1 / (2 scale^2): the decision function of Pang et
    al. 2020. For a model with an encoder in place of chains, z are draws of q(z
    | x); without an energy, E is 0. If p0 is not N(0, I) but layers of
    Gaussians or a fitted density, damc uses -log p0(z) in place of |z|^2 / 2,
    up to the same constant. error: the mean squared error per pixel and
    channel.

    Args:
        model: An `EnergyModel`.
        x: Images in [-1, 1], [batch, height, width, channels].
        num_draws: Number of posterior draws to average over, >= 1.
        seed: Any int.

    Returns:
        Dict of float64 [batch], by name of `SCORES` or "error"; for a
        likelihood without a distance only log_joint.
    """
    parts = model.score(np.asarray(x), seed, num_draws=num_draws)
    log_joint = {"log_joint": -parts.log_joint.astype(np.float64)}
    if not _has_distance(model):
        return log_joint
    shapes = [leaf.shape[1:] for leaf in tf.nest.flatten(
        model.infer(np.asarray(x)[:1], seed))]
    latent_dim = sum(math.prod(shape) for shape in shapes)
    # log p0(z) without the constant of N(0, I), for which it is -|z|^2 / 2.
    half_square = -(parts.base_log_prob.astype(np.float64)
                    + 0.5 * latent_dim * math.log(2.0 * math.pi))
    return {"damc": parts.squared_error + parts.energy + half_square,
            **log_joint, "error": parts.squared_error.astype(np.float64)
            / math.prod(np.shape(x)[1:])}


def _has_distance(model):
    return model is None or model.likelihood.has_distance


def precision_recall_area(is_positive: np.ndarray, scores: np.ndarray
                          ) -> float:
    """Area under the precision-recall curve by the trapezoidal rule.

    As in the code of Yu et al. 2023; slightly larger than the average
    precision, which is a sum of steps.

    Args:
        is_positive: bool [num].
        scores: float [num], high for positives.
    """
    from sklearn import metrics  # Slow to import.
    precision, recall, _ = metrics.precision_recall_curve(is_positive, scores)
    return float(metrics.auc(recall, precision))
