"""Measurements of a run that improved on all earlier ones."""

import math

from lebm_tf.errors import InputError
from lebm_tf.evaluation.evaluator import Better


def improvements(rows: list[dict], name: str, better: Better) -> list[int]:
    """Steps at which a metric reached a new best value, in order.

    Args:
        rows: Measurements in order, each with "step" and the metric; a value
            that is not finite is never better.
        name: Name of the metric.
        better: LOWER or HIGHER.

    Raises:
        InputError: If a row lacks the metric.
    """
    sign = 1.0 if better is Better.HIGHER else -1.0
    best, found = -math.inf, []
    for row in rows:
        if name not in row:
            raise InputError(
                "--early_stop must be a metric of this model and these data, "
                f"{', '.join(key for key in row if key != 'step')}, got "
                f"{name!r}.")
        value = sign * row[name]
        if math.isfinite(value) and value > best:
            best = value
            found.append(row["step"])
    return found
