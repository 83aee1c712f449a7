"""Publishes the model of a run, as one archive or as a folder.

    python -m lebm_tf.publish --workdir=DIR --output=my_model.tar.gz \\
        [--card=about.md]

It holds the weights without optimizers, the configuration, a flagfile that
trains the model again, the metrics, the vocabulary if there is one, and
MODEL_CARD.md, which begins with the text of --card. lebm_tf.load, and --model
of the other commands, read it: a folder or archive by its path, an archive also
by its URL and checksum.
"""

import dataclasses
import math
import os
import shutil
import sys
import tempfile
from typing import Annotated, Any, Mapping

from lebm_tf.configuration import startup

startup.begin("publish", __name__, __doc__)

from lebm_tf import files, zoo  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.configuration.early import CONFIG  # noqa: E402
from lebm_tf.errors import InputError  # noqa: E402
from lebm_tf.evaluation import meanings  # noqa: E402
from lebm_tf.ranges import Checked, OneOf  # noqa: E402
from lebm_tf.report import settings_of  # noqa: E402
from lebm_tf.text_files import read_text  # noqa: E402
from lebm_tf.training import (  # noqa: E402
    loading, plugins, same_data, weights, workdir as workdirs)

CARD, FLAGFILE, BACKBONE = "MODEL_CARD.md", "train.cfg", "backbone.cfg"
_ENDINGS = (".png", ".txt", ".smi")


@dataclasses.dataclass(frozen=True)
class PublishConfig(Checked):
    """The run to publish, and where to.

    Attributes:
        workdir: Work directory of a run.
        checkpoint: best (by the run's early_stop) or last; default: best if the
            run kept one.
        output: New archive (.tar.gz) or folder.
        dtype: Type of the matrices of networks: float32, or float16 for a file
            of half the size, with weights rounded to 11 bits.
        card: Markdown file with the beginning of the model card: what the model
            is for, its data with their licence, its limits.
    """
    workdir: str = ""
    checkpoint: str = ""
    output: str = ""
    dtype: Annotated[str, OneOf(weights.DTYPES)] = "float32"
    card: str = ""


def publish(workdir: str, output: str, *, checkpoint: str = "",
            dtype: str = "float32", text: str = "",
            metrics: Mapping[str, Any] | None = None) -> None:
    """Publishes the model of a run; `output` is written as a whole or not.

    Args:
        workdir: Work directory of the run.
        output: New archive (.tar.gz) or folder.
        checkpoint: As of `loading.load`.
        dtype: One of `weights.DTYPES`.
        text: Markdown, the beginning of the card.
        metrics: Name -> value; default: those of the run, if they were measured
            at the step of the checkpoint.

    Raises:
        InputError: If the output exists, or the run is not trained.
    """
    if not output or os.path.exists(output):
        raise InputError("--output must name a new archive or folder, got "
                         f"{output or 'none'}.")
    model = loading.load(workdir, checkpoint)
    step = int(model.step)
    parent = os.path.dirname(os.path.abspath(output))
    os.makedirs(parent, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=".part-") as temporary:
        folder = os.path.join(temporary, "model")
        os.mkdir(folder)
        weights.write(model, folder, dtype)
        for name in (workdirs.VOCABULARY, same_data.DATA):
            if os.path.exists(os.path.join(workdir, name)):
                shutil.copy(os.path.join(workdir, name), folder)
        files.write_json(os.path.join(folder, CONFIG),
                         _config(workdir))
        _write_flagfiles(workdir, folder)
        metrics = _metrics(workdir, step) if metrics is None else metrics
        if metrics:
            files.write_json(os.path.join(folder, workdirs.METRICS), metrics)
        _write(folder, CARD, _card(
            _name(output), text, workdirs.read(folder), model, metrics,
            (dtype, zoo.checksum(os.path.join(folder, weights.WEIGHTS)))))
        if output.endswith(zoo.ENDING):
            zoo.pack(folder, output)
        else:
            os.rename(folder, output)


def _name(output):
    return os.path.basename(os.path.abspath(output)).removesuffix(zoo.ENDING)


def _config(workdir):
    """The configuration of a run without paths of this machine."""
    saved = files.read_json(os.path.join(workdir, CONFIG))
    run = saved["run"]
    run |= {"workdir": "", "baseline": "",
            "backbone": BACKBONE if run["backbone"] else "",
            "data": {**run["data"], "data_dir": ""}}
    return {name: value for name, value in saved.items()
            if name != "processor"}


