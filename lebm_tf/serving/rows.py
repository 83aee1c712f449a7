"""Calls whose rows belong to different clients.

A server joins requests along the first axis. An assertion about one row would
fail the others too, so an invalid value is reported in its own row: NaN, and a
`status` that says what was expected. Only a call as a whole can be rejected.
"""

import dataclasses
from typing import Any, Callable, Container, Mapping

import tensorflow as tf

from lebm_tf.serving.blocks import in_blocks

STATUS = "status"
NOT_FINITE = "the result must be finite, got NaN or infinity."


@dataclasses.dataclass(frozen=True)
class Field:
    """An input or output of one row of a call.

    Attributes:
        dtype: Type of its values.
        shape: Shape of a row.
        meaning: Description, with its unit.
        low, high: Smallest and largest allowed value, if bounded.
        tolerance: Tolerance of these bounds for rounding errors.
        neutral: Replacement for a value that is not allowed.
        example: Value in example requests, a number or one row; default: the
            value of a sample.
    """
    dtype: tf.DType
    shape: tuple[int, ...]
    meaning: str
    low: float | None = None
    high: float | None = None
    tolerance: float = 0.0
    neutral: Any = 0
    example: Any = None

    def spec(self, name: str) -> tf.TensorSpec:
        """Spec in a signature, for any number of rows."""
        return tf.TensorSpec([None, *self.shape], self.dtype, name)

    @property
    def rule(self) -> str:
        """Condition on values, "" for none."""
        if self.low is not None and self.high is not None:
            return f"lie in [{self.low:g}, {self.high:g}]"
        return "be finite" if self.dtype.is_floating else ""

    def read(self, name: str, value: tf.Tensor
             ) -> tuple[tf.Tensor, tf.Tensor]:
        """The value, and an error message for each row, string [rows]."""
        flat = tf.reshape(value, [tf.shape(value)[0], -1])
        wrong = tf.zeros_like(flat, tf.bool)
        if self.dtype.is_floating:
            wrong = ~tf.math.is_finite(flat)
        if self.low is not None and self.high is not None:
            wrong |= flat < tf.cast(self.low - self.tolerance, self.dtype)
            wrong |= flat > tf.cast(self.high + self.tolerance, self.dtype)
        if not self.rule:
            return value, tf.fill(tf.shape(flat)[:1], "")
        first = tf.gather(flat, tf.argmax(tf.cast(wrong, tf.int32), 1),
                          axis=1, batch_dims=1)
        text = tf.strings.as_string(first, shortest=True) if (
            self.dtype.is_floating) else tf.strings.as_string(first)
        return value, tf.where(tf.reduce_any(wrong, 1), tf.strings.join(
            [f"{name} must {self.rule}, got ", text, "."]), "")


def by_row(compute: Callable, inputs: Mapping[str, Field],
           outputs: Mapping[str, Field], limit: int, blocks: tf.Tensor,
           may_be_empty: Container[str] = ()) -> Callable:
    """Wraps a computation so that every row is validated and computed
    independently.

    Args:
        compute: Function (name=[rows, ...]) -> {name: float or string [rows,
            ...]}, whose rows do not depend on one another.
        inputs: Its inputs.
        outputs: Its outputs.
        limit: Maximum number of rows per call; larger calls fail before
            anything is allocated.
        blocks: Numbers of rows per call of `compute`, int64 [sizes], in
            ascending order; see `blocks.in_blocks`.
        may_be_empty: Outputs for which an empty string is valid.

    Returns:
        A function of the same inputs; its outputs include `status`, string
        [rows], empty if the row is valid.
    """
    def answer(**values):
        values = _checked(values, limit)
        rows = tf.shape(next(iter(values.values())))[0]
        status = tf.fill([rows], "")
        for name, field in inputs.items():
            values[name], problem = field.read(name, values[name])
            status = tf.where(status == "", problem, status)
        values = {name: _where(status == "", value, inputs[name].neutral)
                  for name, value in values.items()}
        found = in_blocks(compute, values, {
            name: field.neutral for name, field in inputs.items()}, {
            name: field.spec(name) for name, field in outputs.items()},
            blocks)
        good = tf.reduce_all([
            tf.ones_like(status, tf.bool) if name in may_be_empty
            else _is_whole(value) for name, value in found.items()], 0)
        status = tf.where((status == "") & ~good, NOT_FINITE, status)
        return {STATUS: status, **{
            name: _where(status == "", value,
                         "" if value.dtype == tf.string else float("nan"))
            for name, value in found.items()}}
    return answer


def _checked(values, limit):
    """The inputs, after checking their numbers of rows."""
    first, *others = values
    rows = tf.shape(values[first])[0]
    checks = [tf.debugging.Assert(rows <= limit, [
        f"a call must have at most {limit} rows, got", rows])]
    for name in others:
        count = tf.shape(values[name])[0]
        checks.append(tf.debugging.Assert(count == rows, [
            f"{name} must have as many rows as {first}, got", count, rows]))
    with tf.control_dependencies(checks):
        return {name: tf.identity(value) for name, value in values.items()}


def _where(rows, value, other):
    """`value` in the rows selected by bool [rows], else `other`."""
    rows = tf.reshape(rows, [-1] + [1] * (value.shape.rank - 1))
    return tf.where(rows, value, tf.constant(other, value.dtype))


def _is_whole(value):
    """Which rows hold a valid result, bool [rows]."""
    if value.dtype == tf.string:
        return tf.strings.length(value) > 0
    return tf.reduce_all(tf.math.is_finite(value),
                         list(range(1, value.shape.rank)))
