"""The table of README: the quickstart and its baselines over several seeds.

    python -m benchmarks.quickstart [--seeds=1,2,3,4,5]

Every row trains anew and is measured by the same evaluator: the Frechet
distance, in the features of one classifier, of 5,000 samples to the held-out
images. Rows: the learned prior; draws of p0 through the same generator; the
same model trained without its energy; the VAE of configs/quickstart_vae.cfg;
a VAE trained for 15 times as many steps. Writes
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
from lebm_tf import files  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.evaluation import Settings  # noqa: E402
from lebm_tf.train import from_flagfile, train  # noqa: E402

_RUNS = {
    "learned prior": ("configs/quickstart.cfg", ()),
    "no energy": ("configs/quickstart.cfg",
                  # A rate this small leaves the energy where it starts, flat.
                  ("--energy_optimizer_learning_rate=1e-12",)),
    "VAE, same steps": ("configs/quickstart_vae.cfg", ()),
    "VAE, likelihood_scale and rate of the learned prior": (
        "configs/quickstart_vae.cfg",
        ("--likelihood_scale=0.2",
         "--generator_optimizer_learning_rate=1e-3",
         "--encoder_optimizer_learning_rate=1e-3")),
    "VAE, 30,000 steps": (
        "configs/quickstart_vae.cfg",
        ("--likelihood_scale=0.3", "--train_steps=30000",
         "--checkpoint_every=10000",
         "--generator_optimizer_learning_rate=1e-3",
         "--encoder_optimizer_learning_rate=1e-3"))}
_COLUMNS = {"frechet/samples": "samples", "frechet/base_samples": "p0",
            "frechet/reconstructions": "reconstructions",
            "frechet/real": "real"}


@dataclasses.dataclass(frozen=True)
class QuickstartBenchmark:
    """What to measure.

    Attributes:
        seeds: Seeds of the runs, each trained anew.
        workdir: Where the runs are kept.
    """
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5)
    workdir: str = "runs/benchmark_quickstart"


def measure(name: str, seed: int, folder: str) -> dict:
    """Trains and measures one run, or continues it."""
    flagfile, flags = _RUNS[name]
    workdir = os.path.join(
        folder, f"{''.join(filter(str.isalnum, name))}_{seed}")
    run, model, _ = from_flagfile(
        flagfile, *flags, f"--seed={seed}", f"--workdir={workdir}",
        "--baseline=", "--evaluators=frechet")
    done = os.path.join(workdir, "metrics.json")
    metrics = files.read_json(done) if os.path.exists(done) else {}
    if "training/seconds" not in metrics:
        metrics = train(run, model, Settings())
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
            cells.append(f"{statistics.mean(values):.1f} ± {spread:.1f}"
                         if values else "")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(values) -> None:
    """Measures everything and writes the table."""
    chosen = fields.from_flags(QuickstartBenchmark, values)
    results = {"machine": f"{platform.machine()}, {os.cpu_count()} cores",
               "python": platform.python_version(), "runs": {}}
    for name in _RUNS:
        for seed in chosen.seeds:
            results["runs"].setdefault(name, {})[str(seed)] = measure(
                name, seed, chosen.workdir)
    runs.write("quickstart", results, table(results))
    command.say(table(results))


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(QuickstartBenchmark)))
