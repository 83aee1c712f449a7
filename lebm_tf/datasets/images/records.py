"""Images from ArrayRecord files, as tensorflow-datasets prepares them."""

import io
import os
from typing import Any, NamedTuple, Sequence
import zlib

from absl import logging
import numpy as np
import tensorflow as tf

from lebm_tf.configuration.data import StorageOptions
from lebm_tf.datasets.classes import class_numbers
from lebm_tf.datasets.images.data import ImageData
from lebm_tf.datasets.images.framing import Framing
from lebm_tf.datasets.images.scan import in_parallel
from lebm_tf.datasets.images.stored_images import StoredImages, read_image
from lebm_tf.datasets.index import index_of, read_index, write_index
from lebm_tf.datasets.reading import held_out
from lebm_tf.datasets.stored import MOST_HELD_OUT
from lebm_tf.errors import InputError

_SHOWN = 3  # Broken records that a message names.


class Table(NamedTuple):
    """What is known of the records of one split.

    Attributes:
        checksums: CRC-32 of the contents, uint32 [num].
        broken: Whether the image cannot be read, bool [num].
        labels: Labels, int64 [num]; -1 without labels.
    """
    checksums: np.ndarray
    broken: np.ndarray
    labels: np.ndarray


class RecordImages(StoredImages):
    """Images of the records of one split.

    Args:
        what: Name of the data and the split, for messages.
        source: Number -> record, from `array_record`.
        framing: Crop and resize.
        example_shape: (height, width, channels) after framing.
        numbers: Numbers of the records, int64 [num].
        checksums: Their CRC-32, uint32 [num].
    """

    def __init__(self, what: str, source: Any, framing: Framing,
                 example_shape: Sequence[int], numbers: np.ndarray,
                 checksums: np.ndarray):
        super().__init__(numbers, checksums, framing, example_shape)
        self.what, self.source = what, source

    def taken(self, rows: np.ndarray | slice) -> "RecordImages":
        return RecordImages(
            self.what, self.source, self.framing, self.shape[1:],
            self.numbers[rows], self.checksums[rows])

    def decoded(self, number: int) -> np.ndarray:
        return self.image(self.record(number), number)

    def record(self, number: int) -> bytes:
        """One record.

        Raises:
            InputError: If it cannot be read.
        """
        try:
            return self.source[number]
        except (RuntimeError, IndexError) as error:  # Of array_record.
            raise InputError(f"{self.what}: record {number} is damaged: "
                             f"{error}.") from error

    def image(self, record: bytes, number: int) -> np.ndarray:
        """Decodes the image of a record, uint8 [height, width, channels].

        Raises:
            InputError: If it cannot be read.
        """
        encoded = _values(record, "image").bytes_list.value
        return read_image(
            io.BytesIO(encoded[0] if encoded else b""),
            f"{self.what}: record {number}", self.shape[-1])


def load_records(name: str, path: str, framing: Framing,
                 storage: StorageOptions = StorageOptions()) -> ImageData:
    """Loads the images of ArrayRecord files.

    The splits `train` and `test` are used; without `test`, every tenth image is
    held out.

    Args:
        name: Name of the data, for messages.
        path: Folder with dataset_info.json and the files, which
            tensorflow-datasets prepares with file_format="array_record";
            features are `image`, PNG or JPEG, and optionally `label`.
        framing: Crop and resize.
        storage: As of `load_folder`.

    Raises:
        InputError: If the folder holds no such data, a file is cut off, or an
            image cannot be read and is not to be skipped.
    """
    builder = _builder(name, path)
    if "train" not in builder.info.splits:
        raise InputError(f"{name}: needs a split train, got "
                         f"{', '.join(builder.info.splits) or 'none'}.")
    splits = {split: _images(name, builder, split, framing)
              for split in ("train", "test") if split in builder.info.splits}
    is_stored = splits["train"].size > storage.max_bytes
    tables = _tables(name, path, splits, is_stored, storage)
    counts = _sift(name, splits, tables, storage.broken)
    parts = {}
    for split, images in splits.items():
        rows = np.flatnonzero(~tables[split].broken)
        parts[split] = (
            RecordImages(images.what, images.source, framing, images.shape[1:],
                         rows, tables[split].checksums[rows]),
            tables[split].labels[rows])
    if "test" not in parts:
        images, y = parts["train"]
        if len(images) < 2:
            raise InputError(f"{name}: needs at least 2 images, got "
                             f"{len(images)}.")
        test = held_out(len(images), MOST_HELD_OUT if is_stored else None)
        parts = {"train": (images.taken(~test), y[~test]),
                 "test": (images.taken(test), y[test])}
    (x_train, y_train), (x_test, y_test) = parts["train"], parts["test"]
    if is_stored:
        x_test, y_test = x_test.taken(slice(MOST_HELD_OUT)), y_test[
            :MOST_HELD_OUT]
    labels, classes = class_numbers(name, {
        "y_train": y_train, "y_test": y_test} if (
            "label" in builder.info.features) else {
                "y_train": None, "y_test": None})
    return ImageData(name, x_train if is_stored else x_train[:], x_test[:],
                     **labels, classes=classes, counts=counts)


