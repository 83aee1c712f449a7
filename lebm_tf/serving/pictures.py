"""Images as PNG files in requests and results, so that clients need no tensor
code."""

import dataclasses

import tensorflow as tf

from lebm_tf.datasets import to_model, to_uint8
from lebm_tf.serving.rows import Field

_BYTES_FOR_TEXT = 65_536  # Allowance for data other than pixels.


@dataclasses.dataclass(frozen=True)
class Png(Field):
    """An input of PNG files, decoded to images in [-1, 1].

    Palettes, grey, alpha and 16 bits are converted to 8 bits of the model's
    channels, as in `tf.io.decode_png`.

    Attributes:
        picture: (height, width, channels) of the model.
    """
    picture: tuple[int, ...] = (0, 0, 0)

    def read(self, name, value):
        """Images, and an error message for each file.

        A decoder fails the whole call for one damaged file. So files are
        decoded one by one in a `tf.data` pipeline, which can skip those that
        fail. Files that are too long, or whose header states another size, are
        not decoded at all, so memory is bounded.
        """
        height, width, channels = self.picture
        size = tf.strings.length(value)
        fits = (tf.strings.substr(value, 0, 24) == self.head()) & (
            size <= self.max_bytes())
        indices, found = _decode(
            tf.where(fits, value, ""), self.picture)
        rows = tf.size(value, tf.int64)
        pixels = tf.scatter_nd(indices, tf.cast(found, tf.int32), tf.stack(
            [rows, height, width, channels]))
        read = tf.scatter_nd(indices, tf.ones_like(indices[:, 0]), [rows]) > 0
        pixels = tf.ensure_shape(pixels, [None, *self.picture])
        return to_model(tf.cast(pixels, tf.uint8)), tf.where(
            read, "", tf.strings.join([
                f"{name} must be a PNG file of {width}x{height} pixels and at "
                f"most {self.max_bytes()} bytes, "
                "got ", tf.strings.as_string(size),
                " bytes", tf.where(fits, " that can not be decoded.",
                                   " of another format or size.")]))

    def head(self) -> bytes:
        """First bytes of a PNG file of this size: magic number and sizes."""
        height, width, _ = self.picture
        return (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
                + width.to_bytes(4, "big") + height.to_bytes(4, "big"))

    def max_bytes(self) -> int:
        """Maximum length of a file: 16 bits in 4 channels, twice for
        interlacing and poor compression, and its texts."""
        return 16 * self.picture[0] * self.picture[1] + _BYTES_FOR_TEXT


def encode(x: tf.Tensor) -> tf.Tensor:
    """PNG files of images in [-1, 1]; "" for images that are not finite."""
    finite = tf.reduce_all(tf.math.is_finite(x), [1, 2, 3])
    pixels = to_uint8(tf.where(tf.math.is_finite(x), x, 0.0))
    return tf.where(finite, tf.io.encode_png(pixels), "")


def is_picture(shape: tuple[int, ...]) -> bool:
    """Whether observations of that shape can be PNG files."""
    return len(shape) == 3 and shape[-1] in (1, 3)


def _decode(files, shape):
    """Files that can be decoded: their indices, int64 [found, 1], and their
    pixels, uint8 [found, *shape]."""
    def one(index, file):
        picture = tf.io.decode_png(file, channels=shape[-1])
        return index, tf.ensure_shape(picture, shape)
    numbered = tf.data.Dataset.from_tensor_slices(
        (tf.range(tf.size(files, tf.int64)), files))
    # An extra image avoids an empty batch.
    last = tf.data.Dataset.from_tensors((
        tf.constant(-1, tf.int64), tf.zeros(shape, tf.uint8)))
    batch = numbered.map(one).ignore_errors().concatenate(last).batch(
        tf.size(files, tf.int64) + 1)
    indices, found = batch.get_single_element()
    return indices[:-1, None], found[:-1]
