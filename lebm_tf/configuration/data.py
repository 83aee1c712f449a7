"""Configuration of the data set and how it is read."""

import dataclasses
import difflib
import os
from typing import Annotated, Sequence

from lebm_tf import kinds
from lebm_tf.errors import InputError
from lebm_tf.ranges import (
    Checked, Ge, Interval, Mark, NonNegativeFloat, NonNegativeInt, OneOf, Only,
    OrZero, PositiveFloat, PositiveInt)

UNITS = ("px", "m")
INVALID_SMILES = ("unchecked", "keep", "drop")
BROKEN = ("refuse", "skip")

PAIR_DRAWS, MADE = ("independent", "serial"), ("inverted", "turned", "edges")

_IMAGES = Only((kinds.IMAGE, kinds.PAIR))
_STORED = Only((kinds.IMAGE, kinds.SEQUENCE))
_SEQUENCES, _VECTORS, _TRAJECTORIES, _PAIRS = (
    Only((kind,)) for kind in (
        kinds.SEQUENCE, kinds.VECTOR, kinds.TRAJECTORY, kinds.PAIR))


@dataclasses.dataclass(frozen=True)
class PairOptions(Checked):
    """Sampling of the two image domains in training.

    Attributes:
        draws: independent (a separate order for each domain) or serial (one
            order modulo the sizes, as the authors of cycle translation pair
            images).
        margin: Pixels by which the sides are enlarged before a random crop of
            the original size; 0 does not crop. Published: 30 for 256 pixels.
        flip: Whether images are randomly flipped left to right.
        made: Creates the second domain from the first, for tests with known
            ground truth: inverted, turned (colors) or edges. Each training
            image is in one domain, each held-out image in both.
        same: Allows the same data set for both domains.
    """
    draws: Annotated[str, OneOf(PAIR_DRAWS)] = "independent"
    margin: NonNegativeInt = 0
    flip: bool = False
    made: Annotated[str, OneOf(("", *MADE))] = ""
    same: bool = False


@dataclasses.dataclass(frozen=True)
class TrajectoryOptions(Checked):
    """Reading of trajectories; the defaults are those of LB-EBM.

    Attributes:
        past_length: Observed positions per agent; at least 2, for a velocity.
        future_length: Positions to predict.
        stride: Positions between the starts of consecutive windows.
        min_agents: Windows with fewer simultaneous agents are left out.
        neighbour_distance: Distance for `neighbour_groups`, in units of the
            data. Negative takes the default of the data set: 100 px for sdd; no
            limit for the others, so all agents of a window form a group.
        unit: Unit of a user's file, px or m; the public data sets have their
            own.
        frame_step: Frame numbers between consecutive positions in a user's
            file; 0 takes the most frequent value.
        frame_interval: Seconds between consecutive positions in a user's file.
        test_fraction: Fraction of each scene of a user's file, at its end, that
            is held out.
        validation_by: How validation_fraction is taken from the training data:
            scene (whole scenes) or time (a segment of each).
        data_scale: Model units per unit of position; 0 takes 1.86 for px and 60
            for m, as LB-EBM does.
        time_reversed: Whether every training path is added in reverse.
        rotated: Whether training groups are rotated by random angles.
    """
    past_length: Annotated[int, Ge(2)] = 8
    future_length: PositiveInt = 12
    stride: PositiveInt = 1
    min_agents: PositiveInt = 1
    neighbour_distance: float = -1.0
    unit: Annotated[str, OneOf(("", *UNITS))] = ""
    frame_step: NonNegativeInt = 0
    frame_interval: PositiveFloat = 0.4
    test_fraction: Annotated[float, Interval(gt=0, lt=1)] = 0.2
    validation_by: Annotated[str, OneOf(("scene", "time"))] = "scene"
    data_scale: NonNegativeFloat = 0.0
    time_reversed: bool = False
    rotated: bool = False


@dataclasses.dataclass(frozen=True)
class StorageOptions(Checked):
    """Where examples are kept while training.

    Attributes:
        max_memory_gb: Gigabytes of examples to keep in memory; a folder or a
            set of ArrayRecord files with more (as pixels of the size for
            training), or a larger text file, is read from disk while training.
            Batches are the same.
        index: File that keeps what is known of files that are read from disk,
            so that they are checked once; default: beside them, with the ending
            .index.npz.
        broken: Treatment of images of a folder or of ArrayRecord files that
            cannot be read: refuse (name the first of them) or skip (leave them
            out and count them). It is decided before training.
    """
    max_memory_gb: Annotated[
        NonNegativeFloat, Mark.MAY_CHANGE, _STORED] = 1.0
    index: Annotated[str, Mark.MAY_CHANGE, _STORED] = ""
    broken: Annotated[str, OneOf(BROKEN), _IMAGES] = "refuse"

    @property
    def max_bytes(self) -> float:
        """`max_memory_gb` in bytes."""
        return 1e9 * self.max_memory_gb


