"""Files of translated images."""

import os

import numpy as np

from lebm_tf.datasets import to_uint8
from lebm_tf.evaluation import pictures
from lebm_tf.files import atomic_path
from lebm_tf.models.domains import Translation

_COLUMNS = 3


def write(output: str, x: np.ndarray, moved: Translation,
          names: list[str] | None = None) -> None:
    """Writes translations.

    Args:
        output: A file ending in .png, for rows of image, translation and
            revision; one ending in .npz, for arrays of them with energies; or a
            folder, for a PNG file of each revision.
        x: Source images, float [num, height, width, channels].
        moved: Their translations.
        names: File names in a folder, with any ending; default: numbers. They
            may include subfolders.
    """
    ending = os.path.splitext(output)[1].lower()
    if ending == ".npz":
        with atomic_path(output) as temporary:
            np.savez(temporary, input=to_uint8(x), x=to_uint8(moved.x),
                     translation=to_uint8(moved.start), energy=moved.energy,
                     translation_energy=moved.start_energy)
    elif ending == ".png":
        rows = np.stack([x, moved.start, moved.x], 1).reshape(-1, *x.shape[1:])
        pictures.save_png(
            output, pictures.enlarge(pictures.grid(rows, _COLUMNS)))
    else:
        names = names or [f"{i:05}" for i in range(len(x))]
        stems = [os.path.splitext(name)[0] for name in names]
        if len(set(stems)) < len(names):  # As of a.jpg beside a.png.
            stems = names
        for stem, image in zip(stems, to_uint8(moved.x).numpy()):
            path = os.path.join(output, stem + ".png")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            pictures.save_png(path, image[..., 0] if (
                image.shape[-1] == 1) else image)
