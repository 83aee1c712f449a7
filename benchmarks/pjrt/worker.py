"""Runs a lowered step, or matrix products, with jax: a worker.

    python -m benchmarks.pjrt.worker   (a Python with jax is enough)
"""

import importlib.util
import os

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.timing.protocol import serve

_STATE, _METRIC = "state/", "metric/"
_TOLERANCES = {"float32": 1e-3, "mixed_bfloat16": 5e-2}


class Step:
    """Training steps, each with the state that the last one gave.

    Args:
        task: "folder" of a program of `benchmarks.pjrt.lower`. Where there is
            an expected.npz, the first step is compared with it.

    Raises:
        ValueError: If that differs.
    """

    def __init__(self, task):
        spec = importlib.util.spec_from_file_location(
            "run_hlo", os.path.join(task["folder"], "run.py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.program, self.state, self.call = module.load(task["folder"])
        self.differences = {}
        expected = os.path.join(task["folder"], "expected.npz")
        if os.path.exists(expected):
            with np.load(expected) as arrays:
                self.differences = self._compare(dict(arrays))
        shape = self.program["arguments"][0]["shape"]
        self.x = jax.device_put(np.random.default_rng(0).uniform(
            -1, 1, shape).astype(np.float32))
        self.state = {name: jax.device_put(value)
                      for name, value in self.state.items()}

    def run(self):
        """One step; what it logs."""
        results = self._step(self.x, np.int64(0), self.state)
        self.state = {name: results[_STATE + name] for name in self.state}
        return {name: float(value) for name, value in results.items()
                if name.startswith(_METRIC + "loss/")}

    def _step(self, x, seed, state):
        results = self.call([x, seed, *(
            state[argument["name"]]
            for argument in self.program["arguments"][2:])])
        for output in self.program["outputs"]:
            shape = results[output["name"]].shape
            if list(shape) != output["shape"]:
                raise ValueError(f"{output['name']} must have the shape "
                                 f"{output['shape']}, got {list(shape)}.")
        return results

    def _compare(self, expected):
        """Metric -> how far it is from TensorFlow's, relative."""
        results = self._step(expected["x"], expected["seed"], self.state)
        found = {}
        for name, value in expected.items():
            if name in ("x", "seed"):
                continue
            scale = max(float(np.max(np.abs(value))), 1e-3)
            found[name] = float(np.max(np.abs(
                np.asarray(results[name], np.float64) - value))) / scale
        worst = max(found, key=found.get)
        allowed = _TOLERANCES[self.program["precision"]]
        if not found[worst] <= allowed:
            raise ValueError(f"{worst} must be TensorFlow's to {allowed:g}, "
                             f"got {found[worst]:.3g}.")
        return {name: value for name, value in found.items()
                if name.startswith(_METRIC)}

    def about(self):
        """Versions, the device, and how far from TensorFlow."""
        return {**about(), **({"from TensorFlow": self.differences}
                              if self.differences else {})}


class Product:
    """Matrix products: the measured limit of the device."""

    def __init__(self, task):
        kind, size = jnp.dtype(task["precision"]), task["size"]
        keys = jax.random.split(jax.random.key(0))
        self.factors = [jax.random.normal(key, (size, size)).astype(kind)
                        for key in keys]
        self.product = jax.jit(jnp.matmul)

    def run(self):
        """One product, over when the device has done it."""
        self.product(*self.factors).block_until_ready()

    def about(self):
        """Versions and the device."""
        return about()


def about():
    """Versions and the device."""
    return {"jax": jax.__version__, "device": jax.devices()[0].device_kind}


def make(task):
    """Task as JSON -> what to repeat."""
    return {"step": Step, "product": Product}[task["kind"]](task)


if __name__ == "__main__":
    serve(make)
