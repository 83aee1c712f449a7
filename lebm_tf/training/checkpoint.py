"""Checkpoints: all state that exact resumption needs.

They hold parameters, all optimizers, chain banks and the step. No random state
is saved: seeds follow from the step. `tf.train.Checkpoint(model=model)` would
omit the optimizers, which live in a dict.
"""

import os
import re
import shutil

from absl import logging
import tensorflow as tf

from lebm_tf.errors import InputError
from lebm_tf.models import EnergyModel, averaging
from lebm_tf.training import provenance


class Checkpoints:
    """The checkpoints of one work directory, named ckpt-STEP.

    TensorFlow writes the index file of a checkpoint last, so a checkpoint with
    an index is complete. No separate state file exists that could be lost or
    disagree.

    Args:
        model: A compiled model.
        directory: Folder of the checkpoints; created at the first save.
        max_to_keep: Number of newest checkpoints to keep; 0 keeps all, see
            `keep`.
        margin: The newest checkpoint that is at least this many steps old is
            kept as well.
    """

    def __init__(self, model: EnergyModel, directory: str,
                 max_to_keep: int = 3, margin: int = 0):
        self.model, self.directory = model, directory
        self.checkpoint = tf.train.Checkpoint(
            **items(model), record=provenance.Record(model.recipe))
        # For checkpoints of versions that wrote no record.
        self.unrecorded = tf.train.Checkpoint(**items(model))
        self.max_to_keep, self.margin = max_to_keep, margin
        # (device, number) of the directory.
        self._folder: tuple[int, int] | None = None

    def steps(self) -> list[int]:
        """Steps of the complete checkpoints, in ascending order."""
        return steps(self.directory)

    def save(self) -> str:
        """Writes a checkpoint of the current step and returns its path.

        Raises:
            InputError: If it cannot be written, or if the directory was
                replaced since the last save. Older checkpoints stay.
        """
        path = os.path.join(self.directory, f"ckpt-{int(self.model.step)}")
        try:
            self._check_in_place()
            self.checkpoint.write(path)
            self._check_in_place()
            self._tidy()
        except (tf.errors.OpError, OSError) as error:
            raise InputError(
                f"cannot write a checkpoint to {self.directory}: "
                f"{_one_line(error)}") from error
        return path

    def _check_in_place(self) -> None:
        """Raises InputError if the directory was replaced since the last save,
        for example by a link."""
        if self._folder is None and not os.path.isdir(self.directory):
            return
        found = os.stat(self.directory)
        folder = (found.st_dev, found.st_ino)
        if self._folder not in (None, folder):
            raise InputError(
                f"{self.directory} must not be replaced while a run writes to "
                "it, got another folder there.")
        self._folder = folder

    def restore(self) -> int:
        """Restores the newest checkpoint and returns its step, 0 if there is
        none.

        A damaged checkpoint is reported, and the one before it is restored.

        Raises:
            InputError: If no checkpoint can be read into this model, or if the
                newest belongs to another model or a newer version of the
                library.
        """
        unread = []
        for step in reversed(steps(self.directory)):
            path = os.path.join(self.directory, f"ckpt-{step}")
            try:
                self._read(path)
            except InputError:
                raise
            except (tf.errors.OpError, AssertionError, IndexError, ValueError
                    ) as error:  # A truncated file gives an IndexError.
                unread.append(f"cannot read the checkpoint {path} into this "
                              f"model: {_one_line(error)}")
                continue
            for message in unread:
                logging.warning("%s; restoring the checkpoint of step %d "
                                "instead.",
                                message, step)
            return int(self.model.step)
        if unread:
            raise InputError(unread[0])
        return 0

    def _read(self, path: str) -> None:
        reader = tf.train.load_checkpoint(path)
        recorded = reader.has_tensor(provenance.KEY)
        if recorded:
            provenance.check(reader.get_tensor(provenance.KEY),
                             self.model.recipe, path)
        status = (self.checkpoint if recorded else self.unrecorded).read(path)
        status.assert_existing_objects_matched()
        status.assert_consumed()
        averaging.forget(self.model)

    def remove_after(self, step: int) -> None:
        """Removes the checkpoints of later steps."""
        for later in [s for s in self.steps() if s > step]:
            _remove(os.path.join(self.directory, f"ckpt-{later}"))

    def clean(self) -> None:
        """Removes files that a killed process left; no other process may be
        writing."""
        if not os.path.isdir(self.directory):
            return
        whole = {f"ckpt-{step}" for step in self.steps()}
        for entry in os.listdir(self.directory):
            path = os.path.join(self.directory, entry)
            if re.fullmatch(r"ckpt-\d+_temp.*", entry) and os.path.isdir(path):
                shutil.rmtree(path)
            elif re.match(r"ckpt-\d+\.", entry) and (
                    entry.partition(".")[0] not in whole
                    or ".tempstate" in entry):
                os.remove(path)
        self._tidy()

    def _tidy(self) -> None:
        """Removes all checkpoints but those to keep."""
        known = self.steps()
        kept = known[-self.max_to_keep:]
        if known and self.margin:
            kept += [s for s in known if s <= known[-1] - self.margin
                     ][-1:] or known[:1]
        self.keep(kept)

    def keep(self, kept) -> None:
        """Removes all checkpoints except those of the given steps."""
        for old in set(self.steps()) - set(kept):
            _remove(os.path.join(self.directory, f"ckpt-{old}"))


def steps(directory: str) -> list[int]:
    """Steps of the complete checkpoints in a folder, in ascending order."""
    if not os.path.isdir(directory):
        return []
    found = (re.fullmatch(r"ckpt-(\d+)\.index", name)
             for name in os.listdir(directory))
    return sorted(int(match[1]) for match in found if match)


def items(model: EnergyModel) -> dict:
    """Returns name -> trackable object for everything that a checkpoint holds.

    The objects are variables rather than layers: TensorFlow silently skips the
    lists of layers or variables that a Keras layer holds.
    """
    found = {"step": model.step}
    for part, layers in model.parts.items():
        for i, layer in enumerate(layers):
            found[f"part_{part}_{i}"] = layer.variables
    for part, optimizer in model.optimizers.items():
        found[f"optimizer_{part}"] = optimizer
    for i, bank in enumerate(model.banks):
        found[f"bank_{i}"] = bank.variables
    for i, density in enumerate(model.fitted):
        found[f"fitted_{i}"] = density.variables
    for i, base in enumerate(model.bases):
        found[f"base_{i}"] = base.variables
    for name, layer in model.frozen.items():
        found[f"frozen_{name}"] = layer.variables
    for name, copy in model.copies.items():
        found[f"copy_{name}"] = copy.layer.variables
    return found


def _remove(path: str) -> None:
    """Removes a checkpoint. Its index goes first, so that a half-removed one
    does not count."""
    os.remove(path + ".index")
    folder, name = os.path.split(path)
    for entry in os.listdir(folder):
        if entry.startswith(name + ".data-"):
            os.remove(os.path.join(folder, entry))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
