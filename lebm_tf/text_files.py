"""Reading of text files.

Gzipped or not, in UTF-8 or in UTF-16 with a byte-order mark, with any line
endings.
"""

import codecs
import gzip
import zlib

from lebm_tf.errors import InputError

# Limits of the unpacked size of a gzipped file: a multiple of its size, or a
# number of bytes if that is larger. Text shrinks to a fifth, a malicious file
# to a thousandth.
MOST_RATIO = 100
ALWAYS_FINE = 2**28

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def named(name: str, path: str) -> str:
    """Name of a data set and its file, for messages."""
    return name if path in name else f"{name}: {path}"


def read_utf8(path: str, what: str) -> bytes:
    r"""A text file as UTF-8 without byte-order mark, with \n as line ending.

    Invalid bytes are kept, so that callers can report their lines.

    Args:
        path: The file.
        what: Its name, the start of every error message.

    Raises:
        InputError: If it cannot be read, unpacks to far more than its size, or
            is not text.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read()
        if raw[:2] == b"\x1f\x8b":
            raw = _unpacked(path, what, len(raw))
        if raw.startswith(_UTF16):
            raw = raw.decode("utf-16").encode()
    except FileNotFoundError as error:
        raise InputError(f"{what} must be there, got no such file."
                         ) from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{what} must be a text file, gzipped or not, got "
                         f"{reason}.") from error
    raw = raw.removeprefix(codecs.BOM_UTF8)
    if b"\0" in raw:
        raise InputError(
            f"{what} must be text in UTF-8, got zero bytes, as in a binary "
            "file or UTF-16 without a byte-order mark.")
    return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def read_text(path: str, what: str) -> str:
    """The text of a file; as `read_utf8`, but all of it must be UTF-8.

    Raises:
        InputError: As `read_utf8`, or with the first line that is not UTF-8.
    """
    raw = read_utf8(path, what)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{what} must be a text file in UTF-8, got the invalid byte "
            f"0x{raw[error.start]:02x} in line {line}.") from error


def _unpacked(path, what, size) -> bytes:
    most = max(MOST_RATIO * size, ALWAYS_FINE)
    with gzip.open(path) as file:
        raw = file.read(most + 1)
    check_unpacked(len(raw), size, what)
    return raw


def check_unpacked(unpacked: int, packed: int, what: str) -> None:
    """Raises InputError if so few packed bytes unpack to so many that the file
    is probably malicious; `what` starts the message."""
    most = max(MOST_RATIO * packed, ALWAYS_FINE)
    if unpacked > most:
        raise InputError(
            f"{what} must unpack to at most {most:,} bytes from its "
            f"{packed:,}, got {unpacked:,} or more; unpack it yourself if you "
            "trust it.")
