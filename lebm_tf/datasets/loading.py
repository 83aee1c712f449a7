"""Data sets by name."""

import dataclasses
import os
from typing import Callable, NamedTuple

from lebm_tf import kinds
from lebm_tf.configuration.data import (
    DataConfig, PairOptions, StorageOptions, TrajectoryOptions, unknown)
from lebm_tf.configuration.fields import fields, refuse_others
from lebm_tf.datasets.contract import DataSet
from lebm_tf.datasets.images.framing import parse_framing
from lebm_tf.datasets.images.loading import DATASETS, STORABLE
from lebm_tf.datasets.images.pair_loading import load_pair
from lebm_tf.datasets.sequences.loading import OWN, SEQUENCES, load_sequences
from lebm_tf.datasets.tables.loading import VECTORS, load_vectors
from lebm_tf.datasets.tables.unigrams import UNIGRAMS, load_unigrams
from lebm_tf.datasets.trajectories.csv import is_trajectory_table
from lebm_tf.datasets.trajectories.loading import (
    TRAJECTORIES, load_trajectories)
from lebm_tf.errors import InputError


def load_dataset(name: str, *, data_dir: str = "", image_size: int = 0,
                 crop: str = "", max_length: int = 0,
                 vocabulary_size: int = 0, invalid_smiles: str = "unchecked",
                 trajectories: TrajectoryOptions = TrajectoryOptions(),
                 label_column: str = "", smiles_column: str = "",
                 pair: PairOptions = PairOptions(),
                 storage: StorageOptions = StorageOptions()) -> DataSet:
    """Loads a data set into memory, or prepares to read it from disk.

    Sequences, word counts, vectors, trajectories and image pairs are loaded as
    by `load_sequences`, `load_unigrams`, `load_vectors`, `load_trajectories`
    and `load_pair`. csv:FILE holds trajectories if its first line names the
    columns frame and agent, or if `trajectories` is given; otherwise vectors.

    `digits` comes with scikit-learn; `usps` is read from <data_dir>. `mnist`,
    `fashion_mnist`, `svhn_cropped`, `cifar10` and `celeb_a` are read from the
    first of these that exists: <data_dir>/<name>/<name>.npz, in the format of
    `npz:`; for cifar10 and celeb_a a pack of JPEG files (`images.files.PACKS`),
    which is lossy and not comparable with published figures;
    tensorflow-datasets. celeb_a has no labels, and needs `image_size` or `crop`
    unless 21 GB of memory are available.

    Args:
        name: One of `SEQUENCES`, `UNIGRAMS`, `VECTORS`, `TRAJECTORIES` or
            `DATASETS`: a name, or a prefix such as "npz:" or "folder:" with the
            path of an .npz file (see `images.files.load_npz`), of an image
            folder (see `images.folder.load_folder`) or of a folder of
            ArrayRecord files (see `images.records.load_records`).
        data_dir: Folder of the data; "" for $LEBM_DATA_DIR, and without it that
            of tensorflow-datasets, $TFDS_DATA_DIR or ~/tensorflow_datasets.
        image_size: Side in pixels of the square to which images are resized; 0
            keeps their size (for a folder: 64). Other images are first cropped
            to their centre square.
        crop: "top,left,height,width" in pixels, cropped before resizing (for
            CelebA often "45,25,128,128"); "" for no crop.
        max_length, vocabulary_size, invalid_smiles, smiles_column: For
            sequences, see `load_sequences`; the second also for word counts.
        trajectories: For trajectories, see `load_trajectories`.
        label_column: For csv:FILE, see `load_vectors`.
        pair: For pair:A,B, see `load_pair`.
        storage: For folder:DIR and records:DIR, see
            `images.folder.load_folder`; for text:FILE and smiles:FILE,
            `load_sequences`.

    Returns:
        `ImageData`, `PairData`, `SequenceData`, `UnigramData`, `VectorData` or
        `TrajectoryData`.

    Raises:
        InputError: If the name is unknown, the data are missing or invalid, or
            a setting is invalid.
    """
    try:
        config = DataConfig(
            dataset=name, data_dir=data_dir, image_size=image_size, crop=crop,
            max_length=max_length, vocabulary_size=vocabulary_size,
            invalid_smiles=invalid_smiles, trajectories=trajectories,
            label_column=label_column, smiles_column=smiles_column, pair=pair,
            storage=storage)
    except ValueError as error:
        raise InputError(str(error)) from error
    return load(dataclasses.replace(
        config, data_dir=config.resolved_data_dir()))