def _metrics(workdir, step):
    path = os.path.join(workdir, workdirs.METRICS)
    found = files.read_json(path) if os.path.exists(path) else {}
    return found if found.get("run/step") == step else {}


def _write_flagfiles(workdir, folder):
    """Flagfiles that train the model again, and its backbone if any."""
    resolved = workdirs.read(workdir)
    backbone = resolved.run.backbone
    inner = os.path.join(workdir, workdirs.BACKBONE)
    if backbone:
        other = workdirs.read(backbone if os.path.isdir(backbone) else inner)
        _write(folder, BACKBONE, flagfile(other))
    _write(folder, FLAGFILE, flagfile(resolved))


def flagfile(resolved: workdirs.Run) -> str:
    """Flags of a run that differ from the defaults, one a line, without paths
    of this machine; the backbone is `BACKBONE`."""
    run = resolved.run
    run = dataclasses.replace(
        run, workdir="", baseline="", backbone=BACKBONE if run.backbone else "",
        data=dataclasses.replace(run.data, data_dir=""))
    lines = [f"# The family {run.family} on {run.data.dataset}.",
             f"--family={run.family}", f"--dataset={run.data.dataset}"]
    settings = settings_of(resolved._replace(run=run))
    del settings["family"], settings["dataset"]
    for flag, (value, default) in settings.items():
        if value != default:
            lines.append(f"--{flag}=" + (",".join(map(str, value)) if (
                isinstance(value, tuple)) else str(value)))
    return "\n".join(lines) + "\n"


def _write(folder, name, text):
    with files.atomic_path(os.path.join(folder, name)) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)


def _card(name, text, resolved, model, metrics, stored):
    """The model card, Markdown; `stored` has type and checksum of weights."""
    run, data = resolved.run, resolved.data
    count = sum(math.prod(variable.shape) for part in model.parts
                for variable in model.variables_of(part))
    about = [
        ("family", run.family), ("training steps", int(model.step)),
        ("trained parameters", f"{count:,}"), ("seed", run.seed),
        ("matrices stored as", stored[0]),
        (f"SHA-256 of {weights.WEIGHTS}", stored[1]),
        ("data", run.data.dataset),
        ("training examples", f"{data.num_train:,}"),
        ("shape of an example", list(data.shape))]
    parts = [f"# {name}", text.strip() or
             f"A model of the family {run.family}, trained on "
             f"{run.data.dataset}.",
             "## Model\n\n" + _table(("", ""), about),
             "## Training\n\nThis flagfile trains the model again; it lists "
             "what differs from the defaults.\n\n```\npython -m lebm_tf.train "
             f"--flagfile={FLAGFILE} --workdir=DIR\n```"]
    rows = [(f"`{metric}`", f"{value:.4g}" if isinstance(value, float)
             else value, meanings.meaning(metric))
            for metric, value in metrics.items()
            if not str(value).endswith(_ENDINGS)]
    if rows:
        parts.append("## Metrics\n\n" + _table(
            ("metric", "value", "meaning"), rows))
    return "\n\n".join(parts) + "\n"


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(
        str(cell).replace("|", "\\|") for cell in line) + " |"
        for line in lines)


def main(values) -> None:
    """Publishes the model and says how to load it."""
    chosen = fields.from_flags(PublishConfig, values)
    text = read_text(chosen.card, f"the text {chosen.card}") if (
        chosen.card) else ""
    publish(chosen.workdir, chosen.output, checkpoint=chosen.checkpoint,
            dtype=chosen.dtype, text=text)
    if not chosen.output.endswith(zoo.ENDING):
        command.say(f"Wrote {chosen.output}. Load it with\n  "
                    f"lebm_tf.load({chosen.output!r})")
        return
    command.say(
        f"Wrote {chosen.output}, {os.path.getsize(chosen.output):,} bytes. "
        "Load it, or its URL, with\n"
        f"  lebm_tf.load({chosen.output!r},\n"
        f"               sha256={zoo.checksum(chosen.output)!r})")


if __name__ == "__main__":
    sys.exit(command.run(
        main, __doc__, fields.fields(PublishConfig),
        load_plugins=plugins.load))
