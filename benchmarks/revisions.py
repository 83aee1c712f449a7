"""Whether one state of the code is slower than another: cases in turns.

    git worktree add ../before REVISION
    python -m benchmarks.revisions --before=../before \\
        [--cases=train/svhn,train/mnist,prior/svhn]

Each state runs in a process of its own, kept alive; they measure in turns, so
that what the machine does besides hits both alike. Writes revisions.json and
revisions.md to benchmarks/results.
"""

import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
from typing import Annotated

from lebm_tf.configuration import startup

startup.import_tensorflow()

from benchmarks import runs  # noqa: E402
from benchmarks.timing import machine  # noqa: E402
from benchmarks.timing.protocol import Worker  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.errors import InputError  # noqa: E402
from lebm_tf.ranges import (  # noqa: E402, E501
    Checked, OneOf, PositiveFloat, PositiveInt)

ROOT = pathlib.Path(__file__).parents[1]
_KINDS = ("train", "posterior", "prior")
_SETTINGS = ("svhn", "mnist", "cifar10")
_TIMEOUT = 1_800.0  # Seconds for an answer.
# Every state reads its own flagfiles: fields may have changed their names.
_SETTING = ("import json; from benchmarks.timing.cases import Plan; "
            "print(json.dumps(Plan({tiny}, (), 0, '').setting('{name}')"
            ".to_json()))")


@dataclasses.dataclass(frozen=True)
class RevisionsBenchmark(Checked):
    """What to compare.

    Attributes:
        before: Folder of the other state, a checkout of this repository.
        cases: KIND/SETTING, of train, posterior and prior, and of svhn, mnist
            and cifar10.
        rounds: Turns of each state.
        round_seconds: Length of a turn.
        sizes: published, or tiny to see that all works.
        output: Folder of revisions.json and revisions.md.
    """
    before: str = ""
    cases: tuple[str, ...] = ("train/svhn", "train/mnist", "prior/svhn")
    rounds: PositiveInt = 9
    round_seconds: PositiveFloat = 3.0
    sizes: Annotated[str, OneOf(("published", "tiny"))] = "published"
    output: str = runs.RESULTS

    def validate(self):
        for case in self.cases:
            kind, _, setting = case.partition("/")
            if kind not in _KINDS or setting not in _SETTINGS:
                raise ValueError(
                    f"cases must be KIND/SETTING with KIND one of "
                    f"{', '.join(_KINDS)} and SETTING one of "
                    f"{', '.join(_SETTINGS)}, got {case!r}.")


def worker(folder: pathlib.Path, case: str, tiny: bool) -> Worker:
    """A process that repeats a case with the code of a folder."""
    kind, _, name = case.partition("/")
    environment = {**os.environ, "PYTHONPATH": str(folder),
                   "TF_CPP_MIN_LOG_LEVEL": "3"}
    setting = subprocess.run(
        [sys.executable, "-c", _SETTING.format(tiny=tiny, name=name)],
        cwd=folder, env=environment, capture_output=True, text=True)
    if setting.returncode:
        raise InputError(f"{case} must be known to {folder}, got "
                         f"{setting.stderr.strip().splitlines()[-1]}")
    task = {"kind": kind, "setting": json.loads(
        setting.stdout.splitlines()[-1]), "precision": "float32",
        "threads": 0}
    # -P: what is imported comes from PYTHONPATH, not from where this runs.
    return Worker([sys.executable, "-P", "-m", "benchmarks.timing.ours"],
                  task, _TIMEOUT, environment)


def measure(case: str, chosen: RevisionsBenchmark) -> dict:
    """Seconds of a repetition before and after, and their ratio."""
    folders = {"before": pathlib.Path(chosen.before).resolve(), "after": ROOT}
    workers = {name: worker(folder, case, chosen.sizes == "tiny")
               for name, folder in folders.items()}
    try:
        seconds = {name: [] for name in workers}
        for number in range(chosen.rounds + 1):
            for name in list(workers)[::-1 if number % 2 else 1]:
                counts = max(1, int(chosen.round_seconds / max(
                    seconds[name][-1] if seconds[name] else 1e9, 1e-9)))
                found = workers[name].run(counts)["seconds"]
                seconds[name].append(statistics.median(found))
    finally:
        for one in workers.values():
            one.close()
    ratios = sorted(after / before for before, after in zip(
        seconds["before"][1:], seconds["after"][1:]))  # The first warms up.
    return {**{f"{name}_seconds": statistics.median(values[1:])
               for name, values in seconds.items()},
            "ratio": statistics.median(ratios),
            "least": ratios[0], "most": ratios[-1]}


def table(results: dict) -> str:
    """The table of docs/results/speed.md."""
    lines = ["| case | before, s | after, s | after / before | of all turns |",
             "|---|---|---|---|---|"]
    lines += [f"| {case} | {found['before_seconds']:.4f} | "
              f"{found['after_seconds']:.4f} | {found['ratio']:.3f} | "
              f"{found['least']:.3f} to {found['most']:.3f} |"
              for case, found in results["cases"].items()]
    described = results["machine"]
    return "\n".join([*lines, "", f"{described['processor']}, "
                      f"{described['cpus']} CPUs; {results['rounds']} turns.",
                      ""])


def revision(folder: str) -> str:
    """The commit of a checkout, or its path where there is none."""
    found = subprocess.run(["git", "-C", folder, "rev-parse", "--short",
                            "HEAD"], capture_output=True, text=True)
    return found.stdout.strip() or folder


def main(values) -> None:
    """Measures and writes the table."""
    chosen = fields.from_flags(RevisionsBenchmark, values)
    if not os.path.isdir(os.path.join(chosen.before, "lebm_tf")) or (
            not chosen.before):
        raise InputError("--before must be a checkout of this repository, "
                         f"got {chosen.before!r}.")
    results = {"machine": machine.describe(), "cases": {},
               "rounds": chosen.rounds, "before": revision(chosen.before),
               "after": revision(str(ROOT)), "busy": machine.busy()}
    for case in chosen.cases:
        results["cases"][case] = measure(case, chosen)
        command.say(f"{case}: {results['cases'][case]}")
    os.makedirs(chosen.output, exist_ok=True)
    runs.write("revisions", results, table(results), chosen.output)
    command.say(table(results))


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(RevisionsBenchmark)))
