"""A lock that allows one writer per work directory."""

import contextlib
import fcntl
import os
from typing import Iterator

from lebm_tf.errors import InputError

LOCK = ".lock"


@contextlib.contextmanager
def locked(workdir: str) -> Iterator[None]:
    """Locks a work directory against other processes, creating it if needed.

    The kernel holds the lock, so it is released when the process ends in any
    way.

    Raises:
        InputError: If another process holds the lock.
    """
    path = os.path.join(os.path.realpath(workdir), LOCK)
    os.makedirs(workdir, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise InputError(
                f"{workdir} must be used by one run at a time, but process "
                f"{file.read().strip() or '?'} is writing to it.") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
