"""Predicted trajectories: Stanford Drone and the five scenes of ETH/UCY.

    python -m benchmarks.trajectories [--data_dir=DIR] [--sets=sdd,eth]
        [--seeds=1,2,3] [--scene_seeds=1]

Every run is a `python -m lebm_tf.train` of its own, printed as it starts, in
WORKDIR/SET_SEED. One that was stopped goes on, one that has ended is not made
again, so the same command queues all that is left. Writes, after each run,
benchmarks/results/trajectories.json and .md.
"""

import dataclasses
import os
import statistics
import sys
from typing import Annotated

from benchmarks import runs
from lebm_tf import files
from lebm_tf.configuration import command, fields
from lebm_tf.ranges import Checked, OneOf

SCENES = ("eth", "hotel", "univ", "zara1", "zara2")
FLAGFILES = {"sdd": "configs/trajectory_sdd.cfg", **{
    scene: "configs/trajectory_eth_ucy.cfg" for scene in SCENES}}
PREFIX, WATCHED = "trajectories/", "trajectories/watched_test_"
PAIRS = {"nearest_plan": ("nearest_plan_ade", "nearest_plan_fde"),
         "minimum": ("minimum_ade", "minimum_fde")}
SINGLE = ("miss_rate", "kde_nll", "collision_rate")

# Mean and last error, best of 20. The authors' are of the best checkpoint on
# the test data, by their protocol; the others those of EigenTrajectory's
# authors (github.com/InhwanBae/EigenTrajectory), by the field's.
PUBLISHED = {"sdd": (8.87, 15.61), "eth": (.30, .52), "hotel": (.13, .20),
             "univ": (.27, .52), "zara1": (.20, .37), "zara2": (.15, .29)}
MEASURED_ANEW = {"eth": (.60, 1.06), "hotel": (.21, .38), "univ": (.28, .54),
                 "zara1": (.21, .39), "zara2": (.15, .30)}


@dataclasses.dataclass(frozen=True)
class TrajectoryBenchmark(Checked):
    """What to measure.

    Attributes:
        sets: Data sets, by which part is tested on.
        seeds: Seeds of the runs on sdd.
        scene_seeds: Seeds of the runs on each scene of ETH/UCY.
        data_dir: Where the data lie; $LEBM_DATA_DIR if not given.
        workdir: Where the runs are kept.
    """
    sets: tuple[Annotated[str, OneOf(FLAGFILES)], ...] = ("sdd", *SCENES)
    seeds: tuple[int, ...] = (1, 2, 3)
    scene_seeds: tuple[int, ...] = (1,)
    data_dir: str = ""
    workdir: str = "runs/benchmark_trajectories"


def measure(name: str, seed: int, chosen: TrajectoryBenchmark) -> dict:
    """The figures of one run, made, continued or found.

    Raises:
        InputError: If training ends with an error.
    """
    workdir = os.path.join(chosen.workdir, f"{name}_{seed}")
    metrics = runs.trained(
        workdir, f"--flagfile={FLAGFILES[name]}", f"--dataset={name}",
        f"--seed={seed}", "--evaluation_trajectories_watch_test",
        data_dir=chosen.data_dir)
    found = {key[len(PREFIX):]: value for key, value in metrics.items()
             if key.startswith(PREFIX)}
    rows = files.read_json(os.path.join(workdir, "validation.json"))
    for key in sorted({key for row in rows for key in row
                       if key.startswith(WATCHED)}):
        found[f"best_on_test/{key[len(WATCHED):]}"] = min(
            row[key] for row in rows if key in row)
    return {**found, "step": metrics["run/step"],
            "seconds": metrics["training/seconds"],
            "rollbacks": metrics["training/rollbacks"]}


def table(results: dict) -> str:
    """Markdown: errors by set and protocol, and what else was measured."""
    lines = [
        "Errors of 20 predictions of each held-out agent, mean / last: sdd in "
        "pixels, the others in metres.", "",
        "| tested on (seeds) | authors' protocol (nearest plan) | standard "
        "protocol (minimum) | constant velocity, turned (minimum) | best on "
        "test, as the authors chose (nearest plan) | published by the authors "
        "(nearest plan) | measured anew by others (minimum) |",
        "|---|---|---|---|---|---|---|"]
    for name, seeds in results["runs"].items():
        found = list(seeds.values())
        cells = [_pair(found, PAIRS["nearest_plan"]),
                 _pair(found, PAIRS["minimum"]),
                 _pair(found[:1], PAIRS["minimum"], "constant_velocity/"),
                 _pair(found, PAIRS["nearest_plan"], "best_on_test/"),
                 *(f"{known[name][0]:.2f} / {known[name][1]:.2f}"
                   if name in known else ""
                   for known in (PUBLISHED, MEASURED_ANEW))]
        lines.append(
            f"| {name} ({', '.join(seeds)}) | " + " | ".join(cells) + " |")
    lines += ["", "| tested on | agents | miss rate | of constant velocity | "
              "kernel-density NLL, nats | of constant velocity | collision "
              "rate | of constant velocity | of the truth | one path of "
              "constant velocity | chosen step | minutes |",
              "|---|" + "---|" * 11]
    for name, seeds in results["runs"].items():
        found = list(seeds.values())
        cells = [f"{found[0]['num_agents']:,}"]
        for key in SINGLE:
            for prefix in ("", "constant_velocity/"):
                cells.append(f"{_mean(found, prefix + key):.3f}")
        cells += [f"{found[0]['true_collision_rate']:.3f}",
                  _pair(found[:1], ("one_path_ade", "one_path_fde"),
                        "constant_velocity/"),
                  ", ".join(str(run["step"]) for run in found),
                  ", ".join(f"{run['seconds'] / 60:.0f}" for run in found)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _mean(found, key):
    return statistics.mean(run[key] for run in found)


def _pair(found, keys, prefix=""):
    """Means over the runs that have them, with the seeds' own behind."""
    found = [run for run in found if prefix + keys[0] in run]
    if not found:
        return ""
    digits = 2 if _mean(found, prefix + keys[0]) > 2 else 3
    text = " / ".join(f"{_mean(found, prefix + key):.{digits}f}"
                      for key in keys)
    if len(found) == 1:
        return text
    return text + " (" + ", ".join(
        "/".join(f"{run[prefix + key]:.{digits}f}" for key in keys)
        for run in found) + ")"


def main(values) -> None:
    """Measures what is left, and writes the table after every run."""
    chosen = fields.from_flags(TrajectoryBenchmark, values)
    results = runs.begun("trajectories", "runs")
    for name in chosen.sets:
        seeds = chosen.seeds if name == "sdd" else chosen.scene_seeds
        for seed in seeds:
            results["runs"].setdefault(name, {})[str(seed)] = measure(
                name, seed, chosen)
            runs.write("trajectories", results, table(results))
    command.say(table(results))


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(TrajectoryBenchmark)))
