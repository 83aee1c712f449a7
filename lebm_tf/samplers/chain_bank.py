"""Persistent chains: every run starts where an earlier one stopped."""

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

    Args:
        base: Density of new chains.
        size: Number of chains, at least 1.
        seed: Seed of the initial chains.
        by_example: Whether chain i belongs to training example i.
        restart_prob: Probability in [0, 1] that a chain restarts.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, base: keras.Model, size: int, seed: int = 0, *,
                 by_example: bool = False, restart_prob: float = 0.0,
                 **kwargs):
        super().__init__(trainable=False, **kwargs)
        if size < 1:
            raise ValueError(f"size must be >= 1, got {size}.")
        if not 0 <= restart_prob <= 1:
            raise ValueError(
                f"restart_prob must lie in [0, 1], got {restart_prob}.")
        self.base, self.size, self.by_example = base, size, by_example
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
        if self.restart_prob > 0:
            fresh = tf.nest.flatten(
                self.base.sample(num_chains, rng.stream(seed, "fresh")))
            anew = rng.uniform([num_chains], rng.stream(seed, "restart")
                               ) < self.restart_prob
            kept = [tf.where(tf.reshape(
                anew, [-1] + [1] * (old.shape.rank - 1)), new, old)
                for old, new in zip(kept, fresh)]
        return tf.nest.pack_sequence_as(self.structure, kept)

    def update(self, draws, position, seed):
        leaves = tf.nest.flatten(position)
        # Every replica holds the whole bank, so all are updated.
        rows = replicas.gather(
            self.rows(tf.shape(leaves[0])[0], draws, seed))
        for variable, leaf in zip(self.positions, leaves):
            variable.value.scatter_update(
                tf.IndexedSlices(replicas.gather(leaf), rows))
