"""Ladders of maps: what they make, and what they refuse."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.networks import LadderEncoder, LadderGenerator
from tests import oracles

Z = tuple(tf.random.normal([2, width]) for width in (4, 3, 2))


def generator(merge, shape=(8, 8, 3), channels=(3, 4, 5), **kwargs):
    return LadderGenerator(
        (4, 3, 2), shape, channels if merge == "concatenate" else channels[:2],
        6, 2, merge, **kwargs)


def again(layer):
    config = json.loads(json.dumps(
        keras.saving.serialize_keras_object(layer)))
    twin = keras.saving.deserialize_keras_object(config)
    twin.set_weights(layer.get_weights())
    return twin


@pytest.mark.parametrize("merge", ["concatenate", "add"])
def test_every_layer_changes_the_picture(merge):
    layer = generator(merge)
    x = layer(Z)
    assert (x.shape, x.dtype) == ((2, 8, 8, 3), tf.float32)
    assert np.max(np.abs(x)) <= 1
    for i in range(3):
        moved = tuple(z + (j == i) for j, z in enumerate(Z))
        assert np.any(layer(moved) != x)
    np.testing.assert_array_equal(again(layer)(Z), x)


@pytest.mark.parametrize("merge", ["concatenate", "add"])
def test_pictures_are_in_full_precision_under_a_mixed_policy(merge):
    x, mixed = (generator(merge, dtype=dtype)(Z)
                for dtype in ("float32", "mixed_bfloat16"))
    assert mixed.dtype == tf.float32
    np.testing.assert_allclose(mixed, x, atol=0.05)


def test_an_encoder_has_a_gaussian_for_every_layer():
    layer, x = LadderEncoder((4, 3, 2), (8, 8, 3), (3, 4), 5), tf.ones(
        [2, 8, 8, 3])
    means, scales = layer(x)
    for found in (means, scales):
        assert [leaf.shape for leaf in found] == [(2, 4), (2, 3), (2, 2)]
    oracles.assert_nests_equal(again(layer)(x), (means, scales))


@pytest.mark.parametrize("make, message", [
    (lambda: generator("sum"),
     "merge must be one of concatenate, add, got 'sum'."),
    (lambda: generator("add", (16, 16, 3)), "the generator makes 8x8 images "
     "(base_size 2, 3 layers), got images of 16x16."),
    (lambda: generator("concatenate", channels=(3, 4)), "channels must have 3 "
     "numbers for 3 layers with merge=concatenate, got 2."),
    (lambda: LadderEncoder((4, 3), (8, 8, 3), (3, 4)), "channels must have one "
     "number for each layer except the top, got 2 for 2 layers.")])
def test_what_does_not_fit_is_refused(make, message):
    with oracles.raises(ValueError, message):
        make()
