"""What happens beside training: progress, logs, checkpoints, stops."""

import math
import os
import time
from typing import Callable

import keras
import numpy as np
import tensorflow as tf

from lebm_tf import files
from lebm_tf.kinds import IMAGE
from lebm_tf.models import EnergyModel, averaging, learning_rate
from lebm_tf.training import event_logs
from lebm_tf.training.checkpoint import Checkpoints


class Progress(keras.callbacks.Callback):
    """One progress bar over the whole run.

    Args:
        num_steps: Steps of the whole run.
        first: Steps done in earlier sessions of it.
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


class History(keras.callbacks.Callback):
    """Means of every value over `every` steps, as rows and for TensorBoard.

    The rows are kept as `model.rows`. The last one may average over fewer
    steps, where training ends between two; a run that goes on from there
    makes it again from the values themselves, kept in history_part.json.

    Args:
        model: The model in training.
        every: Steps to a row.
        workdir: Where history.json and the TensorBoard logs go, or empty.
    """

    def __init__(self, model: EnergyModel, every: int, workdir: str = ""):
        super().__init__()
        self.set_model(model)
        self.every, self.pending = every, []
        self.path = os.path.join(workdir, "history.json") if workdir else ""
        self.part = os.path.join(workdir, "history_part.json")
        self.folder = os.path.join(workdir, "logs") if workdir else ""
        self.writer, self.started, self.before = None, None, 0.0

    def load(self) -> list[dict]:
        """The rows up to the model's step; later ones will be made again."""
        step = int(self.model.step)
        if self.path and os.path.exists(self.path):
            self.model.rows = files.read_json(self.path)
        self.model.rows = [row for row in self.model.rows
                           if row["step"] <= step]
        return self.model.rows

    def on_train_begin(self, logs=None):
        rows = self.load()
        if self.started is None:  # Not where a run goes on after a rollback.
            self.before = rows[-1]["seconds"] if rows else 0.0
            self.started = time.monotonic()
        self._load_part()
        if self.folder:
            if self.writer:
                self.writer.close()
            event_logs.cut(self.folder, int(self.model.step))
            self.writer = tf.summary.create_file_writer(self.folder)

    def _load_part(self):
        """Takes back the values that a partial last row was made of."""
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
                for key, value in row.items():
                    tf.summary.scalar(key, value, step)

    def save(self):
        """Writes what there is; called beside each checkpoint."""
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
    """A checkpoint every so many steps, and at the end.

    Args:
        checkpoints: Where to.
        every: Steps between two.
        also: Called before each save, for what shall be as new.
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
    """Samples of images for TensorBoard, the same seeds each time.

    Args:
        history: Holds the writer.
        every: Steps between two grids.
        num_samples: A square number.
    """

    def __init__(self, history: History, every: int, num_samples: int = 64):
        super().__init__()
        self.history, self.every = history, every
        self.num_samples = num_samples

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.step)
        if (step % self.every or self.history.writer is None
                or self.model.recipe.data.kind != IMAGE
                or self.model.context is not None):  # Of nothing, no sample.
            return
        with averaging.averaged(self.model):
            x = (self.model.sample(self.num_samples, seed=0).x + 1.0) / 2.0
        side = math.isqrt(self.num_samples)
        rows = x.reshape(side, side, *x.shape[1:]).swapaxes(1, 2)
        picture = rows.reshape(1, side * x.shape[1], side * x.shape[2], -1)
        with self.history.writer.as_default():
            tf.summary.image("samples", picture, step)
