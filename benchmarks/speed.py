"""How fast lebm_tf trains and samples, beside PyTorch and the machine's limit.

    python -m benchmarks.speed [--cases=train,prior/svhn/100] [--rounds=5]

Measures one case after the other: every program in a process of its own, kept
alive, in turns, so that what the machine does besides hits all alike. Writes
benchmarks/results/speed.json and speed.md after every case; cases that are
there already, on this machine with these settings, are kept, so a stopped
measurement goes on. docs/speed.md explains cases and columns.
"""

import dataclasses
import hashlib
import os
import pathlib
import sys
import tempfile
from typing import Annotated

from lebm_tf.configuration import startup

startup.import_tensorflow()

from benchmarks import runs  # noqa: E402
from benchmarks.timing import machine, report  # noqa: E402
from benchmarks.timing.case import Case  # noqa: E402
from benchmarks.timing.cases import (  # noqa: E402
    PRECISIONS, Plan, all_cases, chosen as chosen_cases)
from benchmarks.timing.sides import Sides  # noqa: E402
from lebm_tf import files  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.errors import InputError  # noqa: E402
from lebm_tf.ranges import (  # noqa: E402
    Checked, Gt, MinLen, NonNegativeFloat, NonNegativeInt, OneOf, PositiveFloat,
    PositiveInt)

ROOT = pathlib.Path(__file__).parents[1]
_BUSY = 0.2  # CPUs of other programs, from which on we say so.


@dataclasses.dataclass(frozen=True)
class SpeedBenchmark(Checked):
    """What to measure.

    Attributes:
        cases: Names of cases or groups; all if empty.
        rounds: Turns of every side of a case.
        seconds: After so many of a case there are no further rounds, but the
            first 3, or 2 if one takes longer than that; > 0.
        round_seconds: How long a turn of a side should take: short repetitions
            are made several times in a turn.
        pause: Seconds of rest before a turn: the threads of the last side are
            then asleep.
        give_up: A variant of PyTorch that is so many times slower than the
            fastest one after the first round is not run again.
        timeout: Seconds for an answer of a worker.
        threads: Of every program; 0 leaves it to each.
        peer_python: A Python with torch; none leaves PyTorch out.
        torch: Variants of PyTorch, as benchmarks.peer names them.
        precisions: What lebm_tf computes in: float32, mixed_bfloat16 or both;
            without instructions for bfloat16 a step in it takes minutes.
        sizes: published, or tiny to see that all works.
        output: Folder of speed.json and speed.md.
        again: Whether cases that are there already are measured anew.
    """
    cases: tuple[str, ...] = ()
    rounds: PositiveInt = 7
    seconds: PositiveFloat = 240.0
    round_seconds: PositiveFloat = 1.0
    pause: NonNegativeFloat = 0.3
    give_up: Annotated[float, Gt(1)] = 1.5
    timeout: PositiveFloat = 1_800.0
    threads: NonNegativeInt = 0
    peer_python: str = ".venv-bench/bin/python"
    torch: tuple[str, ...] = (
        "eager", "channels_last", "bfloat16", "bfloat16+channels_last",
        "bfloat16+compile", "bfloat16+channels_last+compile")
    precisions: Annotated[tuple[Annotated[str, OneOf(PRECISIONS)], ...],
                          MinLen(1)] = PRECISIONS
    sizes: Annotated[str, OneOf(("published", "tiny"))] = "published"
    output: str = runs.RESULTS
    again: bool = False

    def validate(self):
        if self.sizes == "tiny" and self.output == runs.RESULTS:
            raise ValueError("output must be a folder of your own with sizes "
                             f"tiny, got {self.output}.")


def measure(case: Case, chosen: SpeedBenchmark) -> dict:
    """What goes into the file for a case."""
    busy = machine.busy()
    if busy > _BUSY:
        command.say(f"{case.name}: other programs keep {busy:.1f} CPUs busy; "
                    "the figures will not be the machine's.")
    sides = Sides(
        case, chosen, str(ROOT), {"peer": chosen.peer_python}).measure()
    return {"flops": case.flops, "inner_flops": case.inner_flops,
            "items": case.items, "busy": busy, "source": source(),
            "settings": settings(case, chosen), "sides": sides}


