"""What a kernel is: two pure functions on a target given at every call."""

import math
from typing import Any, Callable, NamedTuple, Protocol

import tensorflow as tf

from lebm_tf.mcmc.rng import Seed

Position = Any  # A nest of tensors, each [chains, ...].
# A number or tensor [], one for each chain, [chains], or a nest of these as
# the position is one: a scale for each layer of latents, say.
StepSize = Any
LogProbFn = Callable[[Position], tf.Tensor]  # Position -> [chains], in nats.


class State(NamedTuple):
    """Where the chains are, with what the kernel learned at its last look.

    Attributes:
        position: Nest of tensors [chains, ...].
        log_prob: Target at the last evaluation, float [chains], in nats. For
            the unadjusted Langevin kernel that is one move before `position`:
            evaluating once more would cost a gradient that nothing uses.
        gradient_norm: Euclidean norm of its gradient there, float [chains].
        accept_prob: Probability of accepting the last move, float [chains];
            1 where a kernel has no accept step.
        memory: What else the kernel carries; its own affair.
    """
    position: Position
    log_prob: tf.Tensor
    gradient_norm: tf.Tensor
    accept_prob: tf.Tensor
    memory: Any = ()


class Kernel(Protocol):
    """One Markov transition of many independent chains.

    Attributes:
        is_calibrated: Whether the target is the kernel's exact stationary
            distribution. Likelihood estimates refuse kernels where it is not.
        is_rowwise: Whether a part of the chains moves as it does among all,
            and `State` holds nothing but numbers of each. One that takes no
            noise then takes a seed for every chain, int32 [chains, 2].
        takes_noise: Whether its noise can be given, so that every chain may
            have a seed of its own.
        num_adaptation_steps: First moves that tune the step size; 0 if none.
        step_size: Of calls that give none.
    """
    is_calibrated: bool
    is_rowwise: bool
    takes_noise: bool
    num_adaptation_steps: int
    step_size: StepSize

    def init(self, log_prob_fn: LogProbFn, position: Position,
             step_size: StepSize | None = None) -> State:
        """The state before the first move."""

    def step(self, log_prob_fn: LogProbFn, state: State, seed: Seed,
             noise: Position | None = None,
             step_size: StepSize | None = None) -> State:
        """Moves every chain once; equal seeds give equal moves."""


def check_step_size(step_size: StepSize) -> None:
    """Raises ValueError unless all numbers of a step size are in range."""
    for number in tf.nest.flatten(step_size):
        if tf.is_tensor(number):
            continue
        if not number > 0:
            raise ValueError(f"step_size must be > 0, got {number}.")
        if math.isinf(number):
            raise ValueError("step_size must be finite, got inf.")


def like_leaves(step_size: StepSize, position: Position) -> list:
    """A step size for every leaf of a position, shaped to be multiplied.

    Python numbers stay what they are; those of each chain get the axes of the
    leaf.

    Raises:
        ValueError: If it is a nest of another structure.
    """
    leaves = tf.nest.flatten(position)
    sizes = [step_size] * len(leaves)
    if tf.nest.is_nested(step_size):
        sizes = tf.nest.flatten(step_size)
        if len(sizes) != len(leaves):
            raise ValueError(
                f"step_size must be one, or one for each of {len(leaves)} "
                f"parts of the position, got {len(sizes)}.")
    return [tf.reshape(size, [-1] + [1] * (leaf.shape.rank - 1))
            if tf.is_tensor(size) and size.shape.rank == 1 else size
            for size, leaf in zip(sizes, leaves)]


def value_and_gradient(log_prob_fn: LogProbFn, position: Position
                       ) -> tuple[tf.Tensor, Position]:
    """The target, [chains], and its gradient with respect to `position`.

    Chains do not interact, so the gradient of the sum over chains holds the
    gradient of each. Parameters are not watched: a chain needs none of their
    gradients.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(position)
        log_prob = log_prob_fn(position)
    return log_prob, tape.gradient(
        log_prob, position, unconnected_gradients="zero")


def initial_state(position: Position) -> State:
    """A state that knows its position only; nothing was evaluated."""
    zeros = tf.zeros([num_chains(position)],
                     tf.nest.flatten(position)[0].dtype)
    return State(position, zeros, zeros, tf.ones_like(zeros))


def norm(values: Position) -> tf.Tensor:
    """Euclidean norm over all but the leading axis of a nest, [chains]."""
    squares = [tf.reduce_sum(tf.square(leaf), list(range(1, leaf.shape.rank)))
               for leaf in tf.nest.flatten(values)]
    return tf.sqrt(tf.add_n(squares))


def num_chains(position: Position) -> tf.Tensor:
    """Length of the leading axis, int32 []."""
    leaf = tf.nest.flatten(position)[0]
    return leaf.shape[0] if leaf.shape[0] is not None else tf.shape(leaf)[0]
