"""Validation during training, on data that is not trained on.

The rows are kept in validation.json, and the best checkpoint besides the last
ones. Both follow the checkpoint from which a run resumes, so a run that was
killed or rolled back evaluates, selects and stops as if it had not been.
"""

import os
from typing import Any

import keras
import tensorflow as tf

from lebm_tf import files
from lebm_tf.configuration.run import RunConfig
from lebm_tf.datasets import DataSet
from lebm_tf.datasets.validation_split import validation_view
from lebm_tf.errors import InputError
from lebm_tf.evaluation import (
    Better, Context, Settings, check, evaluate, find_metric)
from lebm_tf.evaluation.selection import improvements
from lebm_tf.models import EnergyModel, averaging
from lebm_tf.training import workdir as workdirs
from lebm_tf.training.callbacks import History
from lebm_tf.training.checkpoint import Checkpoints
from lebm_tf.training.fit_codes import fit_codes


class Validation(keras.callbacks.Callback):
    """Evaluates every `evaluate_every` steps, keeps the best checkpoint and
    stops early.

    It must follow `StopOnDivergence` and `History` and precede `Checkpointing`,
    so that every checkpoint of a validated step has its row on disk.

    Args:
        model: The model in training.
        data: Data with a validation part.
        run: What to evaluate, when, and the metric to select by. Rows and the
            best checkpoint go to its workdir; without one, only rows are kept.
        settings: Settings of evaluators.

    Raises:
        InputError: If the model or the data lack what an evaluator needs.
    """

    def __init__(self, model: EnergyModel, data: DataSet, run: RunConfig,
                 settings: Settings):
        super().__init__()
        workdir = run.workdir
        self.set_model(model)
        self.data = data
        self.rows: list[dict[str, Any]] = []
        self.history: Any = None  # Set by `begin`, as the checkpoints.
        self.chosen = run.validation
        self.metric = self.chosen.early_stop
        names = self.chosen.validation_evaluators
        self.better = Better.NEITHER
        if self.metric:
            evaluator, self.better = find_metric(self.metric)
            if not workdir:
                raise InputError("early_stop needs a workdir for the best "
                                 "checkpoint, got none.")
            names = names or (evaluator,)
            if evaluator not in names:
                raise InputError(
                    f"validation_evaluators must include {evaluator}, the "
                    f"evaluator of early_stop, got {', '.join(names)}.")
        elif not names:
            chosen = run.evaluators or workdirs.family_of(run).EVALUATORS
            names = tuple(n for n in chosen if n != "pictures")
        self.evaluators = settings.select(names)
        path = workdir and os.path.join(workdir, "features_validation.npz")
        self.context = Context(
            validation_view(data), settings.config,
            anomaly_label=run.data.anomaly_label,
            classifier_path=path)
        check(self.evaluators, self.context, model)
        self.path = workdir and os.path.join(workdir, workdirs.VALIDATION)
        self.checkpoints: Any = None
        self.best = Checkpoints(
            model, os.path.join(workdir, workdirs.BEST), max_to_keep=0)

    def begin(self, history: History, checkpoints: Checkpoints | None) -> None:
        """Connects the other records of the run; called after restoring, before
        `fit`."""
        self.history, self.checkpoints = history, checkpoints
        if self.path and os.path.exists(self.path):
            self.rows = files.read_json(self.path)
        if self.path:
            self.best.clean()
        self.rewind()

    def rewind(self) -> None:
        """Drops the results of later steps, which will be repeated."""
        step = int(self.model.step)
        self.rows = [row for row in self.rows if row["step"] <= step]
        if self.path:
            self.best.remove_after(step)

    def is_over(self) -> bool:
        """Whether patience has run out."""
        if not self.chosen.patience or not self.rows:
            return False
        better = self._improvements()
        since = sum(row["step"] > max(better, default=0) for row in self.rows)
        return since >= self.chosen.patience

    def on_train_begin(self, logs=None):
        self.rewind()  # Also after a rollback.

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.step)
        if step % self.chosen.evaluate_every:
            return
        with averaging.averaged(self.model):
            fit_codes(self.model, self.data)
            measured = evaluate(self.model, self.context, self.evaluators)
        numbers = {name: value for name, value in measured.items()
                   if not isinstance(value, str)}
        self.rows.append({"step": step, **numbers})
        self._keep(step)
        if self.history.writer:
            with self.history.writer.as_default():
                for name, value in numbers.items():
                    tf.summary.scalar(f"validation/{name}", value, step)
        if self.is_over():
            self.model.stop_training = True

    def _improvements(self):
        return improvements(self.rows, self.metric, self.better)

    def _keep(self, step):
        if not self.path:
            return
        files.write_json(self.path, self.rows)
        better = self._improvements() if self.metric else []
        if not better or better[-1] != step:
            return
        self.best.save()
        # Resuming from an older checkpoint needs the best one up to it.
        self.best.keep({max(s for s in better if s <= last) for last in
                        [*self.checkpoints.steps(), step] if better[0] <= last})
