"""Tests of pictures from .npz files and packs of JPEG files."""

import io
import os
import pickle
import zipfile

from PIL import Image
from absl import logging
import numpy as np
import pytest

from lebm_tf import text_files
from lebm_tf.datasets.images.anomaly_split import anomaly_split
from lebm_tf.datasets.loading import load_dataset
from lebm_tf.errors import InputError

RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.integers(0, 256, [6, 5, 4]).astype(np.uint8)


def data_dir():
    """Folder with mnist/mnist.npz and its like, or skips the test."""
    folder = os.environ.get("LEBM_DATA_DIR", "")
    if not os.path.isfile(os.path.join(folder, "mnist", "mnist.npz")):
        pytest.skip("set LEBM_DATA_DIR to a folder with mnist/mnist.npz")
    return folder


@pytest.fixture
def save(tmp_path):
    """Writes arrays to an .npz file, returns the name of the data set."""
    def save_arrays(**arrays):
        np.savez(tmp_path / "mine.npz", **arrays)
        return f"npz:{tmp_path / 'mine.npz'}"
    return save_arrays


def test_pictures_without_a_channel_axis_get_one(save):
    data = load_dataset(save(x_train=PICTURES, x_test=PICTURES[:2]))
    np.testing.assert_array_equal(data.x_train[..., 0], PICTURES)
    assert data.shape == (5, 4, 1)
    assert data.y_train is None and data.y_test is None


def test_labels_become_int64(save):
    data = load_dataset(save(
        x_train=PICTURES, x_test=PICTURES, y_train=np.arange(6, dtype="u1"),
        y_test=np.arange(6, dtype="i4")))
    assert data.y_train.dtype == data.y_test.dtype == np.int64
    assert data.num_classes == 6


def test_floats_become_float32_and_half_a_range_is_warned_of(save, caplog):
    logging.use_absl_handler()
    floats = RANDOM.uniform(0, 1, [3, 4, 4, 3])
    with caplog.at_level("WARNING"):
        data = load_dataset(save(x_train=floats, x_test=-floats))
    assert data.x_train.dtype == np.float32
    assert "no pixel of x_train is negative" in caplog.text


@pytest.mark.parametrize("factor, warned", [(1, True), (15, True), (16, False)])
def test_dark_integers_are_warned_of(save, caplog, factor, warned):
    dark = np.uint8(PICTURES % 2 * factor)
    load_dataset(save(x_train=dark, x_test=dark))
    assert ("almost black" in caplog.text) == warned


def test_classes_are_the_labels_that_occur(save):
    y = np.array([100_000, 0, 7, 7, 0, 100_000])
    data = load_dataset(save(x_train=PICTURES, x_test=PICTURES,
                             y_train=y[:, None], y_test=y))
    np.testing.assert_array_equal(data.y_train, [2, 0, 1, 1, 0, 2])
    np.testing.assert_array_equal(data.y_test, data.y_train)
    assert data.classes == ("0", "7", "100000") and data.num_classes == 3
    left = anomaly_split(data, 7)
    assert set(left.y_train) == {0, 2} and set(left.y_test) >= {1}
    with pytest.raises(InputError, match="one of 0, 7, 100000, got 1"):
        anomaly_split(data, 1)


def test_labels_that_are_no_classes_are_refused(save):
    x = np.zeros([1500, 2, 2], np.uint8)
    with pytest.raises(InputError, match="at most 1,000 different .*got 1,500"):
        load_dataset(save(x_train=x, x_test=x, y_train=np.arange(1500)))


def test_image_size_and_crop_apply_to_both_parts(save):
    name = save(x_train=PICTURES, x_test=PICTURES[:1])
    data = load_dataset(name, crop="1,0,4,4", image_size=2)
    assert data.x_train.shape == (6, 2, 2, 1)
    assert data.x_test.shape == (1, 2, 2, 1)


@pytest.mark.parametrize("arrays, message", [
    (dict(x_train=PICTURES), "arrays x_train, x_test, got x_train in"),
    (dict(), "arrays x_train, x_test, got none in"),
    (dict(x_train=PICTURES[0], x_test=PICTURES), r"x_train .* got \[5, 4\]"),
    (dict(x_train=PICTURES, x_test=PICTURES[:, :3]), r"one shape and dtype"),
    (dict(x_train=PICTURES[:0], x_test=PICTURES), "at least one image"),
    (dict(x_train=PICTURES * 1.0, x_test=PICTURES * 1.0),
     r"must be in \[-1, 1\], got values from 0 to 25[0-9]; store uint8"),
    (dict(x_train=PICTURES / np.nan, x_test=PICTURES * 0.0),
     r"got 120 NaN or infinite of 120 values, first at \[0, 0, 0, 0\]"),
    (dict(x_train=PICTURES, x_test=PICTURES, y_train=np.arange(5)),
     r"y_train must have shape \[6\], one label per image, got \[5\]"),
    (dict(x_train=PICTURES, x_test=PICTURES, y_test=np.arange(6.0)),
     "y_test must hold integer class numbers, got float64"),
    (dict(x_train=PICTURES.astype(int), x_test=PICTURES), "got int64"),
])
def test_a_wrong_file_gives_one_line_that_says_what_came(
        save, arrays, message):
    with pytest.raises(InputError, match=f"^npz:.*{message}") as error:
        load_dataset(save(**arrays))
    assert "\n" not in str(error.value)


