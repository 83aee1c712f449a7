"""Runs an exported sampler without TensorFlow and without lebm_tf.

  python run.py --seed=7 --output=samples.npz

Needs numpy and jax 0.10, whose compiler reads the HLO of this folder. Any other
program that reads an HloModuleProto can be used: program.json lists its
arguments, in order, and its results. Draws as many samples as the program has
rows, with the seeds SEED, SEED + 1, ... The same seeds give the samples of the
SavedModel up to rounding.
"""

import argparse
import json
import os
from typing import Any

import jax
from jax._src.lib import xla_client
import numpy as np


def load(folder):
    """Compiles the program of a folder for jax's first device.

    Returns:
        program.json; name -> value of the weights; and the program, a function
        from a list of arrays to name -> array.
    """
    with open(os.path.join(folder, "program.json"), encoding="utf-8") as file:
        program = json.load(file)
    with open(os.path.join(folder, program["hlo"]), "rb") as binary:
        computation = xla_client.XlaComputation(binary.read())
    jax.config.update("jax_enable_x64", True)  # Seeds have 64 bits.
    device = jax.local_devices()[0]
    compiled = device.client.compile_and_load(
        xla_client._xla.mlir.xla_computation_to_mlir_module(computation),
        xla_client.DeviceList((device,)), xla_client.CompileOptions())

    def run(values):
        results = compiled.execute_sharded(
            [jax.device_put(value, device) for value in values]
        ).disassemble_into_single_device_arrays()
        return {output["name"]: result[0]
                for output, result in zip(program["outputs"], results)}
    with np.load(os.path.join(folder, program["weights"])) as weights:
        return program, dict(weights), run


def main():
    """Compiles and runs the program, and writes its samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", default="samples.npz")
    chosen = parser.parse_args()
    program, weights, run = load(os.path.dirname(os.path.abspath(__file__)))
    rows = program["arguments"][0]["shape"][0]
    results = run([
        np.arange(chosen.seed, chosen.seed + rows, dtype=np.int64),
        *(weights[argument["name"]] for argument in program["arguments"][1:])])
    arrays: dict[str, Any] = {
        name: np.asarray(value) for name, value in results.items()}
    np.savez(chosen.output, **arrays)


if __name__ == "__main__":
    main()
