"""Molecules from SMILES. RDKit is an optional extra, imported at first use."""

import importlib
from typing import Any, Iterable

from absl import logging

from lebm_tf.chemistry import bounded
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


def parse(smiles: Iterable[str], stopped: list[int] | None = None
          ) -> list[Any]:
    """Molecules from SMILES, with None for invalid strings.

    Strings are not corrected: a string is valid if RDKit parses and sanitizes
    it unchanged. Two kinds of strings that RDKit accepts count as invalid: the
    empty string, and strings with a space, of which it reads the first part
    only. RDKit's log messages are suppressed, since thousands of samples may be
    invalid, and validity counts them. Long strings have a time limit, see
    `chemistry.bounded`; those that exceed it count as invalid.

    Args:
        smiles: The strings.
        stopped: Extended by the indices of strings that exceed the limit; None
            for a warning.
    """
    chem, base = rdkit("Chem"), rdkit("rdBase")
    found: list[Any] = []
    late: list[int] = []
    with base.BlockLogs(), bounded.BoundedParser(chem) as long:
        for i, text in enumerate(smiles):
            if not text or any(map(str.isspace, text)):
                found.append(None)
                continue
            try:
                found.append(chem.MolFromSmiles(text) if len(text) <= (
                    bounded.LONGEST) else long.parse(text))
            except TimeoutError:
                found.append(None)
                late.append(i)
    if stopped is not None:
        stopped.extend(late)
    elif late:
        logging.warning("%s; they count as no molecules.", told(
            f"{len(late):,} strings"))
    return found


def told(what: str) -> str:
    """The statement that RDKit exceeded its time limit on something."""
    return f"RDKit was stopped after {bounded.TIME_LIMIT:g} s on {what}"


def sifted(lines: list[str], invalid: str
           ) -> tuple[list[str], int, list[int]]:
    """Returns (lines to keep, number of invalid molecules, indices of those
    that exceeded the time limit).

    Args:
        lines: SMILES.
        invalid: unchecked (checks none, and returns 0), keep or drop.
    """
    if invalid == "unchecked":
        return lines, 0, []
    stopped: list[int] = []
    good = [molecule is not None for molecule in parse(lines, stopped)]
    kept = lines if invalid == "keep" else [
        line for line, is_good in zip(lines, good) if is_good]
    return kept, good.count(False), stopped
