"""Image data sets by name."""

import os

import numpy as np

from lebm_tf.datasets.images.data import ImageData
from lebm_tf.datasets.images.files import PACKS, load_npz, load_packs, read_npz
from lebm_tf.datasets.images.folder import load_folder
from lebm_tf.datasets.images.framing import Framing
from lebm_tf.datasets.images.records import load_records
from lebm_tf.datasets.images.tfds import load_tfds

DIGITS_TEST_FRACTION = 0.25
DIGITS_SPLIT_SEED = 0


def _digits(name: str, path: str, framing: Framing) -> ImageData:
    """8x8 digits of scikit-learn: 1347 for training, 450 held out.

    The split is train_test_split(test_size=0.25, stratify=labels,
    random_state=0). Values 0..16 become 0..255, rounded half to even.
    """
    del path
    from sklearn import datasets, model_selection  # Slow to import.

    digits = datasets.load_digits()
    images = np.rint(digits.images * (255.0 / 16.0)).astype(np.uint8)
    x_train, x_test, y_train, y_test = model_selection.train_test_split(
        framing(images[..., None], name), digits.target.astype(np.int64),
        test_size=DIGITS_TEST_FRACTION, stratify=digits.target,
        random_state=DIGITS_SPLIT_SEED)
    return ImageData(name, x_train, x_test, y_train, y_test)


def _named(name: str, data_dir: str, framing: Framing) -> ImageData:
    """A public data set, from a file in `data_dir` or else tensorflow-datasets.
    """
    if data_dir:
        ready = os.path.join(data_dir, name, f"{name}.npz")
        if os.path.exists(ready):
            return load_npz(name, ready, framing)
        packs = [os.path.join(data_dir, p) for p in PACKS.get(name, ())]
        if packs and os.path.exists(packs[0]):
            return load_packs(name, packs, framing)
    return load_tfds(name, data_dir, framing)


def _usps(name: str, data_dir: str, framing: Framing) -> ImageData:
    """16x16 digits from envelopes, from <data_dir>/usps/usps.npz.

    `x_train` and `x_test` are int16 numbers 0..2000, thousandths of the
    original values in [-1, 1] plus 1; or as in `load_npz`.
    """
    path = os.path.join(data_dir, name, f"{name}.npz")
    arrays = read_npz(name, path, ("x_train", "x_test", "y_train", "y_test"))
    if arrays["x_train"].dtype != np.int16:
        return load_npz(name, path, framing)
    x_train, x_test = (framing(
        arrays[key].astype(np.float32)[..., None] / 1000.0 - 1.0, name)
        for key in ("x_train", "x_test"))
    y_train, y_test = (arrays[key].astype(np.int64)
                       for key in ("y_train", "y_test"))
    return ImageData(name, x_train, x_test, y_train, y_test)


DATASETS = {
    "digits": _digits,
    "usps": _usps,
    "mnist": _named,
    "fashion_mnist": _named,
    "svhn_cropped": _named,
    "cifar10": _named,
    "celeb_a": _named,
    "npz:FILE": load_npz,
    "folder:DIR": load_folder,
    "records:DIR": load_records,
}
# Those that take `StorageOptions`.
STORABLE = {"folder:DIR", "records:DIR"}
