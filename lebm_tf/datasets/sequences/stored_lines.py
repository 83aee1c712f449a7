"""Lines of a text file on disk, read and encoded when they are used."""

import os
from typing import Callable

import numpy as np
import tensorflow as tf

from lebm_tf.datasets.sequences.vocabulary import Vocabulary
from lebm_tf.datasets.stored import Stored
from lebm_tf.errors import InputError
from lebm_tf.token_ids import PAD


class LineFile:
    """A text file whose lines are read by their offsets.

    Args:
        what: Name of the data and the file, for messages.
        path: The file.
        text: Raw line -> text, from `lines_on_disk`.
    """

    def __init__(self, what: str, path: str, text: Callable[[bytes], str]):
        self.what, self.path, self.text = what, path, text
        self.size = os.path.getsize(path)

    def read(self, offsets: np.ndarray) -> list[str]:
        """Texts of the lines that start at the given bytes.

        Raises:
            InputError: If the file has vanished or has another size.
        """
        try:
            with open(self.path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size != self.size:
                    raise InputError(
                        f"{self.what} must not change during training, got "
                        f"{size:,} bytes in place of {self.size:,}.")
                texts = []
                for offset in offsets:
                    file.seek(offset)
                    texts.append(self.text(file.readline()))
                return texts
        except OSError as error:
            raise InputError(f"{self.what} must stay readable during training, "
                             f"got {error.strerror}.") from error


class StoredLines(Stored):
    """Sequences of tokens, int32 [num, length] when read, padded.

    Args:
        file: The file.
        vocabulary: Vocabulary that encodes the lines.
        length: Tokens of a row, including the end.
        offsets: Where the lines start, int64 [num].
        checksums: CRC-32 of the lines, uint32 [num].
        lengths: Tokens of each line, including its end, int32 [num].
        table: Result of `vocabulary.table()`, if there is one already.
    """

    def __init__(self, file: LineFile, vocabulary: Vocabulary, length: int,
                 offsets: np.ndarray, checksums: np.ndarray,
                 lengths: np.ndarray,
                 table: tf.lookup.StaticHashTable | None = None):
        super().__init__(offsets, checksums, (length,), np.int32)
        self.file, self.vocabulary, self.lengths = file, vocabulary, lengths
        self._table = vocabulary.table() if table is None else table

    def taken(self, rows: np.ndarray | slice) -> "StoredLines":
        return StoredLines(
            self.file, self.vocabulary, self.shape[1], self.numbers[rows],
            self.checksums[rows], self.lengths[rows], self._table)

    def examples(self, numbers: tf.Tensor) -> tf.Tensor:
        def read(offsets):
            return np.array([text.encode() for text in self.file.read(offsets)],
                            object)
        lines = tf.numpy_function(read, [numbers], tf.string, stateful=False)
        lines = tf.ensure_shape(lines, numbers.shape)
        rows = self.vocabulary.encode(lines, self._table)
        return tf.ensure_shape(
            rows.to_tensor(PAD, shape=[None, self.shape[1]]),
            [*numbers.shape, self.shape[1]])
