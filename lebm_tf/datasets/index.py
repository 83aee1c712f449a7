"""Index files: what is known of data that are read from disk."""

import os
from typing import Any, Sequence

import numpy as np

from lebm_tf.configuration.data import StorageOptions
from lebm_tf.datasets.images.files import read_npz
from lebm_tf.errors import InputError
from lebm_tf.files import atomic_path


def index_of(storage: StorageOptions, path: str) -> str:
    """Path of the index of a file or folder."""
    return storage.index or f"{os.path.normpath(path)}.index.npz"


def read_index(name: str, path: str, fields: Sequence[str], key: str
               ) -> dict[str, np.ndarray] | None:
    """Reads the arrays of an index file.

    Args:
        name: Name of the data, for messages.
        path: The index file.
        fields: Names of the arrays.
        key: What the arrays depend on.

    Returns:
        Name -> array; None if there is no file, or one with another key.

    Raises:
        InputError: If the file is no index, or damaged.
    """
    if not os.path.exists(path):
        return None
    found = read_npz(name, path, (*fields, "key"))
    return found if str(found.pop("key")) == key else None


def write_index(name: str, path: str, key: str, **arrays: np.ndarray) -> None:
    """Writes an index file, whole or not at all.

    Raises:
        InputError: If it cannot be written.
    """
    fields: dict[str, Any] = {"key": np.array(key), **arrays}
    try:
        with atomic_path(path) as temporary:
            np.savez(temporary, **fields)
    except OSError as error:
        raise InputError(
            f"{name}: its index cannot be written to {path}: "
            f"{error.strerror}; set --index to another file.") from error
