"""Training as `train` and notebooks run it: resumable `fit`."""

import contextlib
import dataclasses
import functools
import os
import tempfile

from lebm_tf import precision
from lebm_tf.configuration.run import RunConfig
from lebm_tf.datasets import DataSet, train_batches
from lebm_tf.devices import cluster
from lebm_tf.errors import DivergedError, InputError
from lebm_tf.evaluation import Settings
from lebm_tf.families import DataSpec
from lebm_tf.models import EnergyModel, averaging
from lebm_tf.training import callbacks, following, workdir as workdirs
from lebm_tf.training.checkpoint import Checkpoints
from lebm_tf.training.divergence import MARGIN, Rollbacks, StopOnDivergence
from lebm_tf.training.fit_codes import fit_codes
from lebm_tf.training.locking import locked
from lebm_tf.training.validation import Validation


def fit(model: EnergyModel, data: DataSet, train_steps: int, *,
        workdir: str = "", log_every: int = 50, checkpoint_every: int = 1_000,
        verbose: bool = True, run: RunConfig | None = None,
        evaluation: Settings = Settings(), **settings
        ) -> list[dict[str, float]]:
    """Trains up to step `train_steps`, from the newest checkpoint if any.

    Killed and called again, it goes on and ends with the same weights. After
    it the model holds those of the best checkpoint, with early_stop, and
    their moving averages, where its optimizers keep some. A model that was
    built in the scope of a strategy is trained on its replicas; of several
    workers the chief alone reads, writes, measures and rolls back, and it
    alone holds what is chosen or averaged in the end.

    Args:
        model: A model made by `families.build`.
        data: What to train on.
        train_steps: Number of the last step, counted from the first run.
        workdir: Keeps config.json, checkpoints, history.json and TensorBoard
            logs, for `load` and for a later call; empty keeps nothing.
        log_every: Steps to a row of the history.
        checkpoint_every: Steps between two checkpoints.
        verbose: Whether to show a progress bar.
        run: What else to keep in config.json; `train` gives its flags.
        evaluation: How `evaluate` shall measure the run.
        **settings: Further fields of `RunConfig`, as on_divergence="stop".

    Returns:
        The history: rows with "step" and the mean of every logged value.

    Raises:
        InputError: If the work directory belongs to another run or another
            process writes there, a checkpoint can't be read, or training
            ended early.
        ValueError: If the model was made in another way.
        DivergedError: If a value is not finite or beyond its bound, and was
            again after the rollbacks that are allowed.
        ClusterError: If another worker was lost.
    """
    chief = cluster.is_chief(model.distribute_strategy)
    if not chief:
        workdir, verbose = "", False
    recipe = model.recipe
    if recipe is None:
        raise ValueError("fit needs a model made by families.build, got one "
                         "without a recipe; its own fit takes any batches.")
    if DataSpec.of(data) != recipe.data:
        raise InputError(f"the model was built for {recipe.data}, got "
                         f"{DataSpec.of(data)}.")
    if run is not None and run.precision == precision.AUTO:
        run = dataclasses.replace(run, precision=recipe.precision)
    run = run or RunConfig(
        family=recipe.family, dataset=data.name, workdir=workdir,
        train_steps=train_steps, batch_size=recipe.batch_size,
        seed=recipe.seed, precision=recipe.precision,
        loss_scale=recipe.loss_scale, log_every=log_every,
        checkpoint_every=checkpoint_every, **data.origin, **settings)
    validation = Validation(
        model, data, run, evaluation, workdir
    ) if run.evaluate_every and chief else None
    averaging.remove(model)
    if hasattr(model.likelihood, "adapt"):
        model.likelihood.adapt(data)
    with contextlib.ExitStack() as stack:
        folder = ""
        if workdir:
            resolved = workdirs.Run(run, recipe.config, recipe.data, evaluation)
            workdirs.check(workdir, resolved)
            stack.enter_context(locked(workdir))
            workdirs.write(workdir, resolved, data.vocabulary)
            folder = os.path.join(workdir, workdirs.CHECKPOINTS)
        elif chief and run.on_divergence == "rollback" and run.max_rollbacks:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
        with cluster.watched(model.distribute_strategy):
            checkpoints = _train(model, data, train_steps, run, workdir,
                                 folder, validation, verbose)
        if not chief:
            return model.rows
        if run.early_stop:
            checkpoints = validation.best
            checkpoints.restore()
        with averaging.averaged(model):
            fitted = fit_codes(model, data)
        if fitted and checkpoints:  # Also after a kill just before.
            checkpoints.save()
    averaging.install(model)
    return model.rows


def _train(model, data, train_steps, run, workdir, folder, validation,
           verbose):
    """Runs to the last step, over rollbacks if need be.

    Returns the last checkpoints, None without a folder.
    """
    history = callbacks.History(model, run.log_every, workdir)
    chosen = [StopOnDivergence(run), history]
    checkpoints = rollbacks = None
    strategy = model.distribute_strategy
    limit = run.max_rollbacks if run.on_divergence == "rollback" else 0
    if folder:
        checkpoints = Checkpoints(model, folder, margin=MARGIN)
        checkpoints.clean()
        checkpoints.restore()
        rollbacks = Rollbacks(
            model, checkpoints, limit,
            os.path.join(workdir, workdirs.ROLLBACKS) if workdir else "")
        if limit and not checkpoints.steps():
            checkpoints.save()  # Something to go back to.
    if validation:
        validation.begin(history, checkpoints)
        chosen.append(validation)
    if folder:
        chosen += [callbacks.SampleGrid(history, run.checkpoint_every),
                   callbacks.Checkpointing(
                       checkpoints, run.checkpoint_every, history.save)]
    if run.patience:
        chosen.append(following.FollowStop(run.evaluate_every))

    def is_over():
        return int(model.step) >= train_steps or (
            validation is not None and validation.is_over())

    while not following.agreed(model, is_over):
        first = int(model.step)
        batches = strategy.distribute_datasets_from_function(
            functools.partial(train_batches, data, run.batch_size,
                              model.recipe.seed, first,
                              length_pool=run.length_pool))
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
