"""Fingerprints of data sets, which detect changed contents.

Integers and texts are compared bit by bit; floats, which may be rounded
differently on another machine, by weighted sums.
"""

import hashlib
import json
from typing import Any, Mapping

import numpy as np

from lebm_tf.datasets.contract import DataSet
from lebm_tf.datasets.images.pairs import is_pair
from lebm_tf.datasets.stored import Stored

ON_DISK = "on disk: "  # Begins the record of examples on disk.
_NUM_SUMS = 4
_TOLERANCE = 1e-5  # For a sum, in units of the norm of the array.
_CHUNK = 2**22


def fingerprint(data: DataSet) -> dict[str, Any]:
    """Returns name of an array or list of texts -> record of its contents, as
    JSON types."""
    content: dict[str, Any] = {}
    for part in data.parts():
        content |= {f"x_{part.name}": part.x, f"y_{part.name}": part.y,
                    f"attributes_{part.name}": part.attributes}
    # Other arrays, such as the pasts of trajectories.
    content |= {name: value for name, value in vars(data).items()
                if isinstance(value, np.ndarray)}
    if data.labelled is not None:
        content["labelled"] = data.labelled.index
    found = {name: ON_DISK + value.digest if isinstance(value, Stored)
             else _array(np.asarray(value))
             for name, value in content.items() if value is not None}
    if is_pair(data):
        found |= {f"{name}/{key}": value
                  for name, domain in data.domains.items()
                  for key, value in fingerprint(domain).items()}
    vocabulary = data.vocabulary.tokens if data.vocabulary else ()
    for name, texts in (("classes", data.classes), ("words", data.words),
                        ("vocabulary", vocabulary)):
        if texts:
            found[name] = _digest(json.dumps(list(texts)).encode())
    return found


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Returns the sorted names in which two results of `fingerprint` differ."""
    return sorted(name for name in {*old, *new}
                  if not _alike(old.get(name), new.get(name)))


def _array(values) -> Any:
    if values.dtype.kind != "f":
        return _digest(str((values.dtype, values.shape)).encode(),
                       np.ascontiguousarray(values))
    flat, sums, square = values.reshape(-1), np.zeros(_NUM_SUMS), 0.0
    for start in range(0, flat.size, _CHUNK):
        piece = flat[start:start + _CHUNK].astype(np.float64)
        place = np.arange(start, start + piece.size)
        sums += [piece @ np.cos(place * (0.7 + number))
                 for number in range(_NUM_SUMS)]
        square += piece @ piece
    return {"shape": list(values.shape), "norm": float(np.sqrt(square)),
            "sums": sums.tolist()}


def _alike(old, new) -> bool:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return old == new
    bound = _TOLERANCE * max(old["norm"], new["norm"])
    return old["shape"] == new["shape"] and bool(np.all(np.abs(
        np.subtract(old["sums"], new["sums"])) <= bound))


def _digest(*parts) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
