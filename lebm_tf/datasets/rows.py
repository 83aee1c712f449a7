"""Rows of tables in text files, with any delimiter."""

import csv
import io
from typing import NamedTuple

from lebm_tf.errors import InputError
from lebm_tf.text_files import named, read_text

_DELIMITERS = ",;\t"

# Common notations for missing values.
MISSING = frozenset((
    "", "?", ".", "na", "n/a", "#n/a", "#na", "<na>", "nan", "-nan", "null",
    "none"))


class Row(NamedTuple):
    """One row.

    Attributes:
        line: Line number in the file, from 1; that of the row's end, if a
            quoted value contains line breaks.
        values: Values without surrounding white space.
    """
    line: int
    values: list[str]


def read_rows(path: str, name: str, delimiter: str = "") -> list[Row]:
    """Reads all rows of a table, without blank lines.

    Args:
        path: The file, see `lebm_tf.text_files`.
        name: Name of the data, for messages.
        delimiter: Delimiter of values; "" for the most frequent of comma,
            semicolon and tab in the first row.

    Raises:
        InputError: If the file cannot be read.
    """
    return rows_of(read_text(path, named(name, path)), named(name, path),
                   delimiter)


def rows_of(text: str, what: str, delimiter: str = "") -> list[Row]:
    """All rows of a text, without blank lines; `what` starts error messages."""
    first = text[:text.find("\n")]
    reader = csv.reader(
        io.StringIO(text, newline=""), strict=True, skipinitialspace=True,
        delimiter=delimiter or max(_DELIMITERS, key=first.count))
    rows = []
    try:
        for values in reader:
            if len(values) > 1 or any(values):
                rows.append(Row(reader.line_num, [
                    value.strip() for value in values]))
    except csv.Error as error:
        raise InputError(f"{what} must be a table, got {error} in line "
                         f"{reader.line_num}.") from error
    return rows


def is_missing(value: str) -> bool:
    """Whether a value of a table means a missing value."""
    return value.strip().casefold() in MISSING


def is_number(value: str) -> bool:
    """Whether a value of a table is a number."""
    try:
        float(value)
    except ValueError:
        return False
    return True
