"""Evaluates the model of a run and writes metrics.json and pictures.

    python -m lebm_tf.evaluate --workdir=DIR [--evaluators=frechet,chains]
    python -m lebm_tf.evaluate --model=zoo:digits --output=DIR

The default evaluators are those of the run, or else of its family. Settings
default to those of the run. Earlier metrics of the same step stay in the file.
"""

import dataclasses
import os
import sys

from lebm_tf.configuration import startup

startup.begin("evaluate", __name__, __doc__)

from lebm_tf import files  # noqa: E402
from lebm_tf.configuration import command, early, fields  # noqa: E402
from lebm_tf.configuration.source import SourceConfig  # noqa: E402
from lebm_tf.datasets import DataSet  # noqa: E402
from lebm_tf.evaluation import (  # noqa: E402
    EVALUATORS, Context, Evaluator, Settings, check, evaluate, settings)
from lebm_tf.models import EnergyModel  # noqa: E402
from lebm_tf.training import (  # noqa: E402
    loading, plugins, same_data, workdir as workdirs)


@dataclasses.dataclass(frozen=True)
class EvaluateConfig(SourceConfig):
    """The run to evaluate, and its evaluators.

    Attributes:
        evaluators: Evaluators to run: anomaly, bits, chains, codes, frechet,
            latents, likelihood, molecules, perplexity, pictures,
            reconstruction, sentences, sequences, symbols, trajectories,
            translation; default: those of the run.
        data_dir: Folder of the data sets; default: that of the training.
        output: Folder for metrics.json and pictures, needed for a published
            model; default: the work directory.
    """
    evaluators: tuple[str, ...] = ()
    data_dir: str = ""
    output: str = ""


Plan = tuple[tuple[Evaluator, ...], Context]


def evaluate_model(model: EnergyModel, data: DataSet, resolved, names,
                   chosen: Settings, workdir: str) -> dict:
    """Evaluates the model of a run; pictures go to WORKDIR/pictures.

    Args:
        model: The trained model.
        data: The data set of the run.
        resolved: `workdir.Run`.
        names: Keys of `EVALUATORS`; if empty, those of the run or its family.
        chosen: Settings of the evaluators.
        workdir: Work directory.

    Returns:
        Flat name -> value: the merged contents of WORKDIR/metrics.json.
    """
    planned = plan(model, data, resolved, names, chosen, workdir)
    return measure(model, resolved, planned, workdir)


def measure(model: EnergyModel, resolved, planned: Plan, workdir: str) -> dict:
    """Runs the evaluators of `plan`; arguments and result as in
    `evaluate_model`."""
    evaluators, context = planned
    metrics = merge_metrics(workdir, {
        "run/family": resolved.run.family,
        "run/dataset": resolved.run.data.dataset,
        "run/step": int(model.step)})
    for evaluator in evaluators:  # A failure keeps earlier results.
        metrics = merge_metrics(
            workdir, evaluate(model, context, [evaluator]))
    return metrics


def plan(model: EnergyModel, data: DataSet, resolved, names,
         chosen: Settings, workdir: str) -> Plan:
    """Prepares `evaluate_model` and checks its input; arguments as there.

    Default evaluators of the family that do not support the data, or need prior
    chains where a flow samples, are left out.

    Raises:
        InputError: If the model, the data or the settings lack what an
            evaluator needs. Commands call this before training.
    """
    names = tuple(names) or resolved.run.evaluators or tuple(
        name for name in workdirs.family_of(resolved.run).EVALUATORS
        if data.kind in EVALUATORS[name].kinds and (
            model.generation.climbs or not EVALUATORS[name].needs_chains))
    context = Context(
        data=data, config=chosen.config,
        anomaly_label=resolved.run.data.anomaly_label,
        directory=os.path.join(workdir, workdirs.PICTURES),
        classifier_path=os.path.join(workdir, "features_classifier.npz"))
    evaluators = chosen.select(names)
    check(evaluators, context, model)
    return evaluators, context


def merge_metrics(workdir: str, metrics: dict) -> dict:
    """Merges metrics into WORKDIR/metrics.json and returns its contents.

    Metrics of another step are dropped, so a file never mixes two models.
    """
    path = os.path.join(workdir, workdirs.METRICS)
    before = files.read_json(path) if os.path.exists(path) else {}
    if metrics.get("run/step", before.get("run/step")) != before.get(
            "run/step"):
        before = {}
    together = {**before, **metrics}
    files.write_json(path, together)
    return together


def report(metrics: dict) -> str:
    """Formats the metrics as aligned lines."""
    width = max(map(len, metrics))
    return "\n".join(
        f"  {name:<{width}}  " +
        (f"{value:.4g}" if isinstance(value, float) else str(value))
        for name, value in metrics.items())


def main(values) -> None:
    """Evaluates the model and prints the metrics."""
    chosen = loading.located(fields.from_flags(EvaluateConfig, values))
    early.check_evaluators(chosen.evaluators, EVALUATORS)
    loading.check_output(chosen)
    output = chosen.output or chosen.workdir
    resolved = workdirs.read(chosen.workdir)
    how = settings.from_flags(values, resolved.evaluation)
    if chosen.data_dir:
        resolved = resolved._replace(
            run=workdirs.moved(resolved.run, chosen.data_dir))
    model = loading.load(chosen.workdir, chosen.checkpoint)
    data = workdirs.load_data(resolved.run, resolved.data)
    same_data.check(chosen.workdir, data)
    metrics = evaluate_model(
        model, data, resolved, chosen.evaluators, how, output)
    command.say(report(metrics))
    command.say(f"Wrote {os.path.join(output, workdirs.METRICS)} and "
                f"{os.path.join(output, workdirs.PICTURES)}.")


def all_fields() -> list[fields.Field]:
    """Returns the flags of this command."""
    return [*fields.fields(EvaluateConfig), *settings.fields()]


if __name__ == "__main__":
    sys.exit(command.run(
        main, __doc__, all_fields, load_plugins=plugins.load))
