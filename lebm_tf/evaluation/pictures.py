"""Grids of images, and PNG files."""

import math
from typing import Any, Sequence

from PIL import Image
import numpy as np

from lebm_tf.datasets import to_uint8
from lebm_tf.files import atomic_path

_MARGIN = 1  # Pixels between two images, before enlargement.
_DPI = 100
_CAPTION_INCHES = 0.32


def grid(images, columns: int) -> np.ndarray:
    """Tiles images row by row, with a white line between them.

    Args:
        images: [num_images, height, width, channels], uint8, or float in [-1,
            1]; channels is 1 or 3.
        columns: Images per row, at least 1; the last row is padded with white.

    Returns:
        The grid, uint8 [height, width, 3].

    Raises:
        ValueError: If there is no image, or `columns` is below 1.
    """
    if columns < 1:
        raise ValueError(f"columns must be >= 1, got {columns}.")
    images = np.asarray(to_uint8(images))
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not len(images):
        raise ValueError("images must have shape [N, H, W, C] with N >= 1 and "
                         f"C = 1 or 3, got {list(images.shape)}.")
    num_images, height, width, _ = images.shape
    images = np.broadcast_to(images, (*images.shape[:-1], 3))
    rows = math.ceil(num_images / columns)
    cell = (height + _MARGIN, width + _MARGIN)
    canvas = np.full((rows * cell[0] - _MARGIN, columns * cell[1] - _MARGIN,
                      3), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * cell[0], i % columns * cell[1]
        canvas[top:top + height, left:left + width] = image
    return canvas


def enlarge(picture: np.ndarray, smallest: int = 256) -> np.ndarray:
    """Repeats pixels until the longer side has about `smallest` pixels or more.

    Args:
        picture: uint8 [height, width, channels].
        smallest: Side in pixels; the factor is rounded to the nearest integer.
    """
    factor = max(1, round(smallest / max(picture.shape[:2])))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def save_png(path: str, picture: np.ndarray) -> None:
    """Writes uint8 [height, width, 3] or [height, width] as a PNG file,
    atomically."""
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, format="png")


def new_figure(**settings: Any) -> Any:
    """A `matplotlib.figure.Figure` with these arguments and without a window.

    Matplotlib is imported here, since runs start sooner without it.
    """
    from matplotlib.figure import Figure
    return Figure(**settings)


def save_figure(path: str, figure: Any) -> None:
    """Draws a figure of `new_figure` into a PNG file, atomically."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        # Without the version of Matplotlib, equal runs give equal bytes.
        figure.savefig(temporary, format="png", dpi=_DPI,
                       metadata={"Software": None})


def save_panels(path: str, panels: Sequence[tuple[str, np.ndarray]],
                columns: int, smallest: int = 480) -> None:
    """Writes grids side by side, each under its caption.

    Args:
        path: File ending in .png.
        panels: (caption, images as for `grid`), at least one.
        columns: Images per row of every grid.
        smallest: Approximate minimum of the longer side of every grid, in
            pixels.
    """
    grids = [enlarge(grid(images, columns), smallest) for _, images in panels]
    height = max(picture.shape[0] for picture in grids) / _DPI
    width = max(picture.shape[1] for picture in grids) / _DPI
    gap = 0.15
    size = (len(grids) * (width + gap) + gap, height + _CAPTION_INCHES + gap)
    figure = new_figure(figsize=size, dpi=_DPI)
    for i, ((caption, _), picture) in enumerate(zip(panels, grids)):
        left, inches = gap + i * (width + gap), picture.shape[0] / _DPI
        axes = figure.add_axes((
            left / size[0], (size[1] - _CAPTION_INCHES - inches) / size[1],
            picture.shape[1] / _DPI / size[0], inches / size[1]))
        axes.imshow(picture, interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(caption, fontsize=10)
    save_figure(path, figure)


def square_columns(num_images: int) -> int:
    """Number of columns of an approximately square grid, at least 1."""
    return max(1, math.ceil(math.sqrt(num_images)))
