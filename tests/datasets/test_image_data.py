"""Tests of `ImageData` and of the map between pixels and model units."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.datasets.images.data import ImageData, to_model, to_uint8
from lebm_tf.errors import InputError

PICTURES = np.zeros([3, 4, 5, 1], np.uint8)
LABELS = np.array([0, 6, 2])


def test_every_pixel_level_survives_the_round_trip():
    levels = np.arange(256, dtype=np.uint8)
    units = to_model(levels)
    assert units.dtype == tf.float32
    assert units[0] == -1.0 and units[-1] == 1.0
    np.testing.assert_array_equal(to_uint8(units), levels)


def test_float_pictures_are_in_model_units_already():
    units = np.array([-1.0, 0.25, 1.0], np.float32)
    np.testing.assert_array_equal(to_model(units), units)


def test_model_output_is_clipped_and_rounded_to_the_nearest_level():
    output = np.array([-7.0, -1.0 + 0.6 / 127.5, 1.001, 1e9], np.float32)
    np.testing.assert_array_equal(to_uint8(output), [0, 1, 255, 255])


def test_shape_and_number_of_classes_come_from_the_arrays():
    data = ImageData("toy", PICTURES, PICTURES, LABELS, np.array([0, 9, 1]))
    assert data.shape == (4, 5, 1)
    assert data.num_classes == 10
    assert ImageData("toy", PICTURES, PICTURES).num_classes == 0


@pytest.mark.parametrize("changes, message", [
    (dict(x_train=PICTURES.astype(np.int32)),
     "x_train must be uint8 or float, got int32"),
    (dict(x_test=PICTURES[0, 0]), r"\[N, H, W\] or .*, got \[5, 1\]"),
    (dict(x_test=PICTURES.reshape(3, 1, 4, 5)), r"C = 1 or 3, got \[3, 1, 4"),
    (dict(x_test=PICTURES[:0]), r"at least one image, got shape \[0, 4, 5"),
    (dict(x_test=PICTURES[:, 1:]),
     r"x_train and x_test must .* got \[4, 5, 1\] uint8 and \[3, 5, 1\]"),
    (dict(x_test=PICTURES.astype(np.float32)), "uint8 and .* float32"),
    (dict(y_train=LABELS[:2]), r"y_train must have shape \[3\], .* got \[2\]"),
    (dict(y_test=LABELS * 0.5), "y_test must hold integer .*, got float64"),
    (dict(y_test=LABELS - 1), "class numbers from 0 to 999, got -1 to 5"),
])
def test_a_wrong_array_is_named_with_what_came(changes, message):
    arrays = dict(x_train=PICTURES, x_test=PICTURES) | changes
    with pytest.raises(InputError, match=f"^toy: .*{message}"):
        ImageData("toy", **arrays)


def test_non_finite_pixels_are_counted_and_located():
    floats = np.zeros([3, 4, 5, 1], np.float32)
    floats[1, 2, 3, 0], floats[2, 0, 0, 0] = np.nan, np.inf
    with pytest.raises(InputError, match=r"got 2 NaN or infinite of 60 "
                                         r"values, first at \[1, 2, 3, 0\]"):
        ImageData("toy", floats, floats)


def test_floats_outside_the_model_range_are_refused():
    floats = np.full([3, 4, 5, 1], 200.0, np.float32)
    with pytest.raises(InputError, match="got values from 200 to 200; store"):
        ImageData("toy", floats, floats)
