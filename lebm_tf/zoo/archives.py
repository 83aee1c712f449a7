"""Archives of published models: packed reproducibly, unpacked with bounds."""

import gzip
import hashlib
import os
import pathlib
import shutil
import tarfile
import tempfile
from typing import IO
import zlib

from lebm_tf import files
from lebm_tf.errors import InputError

ENDING = ".tar.gz"
# Bounds of an archive and of its contents.
MAX_BYTES = 500_000_000
MAX_ENTRIES = 1_000
_CHUNK = 2**20


def pack(folder: str, path: str) -> str:
    """Packs the files of a folder into one archive, atomically.

    Equal files give equal bytes: names are sorted, and times and owners are
    left out.

    Args:
        folder: Folder of the files.
        path: The archive to write.

    Returns:
        The SHA-256 checksum of the archive, 64 hexadecimal digits.
    """
    with files.atomic_path(path) as temporary:
        with open(temporary, "wb") as file, gzip.GzipFile(
                "", "wb", fileobj=file, mtime=0) as packed, tarfile.open(
                    fileobj=packed, mode="w",
                    format=tarfile.USTAR_FORMAT) as archive:
            for found in sorted(pathlib.Path(folder).rglob("*")):
                if found.is_file():
                    entry = tarfile.TarInfo(str(found.relative_to(folder)))
                    entry.size = found.stat().st_size
                    with open(found, "rb") as content:
                        archive.addfile(entry, content)
        return checksum(temporary)


def checksum(path: str) -> str:
    """SHA-256 checksum of a file, 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(path: str, folder: str) -> None:
    """Unpacks an archive of plain files into a folder.

    Args:
        path: The archive, .tar.gz.
        folder: Existing, empty folder.

    Raises:
        InputError: If the archive is damaged or exceeds a bound, or if an entry
            is neither a file nor a folder or would leave the folder. The folder
            may then hold some of the files.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as plain:
            with gzip.open(path) as packed:  # Its end holds a checksum.
                copy_bounded(packed, plain, f"the contents of {path}")
            plain.seek(0)
            with tarfile.open(fileobj=plain, mode="r:") as archive:
                for number, entry in enumerate(archive, 1):
                    if number > MAX_ENTRIES:
                        raise InputError(
                            f"{path} must have at most {MAX_ENTRIES} entries, "
                            "got more.")
                    _extract(archive, entry, path, folder)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error,
            FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{path} must be a whole {ENDING} archive, got one "
                         f"that is damaged or cut off: {error}.") from error


def copy_bounded(source: IO[bytes] | gzip.GzipFile, target: IO[bytes],
                 what: str) -> None:
    """Copies a stream of at most MAX_BYTES.

    Raises:
        InputError: If the stream is longer; the message starts with `what`.
    """
    total = 0
    while chunk := source.read(_CHUNK):
        total += len(chunk)
        if total > MAX_BYTES:
            raise InputError(f"{what} must have at most {MAX_BYTES:,} bytes, "
                             "got more.")
        target.write(chunk)


def _extract(archive, entry, path, folder):
    """Writes one entry; only plain files and folders are accepted."""
    name = pathlib.PurePosixPath(entry.name)
    if name.is_absolute() or {"..", "\\", "\0"} & {*name.parts, *entry.name}:
        raise InputError(f"{path}: every entry must stay in its folder, got "
                         f"{entry.name!r}.")
    if not (entry.isdir() or entry.isreg()) or entry.issparse():
        raise InputError(f"{path}: every entry must be a plain file or a "
                         f"folder, got {entry.name!r}.")
    target = os.path.join(folder, *name.parts)
    if entry.isdir():
        os.makedirs(target, exist_ok=True)
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with archive.extractfile(entry) as source, open(target, "xb") as file:
        shutil.copyfileobj(source, file)
