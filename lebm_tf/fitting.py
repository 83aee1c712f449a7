"""Training as `train` and notebooks run it: resumable `fit`."""

import os

from lebm_tf import callbacks, workdir as workdirs
from lebm_tf.checkpoint import Checkpoints
from lebm_tf.config import RunConfig
from lebm_tf.datasets import ImageData, train_batches
from lebm_tf.errors import InputError
from lebm_tf.evaluation import EvaluationConfig
from lebm_tf.families import DataSpec
from lebm_tf.models import EnergyModel


def fit(model: EnergyModel, data: ImageData, train_steps: int, *,
        workdir: str = "", log_every: int = 50, checkpoint_every: int = 1_000,
        verbose: bool = True, run: RunConfig | None = None,
        evaluation: EvaluationConfig = EvaluationConfig()
        ) -> list[dict[str, float]]:
    """Trains up to step `train_steps`, from the newest checkpoint if any.

    Killed and called again, it goes on and ends with the same weights.

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

    Returns:
        The history: rows with "step" and the mean of every logged value.

    Raises:
        InputError: If the work directory belongs to another run, a checkpoint
            can't be read, or training ended early.
        ValueError: If the model was made in another way.
        NonFiniteError: If a loss, gradient or chain is not finite.
    """
    recipe = model.recipe
    if recipe is None:
        raise ValueError("fit needs a model made by families.build, got one "
                         "without a recipe; its own fit takes any batches.")
    if DataSpec.of(data) != recipe.data:
        raise InputError(f"the model was built for {recipe.data}, got "
                         f"{DataSpec.of(data)}.")
    history = callbacks.History(model, log_every, workdir)
    chosen = [callbacks.StopOnNonFinite(), history]
    if workdir:
        run = run or RunConfig(
            family=recipe.family, dataset=data.name, workdir=workdir,
            train_steps=train_steps, batch_size=recipe.batch_size,
            seed=recipe.seed, precision=recipe.precision,
            loss_scale=recipe.loss_scale, log_every=log_every,
            checkpoint_every=checkpoint_every, **data.origin)
        workdirs.write(workdir, workdirs.Run(
            run, recipe.config, recipe.data, evaluation))
        checkpoints = Checkpoints(
            model, os.path.join(workdir, workdirs.CHECKPOINTS))
        checkpoints.restore()
        chosen += [callbacks.SampleGrid(history, checkpoint_every),
                   callbacks.Checkpointing(
                       checkpoints, checkpoint_every, history.save)]
    first = int(model.step)
    if verbose:
        chosen.append(callbacks.Progress(train_steps, first))
    if first >= train_steps:
        return history.load()
    batches = train_batches(
        data, recipe.batch_size, recipe.seed, start_step=first)
    model.fit(batches, steps_per_epoch=train_steps - first, epochs=1,
              shuffle=False, verbose=0, callbacks=chosen)
    if int(model.step) != train_steps:
        # Keras takes some failures, as of a log on a full disk, for the end
        # of the data, and returns as if all were well.
        raise InputError(
            f"training must end at step {train_steps}, got an end of the data "
            f"at {int(model.step)}; is the disk of {workdir!r} full?")
    return model.rows
