"""How much faster the input pipeline is than the training step.

    python -m benchmarks.pipeline \\
        [--flagfile_of_run=configs/quickstart_joint.cfg]
        [--flags_of_run=--batch_size=50,--precision=mixed_bfloat16]

Reads batches as fast as they come, then trains on them, and says how many of
each fit into a second.
"""

import dataclasses
import sys
import time

from lebm_tf.configuration import startup

startup.import_tensorflow()

from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.datasets import train_batches  # noqa: E402
from lebm_tf.families import DataSpec  # noqa: E402
from lebm_tf.ranges import Checked, PositiveInt  # noqa: E402
from lebm_tf.train import from_flagfile  # noqa: E402
from lebm_tf.training import workdir as workdirs  # noqa: E402


@dataclasses.dataclass(frozen=True)
class PipelineBenchmark(Checked):
    """What to measure.

    Attributes:
        flagfile_of_run: The run.
        flags_of_run: Further flags of it.
        num_batches: Batches to read.
        num_steps: Steps to train. """
    flagfile_of_run: str = "configs/quickstart_joint.cfg"
    flags_of_run: tuple[str, ...] = ()
    num_batches: PositiveInt = 1_000
    num_steps: PositiveInt = 50


def measure(chosen: PipelineBenchmark) -> tuple[float, float]:
    """(batches, training steps) a second."""
    run, model_config, settings = from_flagfile(
        chosen.flagfile_of_run, *chosen.flags_of_run)
    data = workdirs.load_data(run)
    batches = iter(train_batches(
        data, run.batch_size, run.seed, length_pool=run.data.length_pool))
    model = workdirs.build_run(workdirs.Run(
        run, model_config, DataSpec.of(data), settings))
    model.make_train_function()
    model.train_function(batches)  # Traces and compiles.
    return (_rate(lambda: next(batches), chosen.num_batches),
            _rate(lambda: model.train_function(batches), chosen.num_steps))


def _rate(function, times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        function()
    return times / (time.perf_counter() - started)


def main(values) -> None:
    """Measures and says so."""
    chosen = fields.from_flags(PipelineBenchmark, values)
    batches, steps = measure(chosen)
    command.say(f"{chosen.flagfile_of_run}: {batches:.0f} batches a second, "
                f"{steps:.1f} training steps a second: the pipeline is "
                f"{batches / steps:.0f} times faster.")


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(PipelineBenchmark)))
