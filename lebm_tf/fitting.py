"""Training as `train` and notebooks run it: resumable `fit`."""

import os

from lebm_tf import callbacks, workdir as workdirs
from lebm_tf.checkpoint import Checkpoints
from lebm_tf.datasets import ImageData, train_batches
from lebm_tf.errors import InputError
from lebm_tf.models import EnergyModel

_SHOWN = ("loss/energy", "loss/generator", "positive/energy",
          "negative/energy", "loss/reconstruction", "loss/kl")


def fit(model: EnergyModel, data: ImageData, train_steps: int, *,
        batch_size: int = 100, workdir: str = "", log_every: int = 50,
        checkpoint_every: int = 1_000, verbose: bool = True
        ) -> list[dict[str, float]]:
    """Trains up to step `train_steps`, from the newest checkpoint if any.

    Killed and called again, it goes on and ends with the same weights.

    Args:
        model: A compiled model.
        data: What to train on.
        train_steps: Number of the last step, counted from the first run.
        batch_size: Examples of a step.
        workdir: Keeps checkpoints, history.json and TensorBoard logs; empty
            keeps nothing.
        log_every: Steps to a row of the history.
        checkpoint_every: Steps between two checkpoints.
        verbose: Whether to show a progress bar.

    Returns:
        The history: rows with "step" and the mean of every logged value.

    Raises:
        InputError: If a checkpoint can't be read, or training ended early.
        NonFiniteError: If a loss, gradient or chain is not finite.
    """
    history = callbacks.History(log_every, workdir)
    chosen = [callbacks.StopOnNonFinite(), history]
    if workdir:
        checkpoints = Checkpoints(
            model, os.path.join(workdir, workdirs.CHECKPOINTS))
        checkpoints.restore()
        chosen += [callbacks.SampleGrid(history, checkpoint_every),
                   callbacks.Checkpointing(
                       checkpoints, checkpoint_every, history.save)]
    first = int(model.step)
    if verbose:
        chosen.append(callbacks.Progress(train_steps, first, _SHOWN))
    if first >= train_steps:
        history.set_model(model)
        history.on_train_begin()
        return history.rows
    batches = train_batches(data, batch_size, model.seed, start_step=first)
    model.fit(batches, steps_per_epoch=train_steps - first, epochs=1,
              shuffle=False, verbose=0, callbacks=chosen)
    if int(model.step) != train_steps:
        # Keras takes some failures, as of a log on a full disk, for the end
        # of the data, and returns as if all were well.
        raise InputError(
            f"training must end at step {train_steps}, got an end of the data "
            f"at {int(model.step)}; is the disk of {workdir!r} full?")
    return history.rows
