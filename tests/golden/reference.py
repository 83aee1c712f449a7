"""How the reference files are read, and how their weights map to ours."""

import collections
import dataclasses
import json
import pathlib
from typing import Mapping

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.mcmc import run_chain
from lebm_tf.mcmc.kernel import initial_state
from lebm_tf.objectives import MaskedKL
from lebm_tf.samplers import Draw, Encoded, Sampler

RELATIVE = 1e-11
# Files that two modules read: the beginning of keys -> the one that must; the
# first that fits.
_TEXT = {**dict.fromkeys(("tokens", "lengths", "encoder/", "decoder/",
                          "generation/"), "test_svebm_networks"),
         "": "test_svebm_text"}
SHARED = {
    "svebm_text": _TEXT, "svebm_text_lstm": _TEXT,
    "lbebm": {**dict.fromkeys((
        "sdd/train_raw_xy", "eth/rows", "eth/frames", "eth/peds"),
        "test_lbebm_data"), "": "test_lbebm"}}
_SEEN = collections.defaultdict(set)  # File -> keys that were read.
_CANCELLED = 64  # Roundings of a sum of terms that cancel.
UPDATE = 1e-9  # Absolute, of (w1 - w) / learning rate.


class Recorded(Mapping):
    """Key -> array, of one file, that remembers which ones were read; to look
    at the keys is not to read."""

    def __init__(self, name: str, arrays: dict[str, np.ndarray]):
        self.arrays, self.seen = arrays, _SEEN[name]

    def __getitem__(self, key: str) -> np.ndarray:
        value = self.arrays[key]
        self.seen.add(key)
        return value

    def __contains__(self, key) -> bool:
        return key in self.arrays

    def __iter__(self):
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)


class Reference:
    """One file; images come out NHWC, latents flat."""

    def __init__(self, name: str):
        self.name = name
        path = pathlib.Path(__file__).parent / f"{name}.npz"
        with np.load(path, allow_pickle=False) as arrays:
            self.arrays = Recorded(name, dict(arrays))
        self.config = json.loads(str(self.arrays["config"]))

    def __getitem__(self, key: str) -> np.ndarray:
        value = self.arrays[key]
        if value.shape[-2:] == (1, 1):
            return value[..., 0, 0]
        return np.moveaxis(value, -3, -1) if value.ndim == 4 else value

    def weights(self, prefix: str, layer: str) -> list[np.ndarray]:
        """[kernel, bias] of one of the authors' layers, in our layout."""
        kernel = self.arrays[f"{prefix}/{layer}.weight"]
        bias = self.arrays[f"{prefix}/{layer}.bias"]
        if kernel.ndim == 2:
            return [kernel.T, bias]
        return [kernel.transpose(2, 3, 1, 0), bias]

    def map_weights(self, prefix: str, layer: str) -> list[np.ndarray]:
        """The same of a first transposed convolution, as one matrix."""
        kernel = self.arrays[f"{prefix}/{layer}.weight"]
        matrix = kernel.transpose(0, 2, 3, 1).reshape(len(kernel), -1)
        return [matrix, self.arrays[f"{prefix}/{layer}.bias"]]


class Injected(Sampler):
    """A sampler whose start and noise are given; counts as a short run."""

    def __init__(self, kernel, first, noise):
        self.kernel, self.first, self.noise = kernel, first, noise
        self.num_steps = len(tf.nest.flatten(noise)[0])

    def start(self, num_chains, draws, seed):
        return self.first

    def draw(self, target, num_chains, draws, seed, num_steps=None):
        return Draw(self.first, run_chain(
            self.kernel, target, self.first, self.num_steps, seed,
            self.noise))

    def positions(self, target, seed):
        """Where the chains are after 0, 1, ... moves; the loop of all moves
        ends at the same place."""
        state, found = self.kernel.init(target, self.first), [self.first]
        for k in range(self.num_steps):
            state = self.kernel.step(target, state, seed, tf.nest.map_structure(
                lambda leaf: leaf[k], self.noise))
            found.append(state.position)
        end = run_chain(self.kernel, target, self.first, self.num_steps, seed,
                        self.noise).position
        for stepped, looped in zip(*map(tf.nest.flatten, (found[-1], end))):
            np.testing.assert_allclose(stepped, looped, rtol=1e-12, atol=1e-12)
        return found


