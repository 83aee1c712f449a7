"""Diagnostics of chains of the prior: as trained, long, and exact."""

import dataclasses
import os
from typing import Annotated, Any, Iterator, NamedTuple

import numpy as np
import tensorflow as tf

from lebm_tf.errors import InputError
from lebm_tf.evaluation import plots
from lebm_tf.evaluation.evaluator import (
    UNCONDITIONAL, Better, Context, Evaluator, Metric)
from lebm_tf.kinds import IMAGE
from lebm_tf.mcmc import displacement, effective_sample_size, r_hat, rng
from lebm_tf.ranges import Ge, PositiveInt
from lebm_tf.samplers import Draws, Ladder, Sampler

_NUM_RECORDS = 500
_NUM_ROWS, _NUM_COLUMNS = 6, 11
_MALA_STEPS = 400


class Trace(NamedTuple):
    """Records along chains.

    Attributes:
        steps: Steps made at each record, int [records].
        position: Latents, nest of float [records, chains, ...].
        energy: E(z), float [records, chains], in nats.
        accept_prob: Acceptance of the last step, float [records, chains].
    """
    steps: np.ndarray
    position: Any
    energy: np.ndarray
    accept_prob: np.ndarray


_STATIONARY = {
    "energy": Better.NEITHER, "energy_scale": Better.NEITHER,
    "square": Better.NEITHER, "accept_prob": Better.NEITHER,
    "r_hat": Better.LOWER, "r_hat_largest": Better.LOWER,
    "effective_sample_size": Better.HIGHER,
    "effective_sample_size_smallest": Better.HIGHER}


