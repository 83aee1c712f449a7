"""What a checkpoint holds: all that a run needs to go on exactly.

Parameters, every optimizer, chain banks and the step. Nothing random: seeds
follow from the step. `tf.train.Checkpoint(model=model)` would leave out the
optimizers, which live in a dict.
"""

import os

import tensorflow as tf

from lebm_tf.errors import InputError
from lebm_tf.models import EnergyModel


class Checkpoints:
    """The checkpoints of one work directory.

    Args:
        model: A compiled model.
        directory: Folder of the checkpoints; made at the first save.
        max_to_keep: How many of the newest stay.
    """

    def __init__(self, model: EnergyModel, directory: str,
                 max_to_keep: int = 3):
        self.model = model
        self.checkpoint = tf.train.Checkpoint(**items(model))
        self.manager = tf.train.CheckpointManager(
            self.checkpoint, directory, max_to_keep)

    def save(self) -> str:
        """Writes a checkpoint named by the step; returns its path.

        Raises:
            InputError: If it could not be written; the older ones stay.
        """
        try:
            return self.manager.save(int(self.model.step))
        except tf.errors.OpError as error:
            raise InputError(
                f"a checkpoint could not be written to "
                f"{self.manager.directory}: {_one_line(error)}") from error

    def restore(self) -> int:
        """Restores the newest checkpoint; returns its step, 0 if none.

        Raises:
            InputError: If it can't be read, or belongs to another model.
        """
        path = self.manager.latest_checkpoint
        if path is None:
            return 0
        try:
            status = self.checkpoint.restore(path)
            status.assert_existing_objects_matched()
            status.assert_consumed()
        except (tf.errors.OpError, AssertionError, IndexError, ValueError
                ) as error:  # A reader says IndexError of a cut file.
            raise InputError(
                f"the checkpoint {path} can't be read into this model: "
                f"{_one_line(error)}") from error
        return int(self.model.step)


def exists(directory: str) -> bool:
    """Whether a folder holds a checkpoint."""
    return os.path.isdir(directory) and bool(
        tf.train.latest_checkpoint(directory))


def items(model: EnergyModel) -> dict:
    """Name -> object, all of it trackable.

    Variables, not their layers: TensorFlow does not look into the lists of
    layers or variables that a Keras layer holds, and tells nobody.
    """
    found = {"step": model.step}
    for part, layers in model.parts.items():
        for i, layer in enumerate(layers):
            found[f"part_{part}_{i}"] = layer.variables
    for part, optimizer in model.optimizers.items():
        found[f"optimizer_{part}"] = optimizer
    for i, bank in enumerate(model.banks):
        found[f"bank_{i}"] = bank.variables
    return found


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
