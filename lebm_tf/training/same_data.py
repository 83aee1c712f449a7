"""Checks that a work directory is used with the data of its training."""

import os

from lebm_tf import files
from lebm_tf.datasets import DataSet
from lebm_tf.datasets.fingerprint import ON_DISK, differing, fingerprint
from lebm_tf.errors import InputError

DATA = "data.json"


def check(workdir: str, data: DataSet) -> None:
    """Refuses data whose content differs from that recorded in a work
    directory.

    Raises:
        InputError: If they differ; the message lists the parts that do.
    """
    path = os.path.join(workdir, DATA)
    if os.path.exists(path):
        _compare(path, files.read_json(path), fingerprint(data), data.name)


def keep(workdir: str, data: DataSet) -> None:
    """Records the content of the data, if none is recorded yet."""
    path = os.path.join(workdir, DATA)
    if not os.path.exists(path):
        files.write_json(path, fingerprint(data))


def _compare(path, old, new, name):
    begun, now = (str(record.get("x_train")).startswith(ON_DISK)
                  for record in (old, new))
    if begun != now:
        where = "disk" if begun else "memory"
        raise InputError(
            f"{name} must be read from {where}, as when the run in "
            f"{os.path.dirname(path)} began; set --max_memory_gb.")
    try:
        changed = differing(old, new)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error!r}.") from error
    if changed:
        raise InputError(
            f"{name} must hold the training data of the run in "
            f"{os.path.dirname(path)}, but its {', '.join(changed)} differ in "
            "content.")
