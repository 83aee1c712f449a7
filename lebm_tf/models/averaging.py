"""Moving averages of weights, in place of the weights and back.

Optimizers keep the averages (`OptimizerConfig.average_decay`), so checkpoints
hold both; training goes on from the weights, all else looks at the averages.
"""

import contextlib
from typing import Any, Iterator

from lebm_tf.models import optimization

# Not a plain attribute: TensorFlow would look into it for variables.
_KEPT = "_weights_before_averages"


def _averages(model: Any) -> list[tuple[Any, Any]]:
    """(variable, its average) of the parts that have averages."""
    found = []
    for part, optimizer in model.optimizers.items():
        optimizer = optimization.unscaled(optimizer)
        if optimizer.use_ema:
            found += zip(model.variables_of(part),
                         optimizer._model_variables_moving_average)
    return found


def install(model: Any) -> None:
    """Puts the averages in place of the weights, if a step was made.

    Does nothing if they already are, or there are none.
    """
    pairs = _averages(model)
    if _KEPT in vars(model) or not int(model.step) or not pairs:
        return
    vars(model)[_KEPT] = [variable.numpy() for variable, _ in pairs]
    for variable, average in pairs:
        variable.assign(average)


def remove(model: Any) -> None:
    """Puts the weights back; does nothing if they are there."""
    for (variable, _), value in zip(_averages(model), forget(model)):
        variable.assign(value)


def forget(model: Any) -> list:
    """Takes the weights inside for the weights, as after a restore; gives
    those that `install` had kept."""
    return vars(model).pop(_KEPT, [])


@contextlib.contextmanager
def averaged(model: Any) -> Iterator[None]:
    """The model has averages inside, and its weights again after."""
    install(model)
    try:
        yield
    finally:
        remove(model)
