"""Training batches of whole groups of agents, padded and never split."""

import dataclasses
import heapq

import numpy as np
import tensorflow as tf

from lebm_tf.datasets.trajectories.data import (
    Tracks, TrajectoryData, concatenate)
from lebm_tf.datasets.trajectories.transforms import (
    normalised, reversed_in_time)
from lebm_tf.errors import InputError
from lebm_tf.mcmc import rng


@dataclasses.dataclass(frozen=True, eq=False)
class Packing:
    """Places of groups in the batches of an epoch.

    Which sizes share a batch is the same in every epoch; which group takes
    which place of its size changes. The number of batches therefore does not
    depend on the epoch, and any batch can be built alone.

    Attributes:
        place: int64 [num_batches, batch_size]: index of the place of each row,
            by decreasing size; -1 for padding.
        member: int64, same shape: index of the agent within its group.
        first: First place of the same size, int64 [places].
        count: Number of places of the same size, int64 [places].
        rows: Rows of the data by decreasing group size, int64 [N].
        start: Where each group, in the order of places, starts in `rows`, int64
            [places].
    """
    place: np.ndarray
    member: np.ndarray
    first: np.ndarray
    count: np.ndarray
    rows: np.ndarray
    start: np.ndarray

    @property
    def num_batches(self) -> int:
        """Batches per epoch."""
        return len(self.place)


def pack(group: np.ndarray, batch_size: int) -> Packing:
    """Distributes groups evenly over as few batches as possible.

    Groups are placed by decreasing size, each into the batch with most room; if
    one does not fit, a batch is added.

    Args:
        group: Group index of each agent, int64 [N].
        batch_size: Rows per batch, at least the size of the largest group.
    """
    _, number, sizes = np.unique(
        group, return_inverse=True, return_counts=True)
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    sizes = sizes[order]
    num_batches = -(-len(group) // batch_size)
    while (found := _spread(sizes, num_batches, batch_size)) is None:
        num_batches += 1
    place = np.full([num_batches, batch_size], -1, np.int64)
    member = np.zeros([num_batches, batch_size], np.int64)
    for i, (batch, begin) in enumerate(zip(*found)):
        place[batch, begin:begin + sizes[i]] = i
        member[batch, begin:begin + sizes[i]] = np.arange(sizes[i])
    _, first, same, count = np.unique(
        -sizes, return_index=True, return_inverse=True, return_counts=True)
    return Packing(place, member, first[same], count[same],
                   np.argsort(rank[number], kind="stable"),
                   np.cumsum(sizes) - sizes)


def packing_of(data: TrajectoryData, batch_size: int) -> Packing:
    """The batches of the training part.

    Raises:
        InputError: If a group is larger than a batch.
    """
    group = data.group_train
    largest = int(np.bincount(group).max())
    num_rows = len(group) * (1 + data.time_reversed)
    if not largest <= batch_size <= num_rows:
        raise InputError(
            f"batch_size must be from {largest}, the largest group, to "
            f"{num_rows}, the training paths of {data.name}, got "
            f"{batch_size}.")
    if data.time_reversed:
        group = np.concatenate([group, group + group.max() + 1])
    return pack(group, batch_size)


def group_batches(data: TrajectoryData, batch_size: int, seed: int,
                  start_step: int = 0) -> tf.data.Dataset:
    """Returns an endless stream of training batches of whole groups.

    Every path is in one batch of an epoch. Batch n depends on the seed and n
    alone, so training can resume at any step.

    Args:
        data: Trajectories; `time_reversed` and `rotated` add augmentation.
        batch_size: Rows per batch, at least the size of the largest group.
        seed: Any int64.
        start_step: Number of batches to skip, at least 0.

    Returns:
        Endless tf.data.Dataset of dicts: "x", futures, float32 [batch_size,
        future_length, 2], and "given": "past", float32 [batch_size,
        past_length, 2], both relative to the last observed position in model
        units, and "group", int64 [batch_size], -1 in padding rows; "mask",
        float32 [batch_size], 0 in padding rows and else 1; "index", int64
        [batch_size], rows of the data, with reversed paths after all others.

    Raises:
        InputError: If `batch_size` is out of range.
    """
    packing = packing_of(data, batch_size)
    tracks = data.train
    if data.time_reversed:
        past, future = reversed_in_time(tracks.past, tracks.future)
        tracks = concatenate([
            tracks, tracks._replace(past=past, future=future)])
    # Captured as inputs, so that the graph holds no constants.
    with tf.device("CPU"):
        table = Packing(*map(tf.constant, dataclasses.astuple(packing)))
        columns = _columns(tracks, data.scale)
    num_batches = packing.num_batches

    def batch(step):
        order = rng.stream(rng.make_seed(seed), "data")
        epoch = rng.fold_in(order, step // num_batches)
        number = rng.permutation(
            step % num_batches, rng.stream(epoch, "batch"), num_batches)
        place = table.place[number]
        filled = place >= 0
        known = tf.maximum(place, 0)
        first = tf.gather(table.first, known)
        group = first + rng.permutation(
            known - first, rng.stream(epoch, "group"),
            tf.gather(table.count, known))
        index = tf.gather(table.rows, tf.gather(table.start, group)
                          + table.member[number])
        past, x = (tf.gather(values, index) for values in columns)
        if data.rotated:
            angles = 2.0 * np.pi * rng.uniform(
                [tf.size(table.first)], rng.stream(epoch, "angle"))
            past, x = (_turned(values, tf.gather(angles, known))
                       for values in (past, x))
        mask = tf.cast(filled, tf.float32)
        return {"x": x * mask[:, None, None],
                "given": {"past": past * mask[:, None, None],
                          "group": place},
                "mask": mask, "index": index}

    return tf.data.Dataset.counter(start_step).map(
        batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    ).prefetch(tf.data.AUTOTUNE)


def _columns(tracks: Tracks, scale: float) -> list[tf.Tensor]:
    """Pasts and futures in model units."""
    return [tf.constant(normalised(positions, tracks.past, scale), tf.float32)
            for positions in (tracks.past, tracks.future)]


def _turned(positions, angle):
    """Positions [rows, length, 2] rotated by angles [rows] in radians."""
    cosine, sine = tf.cos(angle)[:, None], tf.sin(angle)[:, None]
    x, y = positions[..., 0], positions[..., 1]
    return tf.stack([cosine * x - sine * y, sine * x + cosine * y], -1)


def _spread(sizes, num_batches, batch_size):
    """(batch, first row) of each group, or None if they do not fit."""
    room = [(0, batch) for batch in range(num_batches)]
    batches, begins = [], []
    for size in sizes.tolist():
        load, batch = heapq.heappop(room)
        if load + size > batch_size:
            return None
        batches.append(batch)
        begins.append(load)
        heapq.heappush(room, (load + size, batch))
    return batches, begins
