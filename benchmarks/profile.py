"""Where the time of a training step or a chain goes, by TensorFlow operation.

    python -m benchmarks.profile [--cases=posterior/svhn] [--precisions=float32]

Runs each case as benchmarks.speed does, records one repetition with
TensorFlow's profiler, and writes benchmarks/results/profile.json and
profile.md: seconds inside of each operation, and its share of the repetition.
Operations overlap where the graph lets them, so shares may add up to more
than all of it.
"""

import collections
import dataclasses
import glob
import os
import sys
import tempfile
import time

from lebm_tf.configuration import startup

startup.import_tensorflow()

import tensorflow as tf  # noqa: E402
from tensorflow.tsl.profiler.protobuf import xplane_pb2  # noqa: E402

from benchmarks import runs  # noqa: E402
from benchmarks.timing import flops, machine, ours  # noqa: E402
from benchmarks.timing.cases import Plan  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402

_COUNTS = {"train": flops.train_step, "posterior": flops.posterior_chain}
_WARM = 3  # Repetitions before the one that is recorded.
_SHOWN = 0.01  # Share from which on an operation has a row.


@dataclasses.dataclass(frozen=True)
class ProfileBenchmark:
    """What to record.

    Attributes:
        cases: KIND/NAME, of train and posterior, and of the data sets of
            benchmarks.speed.
        precisions: float32 and mixed_bfloat16, or one of them.
    """
    cases: tuple[str, ...] = ("posterior/svhn", "posterior/mnist")
    precisions: tuple[str, ...] = ("float32", "mixed_bfloat16")

    def __post_init__(self):
        for case in self.cases:
            if case.split("/")[0] not in _COUNTS:
                raise ValueError(f"cases must be train/NAME or "
                                 f"posterior/NAME, got {case!r}.")


def record(case: str, precision: str) -> dict:
    """Seconds of one repetition, and inside of each operation."""
    kind, name = case.split("/")
    setting = Plan(False, (), 0, "").setting(name)
    task = ours.make({"kind": kind, "setting": setting.to_json(),
                      "precision": precision, "threads": 0})
    for _ in range(_WARM):
        started = time.perf_counter()
        task.run()
        seconds = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        started = time.perf_counter()
        task.run()
        recorded = time.perf_counter() - started
        tf.profiler.experimental.stop()
        space = xplane_pb2.XSpace()
        with open(glob.glob(os.path.join(
                folder, "**", "*.xplane.pb"), recursive=True)[0], "rb") as file:
            space.ParseFromString(file.read())
    operations = {name: value for name, value in _seconds(space).items()
                  if value >= _SHOWN * recorded}
    return {"seconds": seconds, "recorded_seconds": recorded,
            "flops": _COUNTS[kind](setting), "operations": operations}


def _seconds(space) -> dict[str, float]:
    """Inside of each kind of operation, largest first."""
    total = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                # The executor names its events "name of the node:operation".
                node, colon, operation = name.rpartition(":")
                if colon and node and operation.isidentifier():
                    total[operation] += event.duration_ps * 1e-12
    return dict(total.most_common())


def table(results: dict) -> str:
    """Markdown: a section a case."""
    lines = []
    for name, found in results["cases"].items():
        seconds = found["recorded_seconds"]
        lines += [f"**{name}**: {seconds:.3f} s, {found['flops'] / 1e9:,.0f} "
                  "GFLOP", "", "| operation | seconds | share |",
                  "|---|---|---|"]
        lines += [f"| {operation} | {value:.4f} | {value / seconds:.1%} |"
                  for operation, value in found["operations"].items()] + [""]
    return "\n".join(lines)


def main(values) -> None:
    """Records everything and writes it."""
    chosen = fields.from_flags(ProfileBenchmark, values)
    results = {"machine": machine.describe(), "cases": {
        f"{case} {precision}": record(case, precision)
        for case in chosen.cases for precision in chosen.precisions}}
    runs.write("profile", results, table(results))
    command.say(table(results))


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(ProfileBenchmark)))
