"""TensorBoard's event files: truncation at a step, and hyper-parameters.

A run that resumes from a checkpoint repeats the steps after it, and TensorBoard
would show both.
"""

import os
from typing import Any, Mapping

from absl import logging
import tensorflow as tf

from lebm_tf.files import atomic_path


def cut(folder: str, step: int) -> None:
    """Removes the events after `step`; no writer may be open.

    Args:
        folder: Folder of event files; need not exist.
        step: Last step to keep; 0 removes the files, since settings are events
            of step 0 and are written once more.
    """
    if not os.path.isdir(folder):
        return
    for name in sorted(os.listdir(folder)):
        if not name.startswith("events."):
            continue
        path = os.path.join(folder, name)
        if not step:
            os.remove(path)
            continue
        whole = records(path)
        kept = [record for record in whole if
                tf.compat.v1.Event.FromString(record).step <= step]
        if len(kept) == len(whole):
            continue
        with atomic_path(path) as temporary:
            with tf.io.TFRecordWriter(temporary) as writer:
                for record in kept:
                    writer.write(record)


def records(path: str) -> list[bytes]:
    """Returns the complete records of a file; a killed writer leaves a partial
    one."""
    found = []
    try:
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            found.append(record)
    except tf.errors.DataLossError:
        logging.info("%s ends in the middle of a record.", path)
    return found


def write_settings(settings: Mapping[str, Any]) -> None:
    """Writes flags for the HParams page of TensorBoard, which compares runs.

    Args:
        settings: Flag -> value; a value that is neither a number nor a string
            is written as text.
    """
    from tensorboard.plugins.hparams import api  # Costs a second to import.
    api.hparams({name: value if isinstance(value, (bool, int, float, str))
                 else str(value) for name, value in settings.items()})
