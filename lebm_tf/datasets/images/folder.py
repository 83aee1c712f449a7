"""A user's images: a folder of image files."""

import collections
import hashlib
import os
import pathlib
from typing import Sequence

from absl import logging
import numpy as np

from lebm_tf.configuration.data import StorageOptions
from lebm_tf.datasets.images import scan as scans
from lebm_tf.datasets.images.data import ImageData
from lebm_tf.datasets.images.framing import Framing
from lebm_tf.datasets.images.stored_images import FolderImages, read_image
from lebm_tf.datasets.index import index_of
from lebm_tf.datasets.reading import met
from lebm_tf.datasets.stored import MOST_HELD_OUT, taken
from lebm_tf.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
# Formats that are not read: Pillow lacks them, or scales them inconsistently.
UNREAD = (".avif", ".cr2", ".dng", ".heic", ".heif", ".jp2", ".jxl", ".nef",
          ".psd", ".svg", ".tif", ".tiff")
DEFAULT_IMAGE_SIZE = 64
_TEST_FRACTION = 0.1
_LISTED = 20  # Broken files that are named where they are skipped.


def load_folder(name: str, path: str, framing: Framing,
                storage: StorageOptions = StorageOptions()) -> ImageData:
    """Loads all images below a folder, as RGB squares.

    Files come in the order of their relative names. Of an animation the first
    frame is read, transparency is dropped, and the orientation noted by a
    camera is applied. About 10% are held out, by a hash of the relative name,
    so an image keeps its part when others are added or removed, except that
    each part holds at least one. Files that macOS adds, links out of the
    folder, and other image formats (`UNREAD`) are skipped and counted.

    Args:
        name: Name of the data, for messages.
        path: The folder, with subfolders; links to folders are not followed.
        framing: Crop and resize; image_size 0 means 64.
        storage: Images of more than `max_memory_gb` are checked once and then
            read from disk while training, except those held out, at most
            `MOST_HELD_OUT`. `broken` files are refused or left out.

    Raises:
        InputError: If there are fewer than two images, or one cannot be read
            and is not to be skipped.
    """
    root = pathlib.Path(path)
    if not root.is_dir():
        raise InputError(f"{name}: needs a folder, got no folder at {path}.")
    files, counts = _find_pictures(root)
    framing = Framing(framing.crop, framing.image_size or DEFAULT_IMAGE_SIZE)
    found = scans.listed(name, path, files)

    def check(file):
        return framing.cut(
            read_image(file, f"{name}: {file}")[None],
            os.path.relpath(file, path))
    is_stored = len(files) * 3 * framing.image_size**2 > storage.max_bytes
    if is_stored:
        found = scans.scanned(
            name, path, found, check, str(framing.crop),
            index_of(storage, path))
    else:
        images: np.ndarray | FolderImages = _decoded(
            name, path, found, framing)
    if storage.broken == "refuse":
        scans.refuse_broken(name, path, found, check)
    elif found.broken.any():
        counts["broken"] = int(found.broken.sum())
        logging.warning("%s: %d broken images are left out: %s", name,
                        counts["broken"], ", ".join(map(
                            os.fsdecode, found.names[found.broken][:_LISTED])))
    kept = found.taken(~found.broken)
    if len(kept.names) < 2:
        raise InputError(
            f"{name}: needs at least 2 images ({', '.join(SUFFIXES)}), one to "
            f"train on and one to hold out, got {len(kept.names)} in "
            f"{path}{met(counts)}.")
    if is_stored:
        images = FolderImages(name, path, kept, framing)
    held_out = _held_out(kept.names, is_stored)
    return ImageData(name, taken(images, ~held_out), images[held_out],
                     counts=counts)


def _decoded(name, path, found, framing) -> np.ndarray:
    """The images in memory; marks the broken ones in `found`, and leaves them
    out."""
    def image(row):
        return scans.usable(name, found.path(path, row), lambda file: framing(
            read_image(file, f"{name}: {file}")[None], file)[0])
    side, rows = framing.image_size, range(len(found.names))
    images = np.empty([len(rows), side, side, 3], np.uint8)
    for row, decoded in zip(rows, scans.in_parallel(image, rows)):
        found.broken[row] = decoded is None
        if decoded is not None:
            images[row] = decoded
    return images[~found.broken] if found.broken.any() else images


def read_pictures(path: str, shape: Sequence[int]
                  ) -> tuple[list[str], np.ndarray]:
    """Reads all images below a folder, which must have one size.

    Args:
        path: The folder, with subfolders; links to folders are not followed.
        shape: (height, width, channels) of each image; with 1 channel they are
            converted to grey.

    Returns:
        Relative names, sorted, and uint8 [N, *shape].

    Raises:
        InputError: If there are no images, or one is unreadable or has another
            size.
    """
    root = pathlib.Path(path)
    files = _find_pictures(root)[0] if root.is_dir() else []
    if not files:
        raise InputError(f"{path} must be a folder with images "
                         f"({', '.join(SUFFIXES)}), got none.")
    images = []
    for file in files:
        image = read_image(root / file, f"{path}: {root / file}",
                           shape[-1])
        if image.shape[:2] != tuple(shape[:2]):
            raise InputError(
                f"{root / file} must be {shape[0]}x{shape[1]} pixels as in "
                f"training, got {image.shape[0]}x{image.shape[1]}.")
        images.append(image)
    return files, np.stack(images)


def _find_pictures(root: pathlib.Path) -> tuple[list[str], dict[str, int]]:
    """Relative names of the images with "/", sorted; and counts of skipped
    files."""
    names: list[str] = []
    left_out: collections.Counter[str] = collections.Counter()
    inside = root.resolve()
    for folder, _, files in os.walk(root):
        for file in files:
            path = pathlib.Path(folder, file)
            ending = path.suffix.lower()
            if ending not in SUFFIXES + UNREAD:
                continue
            if file.startswith("._") or "__MACOSX" in path.parts:
                left_out["macOS metadata"] += 1
            elif ending in UNREAD:
                left_out[f"{ending} not read, save as .png or .jpg"] += 1
            elif path.is_symlink() and inside not in path.resolve().parents:
                left_out["links out of the folder"] += 1
            else:
                names.append(path.relative_to(root).as_posix())
    return sorted(names), dict(left_out)


def _held_out(names: np.ndarray, is_stored: bool) -> np.ndarray:
    """Mask of the held-out files, bool [len(names)]."""
    position = np.array([
        int.from_bytes(hashlib.sha256(name).digest()[:4], "big")
        for name in names]) / 2.0**32
    wanted = int(np.count_nonzero(position < _TEST_FRACTION))
    if is_stored:
        wanted = min(wanted, MOST_HELD_OUT)
    num_test = min(max(wanted, 1), len(names) - 1)
    held_out = np.zeros(len(names), bool)
    held_out[np.argsort(position, kind="stable")[:num_test]] = True
    return held_out
