"""Folders of images that are read from disk while training."""

import os
import re

from PIL import Image
import numpy as np
import pytest
import tensorflow as tf

import lebm_tf
from lebm_tf.configuration.data import StorageOptions
from lebm_tf.datasets import load_dataset, train_batches, validation_split
from lebm_tf.datasets.fingerprint import differing, fingerprint
from lebm_tf.datasets.images import scan, stored_images
from lebm_tf.datasets.stored import Stored, named_failures
from lebm_tf.errors import InputError
from lebm_tf.training import same_data
from lebm_tf.training.fit_codes import codes_of

SEED = 3


def refused(text):
    return pytest.raises(InputError, match=re.escape(text))


@pytest.fixture
def folder(tmp_path):
    """Twenty-three images of several sizes and formats."""
    numbers = np.random.RandomState(0)
    path = tmp_path / "images"
    for number in range(23):
        suffix = "jpg" if number % 3 else "png"
        file = path / f"{number % 2}" / f"{number:02}.{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(numbers.randint(
            0, 256, [8 + number % 4, 8 + number % 3, 3]).astype(np.uint8)
        ).save(file)
    return path


def load(folder, gigabytes=0.0, **options):
    return load_dataset(f"folder:{folder}", image_size=8, storage=(
        StorageOptions(max_memory_gb=gigabytes, **options)))


def take(data, num_batches, *arguments):
    return list(train_batches(data, 4, SEED, *arguments).take(
        num_batches).as_numpy_iterator())


def equal(one, other):
    tf.nest.map_structure(np.testing.assert_array_equal, one, other)


def test_images_on_disk_are_those_in_memory(folder):
    disk, memory = load(folder), load(folder, 1.0)
    assert isinstance(disk.x_train, Stored)
    assert isinstance(memory.x_train, np.ndarray)
    assert disk.shape == memory.shape == (8, 8, 3)
    np.testing.assert_array_equal(disk.x_test, memory.x_test)
    np.testing.assert_array_equal(disk.x_train, memory.x_train)
    for key in (slice(3, 7), [5, 2], memory.x_train[:, 0, 0, 0] > 99, 4):
        np.testing.assert_array_equal(disk.x_train[key], memory.x_train[key])


def test_batches_from_disk_are_those_from_memory_wherever_they_start(folder):
    disk, memory = load(folder), load(folder, 1.0)
    whole = take(memory, 12)
    equal(take(disk, 12), whole)
    equal(take(disk, 5, 7), whole[7:])


def test_workers_read_their_own_part_of_each_batch(folder, monkeypatch):
    disk = load(folder)
    whole = take(disk, 5)
    asked, real = [], stored_images.FolderImages.examples
    monkeypatch.setattr(
        stored_images.FolderImages, "examples", lambda self, numbers: (
            asked.append(numbers.shape.as_list()), real(self, numbers))[1])
    pieces = [take(disk, 5, 0, tf.distribute.InputContext(2, worker, 2))
              for worker in range(2)]
    assert asked == [[2], [2]]  # Once per trace: half a batch of 4.
    equal(whole, [tf.nest.map_structure(
        lambda *parts: np.concatenate(parts), *both) for both in zip(*pieces)])


def test_a_validation_part_is_read_into_memory(folder):
    disk, memory = (validation_split(load(folder, size), 0.3)
                    for size in (0.0, 1.0))
    assert isinstance(disk.x_train, Stored)
    np.testing.assert_array_equal(disk.x_train, memory.x_train)
    np.testing.assert_array_equal(disk.x_validation, memory.x_validation)


def test_a_changed_image_is_seen_by_its_content(folder):
    before = fingerprint(load(folder))
    assert not differing(before, fingerprint(load(folder)))
    for file in sorted(folder.rglob("*.jpg")):
        os.utime(file, ns=(1, 1))  # Of another time, but the same.
    assert not differing(before, fingerprint(load(folder)))
    for file in sorted(folder.rglob("*.png")):
        Image.new("RGB", (9, 9)).save(file)
    assert "x_train" in differing(before, fingerprint(load(folder)))


def test_a_run_keeps_to_where_its_images_are(folder, tmp_path):
    same_data.keep(str(tmp_path), load(folder))
    same_data.check(str(tmp_path), load(folder))
    with refused(f"must be read from disk, as when the run in {tmp_path} "
                 "began; set --max_memory_gb"):
        same_data.check(str(tmp_path), load(folder, 1.0))


def test_codes_are_fitted_to_the_first_images(folder):
    class Model:
        seed = 0

        @staticmethod
        def infer(x, seed):
            return np.asarray(x)[:, 0, 0]
    disk, memory = load(folder), load(folder, 1.0)
    for largest in (0, 5):
        np.testing.assert_array_equal(codes_of(Model, disk, largest),
                                      codes_of(Model, memory, largest))