def _builder(name, path) -> Any:
    """The reader of a folder; checks that its files are whole."""
    try:
        from array_record.python.array_record_module import ArrayRecordReader
        import tensorflow_datasets as tfds  # Optional, and slow to import.
    except ImportError as error:
        raise InputError(
            f"{name}: needs tensorflow-datasets with array-record (pip install "
            f"tensorflow-datasets array-record), got {error}.") from error
    if not os.path.isfile(os.path.join(path, "dataset_info.json")):
        raise InputError(
            f"{name}: needs a folder that tensorflow-datasets prepared, got no "
            f"dataset_info.json in {path}.")
    builder = tfds.builder_from_directory(path)
    form = builder.info.file_format
    if form != tfds.core.FileFormat.ARRAY_RECORD:
        raise InputError(
            f"{name}: needs data prepared with file_format=array_record, got "
            f"{getattr(form, 'value', form)} in {path}.")
    if not isinstance(dict(builder.info.features).get("image"),
                      tfds.features.Image):
        raise InputError(f"{name}: needs the feature image, got "
                         f"{', '.join(builder.info.features)}.")
    for split in builder.info.splits.values():
        for file, expected in zip(split.filepaths, split.shard_lengths):
            got = 0
            if os.path.exists(file):
                reader = ArrayRecordReader(str(file))
                if reader.ok():  # Otherwise closing it raises.
                    got = reader.num_records()
                    reader.close()
            if got != expected:
                raise InputError(
                    f"{name}: {file} must hold {expected:,} records, got "
                    f"{got:,}; it is missing, cut off or damaged.")
    return builder


def _images(name, builder, split, framing) -> RecordImages:
    """All images of a split, with checksums of 0."""
    import tensorflow_datasets as tfds

    height, width, channels = builder.info.features["image"].shape
    if framing.image_size:
        height = width = framing.image_size
    elif framing.crop:
        height, width = framing.crop[2:]
    if None in (height, width):
        raise InputError(f"{name}: images differ in size; set --image_size.")
    numbers = np.arange(builder.info.splits[split].num_examples)
    return RecordImages(
        f"{name}: {split}", builder.as_data_source(
            split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES),
        framing, (height, width, 1 if channels == 1 else 3), numbers,
        np.zeros(len(numbers), np.uint32))


def _tables(name, path, splits, is_stored, storage) -> dict[str, Table]:
    """Checks the records of all splits; from an index, if data are stored."""
    index = index_of(storage, path)
    fields = [f"{split}_{field}" for split in splits for field in Table._fields]
    images = next(iter(splits.values()))
    files = sorted(os.scandir(path), key=lambda file: file.name)
    key = str([images.framing.crop, *(
        (file.name, file.stat().st_size, file.stat().st_mtime_ns)
        for file in files)])
    kept = read_index(name, index, fields, key) if is_stored else None
    if kept:
        return {split: Table(*(kept[f"{split}_{field}"]
                               for field in Table._fields))
                for split in splits}
    if is_stored:
        logging.warning("%s: checking the records of %s; the result is kept in "
                        "%s.", name, path, index)
    tables = {split: _checked(images) for split, images in splits.items()}
    if is_stored:
        write_index(name, index, key, **{
            f"{split}_{field}": value for split, table in tables.items()
            for field, value in table._asdict().items()})
    return tables


def _checked(images: RecordImages) -> Table:
    """Reads every record once."""
    def row(number):
        record = images.record(int(number))
        label = _values(record, "label").int64_list.value
        try:
            images.framing.cut(images.image(record, number)[None], images.what)
        except InputError:
            return zlib.crc32(record), True, -1
        return zlib.crc32(record), False, label[0] if label else -1
    rows = list(in_parallel(row, images.numbers))
    return Table(*(np.array(column, kind) for column, kind in zip(
        zip(*rows), (np.uint32, bool, np.int64))))


def _sift(name, splits, tables, broken) -> dict[str, int]:
    """Refuses broken images, or counts them: observation -> number."""
    bad = {split: np.flatnonzero(table.broken)
           for split, table in tables.items()}
    total = sum(map(len, bad.values()))
    told = "; ".join(
        f"{split} {', '.join(map(str, rows[:_SHOWN]))}"
        + (", ..." if len(rows) > _SHOWN else "")
        for split, rows in bad.items() if len(rows))
    if not total:
        return {}
    if broken == "refuse":
        raise InputError(
            f"{name}: {total:,} records hold no image that can be used: "
            f"{told}. Set --broken=skip to leave them out.")
    if any(table.broken.all() for table in tables.values()):
        raise InputError(f"{name}: needs images in every split, got broken "
                         f"ones only: {told}.")
    logging.warning("%s: %d broken records are left out: %s.", name, total,
                    told)
    return {"broken": total}


def _values(record: bytes, feature: str) -> Any:
    """A feature of a serialized tf.train.Example."""
    return tf.train.Example.FromString(record).features.feature[feature]
