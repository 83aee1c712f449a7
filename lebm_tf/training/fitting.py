"""Resumable training, for `lebm_tf.train` and notebooks."""

import contextlib
import dataclasses
import functools
import os
import tempfile
from typing import Callable, Iterator

from lebm_tf import precision
from lebm_tf.assembly import custom
from lebm_tf.configuration import fields
from lebm_tf.configuration.run import RunConfig
from lebm_tf.datasets import DataSet, train_batches
from lebm_tf.datasets.stored import named_failures
from lebm_tf.devices import cluster
from lebm_tf.errors import DivergedError, InputError
from lebm_tf.evaluation import Settings
from lebm_tf.families import DataSpec
from lebm_tf.models import CodeClusters, EnergyModel, averaging
from lebm_tf.training import (
    callbacks, following, same_data as contents, workdir as workdirs)
from lebm_tf.training.checkpoint import Checkpoints
from lebm_tf.training.divergence import MARGIN, Rollbacks, StopOnDivergence
from lebm_tf.training.fit_codes import FitBases, FitClusters, fit_codes
from lebm_tf.training.locking import locked
from lebm_tf.training.validation import Validation


def fit(model: EnergyModel, data: DataSet, run: RunConfig = RunConfig(), *,
        evaluation: Settings = Settings(), verbose: bool = True,
        same_data: bool = True) -> list[dict[str, float]]:
    """Trains a model up to step `run.train_steps`, from the newest checkpoint
    if any.

        fit(model, data, RunConfig(train_steps=500, workdir="runs/mine"))

    If killed and called again, training resumes and ends with the same weights.
    Afterwards the model holds the weights of the best checkpoint (with
    early_stop), and their moving averages where its optimizers keep some. A
    model that was built in the scope of a strategy is trained on its replicas.
    With several workers, the chief alone reads, writes, evaluates and rolls
    back, and it alone holds the selected or averaged weights in the end.

    Args:
        model: A model made by `families.build`.
        data: The training data.
        run: Training settings. Those that the model and the data already
            define, such as family, seed and data set, may be left out. Without
            a workdir nothing is saved.
        evaluation: Settings of evaluators, during and after training.
        verbose: Whether to show a progress bar.
        same_data: Whether all calls with one work directory must use data of
            the same content.

    Returns:
        The history: rows with "step" and the mean of every logged value.

    Raises:
        InputError: If the run belongs to another model or other data, the work
            directory belongs to another run or is in use by another process, a
            checkpoint cannot be read, or training ends early.
        ValueError: If the model was not made by `families.build`.
        DivergedError: If a value is not finite or exceeds its bound after all
            allowed rollbacks.
        ClusterError: If another worker is lost.
    """
    with prepared(
            model, data, run, evaluation, verbose, same_data) as training:
        return training()


@contextlib.contextmanager
def prepared(model: EnergyModel, data: DataSet, run: RunConfig,
             evaluation: Settings = Settings(), verbose: bool = True,
             same_data: bool = True
             ) -> Iterator[Callable[[], list[dict[str, float]]]]:
    """Checks everything that `fit` needs and locks its work directory.

    Yields:
        A function that trains the model and returns the history.
    """
    chief = cluster.is_chief(model.distribute_strategy)
    run = completed(run, model, data)
    if model.bases and model.distribute_strategy.cluster_resolver is not None:
        raise InputError("strategy must be none or mirrored with a fitted "
                         "base, got multi_worker.")
    if not chief:
        run, verbose = dataclasses.replace(run, workdir=""), False
    validation = Validation(model, data, run, evaluation) if (
        run.validation.evaluate_every and chief) else None
    with contextlib.ExitStack() as stack:
        folder = ""
        if run.workdir:
            recipe = model.recipe
            resolved = workdirs.Run(
                run, recipe.config, recipe.data, evaluation,
                custom.serialized(recipe.networks))
            workdirs.check(run.workdir, resolved)
            if same_data:
                contents.check(run.workdir, data)
            stack.enter_context(locked(run.workdir))
            workdirs.write(run.workdir, resolved, data.vocabulary)
            if same_data:
                contents.keep(run.workdir, data)
            folder = os.path.join(run.workdir, workdirs.CHECKPOINTS)
        elif chief and _limit(run):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
        yield functools.partial(
            _fit, model, data, run, folder, validation, verbose)


