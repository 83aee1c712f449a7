"""Lines of text files, and the public sets of them."""

from typing import Iterable, NamedTuple

from lebm_tf.text_files import named, read_utf8

# Name -> (tokenizer, files of training, validation and test).
PUBLIC = {
    "ptb": ("words", ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt")),
    "snli": ("words", ("snli.train.txt", "snli.val.txt", "snli.test.txt")),
    "yahoo": ("words", ("yahoo.train.txt", "yahoo.val.txt",
                        "yahoo.test.txt")),
    "zinc": ("smiles", ("zinc250k_train.txt", "zinc250k_valid.txt",
                        "zinc250k_test.txt"))}


class Lines(NamedTuple):
    """Non-empty lines.

    Attributes:
        texts: Texts without surrounding white space.
        numbers: Line numbers in the file, from 1.
        counts: Observation during reading -> number of lines.
    """
    texts: list[str]
    numbers: list[int]
    counts: dict[str, int]

    def take(self, chosen: Iterable[bool]) -> "Lines":
        """The lines of a mask."""
        rows = [i for i, taken in enumerate(chosen) if taken]
        return Lines([self.texts[i] for i in rows],
                     [self.numbers[i] for i in rows], self.counts)


def read_lines(path: str, name: str) -> Lines:
    """Reads the non-empty lines of a text file, gzipped or not.

    Raises:
        InputError: If it cannot be read.
    """
    return cleaned(raw_lines(path, name))


def raw_lines(path: str, name: str) -> list[bytes]:
    """Reads the raw lines of a text file, gzipped or not.

    Raises:
        InputError: If it cannot be read.
    """
    raw = read_utf8(path, named(name, path))
    lines = raw.split(b"\n")
    return lines[:-1] if raw.endswith(b"\n") else lines


def cleaned(raw: list[bytes]) -> Lines:
    """Strips lines; skips and counts those that are empty or not UTF-8."""
    found = Lines([], [], {"lines": len(raw), "empty": 0, "no UTF-8": 0})
    for number, line in enumerate(raw, 1):
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError:
            found.counts["no UTF-8"] += 1
            continue
        if text:
            found.texts.append(text)
            found.numbers.append(number)
        else:
            found.counts["empty"] += 1
    return found
