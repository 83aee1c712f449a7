"""Tests of cropping and resizing."""

from PIL import Image
import numpy as np
import pytest

from lebm_tf.datasets.images.framing import Framing, parse_framing
from lebm_tf.errors import InputError

PICTURES = np.random.default_rng(0).integers(
    0, 256, [2, 30, 41, 3]).astype(np.uint8)


def test_nothing_asked_nothing_done():
    np.testing.assert_array_equal(Framing()(PICTURES, "toy"), PICTURES)


def test_a_crop_is_a_slice():
    framed = parse_framing("2, 3,10,12", 0)(PICTURES, "toy")
    np.testing.assert_array_equal(framed, PICTURES[:, 2:12, 3:15])


@pytest.mark.parametrize("size", [8, 30, 64])
def test_a_resize_of_the_centre_square_agrees_with_pillow(size):
    framed = Framing(image_size=size)(PICTURES, "toy")
    square = Image.fromarray(PICTURES[1, :, 5:35])
    expected = square.resize((size, size), Image.Resampling.BILINEAR)
    assert framed.shape == (2, size, size, 3) and framed.dtype == np.uint8
    # Pillow rounds between its two passes, so one level may differ.
    np.testing.assert_allclose(
        framed[1].astype(int), np.asarray(expected).astype(int), atol=1)


def test_floats_stay_floats_in_their_range():
    floats = PICTURES.astype(np.float32) / 127.5 - 1.0
    framed = Framing(image_size=50)(floats, "toy")
    assert framed.dtype == np.float32
    assert -1.0 <= framed.min() and framed.max() <= 1.0


@pytest.mark.parametrize("crop", ["1,2,3", "a,b,c,d", "-1,0,4,4", "0,0,0,4",
                                  "0,0,4,4.5", "1;2;3;4"])
def test_a_malformed_crop_is_quoted(crop):
    with pytest.raises(InputError, match='must be "top,left,height,width".*'
                                         f"got '{crop}'"):
        parse_framing(crop, 0)


def test_a_crop_outside_the_picture_is_refused_with_both_sizes():
    with pytest.raises(InputError, match=r"crop \(25, 0, 10, 10\).* lie "
                                         "inside the image, got 30x41 "
                                         "images in toy"):
        parse_framing("25,0,10,10", 8)(PICTURES, "toy")


def test_a_negative_image_size_is_refused():
    with pytest.raises(InputError, match="image_size must be >= 0, got -1"):
        parse_framing("", -1)
