"""Parallel tempering: replicas of a chain at several temperatures that swap
states.

For targets close to N(0, I), such as energies over it: replica r has the target
N(z; 0, I) (p(z) / N(z; 0, I))^b_r with 1 = b_1 > ... > b_R > 0. Hot replicas
cross between modes, and swaps that preserve the joint distribution pass their
states to cold ones. Swendsen and Wang 1986. TFP's `ReplicaExchangeMC` tempers
the whole target, and its replicas would share the rows of a posterior.
"""

import dataclasses

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.exact import Hmc
from lebm_tf.mcmc.gradient_free import half_square
from lebm_tf.mcmc.kernel import (
    Kernel, LogProbFn, Position, State, StepSize, num_chains)


@dataclasses.dataclass(frozen=True)
class Tempering:
    """Moves of all replicas, followed by swaps of even or odd pairs in turn.

    Attributes:
        kernel: Moves every replica; step sizes passed to `step` apply to it.
        num_replicas: R >= 2.
        hottest: b_R in (0, 1); the powers form a geometric progression.

    Raises:
        ValueError: If an argument is out of range, or the kernel has adaptation
            steps.
    """
    kernel: Kernel = Hmc(0.1)
    num_replicas: int = 5
    hottest: float = 0.1
    is_rowwise = False
    takes_noise = False
    num_adaptation_steps = 0

    def __post_init__(self):
        if self.num_replicas < 2 or not 0 < self.hottest < 1:
            raise ValueError(
                "num_replicas must be >= 2 and hottest lie in (0, 1), got "
                f"{self.num_replicas} and {self.hottest}.")
        if self.kernel.num_adaptation_steps:
            raise ValueError("replicas need num_adaptation_steps 0, got "
                             f"{self.kernel.num_adaptation_steps}.")

    @property
    def is_calibrated(self) -> bool:
        """Whether the kernel is."""
        return self.kernel.is_calibrated

    @property
    def step_size(self) -> StepSize:
        """The step size of the kernel."""
        return self.kernel.step_size

    @property
    def powers(self) -> tuple[float, ...]:
        """b_r of every replica, the cold one first."""
        last = self.num_replicas - 1
        return tuple(self.hottest**(r / last) for r in range(last + 1))

    def init(self, log_prob_fn: LogProbFn, position: Position,
             step_size: StepSize | None = None) -> State:
        """All replicas at the initial positions."""
        position = tf.nest.map_structure(tf.convert_to_tensor, position)
        state = self.kernel.init(log_prob_fn, position, step_size)
        log_prob = log_prob_fn(position)
        zeros = tf.zeros([self.num_replicas - 1], log_prob.dtype)
        return state._replace(log_prob=log_prob, memory=(
            (position,) * self.num_replicas, tf.zeros([], tf.int32), zeros,
            zeros))

    def step(self, log_prob_fn: LogProbFn, state: State, seed: rng.Seed,
             noise: Position | None = None,
             step_size: StepSize | None = None) -> State:
        """Moves every replica of every chain once; does not accept `noise`."""
        if noise is not None:
            raise ValueError("Tempering draws its own noise; got noise.")
        positions, moves, swapped, tried = state.memory
        moved, log_ratios = [], []
        for r, (power, position) in enumerate(zip(self.powers, positions)):
            def target(z, power=power):
                return power * log_prob_fn(z) - (1.0 - power) * half_square(z)
            end = self.kernel.step(
                target, self.kernel.init(target, position, step_size),
                rng.fold_in(rng.stream(seed, "moves"), r), step_size=step_size)
            moved.append(end)
            log_ratios.append(log_prob_fn(end.position)
                              + half_square(end.position))
        positions = [end.position for end in moved]
        rates, counts = [], []
        for r in range(self.num_replicas - 1):
            turn = moves % 2 == r % 2
            difference = (self.powers[r] - self.powers[r + 1]) * (
                log_ratios[r + 1] - log_ratios[r])
            drawn = rng.uniform(
                [num_chains(positions[r])],
                rng.fold_in(rng.stream(seed, "swaps"), r), difference.dtype)
            swaps = tf.logical_and(turn, tf.math.log(drawn) < difference)
            positions[r], positions[r + 1] = (
                _where(swaps, positions[r + 1], positions[r]),
                _where(swaps, positions[r], positions[r + 1]))
            log_ratios[r], log_ratios[r + 1] = (
                tf.where(swaps, log_ratios[r + 1], log_ratios[r]),
                tf.where(swaps, log_ratios[r], log_ratios[r + 1]))
            rates.append(tf.reduce_mean(tf.cast(swaps, difference.dtype)))
            counts.append(tf.cast(turn, difference.dtype))
        return State(
            positions[0], log_ratios[0] - half_square(positions[0]),
            moved[0].gradient_norm, moved[0].accept_prob,
            (tuple(positions), moves + 1, swapped + tf.stack(rates),
             tried + tf.stack(counts)))


def swap_rates(state: State) -> tf.Tensor:
    """Rate of accepted swaps between neighbours, float [R - 1], of a state of
    `Tempering`."""
    return state.memory[2] / state.memory[3]


def _where(chains, new, old):
    return tf.nest.map_structure(lambda a, b: tf.where(tf.reshape(
        chains, [-1] + [1] * (a.shape.rank - 1)), a, b), new, old)
