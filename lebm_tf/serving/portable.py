"""The compiled sampler as a portable program for other runtimes.

HLO, as written by TensorFlow: shapes are fixed, and weights are arguments.
"""

import os
import shutil
from typing import Any, Mapping, Sequence

import numpy as np
import tensorflow as tf

from lebm_tf import files
from lebm_tf.errors import InputError
from lebm_tf.models import EnergyModel
from lebm_tf.serving import saved_model, signatures
from lebm_tf.serving.config import ServingConfig

PROGRAM, HLO, WEIGHTS, SCRIPT = (
    "program.json", "sampler.hlo", "weights.npz", "run.py")


def export_hlo(model: EnergyModel, output: str, shape: tuple[int, ...],
               config: ServingConfig = ServingConfig()) -> str:
    """Writes OUTPUT/N with the program, its weights and a script to run it.

    The program draws `config.hlo_rows` samples, one per seed, equal to those of
    the SavedModel up to rounding.

    Args:
        model, output, shape: As in `export_model`.
        config: Steps and temperature; `exposed` has no effect.

    Returns:
        The folder of the new version.

    Raises:
        InputError: If the model cannot be served or the folder cannot be
            written.
    """
    if model.context is not None:
        raise InputError("--format must be saved_model for a conditional "
                         "model, such as of trajectories, got 'hlo'.")
    with saved_model.version(model, output) as (folder, publish):
        servable = signatures.Servable(model, shape, config)
        # Results are named as in a dict, in sorted order.
        program = tf.function(lambda seed: servable.sample(seed),
                              jit_compile=True, autograph=False)
        seed = tf.TensorSpec([config.hlo_rows], tf.int64, "seed")
        lower(program, (seed,), folder)
        return publish()


def lower(program: Any, arguments: Sequence[tf.TensorSpec], folder: str,
          about: Mapping[str, Any] | None = None, hlo: str = HLO
          ) -> dict[str, Any]:
    """Writes a compiled function, its variables and a script to run it.

    Args:
        program: A tf.function with jit_compile that returns a dict of tensors;
            their names are sorted. Variables that it reads become further
            arguments; the new value of a variable that it changes must be one
            of its results.
        arguments: Its arguments; each has a name.
        folder: An existing folder.
        about: Further contents of program.json.
        hlo: File name of the program.

    Returns:
        The contents of program.json.
    """
    graph = program.get_concrete_function(*arguments)
    with open(os.path.join(folder, hlo), "wb") as file:
        file.write(program.experimental_get_compiler_ir(*arguments)(
            stage="hlo_serialized"))
    weights = {name: variable.numpy()
               for name, variable in captured(graph).items()}
    np.savez(os.path.join(folder, WEIGHTS), **weights)
    described = {
        "hlo": hlo, "weights": WEIGHTS,
        "arguments": [*(_field(spec.name, spec) for spec in arguments), *(
            _field(name, value) for name, value in weights.items())],
        "outputs": [_field(name, spec) for name, spec in sorted(
            graph.structured_outputs.items())], **(about or {})}
    files.write_json(os.path.join(folder, PROGRAM), described)
    shutil.copyfile(os.path.join(os.path.dirname(__file__), "run_hlo.py"),
                    os.path.join(folder, SCRIPT))
    return described


def captured(graph) -> dict[str, tf.Variable]:
    """Name -> variable that a concrete function reads, in its order."""
    variables = {id(variable.handle): variable
                 for variable in graph.graph.variables}
    return {f"{i}/{variables[id(handle)].name}": variables[id(handle)]
            for i, handle in enumerate(graph.captured_inputs)}


def _field(name, value):
    return {"name": name, "dtype": tf.as_dtype(value.dtype).name,
            "shape": list(value.shape)}
