"""The stream of training batches: stateless, so it resumes at any step."""

import numpy as np
import tensorflow as tf

from lebm_tf.datasets.contract import DataSet
from lebm_tf.datasets.images.pair_batches import pair_batches
from lebm_tf.datasets.sequences.vocabulary import PAD
from lebm_tf.datasets.trajectories.batches import group_batches, packing_of
from lebm_tf.errors import InputError
from lebm_tf.kinds import PAIR, SEQUENCE, TRAJECTORY
from lebm_tf.mcmc import rng


def steps_per_epoch(data: DataSet, batch_size: int,
                    length_pool: int = 1) -> int:
    """Number of batches in an epoch; the remainder of the rows is dropped.

    Raises:
        InputError: If not 1 <= batch_size <= number of training examples, or
            if there is a pool of what has no length.
    """
    _check_pool(data, length_pool)
    if data.kind == TRAJECTORY:
        return packing_of(data, batch_size).num_batches
    num_rows = len(data.x_train)
    if not 1 <= batch_size <= num_rows:
        raise InputError(
            f"batch_size must be from 1 to {num_rows}, the number of training "
            f"examples of {data.name}, got {batch_size}.")
    return num_rows // batch_size


def train_batches(
        data: DataSet, batch_size: int, seed: int,
        start_step: int = 0, context: tf.distribute.InputContext =
        tf.distribute.InputContext(), length_pool: int = 1
) -> tf.data.Dataset:
    """Streams training batches without end.

    The order of the rows is a pure function of (seed, epoch), and batch number
    n of the stream depends on n alone: a run that stopped after `start_step`
    batches, also in the middle of an epoch, goes on from there at once. With
    several replicas the batch is cut into equal pieces in their order, so all
    workers together read what one would.

    Args:
        data: Any data set; the batches of trajectories are those of
            `group_batches`.
        batch_size: Rows a batch, from 1 to the number of training examples.
        seed: Any int64.
        start_step: Number of batches to leave out, at least 0.
        context: Which worker of how many this is, as a strategy's
            `distribute_datasets_from_function` gives it.
        length_pool: Batches >= 1 whose sequences are drawn together, and
            sorted by length before they are cut into batches.

    Returns:
        Endless data set of dicts: "x", float32 [rows, height, width,
        channels] in [-1, 1] or int32 [rows, longest], cut where the longest
        sequence of the whole batch ends; "index" int64 [rows], the rows in
        `data.x_train`, each at most once an epoch; if there are labels, "y"
        int64 [rows], or numbers, "attribute" float32 [rows]; if few labels are
        known (`label_split`), none of that but "labelled_x" and "labelled_y"
        of other rows; of two domains "x" is {"a": ..., "b": ...}. One element
        for each replica of this worker in turn, of rows = batch_size /
        replicas.

    Raises:
        InputError: If `batch_size` is out of its range, or no multiple of
            the replicas, or there is a pool of what has no length.
        ValueError: If `start_step` is negative.
    """
    num_replicas = context.num_replicas_in_sync
    if start_step < 0:
        raise ValueError(f"start_step must be >= 0, got {start_step}.")
    _check_pool(data, length_pool)
    if data.kind == TRAJECTORY:
        if num_replicas > 1:
            raise InputError("trajectories need one replica, as a batch of "
                             f"groups is not cut, got {num_replicas}.")
        return group_batches(data, batch_size, seed, start_step)
    num_steps = steps_per_epoch(data, batch_size)
    if data.kind == PAIR:
        return pair_batches(data, batch_size, seed, start_step, context)
    if batch_size % num_replicas:
        raise InputError(f"batch_size must be a multiple of the {num_replicas}"
                         f" replicas, got {batch_size}.")
    num_rows = batch_size // num_replicas
    num_local = num_replicas // context.num_input_pipelines
    first_replica = context.input_pipeline_id * num_local
    # Captured as inputs, not written into the graph as constants.
    with tf.device("CPU"):
        examples = tf.convert_to_tensor(data.x_train)
        labels = data.y_train
        if labels is not None:
            labels = tf.convert_to_tensor(labels)
        values = data.attributes_train
        if values is not None:
            values = tf.convert_to_tensor(values)
        lengths = tf.convert_to_tensor(np.count_nonzero(
            data.x_train != PAD, axis=1)) if data.kind == SEQUENCE else None

    labelled = None
    if data.labelled is not None:
        labelled = _labelled_rows(data, seed, num_replicas)

    def batch_rows(step, epoch):
        if length_pool == 1:
            return permuted(step * batch_size + tf.range(
                batch_size, dtype=tf.int64), len(examples), seed, epoch)
        return pooled_rows(step, num_steps, length_pool, lengths, batch_size,
                           seed, epoch)

    def piece(number):
        step, replica = number // num_local, number % num_local + first_replica
        whole = batch_rows(step % num_steps, step // num_steps)
        index = tf.ensure_shape(
            whole[replica * num_rows:][:num_rows], [num_rows])
        # Gathered as uint8, normalised after: a quarter of the memory moved.
        x = data.to_model(tf.gather(examples, index))
        if lengths is not None:  # The same for all replicas, as noise has it.
            x = x[:, :tf.reduce_max(tf.gather(lengths, whole))]
        columns = {"x": x, "index": index}
        if labels is not None:
            columns["y"] = tf.gather(labels, index)
        if values is not None:
            columns["attribute"] = tf.gather(values, index)
        if labelled is not None:
            columns.update(labelled(step, replica))
        return columns

    pieces = tf.data.Dataset.counter(start_step * num_local)
    return pieces.map(piece, num_parallel_calls=tf.data.AUTOTUNE,
                      deterministic=True).prefetch(tf.data.AUTOTUNE)


def _check_pool(data, length_pool):
    if length_pool > 1 and data.kind != SEQUENCE:
        raise InputError("length_pool must be 1 for data that are no "
                         f"sequences, got {length_pool}.")


def _labelled_rows(data, seed: int, num_replicas: int):
    """(step, replica) -> "labelled_x" and "labelled_y" of that batch.

    The labelled examples come in epochs of their own.
    """
    size = data.labelled.batch_size
    if size % num_replicas:
        raise InputError("the labelled examples of a batch must be a multiple "
                         f"of the {num_replicas} replicas, got {size}.")
    num_rows, total = size // num_replicas, len(data.labelled.y)
    with tf.device("CPU"):
        x, y = map(tf.convert_to_tensor, (data.labelled.x, data.labelled.y))

    def rows(step, replica):
        epoch, step = step // (total // size), step % (total // size)
        order = rng.fold_in(rng.stream(rng.make_seed(seed), "labelled"), epoch)
        index = rng.permutation(
            step * size + replica * num_rows
            + tf.range(num_rows, dtype=tf.int64), order, total)
        return {"labelled_x": data.to_model(tf.gather(x, index)),
                "labelled_y": tf.gather(y, index)}
    return rows


def pooled_rows(step: tf.Tensor, num_steps: int, length_pool: int,
                lengths: tf.Tensor, batch_size: int, seed: int,
                epoch: tf.Tensor) -> tf.Tensor:
    """Rows of a batch that are about as long, int64 [batch_size].

    Of `length_pool` batches at a time, the rows are sorted by length and cut
    into batches, whose order is random again; an epoch has each row once, as
    without. The last pool of an epoch has what is left.

    Args:
        step: Number of the batch in its epoch, int64 scalar.
        num_steps: Batches of an epoch.
        length_pool: Batches >= 1 of a pool.
        lengths: Of all rows, [rows].
        batch_size: Rows of a batch.
        seed: Any int64.
        epoch: Number of the epoch, int64 scalar.
    """
    first = step // length_pool * length_pool
    size = tf.minimum(num_steps - first, length_pool)
    rows = permuted(tf.range(first * batch_size, (first + size) * batch_size),
                    len(lengths), seed, epoch)
    order = rng.stream(rng.make_seed(seed), "length_pool")
    for number in (epoch, first):
        order = rng.fold_in(order, number)
    place = rng.permutation(step - first, order, size) * batch_size
    rows = tf.gather(rows, tf.argsort(tf.gather(lengths, rows), stable=True))
    return tf.ensure_shape(rows[place:place + batch_size], [batch_size])


def permuted(positions: tf.Tensor, num_rows: int, seed: int,
             epoch: tf.Tensor) -> tf.Tensor:
    """Rows that stand at `positions` in the order of an epoch.

    Args:
        positions: int64 [batch], from 0 to num_rows - 1.
        num_rows: Length of the permutation.
        seed: Any int64.
        epoch: Number of the epoch, int64 scalar.

    Returns:
        int64 [batch], from 0 to num_rows - 1; a permutation of all rows when
        `positions` are all positions.
    """
    order = rng.fold_in(rng.stream(rng.make_seed(seed), "data"), epoch)
    return rng.permutation(positions, order, num_rows)