def test_pickled_objects_are_refused_and_never_loaded(save, tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    objects = np.array([Attack()], object)
    with pytest.raises(InputError, match="x_test must hold numbers, got "
                                         "Python objects .* refused"):
        load_dataset(save(x_train=PICTURES, x_test=objects))
    (tmp_path / "bare.npz").write_bytes(pickle.dumps(Attack()))
    with pytest.raises(InputError, match="needs an .npz file, .* is not one"):
        load_dataset(f"npz:{tmp_path / 'bare.npz'}")
    assert not (tmp_path / "ran").exists()


def test_arrays_that_unpack_to_far_more_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "ALWAYS_FINE", 1000)
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, x_train=np.zeros([500, 64, 64], np.uint8),
                        x_test=PICTURES)
    with pytest.raises(InputError, match="x_train.npy in .* from its .*, got "
                                         "2,048,128 or more"):
        load_dataset(f"npz:{path}")


def test_an_array_that_says_it_is_larger_than_memory_is_refused(tmp_path):
    path, header = tmp_path / "huge.npz", io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {
        "descr": "|u1", "fortran_order": False, "shape": (2**50, 64, 64)})
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x_train.npy", "x_test.npy"):
            archive.writestr(name, header.getvalue() + b"few")
    with pytest.raises(InputError, match="x_train cannot be read from"):
        load_dataset(f"npz:{path}")


def test_a_missing_or_damaged_file_is_named(save, tmp_path):
    with pytest.raises(InputError, match="got no file at .*none.npz"):
        load_dataset(f"npz:{tmp_path / 'none.npz'}")
    with pytest.raises(InputError, match="got no file at"):
        load_dataset(f"npz:{tmp_path}")
    name = save(x_train=PICTURES, x_test=PICTURES)
    damaged = bytearray((tmp_path / "mine.npz").read_bytes())
    damaged[200] ^= 255
    (tmp_path / "mine.npz").write_bytes(damaged)
    with pytest.raises(InputError, match="x_train cannot be read from"):
        load_dataset(name)


def test_a_ready_file_in_the_data_folder_serves_for_a_public_name(tmp_path):
    (tmp_path / "mnist").mkdir()
    np.savez(tmp_path / "mnist" / "mnist.npz", x_train=PICTURES,
             x_test=PICTURES)
    data = load_dataset("mnist", data_dir=str(tmp_path))
    np.testing.assert_array_equal(data.x_train[..., 0], PICTURES)


def write_pack(path, images, **labels):
    files = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG")
        files.append(file.getvalue())
    path.parent.mkdir(exist_ok=True)
    np.savez(path, jpeg=np.frombuffer(b"".join(files), np.uint8),
             offsets=np.cumsum([0, *map(len, files)]), **labels)


def test_packs_of_jpeg_files_are_read_with_a_warning(tmp_path, caplog):
    logging.use_absl_handler()
    grey = np.full([20, 16, 16, 3], 1, np.uint8) * np.arange(
        20, dtype=np.uint8)[:, None, None, None]
    write_pack(tmp_path / "cifar10" / "cifar10_train_jpeg.npz", grey,
               labels=np.arange(20, dtype=np.uint8))
    write_pack(tmp_path / "cifar10" / "cifar10_test_jpeg.npz", grey[:3],
               labels=np.zeros(3, np.uint8))
    write_pack(tmp_path / "celeba" / "celeba_10k_jpeg.npz", grey)
    with caplog.at_level("WARNING"):
        cifar = load_dataset("cifar10", data_dir=str(tmp_path))
    assert "lossy JPEG copy. Results are not" in caplog.text
    np.testing.assert_array_equal(cifar.x_train, grey)
    np.testing.assert_array_equal(cifar.y_train, np.arange(20))
    assert len(cifar.x_test) == len(cifar.y_test) == 3
    celeba = load_dataset("celeb_a", data_dir=str(tmp_path), image_size=8)
    np.testing.assert_array_equal(celeba.x_train, grey[:18, :8, :8])
    np.testing.assert_array_equal(celeba.x_test, grey[18:, :8, :8])
    assert celeba.y_train is None


def test_a_pack_with_a_broken_picture_is_named(tmp_path):
    (tmp_path / "celeba").mkdir()
    np.savez(tmp_path / "celeba" / "celeba_10k_jpeg.npz",
             jpeg=np.zeros(9, np.uint8), offsets=np.array([0, 9]))
    with pytest.raises(InputError, match="image 0 of .* must be a JPEG"):
        load_dataset("celeb_a", data_dir=str(tmp_path))


def test_the_real_mnist_file_loads():
    data = load_dataset("mnist", data_dir=data_dir())
    assert data.x_train.shape == (60_000, 28, 28, 1)
    assert data.x_test.shape == (10_000, 28, 28, 1)
    assert list(data.y_train[:5]) == [5, 0, 4, 1, 9]
    assert data.x_train.mean() == pytest.approx(33.318, abs=1e-3)


@pytest.mark.slow
def test_the_real_packs_load():
    folder = data_dir()
    if not os.path.isdir(os.path.join(folder, "celeba")):
        pytest.skip("LEBM_DATA_DIR has no celeba/ and cifar10/ packs")
    cifar = load_dataset("cifar10", data_dir=folder)
    assert cifar.x_train.shape == (50_000, 32, 32, 3)
    assert (np.bincount(cifar.y_test) == 1000).all()
    celeba = load_dataset("celeb_a", data_dir=folder, image_size=64)
    assert celeba.x_test.shape == (1000, 64, 64, 3)
