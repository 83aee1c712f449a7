"""Rows of tables in text files, whatever stands between their values."""

import csv
import io
from typing import NamedTuple

from lebm_tf.errors import InputError
from lebm_tf.text_files import named, read_text

_DELIMITERS = ",;\t"

# How people, spreadsheets and other programs write that a value is missing.
MISSING = frozenset((
    "", "?", ".", "na", "n/a", "#n/a", "#na", "<na>", "nan", "-nan", "null",
    "none"))


class Row(NamedTuple):
    """One row.

    Attributes:
        line: Of the file, from 1; where the row ends, if a quoted value
            holds line ends.
        values: Without white space around them.
    """
    line: int
    values: list[str]


def read_rows(path: str, name: str, delimiter: str = "") -> list[Row]:
    """All rows of a table, without blank lines.

    Args:
        path: The file, as of `lebm_tf.text_files`.
        name: Of the data; opens every error message.
        delimiter: What stands between values; "" for a comma, semicolon or
            tab, whichever the first row has most of.

    Raises:
        InputError: If it can't be read.
    """
    return rows_of(read_text(path, named(name, path)), named(name, path),
                   delimiter)


def rows_of(text: str, what: str, delimiter: str = "") -> list[Row]:
    """All rows of a text without blank lines; `what` opens messages."""
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
    """Whether a value of a table stands for none."""
    return value.strip().casefold() in MISSING


def is_number(value: str) -> bool:
    """Whether a value of a table is a number."""
    try:
        float(value)
    except ValueError:
        return False
    return True
