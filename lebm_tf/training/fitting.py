"""Training as `train` and notebooks run it: resumable `fit`."""

import contextlib
import dataclasses
import functools
import os
import tempfile
from typing import Callable, Iterator

from lebm_tf import precision
from lebm_tf.assembly import custom
from lebm_tf.configuration.run import RunConfig
from lebm_tf.datasets import DataSet, train_batches
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
    """Trains up to step `run.train_steps`, from the newest checkpoint if any.

        fit(model, data, RunConfig(train_steps=500, workdir="runs/mine"))

    Killed and called again, it goes on and ends with the same weights. After
    it the model holds those of the best checkpoint, with early_stop, and
    their moving averages, where its optimizers keep some. A model that was
    built in the scope of a strategy is trained on its replicas; of several
    workers the chief alone reads, writes, measures and rolls back, and it
    alone holds what is chosen or averaged in the end.

    Args:
        model: A model made by `families.build`.
        data: What to train on.
        run: How to train. What the model and the data know themselves, as the
            family, the seed or the data set, may be left out; without a
            workdir nothing is kept, for `load` and for a later call.
        evaluation: How evaluators measure, during training and later.
        verbose: Whether to show a progress bar.
        same_data: Whether all calls with one work directory must bring data
            of the same content.

    Returns:
        The history: rows with "step" and the mean of every logged value.

    Raises:
        InputError: If the run is of another model or other data, the work
            directory belongs to another run or another process writes there,
            a checkpoint can't be read, or training ended early.
        ValueError: If the model was made in another way.
        DivergedError: If a value is not finite or beyond its bound, and was
            again after the rollbacks that are allowed.
        ClusterError: If another worker was lost.
    """
    with prepared(
            model, data, run, evaluation, verbose, same_data) as training:
        return training()


@contextlib.contextmanager
def prepared(model: EnergyModel, data: DataSet, run: RunConfig,
             evaluation: Settings = Settings(), verbose: bool = True,
             same_data: bool = True
             ) -> Iterator[Callable[[], list[dict[str, float]]]]:
    """Checks all that `fit` needs and holds its work directory.

    Yields:
        What trains, and returns the history; nothing is trained before.
    """
    chief = cluster.is_chief(model.distribute_strategy)
    run = completed(run, model, data)
    if model.bases and model.distribute_strategy.cluster_resolver is not None:
        raise InputError("strategy must be none or mirrored with a base that "
                         "is fitted to codes, got multi_worker.")
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
    """The run with what its model and its data say themselves.

    Raises:
        InputError: If it says something else, or the model was built for
            other data.
        ValueError: If the model was not made by `families.build`.
    """
    recipe, defaults = model.recipe, RunConfig()
    if recipe is None:
        raise ValueError("fit needs a model made by families.build, got one "
                         "without a recipe; its own fit takes any batches.")
    if DataSpec.of(data) != recipe.data:
        raise InputError(f"the model was built for {recipe.data}, got "
                         f"{DataSpec.of(data)}.")
    if run.precision == precision.AUTO:
        run = dataclasses.replace(run, precision=recipe.precision)
    known = {name: getattr(recipe, name) for name in (
        "family", "batch_size", "seed", "precision", "loss_scale")}
    for name, value in known.items():
        given = getattr(run, name)
        if given not in (value, getattr(defaults, name)):
            raise InputError(f"{name} must be {value}, as the model was built, "
                             f"or left out, got {given}.")
    if run.data.dataset not in (data.name, defaults.data.dataset):
        raise InputError(f"dataset must be {data.name}, that of the data, or "
                         f"left out, got {run.data.dataset!r}.")
    origin = {name: value for name, value in data.origin.items()
              if getattr(run.data, name) == getattr(defaults.data, name)}
    if origin.get("data_dir") == defaults.data.resolved_data_dir():
        del origin["data_dir"]  # It is where it is looked for anyway.
    return dataclasses.replace(run, **known, data=dataclasses.replace(
        run.data, dataset=data.name, **origin))


def _limit(run) -> int:
    """How often training may be rolled back."""
    divergence = run.divergence
    return divergence.max_rollbacks if (
        divergence.on_divergence == "rollback") else 0


def _fit(model, data, run, folder, validation, verbose):
    averaging.remove(model)
    if model.likelihood is not None:
        model.likelihood.adapt(data)
    with cluster.watched(model.distribute_strategy):
        checkpoints = _train(model, data, run, folder, validation, verbose)
    if not cluster.is_chief(model.distribute_strategy):
        return model.rows
    if run.validation.early_stop:
        checkpoints = validation.best
        checkpoints.restore()
    with averaging.averaged(model):
        fitted = fit_codes(model, data)
    if fitted and checkpoints:  # Also after a kill just before.
        checkpoints.save()
    averaging.install(model)
    return model.rows


def _train(model, data, run, folder, validation, verbose):
    """Runs to the last step, over rollbacks if need be.

    Returns the last checkpoints, None without a folder.
    """
    train_steps, workdir = run.train_steps, run.workdir
    history = callbacks.History(model, run.log_every, workdir)
    chosen = [StopOnDivergence(run.divergence), history]
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
            checkpoints.save()  # Something to go back to.
    if model.bases:
        chosen.append(FitBases(data, model.fit_bases_every))
    chosen += [FitClusters(data, layer) for layer in model.frozen.values()
               if isinstance(layer, CodeClusters)]
    if validation:
        validation.begin(history, checkpoints)
        chosen.append(validation)
    if folder:
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
            continue  # The chief's state is everyone's at the next round.
        if cluster.is_chief(strategy) and not is_over():
            # Keras takes some failures, as of a log on a full disk, for the
            # end of the data, and returns as if all were well.
            raise InputError(
                f"training must end at step {train_steps}, got an end of the "
                f"data at {int(model.step)}; is the disk of {workdir!r} full?")
    history.load()
    return checkpoints
