"""Metrics that a checkpoint can be chosen by, and which way is better."""

import math

from lebm_tf.errors import InputError

_HIGHER = ("likelihood/log_prob", "anomaly/auprc", "anomaly/auroc",
           "symbols/accuracy")
_LOWER = ("reconstruction/mse", "frechet/samples", "frechet/reconstructions",
          "kernel/samples", "codes/frechet_prior", "likelihood/bits_per_dim",
          "trajectories/nearest_plan_ade", "trajectories/nearest_plan_fde",
          "trajectories/minimum_ade", "trajectories/minimum_fde",
          "trajectories/kde_nll")


def check_metric(name: str) -> None:
    """Raises InputError unless it is known which way a metric is better."""
    if name not in _HIGHER + _LOWER:
        raise InputError(f"--early_stop must be one of "
                         f"{', '.join(sorted(_HIGHER + _LOWER))}, got "
                         f"{name!r}.")


def improvements(rows: list[dict], name: str) -> list[int]:
    """Steps at which a metric was better than ever before, in order.

    Args:
        rows: Measurements in order, each with "step" and the metric; one
            that is not finite is never better.
        name: A metric that `check_metric` lets pass.
    """
    sign = 1.0 if name in _HIGHER else -1.0
    best, found = -math.inf, []
    for row in rows:
        value = sign * row[name]
        if math.isfinite(value) and value > best:
            best = value
            found.append(row["step"])
    return found
