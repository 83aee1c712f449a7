"""Data sets, by name or from a user's files or arrays."""

from lebm_tf.datasets.batches import steps_per_epoch, train_batches
from lebm_tf.datasets.contract import DataSet
from lebm_tf.datasets.images.data import ImageData, to_model, to_uint8
from lebm_tf.datasets.images.loading import DATASETS
from lebm_tf.datasets.images.pairs import PairData
from lebm_tf.datasets.in_memory import in_memory
from lebm_tf.datasets.labelled import Labelled, label_split
from lebm_tf.datasets.loading import LOADERS, Loader, load_dataset
from lebm_tf.datasets.sequences.data import SequenceData
from lebm_tf.datasets.sequences.loading import SEQUENCES
from lebm_tf.datasets.sequences.vocabulary import Vocabulary
from lebm_tf.datasets.stored import Stored
from lebm_tf.datasets.tables.data import UnigramData, VectorData
from lebm_tf.datasets.trajectories.data import TrajectoryData
from lebm_tf.datasets.trajectories.loading import (
    TRAJECTORIES, load_trajectories)
from lebm_tf.datasets.validation_split import validation_split

__all__ = [
    "DATASETS", "DataSet", "ImageData", "LOADERS", "Labelled", "Loader",
    "PairData", "SEQUENCES", "SequenceData", "Stored", "TRAJECTORIES",
    "TrajectoryData", "UnigramData", "VectorData", "Vocabulary", "in_memory",
    "label_split", "load_dataset", "load_trajectories", "steps_per_epoch",
    "to_model", "to_uint8", "train_batches", "validation_split",
]
