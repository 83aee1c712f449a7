"""Data sets: pictures and sequences, by name or from the user's files."""

from lebm_tf.datasets.batches import steps_per_epoch, train_batches
from lebm_tf.datasets.image_data import ImageData, to_model, to_uint8
from lebm_tf.datasets.images import DATASETS, load_dataset
from lebm_tf.datasets.labelled import Labelled, label_split
from lebm_tf.datasets.sequence_data import SequenceData
from lebm_tf.datasets.sequences import SEQUENCES
from lebm_tf.datasets.trajectories import TRAJECTORIES, load_trajectories
from lebm_tf.datasets.trajectory_data import TrajectoryData
from lebm_tf.datasets.trajectory_options import TrajectoryOptions
from lebm_tf.datasets.validation_split import validation_split
from lebm_tf.datasets.vector_data import UnigramData, VectorData
from lebm_tf.datasets.vocabulary import Vocabulary

__all__ = [
    "DATASETS", "ImageData", "Labelled", "SEQUENCES", "SequenceData",
    "TRAJECTORIES", "TrajectoryData", "TrajectoryOptions", "UnigramData",
    "VectorData", "Vocabulary", "label_split", "load_dataset",
    "load_trajectories", "steps_per_epoch", "to_model", "to_uint8",
    "train_batches", "validation_split",
]
