"""Anomaly detection on MNIST: every system, held-out digit and seed.

    python -m benchmarks.anomaly [--data_dir=DIR] [--digits=1,9] [--seeds=1,2]
        [--systems="learned prior"]

Every run is a `python -m lebm_tf.train` of its own, printed as it starts, in
WORKDIR/SYSTEM/DIGIT_SEED; all share data, split, generator, batches and
number of steps. One that was stopped goes on, one that has ended is not made
again, so the same command queues all that is left. Writes, after each run,
benchmarks/results/anomaly.json and .md.
"""

import dataclasses
import os
import statistics
import sys
from typing import Annotated

from benchmarks import runs
from lebm_tf.configuration import command, fields
from lebm_tf.ranges import Checked, OneOf

METRICS = {"anomaly/auprc_log_joint": "log_joint", "anomaly/auprc_damc": "damc",
           "anomaly/mse_normal": "mse", "training/seconds": "seconds"}
SCORES = {"log_joint": "-log p(x, z)",
          # No upright lines: they would end a cell of the table.
          "damc": "squared error + E(z) + ‖z‖² / 2"}

_LEARNED = "configs/image_mnist_anomaly.cfg"
_FAR = ("--posterior_num_steps=10", "--posterior_step_size=0.2")


def _baseline(name, *flags):
    return _LEARNED, (f"--flagfile=configs/baselines/{name}.cfg", *flags)


# Name -> flagfile and further flags.
SYSTEMS = {
    "learned prior": (_LEARNED, ()),
    "VAE": _baseline("vae"),
    "two-stage VAE": _baseline("two_stage_vae"),
    "RAE": _baseline("rae"),
    # Without an encoder 5 moves of 0.1 lead nowhere.
    "ABP": _baseline("abp", "--posterior_step_size=0.2",
                     "--inference_steps=20"),
    "SRI": _baseline("sri", *_FAR),
    "SRI with 5 layers": _baseline("sri_layers", *_FAR)}

# Area under the precision-recall curve by digit. LEBM and VAE: Pang et al.
# 2020, arXiv:2006.08205. The highest known, of a generator with many layers:
# Cui et al. 2023, ICCV, "Learning hierarchical features with joint latent
# space energy-based prior".
PUBLISHED = {
    "published: VAE": {1: .063, 4: .337, 5: .325, 7: .148, 9: .104},
    "published: LEBM": {1: .336, 4: .630, 5: .619, 7: .463, 9: .413},
    "published: highest, many layers": {
        1: .722, 4: .949, 5: .980, 7: .941, 9: .935}}


@dataclasses.dataclass(frozen=True)
class AnomalyBenchmark(Checked):
    """What to measure.

    Attributes:
        systems: Names of systems; all if empty.
        digits: Held-out digits.
        seeds: Seeds of the runs.
        data_dir: Where the data lie; $LEBM_DATA_DIR if not given.
        workdir: Where the runs are kept.
    """
    systems: tuple[Annotated[str, OneOf(SYSTEMS)], ...] = ()
    digits: tuple[int, ...] = (4, 9, 7, 5, 1)
    seeds: tuple[int, ...] = (1, 2)
    data_dir: str = ""
    workdir: str = "runs/benchmark_anomaly"


def measure(system: str, digit: int, seed: int, chosen: AnomalyBenchmark
            ) -> dict:
    """The figures of one run, made, continued or found.

    Raises:
        InputError: If training ends with an error.
    """
    flagfile, flags = SYSTEMS[system]
    metrics = runs.trained(
        os.path.join(chosen.workdir, runs.folder_of(system),
                     f"{digit}_{seed}"),
        f"--flagfile={flagfile}", *flags, f"--anomaly_label={digit}",
        f"--seed={seed}", "--baseline=", data_dir=chosen.data_dir)
    return {name: metrics[key] for key, name in METRICS.items()}


def table(results: dict) -> str:
    """Markdown: areas by digit and score, the mean and the seeds it is of."""
    digits = sorted(map(int, {
        digit for found in results["runs"].values() for digit in found}))
    lines = ["| | " + " | ".join(map(str, digits)) + " |",
             "|---|" + "---|" * len(digits)]
    for score, meaning in SCORES.items():
        for name, found in results["runs"].items():
            cells = []
            for digit in digits:
                values = [run[score] for run in found.get(
                    str(digit), {}).values()]
                cells.append(f"{statistics.mean(values):.3f} (" + ", ".join(
                    f"{value:.3f}" for value in values) + ")"
                    if values else "")
            lines.append(f"| {name}, {meaning} | " + " | ".join(cells) + " |")
    for name, values in PUBLISHED.items():
        lines.append(f"| {name} | " + " | ".join(
            f"{values[digit]:.3f}" for digit in digits) + " |")
    lines += ["", "| | error of reconstruction | minutes of training |",
              "|---|---|---|"]
    for name, found in results["runs"].items():
        every = [run for seeds in found.values() for run in seeds.values()]
        lines.append(
            f"| {name} | "
            f"{statistics.mean(run['mse'] for run in every):.4f} | "
            f"{statistics.mean(run['seconds'] for run in every) / 60:.0f} |")
    return "\n".join(lines) + "\n"


def main(values) -> None:
    """Measures what is left, and writes the table after every run."""
    chosen = fields.from_flags(AnomalyBenchmark, values)
    results = runs.begun("anomaly", "runs")
    for digit in chosen.digits:
        for system in chosen.systems or SYSTEMS:
            for seed in chosen.seeds:
                results["runs"].setdefault(system, {}).setdefault(
                    str(digit), {})[str(seed)] = measure(
                        system, digit, seed, chosen)
                runs.write("anomaly", results, table(results))
    command.say(table(results))


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(AnomalyBenchmark)))
