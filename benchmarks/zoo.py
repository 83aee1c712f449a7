"""The models of lebm_tf/zoo: trained, published, and measured as they ship.

    python -m benchmarks.zoo [--models=digits] [--data_dir=DIR]

Every run is a `python -m lebm_tf.train` of its own, printed as it starts, in
WORKDIR/NAME. One that was stopped goes on, one that has ended is not made
again. The metrics of a card are those of the published weights.
"""

import dataclasses
import os
import shutil
import sys
from typing import Annotated

from lebm_tf.configuration import startup

startup.import_tensorflow()

from benchmarks import runs  # noqa: E402
from lebm_tf import files, zoo  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.publish import publish  # noqa: E402
from lebm_tf.ranges import Checked, OneOf  # noqa: E402
from lebm_tf.text_files import read_text  # noqa: E402

CARDS = os.path.join(os.path.dirname(__file__), "cards")
# Name -> flags of the training, and metrics that show what float16 changes.
MODELS = {
    "digits": (("--flagfile=configs/quickstart.cfg", "--baseline="),
               ("frechet/samples", "codes/log_prob_prior"))}


@dataclasses.dataclass(frozen=True)
class ZooBenchmark(Checked):
    """What to train.

    Attributes:
        models: Names of models; all if empty.
        data_dir: Where the data lie, if not in $LEBM_DATA_DIR.
        workdir: Where the runs are kept.
    """
    models: tuple[Annotated[str, OneOf(MODELS)], ...] = ()
    data_dir: str = ""
    workdir: str = "runs/zoo"


def make(name: str, chosen: ZooBenchmark) -> str:
    """Trains, measures and publishes a model; returns its folder."""
    workdir = os.path.join(chosen.workdir, name)
    flags, shown = MODELS[name]
    trained = runs.trained(workdir, *flags, data_dir=chosen.data_dir)
    unmeasured, measured = f"{workdir}_published", f"{workdir}_measured"
    for folder in (unmeasured, measured):
        shutil.rmtree(folder, ignore_errors=True)
    publish(workdir, unmeasured, dtype="float16", metrics={})
    runs.call("lebm_tf.evaluate", f"--model={unmeasured}",
              f"--output={measured}", data_dir=chosen.data_dir)
    metrics = files.read_json(os.path.join(measured, "metrics.json"))
    metrics |= {key: value for key, value in trained.items()
                if key in ("training/seconds", "backbone/training/seconds")}
    folder, card = (os.path.join(zoo.MODELS, name),
                    os.path.join(CARDS, f"{name}.md"))
    shutil.rmtree(folder, ignore_errors=True)
    rounded = "; ".join(f"`{key}` {trained[key]:.4g} before, "
                        f"{metrics[key]:.4g} after" for key in shown)
    publish(workdir, folder, dtype="float16", metrics=metrics, text=(
        read_text(card, f"the text {card}").strip() + "\n\n**Weights.** "
        f"Matrices are rounded to float16: {rounded}."))
    return folder


def main(values) -> None:
    """Makes the models one after the other."""
    chosen = fields.from_flags(ZooBenchmark, values)
    for name in chosen.models or MODELS:
        command.say(f"Wrote {make(name, chosen)}.")


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(ZooBenchmark)))
