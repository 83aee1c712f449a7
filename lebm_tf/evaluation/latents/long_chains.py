"""Resumable long chains of a trained model, saved part by part; resumed chains
are bitwise identical to uninterrupted ones."""

import dataclasses
import os
import time
from typing import Any, Callable, NamedTuple
import zipfile

import numpy as np
import tensorflow as tf

from lebm_tf import files
from lebm_tf.errors import InputError
from lebm_tf.mcmc import (
    CrankNicolson, Hmc, Independence, Kernel, Langevin, Mala, Nuts, Tempering,
    adaptation, rng, tune)

SETTINGS, VERSION = "settings.json", 1
KERNELS: dict[str, Callable[..., Kernel]] = {
    "langevin": lambda size, _: Langevin(size),
    "mala": lambda size, _: Mala(size), "nuts": lambda size, _: Nuts(size),
    "hmc": Hmc, "pcn": lambda size, _: CrankNicolson(size),
    "independence": lambda size, _: Independence(),
    "tempering": lambda size, steps: Tempering(Hmc(size, steps))}
_LEAST = 0.01  # Smallest mean acceptance.


@dataclasses.dataclass(frozen=True)
class Plan:
    """Settings of long chains.

    Attributes:
        kernel: Kernel that moves the chains.
        num_chains: Number of chains, at least 2.
        num_steps: Number of steps.
        thin: Steps between records, a divisor of `part_steps`.
        part_steps: Steps per part, the unit in which results are saved.
        num_adaptation_steps: Steps before that tune the step size; 0 for none.
        seed: Any int.

    Raises:
        ValueError: If numbers of steps do not divide each other.
    """
    kernel: Kernel
    num_chains: int
    num_steps: int
    thin: int = 1
    part_steps: int = 500
    num_adaptation_steps: int = 0
    seed: int = 0

    def __post_init__(self):
        if self.part_steps % self.thin or self.num_steps % self.part_steps:
            raise ValueError(
                "thin must divide part_steps, and part_steps must divide "
                f"num_steps, got {self.thin}, {self.part_steps} and "
                f"{self.num_steps}.")
        if self.num_steps < 4 * self.thin:
            raise ValueError(
                f"num_steps must be at least 4 thin, got {self.num_steps} with "
                f"thin {self.thin}.")


class Records(NamedTuple):
    """Records of all parts.

    Attributes:
        position: Leaves of the latents, each float [records, chains, ...].
        log_prob: Target, float [records, chains], in nats.
        energy: E(z), float [records, chains]; 0 without an energy.
        accept_prob: Acceptance of the last step, float [records, chains].
        seconds: Wall time of all steps, over all calls.
        step_size: Step size of the kernel; None if it has none.
        swap_rates: Swap rates of tempering, float [replicas - 1]; else empty.
    """
    position: tuple[np.ndarray, ...]
    log_prob: np.ndarray
    energy: np.ndarray
    accept_prob: np.ndarray
    seconds: float
    step_size: float | None
    swap_rates: np.ndarray


