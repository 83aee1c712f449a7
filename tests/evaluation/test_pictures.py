"""Tests of grids, files of pictures and figures."""

import os

from PIL import Image
import numpy as np
import pytest

from lebm_tf.evaluation import pictures, plots, training_curves


def test_a_grid_holds_every_picture_in_its_place(numbers):
    images = numbers.randint(0, 256, (5, 4, 6, 3)).astype(np.uint8)
    tiles = pictures.grid(images, 3)
    assert tiles.shape == (4 * 2 + 1, 6 * 3 + 2, 3)
    np.testing.assert_array_equal(tiles[:4, :6], images[0])
    np.testing.assert_array_equal(tiles[5:, 7:13], images[4])
    assert (tiles[4] == 255).all() and (tiles[5:, 14:] == 255).all()


def test_a_grid_takes_floats_and_single_channels():
    tiles = pictures.grid(np.array([-1.0, 0.0, 2.0]).reshape(3, 1, 1, 1), 3)
    assert tiles[0, ::2, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("images, columns", [
    (np.zeros([2, 3, 3, 1]), 0), (np.zeros([0, 3, 3, 1]), 1),
    (np.zeros([2, 3, 3]), 1), (np.zeros([2, 3, 3, 2]), 1)])
def test_what_is_not_a_grid_is_refused(images, columns):
    with pytest.raises(ValueError, match="must"):
        pictures.grid(images, columns)


def test_small_pictures_are_enlarged_by_whole_pixels(numbers):
    image = numbers.randint(0, 256, (8, 8, 3)).astype(np.uint8)
    large = pictures.enlarge(image, 64)
    assert large.shape == (64, 64, 3)
    np.testing.assert_array_equal(large[::8, ::8], image)
    assert pictures.enlarge(large, 10).shape == large.shape


def test_a_png_file_holds_the_pixels(tmp_path, numbers):
    image = numbers.randint(0, 256, (9, 7, 3)).astype(np.uint8)
    path = str(tmp_path / "new" / "picture.png")
    pictures.save_png(path, image)
    with Image.open(path) as file:
        np.testing.assert_array_equal(np.asarray(file), image)


def test_an_error_leaves_the_old_file(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        pictures.save_png(str(path), np.zeros([2, 2, 2, 2, 3]))
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["picture.png"]


def test_training_curves_take_rows_that_differ(tmp_path):
    history = [{"step": 10 * i, "loss/energy": -0.1 * i,
                "positive/energy": 1.0 + i, "negative/energy": 1.5 + i,
                "positive/accept_prob": 0.5 + 0.01 * i,
                "gradient_norm/energy": 10.0 + i} for i in range(1, 6)]
    del history[2]["loss/energy"]
    path = str(tmp_path / "training.png")
    training_curves(path, history)
    with Image.open(path) as file:
        assert file.size[0] > 800
    first = open(path, "rb").read()
    training_curves(path, history)
    assert open(path, "rb").read() == first


def test_a_model_without_chains_has_no_panel_of_them(tmp_path):
    """Its states do not move, and all are accepted."""
    path = str(tmp_path / "training.png")

    def width(**values):
        training_curves(path, [{"loss/nll": 1.0, **values}] * 2)
        with Image.open(path) as file:
            return file.size[0]

    still = {"positive/displacement": 0.0, "positive/accept_prob": 1.0}
    assert width(**still) == width() < width(
        **{**still, "positive/displacement": 0.1})


@pytest.mark.parametrize("history", [[], [{"step": 1}]])
def test_curves_of_nothing_are_refused(history, tmp_path):
    with pytest.raises(ValueError, match="history must hold rows"):
        training_curves(str(tmp_path / "training.png"), history)


@pytest.mark.parametrize("is_logarithmic", [False, True])
def test_chains_of_one_step_can_be_drawn(is_logarithmic, tmp_path):
    path = str(tmp_path / "chains.png")
    plots.chains(path, plots.ChainFigure(
        np.zeros([2, 2, 8, 8, 1]), np.array([0, 1]), np.array([0, 1]),
        np.ones([2, 3]), 1, "one step", is_logarithmic))
    assert os.path.getsize(path) > 1000
