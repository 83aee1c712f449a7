"""Data sets: pictures by name or from the user's own files."""

from lebm_tf.datasets.image_batches import steps_per_epoch, train_batches
from lebm_tf.datasets.image_data import ImageData, to_model, to_uint8
from lebm_tf.datasets.images import DATASETS, load_dataset
from lebm_tf.datasets.validation_split import validation_split

__all__ = [
    "DATASETS", "ImageData", "load_dataset", "steps_per_epoch", "to_model",
    "to_uint8", "train_batches", "validation_split",
]
