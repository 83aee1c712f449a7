"""Files of SMILES: one a line, the .smi form, or a column of a table."""

import re

from lebm_tf.datasets.rows import Row, rows_of
from lebm_tf.datasets.sequences.lines import Lines
from lebm_tf.errors import InputError
from lebm_tf.text_files import named, read_text

# Names of the column, in lower case without what is no letter.
_NAMES = {"smiles", "smile", "smi", "smilesstring", "canonicalsmiles",
          "cansmiles", "isomericsmiles", "isosmiles"}
_SMILES = re.compile(r"""(?:
    \[\d*(?:[A-Z][a-z]?|[a-z]{1,2}|\*)  # An atom in brackets, its isotope,
    (?:@{1,2}(?:[A-Z]{2}\d+)?)?(?:H\d*)?  # what is its hand, its hydrogens,
    (?:[+-]+\d*)?(?::\d+)?\]  # its charge and its class.
    | Br | Cl | [BCNOPSFIbcnops*]
    | [-=\#$:/\\.~()] | \d | %\d\d | %\(\d+\)
    )+""", re.VERBOSE)


def is_smiles(text: str) -> bool:
    """Whether a text is of the signs of SMILES; it need be no molecule."""
    return _SMILES.fullmatch(text) is not None


def read_smiles(path: str, name: str, column: str = "") -> Lines:
    """The SMILES of a file.

    Either the first of some columns between white space, as in .smi files
    with a name behind each molecule; or, where the first line has a comma or
    a header, the column that the header calls SMILES.

    Args:
        path: The file, as of `lebm_tf.text_files`.
        name: Of the data; opens every error message.
        column: Name of the column, of a file with a header; "" finds it.

    Raises:
        InputError: If it can't be read, or the column is not there.
    """
    what = named(name, path)
    text = read_text(path, what)
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    if "," in first.partition(" ")[0]:
        rows = rows_of(text, what, ",")
    elif "\t" in first:
        rows = rows_of(text, what, "\t")
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


def check_smiles(lines: Lines, name: str) -> None:
    """Raises InputError, with the first line, if one is no SMILES by its
    signs."""
    for text, number in zip(lines.texts, lines.numbers):
        if not is_smiles(text):
            raise InputError(
                f"{name}: line {number} must be SMILES, got {text[:60]!r}; of "
                "a table, --smiles_column names the column, and "
                "--invalid_smiles=drop leaves out what is no molecule.")


def _column(first, what, column) -> tuple[int, bool]:
    """(index of the column, whether the first row names the columns)."""
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
