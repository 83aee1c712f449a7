"""Files that keep the weights of networks that measure, for the next time.

A file says what its weights depend on, and is used for nothing else.
"""

import os
from typing import Sequence
import zipfile

from absl import logging
import numpy as np

from lebm_tf.files import atomic_path


def read(path: str, key: str, shapes: Sequence[Sequence[int]]
         ) -> list[np.ndarray] | None:
    """The weights of a file; None if it is not there, or not of this key.

    Args:
        path: An .npz file.
        key: What the weights depend on, as text.
        shapes: Of the weights, in their order.
    """
    if not os.path.exists(path):
        return None
    try:
        with np.load(path) as file:
            if str(file["key"]) != key:
                return None
            weights = [file[f"weight_{i}"] for i in range(len(shapes))]
        if [list(w.shape) for w in weights] != [list(s) for s in shapes]:
            raise ValueError("other shapes than those of the network")
    except (OSError, EOFError, KeyError, ValueError,
            zipfile.BadZipFile) as error:
        logging.warning("%s is unreadable, training anew: %s", path, error)
        return None
    return weights


def write(path: str, key: str, weights: Sequence[np.ndarray]) -> None:
    """Writes what `read` reads, whole or not at all."""
    with atomic_path(path) as temporary:
        with open(temporary, "wb") as file:
            np.savez(file, key=np.array(key), **{
                f"weight_{i}": weight for i, weight in enumerate(weights)})
