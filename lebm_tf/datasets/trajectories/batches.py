"""Training batches of whole groups of agents, filled up and never cut."""

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
    """Where groups of each size stand in the batches of an epoch.

    Which sizes share a batch is the same in every epoch; which group of a
    size takes which of its places changes. So the number of batches does not
    depend on the epoch, and any batch is made without the others.

    Attributes:
        place: int64 [num_batches, batch_size]: number of the place that a row
            belongs to, by falling size; -1 where the batch is filled up.
        member: int64, same shape: which agent of the group the row is.
        first: First place of those as large, int64 [places].
        count: How many are as large, int64 [places].
        rows: Rows of the data by falling size of their group, int64 [N].
        start: Where a group, counted as places are, begins in `rows`, int64
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
        """Batches of an epoch."""
        return len(self.place)


def pack(group: np.ndarray, batch_size: int) -> Packing:
    """Spreads groups over as few batches as hold them, evenly.

    The largest first, each into the batch with most room; if one does not
    fit, a batch is added.

    Args:
        group: Number of each agent's group, int64 [N].
        batch_size: Rows of a batch, at least those of the largest group.
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
    """Streams training batches of whole groups without end.

    Every path is in one batch of an epoch. Batch n depends on the seed and n
    alone, so that a run goes on at any step.

    Args:
        data: Trajectories; `time_reversed` and `rotated` say what is done to
            them besides.
        batch_size: Rows of a batch, from the largest group on.
        seed: Any int64.
        start_step: Number of batches to leave out, at least 0.

    Returns:
        Endless data set of dicts: "x", futures, float32 [batch_size,
        future_length, 2], and "given": "past", float32 [batch_size,
        past_length, 2], both relative to the last observed position in units
        of the model, and "group", int64 [batch_size], -1 in rows that fill a
        batch up; "mask", float32 [batch_size], 0 in those and else 1; "index",
        int64 [batch_size], rows of the data, reversed ones behind all others.

    Raises:
        InputError: If `batch_size` is out of its range.
    """
    packing = packing_of(data, batch_size)
    tracks = data.part("train")
    if data.time_reversed:
        past, future = reversed_in_time(tracks.past, tracks.future)
        tracks = concatenate([
            tracks, tracks._replace(past=past, future=future)])
    # Captured as inputs, not written into the graph as constants.
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
    """Pasts and futures as a model sees them."""
    return [tf.constant(normalised(positions, tracks.past, scale), tf.float32)
            for positions in (tracks.past, tracks.future)]


def _turned(positions, angle):
    """Positions [rows, length, 2] turned by an angle [rows] in radians."""
    cosine, sine = tf.cos(angle)[:, None], tf.sin(angle)[:, None]
    x, y = positions[..., 0], positions[..., 1]
    return tf.stack([cosine * x - sine * y, sine * x + cosine * y], -1)


def _spread(sizes, num_batches, batch_size):
    """(batch, first row in it) of each group, or None if they do not fit."""
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
