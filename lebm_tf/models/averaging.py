"""Swapping of weights and their moving averages.

Optimizers keep the averages (`OptimizerConfig.average_decay`), so checkpoints
hold both. Training continues from the weights; everything else uses the
averages.
"""

import contextlib
from typing import Any, Iterator

from lebm_tf.models import optimization

# Kept in vars(model): TensorFlow would track a plain attribute.
_KEPT = "_weights_before_averages"


def _averages(model: Any) -> list[tuple[Any, Any]]:
    """(variable, its average) for all parts with averages."""
    found: list[tuple[Any, Any]] = []
    for part, optimizer in model.optimizers.items():
        optimizer = optimization.unscaled(optimizer)
        if optimizer.use_ema:
            found += zip(model.variables_of(part),
                         optimizer._model_variables_moving_average)
    return found


def install(model: Any) -> None:
    """Replaces the weights by their averages, if a step was made.

    Does nothing if the averages are installed already, or there are none.
    """
    pairs = _averages(model)
    if _KEPT in vars(model) or not int(model.step) or not pairs:
        return
    vars(model)[_KEPT] = [variable.numpy() for variable, _ in pairs]
    for variable, average in pairs:
        variable.assign(average)


def restart(model: Any) -> None:
    """Sets the averages to the weights, as if training had begun with them."""
    for variable, average in _averages(model):
        average.assign(variable)


def remove(model: Any) -> None:
    """Restores the weights; does nothing if no averages are installed."""
    for (variable, _), value in zip(_averages(model), forget(model)):
        variable.assign(value)


def forget(model: Any) -> list:
    """Declares the current values to be the weights, as after a restore;
    returns the weights that `install` had saved."""
    return vars(model).pop(_KEPT, [])


@contextlib.contextmanager
def averaged(model: Any) -> Iterator[None]:
    """Context in which the model has the averages as its weights."""
    install(model)
    try:
        yield
    finally:
        remove(model)
