"""Pairs of image domains by name."""

import dataclasses
import os
from typing import Callable

import numpy as np
import tensorflow as tf

from lebm_tf.configuration.data import DataConfig, StorageOptions
from lebm_tf.datasets.images.data import ImageData
from lebm_tf.datasets.images.files import read_npz
from lebm_tf.datasets.images.framing import Framing, parse_framing
from lebm_tf.datasets.images.pairs import PairData, paired
from lebm_tf.errors import InputError

_UNLIMITED = 1e9  # Gigabytes.
# Unpaired sets of Zhu et al. 2017, arXiv:1703.10593, as packs of JPEG files.
UNPAIRED = {
    "horse2zebra": "horse2zebra/horse2zebra_128_jpeg.npz",
    "summer2winter": "summer2winter/summer2winter_128_jpeg.npz"}


def load_pair(config: DataConfig,
              load_images: Callable[[DataConfig], ImageData]) -> PairData:
    """Loads two image domains.

    Args:
        config: Configuration whose `dataset` is pair:A,B, each the name of an
            image data set, npz:FILE or folder:DIR (without commas in paths); or
            pair:horse2zebra or pair:summer2winter.
        load_images: Loads one image data set.

    Raises:
        InputError: If the name is invalid, a domain is empty, the shapes
            differ, or both domains are equal and no option allows it.
    """
    names = [name.strip() for name in
             config.dataset.partition(":")[2].split(",")]
    origin = {"data_dir": config.data_dir, "image_size": config.image_size,
              "crop": config.crop, "pair": config.pair,
              "storage": config.storage}
    if len(names) == 1 and names[0] in UNPAIRED:
        if config.pair.made:
            raise InputError(f"pair_made must be left out for {names[0]}, got "
                             f"{config.pair.made!r}.")
        a, b = _unpaired(names[0], config)
    elif len(names) != 2 or not all(names):
        raise InputError(
            "data set must be pair:A,B with two image data sets, or "
            f"pair:{' or pair:'.join(UNPAIRED)}, got {config.dataset!r}.")
    else:
        if _place(names[0]) == _place(names[1]) and not (
                config.pair.same or config.pair.made):
            raise InputError(
                f"{config.dataset}: needs two different domains, got "
                f"{names[0]} twice; use --pair_same to allow it, or "
                "--pair_made to create the second one.")
        a, b = (load_images(dataclasses.replace(
            config, dataset=name, storage=_in_memory(config, name)))
            for name in names)
        if config.pair.made and _place(names[0]) != _place(names[1]):
            raise InputError("pair_made needs the same data set twice, got "
                             f"{names[0]} and {names[1]}.")
    return paired(config.dataset, a, b, config.pair, origin)


def _in_memory(config, name):
    """Options of a domain, which is always in memory."""
    options = StorageOptions()
    if name.startswith(("folder:", "records:")):
        options = dataclasses.replace(
            options, max_memory_gb=_UNLIMITED,
            broken=config.storage.broken)
    return options


def _place(name):
    """A name, with its path resolved."""
    kind, colon, path = name.partition(":")
    return kind + colon + (os.path.realpath(os.path.expanduser(path))
                           if colon else "")


def _unpaired(name, config):
    """Both domains, without repeated images."""
    path = os.path.join(os.path.expanduser(config.data_dir), UNPAIRED[name])
    parts = [part + domain for domain in "AB" for part in ("train", "test")]
    arrays = read_npz(name, path, tuple(
        f"{part}_{key}" for part in parts for key in ("jpeg", "offsets")))
    framing = parse_framing(config.crop, config.image_size)
    files = {part: [
        arrays[f"{part}_jpeg"][start:stop].tobytes() for start, stop in zip(
            arrays[f"{part}_offsets"], arrays[f"{part}_offsets"][1:])]
        for part in parts}
    kept = without_repeats(files)
    images = {part: _decoded(kept[part], framing, path) for part in parts}
    return tuple(ImageData(
        f"{name} {domain}", images[f"train{domain}"], images[f"test{domain}"],
        counts={"repeated images": sum(
            len(files[part]) - len(kept[part]) for part in parts
            if part.endswith(domain))}) for domain in "AB")


def without_repeats(files: dict[str, list[bytes]]) -> dict[str, list[bytes]]:
    """Removes repeated files from trainA, testA, trainB and testB.

    It drops files that occur in both training parts, held-out files that occur
    in training or in both test parts, and repetitions within a part.
    """
    both = set(files["trainA"]) & set(files["trainB"])
    train = set(files["trainA"]) | set(files["trainB"])
    tested = set(files["testA"]) & set(files["testB"])
    return {part: [file for file in dict.fromkeys(found) if file not in (
        both if part.startswith("train") else train | tested)]
        for part, found in files.items()}


def _decoded(files: list[bytes], framing: Framing, path: str) -> np.ndarray:
    """uint8 [N, h, w, 3]."""
    try:
        # This method gives equal results in every build of libjpeg.
        images = [tf.io.decode_jpeg(
            file, channels=3, dct_method="INTEGER_ACCURATE").numpy()
            for file in files]
    except tf.errors.InvalidArgumentError as error:
        raise InputError(f"{path} must hold JPEG files, got bytes that cannot "
                         "be decoded.") from error
    return framing(np.stack(images), path)
