"""Molecules of ZINC: samples of the learned prior, and shifted properties.

    python -m benchmarks.molecules [--data_dir=DIR] [--seeds=0]
        [--token_temperatures=1,0.7,0.5] [--properties=qed]

Trains one run a seed, measures samples of it at each temperature, and shifts
the first run to higher values of each property. Every step is a command of
its own, printed as it starts, in WORKDIR. What was stopped goes on, what has
ended is not made again, so the same command makes all that is left. Writes,
after each step, benchmarks/results/molecules.json and .md.
"""

import dataclasses
import os
import sys
from typing import Annotated

from benchmarks import runs
from lebm_tf import files
from lebm_tf.configuration import command, fields
from lebm_tf.ranges import Checked, Ge, OneOf, PositiveFloat, PositiveInt

# Name of a set of samples -> what it is.
SETS = {"samples": "learned prior", "base_samples": "p0, same decoder",
        "real": "training data"}
COUNTS = ("valid", "unique", "novel", "internal_diversity")
WASSERSTEIN = ("logp", "qed", "sa", "weight")
# Of 10,000 samples; Pang et al. 2020, arXiv:2010.09351.
PUBLISHED = "| published, learned prior | .955 | 1.000 | 1.000 | | | | | |"
# Step and moves of a round of the public code of Kong et al. 2023,
# arXiv:2306.14902.
SHIFTS = {"qed": ("--step=0.02", "--chain_steps=20"),
          "penalized_logp": ("--step=1", "--chain_steps=2")}


@dataclasses.dataclass(frozen=True)
class MoleculeBenchmark(Checked):
    """What to measure.

    Attributes:
        flagfile: Of the runs.
        seeds: Of the runs.
        token_temperatures: At which samples are measured.
        num_samples: As many.
        properties: To shift: qed, penalized_logp; none if empty.
        rounds: Of the shift.
        set_size: Molecules of a round.
        data_dir: Where the data lie; $LEBM_DATA_DIR if not given.
        workdir: Where the runs are kept.
    """
    flagfile: str = "configs/sequence_zinc_cpu.cfg"
    seeds: tuple[int, ...] = (0,)
    token_temperatures: tuple[PositiveFloat, ...] = (1.0, 0.7, 0.5)
    num_samples: Annotated[int, Ge(2)] = 10_000
    properties: tuple[Annotated[str, OneOf(SHIFTS)], ...] = tuple(SHIFTS)
    rounds: PositiveInt = 20
    set_size: PositiveInt = 2_000
    data_dir: str = ""
    workdir: str = "runs/benchmark_molecules"


def trained(seed: int, chosen: MoleculeBenchmark) -> tuple[str, dict]:
    """The work directory of a run, trained if need be, and its metrics."""
    workdir = os.path.join(chosen.workdir, f"seed_{seed}")
    return workdir, runs.trained(
        workdir, f"--flagfile={chosen.flagfile}", f"--seed={seed}",
        "--evaluators=sequences", "--evaluation_num_draws=1",
        data_dir=chosen.data_dir)


def measured(workdir: str, heat: float, chosen: MoleculeBenchmark) -> dict:
    """What the evaluator says of samples at a temperature of tokens.

    Kept beside the run, and not asked again while that is the same.
    """
    def identity(metrics):
        return (metrics["run/step"], metrics["training/seconds"],
                chosen.num_samples)

    path = os.path.join(workdir, "metrics.json")
    kept = os.path.join(workdir, f"samples_{heat}.json")
    if os.path.exists(kept):
        found = files.read_json(kept)
        if tuple(found["of"]) == identity(files.read_json(path)):
            return found["metrics"]
    runs.call(
        "lebm_tf.evaluate", f"--workdir={workdir}", "--evaluators=molecules",
        f"--evaluation_molecules_num_samples={chosen.num_samples}",
        f"--evaluation_molecules_token_temperature={heat}",
        data_dir=chosen.data_dir)
    metrics = files.read_json(path)
    found = {name: value for name, value in metrics.items()
             if name.startswith("molecules/")}
    files.write_json(kept, {"of": identity(metrics), "metrics": found})
    return found


def shifted(workdir: str, name: str, chosen: MoleculeBenchmark) -> list:
    """The rounds of a shift."""
    output = os.path.join(chosen.workdir, f"shift_{name}")
    runs.call(
        "lebm_tf.shift", f"--workdir={workdir}", f"--output={output}",
        f"--property={name}", *SHIFTS[name], f"--rounds={chosen.rounds}",
        f"--set_size={chosen.set_size}", data_dir=chosen.data_dir)
    return files.read_json(os.path.join(output, "shift.json"))["rounds"]


def table(results: dict) -> str:
    """Markdown: sets of samples, and the best of each shift."""
    lines = ["| | valid | unique | novel | diversity | " + " | ".join(
        f"W₁ {name}" for name in WASSERSTEIN) + " |", "|---|" + "---|" * 8]
    shown = set()
    for seed, run in results["runs"].items():
        for heat, metrics in run.get("samples", {}).items():
            for key, what in SETS.items():
                about = "" if key == "real" else (
                    f", seed {seed}, tokens at {heat}")
                if (f"molecules/internal_diversity/{key}" not in metrics
                        or what + about in shown):
                    continue
                shown.add(what + about)
                cells = [metrics.get(f"molecules/{name}/{key}")
                         for name in COUNTS]
                cells += [metrics[f"molecules/{name}_wasserstein/{key}"]
                          for name in WASSERSTEIN]
                lines.append(f"| {what}{about} | " + " | ".join(
                    "" if cell is None else f"{cell:.4f}" if i < 3
                    else f"{cell:.3f}" for i, cell in enumerate(cells))
                    + " |")
    lines += [PUBLISHED, "", "| | best of the training data | best of all "
              "rounds | rounds |", "|---|---|---|---|"]
    for name, rounds in results["shifts"].items():
        ends = [", ".join(f"{value:.3f}" for _, value in row["best"])
                for row in (rounds[0], rounds[-1])]
        lines.append(f"| {name} | {ends[0]} | {ends[1]} | "
                     f"{rounds[-1]['round']} |")
    return "\n".join(lines) + "\n"


def main(values) -> None:
    """Makes what is left, and writes the table after every step."""
    chosen = fields.from_flags(MoleculeBenchmark, values)
    results = runs.begun("molecules", "runs", "shifts")

    def keep():
        runs.write("molecules", results, table(results))
    for seed in chosen.seeds:
        workdir, metrics = trained(seed, chosen)
        run = results["runs"][str(seed)] = {
            "seconds": metrics["training/seconds"],
            "steps": metrics["training/steps"], "samples": {}}
        for heat in chosen.token_temperatures:
            run["samples"][str(heat)] = measured(workdir, heat, chosen)
            keep()
    for name in chosen.properties:
        first = os.path.join(chosen.workdir, f"seed_{chosen.seeds[0]}")
        results["shifts"][name] = shifted(first, name, chosen)
        keep()
    command.say(table(results))


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(MoleculeBenchmark)))
