"""Data sets by name, all in memory."""

import dataclasses
import difflib
import os

from lebm_tf.datasets.contract import DataSet
from lebm_tf.datasets.images.framing import parse_framing
from lebm_tf.datasets.images.loading import DATASETS
from lebm_tf.datasets.sequences.loading import SEQUENCES, load_sequences
from lebm_tf.datasets.tables.loading import VECTORS, load_vectors
from lebm_tf.datasets.tables.unigrams import UNIGRAMS, load_unigrams
from lebm_tf.datasets.trajectories.csv import is_trajectory_table
from lebm_tf.datasets.trajectories.loading import (
    TRAJECTORIES, load_trajectories)
from lebm_tf.datasets.trajectories.options import TrajectoryOptions
from lebm_tf.errors import InputError


def load_dataset(name: str, *, data_dir: str = "", image_size: int = 0,
                 crop: str = "", max_length: int = 0,
                 vocabulary_size: int = 0, invalid_smiles: str = "unchecked",
                 trajectories: TrajectoryOptions = TrajectoryOptions(),
                 label_column: str = ""
                 ) -> DataSet:
    """Loads a data set: pictures; or sequences, counts of words, vectors or
    paths of agents, as of `load_sequences`, `load_unigrams`, `load_vectors`
    and `load_trajectories`.

    csv:FILE is one of trajectories if its first line names the columns frame
    and agent, or `trajectories` says something; and one of vectors if not.

    `digits` comes with scikit-learn. `mnist`, `fashion_mnist`, `svhn_cropped`,
    `cifar10` and `celeb_a` are read from the first of these that is there:
    <data_dir>/<name>/<name>.npz, in the form of `npz:`; for cifar10 and
    celeb_a a pack of JPEG files (`images.files.PACKS`), which is lossy and not
    comparable with published numbers; tensorflow-datasets. celeb_a has no
    labels, and needs `image_size` or `crop` unless there are 21 GB for it.

    Args:
        name: One of `SEQUENCES`, `UNIGRAMS`, `VECTORS` or `DATASETS`: a name,
            or "npz:" or "folder:" with the path of an .npz file
            (`images.files.load_npz` says which arrays) or of a folder of
            pictures (`images.folder.load_folder`).
        data_dir: Folder of the data; "" for that of tensorflow-datasets,
            $TFDS_DATA_DIR or ~/tensorflow_datasets.
        image_size: Side of the square that pictures are resized to, in
            pixels; 0 keeps the size (in a folder: 64). Pictures that are not
            square are cut to their centre square first.
        crop: "top,left,height,width" in pixels, cut out before the resize
            (CelebA is often used at "45,25,128,128"); "" for no crop.
        max_length, vocabulary_size, invalid_smiles: Of sequences, see
            `load_sequences`; the second also of counts of words.
        trajectories: Of trajectories, see `load_trajectories`.
        label_column: Of csv:FILE, see `load_vectors`.

    Returns:
        `ImageData`, `SequenceData`, `UnigramData`, `VectorData` or
        `TrajectoryData`.

    Raises:
        InputError: If the name is unknown, the data is missing or not as it
            must be, or `image_size` or `crop` is.
    """
    framing = parse_framing(crop, image_size)
    kind, colon, path = name.partition(":")
    if kind + colon in _kinds(TRAJECTORIES) and (
            kind + colon not in _kinds(VECTORS)
            or trajectories != TrajectoryOptions()
            or is_trajectory_table(os.path.expanduser(path))):
        _unset(name, image_size=image_size, crop=crop, max_length=max_length,
               vocabulary_size=vocabulary_size, label_column=label_column)
        return load_trajectories(
            name, os.path.expanduser(data_dir), trajectories)
    if kind + colon in _kinds(VECTORS):
        _unset(name, image_size=image_size, crop=crop, max_length=max_length,
               vocabulary_size=vocabulary_size)
        _unset_options(name, trajectories)
        return load_vectors(name, data_dir=os.path.expanduser(data_dir),
                            label_column=label_column)
    _unset(name, label_column=label_column)
    if kind + colon in {key.partition(":")[0] + ":" * (":" in key)
                        for key in SEQUENCES}:
        _unset(name, image_size=image_size, crop=crop)
        _unset_options(name, trajectories)
        return load_sequences(
            name, data_dir=os.path.expanduser(data_dir),
            max_length=max_length, vocabulary_size=vocabulary_size,
            invalid_smiles=invalid_smiles)
    _unset(name, invalid_smiles="" if invalid_smiles == "unchecked"
           else invalid_smiles)
    if name in UNIGRAMS:
        _unset(name, image_size=image_size, crop=crop, max_length=max_length)
        _unset_options(name, trajectories)
        return load_unigrams(name, data_dir=os.path.expanduser(data_dir),
                             vocabulary_size=vocabulary_size)
    _unset(name, max_length=max_length, vocabulary_size=vocabulary_size)
    known = {key.partition(":")[:2]: key for key in DATASETS}
    if (kind, colon) not in known:
        raise InputError(_unknown(name))
    _unset_options(name, trajectories)
    key = known[kind, colon]
    if colon and not path:
        raise InputError(f"data set must be {key}, got {name!r}.")
    path = os.path.expanduser(path if colon else data_dir)
    return dataclasses.replace(DATASETS[key](name, path, framing), origin={
        "data_dir": data_dir, "image_size": image_size, "crop": crop})


def _kinds(names):
    """Beginnings of names, up to the colon where a path follows."""
    return {name.partition("FILE")[0] for name in names}


def _unset(name: str, **settings) -> None:
    """Refuses settings that mean nothing for this kind of data."""
    for key, value in settings.items():
        if value:
            raise InputError(f"{key} must be left out for {name}, got "
                             f"{value!r}.")


def _unset_options(name: str, options: TrajectoryOptions) -> None:
    """The same of settings of trajectories."""
    for field in dataclasses.fields(options):
        value = vars(options)[field.name]
        if value != field.default:
            raise InputError(f"trajectories_{field.name} must be left out for "
                             f"{name}, got {value!r}.")


def _unknown(name: str) -> str:
    """The message for a name that is none of `DATASETS`."""
    known = (*DATASETS, *SEQUENCES, *UNIGRAMS, *VECTORS, *(
        key for key in TRAJECTORIES if key not in VECTORS))
    close = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return (f"unknown data set {name!r}.{hint} Known: "
            f"{', '.join(known)}.")
