"""One writer to a work directory."""

import contextlib
import fcntl
import os
from typing import Iterator

from lebm_tf.errors import InputError

LOCK = ".lock"


@contextlib.contextmanager
def locked(workdir: str) -> Iterator[None]:
    """Holds a work directory, made if need be, against other processes.

    The lock is the kernel's, so it ends with the process, however that ends.

    Raises:
        InputError: If another process holds it.
    """
    path = os.path.join(os.path.realpath(workdir), LOCK)
    os.makedirs(workdir, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise InputError(
                f"{workdir} must be written by one run at a time, got a "
                f"second while process {file.read().strip() or '?'} writes "
                "there.") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
