"""Features of MobileNet (Howard et al. 2017, arXiv:1704.04861), for colour
images on a CPU.

They cost a tenth of those of Inception. Distances in them compare models with
each other, and never with published Frechet inception distances.
"""

import os
from typing import Callable
import zipfile

import keras
import numpy as np
import tensorflow as tf

from lebm_tf.errors import InputError

BATCH_SIZE = 50
NUM_FEATURES = 1024
_SIDE = 128
_LAST = "conv_pw_12_relu"
_GET = ("mobilenet_weights must be a file with the ImageNet weights of "
        "Keras' MobileNet (alpha 1.0): .h5 as Keras stores them, or .npz with "
        "arrays LAYER__WEIGHT")


def load(path: str) -> Callable[[np.ndarray], np.ndarray]:
    """Loads the network up to its 12th block, averaged over space.

    Args:
        path: Weights, .h5 or .npz.

    Returns:
        Function from images in [-1, 1], float [batch, height, width, 1 or 3],
        resized to 128 x 128, to features, float32 [batch, 1024].

    Raises:
        InputError: If the file is missing or has other weights.
    """
    path = os.path.expanduser(path)
    check(path)
    full = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(_SIDE, _SIDE, 3))
    network = keras.Model(full.input, keras.layers.GlobalAveragePooling2D()(
        full.get_layer(_LAST).output))
    try:
        if path.endswith(".npz"):
            _assign(network, path)
        else:
            full.load_weights(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise InputError(f"{_GET}; got {path!r}: {reason}") from error

    @tf.function(input_signature=[
        tf.TensorSpec([None, None, None, 3], tf.float32)])
    def extract(images):
        return network(tf.image.resize(images, (_SIDE, _SIDE)),
                       training=False)
    return lambda images: extract(
        images if images.shape[-1] == 3 else np.repeat(images, 3, -1))


def check(path: str) -> None:
    """Raises InputError, saying what is needed, if there is no such file."""
    if not os.path.isfile(os.path.expanduser(path)):
        raise InputError(f"{_GET}; got {path!r}, which does not exist.")


def _assign(network, path):
    """Weights of each layer, in the order of the file."""
    with np.load(path, allow_pickle=False) as arrays:
        kept: dict[str, list] = {}
        for name in arrays.files:
            kept.setdefault(name.split("__")[0], []).append(
                arrays[name].astype(np.float32))
    for layer in network.layers:
        if layer.weights:
            layer.set_weights(kept[layer.name])
