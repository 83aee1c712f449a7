"""The kernel interface: two pure functions that take the target at every call.
"""

import math
from typing import Any, Callable, ClassVar, NamedTuple, Protocol

import tensorflow as tf

from lebm_tf.mcmc.rng import Seed

Position = Any  # A nest of tensors, each [chains, ...].
# A number or tensor [], one per chain, [chains], or a nest of these with the
# structure of the position, such as a scale for each layer of latents.
StepSize = Any
LogProbFn = Callable[[Position], tf.Tensor]  # Position -> [chains], in nats.


class State(NamedTuple):
    """State of the chains, with values of the last evaluation.

    Attributes:
        position: Nest of tensors [chains, ...].
        log_prob: Target at the last evaluation, float [chains], in nats. For
            unadjusted Langevin this is one move before `position`, since
            another evaluation would cost an unused gradient.
        gradient_norm: Euclidean norm of its gradient there, float [chains].
        accept_prob: Acceptance probability of the last move, float [chains]; 1
            for a kernel without an accept step.
        memory: Private state of the kernel.
    """
    position: Position
    log_prob: tf.Tensor
    gradient_norm: tf.Tensor
    accept_prob: tf.Tensor
    memory: Any = ()


class Kernel(Protocol):
    """A Markov transition of independent chains: a frozen dataclass."""
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def is_calibrated(self) -> bool:
        """Whether the target is exactly the stationary distribution. Likelihood
        estimates refuse other kernels."""

    @property
    def is_rowwise(self) -> bool:
        """Whether a chain moves independently of the others in a batch, and
        `State` holds only values per chain. If it takes no noise, it then
        accepts a seed per chain, int32 [chains, 2]."""

    @property
    def takes_noise(self) -> bool:
        """Whether noise can be passed to `step`, so that every chain may have
        its own seed."""

    @property
    def num_adaptation_steps(self) -> int:
        """Initial moves that tune the step size; 0 if none."""

    @property
    def step_size(self) -> StepSize:
        """Default step size."""

    def init(self, log_prob_fn: LogProbFn, position: Position,
             step_size: StepSize | None = None) -> State:
        """The state before the first move."""

    def step(self, log_prob_fn: LogProbFn, state: State, seed: Seed,
             noise: Position | None = None,
             step_size: StepSize | None = None) -> State:
        """Moves every chain once; equal seeds give equal moves."""


def check_step_size(step_size: StepSize) -> None:
    """Raises ValueError unless all numbers of a step size are positive and
    finite."""
    for number in tf.nest.flatten(step_size):
        if tf.is_tensor(number):
            continue
        if not number > 0:
            raise ValueError(f"step_size must be > 0, got {number}.")
        if math.isinf(number):
            raise ValueError("step_size must be finite, got inf.")


def like_leaves(step_size: StepSize, position: Position) -> list:
    """A step size for every leaf of a position, shaped for multiplication.

    Python numbers are unchanged; values per chain get the axes of the leaf.

    Raises:
        ValueError: If it is a nest of another structure.
    """
    leaves = tf.nest.flatten(position)
    sizes = [step_size] * len(leaves)
    if tf.nest.is_nested(step_size):
        sizes = tf.nest.flatten(step_size)
        if len(sizes) != len(leaves):
            raise ValueError(
                "step_size must be one value, or one for each of the "
                f"{len(leaves)} parts of the position, got {len(sizes)}.")
    return [tf.reshape(size, [-1] + [1] * (leaf.shape.rank - 1))
            if is_per_chain(size) else size
            for size, leaf in zip(sizes, leaves)]


def is_per_chain(value: Any) -> bool:
    """Whether a value is a tensor with one element per chain, [chains]."""
    return tf.is_tensor(value) and value.shape.rank == 1


def value_and_gradient(log_prob_fn: LogProbFn, position: Position
                       ) -> tuple[tf.Tensor, Position]:
    """The target, [chains], and its gradient with respect to `position`.

    Chains are independent, so the gradient of the sum over chains holds the
    gradient of each. Parameters are not watched, because chains do not need
    their gradients.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(position)
        log_prob = log_prob_fn(position)
    return log_prob, tape.gradient(
        log_prob, position, unconnected_gradients="zero")


def initial_state(position: Position) -> State:
    """A state with a position but no evaluations yet."""
    zeros = tf.zeros([num_chains(position)],
                     tf.nest.flatten(position)[0].dtype)
    return State(position, zeros, zeros, tf.ones_like(zeros))


def norm(values: Position) -> tf.Tensor:
    """Euclidean norm over all but the first axis of a nest, [chains]."""
    squares = [tf.reduce_sum(tf.square(leaf), list(range(1, leaf.shape.rank)))
               for leaf in tf.nest.flatten(values)]
    return tf.sqrt(tf.add_n(squares))


def num_chains(position: Position) -> tf.Tensor:
    """Length of the first axis, int or int32 []."""
    leaf = tf.nest.flatten(position)[0]
    return leaf.shape[0] if leaf.shape[0] is not None else tf.shape(leaf)[0]
