"""Accuracy from few labels: every data set, system and draw of the labels.

    python -m benchmarks.labels [--data_dir=DIR] [--tasks=agnews] [--seeds=1,2]
        [--systems="labels only"] [--num_labels=100,500]

Every run is a `python -m lebm_tf.train` of its own, printed as it starts, in
WORKDIR/TASK/SYSTEM/LABELS_SEED; the seed is that of the run and of the draw
of the labels. All systems of a task share data, labels, networks, batches and
number of steps. A run that was stopped goes on, one that has ended is not
made again. Writes, after each run, benchmarks/results/labels.json and .md.
"""

import dataclasses
import os
import statistics
import sys
from typing import Annotated

from benchmarks import runs
from lebm_tf.configuration import command, fields
from lebm_tf.ranges import Checked, OneOf

METRICS = {
    "symbols/accuracy": "accuracy",
    "symbols/validation_accuracy": "validation_accuracy",
    "symbols/calibration_error": "calibration_error",
    "symbols/information": "information",
    "symbols/homogeneity": "homogeneity",
    "symbols/homogeneity_by_chance": "homogeneity_by_chance",
    "training/seconds": "seconds", "training/steps": "steps"}

# Name -> flagfile, labels, and accuracy published by Pang et al. 2020,
# arXiv:2010.09359.
TASKS = {
    "agnews": ("configs/symbol_agnews.cfg", 200, "84.5 ± 0.3, on the whole "
               "training part"),
    "protein": ("configs/symbol_protein.cfg", 100, "23.1 ± 0.3, other "
                "classes and split perhaps"),
    "mnist": ("configs/symbol_mnist.cfg", 100, ""),
    "digits": ("configs/symbol_digits.cfg", 100, "")}
_LARGER_RATE = ("--labelled_weight=20",
                "--encoder_optimizer_learning_rate=1e-3")
SYSTEMS = {
    "symbol-vector": (),
    "labels only": ("--labels_only",),
    "M1+M2": ("--flagfile=configs/baselines/m1_m2.cfg",),
    "weights 20 and 20": (*_LARGER_RATE, "--information_weight=20"),
    "weights 20 and 0": (*_LARGER_RATE, "--information_weight=0"),
    "labels only, larger rate": (*_LARGER_RATE, "--labels_only")}
_OF_PICTURES, _PICTURES = {"M1+M2"}, {"mnist", "digits"}
_OF_DOCUMENTS = {"weights 20 and 20", "weights 20 and 0",
                 "labels only, larger rate"}


@dataclasses.dataclass(frozen=True)
class LabelsBenchmark(Checked):
    """What to measure.

    Attributes:
        tasks: Names of data sets; all if empty.
        systems: Names of systems; all if empty.
        num_labels: Numbers of labels; that of the task if empty.
        seeds: Draws of the labels.
        data_dir: Where the data lie; $LEBM_DATA_DIR if not given.
        workdir: Where the runs are kept.
        only_found: Trains nothing; the table is of the runs that have ended.
    """
    tasks: tuple[Annotated[str, OneOf(TASKS)], ...] = ()
    systems: tuple[Annotated[str, OneOf(SYSTEMS)], ...] = ()
    num_labels: tuple[int, ...] = ()
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5)
    data_dir: str = ""
    workdir: str = "runs/benchmark_labels"
    only_found: bool = False


def measure(task: str, system: str, num_labels: int, seed: int,
            chosen: LabelsBenchmark) -> dict | None:
    """The figures of one run, made, continued or found; None if it may not be
    made.

    Raises:
        InputError: If training ends with an error.
    """
    workdir = os.path.join(chosen.workdir, task, runs.folder_of(system),
                           f"{num_labels}_{seed}")
    if chosen.only_found and not runs.is_trained(workdir):
        return None
    metrics = runs.trained(
        workdir, f"--flagfile={TASKS[task][0]}", *SYSTEMS[system],
        f"--num_labels={num_labels}", f"--label_seed={seed}",
        f"--seed={seed}", data_dir=chosen.data_dir)
    return {name: metrics[key] for key, name in METRICS.items()
            if key in metrics}


def table(results: dict) -> str:
    """Markdown: accuracy of every run, and the means of the rest."""
    lines = ["| data, labels | system | accuracy, % | of each draw | "
             "calibration error | I(x; y), nats | homogeneity (by chance) | "
             "steps | seconds |",
             "|---|---|---|---|---|---|---|---|---|"]
    for task, systems in results["runs"].items():
        for system, counts in systems.items():
            for count in sorted(counts, key=int):
                lines.append(_row(task, system, count, [
                    counts[count][seed]
                    for seed in sorted(counts[count], key=int)]))
        if TASKS[task][2]:
            lines.append(f"| {task}, {TASKS[task][1]} | published | "
                         f"{TASKS[task][2]} | | | | | | |")
    return "\n".join(lines) + "\n"


def _row(task, system, count, found):
    def mean(name, digits):
        return f"{statistics.mean(run[name] for run in found):.{digits}f}"
    values = [100 * run["accuracy"] for run in found]
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return (f"| {task}, {count} | {system} | "
            f"{statistics.mean(values):.1f}{spread} | "
            f"{', '.join(f'{value:.1f}' for value in values)} | "
            f"{mean('calibration_error', 3)} | {mean('information', 2)} | "
            f"{mean('homogeneity', 3)} ({mean('homogeneity_by_chance', 4)}) | "
            f"{mean('steps', 0)} | {mean('seconds', 0)} |")


def main(values) -> None:
    """Measures what is left, and writes the table after every run."""
    chosen = fields.from_flags(LabelsBenchmark, values)
    results = runs.begun("labels", "runs")
    for task in chosen.tasks or TASKS:
        for system in chosen.systems or SYSTEMS:
            if (system in _OF_PICTURES and task not in _PICTURES) or (
                    system in _OF_DOCUMENTS and task != "agnews"):
                continue
            for count in chosen.num_labels or (TASKS[task][1],):
                for seed in chosen.seeds:
                    found = measure(task, system, count, seed, chosen)
                    if found is None:
                        continue
                    results["runs"].setdefault(task, {}).setdefault(
                        system, {}).setdefault(str(count), {})[
                            str(seed)] = found
                    runs.write("labels", results, table(results))
    command.say(table(results))


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(LabelsBenchmark)))
