"""Computation in blocks of a few fixed sizes, so that rows do not depend on the
batch.

For some sizes, matrix kernels compute the last rows on another code path, with
other rounding: on a CPU with AVX2 a row of a batch of 31 differs from the same
row of a batch of 256 in the last bit, and chains amplify that. So kernels only
ever see the sizes found by `choose`, where every position gives the same bits.
"""

import time
from typing import Any, Callable, Mapping, NamedTuple, Sequence

import numpy as np
import tensorflow as tf

from lebm_tf import shapes

UNCHECKED = (16,)
CANDIDATES = (16, 32, 48, 64, 96, 128)
# Larger blocks, for networks so small that the overhead of operations
# exceeds their arithmetic.
LARGER = (48, 64, 256)
# Rows of every signature that are tried at every position. As measured, another
# path changes a sixth to a third of all rows, so 32 rows suffice to find it.
NUM_ROWS = 32
_MOST_SECONDS = 60.0  # Time limit for blocks of one size.
_LEAST_ROWS = 8
_WORTH = 0.8  # Largest time per row of a large block, relative to small ones.
_ALONE = 1.1  # The same of single rows, which have the lowest latency.
_SLOW_SECONDS = 2.0  # Above this, larger blocks are not tried.


class Choice(NamedTuple):
    """Result of `choose`.

    Attributes:
        sizes: Sizes of the blocks, in ascending order.
        refused: Rejected sizes -> signature in which position or size made a
            difference.
    """
    sizes: tuple[int, ...]
    refused: dict[int, str]


def in_blocks(compute: Callable, values: Mapping[str, tf.Tensor],
              neutral: Mapping[str, Any],
              outputs: Mapping[str, tf.TensorSpec], sizes: tf.Tensor
              ) -> dict[str, tf.Tensor]:
    """Computes rows in blocks; the last one is padded with neutral rows.

    Args:
        compute: Function (name=[rows, ...]) -> {name: [rows, ...]}.
        values: Input name -> [rows, ...], any number of rows.
        neutral: Input name -> value of the padding rows.
        outputs: Output name -> [None, ...].
        sizes: Numbers of rows of a block, int64 [sizes], in ascending order.

    Returns:
        Output name -> [rows, ...].
    """
    rows = tf.shape(next(iter(values.values())), tf.int64)[0]
    arrays = {name: tf.TensorArray(
        spec.dtype, size=0, dynamic_size=True, infer_shape=False,
        element_shape=spec.shape) for name, spec in outputs.items()}

    def body(block, first, arrays):
        size = _size(sizes, rows - first)
        with shapes.fixed():
            found = compute(**{name: _filled(
                value[first:first + size], size, neutral[name])
                for name, value in values.items()})
        return block + 1, first + size, {
            name: array.write(block, found[name])
            for name, array in arrays.items()}

    # At least one block, since an empty call needs output shapes, too.
    _, _, arrays = tf.while_loop(
        lambda block, first, _: (first < rows) | (block == 0), body,
        (0, tf.zeros([], tf.int64), arrays))
    return {name: tf.ensure_shape(array.concat()[:rows], outputs[name].shape)
            for name, array in arrays.items()}


def _size(sizes, left):
    """The largest block that `left` rows fill, or one that they fill by at
    least two thirds, which is cheaper than several small ones."""
    full = tf.reduce_max(tf.where(sizes <= left, sizes, sizes[0]))
    nearly = (sizes >= left) & (2 * sizes <= 3 * left)
    return tf.where(tf.reduce_any(nearly), tf.reduce_min(
        tf.where(nearly, sizes, sizes.dtype.max)), full)


def _filled(part, size, neutral):
    missing = size - tf.shape(part, tf.int64)[0]
    shape = tf.concat([[missing], tf.shape(part, tf.int64)[1:]], 0)
    filled = tf.concat(
        [part, tf.fill(shape, tf.constant(neutral, part.dtype))], 0)
    return tf.ensure_shape(filled, [None, *part.shape[1:]])


