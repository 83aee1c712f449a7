"""The sampler as a program for other runtimes."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import tensorflow as tf

from lebm_tf.serving import Servable, ServingConfig, export_hlo
from tests.serving.conftest import SHAPE, build, call

CONFIG = ServingConfig(hlo_rows=4)


def test_the_program_takes_seeds_and_weights_and_draws_what_is_served(
        tmp_path):
    """With jax, if it is installed, and else compiled by TensorFlow."""
    model = build()
    path = export_hlo(model, str(tmp_path / "m"), SHAPE, CONFIG)
    assert sorted(os.listdir(path)) == [
        "program.json", "run.py", "sampler.hlo", "weights.npz"]
    with open(f"{path}/program.json", encoding="utf-8") as file:
        program = json.load(file)
    weights = np.load(f"{path}/weights.npz")
    first, *others = program["arguments"]
    assert first == {"name": "seed", "dtype": "int64", "shape": [4]}
    assert [one["name"] for one in others] == list(weights)
    for one in others:
        assert one["shape"] == list(weights[one["name"]].shape)
    assert [one["name"] for one in program["outputs"]] == ["energy", "x", "z"]
    with open(f"{path}/sampler.hlo", "rb") as file:
        assert b"rng-bit-generator" in file.read()
    servable = Servable(model, SHAPE, CONFIG)
    expected = call(servable.signatures["sample"].function,
                    seed=np.arange(7, 11))
    if importlib.util.find_spec("jax"):
        subprocess.run([sys.executable, f"{path}/run.py", "--seed=7",
                        f"--output={tmp_path}/x.npz"], check=True,
                       cwd=tmp_path, timeout=300)
        found = np.load(tmp_path / "x.npz")
    else:
        found = tf.function(
            lambda seed: servable.sample(seed), jit_compile=True)(
                tf.range(7, 11, dtype=tf.int64))
    for name in ("energy", "x", "z"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-3)
