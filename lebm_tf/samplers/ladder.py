"""Chains down a ladder of targets, such as noise levels."""

import dataclasses
from typing import Callable

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.chain import run_chain, trace_chain
from lebm_tf.mcmc.kernel import Kernel, Position, State, initial_state
from lebm_tf.samplers.draws import Draw
from lebm_tf.samplers.initializer import Initializer
from lebm_tf.samplers.sampler import Sampler


def as_it_ended(level: tf.Tensor, position: Position) -> Position:
    """Passes the final state of a level to the next one."""
    return position


def as_it_came(level: tf.Tensor, position: Position, seed: rng.Seed
               ) -> Position:
    """Starts a chain at the state of the level above."""
    return position


def as_it_is(position: Position) -> Position:
    """Returns the final states unchanged."""
    return position


@dataclasses.dataclass(frozen=True)
class Ladder(Sampler):
    """A chain at each level T - 1, ..., 0, started from the level above.

    The sampler of diffusion recovery likelihood (Gao et al. 2021,
    arXiv:2012.08125, algorithm 2), and of other coarse-to-fine models. Its
    target is a function (level, state from above) -> target of that level, so
    it may depend on the noisier neighbour.

    Attributes:
        initializer: Initializer of the highest level.
        kernel: The kernel; every call passes it a step size.
        steps_per_level: Steps at each level, at least 0.
        step_sizes: Step sizes > 0, from level 0 upwards.
        descend: (level, int32 []; final position) -> state for the level below;
            at level 0, the sample.
        propose: (level; state from above; seed) -> initial position of the
            chain.
        finish: Sample -> result: a final step without a chain.

    Raises:
        ValueError: If an argument is out of range.
    """
    initializer: Initializer
    kernel: Kernel
    steps_per_level: int
    step_sizes: tuple[float, ...]
    descend: Callable[[tf.Tensor, Position], Position] = as_it_ended
    propose: Callable[[tf.Tensor, Position, rng.Seed], Position] = as_it_came
    finish: Callable[[Position], Position] = as_it_is
    has_own_steps = True

    def __post_init__(self):
        if self.steps_per_level < 0:
            raise ValueError("steps_per_level must be >= 0, got "
                             f"{self.steps_per_level}.")
        if not min(self.step_sizes, default=0.0) > 0:
            raise ValueError("step_sizes must be one or more numbers > 0, got "
                             f"{self.step_sizes}.")

    @property
    def num_levels(self) -> int:
        """The number of levels T."""
        return len(self.step_sizes)

    @property  # Of other samplers a constant or a field.
    def num_steps(self) -> int:  # type: ignore[override]
        """Total number of moves over all levels."""
        return self.num_levels * self.steps_per_level

    def start(self, num_chains, draws, seed):
        return self.initializer.start(num_chains, draws, seed)

    def draw(self, target, num_chains, draws, seed, num_steps=None):
        """As `Sampler.draw`. A seed per row needs a kernel that takes noise,
        and steps_per_level times the memory of a position. `num_steps` is a
        total that is split equally among the levels, rounded down."""
        first, moves = rng.stream(seed, "start"), rng.stream(seed, "chain")
        start = self.start(num_chains, draws, first)
        if num_steps is None and not self.steps_per_level:
            return Draw(start, initial_state(start))  # Samples of the base.
        steps = longest = self.steps_per_level
        if num_steps is not None:
            steps = num_steps // self.num_levels
            longest = tf.reduce_max(steps)

        def run(level, above, seed, step_size):
            position = self.propose(level, above, rng.stream(seed, "proposal"))
            noise = rng.normal_steps(position, seed, longest) if (
                seed.shape.rank == 2) else None
            return run_chain(
                self.kernel, target(level, above), position, steps, seed,
                noise, step_size), ()
        state, _ = self._down(start, moves, run)
        state = state._replace(position=self.finish(state.position))
        self.initializer.update(draws, state.position, first)
        return Draw(start, state)

    def trace(self, target, start, seed, trace_fn, *, num_steps=None,
              every=1):
        """As `Sampler.trace`; `every` must divide `steps_per_level`. Records
        hold chain states before `descend` and `finish`."""
        ladder = self if num_steps is None else self.with_steps(num_steps)
        at_top = target(tf.constant(self.num_levels - 1), start)
        first = trace_fn(initial_state(start), at_top)

        def run(level, above, seed, step_size):
            climbed = target(level, above)
            position = self.propose(level, above, rng.stream(seed, "proposal"))
            state, records = trace_chain(
                self.kernel, climbed, position, ladder.steps_per_level, seed,
                lambda state: trace_fn(state, climbed), every, step_size)
            return state, tf.nest.map_structure(
                lambda leaf: leaf[1:], records)
        _, records = ladder._down(start, seed, run)
        return tf.nest.map_structure(
            lambda head, leaf: tf.concat([head[None], tf.reshape(
                leaf, [-1, *tf.unstack(tf.shape(leaf)[2:])])], 0),
            first, records)

    def with_steps(self, num_steps):
        if num_steps % self.num_levels:
            raise ValueError(
                f"num_steps must be a multiple of the {self.num_levels} "
                f"levels, got {num_steps}.")
        return dataclasses.replace(
            self, steps_per_level=num_steps // self.num_levels)

    def row_seeds_need(self):
        if self.kernel.takes_noise:
            return ""
        return ("a ladder with the kernel langevin, got "
                f"{type(self.kernel).__name__.lower()}")

    def _down(self, start, seed, run):
        """The last state, and the records of all levels, [levels, ...]."""
        sizes = tf.constant(self.step_sizes, tf.nest.flatten(start)[0].dtype)

        def one(k, position):
            level = self.num_levels - 1 - k
            state, records = run(level, position, rng.fold_in(seed, level),
                                 sizes[level])
            state = State(self.descend(level, state.position), *state[1:4])
            return state, records

        def body(k, state, arrays):
            state, records = one(k, state.position)
            return k + 1, state, [array.write(k, leaf) for array, leaf in zip(
                arrays, tf.nest.flatten(records))]

        # The highest level runs outside the loop, to know its records' shape.
        state, records = one(tf.constant(0), start)
        arrays = [tf.TensorArray(leaf.dtype, self.num_levels,
                                 element_shape=leaf.shape).write(0, leaf)
                  for leaf in tf.nest.flatten(records)]
        _, state, arrays = tf.while_loop(
            lambda k, *_: k < self.num_levels, body,
            (tf.constant(1), state, arrays),
            maximum_iterations=self.num_levels - 1)
        return state, tf.nest.pack_sequence_as(
            records, [array.stack() for array in arrays])
