"""A check of all image files of a folder, which is kept for the next run."""

from concurrent import futures
import os
from typing import Any, Callable, Iterator, NamedTuple, Sequence
import zlib

from absl import logging
import numpy as np

from lebm_tf.datasets.index import read_index, write_index
from lebm_tf.errors import InputError

_BLOCK = 256  # Files that the threads are given at a time.
_SHOWN = 3  # Broken files that a message names.


class Scan(NamedTuple):
    """What is known of the image files of a folder, in the order of their
    names.

    Attributes:
        names: Names relative to the folder, bytes [num].
        sizes: Sizes in bytes, int64 [num].
        times: Times of the last change in nanoseconds, int64 [num].
        checksums: CRC-32 of the contents, uint32 [num].
        broken: Whether the file cannot be used, bool [num].
    """
    names: np.ndarray
    sizes: np.ndarray
    times: np.ndarray
    checksums: np.ndarray
    broken: np.ndarray

    def taken(self, rows: np.ndarray) -> "Scan":
        """The files of the given rows, a mask or indices."""
        return Scan(*(column[rows] for column in self))

    def path(self, root: str, row: int) -> str:
        """Path of a file below the folder `root`."""
        return os.path.join(root, os.fsdecode(self.names[row]))


_EMPTY = Scan(np.zeros(0, "S1"), *(np.zeros(0, kind) for kind in (
    np.int64, np.int64, np.uint32, bool)))


def listed(name: str, root: str, files: Sequence[str]) -> Scan:
    """The files with their names, sizes and times only.

    Raises:
        InputError: If one has vanished.
    """
    names = np.array([os.fsencode(file) for file in files])
    stats = np.zeros([len(files), 2], np.int64)
    for row, file in enumerate(files):
        path = os.path.join(root, file)
        try:
            found = os.stat(path)
        except FileNotFoundError as error:
            if os.path.lexists(path):  # A link to nothing is a broken file.
                continue
            raise InputError(_vanished(name, path)) from error
        stats[row] = found.st_size, found.st_mtime_ns
    return Scan(names, stats[:, 0], stats[:, 1],
                np.zeros(len(files), np.uint32), np.zeros(len(files), bool))


def scanned(name: str, root: str, found: Scan, check: Callable[[str], Any],
            crop: str, index: str) -> Scan:
    """Checks all files that an index file does not know, and updates it.

    Args:
        name: Name of the data, for messages.
        root: The folder.
        found: Its files, from `listed`.
        check: Reads the image at a path; raises InputError if it is broken.
        crop: The crop that `check` applies; an index of another one is ignored.
        index: Path of the index file, which need not exist.

    Raises:
        InputError: If a file has vanished, or the index cannot be read or
            written.
    """
    kept = read_index(name, index, Scan._fields, crop)
    old = _EMPTY if kept is None else Scan(**kept)
    rows = np.searchsorted(old.names, found.names)
    rows = np.minimum(rows, max(len(old.names) - 1, 0))
    known = np.zeros(len(found.names), bool)
    if len(old.names):
        known = ((old.names[rows] == found.names)
                 & (old.sizes[rows] == found.sizes)
                 & (old.times[rows] == found.times))
    new = np.flatnonzero(~known)
    found.checksums[known] = old.checksums[rows[known]]
    found.broken[known] = old.broken[rows[known]]
    gone = len(old.names) - int(known.sum())
    if not len(new) and not gone:
        return found
    if len(old.names):
        logging.warning(
            "%s: the index %s is older than the folder: %d files are new or "
            "changed, and %d of the index are gone or changed.", name, index,
            len(new), gone)
    if len(new):
        logging.warning("%s: checking %d image files; the result is kept in "
                        "%s.", name, len(new), index)

    def result(row):
        path = found.path(root, row)
        if usable(name, path, check) is None:
            return True, 0
        with open(path, "rb") as file:
            return False, zlib.crc32(file.read())
    for row, (broken, checksum) in zip(new, in_parallel(result, new)):
        found.broken[row], found.checksums[row] = broken, checksum
    write_index(name, index, crop, **found._asdict())
    return found


def in_parallel(function: Callable[[Any], Any],
                items: Sequence[Any] | np.ndarray) -> Iterator[Any]:
    """Yields function(item) of every item, in order, from several threads."""
    with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for first in range(0, len(items), _BLOCK):
            yield from pool.map(function, items[first:first + _BLOCK])


def usable(name: str, path: str, check: Callable[[str], Any]) -> Any:
    """The result of `check`, or None if the file is broken.

    Raises:
        InputError: If the file has vanished.
    """
    try:
        return check(path)
    except InputError as error:
        if not os.path.lexists(path):
            raise InputError(_vanished(name, path)) from error
        return None


def refuse_broken(name: str, root: str, scan: Scan,
                  check: Callable[[str], Any]) -> None:
    """Raises InputError if files are broken; it names the first of them."""
    rows, reasons = np.flatnonzero(scan.broken), []
    for row in rows[:_SHOWN]:
        try:
            check(scan.path(root, row))
        except InputError as error:
            reasons.append(str(error).removeprefix(f"{name}: ").rstrip("."))
    if len(rows):
        more = ", ..." if len(rows) > _SHOWN else ""
        raise InputError(
            f"{name}: {len(rows):,} of {len(scan.names):,} images cannot be "
            f"used: {'; '.join(reasons)}{more}. Set --broken=skip to leave "
            "them out.")


def check_unchanged(name: str, path: str, size: int) -> None:
    """Raises InputError if a file has vanished or has another size."""
    try:
        now = os.stat(path).st_size
    except FileNotFoundError as error:
        raise InputError(_vanished(name, path)) from error
    if now != size:
        raise InputError(f"{name}: {path} must not change during training, got "
                         f"{now:,} bytes in place of {size:,}.")


def _vanished(name, path):
    return (f"{name}: {path} must stay in the folder while it is read, but is "
            "gone.")
