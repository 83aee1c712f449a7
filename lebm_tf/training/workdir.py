"""A work directory: one run, its configuration and its model."""

import dataclasses
import os
from typing import Any, Mapping, NamedTuple

from absl import logging

import lebm_tf
from lebm_tf import files, processor
from lebm_tf.assembly import custom
from lebm_tf.configuration import fields as configuration
from lebm_tf.configuration.run import RunConfig
from lebm_tf.datasets import DataSet, Vocabulary
from lebm_tf.datasets.images.anomaly_split import anomaly_split
from lebm_tf.datasets.labelled import label_split
from lebm_tf.datasets.loading import load as load_named
from lebm_tf.datasets.sequences import properties
from lebm_tf.datasets.validation_split import validation_split
from lebm_tf.errors import InputError, nearest
from lebm_tf.evaluation import Settings, settings
from lebm_tf.families import FAMILIES, DataSpec, build
from lebm_tf.models import EnergyModel, averaging
from lebm_tf.training import checkpoint as checkpoints, provenance
from lebm_tf.training.locking import LOCK

CONFIG, CHECKPOINTS = "config.json", "checkpoints"
PICTURES, METRICS = "pictures", "metrics.json"
ROLLBACKS, BEST, VALIDATION = "rollbacks.json", "best", "validation.json"
VOCABULARY, BACKBONE = "vocabulary.json", "backbone"


class Run(NamedTuple):
    """A resolved run.

    Attributes:
        run: What the run needs besides its model.
        model: The family's configuration.
        data: What the data look like.
        evaluation: How to measure it, if not told otherwise.
        networks: Configurations of a user's own, as of `custom.serialized`.
    """
    run: RunConfig
    model: Any
    data: DataSpec
    evaluation: Settings = Settings()
    networks: Mapping[str, Any] = {}


def load_data(run: RunConfig, expected: DataSpec | None = None
              ) -> DataSet:
    """The data set of a run, with its anomalous class left out if any.

    Raises:
        InputError: If it is not there, or not what was trained on.
    """
    chosen = run.data
    data = load_named(dataclasses.replace(
        chosen, data_dir=chosen.resolved_data_dir()))
    if chosen.anomaly_label >= 0:
        data = anomaly_split(data, chosen.anomaly_label)
    if chosen.validation_fraction:
        data = validation_split(data, chosen.validation_fraction)
    if chosen.property:
        data = properties.with_property(data, chosen.property)
    if chosen.num_labels:
        if not family_of(run).Config.learns_from_labels:
            raise InputError("num_labels must be 0 for the family "
                             f"{run.family}, which learns from no label, got "
                             f"{chosen.num_labels}.")
        data = label_split(
            data, chosen.num_labels, seed=chosen.label_seed,
            stratified=chosen.label_stratified,
            batch_size=chosen.labelled_batch_size or run.batch_size)
    if expected is not None:
        _check_spec(chosen.dataset, DataSpec.of(data), expected)
    return data


def _check_spec(name, found: DataSpec, expected: DataSpec) -> None:
    if found != expected:
        raise InputError(f"{name} must be what the run was trained on, "
                         f"{expected}, got {found}.")


def moved(run: RunConfig, data_dir: str) -> RunConfig:
    """The run with its data in another folder; "" leaves it as it is."""
    return dataclasses.replace(run, data=dataclasses.replace(
        run.data, data_dir=data_dir or run.data.data_dir))


def family_of(run: RunConfig):
    """The module of a run's family.

    Raises:
        InputError: If there is none of that name.
    """
    if run.family not in FAMILIES:
        raise InputError(
            f"--family must be one of {', '.join(FAMILIES)}, got "
            f"{run.family!r}{nearest(run.family, FAMILIES)}.")
    return FAMILIES[run.family]


def build_run(resolved: Run, **networks) -> EnergyModel:
    """The compiled model of a run, with its own networks if it has any.

    Args:
        resolved: The run.
        **networks: Layers in place of those that it keeps, of the same
            configurations.

    Raises:
        InputError: If the model does not fit the data, or its networks are
            not of imported classes, or others.
    """
    run = resolved.run
    changed = networks and custom.differing(
        resolved.networks, custom.serialized(networks))
    if changed:
        raise InputError(
            f"the network {changed[0]!r} must be what the run was built with, "
            "got another.")
    networks = networks or custom.restored(
        resolved.networks, run.workdir or CONFIG)
    return build(run.family, resolved.model, resolved.data,
                 batch_size=run.batch_size, seed=run.seed,
                 precision=run.precision, loss_scale=run.loss_scale,
                 **networks)


def check(workdir: str, resolved: Run) -> None:
    """Finds out whether `write` would refuse; writes nothing.

    Raises:
        InputError: If the folder belongs to another run, or to something
            else.
    """
    path = os.path.join(workdir, CONFIG)
    if os.path.exists(path):
        _check_same(workdir, read(workdir), resolved)
    elif os.path.isdir(workdir):
        others = set(os.listdir(workdir)) - {LOCK, BACKBONE}
        if others:
            raise InputError(
                f"{workdir} must be empty, new or the work directory of this "
                f"run, got a folder with {len(others)} entries and no "
                f"{CONFIG}.")


