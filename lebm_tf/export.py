"""Writes the model of a run as a SavedModel for TensorFlow Serving.

    python -m lebm_tf.export --workdir=DIR --output=MODELS/digits

writes MODELS/digits/1, or the next free number.
"""

import dataclasses
import sys

from lebm_tf import startup

startup.import_tensorflow()

from lebm_tf import command, config, workdir as workdirs  # noqa: E402
from lebm_tf.errors import InputError  # noqa: E402
from lebm_tf.serving import export_model  # noqa: E402


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """What to export, and where to.

    Attributes:
        workdir: Work directory of a run.
        checkpoint: best (by the run's early_stop) or last; best if the run
            kept one.
        output: Folder of the model's versions.
    """
    workdir: str = ""
    checkpoint: str = ""
    output: str = ""


def main(values) -> None:
    """Exports, and says what the model answers."""
    chosen = config.from_flags(ExportConfig, values)
    if not chosen.output:
        raise InputError("--output must be a folder, got nothing.")
    shape = workdirs.read(chosen.workdir).data.shape
    model = workdirs.load(chosen.workdir, chosen.checkpoint)
    path = export_model(model, chosen.output, shape)
    command.say(f"Wrote {path}. Look at its signatures with\n"
                f"  saved_model_cli show --dir {path} --all")


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, config.fields(ExportConfig)))