def choose(variable: tf.Variable, functions: Mapping[str, Callable],
           requests: Mapping[str, Mapping[str, np.ndarray]], limit: int,
           candidates: Sequence[int] = CANDIDATES,
           larger: Sequence[int] = LARGER, worth: float | None = _WORTH
           ) -> Choice:
    """Finds sizes in which a row is bitwise equal at every position.

    A block is filled with copies of one row, so that one call shows all
    positions; every row of the requests is tried, with every signature. The
    smallest candidate that passes is used, and those larger sizes that pass,
    give the same rows and are faster. If none passes, or if large networks gain
    nothing by blocks, rows are computed one by one, which leaves only one
    position.

    Args:
        variable: The sizes that the functions use; set to the result.
        functions: Signature -> function that computes in such blocks.
        requests: Signature -> request of a few rows, all different.
        limit: Maximum number of rows per call.
        candidates: Sizes of the smallest block, ascending.
        larger: Sizes of the others, ascending.
        worth: Largest time per row of a larger block, relative to small blocks;
            None for no limit.
    """
    refused: dict[int, str] = {}
    for smallest in candidates:
        expected = _Rows(variable, functions, requests, smallest, limit)
        if not expected.differing:
            break
        refused[smallest] = expected.differing
    else:
        variable.assign([1])
        return Choice((1,), refused)
    if worth is not None and smallest * _Rows(
            variable, functions, requests, 1, limit, most_seconds=0.0
    ).seconds < _ALONE * expected.seconds:
        variable.assign([1])
        return Choice((1,), refused)
    sizes = [smallest]
    is_slow = worth is not None and expected.seconds > _SLOW_SECONDS
    for size in () if is_slow else larger:
        if not smallest < size <= limit:
            continue
        found = _Rows(variable, functions, requests, size, limit)
        differing = found.differing or found.unlike(expected)
        if differing:
            refused[size] = differing
        elif worth is None or (found.seconds * smallest
                               < worth * size * expected.seconds):
            sizes.append(size)
    variable.assign(sizes)
    return Choice(tuple(sizes), refused)


class _Rows:
    """Every row of the requests, at all positions of a block of one size.

    Attributes:
        differing: First signature whose result depends on the position; or "".
        seconds: Time of one block of every signature.
    """

    def __init__(self, variable, functions, requests, size, limit,
                 most_seconds=_MOST_SECONDS):
        variable.assign([size])
        # Calls never have more rows than the limit.
        copies = min(size, limit)
        self.answers: dict[str, list] = {}
        self.differing, self.seconds = "", 0.0
        started = time.perf_counter()
        for name, function in functions.items():
            self.answers[name], least = [], []
            for row in range(len(next(iter(requests[name].values())))):
                if row >= _LEAST_ROWS and (
                        time.perf_counter() - started > most_seconds):
                    break
                request = {key: np.repeat(value[row:row + 1], copies, 0)
                           for key, value in requests[name].items()}
                before = time.perf_counter()
                answer = call(function, request)
                least.append(time.perf_counter() - before)
                if not all(_same(value[:1].repeat(copies, 0), value)
                           for value in answer.values()):
                    self.differing = name
                    return
                self.answers[name].append(
                    {key: value[0] for key, value in answer.items()})
            self.seconds += min(least)  # The first call compiles.

    def unlike(self, other: "_Rows") -> str:
        """First signature whose rows differ from those of the other; or ""."""
        for name, rows in self.answers.items():
            for row, expected in zip(rows, other.answers[name]):
                if not all(_same(row[key], expected[key]) for key in row):
                    return name
        return ""


def call(function, request: Mapping[str, np.ndarray]
         ) -> dict[str, np.ndarray]:
    """The result of a signature, as arrays."""
    answer = function(**{name: tf.constant(value)
                         for name, value in request.items()})
    return {name: value.numpy() for name, value in answer.items()}


def _same(first, second) -> bool:
    """Whether two arrays are equal, with NaN equal to NaN."""
    return np.array_equal(first, second, equal_nan=(
        np.asarray(first).dtype.kind == "f"))


def differing_rows(functions: Mapping[str, Callable],
                   requests: Mapping[str, Mapping[str, np.ndarray]],
                   batches: Sequence[np.ndarray]) -> dict[str, float]:
    """Largest difference between a row in a batch and the same row of the
    whole.

    Args:
        functions: Signature -> function.
        requests: Signature -> request of many rows, all different.
        batches: Indices of the rows of each batch, in order.

    Returns:
        Signature -> the largest difference of any value, 0 if all are bitwise
        equal; infinity if a text or file differs.
    """
    largest = dict.fromkeys(requests, 0.0)
    for name, request in requests.items():
        whole = call(functions[name], request)
        for rows in batches:
            part = call(functions[name], {
                key: value[rows] for key, value in request.items()})
            for key, value in part.items():
                largest[name] = max(largest[name], _difference(
                    value, whole[key][rows]))
    return largest


def _difference(first, second):
    """The largest absolute difference; NaN equals NaN only."""
    if first.dtype.kind != "f":
        return 0.0 if np.array_equal(first, second) else np.inf
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    return float(np.max(np.where(same, 0.0, np.nan_to_num(
        np.abs(first - second), nan=np.inf)), initial=0.0))