def settings(case: Case, chosen: SpeedBenchmark) -> dict:
    """Of what a kept case must not differ."""
    tasks = repr([(side.name, {
        name: value for name, value in side.task.items()
        if name not in ("folder", "file")}) for side in case.sides])
    return {"rounds": chosen.rounds, "tasks": hashlib.sha256(
        tasks.encode()).hexdigest()[:16]}


def is_done(kept: dict) -> bool:
    """Whether no side of a kept case failed."""
    return not any("failed" in side for side in kept["sides"].values())


def source() -> str:
    """A short name of the state of all code that is measured."""
    total = hashlib.sha256()
    for path in sorted([*(ROOT / "lebm_tf").rglob("*.py"),
                        *(ROOT / "benchmarks").rglob("*.py")]):
        total.update(path.read_bytes())
    return total.hexdigest()[:12]


table = report.markdown  # Every benchmark of results has a `table`.


def load_results(chosen: SpeedBenchmark) -> dict:
    """What was measured before on this machine, or nothing yet."""
    fresh = {"machine": machine.describe(), "cases": {}}
    path = os.path.join(chosen.output, "speed.json")
    if not os.path.exists(path):
        return fresh
    kept = files.read_json(path)
    if kept["cases"] and any(kept["machine"][name] != fresh["machine"][name]
                             for name in ("processor", "cpus", "system")):
        raise InputError(
            f"--output must hold figures of this machine, got {path} of "
            f"another one: {kept['machine']['processor']}, "
            f"{kept['machine']['cpus']} CPUs, {kept['machine']['system']}.")
    return kept


def write(results: dict, order: list[str], chosen: SpeedBenchmark) -> None:
    """Writes both files, cases in this order, others last."""
    known = {name: i for i, name in enumerate(order)}
    results = {**results, "cases": dict(sorted(
        results["cases"].items(),
        key=lambda item: known.get(item[0], len(known))))}
    runs.write("speed", results, table(results), chosen.output)


def main(values) -> None:
    """Measures what is not there yet."""
    chosen = fields.from_flags(SpeedBenchmark, values)
    has_peer = chosen.peer_python != "none"
    if has_peer and not os.path.exists(chosen.peer_python):
        raise InputError(
            "--peer_python must be a Python with torch, which `make bench` "
            f"installs, or none, got {chosen.peer_python!r}.")
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(chosen.sizes == "tiny", chosen.torch if has_peer else (),
                    chosen.threads, folder, str(ROOT / "configs"),
                    chosen.precisions)
        everything = all_cases(plan)
        order = [case.name for case in everything]
        try:
            cases = chosen_cases(everything, chosen.cases)
        except ValueError as error:
            raise InputError(f"--{error}") from error
        results = load_results(chosen)
        for case in cases:
            kept = results["cases"].get(case.name)
            if kept and not chosen.again and is_done(kept) and (
                    kept["settings"] == settings(case, chosen)):
                command.say(f"{case.name}: kept")
                continue
            results["cases"][case.name] = measure(case, chosen)
            write(results, order, chosen)
            failed += _tell(case.name, results["cases"][case.name])
    write(results, order, chosen)
    if failed:
        raise InputError("every side must be measured, got failures of "
                         f"{', '.join(failed)}; see speed.md.")


def _tell(name, case) -> list[str]:
    """Says how a case went; gives the sides that failed."""
    failed = []
    for side, found in case["sides"].items():
        if "failed" in found:
            failed.append(f"{name} {side}")
            command.say(f"{name}: {side}: failed: {found['failed']}")
        elif "seconds" in found:
            command.say(f"{name}: {side}: {found['seconds']['median']:.4g} s")
        else:
            command.say(f"{name}: {side}: {found['record']}")
    return failed


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(SpeedBenchmark)))
