"""Consistency checks of the arguments of a model."""

from typing import Any, Mapping

from lebm_tf.objectives.objective import Objective


def updates_fit(parts: Mapping[str, Any], updates: Mapping[str, int]
                ) -> None:
    """Raises ValueError unless updates name parts and are at least 1."""
    for part, count in updates.items():
        if part not in parts:
            raise ValueError(f"updates must name parts in {', '.join(parts)}, "
                             f"got {part}.")
        if count < 1:
            raise ValueError(f"updates must be >= 1, got {count} for {part}.")


def objectives_fit(parts: Mapping[str, Any],
                   objectives: Mapping[str, Objective]) -> None:
    """Raises ValueError unless every part has an objective and term names are
    unique."""
    for name, objective in objectives.items():
        unknown = set(objective.parts) - set(parts)
        if unknown:
            raise ValueError(
                f"objective {name!r} must name parts in {', '.join(parts)}, "
                f"got {', '.join(unknown)}.")
    idle = set(parts) - {part for objective in objectives.values()
                         for part in objective.parts}
    if idle:
        raise ValueError("every part must have an objective, got none for "
                         f"{', '.join(sorted(idle))}.")
    terms = [term for objective in objectives.values()
             for term in objective.terms]
    if len(terms) != len(set(terms)):
        raise ValueError("terms of all objectives must have unique names, got "
                         f"{', '.join(terms)}.")


def check_batch(batch: Any) -> None:
    """Raises TypeError unless a training batch is a dict."""
    if not isinstance(batch, dict):
        raise TypeError(
            "batches must be dicts with x, as returned by "
            f"lebm_tf.datasets.train_batches, got a {type(batch).__name__}; "
            "use lebm_tf.fit(model, data) for a data set, and "
            "lebm_tf.datasets.in_memory to make one from arrays.")
