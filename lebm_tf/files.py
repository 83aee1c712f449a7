"""Atomic writing of results."""

import contextlib
import errno
import json
import os
import tempfile
from typing import Any, Iterator

from lebm_tf.errors import InputError


@contextlib.contextmanager
def atomic_path(path: str) -> Iterator[str]:
    """Provides a temporary path in the same folder, moved to `path` on success.

    After an error, a full disk or a kill, `path` is unchanged. The temporary
    name has the same ending, since many writers choose a format by it.

    Args:
        path: Path of the file. Its folder is created if needed.

    Yields:
        The path to write to.
    """
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise NotADirectoryError(
            errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder)
    os.makedirs(folder, exist_ok=True)
    handle, temporary = tempfile.mkstemp(
        prefix=".part-", suffix=os.path.splitext(path)[1], dir=folder)
    os.close(handle)
    try:
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)  # mkstemp's files are private.
        os.replace(temporary, path)
    except OSError as error:
        error.filename = path  # Instead of the temporary path, or none.
        raise
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def write_json(path: str, value: Any) -> None:
    """Writes indented JSON, atomically."""
    with atomic_path(path) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(value, file, indent=2)
            file.write("\n")


def read_json(path: str) -> Any:
    """Reads a JSON file.

    Raises:
        InputError: If the file is not valid JSON.
    """
    with open(path, encoding="utf-8") as file:
        try:
            return json.load(file)
        except ValueError as error:  # Invalid JSON or UTF-8.
            raise InputError(f"{path} is damaged: {error}.") from error