def write(workdir: str, resolved: Run,
          vocabulary: Vocabulary | None = None) -> None:
    """Saves the configuration, or checks that the folder holds this one.

    Args:
        workdir: The folder.
        resolved: The run.
        vocabulary: What its tokens stand for, if it has any.

    Raises:
        InputError: As `check`, or if the folder holds another vocabulary.
    """
    check(workdir, resolved)
    path = os.path.join(workdir, VOCABULARY)
    if vocabulary is not None:
        if os.path.exists(path) and read_vocabulary(workdir) != vocabulary:
            raise InputError(f"{path} must be the vocabulary of the data, got "
                             "another; the data have changed.")
        files.write_json(path, vocabulary.to_dict())
    path = os.path.join(workdir, CONFIG)
    begun = files.read_json(path) if os.path.exists(path) else {}
    cpu = begun.get("processor") or processor.describe()
    if cpu["onednn"] != processor.onednn_is_on():
        logging.warning(
            "%s was begun %s oneDNN: its weights will equal those of a run "
            "that was never stopped up to rounding only; %s=%d would keep them "
            "equal bit for bit on one machine.", workdir,
            "with" if cpu["onednn"] else "without", processor.ONEDNN,
            cpu["onednn"])
    files.write_json(path, {
        "version": lebm_tf.__version__, "processor": cpu,
        "run": configuration.to_dict(resolved.run),
        "model": configuration.to_dict(resolved.model),
        "data": configuration.to_dict(resolved.data),
        "evaluation": settings.to_dict(resolved.evaluation),
        "networks": resolved.networks})


def read(workdir: str) -> Run:
    """The configuration of a work directory.

    Raises:
        InputError: If it is none.
    """
    path = os.path.join(workdir, CONFIG)
    if not os.path.isfile(path):
        raise InputError(
            f"{workdir or '--workdir'} must be the work directory of a run, "
            f"got no {CONFIG} there.")
    try:
        saved = files.read_json(path)
        provenance.check_version(saved.get("version", "0"), path)
        run = configuration.from_dict(RunConfig, saved["run"])
        model = configuration.from_dict(family_of(run).Config, saved["model"])
        data = DataSpec(**{**saved["data"],
                           "shape": tuple(saved["data"]["shape"])})
        evaluation = settings.from_dict(saved["evaluation"])
        networks = dict(saved["networks"])
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError,
            ValueError) as error:
        raise InputError(f"{path} is not the configuration of a run: "
                         f"{error}") from error
    return Run(run, model, data, evaluation, networks)


def check_generates(workdir: str, resolved: Run) -> None:
    """Refuses a run that learned a classifier alone.

    Raises:
        InputError: If it did.
    """
    if resolved.model.is_classifier:
        raise InputError("--workdir must hold a run that learned to generate, "
                         f"got one with --labels_only: {workdir}.")


def read_vocabulary(workdir: str) -> Vocabulary:
    """What the tokens of a run stand for.

    Raises:
        InputError: If the work directory holds none.
    """
    path = os.path.join(workdir, VOCABULARY)
    if not os.path.isfile(path):
        raise InputError(f"{workdir} must hold {VOCABULARY}, got none.")
    try:
        return Vocabulary.from_dict(files.read_json(path))
    except (KeyError, TypeError, UnicodeDecodeError, ValueError) as error:
        raise InputError(
            f"{path} is not a vocabulary: {error}") from error


def load(workdir: str, checkpoint: str = "", data: DataSet | None = None,
         **networks) -> EnergyModel:
    """The trained model of a work directory.

    Args:
        workdir: Where `train` kept it.
        checkpoint: "best" by the run's early_stop, or "last"; best where the
            run kept one if not given.
        data: What the model is to be used on, where no file holds it; it must
            look like what it was trained on.
        **networks: Layers in place of those that it keeps, if any.

    Raises:
        InputError: If there is no run or no such checkpoint, or the data look
            otherwise.
    """
    resolved = read(workdir)
    if data is not None:
        _check_spec(data.name, DataSpec.of(data), resolved.data)
    folder = os.path.join(workdir, which(workdir, resolved.run, checkpoint))
    if not any(checkpoints.steps(folder)):  # Step 0 is untrained.
        raise InputError(
            f"{workdir} must hold a trained model, got no checkpoint in "
            f"{folder}.")
    model = build_run(resolved, **networks)
    checkpoints.Checkpoints(model, folder).restore()
    averaging.install(model)
    return model


def which(workdir: str, run: RunConfig, checkpoint: str = "") -> str:
    """The folder of the checkpoints that `load` takes, below `workdir`.

    Raises:
        InputError: If the run kept no best one, or there is no such name.
    """
    if checkpoint not in ("", "best", "last"):
        raise InputError("--checkpoint must be best or last, got "
                         f"{checkpoint!r}.")
    if checkpoint == "best" and not run.validation.early_stop:
        raise InputError("--checkpoint must be last for a run without "
                         f"early_stop, got 'best' of {workdir}.")
    return BEST if run.validation.early_stop and (
        checkpoint != "last") else CHECKPOINTS


def _check_same(workdir: str, old: Run, new: Run) -> None:
    changed = {}
    for name in ("run", "model", "data"):
        changed.update(configuration.differences(
            getattr(old, name), getattr(new, name)))
    changed.update({name: ("one network", "another") for name in
                    custom.differing(old.networks, new.networks)})
    if changed:
        raise InputError(
            f"{workdir} belongs to another run; it differs in "
            f"{provenance.listed(changed)}.")
