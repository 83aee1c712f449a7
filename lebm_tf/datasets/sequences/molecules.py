"""Files of SMILES: one per line, the .smi format, or a column of a table."""

import re
from typing import Callable

from lebm_tf.datasets.rows import Row, rows_of
from lebm_tf.datasets.sequences.lines import Lines
from lebm_tf.errors import InputError
from lebm_tf.text_files import named, read_text

# Names of the column, in lower case and without other characters.
_NAMES = {"smiles", "smile", "smi", "smilesstring", "canonicalsmiles",
          "cansmiles", "isomericsmiles", "isosmiles"}
_SMILES = re.compile(r"""(?:
    \[\d*(?:[A-Z][a-z]?|[a-z]{1,2}|\*)  # An atom in brackets, isotope,
    (?:@{1,2}(?:[A-Z]{2}\d+)?)?(?:H\d*)?  # what is its hand, its hydrogens,
    (?:[+-]+\d*)?(?::\d+)?\]  # its charge and its class.
    | Br | Cl | [BCNOPSFIbcnops*]
    | [-=\#$:/\\.~()] | \d | %\d\d | %\(\d+\)
    )+""", re.VERBOSE)


def is_smiles(text: str) -> bool:
    """Whether a text has only characters of SMILES; it may still be invalid."""
    return _SMILES.fullmatch(text) is not None


def read_smiles(path: str, name: str, column: str = "") -> Lines:
    """Reads the SMILES of a file.

    It reads the first of several columns between white space, as in .smi files
    with a name after each molecule; or, if the first line has a comma or a
    header, the column that the header calls SMILES.

    Args:
        path: The file, see `lebm_tf.text_files`.
        name: Name of the data, for messages.
        column: Name of the column, for a file with a header; "" detects it.

    Raises:
        InputError: If the file cannot be read, or lacks the column.
    """
    what = named(name, path)
    text = read_text(path, what)
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    delimiter = _delimiter(first)
    if delimiter:
        rows = rows_of(text, what, delimiter)
    else:
        rows = [Row(number, line.split())
                for number, line in enumerate(lines, 1) if line.strip()]
    index, has_header = _column(rows[0].values if rows else [], what, column)
    found = Lines([], [], {"lines": len(rows) - has_header,
                           "empty": 0, "header": int(has_header)})
    for row in rows[has_header:]:
        if len(row.values) > index and row.values[index]:
            found.texts.append(row.values[index])
            found.numbers.append(row.line)
        else:
            found.counts["empty"] += 1
    return found


def column_reader(first: str, what: str, column: str = ""
                  ) -> tuple[Callable[[str], str], bool]:
    """How `read_smiles` reads a single line.

    Args:
        first: First line of the file that is not blank.
        what: Name of the file, for messages.
        column: As in `read_smiles`.

    Returns:
        (line -> SMILES or "", whether the first line is a header). Values with
        line breaks raise InputError.
    """
    delimiter = _delimiter(first)

    def values(line):
        if not delimiter:
            return line.split()
        rows = rows_of(line, what, delimiter)
        return rows[0].values if rows else []
    index, has_header = _column(values(first), what, column)

    def text(line):
        found = values(line)
        return found[index] if len(found) > index else ""
    return text, has_header


def _delimiter(first: str) -> str:
    """Delimiter of a table with this first line; "" for white space."""
    if "," in first.partition(" ")[0]:
        return ","
    return "\t" if "\t" in first else ""


def check_smiles(lines: Lines, name: str) -> None:
    """Raises InputError at the first line with characters outside SMILES."""
    for text, number in zip(lines.texts, lines.numbers):
        if not is_smiles(text):
            raise InputError(
                f"{name}: line {number} must be SMILES, got {text[:60]!r}; for "
                "a table, set --smiles_column; to skip invalid lines, set "
                "--invalid_smiles=drop.")


def _column(first, what, column) -> tuple[int, bool]:
    """(index of the column, whether the first row is a header)."""
    if column:
        if column not in first:
            raise InputError(
                f"{what} must have a first line with the smiles_column "
                f"{column!r}, got {', '.join(first)[:200]}.")
        return first.index(column), True
    for index, word in enumerate(first):
        if re.sub("[^a-z]", "", word.casefold()) in _NAMES:
            return index, True
    return 0, False
