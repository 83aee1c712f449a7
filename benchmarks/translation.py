"""Cycle translation: content kept and style changed, against its halves.

    python -m benchmarks.translation [--data_dir=DIR] [--tasks=mnist_usps]
        [--systems="both"] [--seeds=1,2]

Every run is a `python -m lebm_tf.train` of its own, printed as it starts, in
WORKDIR/TASK/SYSTEM/SEED; all of a task share data, networks, batches and
number of steps. One that was stopped goes on, one that has ended is not made
again. Writes, after each run, benchmarks/results/translation.json and .md.
"""

import dataclasses
import os
import statistics
import sys
from typing import Annotated

from benchmarks import runs
from lebm_tf.configuration import command, fields
from lebm_tf.ranges import Checked, OneOf

_CPU = "--flagfile=configs/translation_mnist_usps.cfg"
_MADE = (_CPU, "--dataset=pair:digits,digits", "--image_size=0",
         "--translator_num_blocks=1", "--energy_widths=16,32",
         "--energy_kernel_sizes=3,4", "--energy_strides=1,2",
         "--identity_weight=0")

# Name -> flags, and the metric that says how good a translation is.
TASKS = {
    "mnist_usps": ((_CPU,), "accuracy"),
    "inverted": ((*_MADE, "--pair_made=inverted"), "psnr"),
    "edges": ((*_MADE, "--pair_made=edges"), "psnr")}
SYSTEMS = {"cycle alone": ("--learns=translators",),
           "energies alone": ("--learns=energies",), "both": ()}
UNITS = {"accuracy": "", "psnr": " dB"}


@dataclasses.dataclass(frozen=True)
class TranslationBenchmark(Checked):
    """What to measure.

    Attributes:
        tasks: Names of tasks; all if empty.
        systems: Names of systems; all if empty.
        seeds: Seeds of the runs.
        data_dir: Where the data lie; $LEBM_DATA_DIR if not given.
        workdir: Where the runs are kept.
    """
    tasks: tuple[Annotated[str, OneOf(TASKS)], ...] = ()
    systems: tuple[Annotated[str, OneOf(SYSTEMS)], ...] = ()
    seeds: tuple[int, ...] = (1, 2)
    data_dir: str = ""
    workdir: str = "runs/benchmark_translation"


def measure(task: str, system: str, seed: int, chosen: TranslationBenchmark
            ) -> dict:
    """The figures of one run, made, continued or found, on 1,000 held-out
    pictures of each domain at most.

    Raises:
        InputError: If training ends with an error.
    """
    metrics = runs.trained(
        os.path.join(chosen.workdir, task, runs.folder_of(system), str(seed)),
        *TASKS[task][0], *SYSTEMS[system], f"--seed={seed}",
        "--evaluation_translation_num_images=1000",
        "--evaluation_translation_num_classifier_steps=300",
        data_dir=chosen.data_dir)
    return {name: value for name, value in metrics.items() if (
        name.startswith("translation/") and not isinstance(value, str)
        or name in ("training/seconds", "training/steps"))}


def table(results: dict) -> str:
    """Markdown: a table a task, the mean over seeds and each of them."""
    lines = []
    for task, found in results["runs"].items():
        metric = TASKS[task][1]
        lines += [f"**{task}**, {metric}{UNITS[metric]}", "",
                  "| | a to b | b to a | cycle error a, b | minutes |",
                  "|---|---|---|---|---|"]
        every = [run for seeds in found.values() for run in seeds.values()]
        for name, ending in (("as they are", "_identity"),
                             ("the target's own", "_real")):
            if f"translation/ab/{metric}{ending}" in every[0]:
                cells = [_cell(every[:1], f"translation/{d}/{metric}{ending}")
                         for d in ("ab", "ba")]
                lines.append(f"| {name} | {' | '.join(cells)} | | |")
        for system, seeds in found.items():
            chosen = list(seeds.values())
            for name, ending in (("", ""), (", not revised", "_start")):
                if ending and system != "both":
                    continue  # Equal, or pictures as they are.
                cells = [_cell(chosen, f"translation/{d}/{metric}{ending}")
                         for d in ("ab", "ba")]
                cells.append(", ".join(_cell(
                    chosen, f"translation/{d}/cycle_error", False)
                    for d in ("ab", "ba")))
                minutes = statistics.mean(
                    run["training/seconds"] for run in chosen) / 60
                lines.append(f"| {system}{name} | {' | '.join(cells)} | "
                             f"{minutes:.1f} |")
        lines.append("")
    return "\n".join(lines)


def _cell(found, key, each=True):
    values = [run[key] for run in found]
    text = f"{statistics.mean(values):.3f}"
    if each and len(values) > 1:
        text += " (" + ", ".join(f"{value:.3f}" for value in values) + ")"
    return text


def main(values) -> None:
    """Measures what is left, and writes the table after every run."""
    chosen = fields.from_flags(TranslationBenchmark, values)
    results = runs.begun("translation", "runs")
    for task in chosen.tasks or TASKS:
        for seed in chosen.seeds:
            for system in chosen.systems or SYSTEMS:
                results["runs"].setdefault(task, {}).setdefault(
                    system, {})[str(seed)] = measure(
                        task, system, seed, chosen)
                runs.write("translation", results, table(results))
    command.say(table(results))


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(TranslationBenchmark)))
