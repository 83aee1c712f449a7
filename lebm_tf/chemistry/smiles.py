"""Molecules of strings. RDKit is an extra, imported at the first use."""

import importlib
from typing import Any, Iterable

from lebm_tf.errors import InputError


def rdkit(name: str) -> Any:
    """The module `rdkit.NAME`, as "Chem.Draw".

    Raises:
        InputError: If RDKit is not installed.
    """
    try:
        return importlib.import_module(f"rdkit.{name}")
    except ModuleNotFoundError as error:
        if error.name != "rdkit":
            raise
        raise InputError(
            "molecules need RDKit, which is not installed; install the extra "
            "lebm_tf[molecules].") from error


def parse(smiles: Iterable[str]) -> list[Any]:
    """Molecules of strings, None for a string that is none.

    Nothing is corrected: a string is valid if RDKit parses and sanitises it
    as it is. Two strings that RDKit accepts are refused: the empty one, and
    one with a space, of which it reads only what is before. What RDKit says
    while it parses is not shown; thousands of samples may be invalid, and
    validity counts them.
    """
    chem, base = rdkit("Chem"), rdkit("rdBase")
    with base.BlockLogs():
        return [chem.MolFromSmiles(text)
                if text and not any(map(str.isspace, text)) else None
                for text in smiles]


def sifted(lines: list[str], invalid: str) -> tuple[list[str], int]:
    """(lines to keep, number of those that are no molecules).

    Args:
        lines: SMILES.
        invalid: unchecked (looks at none and counts 0), keep or drop.
    """
    if invalid == "unchecked":
        return lines, 0
    good = [molecule is not None for molecule in parse(lines)]
    kept = lines if invalid == "keep" else [
        line for line, is_good in zip(lines, good) if is_good]
    return kept, good.count(False)
