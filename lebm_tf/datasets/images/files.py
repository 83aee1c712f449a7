"""Images from .npz files: plain arrays, or packs of JPEG files."""

import dataclasses
import os
import zipfile
import zlib

from absl import logging
import numpy as np
import tensorflow as tf

from lebm_tf.datasets.classes import class_numbers
from lebm_tf.datasets.images.data import ImageData, doubt_range
from lebm_tf.datasets.images.framing import Framing
from lebm_tf.errors import InputError
from lebm_tf.text_files import check_unpacked

# Packs of re-encoded images: train and, if it exists, test.
PACKS = {
    "cifar10": ("cifar10/cifar10_train_jpeg.npz",
                "cifar10/cifar10_test_jpeg.npz"),
    "celeb_a": ("celeba/celeba_10k_jpeg.npz",),
}


def load_npz(name: str, path: str, framing: Framing) -> ImageData:
    """Reads images from one .npz file.

    Args:
        name: Name of the data, for messages.
        path: File with arrays `x_train` and `x_test`, [N, H, W] or [N, H, W, C]
            with C = 1 or 3; uint8 0..255, or float in [-1, 1] (other ranges are
            refused, not rescaled); and optionally labels `y_train` and
            `y_test`, non-negative integers [N] or [N, 1]; the classes are the
            values that occur.
        framing: Crop and resize, for every image.

    Raises:
        InputError: If the file or an array is invalid. Arrays of Python objects
            are refused, because reading them can run arbitrary code.
    """
    arrays = read_npz(name, path, ("x_train", "x_test"),
                      ("y_train", "y_test"))
    labels, classes = class_numbers(
        name, {key: arrays.get(key) for key in ("y_train", "y_test")})
    x_train, x_test = (_as_images(arrays[key]) for key in (
        "x_train", "x_test"))
    data = ImageData(name, x_train, x_test, **labels, classes=classes)
    doubt_range(x_train, name)
    return dataclasses.replace(data, x_train=framing(x_train, name),
                               x_test=framing(x_test, name))


def load_packs(name: str, paths: list[str], framing: Framing) -> ImageData:
    """Reads images from packs of JPEG files.

    A pack is an .npz file with `jpeg`, uint8, the concatenated files;
    `offsets`, int64 [N + 1], where each file starts; and optionally `labels`,
    integers [N].

    Args:
        name: Name of the data, for messages.
        paths: The train and the test pack; of a single pack, the last 10% are
            held out.
        framing: Crop and resize, for every image.

    Raises:
        InputError: If a file is invalid.
    """
    logging.warning(
        "%s: read from %s, a lossy JPEG copy. Results are not comparable with "
        "published FID or bits per dimension.", name, " and ".join(paths))
    packs = [_read_pack(name, path, framing) for path in paths]
    if len(packs) == 1:
        images, labels = packs[0]
        first = len(images) - max(1, len(images) // 10)
        packs = [(images[part], labels if labels is None else labels[part])
                 for part in (slice(first), slice(first, None))]
    (x_train, y_train), (x_test, y_test) = packs
    labels, classes = class_numbers(
        name, {"y_train": y_train, "y_test": y_test})
    return ImageData(name, x_train, x_test, **labels, classes=classes)


def read_npz(name: str, path: str, required: tuple[str, ...],
             optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Reads arrays from an .npz file; never unpickles Python objects.

    Args:
        name: Name of the data, for messages.
        path: The file.
        required: Names of required arrays.
        optional: Names of arrays to read if they exist.

    Returns:
        Name -> array.

    Raises:
        InputError: If the file or a required array is missing or unreadable.
    """
    if not os.path.isfile(path):
        raise InputError(f"{name}: needs an .npz file, got no file at {path}.")
    if not zipfile.is_zipfile(path):
        raise InputError(
            f"{name}: needs an .npz file, as numpy.savez writes it; {path} is "
            "not one.")
    key = "its table of contents"
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                check_unpacked(entry.file_size, entry.compress_size,
                               f"{name}: {entry.filename} in {path}")
        with np.load(path, allow_pickle=False) as file:
            missing = [k for k in required if k not in file.files]
            if missing:
                raise InputError(
                    f"{name}: needs the arrays {', '.join(required)}, got "
                    f"{', '.join(file.files) or 'none'} in {path}.")
            arrays = {}
            for key in (*required, *optional):
                if key in file.files:
                    arrays[key] = file[key]
            return arrays
    except InputError:
        raise
    except (ValueError, OSError, EOFError, MemoryError, zlib.error,
            zipfile.BadZipFile) as error:
        if "Object arrays" in str(error):
            raise InputError(
                f"{name}: {key} must hold numbers, got Python objects in "
                f"{path}; they are refused and were not unpickled.") from error
        raise InputError(
            f"{name}: {key} cannot be read from {path}: {error}.") from error


def _as_images(array: np.ndarray) -> np.ndarray:
    """Adds the channel axis, and converts floats to float32."""
    if np.issubdtype(array.dtype, np.floating):
        with np.errstate(over="ignore"):  # Infinity is refused later.
            array = array.astype(np.float32, copy=False)
    return array[..., None] if array.ndim == 3 else array


def _read_pack(name: str, path: str, framing: Framing):
    """Decodes a pack: images uint8 [N, h, w, 3], labels [N] or None."""
    arrays = read_npz(name, path, ("jpeg", "offsets"), ("labels",))
    raw, offsets = arrays["jpeg"].tobytes(), arrays["offsets"]
    images = []
    for number, (start, stop) in enumerate(zip(offsets[:-1], offsets[1:])):
        try:
            # This method gives equal results in every build of libjpeg.
            image = tf.io.decode_jpeg(raw[start:stop], channels=3,
                                      dct_method="INTEGER_ACCURATE").numpy()
        except tf.errors.InvalidArgumentError as error:
            raise InputError(
                f"{name}: image {number} of {path} must be a JPEG file, got "
                "bytes that cannot be decoded.") from error
        images.append(image)
    return framing(np.stack(images), path), arrays.get("labels")
