r"""Trains a model, evaluates it and suggests what to do next.

    python -m lebm_tf.train --flagfile=configs/quickstart.cfg \
        [--workdir=DIR] [--train_steps=N] [--any_field=VALUE]

Running it again resumes from the newest checkpoint.
"""

import dataclasses
import math
import os
import shlex
import sys
import time

from lebm_tf.configuration import startup

startup.begin("train", __name__, __doc__)

from lebm_tf import precision  # noqa: E402
from lebm_tf.assembly import custom  # noqa: E402
from lebm_tf.assembly.data import check_kind, family_for  # noqa: E402
from lebm_tf.configuration import command, early, fields  # noqa: E402
from lebm_tf.configuration.run import RunConfig  # noqa: E402
from lebm_tf.datasets import DataSet, steps_per_epoch  # noqa: E402
from lebm_tf.datasets.loading import kind_of  # noqa: E402
from lebm_tf.devices import cluster, strategies  # noqa: E402
from lebm_tf.evaluate import measure, merge_metrics, plan  # noqa: E402
from lebm_tf.evaluation import (  # noqa: E402
    EVALUATORS, Settings, settings as evaluation, training_curves)
from lebm_tf.families import FAMILIES, DataSpec  # noqa: E402
from lebm_tf.models import EnergyModel  # noqa: E402
from lebm_tf.training import (  # noqa: E402
    backbones, checkpoint, divergence, plugins, summary, workdir as workdirs)
from lebm_tf.training.fitting import prepared  # noqa: E402


def all_fields() -> list[fields.Field]:
    """Returns the flags of all families."""
    return [*fields.fields(RunConfig), *evaluation.fields(),
            *(dataclasses.replace(field, family=name)
              for name, family in FAMILIES.items()
              for field in fields.fields(family.Config))]


def resolve(values) -> tuple[RunConfig, object, Settings]:
    """Returns the configurations that the flags describe.

    Args:
        values: Parsed flags.

    Returns:
        (RunConfig, configuration of the family, settings of evaluators).

    Raises:
        InputError: If a value is invalid, or a flag belongs to another family.
    """
    run = fields.from_flags(RunConfig, values)
    kind = kind_of(run.data)
    if values["family"].value is None:
        run = dataclasses.replace(run, family=family_for(
            kind, FAMILIES, run.family))
    family = workdirs.family_of(run)
    check_kind(run.family, kind, FAMILIES)
    early.check_evaluators(run.evaluators, EVALUATORS)
    early.check_evaluators(run.validation.validation_evaluators, EVALUATORS,
                           "validation_evaluators")
    fields.refuse_foreign(all_fields(), values, run.family)
    if not run.workdir:
        name = "".join(c if c.isalnum() else "_" for c in run.data.dataset)
        run = dataclasses.replace(
            run, workdir=os.path.join("runs", f"{run.family}_{name}"))
    return (run, fields.from_flags(family.Config, values),
            evaluation.from_flags(values))


def from_flagfile(path: str, *flags: str):
    """Reads the configurations from a flagfile.

    Args:
        path: The flagfile.
        *flags: Further flags, such as "--latent_dim=8".

    Returns:
        As `resolve`.
    """
    argv = ["", *command.expand([f"--flagfile={path}", *flags])]
    plugins.load(command.plugins_of(argv))
    return resolve(command.parse([*all_fields(), command.PLUGINS], argv))


def train(run: RunConfig, model_config, settings: Settings) -> dict:
    """Trains and evaluates one run; returns its metrics, on the chief.

    Raises:
        InputError: If any input is invalid; raised before training starts.
    """
    strategy = strategies.make(run)  # Before TensorFlow starts.
    data = workdirs.load_data(run)
    # Refuses batch sizes that do not fit the data.
    steps_per_epoch(data, run.batch_size, run.data.length_pool)
    networks, beside, backbone = {}, {}, run.backbone
    if backbone:
        if not os.path.isdir(backbone):
            other, other_config, _ = _of_setting(run, workdirs.BACKBONE)
            backbones.check(
                backbone, other.family, other_config, model_config)
            beside = _beside(run, workdirs.BACKBONE, settings,
                             own=("train_steps", "batch_size"))
            backbone = os.path.join(run.workdir, workdirs.BACKBONE)
        networks = backbones.networks(backbone, model_config, data)
    resolved = workdirs.Run(run, model_config, DataSpec.of(data), settings,
                            custom.serialized(networks))
    with cluster.watched(strategy), strategy.scope():
        model = workdirs.build_run(resolved, **networks)
    planned = plan(model, data, resolved, (), settings, run.workdir)
    with prepared(model, data, run, settings) as training:
        if not cluster.is_chief(strategy):
            training()
            return {}
        command.say(introduction(run, data, model))
        metrics = _train(run, resolved, model, training, planned)
    return merge_metrics(run.workdir, beside) if beside else metrics