def run(plan: Plan, target: Any, start: Any, energy: Callable, folder: str,
        identity: dict[str, Any]) -> Records:
    """Runs the missing parts, and reads all of them.

    Args:
        plan: Settings of the chains.
        target: Function from position to log densities [chains].
        start: Positions, nest of [chains, ...].
        energy: Function from position to energies [chains].
        folder: Folder of the parts.
        identity: JSON that identifies model and chains; a folder with another
            identity is rejected.

    Raises:
        InputError: If the folder holds other chains, chains of a newer version
            or damaged ones, or the acceptance is below 1%.
    """
    seed = rng.make_seed(plan.seed)
    _check(folder, {**identity, "version": VERSION})
    first = os.path.join(folder, "start.npz")
    if not os.path.exists(first):
        _write(first, _started(plan, target, start, rng.stream(seed, "tune")))
    kept = _read(first)
    size = None if plan.kernel.step_size is None else tf.constant(
        kept.pop("step_size"))
    position = _packed(start, kept)
    state = tf.function(lambda z: plan.kernel.init(target, z, size),
                        autograph=False)(position)
    structure = state

    @tf.function(autograph=False)
    def move(leaves, count):
        def body(k, state):
            own = rng.fold_in(seed, count + tf.cast(k, tf.int64))
            return k + 1, plan.kernel.step(target, state, own, step_size=size)
        _, state = tf.while_loop(
            lambda k, _: k < plan.thin, body,
            (0, tf.nest.pack_sequence_as(structure, leaves)))
        return (tf.nest.flatten(state), tf.nest.flatten(state.position),
                target(state.position), energy(state.position),
                state.accept_prob)
    leaves, parts = tf.nest.flatten(state), []
    for part in range(plan.num_steps // plan.part_steps):
        path = os.path.join(folder, f"part-{part:05d}.npz")
        if not os.path.exists(path):
            _write(path, _part(plan, move, leaves, part))
        kept = _read(path)
        leaves = [tf.constant(kept[f"state_{i}"]) for i in range(len(leaves))]
        parts.append(kept)
        if part == 0 and plan.kernel.is_calibrated:
            _check_accepted(plan, kept["accept_prob"], size)
    return _joined(plan, parts, size)


def _started(plan, target, start, seed):
    """Start of the chains, after tuning if requested."""
    kernel = plan.kernel
    found: dict[str, Any] = {}
    if kernel.step_size is not None:
        found["step_size"] = np.float32(kernel.step_size)
    if plan.num_adaptation_steps:
        inner = getattr(kernel, "kernel", kernel)
        adaptation.goal(inner)
        tuned = tf.function(lambda z: tune(
            inner, target, z, plan.num_adaptation_steps, seed),
            autograph=False)(start)
        start = tuned.position
        found["step_size"] = np.asarray(tuned.step_size)
    return {**found, **{f"z_{i}": np.asarray(leaf) for i, leaf in enumerate(
        tf.nest.flatten(start))}}


def _part(plan, move, leaves, part):
    """Runs one part; returns what to save."""
    records, started = [], time.monotonic()
    for k in range(plan.part_steps // plan.thin):
        count = tf.constant(part * plan.part_steps + k * plan.thin, tf.int64)
        leaves, *record = move(leaves, count)
        records.append([np.asarray(leaf) for leaf in tf.nest.flatten(record)])
    *positions, log_prob, energy, accepted = (
        np.stack(column) for column in zip(*records))
    return {"log_prob": log_prob, "energy": energy, "accept_prob": accepted,
            "seconds": np.float64(time.monotonic() - started),
            **{f"z_{i}": leaf for i, leaf in enumerate(positions)},
            **{f"state_{i}": np.asarray(leaf)
               for i, leaf in enumerate(leaves)}}


def _joined(plan, parts, size):
    def column(name):
        return np.concatenate([part[name] for part in parts])
    names = sorted((name for name in parts[0] if name.startswith("z_")),
                   key=lambda name: int(name[2:]))
    rates = np.zeros(0)
    if isinstance(plan.kernel, Tempering):
        last = len([name for name in parts[-1] if name.startswith("state_")])
        swapped, tried = (parts[-1][f"state_{last - i}"] for i in (2, 1))
        rates = swapped / np.maximum(tried, 1)
    return Records(
        tuple(column(name) for name in names), column("log_prob"),
        column("energy"), column("accept_prob"),
        float(sum(part["seconds"] for part in parts)),
        None if size is None else float(size), rates)


def _check_accepted(plan, accepted, size):
    rate = float(np.mean(accepted))
    if rate >= _LEAST:
        return
    name = type(plan.kernel).__name__
    remedy = "kernels that follow the gradient, as hmc" if size is None else (
        f"a step_size below {float(size):g}, or more num_adaptation_steps")
    raise InputError(
        f"at least {_LEAST:.0%} of the moves must be accepted, got "
        f"{rate:.2%} of {name}; try {remedy}, in a new folder.")


def _check(folder, identity):
    """Saves the identity of chains, or rejects a folder of other chains."""
    path = os.path.join(folder, SETTINGS)
    if not os.path.exists(path):
        files.write_json(path, identity)
        return
    kept = files.read_json(path)
    version = kept.get("version") if isinstance(kept, dict) else None
    if not isinstance(version, int):
        raise InputError(f"{path} is damaged: it has no version.")
    if version > VERSION:
        raise InputError(f"{folder} must hold chains of version {VERSION} or "
                         f"older, got newer ones of version {version}.")
    changed = sorted(name for name in {*kept, *identity}
                     if kept.get(name) != identity.get(name))
    if changed:
        raise InputError(f"{folder} holds chains of another model or plan; "
                         "they differ in " + ", ".join(
                             f"{name} ({kept.get(name)} there, "
                             f"{identity.get(name)} now)"
                             for name in changed) + ".")


def _packed(like, kept):
    leaves = [tf.constant(kept[f"z_{i}"]) for i in range(len(
        tf.nest.flatten(like)))]
    return tf.nest.pack_sequence_as(like, leaves)


def _write(path, arrays):
    with files.atomic_path(path) as temporary:
        np.savez(temporary, **arrays)


def _read(path):
    try:
        with np.load(path) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is damaged ({error}); delete it to continue "
                         "from the part before.") from error
