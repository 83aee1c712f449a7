"""Whether mixed_bfloat16 learns as float32 does: curves of both.

    python -m benchmarks.precision --data_dir=DIR [--seeds=0,1] [--steps=300]

Trains configs/image_mnist.cfg in both precisions from the same weights with
the same noise, and writes benchmarks/results/precision.json, precision.md and
precision.png: the losses of the generator and of the energy over the steps,
and how far apart they end, of precisions and of seeds. Finished runs are
kept, so a stopped measurement goes on.
"""

import dataclasses
import os
import statistics
import sys

from matplotlib.figure import Figure

from benchmarks import runs
from benchmarks.timing import machine
from lebm_tf import files
from lebm_tf.configuration import command, fields
from lebm_tf.evaluation import pictures

PRECISIONS = {"float32": "tab:blue", "mixed_bfloat16": "tab:red"}
LOSSES = {"loss/generator": "squared error, summed over a picture",
          "loss/energy": "E(posterior) - E(prior), nats"}
_EVERY = 10  # Steps between two points of a curve.
_LAST = 5  # Points whose mean is the loss at the end.


@dataclasses.dataclass(frozen=True)
class PrecisionBenchmark:
    """What to measure.

    Attributes:
        seeds: Seeds of the runs.
        steps: Training steps of each run, a multiple of 10, at least 50.
        data_dir: Where the data lie; $LEBM_DATA_DIR if not given.
        workdir: Where the runs are kept.
    """
    seeds: tuple[int, ...] = (0, 1)
    steps: int = 300
    data_dir: str = ""
    workdir: str = "runs/benchmark_precision"

    def __post_init__(self):
        if self.steps < _EVERY * _LAST or self.steps % _EVERY:
            raise ValueError(f"steps must be a multiple of {_EVERY}, at least "
                             f"{_EVERY * _LAST}, got {self.steps}.")


def measure(precision: str, seed: int, chosen: PrecisionBenchmark) -> dict:
    """The curves of one run, made, continued or found.

    Raises:
        InputError: If training ends with an error.
    """
    workdir = os.path.join(chosen.workdir, f"{precision}_{seed}")
    runs.trained(
        workdir, "--flagfile=configs/image_mnist.cfg", f"--seed={seed}",
        f"--precision={precision}", f"--train_steps={chosen.steps}",
        f"--log_every={_EVERY}", f"--checkpoint_every={chosen.steps}",
        "--baseline=", "--evaluators=pictures", data_dir=chosen.data_dir)
    rows = files.read_json(os.path.join(workdir, "history.json"))
    return {"steps": [row["step"] for row in rows],
            **{loss: [row[loss] for row in rows] for loss in LOSSES}}


def at_the_end(curve: list[float]) -> float:
    """Mean of the last points."""
    return statistics.mean(curve[-_LAST:])


def table(results: dict) -> str:
    """Markdown: the losses at the end, by precision and seed."""
    lines = ["| | " + " | ".join(LOSSES.values()) + " |",
             "|---|" + "---|" * len(LOSSES)]
    for precision, seeds in results["runs"].items():
        for seed, curves in seeds.items():
            lines.append(f"| {precision}, seed {seed} | " + " | ".join(
                f"{at_the_end(curves[loss]):.4g}" for loss in LOSSES) + " |")
    return "\n".join(lines) + (
        f"\n\nMean of steps {_EVERY * _LAST - _EVERY} to 0 before the end, "
        f"{_LAST} points.\n")


def draw(path: str, results: dict) -> None:
    """The curves of all runs."""
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    for axes, (loss, title) in zip(figure.subplots(1, 2), LOSSES.items()):
        for precision, seeds in results["runs"].items():
            for i, curves in enumerate(seeds.values()):
                axes.plot(curves["steps"], curves[loss], lw=1,
                          color=PRECISIONS[precision], alpha=1.0 - 0.4 * (
                              i > 0), label=None if i else precision)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("steps")
        axes.set_yscale("log" if loss == "loss/generator" else "linear")
    axes.legend()
    pictures.save_figure(path, figure)


def main(values) -> None:
    """Measures everything and writes table and curves."""
    chosen = fields.from_flags(PrecisionBenchmark, values)
    results = {"machine": machine.describe(), "steps": chosen.steps,
               "runs": {precision: {
                   str(seed): measure(precision, seed, chosen)
                   for seed in chosen.seeds} for precision in PRECISIONS}}
    runs.write("precision", results, table(results))
    draw(os.path.join(runs.RESULTS, "precision.png"), results)
    command.say(table(results))


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(PrecisionBenchmark)))
