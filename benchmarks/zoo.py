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

import numpy as np  # noqa: E402

from benchmarks import plane, recovery, runs  # noqa: E402
from lebm_tf import files, zoo  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.datasets.reading import held_out  # noqa: E402
from lebm_tf.publish import publish  # noqa: E402
from lebm_tf.ranges import Checked, OneOf  # noqa: E402
from lebm_tf.text_files import read_text  # noqa: E402
from lebm_tf.training.loading import load  # noqa: E402

POINTS = "runs/zoo/pinwheel.csv"
_NUM_POINTS, _NUM_SAMPLES = 20_000, 10_000
CARDS = os.path.join(os.path.dirname(__file__), "cards")
# Name -> flags of the training, and metrics that show what float16 changes.
MODELS = {
    "digits": (("--flagfile=configs/quickstart.cfg", "--baseline="),
               ("frechet/samples", "codes/log_prob_prior")),
    "digits_few_labels": (("--flagfile=configs/symbol_digits.cfg",),
                          ("symbols/accuracy",)),
    "digits_amortized": (("--flagfile=configs/amortized_digits.cfg",),
                         ("frechet/samples", "sampler/kl")),
    "ptb_1000": (("--flagfile=configs/sequence_ptb_1000.cfg",),
                 ("sequences/reconstruction_nll",)),
    "zara1": (("--flagfile=configs/trajectory_eth_ucy_cpu.cfg",),
              ("trajectories/minimum_ade", "trajectories/minimum_fde")),
    "mnist_two_layers": (("--flagfile=configs/multilayer_mnist_cpu.cfg",),
                         ("frechet/samples", "reconstruction/mse")),
    "pinwheel": ((
        "--family=recovery_likelihood", f"--dataset=csv:{POINTS}",
        "--train_steps=4000", "--batch_size=128", "--schedule=angles",
        "--step_factor=2e-3", "--steps_grow=false", "--jit_compile=on",
        "--energy_channels=64", "--energy_multipliers=1,2",
        "--energy_num_blocks=1", "--energy_embedding_dim=32",
        "--energy_activates_time", "--energy_starts_small=false",
        "--energy_has_head_bias=false",
        "--energy_optimizer_learning_rate=1e-3",
        "--energy_optimizer_average_decay=0.995",
        "--energy_optimizer_warmup_steps=100",
        "--energy_optimizer_clip_norm=1"),
        ("plane/kl_samples", "plane/kl_level_0"))}


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


def write_points(path: str) -> None:
    """Writes points of `plane.pinwheel` as a table; their label, which no model
    uses, is the side on which they lie."""
    points = plane.pinwheel(_NUM_POINTS, np.random.default_rng(1))
    with files.atomic_path(path) as temporary:
        np.savetxt(temporary, np.column_stack([points, points[:, 0] > 0]),
                   "%.6f", ",", header="x,y,side", comments="")


def plane_metrics(source: str, path: str = POINTS) -> dict[str, float]:
    """Divergences, in nats, of a model of the points from their true density.

    Args:
        source: The model, as of `lebm_tf.load`.
        path: Table of the points.
    """
    x = np.loadtxt(path, delimiter=",", skiprows=1)[:, :2]
    scale = x[~held_out(len(x))].std()  # Both columns have the same, nearly.
    model, levels = load(source), recovery.ladder("DRL").levels()
    model.inference_batch = 4_000
    true = [plane.noised("pinwheel", factor / scale, noise) for factor, noise
            in zip(levels.total_factors, levels.total_scales)]
    found = {f"plane/kl_level_{t}": plane.divergence(true[t], log_density)
             for t, log_density in enumerate(
                 recovery.log_densities(model, "DRL"))}
    return {"plane/kl_samples": plane.sample_divergence(
        true[0], model.sample(_NUM_SAMPLES, seed=0).x), **found}


def make(name: str, chosen: ZooBenchmark) -> str:
    """Trains, measures and publishes a model; returns its folder."""
    workdir = os.path.join(chosen.workdir, name)
    if name == "pinwheel":
        write_points(POINTS)
    flags, shown = MODELS[name]
    if not runs.is_trained(workdir):
        runs.call("lebm_tf.train", *flags, f"--workdir={workdir}",
                  data_dir=chosen.data_dir)
    trained = files.read_json(os.path.join(workdir, "metrics.json"))
    unmeasured, measured = f"{workdir}_published", f"{workdir}_measured"
    for folder in (unmeasured, measured):
        shutil.rmtree(folder, ignore_errors=True)
    publish(workdir, unmeasured, dtype="float16", metrics={})
    runs.call("lebm_tf.evaluate", f"--model={unmeasured}",
              f"--output={measured}", data_dir=chosen.data_dir)
    metrics = files.read_json(os.path.join(measured, "metrics.json"))
    if name == "pinwheel":
        metrics |= plane_metrics(unmeasured)
        trained |= plane_metrics(workdir)
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
