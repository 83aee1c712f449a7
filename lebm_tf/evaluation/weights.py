"""Files that cache the weights of networks used for measuring.

A file records what its weights depend on, and is ignored if that differs.
"""

import os
from typing import Any, Sequence
import zipfile

from absl import logging
import numpy as np

from lebm_tf.files import atomic_path


def read(path: str, key: str, shapes: Sequence[Sequence[int]]
         ) -> list[np.ndarray] | None:
    """Reads weights; None if the file is missing or has another key.

    Args:
        path: An .npz file.
        key: Text that identifies what the weights depend on.
        shapes: Shapes of the weights, in order.
    """
    if not os.path.exists(path):
        return None
    try:
        with np.load(path) as file:
            if str(file["key"]) != key:
                return None
            weights = [file[f"weight_{i}"] for i in range(len(shapes))]
        if [list(w.shape) for w in weights] != [list(s) for s in shapes]:
            raise ValueError("shapes differ from those of the network")
    except (OSError, EOFError, KeyError, ValueError,
            zipfile.BadZipFile) as error:
        logging.warning("%s is unreadable, training anew: %s", path, error)
        return None
    return weights


def write(path: str, key: str, weights: Sequence[np.ndarray]) -> None:
    """Writes a file for `read`, atomically."""
    arrays: dict[str, Any] = {
        f"weight_{i}": weight for i, weight in enumerate(weights)}
    with atomic_path(path) as temporary:
        with open(temporary, "wb") as file:
            np.savez(file, key=np.array(key), **arrays)
