"""ArrayRecord files of images, in memory and read from disk."""

import re

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.configuration.data import StorageOptions
from lebm_tf.datasets import label_split, load_dataset, train_batches
from lebm_tf.datasets.fingerprint import fingerprint
from lebm_tf.datasets.images import records
from lebm_tf.datasets.stored import Stored
from lebm_tf.errors import InputError
from tests.datasets.record_files import save_records

NUMBERS = np.random.RandomState(0)
IMAGES = NUMBERS.randint(0, 256, [23, 8, 8, 3]).astype(np.uint8)
LABELS = np.arange(23) % 3


def load(folder, gigabytes=0.0, image_size=0, **options):
    return load_dataset(
        f"records:{folder}", image_size=image_size, storage=StorageOptions(
            max_memory_gb=gigabytes, **options))


@pytest.fixture
def folder(tmp_path):
    return save_records(tmp_path / "set", shard=9, train=(
        IMAGES[:20], LABELS[:20]), test=(IMAGES[20:], LABELS[20:]))


@pytest.mark.parametrize("gigabytes", [0.0, 1.0])
def test_images_and_labels_are_those_that_were_written(folder, gigabytes):
    data = load(folder, gigabytes)
    assert isinstance(data.x_train, Stored) == (gigabytes == 0.0)
    np.testing.assert_array_equal(data.x_train, IMAGES[:20])
    np.testing.assert_array_equal(data.x_test, IMAGES[20:])
    np.testing.assert_array_equal(data.y_train, LABELS[:20])
    np.testing.assert_array_equal(data.y_test, LABELS[20:])
    few = label_split(data, 6)
    np.testing.assert_array_equal(few.labelled.x, IMAGES[few.labelled.index])


def test_batches_from_disk_are_those_from_memory(folder):
    disk, memory = (iter(train_batches(load(folder, size, 4), 4, 0, 3))
                    for size in (0.0, 1.0))
    for _ in range(7):
        tf.nest.map_structure(
            np.testing.assert_array_equal, next(disk), next(memory))


def test_a_tenth_is_held_out_where_there_is_no_test_part(tmp_path):
    folder = save_records(tmp_path / "set", train=(IMAGES[..., :1], None))
    disk, memory = load(folder), load(folder, 1.0)
    assert disk.shape == (8, 8, 1) and len(disk.x_test) == 2
    for one, other in zip(disk.parts(), memory.parts()):
        np.testing.assert_array_equal(one.x, other.x)
    assert disk.y_train is None


def test_records_are_checked_once_and_seen_to_change(
        folder, tmp_path, monkeypatch):
    before = load(folder)
    assert (tmp_path / "set.index.npz").exists()
    monkeypatch.setattr(records, "_checked", None)
    assert fingerprint(load(folder)) == fingerprint(before)
    monkeypatch.undo()
    (tmp_path / "set").rename(tmp_path / "old")
    save_records(tmp_path / "set", shard=9, train=(
        255 - IMAGES[:20], LABELS[:20]), test=(IMAGES[20:], LABELS[20:]))
    after = load(folder)
    np.testing.assert_array_equal(after.x_train, 255 - IMAGES[:20])
    assert fingerprint(after)["x_train"] != fingerprint(before)["x_train"]


@pytest.mark.parametrize("keep", [0, 100, -5])
def test_a_file_that_is_cut_off_is_named(folder, keep):
    file, = folder.glob("*train*00001*")
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(InputError, match=re.escape(
            f"{file} must hold 9 records, got 0; it is missing, cut off")):
        load(folder)


def test_broken_images_are_refused_or_skipped(tmp_path, caplog, monkeypatch):
    folder = save_records(tmp_path / "set", train=(IMAGES, LABELS))
    real = records.RecordImages.record

    def record(self, number):
        found = real(self, number)
        return found.replace(b"PNG", b"GNP") if number in (3, 5) else found
    monkeypatch.setattr(records.RecordImages, "record", record)
    for gigabytes in (0.0, 1.0):
        with pytest.raises(InputError, match=(
                "2 records hold no image that can be used: train 3, 5. "
                "Set --broken=skip")):
            load(folder, gigabytes)
        data = load(folder, gigabytes, broken="skip")
        assert data.counts == {"broken": 2}
        assert len(data.x_train) + len(data.x_test) == 21
        assert len(data.y_train) == len(data.x_train)
    assert "2 broken records are left out: train 3, 5" in caplog.text
    monkeypatch.setattr(records.RecordImages, "record", lambda *_: b"")
    with pytest.raises(InputError, match="needs images in every split, got "
                                         "broken ones only"):
        load(folder, 1.0, broken="skip")


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="got no dataset_info.json in"):
        load(tmp_path)
    folder = save_records(tmp_path / "set", "tfrecord", train=(IMAGES, None))
    with pytest.raises(InputError, match="file_format=array_record, got "
                                         "tfrecord in"):
        load(folder)
