"""Writes the model of a run as a SavedModel for TensorFlow Serving.

    python -m lebm_tf.export --workdir=DIR --output=MODELS/digits

writes MODELS/digits/1, or the next free version, and prints how to call it.
"""

import dataclasses
import os
import sys
from typing import Annotated

from lebm_tf.configuration import startup

startup.begin("export", __name__, __doc__)

import lebm_tf  # noqa: E402
from lebm_tf import files  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.configuration.source import SourceConfig  # noqa: E402
from lebm_tf.errors import InputError  # noqa: E402
from lebm_tf.kinds import SEQUENCE  # noqa: E402
from lebm_tf.ranges import OneOf  # noqa: E402
from lebm_tf.serving import (  # noqa: E402
    ServingConfig, export_hlo, export_model, model_card)
from lebm_tf.training import loading, plugins, workdir as workdirs  # noqa: E402

FORMATS = ("saved_model", "hlo")


@dataclasses.dataclass(frozen=True)
class ExportConfig(SourceConfig):
    """The run to export, and the output folder.

    Attributes:
        output: Folder that holds the versions of the model.
        format: saved_model (for TensorFlow Serving) or hlo (the compiled
            sampler of hlo_rows samples, with a script that runs it without
            TensorFlow).
    """
    output: str = ""
    format: Annotated[str, OneOf(FORMATS)] = "saved_model"


def all_fields() -> list[fields.Field]:
    """Returns the flags of this command."""
    return [*fields.fields(ExportConfig), *fields.fields(ServingConfig)]


def about(workdir: str, resolved: workdirs.Run, step: int) -> dict:
    """Sections of the model card that come from a work directory."""
    run = resolved.run
    path = os.path.join(workdir, workdirs.METRICS)
    metrics = files.read_json(path) if os.path.exists(path) else {}
    if metrics.get("run/step") != step:  # They belong to another model.
        metrics = {}
    return {
        "Model": {"family": run.family, "step": step,
                  "lebm_tf": lebm_tf.__version__},
        "Training data": {
            "dataset": run.data.dataset, "examples": resolved.data.num_train,
            "shape": list(resolved.data.shape), "crop": run.data.crop,
            "anomaly_label (left out)": run.data.anomaly_label},
        "Metrics": metrics or {"none": "not measured at this step"},
        "Configuration": {
            field.flag: field.default for field in fields.fields(
                type(resolved.model), config=resolved.model)}}


def main(values) -> None:
    """Exports the model and prints its signatures."""
    chosen = loading.located(fields.from_flags(ExportConfig, values))
    serving = fields.from_flags(ServingConfig, values)
    if not chosen.output:
        raise InputError("--output must name a folder, got none.")
    resolved = workdirs.read(chosen.workdir)
    loading.check_generates(chosen.workdir, resolved)
    vocabulary = workdirs.read_vocabulary(
        chosen.workdir) if resolved.data.kind == SEQUENCE else None
    if vocabulary and chosen.format == "hlo":
        raise InputError("--format must be saved_model for sequences, because "
                         "a compiled program has no strings, got 'hlo'.")
    model = loading.load(chosen.workdir, chosen.checkpoint)
    if chosen.format == "hlo":
        path = export_hlo(model, chosen.output, resolved.data.shape, serving)
        command.say(f"Wrote {path}. Run it with jax, without TensorFlow:\n"
                    f"  python {path}/run.py --seed=7 --output=samples.npz")
        return
    path = export_model(
        model, chosen.output, resolved.data.shape, serving,
        about(chosen.workdir, resolved, int(model.step)), vocabulary)
    command.say(model_card.read_summary(path))
    command.say(f"Wrote {path}. Look at its signatures with\n"
                f"  saved_model_cli show --dir {path} --all")


if __name__ == "__main__":
    sys.exit(command.run(
        main, __doc__, all_fields, load_plugins=plugins.load))
