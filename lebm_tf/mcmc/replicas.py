"""Communication between the replicas of a step.

Under a distribution strategy, every replica runs the same step on its own rows
of the batch. Otherwise there is one replica, and nothing here adds an
operation.
"""

import tensorflow as tf


def count() -> int:
    """Number of replicas that run this step."""
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context else 1


def gather(rows: tf.Tensor) -> tf.Tensor:
    """Concatenates the rows of all replicas, in their order.

    Args:
        rows: Tensor [rows, ...], with equally many rows on every replica.

    Returns:
        [replicas * rows, ...], the same on every replica.
    """
    if count() == 1:
        return rows
    return tf.distribute.get_replica_context().all_gather(rows, axis=0)


def total(tensors: list) -> list:
    """Sums each tensor over all replicas; None stays None."""
    present = [tensor for tensor in tensors if tensor is not None]
    if count() == 1 or not present:
        return tensors
    sums = iter(tf.distribute.get_replica_context().all_reduce(
        tf.distribute.ReduceOp.SUM, present))
    return [None if tensor is None else next(sums) for tensor in tensors]
