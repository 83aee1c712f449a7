"""Persistent chains: every run starts where an earlier one stopped."""

from typing import Any

import keras
import tensorflow as tf

from lebm_tf.mcmc import replicas, rng
from lebm_tf.samplers.draws import Draws


class ChainBank(keras.layers.Layer):
    """An initializer that stores chains in checkpointed variables.

    With one chain per example (`by_example`) it holds the posterior chains of
    alternating back-propagation (Han et al. 2017, arXiv:1606.08571), and the
    batch must have "index", int64 [batch], the rows of the examples. Otherwise
    it holds the prior chains of persistent contrastive divergence, and each
    batch takes `num_chains` of them, selected by its seed.

    As a queue it is the memory of lbebm_sdd.py of Pang et al. 2021,
    arXiv:2104.03086: chains start at draws of the base until it is full, then
    at random states of it; their ends overwrite the oldest states.

    Args:
        base: Density of new chains.
        size: Number of chains, at least 1.
        seed: Seed of the initial chains.
        by_example: Whether chain i belongs to training example i.
        restart_prob: Probability in [0, 1] that a chain restarts.
        is_queue: Whether chains replace the oldest ones, and not those that
            they started from.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, base: keras.Model, size: int, seed: int = 0, *,
                 by_example: bool = False, restart_prob: float = 0.0,
                 is_queue: bool = False, **kwargs):
        super().__init__(trainable=False, **kwargs)
        if size < 1:
            raise ValueError(f"size must be >= 1, got {size}.")
        if not 0 <= restart_prob <= 1:
            raise ValueError(
                f"restart_prob must lie in [0, 1], got {restart_prob}.")
        self.base, self.size, self.by_example = base, size, by_example
        if by_example and is_queue:
            raise ValueError("is_queue must be off with by_example, got both.")
        self.restart_prob = restart_prob
        first = base.sample(size, rng.stream(rng.make_seed(seed), "bank"))
        self.positions = [
            self.add_weight(name=f"position_{i}", shape=leaf.shape,
                            dtype=leaf.dtype, initializer="zeros",
                            trainable=False,
                            aggregation="only_first_replica")
            for i, leaf in enumerate(tf.nest.flatten(first))]
        for variable, leaf in zip(self.positions, tf.nest.flatten(first)):
            variable.assign(leaf)
        self.written: Any = self.add_weight(
            name="written", shape=(), dtype="int64", initializer="zeros",
            trainable=False, aggregation="only_first_replica") if (
                is_queue) else None
        self.structure = tf.nest.map_structure(lambda _: 0, first)
        self.built = True

    def rows(self, num_chains, draws: Draws, seed: rng.Seed) -> tf.Tensor:
        """Rows of the bank that a batch uses, int64 [num_chains]."""
        if self.by_example:
            return draws.batch["index"]
        if isinstance(num_chains, int) and num_chains > self.size:
            raise ValueError("the bank must have at least as many chains as a "
                             f"batch, {num_chains}, got size {self.size}.")
        return rng.permutation(rng.row_index(num_chains),
                               rng.stream(seed, "rows"), self.size)

    def start(self, num_chains, draws, seed):
        rows = self.rows(num_chains, draws, seed)
        kept = [tf.gather(v.value, rows) for v in self.positions]
        if self.restart_prob > 0 or self.written is not None:
            fresh = tf.nest.flatten(
                self.base.sample(num_chains, rng.stream(seed, "fresh")))
            anew = rng.uniform([num_chains], rng.stream(seed, "restart")
                               ) < self.restart_prob
            if self.written is not None:
                anew |= self.written.value < self.size
            kept = [tf.where(tf.reshape(
                anew, [-1] + [1] * (old.shape.rank - 1)), new, old)
                for old, new in zip(kept, fresh)]
        return tf.nest.pack_sequence_as(self.structure, kept)

    def update(self, draws, position, seed):
        leaves = tf.nest.flatten(position)
        # Every replica holds the whole bank, so all are updated.
        ends = [replicas.gather(leaf) for leaf in leaves]
        rows = self._oldest(tf.shape(ends[0], tf.int64)[0]) if (
            self.written is not None) else replicas.gather(
                self.rows(tf.shape(leaves[0])[0], draws, seed))
        for variable, leaf in zip(self.positions, ends):
            variable.value.scatter_update(tf.IndexedSlices(leaf, rows))

    def _oldest(self, count):
        """Rows of the `count` oldest chains, int64 [count]."""
        first = self.written.value.read_value()
        self.written.value.assign(first + count)
        return (first + tf.range(count)) % self.size
