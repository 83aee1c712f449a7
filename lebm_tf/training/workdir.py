"""Work directories: the configuration, checkpoints and model of one run."""

import dataclasses
import os
from typing import Any, Mapping, NamedTuple

from absl import logging

import lebm_tf
from lebm_tf import files, processor
from lebm_tf.assembly import custom
from lebm_tf.configuration import early, fields as configuration
from lebm_tf.configuration.early import CONFIG
from lebm_tf.configuration.run import RunConfig
from lebm_tf.datasets import DataSet, Vocabulary
from lebm_tf.datasets.images.anomaly_split import anomaly_split
from lebm_tf.datasets.labelled import label_split
from lebm_tf.datasets.loading import load as load_named
from lebm_tf.datasets.sequences import properties
from lebm_tf.datasets.validation_split import validation_split
from lebm_tf.errors import InputError
from lebm_tf.evaluation import Settings, settings
from lebm_tf.families import FAMILIES, DataSpec, build
from lebm_tf.models import EnergyModel
from lebm_tf.training import provenance, weights
from lebm_tf.training.locking import LOCK

CHECKPOINTS = "checkpoints"
PICTURES, METRICS = "pictures", "metrics.json"
ROLLBACKS, BEST, VALIDATION = "rollbacks.json", "best", "validation.json"
VOCABULARY, BACKBONE = "vocabulary.json", "backbone"


class Run(NamedTuple):
    """A resolved run.

    Attributes:
        run: Settings of the run apart from its model.
        model: Configuration of the family.
        data: Specification of the data.
        evaluation: Default settings of evaluators.
        networks: Serialized user networks, see `custom.serialized`.
    """
    run: RunConfig
    model: Any
    data: DataSpec
    evaluation: Settings = Settings()
    networks: Mapping[str, Any] = {}


def load_data(run: RunConfig, expected: DataSpec | None = None
              ) -> DataSet:
    """Loads the data set of a run, with its splits and labels applied.

    Raises:
        InputError: If the data set is not found, or does not match `expected`.
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
                             f"{run.family}, which does not use labels, got "
                             f"{chosen.num_labels}.")
        data = label_split(
            data, chosen.num_labels, seed=chosen.label_seed,
            stratified=chosen.label_stratified,
            batch_size=chosen.labelled_batch_size or run.batch_size)
    if expected is not None:
        check_spec(chosen.dataset, DataSpec.of(data), expected)
    return data


def check_spec(name: str, found: DataSpec, expected: DataSpec) -> None:
    """Raises InputError unless the data `name` have the specification of the
    training data."""
    if found != expected:
        raise InputError(f"{name} must match the training data of the run, "
                         f"{expected}, got {found}.")


def moved(run: RunConfig, data_dir: str) -> RunConfig:
    """Returns the run with another `data_dir`; "" keeps its own."""
    return dataclasses.replace(run, data=dataclasses.replace(
        run.data, data_dir=data_dir or run.data.data_dir))


def family_of(run: RunConfig):
    """Returns the module of a run's family.

    Raises:
        InputError: If the name is unknown.
    """
    early.check_family(run.family, FAMILIES)
    return FAMILIES[run.family]


def build_run(resolved: Run, **networks) -> EnergyModel:
    """Builds the compiled model of a run, with its user networks if any.

    Args:
        resolved: The run.
        **networks: Layers to use in place of the stored ones; their
            configurations must be equal.

    Raises:
        InputError: If the model does not fit the data, a class of a network was
            not imported, or a given network differs from the stored one.
    """
    run = resolved.run
    changed = networks and custom.differing(
        resolved.networks, custom.serialized(networks))
    if changed:
        raise InputError(
            f"the network {changed[0]!r} must have the configuration that the "
            "run was built with, got another.")
    networks = networks or custom.restored(
        resolved.networks, run.workdir or CONFIG)
    return build(run.family, resolved.model, resolved.data,
                 batch_size=run.batch_size, seed=run.seed,
                 precision=run.precision, loss_scale=run.loss_scale,
                 **networks)


def check(workdir: str, resolved: Run) -> None:
    """Checks that `write` would succeed; writes nothing.

    Raises:
        InputError: If the folder belongs to another run or holds other files.
    """
    path = os.path.join(workdir, CONFIG)
    if weights.are_in(workdir):
        raise InputError(f"{workdir} must be the work directory of a run, got "
                         "a published model, which holds no optimizers.")
    if os.path.exists(path):
        _check_same(workdir, read(workdir), resolved)
    elif os.path.isdir(workdir):
        others = set(os.listdir(workdir)) - {LOCK, BACKBONE}
        if others:
            raise InputError(
                f"{workdir} must be new, empty or the work directory of this "
                f"run, got a folder with {len(others)} entries and no "
                f"{CONFIG}.")


def write(workdir: str, resolved: Run,
          vocabulary: Vocabulary | None = None) -> None:
    """Saves the configuration, or checks that the folder holds the same one.

    Args:
        workdir: The folder.
        resolved: The run.
        vocabulary: Vocabulary of the data, if any.

    Raises:
        InputError: As `check`, or if the folder holds another vocabulary.
    """
    check(workdir, resolved)
    path = os.path.join(workdir, VOCABULARY)
    if vocabulary is not None:
        if os.path.exists(path) and read_vocabulary(workdir) != vocabulary:
            raise InputError(f"{path} must equal the vocabulary of the data, "
                             "got another; the data have changed.")
        files.write_json(path, vocabulary.to_dict())
    path = os.path.join(workdir, CONFIG)
    begun = files.read_json(path) if os.path.exists(path) else {}
    cpu = begun.get("processor") or processor.describe()
    if cpu["onednn"] != processor.onednn_is_on():
        logging.warning(
            "%s was started %s oneDNN: its weights will match those of an "
            "uninterrupted run only up to rounding; set %s=%d for bit-for-bit "
            "equality on one machine.", workdir,
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
    """Reads the configuration of a work directory.

    Raises:
        InputError: If the folder holds no valid configuration.
    """
    early.check_is_run(workdir)
    path = os.path.join(workdir, CONFIG)
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


def read_vocabulary(workdir: str) -> Vocabulary:
    """Reads the vocabulary of a run.

    Raises:
        InputError: If the work directory holds no valid vocabulary.
    """
    path = os.path.join(workdir, VOCABULARY)
    if not os.path.isfile(path):
        raise InputError(f"{workdir} must hold {VOCABULARY}, got none.")
    try:
        return Vocabulary.from_dict(files.read_json(path))
    except (KeyError, TypeError, UnicodeDecodeError, ValueError) as error:
        raise InputError(
            f"{path} is not a vocabulary: {error}") from error


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