class Loader(NamedTuple):
    """A loader of data sets.

    Attributes:
        kind: Kind of the data, of `lebm_tf.kinds`; settings for other kinds are
            refused.
        load: `DataConfig` -> data set.
    """
    kind: str
    load: Callable[[DataConfig], DataSet]


def load(config: DataConfig) -> DataSet:
    """Loads the data set of a configuration, as `load_dataset`.

    Raises:
        InputError: As `load_dataset`, or if a setting belongs to another kind
            of data.
    """
    loader = _loader(config)
    refuse_others(config, loader.kind, config.dataset)
    return loader.load(config)


def kind_of(config: DataConfig) -> str:
    """The kind of the data of a configuration, of `lebm_tf.kinds`, without
    loading them.

    Raises:
        InputError: If the name is unknown.
    """
    return _loader(config).kind


def _loader(config: DataConfig) -> Loader:
    beginning = "".join(config.dataset.partition(":")[:2])
    loader = LOADERS.get(beginning)
    if beginning == "csv:" and (
            config.trajectories != TrajectoryOptions()
            or is_trajectory_table(_path(config))):
        loader = Loader(kinds.TRAJECTORY, _trajectories)
    if loader is None:
        raise InputError(unknown(config.dataset, names()))
    return loader


def _path(config):
    return os.path.expanduser(config.dataset.partition(":")[2])


def _folder(config):
    return os.path.expanduser(config.data_dir)


def _images(config):
    name, framing = config.dataset, parse_framing(
        config.crop, config.image_size)
    kind, colon, path = name.partition(":")
    key = next(key for key in DATASETS
               if key.partition(":")[:2] == (kind, colon))
    if colon and not path:
        raise InputError(f"data set must be {key}, got {name!r}.")
    where = _path(config) if colon else _folder(config)
    more: tuple[StorageOptions, ...] = ()
    if key in STORABLE:
        more = config.storage,
    else:
        _refuse_storage(config)
    data = DATASETS[key](name, where, framing, *more)
    return dataclasses.replace(data, origin={
        "data_dir": config.data_dir, "image_size": config.image_size,
        "crop": config.crop, "storage": config.storage})


def _refuse_storage(config):
    """Refuses settings of storage for data that are always in memory."""
    for field in fields(StorageOptions, config=config.storage):
        default = getattr(StorageOptions(), field.flag)
        if field.default != default:
            raise InputError(f"{field.flag} must be left out for "
                             f"{config.dataset}, got {field.default!r}.")


def _pair(config):
    def images(own):
        loader = _loader(own)
        if loader.kind != kinds.IMAGE:
            raise InputError(f"{config.dataset} needs two data sets of images, "
                             f"got {own.dataset}.")
        return loader.load(own)
    return load_pair(config, images)


def _sequences(config):
    if config.dataset.partition(":")[0] not in OWN:
        _refuse_storage(config)
    return load_sequences(
        config.dataset, data_dir=_folder(config),
        max_length=config.max_length, vocabulary_size=config.vocabulary_size,
        invalid_smiles=config.invalid_smiles,
        smiles_column=config.smiles_column, storage=config.storage)


def _counts(config):
    return load_unigrams(config.dataset, data_dir=_folder(config),
                         vocabulary_size=config.vocabulary_size)


def _vectors(config):
    return load_vectors(config.dataset, data_dir=_folder(config),
                        label_column=config.label_column)


def _trajectories(config):
    return load_trajectories(
        config.dataset, _folder(config), config.trajectories)


def _beginnings(names) -> list[str]:
    """Names up to the colon that precedes a path."""
    return ["".join(name.partition(":")[:2]) for name in names]


# Name, or its prefix with the colon -> loader. Plugins may add entries.
LOADERS: dict[str, Loader] = {
    **dict.fromkeys(_beginnings(TRAJECTORIES),
                    Loader(kinds.TRAJECTORY, _trajectories)),
    **dict.fromkeys(_beginnings(VECTORS), Loader(kinds.VECTOR, _vectors)),
    **dict.fromkeys(_beginnings(SEQUENCES),
                    Loader(kinds.SEQUENCE, _sequences)),
    **dict.fromkeys(_beginnings(UNIGRAMS), Loader(kinds.COUNTS, _counts)),
    **dict.fromkeys(_beginnings(DATASETS), Loader(kinds.IMAGE, _images)),
    "pair:": Loader(kinds.PAIR, _pair),
}


def names() -> tuple[str, ...]:
    """Names of all data sets; "npz:FILE" stands for a path."""
    known = (*DATASETS, "pair:A,B", *SEQUENCES, *UNIGRAMS, *VECTORS, *(
        key for key in TRAJECTORIES if key not in VECTORS))
    return known + tuple(
        key for key in LOADERS if key not in _beginnings(known))
