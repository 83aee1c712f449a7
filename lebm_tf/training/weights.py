"""Weights of a published model: one .npz file of arrays, without optimizers."""

import os
import zipfile
import zlib

import numpy as np

from lebm_tf import files
from lebm_tf.errors import InputError
from lebm_tf.models import EnergyModel, averaging
from lebm_tf.training import checkpoint as checkpoints

WEIGHTS = "weights.npz"
DTYPES = ("float32", "float16")
_MAY_BE_SHORT = ("part_", "frozen_", "copy_")


def are_in(folder: str) -> bool:
    """Whether a folder holds a published model."""
    return os.path.isfile(os.path.join(folder, WEIGHTS))


def write(model: EnergyModel, folder: str, dtype: str = "float32") -> None:
    """Writes the weights of a model.

    Args:
        model: A trained model, with its averaged weights installed if any.
        folder: Folder of the file.
        dtype: One of `DTYPES`; float16 rounds the matrices of networks and
            leaves vectors, bases, chains and fitted densities as they are.

    Raises:
        InputError: If a weight is not finite, in this type.
    """
    arrays = {}
    for name, variable in _variables(model).items():
        value = variable.numpy()
        if value.dtype == np.float32 and value.ndim > 1 and name.startswith(
                _MAY_BE_SHORT):
            with np.errstate(over="ignore"):  # Checked below.
                value = value.astype(dtype)
        if not np.all(np.isfinite(value)):
            raise InputError("a published model must have finite weights, got "
                             f"NaN or infinity in {name} as {value.dtype}.")
        arrays[name] = value
    with files.atomic_path(os.path.join(folder, WEIGHTS)) as temporary:
        with open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)


def restore(model: EnergyModel, folder: str) -> None:
    """Restores the weights of a model; moving averages start from them.

    Nothing in the file is run, and no array is read before its shape is known
    to be that of the model.

    Raises:
        InputError: If the file is damaged or belongs to another model.
    """
    path, wanted = os.path.join(folder, WEIGHTS), _variables(model)
    try:
        _check_shapes(path, wanted)
        with np.load(path, allow_pickle=False) as arrays:
            values = {name: arrays[name] for name in wanted}
    except InputError:
        raise
    except (EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile,
            zlib.error) as error:
        raise InputError(f"{path} is damaged: {error}.") from error
    for name, variable in wanted.items():
        variable.assign(values[name].astype(variable.dtype))
    averaging.restart(model)


def _variables(model) -> dict:
    """Name -> variable for everything but optimizers and the chains of training
    examples; shared variables are listed once."""
    found, seen = {}, set()
    for name, item in checkpoints.items(model).items():
        if name.startswith("optimizer_") or (
                name.startswith("bank_")
                and model.banks[int(name.removeprefix("bank_"))].by_example):
            continue
        for i, variable in enumerate(
                item if isinstance(item, (list, tuple)) else [item]):
            if id(variable) not in seen:
                seen.add(id(variable))
                found[f"{name}/{i}"] = variable
    return found


def _check_shapes(path, wanted):
    with zipfile.ZipFile(path) as archive:
        found = {name.removesuffix(".npy"): name
                 for name in archive.namelist()}
        if set(found) != set(wanted):
            name = sorted(set(found) ^ set(wanted))[0]
            raise InputError(
                f"{path} must hold the {len(wanted)} arrays of this model, got "
                f"{len(found)}; the first that differs is {name!r}.")
        for name, variable in wanted.items():
            with archive.open(found[name]) as file:
                np.lib.format.read_magic(file)
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            if shape != tuple(variable.shape) or dtype.kind not in "fiu":
                raise InputError(
                    f"{path}: {name} must have numbers of shape "
                    f"{tuple(variable.shape)}, got {dtype} of shape {shape}.")
