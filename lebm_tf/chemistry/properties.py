"""Properties of molecules, computed by RDKit."""

import functools
import importlib.util
import os
from typing import Any, Callable, Sequence

import numpy as np

from lebm_tf.chemistry.smiles import rdkit
from lebm_tf.errors import InputError


def of(molecules: Sequence[Any]) -> dict[str, np.ndarray]:
    """All `PROPERTIES` of molecules, float64 [num] by name.

    A QED that RDKit cannot compute is skipped, see `qed`.

    Args:
        molecules: RDKit molecules, none of them None.
    """
    found = {name: np.array([compute(molecule) for molecule in molecules])
             for name, compute in PROPERTIES.items()}
    return {name: values[~np.isnan(values)] for name, values in found.items()}


def logp(molecule: Any) -> float:
    """Logarithm of the octanol-water partition coefficient, estimated from atom
    contributions; Wildman and Crippen 1999."""
    return rdkit("Chem.Crippen").MolLogP(molecule)


def qed(molecule: Any) -> float:
    """Quantitative estimate of drug-likeness, in [0, 1]; Bickerton et al. 2012.

    RDKit sanitizes the molecule again, which may fail although it was parsed:
    then NaN.
    """
    try:
        return rdkit("Chem.QED").qed(molecule)
    except rdkit("Chem").MolSanitizeException:
        return float("nan")


def sa(molecule: Any) -> float:
    """Synthetic accessibility score, from 1 (easy) to 10; Ertl and
    Schuffenhauer 2009.

    Raises:
        InputError: If this RDKit lacks its folder of contributed code.
    """
    return _synthesis().calculateScore(molecule)


def weight(molecule: Any) -> float:
    """Average molecular weight, in g/mol."""
    return rdkit("Chem.Descriptors").MolWt(molecule)


def penalized_logp(molecule: Any) -> float:
    """logP - SA - (number of rings of more than 6 atoms), not standardized.

    As in the public code of Kong et al. 2023 (SGDS). Others subtract the excess
    of the largest ring over 6 atoms, and standardize every term over ZINC; such
    values are not comparable.
    """
    rings = molecule.GetRingInfo().AtomRings()
    return (logp(molecule) - sa(molecule)
            - sum(len(ring) > 6 for ring in rings))


PROPERTIES: dict[str, Callable[[Any], float]] = {
    "logp": logp,
    "qed": qed,
    "sa": sa,
    "weight": weight,
    "penalized_logp": penalized_logp,
}


@functools.lru_cache(maxsize=None)
def _synthesis():
    """RDKit's own script for SA, which is not part of its package."""
    folder = os.path.join(rdkit("RDConfig").RDContribDir, "SA_Score")
    path = os.path.join(folder, "sascorer.py")
    if not os.path.exists(path):
        raise InputError("the SA score needs an RDKit with its folder "
                         f"Contrib/SA_Score, got none at {folder}.")
    spec: Any = importlib.util.spec_from_file_location("sascorer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
