"""A user's table of numbers with a label."""

import re

import numpy as np

from lebm_tf.datasets.rows import Row, is_missing, is_number, read_rows
from lebm_tf.errors import InputError
from lebm_tf.text_files import named

MOST_CLASSES = 100
_LARGEST = 1e30  # Squares of larger numbers overflow in float32 sums.
_DROWNED = 1e-6  # Relative spread of a column without its largest value.
_UNNAMED = re.compile(r"Unnamed: \d+")  # Names that pandas invents.


def read_table(name: str, path: str, label_column: str = ""
               ) -> tuple[np.ndarray, list[str], dict[str, int]]:
    """Reads features [rows, width], labels as text, and counts.

    The first line names the columns. Columns without a name, such as a saved
    index, are left out and counted; so are rows with a missing (`rows.MISSING`)
    or non-finite value.

    Args:
        name: Name of the data, for messages.
        path: The file, see `lebm_tf.text_files`.
        label_column: Name of the label column; "" for the last one.

    Raises:
        InputError: If the file is invalid, or one value is so large that the
            others of its column vanish in comparison.
    """
    what = named(name, path)
    rows = read_rows(path, name)
    if len(rows) < 2:
        raise InputError(f"{what} must have a header and rows, got {len(rows)} "
                         "lines.")
    header = rows[0].values
    _check_header(header, what)
    kept = [i for i, column in enumerate(header)
            if column and not _UNNAMED.fullmatch(column)]
    names = [header[i] for i in kept]
    if label_column and label_column not in names:
        raise InputError(f"{name}: label_column must be one of "
                         f"{', '.join(names)}, got {label_column!r}.")
    if len(names) < 2:
        raise InputError(
            f"{what} must have a label column and at least one number column, "
            f"got the header {', '.join(header)!r}.")
    label = header.index(label_column) if label_column else kept[-1]
    features = [i for i in kept if i != label]
    found, labels, lines = [], [], []
    for row in rows[1:]:
        numbers = _numbers(row, header, features, what)
        if is_missing(row.values[label]) or not np.isfinite(numbers).all():
            continue
        found.append(numbers)
        labels.append(row.values[label])
        lines.append(row.line)
    if not found:
        raise InputError(f"{what} must have a row without missing values, got "
                         "none.")
    x = np.array(found)
    _check_sizes(x, [header[i] for i in features], lines, what)
    return x, labels, {
        "rows": len(rows) - 1, "rows with missing values":
        len(rows) - 1 - len(x), "columns without a name":
        len(header) - len(kept)}


def numbered(name: str, labels: list[str], column: str = ""
             ) -> tuple[tuple[str, ...], np.ndarray]:
    """Returns the sorted different labels, and their class numbers, int64
    [rows].

    Args:
        name: Name of the data, for messages.
        labels: Labels as text, [rows].
        column: Name of their column; "" for the last one.

    Raises:
        InputError: If there are too many different labels, or only one.
    """
    classes, y = np.unique(np.array(labels), return_inverse=True)
    if not 2 <= len(classes) <= MOST_CLASSES:
        which = repr(column) if column else "(the last one)"
        raise InputError(
            f"{name}: the label column {which} must have 2 to {MOST_CLASSES} "
            f"classes, got {len(classes)} in {len(labels)} rows; set "
            "--label_column to another one, and add labels to a table without "
            "any. For trajectories, the first line must name the columns "
            "frame, agent, x and y.")
    return tuple(map(str, classes)), y.astype(np.int64)


def _check_header(header, what):
    """Refuses numbers as column names, except 0, 1, 2, ..., which programs use
    for unnamed columns."""
    numbers = [value for value in header if is_number(value)]
    counted = [str(start + i) for start in (0, 1)
               for i in range(len(numbers))]
    if numbers and numbers not in (
            counted[:len(numbers)], counted[len(numbers):]):
        raise InputError(
            f"{what} must begin with a line that names the columns, got the "
            f"number {numbers[0]}; is there no header?")


def _numbers(row: Row, header, features, what) -> list[float]:
    """The features of a row; NaN for missing values."""
    if len(row.values) != len(header):
        raise InputError(
            f"{what}: row {row.line} must have {len(header)} columns, like the "
            f"header, got {len(row.values)}.")
    numbers = []
    for i in features:
        value = row.values[i]
        if is_missing(value):
            numbers.append(np.nan)
        elif is_number(value):
            numbers.append(float(value))
        else:
            raise InputError(
                f"{what}: row {row.line} must have numbers in all columns but "
                f"the label, got {value[:60]!r} in the column {header[i]!r}.")
    return numbers


def _check_sizes(x, names, lines, what):
    """Refuses a value that is so large that all others of its column become
    equal."""
    for column, values in zip(names, x.T):
        row = int(np.argmax(np.abs(values)))
        largest = abs(values[row])
        rest = np.delete(values, row) / (largest or 1.0)
        spread = np.ptp(rest) if rest.size else 0.0
        if largest > _LARGEST or 0 < spread < _DROWNED and (
                np.abs(rest).max() < _DROWNED):
            raise InputError(
                f"{what}: row {lines[row]} must have a value of similar size "
                f"to the others in the column {column!r}, got {values[row]:g}.")
