"""Callbacks of training: progress bar, history, checkpoints and sample grids.
"""

import math
import os
import time
import types
from typing import Any, Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

from lebm_tf import files
from lebm_tf.errors import InputError
from lebm_tf.kinds import IMAGE
from lebm_tf.models import EnergyModel, averaging, learning_rate
from lebm_tf.training import event_logs
from lebm_tf.training.checkpoint import Checkpoints
from lebm_tf.training.locking import LOCK


class Progress(keras.callbacks.Callback):
    """Progress bar over the whole run.

    Args:
        num_steps: Steps of the whole run.
        first: Steps completed before this call.
    """

    def __init__(self, num_steps: int, first: int):
        super().__init__()
        self.bar = keras.utils.Progbar(num_steps, interval=0.5)
        self.first, self.num_steps = first, num_steps

    def on_train_batch_end(self, batch, logs=None):
        done = self.first + batch + 1
        shown = [(name, value) for name, value in logs.items()
                 if name.startswith("loss/") or name.endswith("/energy")]
        self.bar.stateful_metrics = {name for name, _ in shown}
        self.bar.update(done, shown, done == self.num_steps)


class InPlace(keras.callbacks.Callback):
    """Ends training if another directory takes the place of the work directory.

    Nothing is then written to the other one, whatever it is or links to.

    Args:
        workdir: The locked work directory.

    Raises:
        InputError: If its lock file is another one, or is not there.
    """

    def __init__(self, workdir: str):
        super().__init__()
        self.workdir, self.lock = workdir, os.path.join(workdir, LOCK)
        self.first = os.stat(self.lock)

    def on_train_batch_end(self, batch, logs=None):
        try:
            same = os.path.samestat(os.stat(self.lock), self.first)
        except OSError:
            same = False
        if not same:
            raise InputError(
                f"{self.workdir} must not be replaced while a run writes to "
                "it, got another folder there.")


class History(keras.callbacks.Callback):
    """Records the mean of every logged value over `every` steps.

    The rows are kept as `model.rows`, in history.json and for TensorBoard. If
    training ends between two rows, the last one averages over fewer steps. A
    resumed run recomputes it from the values in history_part.json.

    Args:
        model: The model in training.
        every: Steps per row.
        workdir: Folder of history.json and the TensorBoard logs; "" writes no
            files.
        settings: Flag -> value, for the HParams page of TensorBoard.
    """

    def __init__(self, model: EnergyModel, every: int, workdir: str = "",
                 settings: Mapping[str, Any] = types.MappingProxyType({})):
        super().__init__()
        self.set_model(model)
        self.settings, self.every = settings, every
        self.pending: list[dict[str, float]] = []
        self.path = os.path.join(workdir, "history.json") if workdir else ""
        self.part = os.path.join(workdir, "history_part.json")
        self.folder = os.path.join(workdir, "logs") if workdir else ""
        self.writer: Any = None  # Of TensorBoard, once training begins.
        self.started: Any = None
        self.before = 0.0

    def load(self) -> list[dict]:
        """Returns the rows up to the model's step and drops later ones."""
        step = int(self.model.step)
        if self.path and os.path.exists(self.path):
            self.model.rows = files.read_json(self.path)
        self.model.rows = [row for row in self.model.rows
                           if row["step"] <= step]
        return self.model.rows

    def on_train_begin(self, logs=None):
        rows = self.load()
        if self.started is None:  # A rollback keeps the clock running.
            self.before = rows[-1]["seconds"] if rows else 0.0
            self.started = time.monotonic()
        self._load_part()
        if self.folder:
            if self.writer:
                self.writer.close()
            event_logs.cut(self.folder, int(self.model.step))
            self.writer = tf.summary.create_file_writer(self.folder)

    def _load_part(self):
        """Reloads the values of an incomplete last row."""
        self.pending, rows = [], self.model.rows
        if not self.path or not os.path.exists(self.part):
            return
        part = files.read_json(self.part)
        if part["step"] == int(self.model.step):
            self.pending = part["logs"]
            if rows and rows[-1]["step"] == part["step"]:
                rows.pop()

    def on_train_batch_end(self, batch, logs=None):
        self.pending.append({key: float(value)
                             for key, value in logs.items()})
        step = int(self.model.step)
        if step % self.every == 0:
            self._row(step)

    def _row(self, step):
        row = {key: float(np.mean([logs[key] for logs in self.pending]))
               for key in self.pending[0]}
        for part, optimizer in self.model.optimizers.items():
            row[f"learning_rate/{part}"] = learning_rate(optimizer)
        if int(self.model.rollbacks):
            row["rollbacks"] = int(self.model.rollbacks)
        seconds = self.before + time.monotonic() - self.started
        self.model.rows.append({"step": step, "seconds": seconds, **row})
        if step % self.every:
            return
        self.pending = []
        if self.writer:
            with self.writer.as_default():
                if step == self.every:  # Not before the first step: it is slow.
                    event_logs.write_settings(self.settings)
                for key, value in row.items():
                    tf.summary.scalar(key, value, step)

    def save(self):
        """Writes the history; called before each checkpoint."""
        if not self.path:
            return
        if self.pending:
            files.write_json(self.part, {
                "step": int(self.model.step), "logs": self.pending})
        files.write_json(self.path, self.model.rows)
        if not self.pending and os.path.exists(self.part):
            os.remove(self.part)
        self.writer.flush()

    def on_train_end(self, logs=None):
        if self.pending:
            self._row(int(self.model.step))
        self.save()


class Checkpointing(keras.callbacks.Callback):
    """Saves a checkpoint every `every` steps and at the end of training.

    Args:
        checkpoints: The checkpoints to write.
        every: Steps between two checkpoints.
        also: Called before each save, to write files that must match the
            checkpoint.
    """

    def __init__(self, checkpoints: Checkpoints, every: int,
                 also: Callable[[], None]):
        super().__init__()
        self.checkpoints, self.every, self.also = checkpoints, every, also

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step) % self.every == 0:
            self._save()

    def on_train_end(self, logs=None):
        if int(self.model.step) % self.every:
            self._save()

    def _save(self):
        self.also()
        self.checkpoints.save()


class SampleGrid(keras.callbacks.Callback):
    """Writes a grid of sampled images to TensorBoard, with the same seed each
    time.

    Args:
        history: Callback that owns the TensorBoard writer.
        every: Steps between two grids.
        num_samples: Number of images, a square number.
    """

    def __init__(self, history: History, every: int, num_samples: int = 64):
        super().__init__()
        self.history, self.every = history, every
        self.num_samples = num_samples

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.step)
        if (step % self.every or self.history.writer is None
                or self.model.recipe.data.kind != IMAGE
                or self.model.context is not None):  # Needs a condition.
            return
        with averaging.averaged(self.model):
            x = (self.model.sample(self.num_samples, seed=0).x + 1.0) / 2.0
        side = math.isqrt(self.num_samples)
        rows = x.reshape(side, side, *x.shape[1:]).swapaxes(1, 2)
        picture = rows.reshape(1, side * x.shape[1], side * x.shape[2], -1)
        with self.history.writer.as_default():
            tf.summary.image("samples", picture, step)
