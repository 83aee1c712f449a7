"""The Inception network of published Frechet distances.

Distances of the two networks are not comparable with each other:

- inception_2015: the graph of 2015-12-05 as a frozen TensorFlow graph (.pb),
  used for nearly all published numbers. As in the code of Heusel et al. 2017,
  arXiv:1706.08500: pixels 0..255 are fed to ExpandDims:0, the graph resizes
  them to 299 x 299 itself, and the features are pool_3:0.
- inception_keras: InceptionV3 of Keras Applications, trained on ImageNet.

Protocol of train_svhn.py of Pang et al. 2020, arXiv:2006.08205: 50,000 samples,
all training images as reference, pixels not rounded.
"""

import hashlib
import os
from typing import Callable
import urllib.request

from google.protobuf.message import DecodeError
import keras
import numpy as np
import tensorflow as tf

from lebm_tf.errors import InputError
from lebm_tf.files import atomic_path

BATCH_SIZE = 50
NUM_FEATURES = 2048
_SIDE = 299
_INPUT, _OUTPUT = "ExpandDims", "pool_3"
_NAME = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
_URL = ("https://storage.googleapis.com/tensorflow/keras-applications/"
        f"inception_v3/{_NAME}")
_MD5 = "bcbd6486424b2319ff4ef7d526e38f63"
_GET = ("an Inception network is needed in inception_weights: either "
        f"{_URL}, or classify_image_graph_def.pb out of "
        "http://download.tensorflow.org/models/image/imagenet/"
        "inception-2015-12-05.tgz")

Extract = Callable[[np.ndarray], np.ndarray]


def load(path: str = "") -> tuple[str, Extract]:
    """Loads the network.

    Args:
        path: Frozen graph (.pb), or weights of Keras' InceptionV3 without its
            top (.h5, .weights.h5, .keras). "" takes the latter from the Keras
            cache, and downloads them there if needed.

    Returns:
        The name of the network, and a function from images in [-1, 1], float
        [batch, height, width, 1 or 3], to features, float32 [batch, 2048].

    Raises:
        InputError: If the file is missing or does not contain that network, or
            the download fails; the message says how to get one.
    """
    path = os.path.expanduser(path) if path else _download()
    check(path)
    if path.endswith(".pb"):
        return "inception_2015", _frozen(path)
    return "inception_keras", _keras(path)


def check(path: str) -> None:
    """Raises InputError, saying how to get one, if the file is missing."""
    if not os.path.isfile(path):
        raise InputError(f"{_GET}; got {path!r}, which does not exist.")


def _keras(path) -> Extract:
    network = keras.applications.InceptionV3(
        include_top=False, weights=None, pooling="avg",
        input_shape=(_SIDE, _SIDE, 3))
    try:
        network.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise InputError(f"{_GET}; got {path!r}: {reason}") from error

    @tf.function(reduce_retracing=True)
    def extract(images):
        # These weights expect [-1, 1], the range of models.
        images = tf.image.resize(_colour(images), (_SIDE, _SIDE))
        return network(images, training=False)
    return extract


def _frozen(path) -> Extract:
    """Runs the graph in a session instead of a function, since it contains
    operations that TensorFlow removed at graph version 9, and runs at its own
    version 8."""
    definition = tf.compat.v1.GraphDef()
    with open(path, "rb") as file:
        try:
            definition.ParseFromString(file.read())
        except DecodeError as error:
            raise InputError(f"{_GET}; got {path!r}, which is not a graph."
                             ) from error
    names = {node.name for node in definition.node}
    if not {_INPUT, _OUTPUT} <= names:
        raise InputError(
            f"{_GET}; got {path!r}, a graph without {_INPUT} and {_OUTPUT}.")
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [None, None, None, 3])
        features, = tf.graph_util.import_graph_def(
            definition, {f"{_INPUT}:0": pixels}, [f"{_OUTPUT}:0"], name="")
    session = tf.compat.v1.Session(graph=graph)

    def extract(images):
        values = (_colour(np.asarray(images)) + 1.0) * 127.5
        values = session.run(features, {pixels: values})
        return values.reshape(len(values), -1)
    return extract


def _colour(images):
    """Repeats a single channel three times."""
    return images if images.shape[-1] == 3 else tf.repeat(
        images, 3, axis=-1) if tf.is_tensor(images) else np.repeat(
            images, 3, axis=-1)


def _download() -> str:
    """The Keras weights in the Keras cache, downloaded if needed."""
    home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    path = os.path.join(home, "models", _NAME)
    if os.path.isfile(path):
        return path
    try:
        with urllib.request.urlopen(_URL, timeout=60) as reply:
            content = reply.read()
    except OSError as error:
        raise InputError(f"{_GET}; got none, and the download failed: {error}"
                         ) from error
    if hashlib.md5(content).hexdigest() != _MD5:
        raise InputError(f"{_GET}; got none, and the download of "
                         f"{len(content)} bytes has a wrong checksum.")
    with atomic_path(path) as temporary:
        with open(temporary, "wb") as file:
            file.write(content)
    return path
