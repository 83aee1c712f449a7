"""Synchronization of workers with the chief, which alone restores and decides.
"""

from typing import Callable

import keras

from lebm_tf.models import EnergyModel, replication
from lebm_tf.training.checkpoint import items


def variables(model: EnergyModel) -> list:
    """All state of training in a fixed order: that of a checkpoint, and the
    number of rollbacks."""
    found = [model.rollbacks]
    for item in items(model).values():
        if isinstance(item, keras.optimizers.Optimizer):
            item = item.variables
        found += item if isinstance(item, (list, tuple)) else [item]
    return found


def agreed(model: EnergyModel, is_over: Callable[[], bool]) -> bool:
    """Broadcasts the chief's state, then its decision whether training is over.

    Args:
        model: The model, built under a strategy.
        is_over: Returns whether training is over; only the chief's answer
            counts.
    """
    strategy = model.distribute_strategy
    if strategy.cluster_resolver is None:
        return is_over()
    replication.broadcast(variables(model), strategy)
    return bool(replication.agreed(int(is_over()), strategy))


class FollowStop(keras.callbacks.Callback):
    """Stops all workers when the chief's validation stops training.

    It must follow `Validation`.

    Args:
        every: Steps between two validations.
    """

    def __init__(self, every: int):
        super().__init__()
        self.every = every

    def on_train_batch_end(self, batch, logs=None):
        strategy = self.model.distribute_strategy
        if (strategy.cluster_resolver is not None
                and int(self.model.step) % self.every == 0):
            self.model.stop_training = bool(replication.agreed(
                int(self.model.stop_training), strategy))