def with_precision(run: RunConfig) -> RunConfig:
    """Replaces the precision "auto" of a run, and reports the choice.

    A run that has started keeps the precision of its work directory; a new run
    takes the faster one on this machine.

    Raises:
        InputError: If the work directory holds no run.
    """
    asked, begun = run.precision, os.path.exists(
        os.path.join(run.workdir, early.CONFIG))
    if asked == precision.AUTO and begun:
        chosen = workdirs.read(run.workdir).run.precision
        said = f"Precision {chosen}, as in the run in {run.workdir}."
    else:
        chosen, said = precision.resolve(asked), precision.advice(asked)
    if said:
        command.say(said)
    return dataclasses.replace(run, precision=chosen)


def _train(run, resolved, model, training, planned):
    done = max(checkpoint.steps(
        os.path.join(run.workdir, workdirs.CHECKPOINTS)), default=0)
    if done > run.train_steps:
        command.say(
            f"{run.workdir} has already been trained for {done:,} steps, "
            f"more than --train_steps={run.train_steps}: training is skipped, "
            f"and the model of step {done:,} is evaluated.")
    history = training()
    measured = rollbacks(run.workdir)
    if history:  # The file may be missing from a finished run.
        training_curves(os.path.join(
            run.workdir, workdirs.PICTURES, "training.png"), history)
        measured["training/seconds"] = history[-1]["seconds"]
        measured["training/steps"] = history[-1]["step"]
    command.say("Evaluating on the held-out data ...")
    started = time.monotonic()
    measure(model, resolved, planned, run.workdir)
    measured["evaluation/seconds"] = time.monotonic() - started
    return merge_metrics(run.workdir, measured)


def rollbacks(workdir: str) -> dict:
    """Number of rollbacks in the training of a run, and the reason of each."""
    records = divergence.read(os.path.join(workdir, workdirs.ROLLBACKS))
    return {"training/rollbacks": len(records),
            **{f"training/rollback_{i}": line for i, line in enumerate(
                divergence.describe(records), 1)}}


def introduction(run: RunConfig, data: DataSet, model: EnergyModel) -> str:
    """Summary of the run, printed before training."""
    counts = ", ".join(
        f"{part} {sum(math.prod(v.shape) for v in model.variables_of(part)):,}"
        for part in model.parts)
    return (
        f"Training the family {run.family} on {run.data.dataset}: "
        f"{data.describe()}; {run.train_steps:,} steps of {run.batch_size}.\n"
        f"Parameters: {counts}.\nEverything goes to {run.workdir}; "
        "TensorBoard: tensorboard --logdir "
        f"{shlex.quote(os.path.join(run.workdir, 'logs'))}")


def train_baseline(run: RunConfig, settings: Settings) -> dict:
    """Trains the baseline of a run on the same data; returns its metrics."""
    return _beside(run, "baseline", settings)


def _beside(run, name, settings, own=()):
    """Trains the run whose flagfile is in the setting `name` of another run.

    It uses the data and the shared settings of the other run, except those in
    `own`. Returns its metrics.
    """
    other, model_config, _ = _of_setting(run, name)
    other = dataclasses.replace(
        fields.shared(run, other), baseline="",
        workdir=os.path.join(run.workdir, name),
        **{field: getattr(other, field) for field in own})
    metrics = train(other, model_config, settings)
    return {f"{name}/{key}": value for key, value in metrics.items()}


def _of_setting(run, name):
    """Reads the flagfile that a setting names, as `from_flagfile`."""
    path = getattr(run, name)
    early.check_flagfile(name, path)
    return from_flagfile(path)


def main(values) -> None:
    """Trains a run, and its baseline if there is one."""
    run, model_config, settings = resolve(values)
    if run.baseline:
        _of_setting(run, "baseline")  # Refuse it before training.
    strategies.make(run)  # Before TensorFlow starts.
    run = with_precision(run)
    metrics = train(run, model_config, settings)
    baseline = train_baseline(run, settings) if run.baseline else {}
    if cluster.is_chief(strategies.make(run)):
        if baseline:
            metrics = merge_metrics(run.workdir, baseline)
        command.say(summary.text(run, metrics, command.modules(values)))


if __name__ == "__main__":
    sys.exit(command.run(
        main, __doc__, all_fields, load_plugins=plugins.load))
