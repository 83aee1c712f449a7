"""Properties of molecules as numbers of the rows of a data set."""

import dataclasses

import numpy as np

from lebm_tf.chemistry.properties import PROPERTIES
from lebm_tf.chemistry.smiles import parse
from lebm_tf.datasets.contract import DataSet
from lebm_tf.datasets.stored import refuse_stored
from lebm_tf.errors import InputError, nearest
from lebm_tf.kinds import SEQUENCE


def check(name: str, flag: str = "property") -> None:
    """Raises InputError if the property is unknown."""
    if name not in PROPERTIES:
        raise InputError(
            f"--{flag} must be one of {', '.join(PROPERTIES)}, got {name!r}"
            f"{nearest(name, PROPERTIES)}.")


def compute(texts: list[str], name: str) -> np.ndarray:
    """A property of every text, float32 [num]; NaN for an invalid molecule, or
    one without QED (`chemistry.properties.qed`).

    Args:
        texts: SMILES.
        name: Key of `chemistry.properties.PROPERTIES`.
    """
    function = PROPERTIES[name]
    return np.array([np.nan if molecule is None else function(molecule)
                     for molecule in parse(texts)], np.float32)


def with_property(data: DataSet, name: str) -> DataSet:
    """Adds a property of every row, as `attributes_train` and so on.

    Raises:
        InputError: If the property is unknown, or the data are not SMILES or
            contain invalid molecules.
    """
    check(name)
    vocabulary = data.vocabulary
    if data.kind != SEQUENCE or vocabulary.tokenizer != "smiles":
        raise InputError(f"--property needs SMILES, got {data.name}.")
    refuse_stored(data.x_train, f"{data.name}: --property")
    found = {}
    for part, rows, *_ in data.parts():
        values = compute(vocabulary.texts(rows), name)
        if np.isnan(values).any():
            raise InputError(
                f"{data.name}: --property needs valid molecules, got "
                f"{int(np.isnan(values).sum())} lines of x_{part} that are "
                f"invalid or have no {name}; --invalid_smiles=drop skips "
                "invalid lines.")
        found[f"attributes_{part}"] = values
    return dataclasses.replace(data, **found)
