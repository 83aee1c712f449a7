"""Cropping and resizing of data sets to one image size."""

import dataclasses

import numpy as np
import tensorflow as tf

from lebm_tf.errors import InputError

# Images resized at a time, to bound the float32 copy (64x64 RGB: 50 MB).
_CHUNK = 1024


@dataclasses.dataclass(frozen=True)
class Framing:
    """Crop and size of images.

    First `crop` is cut out. If `image_size` is positive, the centre square of
    the rest is then resized to image_size x image_size, bilinear with
    antialiasing (as Pillow's BILINEAR; the range of values is kept).

    Attributes:
        crop: (top, left, height, width) in pixels, or None for no crop.
        image_size: Side of the result in pixels; 0 keeps the size.

    Raises:
        InputError: If `image_size` is negative.
    """
    crop: tuple[int, int, int, int] | None = None
    image_size: int = 0

    def __post_init__(self):
        if self.image_size < 0:
            raise InputError(
                f"image_size must be >= 0, got {self.image_size}.")

    def __call__(self, images: np.ndarray, name: str) -> np.ndarray:
        """Crops and resizes images.

        Args:
            images: [N, H, W, C], uint8 or float32 in [-1, 1].
            name: Name of the images, for messages.

        Returns:
            [N, h, w, C], same dtype.

        Raises:
            InputError: If the crop exceeds the images.
        """
        images = self.cut(images, name)
        height = images.shape[1]
        size = self.image_size or height
        if height == size:
            return images
        framed = np.empty(
            (len(images), size, size, images.shape[-1]), images.dtype)
        for start in range(0, len(images), _CHUNK):
            framed[start:start + _CHUNK] = _resize(
                images[start:start + _CHUNK], size)
        return framed

    def cut(self, images: np.ndarray, name: str) -> np.ndarray:
        """The part of images that is kept, before it is resized; arguments and
        errors as of the call."""
        top, left, height, width = self._window(
            images.shape[1], images.shape[2], name)
        return np.ascontiguousarray(
            images[:, top:top + height, left:left + width])

    def _window(self, height: int, width: int, name: str):
        """The part to keep of a height x width image, as `crop`."""
        top, left, inner_height, inner_width = (
            self.crop or (0, 0, height, width))
        if top + inner_height > height or left + inner_width > width:
            raise InputError(
                f"crop {self.crop} (top, left, height, width) must lie inside "
                f"the image, got {height}x{width} images in {name}.")
        if self.image_size:
            side = min(inner_height, inner_width)
            top += (inner_height - side) // 2
            left += (inner_width - side) // 2
            inner_height = inner_width = side
        return top, left, inner_height, inner_width


def parse_framing(crop: str, image_size: int) -> Framing:
    """Parses the flags --crop and --image_size.

    Args:
        crop: "top,left,height,width" in pixels, or "" for no crop.
        image_size: Side of the result in pixels, or 0 to keep the size.

    Raises:
        InputError: If `crop` is not four such numbers, or `image_size` < 0.
    """
    if not crop:
        return Framing(image_size=image_size)
    fields = [field.strip() for field in crop.split(",")]
    digits = all(f.isascii() and f.isdigit() for f in fields)
    if len(fields) != 4 or not digits or not all(map(int, fields[2:])):
        raise InputError(
            'crop must be "top,left,height,width", four whole numbers of '
            f"pixels with height and width above 0, got {crop!r}.")
    top, left, height, width = map(int, fields)
    return Framing((top, left, height, width), image_size)


def _resize(images: np.ndarray, size: int) -> np.ndarray:
    """Resizes square images, [N, H, H, C], on the CPU for equal results on all
    machines."""
    with tf.device("CPU"):
        resized = tf.image.resize(images, [size, size], antialias=True).numpy()
    if images.dtype == np.uint8:
        return np.rint(np.clip(resized, 0.0, 255.0)).astype(np.uint8)
    return np.clip(resized, -1.0, 1.0)
