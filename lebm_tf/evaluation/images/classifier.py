"""A small classifier of the data's own labels, for its features.

It needs no download and no natural images, in contrast to Inception, and
separates digits better. Its distances compare models of one data set with each
other, never with published numbers.
"""

import json
import zlib

import keras
import numpy as np
import tensorflow as tf

from lebm_tf.datasets import ImageData, Stored, to_model, train_batches
from lebm_tf.datasets.stored import named_failures
from lebm_tf.errors import InputError
from lebm_tf.evaluation import weights

NUM_FEATURES = 64
_BATCH_SIZE = 128
# Independent of the run's seed: one classifier per data set.
_SEED = 20_200_615
_LEARNING_RATE = 1e-3


def load(data: ImageData, num_steps: int, path: str = ""
         ) -> tuple[keras.Model, float | None]:
    """Returns features of the classifier of `trained`.

    Args:
        data, num_steps, path: As in `trained`.

    Returns:
        The network without its last layer, from images to features [batch, 64],
        and the accuracy on held-out images in [0, 1]; None without labels.

    Raises:
        InputError: If the training images have no labels.
    """
    network = trained(data, num_steps, path)
    accuracy = None
    if data.y_test is not None:
        accuracy = float(np.mean(
            predicted(network, data.x_test) == data.y_test))
    features = keras.Model(network.inputs, network.layers[-2].output)
    return tf.function(lambda x: features(x, training=False),
                       reduce_retracing=True), accuracy


def predicted(network: keras.Model, images) -> np.ndarray:
    """Labels predicted by a classifier, int64 [num_images], for images in
    uint8, or float in [-1, 1]."""
    return network.predict(np.asarray(to_model(images)), batch_size=500,
                           verbose=0).argmax(-1)


def trained(data: ImageData, num_steps: int, path: str = "") -> keras.Model:
    """Trains the classifier, or reads it from a file if it matches.

    Initial weights and the order of the data have fixed seeds, and nothing else
    is random, so results are exactly reproducible on one machine; another
    machine or a GPU reproduces them up to rounding errors, which training
    amplifies.

    Args:
        data: Images with training labels.
        num_steps: Training steps of 128 images, >= 1.
        path: File that keeps the weights (.npz); "" for none. It is overwritten
            if it belongs to other data or another `num_steps`.

    Returns:
        A network from images, float32 in [-1, 1], to logits [batch,
        num_classes].

    Raises:
        InputError: If the training images have no labels.
    """
    check(data)
    network = _network(data.shape, data.num_classes)
    key = _key(data, num_steps)
    kept = path and weights.read(
        path, key, [weight.shape for weight in network.weights])
    if kept:
        network.set_weights(kept)
    else:
        _train(network, data, num_steps)
        if path:
            weights.write(path, key, network.get_weights())
    return network


def check(data: ImageData) -> None:
    """Raises InputError if the training images have no labels."""
    if data.y_train is None:
        raise InputError(
            "features=classifier needs training labels, got none in "
            f"{data.name}; use features=inception.")


def _network(shape, num_classes) -> keras.Model:
    """Convolutions that halve the side down to 8 or less, at least once."""
    seeds = iter(range(_SEED, _SEED + 100))

    def options(activation="gelu"):
        return {"activation": activation, "kernel_initializer":
                keras.initializers.HeNormal(next(seeds)), "dtype": "float32"}

    inputs = keras.Input(shape)
    x = keras.layers.Conv2D(32, 3, padding="same", **options())(inputs)
    side, width = max(shape[:2]), 32
    while side > 8 or width == 32:
        x = keras.layers.Conv2D(
            width, 3, strides=2, padding="same", **options())(x)
        side, width = (side + 1) // 2, 64
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(NUM_FEATURES, **options())(x)
    return keras.Model(inputs, keras.layers.Dense(
        num_classes, **options("linear"))(x))


def _train(network, data, num_steps):
    batch_size = min(_BATCH_SIZE, len(data.x_train))
    batches = train_batches(data, batch_size, _SEED).map(
        lambda batch: (batch["x"], batch["y"]))
    network.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(
            _LEARNING_RATE, num_steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False)
    with named_failures():
        network.fit(batches, steps_per_epoch=num_steps, epochs=1, verbose=0,
                    shuffle=False)


def _key(data, num_steps) -> str:
    """Text that identifies what the weights depend on."""
    checksums = [part.digest if isinstance(part, Stored)
                 else zlib.crc32(np.ascontiguousarray(part).data)
                 for part in (data.x_train, data.y_train)]
    return json.dumps([1, data.name, data.shape, data.num_classes,
                       num_steps, *checksums])