class InjectedCode(Encoded):
    """An encoder's draw whose noise is given."""

    def __init__(self, encoder, noise):
        super().__init__(encoder)
        object.__setattr__(self, "noise", tf.constant(noise))

    def draw(self, target, num_chains, draws, seed, num_steps=None):
        mean, log_scale = self.encoder.parameters(
            draws.batch["x"], condition=draws.batch.get("condition"))
        position = mean + tf.exp(log_scale) * self.noise
        state = initial_state(tf.stop_gradient(position))
        return Draw(position, state._replace(position=position),
                    (mean, log_scale))


def kl_to_normal(model, level: float = 0.0):
    """Gives a model the KL of the authors, to N(0, I) whatever p0 is; ours is
    to p0, the same where its scale is 1."""
    if model.prior.base.scale != 1.0:
        bound = model.objectives["bound"]
        model.objectives["bound"] = dataclasses.replace(bound, terms={
            **bound.terms, "kl": dataclasses.replace(
                bound.terms["kl"], term=MaskedKL(level))})


def inject(model, **samplers):
    """Gives roles of a model other samplers."""
    for role, sampler in samplers.items():
        model.roles[role] = dataclasses.replace(
            model.roles[role], sampler=sampler)


def assert_close(value, expected, tolerance: float = RELATIVE):
    """Equal shapes; errors relative to the largest magnitude."""
    value = np.asarray(value)
    assert value.dtype == np.float64 and value.shape == expected.shape
    np.testing.assert_allclose(
        value, expected, rtol=0,
        atol=tolerance * max(np.max(np.abs(expected)), 1e-300))


def assert_updates(before, after, expected, rate, tolerance=UPDATE):
    """Weights moved by the same multiples of the learning rate."""
    for old, new, wanted in zip(before, after, expected):
        np.testing.assert_allclose(
            (np.asarray(new) - old) / rate, (wanted - old) / rate,
            rtol=0, atol=tolerance)


def assert_gradients(gradients, wanted) -> None:
    """Every gradient of a part is theirs.

    The last bias of an energy cancels between z+ and z-: 0 up to the rounding
    of terms as large as the other gradients of the part, so these, and not a
    fixed number, say what is 0.
    """
    assert len(gradients) == len(wanted)
    largest = max(np.max(np.abs(array)) for array in wanted)
    for gradient, array in zip(gradients, wanted):
        np.testing.assert_allclose(
            gradient, array, rtol=0, atol=max(
                1e-11 * np.max(np.abs(array)),
                _CANCELLED * np.finfo(np.float64).eps * largest))


def assert_singular_vectors(arrays: Mapping, prefix: str = "") -> None:
    """Their vectors v are those of their kernels and u: v = W^T u, normed."""
    keys = [key for key in arrays
            if key.startswith(prefix) and key.endswith(".weight_v")]
    assert keys
    for key in keys:
        name = key.removesuffix("_v")
        kernel = arrays[f"{name}_orig"]
        v = kernel.reshape(len(kernel), -1).T @ arrays[f"{name}_u"]
        np.testing.assert_allclose(
            arrays[key], v / np.linalg.norm(v), rtol=0, atol=1e-9)


def assert_read(request, name: str) -> None:
    """The tests of a module read every key of a file.

    For the last test of a module; skipped where not all of it was chosen.

    Args:
        request: Of pytest.
        name: The file.
    """
    module = request.module.__name__.rpartition(".")[2]
    chosen = {item.originalname for item in request.session.items
              if item.module is request.module}
    whole = {key for key, value in vars(request.module).items()
             if key.startswith("test_") and callable(value)}
    if not whole <= chosen:
        pytest.skip("needs all tests of the module")
    readers = SHARED.get(name, {"": module})
    unread = sorted(key for key in set(Reference(name).arrays) - _SEEN[name]
                    if module == next(readers[start] for start in readers
                                      if key.startswith(start)))
    assert not unread, f"{name}.npz: no test of {module} reads {unread}."
