"""Writes the training step as a program for any PJRT client, such as jax's.

    python -m benchmarks.pjrt.lower --output=DIR [--precisions=float32]

One folder a precision, DIR/svhn_float32 and so on: step.hlo is a function of
(batch, seed, state) to (state, metrics), state being all variables, weights.npz
the first state, program.json the names, shapes and order of all. With --check
also what TensorFlow's own compiler makes of one step, expected.npz.
"""

import dataclasses
import os
import sys
from typing import Annotated

from lebm_tf.configuration import startup

startup.import_tensorflow()

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from benchmarks.timing import flops  # noqa: E402
from benchmarks.timing.cases import PRECISIONS, SHAPES, Plan  # noqa: E402
from benchmarks.timing.ours import model_of  # noqa: E402
from benchmarks.timing.setting import Setting  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.errors import InputError  # noqa: E402
from lebm_tf.ranges import Checked, NonNegativeInt, OneOf  # noqa: E402
from lebm_tf.serving.portable import captured, lower  # noqa: E402

EXPECTED = "expected.npz"
STATE, METRIC = "state/", "metric/"


@dataclasses.dataclass(frozen=True)
class LowerStep(Checked):
    """What to lower.

    Attributes:
        output: Folder of the programs.
        setting: svhn, cifar10 or mnist.
        precisions: Of float32 and mixed_bfloat16.
        batch_size: Examples of a step; 0 takes the setting's.
        sizes: published, or tiny to see that all works.
        check: Whether one step is made by TensorFlow too, for comparison.
    """
    output: str = ""
    setting: Annotated[str, OneOf(SHAPES)] = "svhn"
    precisions: tuple[Annotated[str, OneOf(PRECISIONS)], ...] = PRECISIONS
    batch_size: NonNegativeInt = 0
    sizes: Annotated[str, OneOf(("published", "tiny"))] = "published"
    check: bool = False


def functional_step(model):
    """`train_step` as a compiled function of (x, seed) that gives its state.

    The variables are further arguments, in the order of `captured`, and
    results named "state/" + their name there; what is logged is named
    "metric/...".

    Args:
        model: A compiled `EnergyModel`.
    """
    def step(x, seed):
        own, model.seed = model.seed, seed
        try:
            logs = model.train_step({"x": x})
        finally:
            model.seed = own
        # Of a result that is a constant the compiler makes no output.
        return {METRIC + name: tf.cast(value, tf.float32)
                for name, value in logs.items()
                if not name.endswith("accept_prob")}

    def whole(x, seed):
        metrics = step(x, seed)
        # Only those that the step reads are arguments.
        return {**metrics, **{STATE + name: variable.read_value()
                              for name, variable in variables.items()}}

    def trace(*arguments):
        variables.update(captured(tf.function(
            step, autograph=False).get_concrete_function(*arguments)))
        return tf.function(whole, jit_compile=True, autograph=False)
    variables = {}
    return trace


def write(setting: Setting, precision: str, folder: str, check: bool) -> None:
    """Writes the program of one precision.

    Args:
        setting: What is trained.
        precision: What the networks compute in.
        folder: Made if need be.
        check: Whether one step is made and kept.

    Raises:
        InputError: If the results can't be told apart from the arguments.
    """
    model = model_of(setting, precision)
    arguments = (tf.TensorSpec([setting.batch_size, *setting.shape],
                               tf.float32, "x"),
                 tf.TensorSpec([], tf.int64, "seed"))
    program = functional_step(model)(*arguments)
    os.makedirs(folder, exist_ok=True)
    written = lower(program, arguments, folder, {
        "setting": setting.to_json(), "precision": precision,
        "flops": flops.train_step(setting),
        "inner_flops": flops.train_step(setting, border=False)}, "step.hlo")
    inputs = [one["name"] for one in written["arguments"][2:]]
    outputs = [one["name"] for one in written["outputs"]]
    missing = [name for name in inputs if STATE + name not in outputs]
    if missing:
        raise InputError("every variable must be among the results, got none "
                         f"of {', '.join(missing)}.")
    if check:
        x = np.random.default_rng(0).uniform(
            -1, 1, arguments[0].shape).astype(np.float32)
        results = program(tf.constant(x), tf.constant(7, tf.int64))
        np.savez(os.path.join(folder, EXPECTED), x=x, seed=np.int64(7), **{
            name: value.numpy() for name, value in results.items()})


def main(values) -> None:
    """Writes all programs."""
    chosen = fields.from_flags(LowerStep, values)
    if not chosen.output:
        raise InputError("--output must be a folder, got none.")
    setting = Plan(chosen.sizes == "tiny", (), 0, "").setting(chosen.setting)
    setting = setting.changed(chosen.batch_size or None)
    for precision in chosen.precisions:
        folder = os.path.join(chosen.output, f"{chosen.setting}_{precision}")
        write(setting, precision, folder, chosen.check)
        command.say(folder)


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(LowerStep)))
