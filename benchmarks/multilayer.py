"""Priors of one layer and of several, with and without an energy, on digits.

    python -m benchmarks.multilayer [--seeds=1,2] [--systems="VAE"]

Every run is a `python -m lebm_tf.train` of its own, printed as it starts, in
WORKDIR/SYSTEM/SEED: same data, 24 latents in all where they are vectors, the
same generator for all systems but those of a ladder, the same number of steps.
"p0" are samples of the same model without its energy. One that was stopped goes
on, one that has ended is not made again. Writes, after each run,
benchmarks/results/multilayer.json and .md.
"""

import dataclasses
import os
import statistics
import sys
from typing import Annotated

from benchmarks import runs
from lebm_tf.configuration import command, fields
from lebm_tf.ranges import Checked, OneOf, PositiveInt

METRICS = {"frechet/samples": "samples", "frechet/base_samples": "p0",
           "frechet/reconstructions": "reconstructions",
           "frechet/real": "real", "reconstruction/mse": "error",
           "training/seconds": "seconds"}

_ONE_LAYER = (
    "--latent_dim=24", "--generator_channels=64", "--encoder_channels=32,64",
    "--generator_optimizer_learning_rate=1e-3",
    "--encoder_optimizer_learning_rate=1e-3")
# Name -> flags.
SYSTEMS = {
    "VAE": ("--family=vae", "--dataset=digits", *_ONE_LAYER),
    "VAE with deviation 0.5": (
        "--family=vae", "--dataset=digits", *_ONE_LAYER,
        "--likelihood_scale=0.5"),
    "one layer with learned prior": (
        "--family=image", "--dataset=digits", *_ONE_LAYER,
        "--prior_num_steps=40", "--prior_step_size=0.3",
        "--posterior_start=encoder", "--posterior_num_steps=5",
        "--energy_activation=leaky_relu",
        "--energy_optimizer_learning_rate=3e-4"),
    "two layers with joint energy": (
        "--flagfile=configs/multilayer_digits.cfg",),
    "three layers of a ladder with one energy": (
        "--flagfile=configs/multilayer_digits_ladder.cfg",),
    "Gaussian hierarchy (ladder VAE)": (
        "--flagfile=configs/ladder_vae_digits.cfg",),
    "energies on that hierarchy": (
        "--flagfile=configs/multilayer_two_stage_digits.cfg",)}


@dataclasses.dataclass(frozen=True)
class MultilayerBenchmark(Checked):
    """What to measure.

    Attributes:
        systems: Names of systems; all if empty.
        seeds: Seeds of the runs.
        train_steps: Of every run, and of the backbone of the last system.
        num_samples: Behind the Frechet distances.
        workdir: Where the runs are kept.
    """
    systems: tuple[Annotated[str, OneOf(SYSTEMS)], ...] = ()
    seeds: tuple[int, ...] = (1, 2, 3)
    train_steps: PositiveInt = 2000
    num_samples: PositiveInt = 2000
    workdir: str = "runs/benchmark_multilayer"


def measure(system: str, seed: int, chosen: MultilayerBenchmark) -> dict:
    """The figures of one run, made, continued or found.

    Raises:
        InputError: If training ends with an error.
    """
    flags = [*SYSTEMS[system], f"--seed={seed}",
             f"--train_steps={chosen.train_steps}",
             "--evaluators=frechet,reconstruction",
             f"--evaluation_frechet_num_samples={chosen.num_samples}",
             "--evaluation_num_draws=1"]
    seconds = 0.0
    if system == "energies on that hierarchy":
        backbone = "Gaussian hierarchy (ladder VAE)"
        seconds = measure(backbone, seed, chosen)["seconds"]
        flags.append(f"--backbone={_folder(backbone, seed, chosen)}")
    metrics = runs.trained(_folder(system, seed, chosen), *flags)
    found = {name: metrics[key] for key, name in METRICS.items()
             if key in metrics}
    return {**found, "seconds": found["seconds"] + seconds,
            "steps": chosen.train_steps}


def _folder(system, seed, chosen):
    return os.path.join(chosen.workdir, runs.folder_of(system), str(seed))


def table(results: dict) -> str:
    """Markdown: mean and each seed."""
    columns = list(METRICS.values())
    lines = ["| | seeds | " + " | ".join(columns) + " |",
             "|---|---|" + "---|" * len(columns)]
    for name, seeds in results["runs"].items():
        cells = []
        for column in columns:
            values = [run[column] for run in seeds.values() if column in run]
            digits = {"seconds": 0, "error": 4}.get(column, 2)
            cells.append(f"{statistics.mean(values):.{digits}f}"
                         + _spread(values, digits) if values else "")
        lines.append(f"| {name} | {len(seeds)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _spread(values, digits):
    return f" ± {statistics.stdev(values):.{digits}f}" if (
        len(values) > 1) else ""


def main(values) -> None:
    """Measures what is left, and writes the table after every run."""
    chosen = fields.from_flags(MultilayerBenchmark, values)
    results = runs.begun("multilayer", "runs")
    for seed in chosen.seeds:
        for system in chosen.systems or SYSTEMS:
            results["runs"].setdefault(system, {})[str(seed)] = measure(
                system, seed, chosen)
            runs.write("multilayer", results, table(results))
    command.say(table(results))


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(MultilayerBenchmark)))