@dataclasses.dataclass(frozen=True)
class DataConfig(Checked):
    """The data set of a run.

    Attributes:
        dataset: digits, usps, mnist, fashion_mnist, svhn_cropped, cifar10,
            celeb_a, npz:FILE, folder:DIR or records:DIR for images; pair:A,B
            of two of these, pair:horse2zebra or pair:summer2winter for image
            pairs; agnews for word counts; protein, hepmass, miniboone or
            csv:FILE for vectors; ptb, snli, yahoo, zinc, text:FILE or
            smiles:FILE for sequences; sdd, eth, hotel, univ, zara1, zara2 or
            csv:FILE with columns frame and agent for trajectories.
        data_dir: Folder of the data sets; default: $LEBM_DATA_DIR.
        image_size: Side to which images are resized; 0 keeps their size.
        crop: Part of every image, as top,left,height,width; default: all of it.
        pair: Sampling of the two domains of pair:A,B.
        storage: Where examples are kept while training.
        max_length: Maximum number of tokens per sequence, including its end;
            longer sequences are left out and counted. 0 keeps all.
        vocabulary_size: Number of most frequent training tokens to keep in the
            vocabulary; 0 keeps all.
        trajectories: Reading of trajectories.
        invalid_smiles: Treatment of lines that are not valid SMILES:
            unchecked; or check and count them with RDKit, and keep or drop
            them.
        smiles_column: Column of smiles:FILE with the molecules, if its first
            line names the columns; default: detected.
        property: Property of molecules to learn jointly: logp, qed, sa, weight
            or penalized_logp; default: none.
        length_pool: Number of batches that are drawn together, sorted by
            sequence length and then split, which reduces padding; 1 draws each
            batch from all data.
        label_column: Column of csv:FILE with the labels; default: the last.
        anomaly_label: Label to leave out of training, for anomaly detection; -1
            keeps all labels.
        num_labels: Number of training examples whose labels are used, for
            families that learn from labels; 0 uses none.
        label_seed: Seed that selects them.
        label_stratified: Whether to select equally many of every class.
        labelled_batch_size: Labelled examples per step; 0 takes batch_size, or
            all of them if they are fewer.
        validation_fraction: Fraction of the training data to hold out for
            evaluation during training, which never uses the test data. Leave at
            0 if the data set has a validation part.
    """
    dataset: str = "digits"
    data_dir: Annotated[str, Mark.MAY_CHANGE] = ""
    image_size: Annotated[NonNegativeInt, _IMAGES] = 0
    crop: Annotated[str, _IMAGES] = ""
    pair: Annotated[PairOptions, _PAIRS] = PairOptions()
    storage: Annotated[StorageOptions, Mark.FLAT] = StorageOptions()
    max_length: Annotated[int, OrZero(Ge(2)), _SEQUENCES] = 0
    vocabulary_size: Annotated[
        NonNegativeInt, Only((kinds.SEQUENCE, kinds.COUNTS))] = 0
    trajectories: Annotated[
        TrajectoryOptions, _TRAJECTORIES] = TrajectoryOptions()
    invalid_smiles: Annotated[
        str, OneOf(INVALID_SMILES), _SEQUENCES] = "unchecked"
    smiles_column: Annotated[str, _SEQUENCES] = ""
    property: Annotated[str, _SEQUENCES] = ""
    length_pool: Annotated[PositiveInt, _SEQUENCES] = 1
    label_column: Annotated[str, _VECTORS] = ""
    anomaly_label: Annotated[int, Ge(-1)] = -1
    num_labels: NonNegativeInt = 0
    label_seed: int = 0
    label_stratified: bool = True
    labelled_batch_size: NonNegativeInt = 0
    validation_fraction: Annotated[float, Interval(ge=0, lt=1)] = 0.0

    def validate(self):
        if not self.num_labels:
            self.leave_out("label_seed", "label_stratified",
                           "labelled_batch_size", reason="without num_labels")

    def resolved_data_dir(self) -> str:
        """The data folder, from the flag or $LEBM_DATA_DIR."""
        return self.data_dir or os.environ.get("LEBM_DATA_DIR", "")


def check_name(name: str, known: Sequence[str]) -> None:
    """Refuses a data set that is unknown, or whose file is not there.

    Args:
        name: Name of the data set, as in --dataset.
        known: Known names; "npz:FILE" stands for a path.

    Raises:
        InputError: If it is refused.
    """
    kind, colon, path = name.partition(":")
    found = [key for key in known
             if key.partition(":")[:2] == (kind, colon)]
    if not found:
        raise InputError(unknown(name, known))
    path = os.path.expanduser(path)
    if found[0].endswith((":FILE", ":DIR")) and not os.path.exists(path):
        raise InputError(f"{name} must be there, got no file or folder at "
                         f"{path or 'an empty path'}.")


def unknown(name: str, known: Sequence[str]) -> str:
    """The message for an unknown data set."""
    close = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"unknown data set {name!r}.{hint} Known: {', '.join(known)}."