@dataclasses.dataclass(frozen=True)
class ChainsEvaluator(Evaluator):
    """Diagnostics of chains of the prior.

    Attributes:
        num_chains: Number of chains.
        num_steps: Steps of the long chains.
    """
    num_chains: Annotated[int, Ge(2)] = 100
    num_steps: PositiveInt = 2500

    name = "chains"
    kinds = UNCONDITIONAL
    needs_energy = needs_chains = True
    metrics = {
        "chains/num_chains": Better.NEITHER,
        "chains/num_steps": Better.NEITHER,
        "chains/energy_start": Better.NEITHER,
        "chains/energy": Better.NEITHER,
        "chains/displacement": Better.NEITHER,
        "chains/accept_prob": Better.NEITHER,
        "chains/square": Better.NEITHER,
        "chains/long_num_steps": Better.NEITHER,
        **{f"chains/{run}_{name}": better for run in ("long", "mala")
           for name, better in _STATIONARY.items()}}

    def check(self, context: Context, model: Any) -> None:
        """As `Evaluator.check`; also raises for ladders."""
        super().check(context, model)
        if isinstance(model.generation, Ladder):
            raise InputError("evaluator chains needs chains of one level, got "
                             f"a ladder of {model.generation.num_levels}.")

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Diagnoses three runs of the prior's chains.

        As trained, from p0: energy at the start and the end, displacement,
        acceptance. Long (`num_steps`), from p0: the same, with R-hat and
        effective sample size over the second half; a flat energy means that the
        short run had converged. Mala: 400 steps of the exact kernel from the
        ends of the short run, the first half for tuning the step size; if
        energies and squares of the trained kernel differ from these, it is
        biased, or its run too short.
        """
        sampler = model.generation
        seed = rng.stream(rng.make_seed(context.config.seed), "chains")
        start = sampler.start(
            self.num_chains, Draws({}), rng.stream(seed, "start"))
        trained = max(1, sampler.num_steps)
        # The long run repeats the short one: same kernel, start and noise.
        moves = rng.stream(seed, "long")
        short = _trace(model, sampler, start, 2 * trained, 1, moves)
        every = max(1, -(-self.num_steps // _NUM_RECORDS))
        num_steps = -(-self.num_steps // every) * every
        long = _trace(model, sampler, start, num_steps, every, moves)
        end = _at(short, trained)
        yield "chains/num_chains", self.num_chains
        yield "chains/num_steps", sampler.num_steps
        yield "chains/energy_start", _mean(short.energy[0])
        yield "chains/energy", _mean(short.energy[trained])
        yield "chains/displacement", _mean(displacement(start, end))
        yield "chains/accept_prob", _mean(short.accept_prob[1:trained + 1])
        yield "chains/square", _square(end)
        yield "chains/long_num_steps", num_steps
        yield from _stationary("long", long)
        mala = _trace(
            model, sampler.calibrated(_MALA_STEPS // 2), end, _MALA_STEPS, 1,
            rng.stream(seed, "mala"))
        yield from _stationary("mala", mala)
        if context.directory and context.data.kind == IMAGE:
            _draw(model, context, "transition.png", short, trained, False)
            _draw(model, context, "long_run.png", long, trained, True)


def _trace(model: Any, sampler: Sampler, start, num_steps: int, every: int,
           seed: rng.Seed) -> Trace:
    def record(state, target):
        return (state.position, model.energy(
            state.position, target.condition), state.accept_prob)

    records = tf.function(lambda seed: sampler.trace(
        model.target("generation", {}), start, seed, record,
        num_steps=num_steps, every=every))(seed)
    return Trace(np.arange(0, num_steps + 1, every),
                 *tf.nest.map_structure(np.asarray, records))


def _stationary(name: str, trace: Trace) -> Iterator[Metric]:
    """Statistics over the second half of the chains."""
    half = len(trace.steps) // 2
    z = _flat(tf.nest.map_structure(lambda leaf: leaf[half:], trace.position))
    yield f"chains/{name}_energy", _mean(trace.energy[half:])
    yield f"chains/{name}_energy_scale", float(trace.energy[half:].std())
    yield f"chains/{name}_square", _mean(z**2)
    yield f"chains/{name}_accept_prob", _mean(trace.accept_prob[half:])
    if len(z) >= 4:  # Split chains need two records each.
        ratios = np.asarray(r_hat(z))
        yield f"chains/{name}_r_hat", _mean(ratios)
        yield f"chains/{name}_r_hat_largest", float(ratios.max())
        size = np.asarray(effective_sample_size(z))
        yield f"chains/{name}_effective_sample_size", _mean(size)
        yield f"chains/{name}_effective_sample_size_smallest", float(
            size.min())


def _draw(model, context, name, trace, trained, is_logarithmic):
    if is_logarithmic:
        records = np.unique(np.concatenate([[0], np.geomspace(
            1, len(trace.steps) - 1, _NUM_COLUMNS - 1).round()]).astype(int))
    else:
        records = np.unique(np.linspace(
            0, trained, _NUM_COLUMNS).round().astype(int))
    rows = min(_NUM_ROWS, trace.energy.shape[1])
    z = tf.nest.map_structure(
        lambda leaf: leaf[records, :rows].swapaxes(0, 1).reshape(
            -1, *leaf.shape[2:]), trace.position)
    images = model.decode(z)
    title = "Long chains of the learned prior" if is_logarithmic else (
        "From the base $p_0$ to the learned prior")
    plots.chains(os.path.join(context.directory, name), plots.ChainFigure(
        images.reshape(rows, len(records), *images.shape[1:]),
        trace.steps[records], trace.steps, trace.energy, trained, title,
        is_logarithmic))


def _at(trace, record):
    return tf.nest.map_structure(
        lambda leaf: tf.constant(leaf[record]), trace.position)


def _square(z) -> float:
    """Mean of z^2 over chains and dimensions; 1 under N(0, I)."""
    return _mean(_flat(tf.nest.map_structure(
        lambda leaf: leaf.numpy()[None], z))**2)


def _flat(position) -> np.ndarray:
    """A nest of [records, chains, ...] as float64 [records, chains, width]."""
    return np.concatenate([leaf.reshape(*leaf.shape[:2], -1) for leaf in
                           tf.nest.flatten(position)], -1).astype(np.float64)


def _mean(values) -> float:
    return float(np.mean(np.asarray(values, np.float64)))