def test_a_file_that_vanishes_or_changes_while_it_is_read_is_named(folder):
    disk = load(folder)
    gone, changed = (disk.x_train.scan.path(folder, disk.x_train.numbers[row])
                     for row in (0, 1))
    with open(changed, "ab") as file:
        file.write(b"more")
    with refused(f"{changed} must not change during training"):
        disk.x_train[1]
    os.remove(gone)
    with refused(f"{gone} must stay in the folder while it is "
                 "read, but is gone"):
        disk.x_train[0]
    with pytest.raises(InputError, match="must stay in the folder|not change"):
        with named_failures():
            take(disk, 10)


@pytest.mark.parametrize("gigabytes", [0.0, 1.0])
def test_broken_files_are_refused_or_skipped(folder, gigabytes, caplog):
    whole = load(folder, 1.0)
    for name in ("0/00.png", "1/05.jpg", "0/04.jpg"):
        (folder / name).write_bytes(b"no picture")
    (folder / "1" / "07.jpg").unlink()
    (folder / "1" / "07.jpg").symlink_to("nowhere.jpg")
    with pytest.raises(InputError, match=(
            "4 of 23 images cannot be used: .*00.png cannot be read as an "
            r"image.*04.jpg.*05.jpg.*, \.\.\.\. Set --broken=skip")) as error:
        load(folder, gigabytes)
    assert "\n" not in str(error.value)
    data = load(folder, gigabytes, broken="skip")
    assert len(data.x_train) + len(data.x_test) == 19
    assert data.counts == {"broken": 4} and "broken 4" in data.describe()
    assert "4 broken images are left out: 0/00.png, 0/04.jpg" in caplog.text
    found = {image.tobytes() for part in data.parts() for image in part.x[:]}
    assert found < {image.tobytes() for part in whole.parts()
                    for image in part.x}


@pytest.mark.parametrize("gigabytes", [0.0, 1.0])
def test_skipping_must_leave_something(folder, gigabytes):
    for file in folder.rglob("*.*"):
        file.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"at least 2 images .* got 0 in .*"
                                         r"found: broken 23"):
        load(folder, gigabytes, broken="skip")


def test_files_are_checked_once(folder, monkeypatch):
    first = load(folder)
    assert os.path.exists(f"{folder}.index.npz")
    checked, real = [], scan.usable
    monkeypatch.setattr(scan, "usable", lambda *arguments: (
        checked.append(arguments[1]), real(*arguments))[1])
    again = load(folder)
    assert not checked
    equal(list(again.x_train.scan), list(first.x_train.scan))
    load_dataset(f"folder:{folder}", image_size=4, crop="0,0,7,7",
                 storage=StorageOptions(max_memory_gb=0.0))
    assert len(checked) == 23  # Another crop may lie outside some.


def test_an_index_that_is_older_than_the_folder_is_updated(
        folder, caplog, tmp_path):
    load(folder)
    os.remove(folder / "0" / "00.png")
    Image.new("RGB", (9, 9)).save(folder / "0" / "02.jpg")
    Image.new("RGB", (9, 9)).save(folder / "new.png")
    data = load(folder)
    assert ("is older than the folder: 2 files are new or changed, and 2 of "
            "the index are gone or changed") in caplog.text
    fresh = load(folder, index=str(tmp_path / "fresh.npz"))
    np.testing.assert_array_equal(data.x_train, fresh.x_train)
    equal(list(data.x_train.scan), list(fresh.x_train.scan))


def test_an_index_that_cannot_be_used_is_named(folder, tmp_path):
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"no index")
    with refused("needs an .npz file, as numpy.savez writes it; "
                 f"{bad} is not one"):
        load(folder, index=str(bad))
    with refused(f"cannot be written to {bad}/x.npz: Not a "
                 "directory; set --index"):
        load(folder, index=f"{bad}/x.npz")


def test_data_that_are_in_memory_anyway_take_no_settings_of_storage():
    with pytest.raises(InputError, match="max_memory_gb must be left out for "
                                         "digits, got 0.0"):
        load_dataset("digits", storage=StorageOptions(max_memory_gb=0.0))


def test_training_goes_on_exactly_and_names_a_vanished_file(folder, tmp_path):
    """Stopped in mid-epoch, from disk as without a stop from memory."""
    config = lebm_tf.ImageConfig(
        latent_dim=2, generator=lebm_tf.GeneratorConfig(channels=(4,)),
        energy=lebm_tf.EnergyConfig((4,)), prior=lebm_tf.ChainConfig(1, 0.4),
        posterior=lebm_tf.ChainConfig(1, 0.1))

    def train(model, data, last, workdir=""):
        lebm_tf.fit(model, data, lebm_tf.RunConfig(
            train_steps=last, workdir=workdir, divergence=(
                lebm_tf.DivergenceConfig(max_rollbacks=0))), verbose=False)
    disk, memory = load(folder), load(folder, 1.0)
    whole, parts = (lebm_tf.build("image", config, data, batch_size=4)
                    for data in (memory, disk))
    train(whole, memory, 7)
    for last in (2, 7):
        train(parts, disk, last, str(tmp_path / "run"))
    for one, other in zip(whole.weights, parts.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    for file in folder.rglob("*.jpg"):
        os.remove(file)
    with pytest.raises(InputError, match=r"\.jpg must stay in the folder"):
        train(parts, disk, 12)
