"""A work directory knows its data by their content, not by their name alone."""

import os

from lebm_tf import files
from lebm_tf.datasets import DataSet
from lebm_tf.datasets.fingerprint import differing, fingerprint
from lebm_tf.errors import InputError

DATA = "data.json"


def check(workdir: str, data: DataSet) -> None:
    """Refuses data of another content than those of a work directory, if it
    has kept any.

    Raises:
        InputError: If they differ, with what does.
    """
    path = os.path.join(workdir, DATA)
    if os.path.exists(path):
        _compare(path, files.read_json(path), fingerprint(data), data.name)


def keep(workdir: str, data: DataSet) -> None:
    """Keeps the content of the data, which `check` let pass."""
    path = os.path.join(workdir, DATA)
    if not os.path.exists(path):
        files.write_json(path, fingerprint(data))


def _compare(path, old, new, name):
    try:
        changed = differing(old, new)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error!r}.") from error
    if changed:
        raise InputError(
            f"{name} must hold what the run in {os.path.dirname(path)} was "
            f"trained on, got another content of {', '.join(changed)}.")
