"""Loading of trained models, from work directories and published folders."""

import dataclasses
import os
from typing import Any

from lebm_tf import zoo
from lebm_tf.configuration.run import RunConfig
from lebm_tf.datasets import DataSet
from lebm_tf.errors import InputError
from lebm_tf.families import DataSpec
from lebm_tf.models import EnergyModel, averaging
from lebm_tf.training import (
    checkpoint as checkpoints, weights, workdir as workdirs)


def load(source: str | os.PathLike[str], checkpoint: str = "",
         data: DataSet | None = None, *, sha256: str = "", **networks
         ) -> EnergyModel:
    """Loads a trained model, with averaged weights if any.

        lebm_tf.load("runs/mine")
        lebm_tf.load("zoo:digits")
        lebm_tf.load("https://host/model.tar.gz", sha256="3b0c...")

    Nothing in a published model is run: its weights are arrays, and its
    networks are classes of Keras or of imported modules.

    Args:
        source: Work directory of a run; or a published model: "zoo:NAME", a
            folder, an archive (.tar.gz) or the URL of one.
        checkpoint: "best" (by the run's early_stop) or "last"; "" takes the
            best if the run kept one.
        data: Data to use the model on, if they come from no file; their
            specification must match the training data.
        sha256: Checksum of the archive, 64 hexadecimal digits; needed for a
            URL.
        **networks: Layers to use in place of the stored user networks.

    Raises:
        InputError: If there is no such run, checkpoint or published model, a
            checksum or the data do not match, or an archive is damaged or too
            large.
    """
    workdir = zoo.folder(os.fspath(source), sha256)
    resolved = workdirs.read(workdir)
    if data is not None:
        workdirs.check_spec(data.name, DataSpec.of(data), resolved.data)
    folder = trained(workdir, resolved.run, checkpoint)
    model = workdirs.build_run(resolved, **networks)
    if weights.are_in(folder):
        weights.restore(model, folder)
    else:
        checkpoints.Checkpoints(model, folder).restore()
    averaging.install(model)
    return model


def trained(workdir: str, run: RunConfig, checkpoint: str = "") -> str:
    """Returns the folder of the checkpoints, or of the published weights, that
    `load` uses.

    Raises:
        InputError: If there are none, the run kept no best checkpoint, or the
            name is unknown.
    """
    if checkpoint not in ("", "best", "last"):
        raise InputError("--checkpoint must be best or last, got "
                         f"{checkpoint!r}.")
    if weights.are_in(workdir):
        if checkpoint:
            raise InputError("--checkpoint must be left out for a published "
                             f"model, got {checkpoint!r} for {workdir}.")
        return workdir
    if checkpoint == "best" and not run.validation.early_stop:
        raise InputError("--checkpoint must be last for a run without "
                         f"early_stop, got 'best' for {workdir}.")
    folder = os.path.join(workdir, workdirs.BEST if (
        run.validation.early_stop and checkpoint != "last") else (
            workdirs.CHECKPOINTS))
    if not any(checkpoints.steps(folder)):  # Step 0 is untrained.
        raise InputError(
            f"{workdir} must hold a trained model, got no checkpoint in "
            f"{folder}.")
    return folder


def located(chosen: Any) -> Any:
    """Returns the settings of a command with the folder of --model as workdir.

    Args:
        chosen: A `configuration.source.SourceConfig`.

    Raises:
        InputError: If --workdir or --sha256 does not go with --model, or as
            `load`.
    """
    if not chosen.model:
        if chosen.sha256:
            raise InputError("--sha256 must be left out without --model, got "
                             f"{chosen.sha256!r}.")
        return chosen
    if chosen.workdir:
        raise InputError("--workdir must be left out with --model, got "
                         f"{chosen.workdir!r}.")
    return dataclasses.replace(
        chosen, workdir=zoo.folder(chosen.model, chosen.sha256))


def check_output(chosen: Any) -> None:
    """Refuses to write results into a published model.

    Args:
        chosen: A located `configuration.source.SourceConfig` with `output`, a
            folder that defaults to one in the work directory.

    Raises:
        InputError: If the model is published and there is no output.
    """
    if not chosen.output and weights.are_in(chosen.workdir):
        raise InputError("--output must name a folder for a published model, "
                         "got none.")


def check_generates(workdir: str, resolved: workdirs.Run) -> None:
    """Refuses a run that trained a classifier only.

    Raises:
        InputError: If the run was trained with --labels_only.
    """
    if resolved.model.is_classifier:
        raise InputError("--workdir must hold a generative model, got one "
                         f"trained with --labels_only: {workdir}.")