def completed(run: RunConfig, model: EnergyModel, data: DataSet
              ) -> RunConfig:
    """Completes a run with the settings of its model and its data.

    Raises:
        InputError: If the run contradicts them, or if the model was built for
            other data.
        ValueError: If the model was not made by `families.build`.
    """
    recipe, defaults = model.recipe, RunConfig()
    if recipe is None:
        raise ValueError("lebm_tf.fit needs a model made by lebm_tf.build, got "
                         "one without a recipe; use model.fit for it.")
    if DataSpec.of(data) != recipe.data:
        raise InputError(f"the data must match {recipe.data}, which the model "
                         f"was built for, got {DataSpec.of(data)}.")
    if run.precision == precision.AUTO:
        run = dataclasses.replace(run, precision=recipe.precision)
    known = {name: getattr(recipe, name) for name in (
        "family", "batch_size", "seed", "precision", "loss_scale")}
    for name, value in known.items():
        given = getattr(run, name)
        if given not in (value, getattr(defaults, name)):
            raise InputError(f"{name} must be left out or {value}, as in the "
                             f"model, got {given}.")
    if run.data.dataset not in (data.name, defaults.data.dataset):
        raise InputError(f"dataset must be left out or {data.name}, as in the "
                         f"data, got {run.data.dataset!r}.")
    origin = {name: value for name, value in data.origin.items()
              if getattr(run.data, name) == getattr(defaults.data, name)}
    if origin.get("data_dir") == defaults.data.resolved_data_dir():
        del origin["data_dir"]  # The default, which a run need not name.
    return dataclasses.replace(run, **known, data=dataclasses.replace(
        run.data, dataset=data.name, **origin))


def _limit(run) -> int:
    """Maximum number of rollbacks."""
    divergence = run.divergence
    return divergence.max_rollbacks if (
        divergence.on_divergence == "rollback") else 0


def _fit(model, data, run, folder, validation, verbose):
    averaging.remove(model)
    if model.likelihood is not None:
        model.likelihood.adapt(data)
    with cluster.watched(model.distribute_strategy), named_failures():
        checkpoints = _train(model, data, run, folder, validation, verbose)
    if not cluster.is_chief(model.distribute_strategy):
        return model.rows
    if run.validation.early_stop:
        checkpoints = validation.best
        checkpoints.restore()
    with averaging.averaged(model):
        fitted = fit_codes(model, data)
    if fitted and checkpoints:  # Also if killed just before this.
        checkpoints.save()
    averaging.install(model)
    return model.rows


def _train(model, data, run, folder, validation, verbose):
    """Trains to the last step, rolling back where needed.

    Returns the checkpoints of the run, None without a folder.
    """
    train_steps, workdir = run.train_steps, run.workdir
    history = callbacks.History(
        model, run.log_every, workdir,
        {**fields.by_flag(run), **fields.by_flag(model.recipe.config)})
    chosen = [callbacks.InPlace(workdir)] if workdir else []
    chosen += [StopOnDivergence(run.divergence), history]
    checkpoints = rollbacks = None
    strategy = model.distribute_strategy
    limit = _limit(run)
    if folder:
        checkpoints = Checkpoints(model, folder, margin=MARGIN)
        checkpoints.clean()
        checkpoints.restore()
        rollbacks = Rollbacks(
            model, checkpoints, limit,
            os.path.join(workdir, workdirs.ROLLBACKS) if workdir else "")
        if limit and not checkpoints.steps():
            checkpoints.save()  # The first state to roll back to.
    if model.bases:
        chosen.append(FitBases(data, model.fit_bases_every))
    chosen += [FitClusters(data, layer) for layer in model.frozen.values()
               if isinstance(layer, CodeClusters)]
    if validation:
        validation.begin(history, checkpoints)
        chosen.append(validation)
    if checkpoints is not None:
        chosen += [callbacks.SampleGrid(history, run.checkpoint_every),
                   callbacks.Checkpointing(
                       checkpoints, run.checkpoint_every, history.save)]
    if run.validation.patience:
        chosen.append(following.FollowStop(run.validation.evaluate_every))

    def is_over():
        return int(model.step) >= train_steps or (
            validation is not None and validation.is_over())

    while not following.agreed(model, is_over):
        first = int(model.step)
        batches = strategy.distribute_datasets_from_function(
            functools.partial(train_batches, data, run.batch_size,
                              model.recipe.seed, first,
                              length_pool=run.data.length_pool))
        progress = [callbacks.Progress(train_steps, first)] if verbose else []
        try:
            model.fit(batches, steps_per_epoch=train_steps - first, epochs=1,
                      shuffle=False, verbose=0, callbacks=chosen + progress)
        except DivergedError as error:
            if rollbacks:
                rollbacks.roll_back(error)
            elif not limit or cluster.is_chief(strategy):
                raise
            continue  # The next round broadcasts the chief's state.
        if cluster.is_chief(strategy) and not is_over():
            # Keras takes some failures, such as a log on a full disk, for the
            # end of the data, and returns normally.
            raise InputError(
                f"training must end at step {train_steps}, but the data ended "
                f"at step {int(model.step)}; is the disk of {workdir!r} full?")
    history.load()
    return checkpoints
