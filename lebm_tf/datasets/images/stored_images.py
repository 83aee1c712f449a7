"""Images on disk, decoded when they are used."""

import abc
import os
from typing import BinaryIO, Sequence

from PIL import Image, ImageOps, UnidentifiedImageError
import numpy as np
import tensorflow as tf

from lebm_tf.datasets.images import scan as scans
from lebm_tf.datasets.images.framing import Framing
from lebm_tf.datasets.stored import Stored
from lebm_tf.errors import InputError


class StoredImages(Stored):
    """Encoded images, uint8 [num, size, size, channels] when read.

    Args:
        numbers, checksums: As in `Stored`.
        framing: Crop and resize.
        example_shape: (height, width, channels).
    """

    def __init__(self, numbers: np.ndarray, checksums: np.ndarray,
                 framing: Framing, example_shape: Sequence[int]):
        super().__init__(numbers, checksums, example_shape, np.uint8)
        self.framing = framing

    @abc.abstractmethod
    def decoded(self, number: int) -> np.ndarray:
        """Decodes one image, uint8 [height, width, channels].

        Raises:
            InputError: If it cannot be read.
        """

    def examples(self, numbers: tf.Tensor) -> tf.Tensor:
        def read(numbers):
            # Framed one by one, since images may be far larger than wanted.
            return np.concatenate([self.framing(
                self.decoded(int(number))[None], f"image {number}")
                for number in numbers])
        # Without state, or TensorFlow would read one batch after the other.
        images = tf.numpy_function(read, [numbers], tf.uint8, stateful=False)
        return tf.ensure_shape(images, [*numbers.shape, *self.shape[1:]])


class FolderImages(StoredImages):
    """The image files of a folder.

    Args:
        name: Name of the data, for messages.
        root: The folder.
        scan: Its files; none of those in `numbers` is broken.
        framing: Crop and resize, with an `image_size`.
        numbers: Rows of the scan, int64 [num]; default: all.
    """

    def __init__(self, name: str, root: str, scan: scans.Scan,
                 framing: Framing, numbers: np.ndarray | None = None):
        if numbers is None:
            numbers = np.arange(len(scan.names))
        super().__init__(numbers, scan.checksums[numbers], framing,
                         (framing.image_size, framing.image_size, 3))
        self.name, self.root, self.scan = name, root, scan

    def taken(self, rows: np.ndarray | slice) -> "FolderImages":
        return FolderImages(self.name, self.root, self.scan, self.framing,
                            self.numbers[rows])

    def decoded(self, number: int) -> np.ndarray:
        path = self.scan.path(self.root, number)
        scans.check_unchanged(self.name, path, int(self.scan.sizes[number]))
        return read_image(path, f"{self.name}: {path}")


def read_image(file: str | os.PathLike | BinaryIO, what: str,
               channels: int = 3) -> np.ndarray:
    """Reads an image, uint8 [height, width, channels].

    Args:
        file: The file, or its path.
        what: Name of the image, the start of error messages.
        channels: 3 for color, 1 for grey.

    Raises:
        InputError: If it cannot be read, or has other than 8 bits per channel.
    """
    try:
        with Image.open(file) as opened:
            if opened.mode[0] in "IF":  # Pillow would clip these, not scale.
                raise InputError(f"{what} must have 8 bits per channel, got "
                                 f"Pillow mode {opened.mode}.")
            image = ImageOps.exif_transpose(opened).convert("RGB")
            if channels == 1:
                return np.asarray(image.convert("L"))[..., None]
            return np.asarray(image)
    except InputError:
        raise
    except UnidentifiedImageError as error:  # Its text names the object.
        raise InputError(f"{what} cannot be read as an image: unknown format."
                         ) from error
    # Pillow raises OSError for broken files, but also SyntaxError for PNG
    # chunks and ValueError for sizes.
    except (OSError, SyntaxError, ValueError,
            Image.DecompressionBombError) as error:
        raise InputError(
            f"{what} cannot be read as an image: {error}.") from error
