"""Samplers: how a state is drawn."""

import dataclasses
from typing import Any, Mapping, NamedTuple

import tensorflow as tf

from lebm_tf.densities.conditions import given
from lebm_tf.mcmc import rng
from lebm_tf.mcmc.chain import run_chain
from lebm_tf.mcmc.kernel import (
    Kernel, LogProbFn, Position, State, initial_state)
from lebm_tf.samplers import compilation
from lebm_tf.samplers.initializer import Initializer


class Draw(NamedTuple):
    """States and where they came from.

    Attributes:
        start: Positions before the first move, nest of [chains, ...].
        state: The state after the last move.
        encoded: What an encoder said of q(z | x), (mean, log_scale), where
            the draw is one of its; kept so that a KL term need not ask again.
    """
    start: Position
    state: State
    encoded: tuple = ()

    @property
    def position(self) -> Position:
        """Positions after the last move, nest of [chains, ...]."""
        return self.state.position


@dataclasses.dataclass(frozen=True)
class ShortRun:
    """A fixed number of moves from an initializer: p_K, not p.

    Nijkamp et al. 2019, arXiv:1904.09770. What is learned with a short run
    must be sampled with the same one.

    Attributes:
        initializer: Where chains start.
        kernel: How one move is made.
        num_steps: Number of moves, at least 0.
        jit_compile: Whether XLA compiles the chains: on, off or auto, as in
            `compilation`, also in how they are split. Other noise for the
            same seed.

    Raises:
        ValueError: If `num_steps` is negative, or `jit_compile` unknown.
    """
    initializer: Initializer
    kernel: Kernel
    num_steps: int
    jit_compile: str = "off"
    is_reparameterized = False

    def __post_init__(self):
        if self.num_steps < 0:
            raise ValueError(f"num_steps must be >= 0, got {self.num_steps}.")
        compilation.setting(self.jit_compile)

    def draw(self, target: LogProbFn, num_chains, batch: Mapping[str, Any],
             seed: rng.Seed, num_steps: tf.Tensor | None = None) -> Draw:
        """Starts the chains and runs them.

        Args:
            target: Position -> [chains].
            num_chains: How many, int or int32 [].
            batch: What initializers may look at: "x", "index", ...
            seed: int32 [2]; or [num_chains, 2], and then chain i depends on
                its own seed alone. That takes a kernel whose noise can be
                given, and num_steps times the memory of a position.
            num_steps: int32 [num_chains], moves of each chain if not as
                the sampler has them.
        """
        longest = self.num_steps if num_steps is None else tf.reduce_max(
            num_steps)
        first, moves = rng.stream(seed, "start"), rng.stream(seed, "chain")
        start = self.initializer.start(num_chains, batch, first)
        noise = None
        if seed.shape.rank == 2:
            noise = rng.normal_steps(start, moves, longest)

        steps = longest if num_steps is None else num_steps
        if noise is None and compilation.wanted(
                compilation.setting(self.jit_compile), target, start,
                self.num_steps):
            state = compilation.run_chain(
                self.kernel, target, start, steps, moves)
        else:
            state = run_chain(self.kernel, target, start, steps, moves, noise)
        self.initializer.update(batch, state.position, first)
        return Draw(start, state)


@dataclasses.dataclass(frozen=True)
class Encoded:
    """One reparameterized draw of an encoder: no chain at all.

    The draw carries gradients to the encoder, so `EnergyModel` makes it
    inside the tape, after the chains.

    Attributes:
        encoder: Density with `parameters(x)` and `sample_from`, such as
            `densities.ConditionalGaussian`.
        has_dropout: Whether its network leaves out a part of its values, as
            in training.
    """
    encoder: Any
    has_dropout: bool = False
    is_reparameterized = True

    def draw(self, target: LogProbFn, num_chains, batch: Mapping[str, Any],
             seed: rng.Seed) -> Draw:
        """Encodes batch["x"]; the target is not looked at."""
        dropped = {"seed": rng.stream(seed, "dropout")} if (
            self.has_dropout) else {}
        encoded = self.encoder.parameters(batch["x"], **dropped, **given(
            self.encoder, batch.get("condition")))
        position = self.encoder.sample_from(
            *encoded, rng.stream(seed, "start"))
        constant = tf.nest.map_structure(tf.stop_gradient, position)
        state = initial_state(constant)._replace(position=position)
        return Draw(constant, state, encoded)
