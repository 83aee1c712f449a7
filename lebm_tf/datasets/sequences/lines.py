"""Lines of text files, and the names of public sets of them."""

import gzip
import zlib

from lebm_tf.errors import InputError

# Name -> (tokenizer, files of training, validation, test).
PUBLIC = {
    "ptb": ("words", ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt")),
    "snli": ("words", ("snli.train.txt", "snli.val.txt", "snli.test.txt")),
    "yahoo": ("words", ("yahoo.train.txt", "yahoo.val.txt",
                        "yahoo.test.txt")),
    "zinc": ("smiles", ("zinc250k_train.txt", "zinc250k_valid.txt",
                        "zinc250k_test.txt"))}


def read_lines(path: str, name: str) -> tuple[list[str], dict[str, int]]:
    """The lines of a text file, gzipped or not, and what was left out.

    Raises:
        InputError: If it can't be read.
    """
    return cleaned(raw_lines(path, name))


def raw_lines(path: str, name: str) -> list[bytes]:
    """The lines of a text file, gzipped or not, as they are.

    Raises:
        InputError: If it can't be read.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{name}: {path} must be a text file, gzipped or "
                         f"not, got {error}.") from error
    lines = raw.split(b"\n")
    return lines[:-1] if raw.endswith(b"\n") else lines


def cleaned(raw: list[bytes]) -> tuple[list[str], dict[str, int]]:
    """Lines without white space around them, and what was left out: empty
    lines, and those that are no UTF-8."""
    lines, counts = [], {"lines": 0, "empty": 0, "no UTF-8": 0}
    for line in raw:
        counts["lines"] += 1
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError:
            counts["no UTF-8"] += 1
            continue
        if text:
            lines.append(text)
        else:
            counts["empty"] += 1
    return lines, counts
