"""Small sets of ArrayRecord files, as tensorflow-datasets prepares them."""

import numpy as np
import tensorflow_datasets as tfds


def save_records(folder, file_format="array_record", shard=1000, **splits):
    """Writes splits, name -> (images, labels or None), to a new folder."""
    folder.mkdir()
    (images, labels), *_ = splits.values()
    features = {"image": tfds.features.Image(
        shape=images[0].shape, encoding_format="png")}
    if labels is not None:
        features["label"] = tfds.features.Scalar(np.int64)
    writer = tfds.core.SequentialWriter(tfds.core.DatasetInfo(
        builder=tfds.core.dataset_info.DatasetIdentity(
            "images", tfds.core.Version("1.0.0"), str(folder), ""),
        features=tfds.features.FeaturesDict(features)), shard,
        file_format=file_format)
    writer.initialize_splits(list(splits))
    for split, (images, labels) in splits.items():
        for i, image in enumerate(images):
            example = {"image": image}
            if labels is not None:
                example["label"] = labels[i]
            writer.add_examples({split: [example]})
    writer.close_all()
    return folder
