"""The compiled training step, on one or several devices.

Keras's version fails with several steps per call on two replicas, and with
logged scalars on two workers (keras issue 20585).
"""

from typing import Callable, Iterable

import keras
import tensorflow as tf

Logs = dict[str, tf.Tensor]


class Counter(keras.Variable):
    """An int64 step counter, equal on all replicas."""

    def __init__(self, name: str):
        super().__init__("zeros", (), "int64", trainable=False, name=name,
                         aggregation="only_first_replica")

    def __int__(self):
        return int(self.numpy())  # Keras's version fails under a strategy.


def train_function(train_step: Callable, strategy: tf.distribute.Strategy,
                   num_steps: int = 1) -> Callable:
    """Returns iterator -> logs, for `keras.Model.make_train_function`.

    Every replica runs `train_step` on its rows. Logs are averaged over replicas
    and over the steps of a call.

    Args:
        train_step: Batch -> logs, scalars.
        strategy: The distribution strategy.
        num_steps: Steps per call, at least 1. At the end of the data, the
            function raises OutOfRangeError without a partial update.
    """
    def whole_step(batch) -> Logs:
        # Operations that do not use the batch, such as a counter, would
        # otherwise run at the end of the data as well.
        with tf.control_dependencies(tf.nest.flatten(batch)):
            return train_step(batch)

    @tf.function(autograph=False)
    def step(batch) -> Logs:
        return _averaged(whole_step, strategy, batch)

    @tf.function(autograph=False)
    def steps(iterator) -> Logs:
        def body(k, totals):
            logs = step(iterator.get_next())
            return k + 1, {name: total + logs[name]
                           for name, total in totals.items()}

        totals = step(iterator.get_next())
        if num_steps == 1:
            return totals
        _, totals = tf.while_loop(
            lambda k, _: k < num_steps, body, (1, totals),
            parallel_iterations=1, maximum_iterations=num_steps - 1)
        return {name: total / num_steps for name, total in totals.items()}
    return steps


def assign(pairs: list) -> None:
    """Assigns variables within a step, on one or several replicas.

    Args:
        pairs: List of (Keras variable, value), equal on all replicas.
    """
    if not pairs:
        return

    def update(strategy, values):
        for (variable, _), value in zip(pairs, values):
            strategy.extended.update(
                variable.value, lambda kept, new: kept.assign(new),
                args=(value,), group=False)
    tf.distribute.get_replica_context().merge_call(
        update, args=([value for _, value in pairs],))


def renew(layers: Iterable[keras.layers.Layer]) -> None:
    """Updates the non-trainable state of layers and their sublayers.

    It applies to layers with a method `renewals() -> [(variable, value)]`, such
    as `networks.SpectralLayer`; values must be equal on all replicas.
    """
    found = {id(inner): inner for layer in layers
             for inner in layer._flatten_layers()
             if hasattr(inner, "renewals")}
    assign([pair for layer in found.values() for pair in layer.renewals()])


def broadcast(variables: list, strategy: tf.distribute.Strategy) -> None:
    """Copies the values of variables on the first worker to all workers.

    Only the chief reads checkpoints, so workers need no shared disk.

    Args:
        variables: Keras variables made under `strategy`, in the same order on
            all workers.
        strategy: Strategy of the variables.
    """
    # TensorFlow packs the values of a message into one vector of one dtype.
    for dtype in sorted({variable.dtype for variable in variables}):
        same = [v for v in variables if v.dtype == dtype]
        values = _first([tf.convert_to_tensor(v) for v in same], strategy)
        for variable, value in zip(same, values):
            with strategy.scope():
                variable.assign(value)


def agreed(number: int, strategy: tf.distribute.Strategy) -> int:
    """Returns the integer of the first worker on all workers."""
    return int(_first([tf.constant(number, tf.int64)], strategy)[0])


def _first(values: list, strategy) -> list:
    """Values of replica 0; all have one dtype."""
    @tf.function(autograph=False)
    def sums(*values):
        def replica():
            context = tf.distribute.get_replica_context()
            first = tf.equal(context.replica_id_in_sync_group, 0)
            return context.all_reduce(tf.distribute.ReduceOp.SUM, [
                tf.where(first, value, tf.zeros_like(value))
                for value in values])
        return strategy.run(replica)
    return [strategy.experimental_local_results(value)[0]
            for value in sums(*values)]


def _averaged(train_step, strategy, batch) -> Logs:
    if strategy.num_replicas_in_sync == 1:
        return strategy.run(train_step, (batch,))
    names: list[str] = []

    def stacked(batch):
        logs = train_step(batch)
        names[:] = logs
        # One vector: one message instead of one per value.
        return tf.stack([tf.cast(value, tf.float32)
                         for value in logs.values()])
    means = strategy.reduce("MEAN", strategy.run(stacked, (batch,)), axis=None)
    return dict(zip(names, tf.unstack(means, len(names))))
