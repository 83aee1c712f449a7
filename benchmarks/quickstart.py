"""The table of docs/tutorial.md: the quickstart and what is cheaper, by seeds.

    python -m benchmarks.quickstart [--seeds=1,2]

Every row trains anew and is measured by the same evaluator: the Frechet
distance, in the features of one classifier, of 5,000 samples to the held-out
images; "p0" are samples of the base alone, which of a learned prior on the
codes of another model is a mixture of Gaussians fitted to them. Seconds are
those of training, with those of a backbone. Writes
benchmarks/results/quickstart.json and .md. Finished seeds are kept, so a
stopped measurement goes on.
"""

import dataclasses
import os
import platform
import statistics
import sys

from lebm_tf.configuration import startup

startup.import_tensorflow()

from benchmarks import runs  # noqa: E402
from lebm_tf import files, processor  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.evaluation import Settings  # noqa: E402
from lebm_tf.train import from_flagfile, train  # noqa: E402

_RAE, _VAE = "configs/quickstart_rae.cfg", "configs/quickstart_vae.cfg"
_RUNS = {
    "learned prior on the autoencoder": ("configs/quickstart.cfg", ()),
    "autoencoder + 10 Gaussians": (_RAE, ()),
    "autoencoder + 30 Gaussians": (_RAE, ("--mixture_components=30",)),
    "autoencoder + 30 Gaussians, floor 0.1": (_RAE, (
        "--mixture_components=30", "--mixture_floor=0.1")),
    "autoencoder + 10 Gaussians, 9,000 steps": (_RAE, (
        "--train_steps=9000", "--checkpoint_every=3000")),
    "VAE": (_VAE, ()),
    "two-stage VAE": (_VAE, ("--family=two_stage_vae",)),
    "energy and generator learned together, over N(0, I)": (
        "configs/quickstart_joint.cfg", ())}
_COLUMNS = {"frechet/samples": "samples", "frechet/base_samples": "p0",
            "frechet/reconstructions": "reconstructions",
            "frechet/real": "real", "codes/log_prob_prior": "log p(z)",
            "codes/log_prob_prior_low": "at least",
            "codes/log_prob_base": "log p0(z)",
            "codes/log_prob_mixture_10": "10 Gaussians",
            "codes/log_prob_mixture_30": "30 Gaussians", "seconds": "seconds"}


@dataclasses.dataclass(frozen=True)
class QuickstartBenchmark:
    """What to measure.

    Attributes:
        seeds: Seeds of the runs, each trained anew.
        workdir: Where the runs are kept.
    """
    seeds: tuple[int, ...] = (1, 2)
    workdir: str = "runs/benchmark_quickstart"


def measure(name: str, seed: int, folder: str) -> dict:
    """Trains and measures one run, or continues it."""
    flagfile, flags = _RUNS[name]
    workdir = os.path.join(
        folder, f"{''.join(filter(str.isalnum, name))}_{seed}")
    run, model, _ = from_flagfile(
        flagfile, *flags, f"--seed={seed}", f"--workdir={workdir}",
        "--baseline=", "--evaluators=frechet,codes")
    done = os.path.join(workdir, "metrics.json")
    metrics = files.read_json(done) if os.path.exists(done) else {}
    if "training/seconds" not in metrics:
        metrics = train(run, model, Settings())
    metrics["seconds"] = metrics["training/seconds"] + metrics.get(
        "backbone/training/seconds", 0.0)
    return {column: metrics[key] for key, column in _COLUMNS.items()
            if key in metrics}


def table(results: dict) -> str:
    """The results as Markdown: mean and standard deviation over seeds."""
    columns = list(_COLUMNS.values())
    lines = ["| | " + " | ".join(columns) + " |",
             "|---|" + "---|" * len(columns)]
    for name, seeds in results["runs"].items():
        cells = []
        for column in columns:
            values = [row[column] for row in seeds.values() if column in row]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            digits = 0 if column == "seconds" else 2
            cells.append(f"{statistics.mean(values):.{digits}f} ± "
                         f"{spread:.{digits}f}" if values else "")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(values) -> None:
    """Measures everything and writes the table."""
    chosen = fields.from_flags(QuickstartBenchmark, values)
    results = {"machine": processor.describe(),
               "python": platform.python_version(), "runs": {}}
    for seed in chosen.seeds:
        for name in _RUNS:
            results["runs"].setdefault(name, {})[str(seed)] = measure(
                name, seed, chosen.workdir)
    runs.write("quickstart", results, table(results))
    command.say(table(results))


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(QuickstartBenchmark)))
