"""A work directory: one run, its configuration and its model."""

import os
from typing import Any, NamedTuple

from lebm_tf import checkpoint, config as configuration, files
from lebm_tf.config import RunConfig
from lebm_tf.datasets import ImageData, load_dataset
from lebm_tf.datasets.anomaly_split import anomaly_split
from lebm_tf.errors import InputError
from lebm_tf.evaluation import EvaluationConfig
from lebm_tf.families import FAMILIES, DataSpec, build
from lebm_tf.models import EnergyModel

CONFIG, CHECKPOINTS = "config.json", "checkpoints"
PICTURES, METRICS = "pictures", "metrics.json"

# A run may go on with other values of these.
_MAY_CHANGE = {"workdir", "data_dir", "train_steps", "log_every",
               "checkpoint_every", "evaluators", "baseline"}


class Run(NamedTuple):
    """A resolved run.

    Attributes:
        run: What the run needs besides its model.
        model: The family's configuration.
        data: What the data look like.
        evaluation: How to measure it, if not told otherwise.
    """
    run: RunConfig
    model: Any
    data: DataSpec
    evaluation: EvaluationConfig = EvaluationConfig()


def load_data(run: RunConfig, expected: DataSpec | None = None) -> ImageData:
    """The data set of a run, with its anomalous class left out if any.

    Raises:
        InputError: If it is not there, or not what was trained on.
    """
    data = load_dataset(
        run.dataset, data_dir=run.resolved_data_dir(),
        image_size=run.image_size, crop=run.crop)
    if run.anomaly_label >= 0:
        data = anomaly_split(data, run.anomaly_label)
    if expected is not None and DataSpec.of(data) != expected:
        raise InputError(f"{run.dataset} must be what the run was trained on, "
                         f"{expected}, got {DataSpec.of(data)}.")
    return data


def family_of(run: RunConfig):
    """The module of a run's family.

    Raises:
        InputError: If there is none of that name.
    """
    if run.family not in FAMILIES:
        raise InputError(
            f"--family must be one of {', '.join(FAMILIES)}, got "
            f"{run.family!r}{configuration.nearest(run.family, FAMILIES)}.")
    return FAMILIES[run.family]


def build_run(resolved: Run, **networks) -> EnergyModel:
    """The compiled model of a run; `networks` as of `families.build`.

    Raises:
        InputError: If the model does not fit the data.
    """
    run = resolved.run
    return build(run.family, resolved.model, resolved.data,
                 batch_size=run.batch_size, seed=run.seed,
                 precision=run.precision, loss_scale=run.loss_scale,
                 **networks)


def write(workdir: str, resolved: Run) -> None:
    """Saves the configuration, or checks that the folder holds this one.

    Raises:
        InputError: If the folder belongs to another run, or to something
            else.
    """
    path = os.path.join(workdir, CONFIG)
    if os.path.exists(path):
        _check_same(workdir, read(workdir), resolved)
    elif os.path.isdir(workdir) and os.listdir(workdir):
        raise InputError(
            f"{workdir} must be empty, new or the work directory of this "
            f"run, got a folder with {len(os.listdir(workdir))} entries and "
            f"no {CONFIG}.")
    files.write_json(path, {
        "run": configuration.to_dict(resolved.run),
        "model": configuration.to_dict(resolved.model),
        "data": configuration.to_dict(resolved.data),
        "evaluation": configuration.to_dict(resolved.evaluation)})


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
        run = configuration.from_dict(RunConfig, saved["run"])
        model = configuration.from_dict(family_of(run).Config, saved["model"])
        data = DataSpec(**{**saved["data"],
                           "shape": tuple(saved["data"]["shape"])})
        evaluation = configuration.from_dict(
            EvaluationConfig, saved["evaluation"])
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError,
            ValueError) as error:
        raise InputError(f"{path} is not the configuration of a run: "
                         f"{error}") from error
    return Run(run, model, data, evaluation)


def load(workdir: str, **networks) -> EnergyModel:
    """The trained model of a work directory.

    Args:
        workdir: Where `train` kept it.
        **networks: The custom networks it was built with, if any.

    Raises:
        InputError: If there is no run or no checkpoint.
    """
    resolved = read(workdir)
    folder = os.path.join(workdir, CHECKPOINTS)
    if not checkpoint.steps(folder):
        raise InputError(
            f"{workdir} must hold a trained model, got no checkpoint in "
            f"{folder}.")
    model = build_run(resolved, **networks)
    checkpoint.Checkpoints(model, folder).restore()
    return model


def _check_same(workdir: str, old: Run, new: Run) -> None:
    changed = {}
    for name in ("run", "model", "data"):
        changed.update(configuration.differences(
            getattr(old, name), getattr(new, name)))
    changed = {flag: values for flag, values in changed.items()
               if flag not in _MAY_CHANGE}
    if changed:
        listed = ", ".join(f"{flag} ({old} there, {new} now)"
                           for flag, (old, new) in changed.items())
        raise InputError(
            f"{workdir} belongs to another run; it differs in {listed}.")
