"""The stream of training batches: stateless, so training can resume at any
step."""

import numpy as np
import tensorflow as tf

from lebm_tf.datasets.contract import DataSet
from lebm_tf.datasets.images.pair_batches import pair_batches
from lebm_tf.datasets.images.pairs import is_pair
from lebm_tf.datasets.stored import Stored, reader
from lebm_tf.datasets.trajectories.batches import group_batches, packing_of
from lebm_tf.datasets.trajectories.data import is_trajectories
from lebm_tf.errors import InputError
from lebm_tf.kinds import SEQUENCE
from lebm_tf.mcmc import rng
from lebm_tf.token_ids import PAD


def steps_per_epoch(data: DataSet, batch_size: int,
                    length_pool: int = 1) -> int:
    """Number of batches per epoch; remaining rows are dropped.

    Raises:
        InputError: Unless 1 <= batch_size <= number of training examples, or if
            `length_pool` > 1 for data other than sequences.
    """
    _check_pool(data, length_pool)
    if is_trajectories(data):
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
    """Returns an endless stream of training batches.

    The order of rows is a pure function of (seed, epoch), and batch n depends
    on n alone. A run that stopped after `start_step` batches, even within an
    epoch, therefore resumes directly. With several replicas the batch is split
    into equal consecutive pieces, so all workers together read the same batch
    as one.

    Args:
        data: Any data set; for trajectories, see `group_batches`.
        batch_size: Rows per batch, from 1 to the number of training examples.
        seed: Any int64.
        start_step: Number of batches to skip, at least 0.
        context: Index of this worker, as passed by a strategy's
            `distribute_datasets_from_function`.
        length_pool: Number of batches >= 1 that are drawn together and sorted
            by sequence length before they are split.

    Returns:
        Endless tf.data.Dataset of dicts: "x", float32 [rows, height, width,
        channels] in [-1, 1], or int32 [rows, longest], where longest is that of
        the whole batch; "index", int64 [rows], the rows in `data.x_train`, each
        at most once per epoch. With labels also "y", int64 [rows]; with numbers
        "attribute", float32 [rows]; after `label_split` instead "labelled_x"
        and "labelled_y" of other rows. For two domains "x" is {"a": ..., "b":
        ...}. There is one element per replica of this worker in turn, with
        batch_size / replicas rows.

    Raises:
        InputError: If `batch_size` is out of range or not a multiple of the
            replicas, or `length_pool` > 1 for data other than sequences.
        ValueError: If `start_step` is negative.
    """
    num_replicas = context.num_replicas_in_sync
    if start_step < 0:
        raise ValueError(f"start_step must be >= 0, got {start_step}.")
    _check_pool(data, length_pool)
    if is_trajectories(data):
        if num_replicas > 1:
            raise InputError("trajectories need one replica, because a batch "
                             f"of groups cannot be split, got {num_replicas}.")
        return group_batches(data, batch_size, seed, start_step)
    num_steps = steps_per_epoch(data, batch_size)
    if is_pair(data):
        return pair_batches(data, batch_size, seed, start_step, context)
    if batch_size % num_replicas:
        raise InputError(f"batch_size must be a multiple of the {num_replicas}"
                         f" replicas, got {batch_size}.")
    num_rows = batch_size // num_replicas
    num_local = num_replicas // context.num_input_pipelines
    first_replica = context.input_pipeline_id * num_local
    examples = reader(data.x_train)
    # Captured as inputs, so that the graph holds no constants.
    with tf.device("CPU"):
        labels = data.y_train
        if labels is not None:
            labels = tf.convert_to_tensor(labels)
        values = data.attributes_train
        if values is not None:
            values = tf.convert_to_tensor(values)
        lengths = tf.convert_to_tensor(_lengths(
            data.x_train)) if data.kind == SEQUENCE else None

    labelled = None
    if data.labelled is not None:
        labelled = _labelled_rows(data, seed, num_replicas)

    def batch_rows(step, epoch):
        if length_pool == 1:
            return permuted(step * batch_size + tf.range(
                batch_size, dtype=tf.int64), len(data.x_train), seed, epoch)
        return pooled_rows(step, num_steps, length_pool, lengths, batch_size,
                           seed, epoch)

    def piece(number):
        step, replica = number // num_local, number % num_local + first_replica
        whole = batch_rows(step % num_steps, step // num_steps)
        index = tf.ensure_shape(
            whole[replica * num_rows:][:num_rows], [num_rows])
        # Normalized after the gather: a quarter of the memory traffic.
        x = data.to_model(examples(index))
        if lengths is not None:  # Equal on all replicas, like the noise.
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


def _lengths(x):
    """Lengths of sequences, int64 [num]."""
    if isinstance(x, Stored):
        return x.lengths.astype(np.int64)
    return np.count_nonzero(x != PAD, axis=1)


def _check_pool(data, length_pool):
    if length_pool > 1 and data.kind != SEQUENCE:
        raise InputError("length_pool must be 1 for data other than sequences, "
                         f"got {length_pool}.")


def _labelled_rows(data, seed: int, num_replicas: int):
    """Returns (step, replica) -> "labelled_x" and "labelled_y" of a batch.

    Labelled examples have their own epochs.
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
    """Rows of a batch with similar lengths, int64 [batch_size].

    The rows of `length_pool` batches are sorted by length and split into
    batches, in random order. An epoch contains each row once, as without
    pooling; its last pool may be smaller.

    Args:
        step: Index of the batch in its epoch, int64 scalar.
        num_steps: Batches per epoch.
        length_pool: Batches per pool, >= 1.
        lengths: Lengths of all rows, [rows].
        batch_size: Rows per batch.
        seed: Any int64.
        epoch: Index of the epoch, int64 scalar.
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
    """Rows at the given positions in the order of an epoch.

    Args:
        positions: int64 [batch], from 0 to num_rows - 1.
        num_rows: Length of the permutation.
        seed: Any int64.
        epoch: Index of the epoch, int64 scalar.

    Returns:
        int64 [batch], from 0 to num_rows - 1; a permutation of all rows if
        `positions` are all positions.
    """
    order = rng.fold_in(rng.stream(rng.make_seed(seed), "data"), epoch)
    return rng.permutation(positions, order, num_rows)
