"""A user's images: a folder of image files."""

import collections
import hashlib
import os
import pathlib

from PIL import Image, ImageOps
import numpy as np

from lebm_tf.datasets.images.data import ImageData
from lebm_tf.datasets.images.framing import Framing
from lebm_tf.datasets.reading import met
from lebm_tf.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
# Formats that are not read: Pillow lacks them, or scales them inconsistently.
UNREAD = (".avif", ".cr2", ".dng", ".heic", ".heif", ".jp2", ".jxl", ".nef",
          ".psd", ".svg", ".tif", ".tiff")
DEFAULT_IMAGE_SIZE = 64
_TEST_FRACTION = 0.1


def load_folder(name: str, path: str, framing: Framing) -> ImageData:
    """Reads all images below a folder, as RGB squares.

    Files are read in the order of their relative names. Of an animation the
    first frame is read, transparency is dropped, and the orientation noted by a
    camera is applied. About 10% are held out, by a hash of the relative name,
    so an image keeps its part when others are added or removed, except that
    each part holds at least one. Files that macOS adds, links out of the
    folder, and other image formats (`UNREAD`) are skipped and counted.

    Args:
        name: Name of the data, for messages.
        path: The folder, with subfolders; links to folders are not followed.
        framing: Crop and resize; image_size 0 means 64.

    Raises:
        InputError: If there are fewer than two images, or one cannot be read.
    """
    root = pathlib.Path(path)
    if not root.is_dir():
        raise InputError(f"{name}: needs a folder, got no folder at {path}.")
    files, counts = _find_pictures(root)
    if len(files) < 2:
        raise InputError(
            f"{name}: needs at least 2 images ({', '.join(SUFFIXES)}), one to "
            f"train on and one to hold out, got {len(files)} in "
            f"{path}{met(counts)}.")
    framing = Framing(framing.crop, framing.image_size or DEFAULT_IMAGE_SIZE)
    images = np.concatenate(
        [framing(_read_rgb(root / file, name)[None], file) for file in files])
    held_out = _held_out(files)
    return ImageData(name, images[~held_out], images[held_out], counts=counts)


def read_pictures(path: str, shape: tuple[int, int, int]
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
        image = _read_rgb(root / file, path)
        if image.shape[:2] != tuple(shape[:2]):
            raise InputError(
                f"{root / file} must be {shape[0]}x{shape[1]} pixels as in "
                f"training, got {image.shape[0]}x{image.shape[1]}.")
        if shape[-1] == 1:
            image = np.asarray(Image.fromarray(image).convert("L"))[..., None]
        images.append(image)
    return files, np.stack(images)


def _find_pictures(root: pathlib.Path) -> tuple[list[str], dict[str, int]]:
    """Relative names of the images with "/", sorted; and counts of skipped
    files."""
    names, left_out = [], collections.Counter()
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


def _read_rgb(path: pathlib.Path, name: str) -> np.ndarray:
    """Reads an image, uint8 [height, width, 3]."""
    try:
        with Image.open(path) as image:
            if image.mode[0] in "IF":  # Pillow would clip these, not scale.
                raise InputError(
                    f"{name}: {path} must have 8 bits per channel, got Pillow "
                    f"mode {image.mode}.")
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except InputError:
        raise
    # Pillow raises UnidentifiedImageError (an OSError) for broken files, but
    # also SyntaxError for PNG chunks and ValueError for sizes.
    except (OSError, SyntaxError, ValueError,
            Image.DecompressionBombError) as error:
        raise InputError(
            f"{name}: {path} cannot be read as an image: {error}") from error


def _held_out(files: list[str]) -> np.ndarray:
    """Mask of the held-out files, bool [len(files)]."""
    position = np.array([
        int.from_bytes(hashlib.sha256(file.encode()).digest()[:4], "big")
        for file in files]) / 2.0**32
    wanted = np.count_nonzero(position < _TEST_FRACTION)
    num_test = min(max(wanted, 1), len(files) - 1)
    held_out = np.zeros(len(files), bool)
    held_out[np.argsort(position, kind="stable")[:num_test]] = True
    return held_out
