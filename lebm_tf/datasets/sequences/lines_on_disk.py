"""Text files larger than memory: one pass finds the lines, one the words."""

import array
import codecs
import collections
import functools
import json
import os
from typing import Iterator, NamedTuple
import zlib

from absl import logging
import numpy as np
import tensorflow as tf

from lebm_tf.chemistry import smiles
from lebm_tf.configuration.data import StorageOptions
from lebm_tf.datasets.index import index_of, read_index, write_index
from lebm_tf.datasets.reading import held_out
from lebm_tf.datasets.sequences.data import SequenceData
from lebm_tf.datasets.sequences.lines import Lines
from lebm_tf.datasets.sequences.molecules import check_smiles, column_reader
from lebm_tf.datasets.sequences.stored_lines import LineFile, StoredLines
from lebm_tf.datasets.sequences.vocabulary import Vocabulary, check_words, cut
from lebm_tf.datasets.stored import MOST_HELD_OUT
from lebm_tf.errors import InputError
from lebm_tf.text_files import named
from lebm_tf.token_ids import UNKNOWN

_BLOCK = 4_096  # Lines that are in memory at a time.
_MOST_TOKENS = 2_000_000  # Different tokens that are counted at a time.
# First bytes of gzipped and of UTF-16 files.
_OTHERS = (b"\x1f\x8b", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FIELDS = ("offsets", "checksums", "lengths", "test", "more")


class Options(NamedTuple):
    """How lines become sequences; as in `load_sequences`."""
    tokenizer: str
    max_length: int
    vocabulary_size: int
    invalid_smiles: str
    smiles_column: str


class Index(NamedTuple):
    """What is known of the lines that are used.

    Attributes:
        offsets: Where they start, int64 [num].
        checksums: CRC-32 of each, uint32 [num].
        lengths: Tokens of each, including its end, int32 [num].
        test: Whether they are held out, bool [num].
        vocabulary: Vocabulary of the training lines.
        counts: As in `SequenceData`.
    """
    offsets: np.ndarray
    checksums: np.ndarray
    lengths: np.ndarray
    test: np.ndarray
    vocabulary: Vocabulary
    counts: dict[str, int]


def load_lines(name: str, path: str, options: Options,
               storage: StorageOptions) -> SequenceData:
    """Loads a text file, of which the training lines are read from disk.

    Lines, parts and vocabulary are those of the same file in memory, except
    that at most `MOST_HELD_OUT` lines are held out; that of more than 2 million
    different words the rare ones are dropped while counting (as word2vec does,
    Mikolov et al. 2013, arXiv:1310.4546, in its code); and that unknown tokens
    are counted in lines that are too long as well.

    Raises:
        InputError: As `load_sequences`, or if the file is packed or not UTF-8.
    """
    what = named(name, path)
    first, start = _beginning(path, what)
    if options.tokenizer == "smiles":
        text, has_header = column_reader(first, what, options.smiles_column)
    else:
        text, has_header = str.strip, False
    file = LineFile(what, path, lambda raw: text(raw.decode()))
    index = index_of(storage, path)
    key = str((file.size, os.stat(path).st_mtime_ns, options))
    kept = read_index(name, index, _FIELDS, key)
    if kept:
        more = json.loads(kept.pop("more").tobytes())
        found = Index(**kept, counts=more["counts"],
                      vocabulary=Vocabulary.from_dict(more["vocabulary"]))
    else:
        logging.warning("%s: reading all lines once; what is found is kept in "
                        "%s.", name, index)
        found = _indexed(name, file, start, has_header, options)
        more = json.dumps({"counts": found.counts,
                           "vocabulary": found.vocabulary.to_dict()})
        write_index(name, index, key, more=np.frombuffer(
            more.encode(), np.uint8), **{
                field: getattr(found, field) for field in _FIELDS[:-1]})
    rows = StoredLines(file, found.vocabulary, int(found.lengths.max()),
                       *found[:3])
    test = rows.taken(found.test)[:]
    counts = {**found.counts, "test/unknown tokens": int(
        (test == UNKNOWN).sum())}
    return SequenceData(name, rows.taken(~found.test), test, found.vocabulary,
                        counts)


def _beginning(path, what) -> tuple[str, int]:
    """First line that is not blank, and where the text starts."""
    try:
        with open(path, "rb") as file:
            mark = file.read(3)
            if mark[:2] in _OTHERS:
                raise InputError(
                    f"{what} must be plain UTF-8 to be read from disk, got a "
                    "gzipped or UTF-16 file; convert it, or raise "
                    "--max_memory_gb.")
            start = 3 if mark == codecs.BOM_UTF8 else 0
            file.seek(start)
            for raw in file:
                if raw.strip():
                    return raw.decode(errors="replace").strip(), start
    except OSError as error:
        raise InputError(f"{what} must be a text file, got {error.strerror}."
                         ) from error
    return "", start


def _indexed(name, file, start, has_header, options) -> Index:
    """Both passes."""
    offsets, checksums, counts = _found(file, start, has_header, options)
    if len(offsets) < 2:
        raise InputError(f"{name}: the file must have at least 2 non-empty "
                         f"lines, got {len(offsets)}.")
    test = held_out(len(offsets), MOST_HELD_OUT)
    lengths = np.zeros(len(offsets), np.int32)
    good = np.ones(len(offsets), bool)
    words = Words()
    for rows, texts in _blocks(file, offsets):
        if options.invalid_smiles != "unchecked":
            valid = np.array([molecule is not None
                              for molecule in smiles.parse(texts)])
            for part, chosen in (("train", ~test[rows]), ("test", test[rows])):
                counts[f"{part}/no molecule"] += int((chosen & ~valid).sum())
            if options.invalid_smiles == "drop":
                good[rows] = valid
        tokens = cut(texts, options.tokenizer)
        lengths[rows] = tokens.row_lengths().numpy() + 1
        words.add(tf.ragged.boolean_mask(tokens, good[rows] & ~test[rows]))
    vocabulary, counts["train/unknown tokens"] = words.vocabulary(
        name, options.tokenizer, options.vocabulary_size)
    fits = lengths <= (options.max_length or lengths.max())
    for part, chosen in (("train", ~test), ("test", test)):
        counts[f"{part}/too long"] = int((chosen & good & ~fits).sum())
        if not (chosen & good & fits).any():
            raise InputError(
                f"{name}: the part {part} must have a line that is not left "
                f"out, got none{_limit(options)}.")
    kept = good & fits
    return Index(offsets[kept], checksums[kept], lengths[kept], test[kept],
                 vocabulary, dict(counts))


def _limit(options):
    return (f" of at most {options.max_length} tokens"
            if options.max_length else "")


def _found(file, start, has_header, options):
    """Offsets and CRC-32 of the lines with a text, and counts."""
    check = functools.partial(
        check_words if options.tokenizer == "words" else check_smiles,
        name=file.what)
    checks = options.invalid_smiles == "unchecked"
    offsets, checksums = array.array("q"), array.array("I")
    counts: collections.Counter[str] = collections.Counter()
    block = Lines([], [], {})
    with open(file.path, "rb") as lines:
        lines.seek(start)
        offset = start
        for number, raw in enumerate(lines, 1):
            text = _text(file, raw, number, options.tokenizer, counts)
            if text and has_header:
                has_header, text = False, ""
                counts["train/header"] += 1
            elif text is not None:
                counts["train/lines"] += 1
                counts["train/empty"] += not text
            if text:
                offsets.append(offset)
                checksums.append(zlib.crc32(text.encode()))
                block.texts.append(text)
                block.numbers.append(number)
            if checks and len(block.texts) == _BLOCK:
                check(block)
            if len(block.texts) == _BLOCK:
                block = Lines([], [], {})
            offset += len(raw)
    if checks:
        check(block)
    return (np.array(offsets, np.int64), np.array(checksums, np.uint32),
            counts)


def _text(file, raw, number, tokenizer, counts) -> str | None:
    """Text of a raw line, "" if there is none; None if it is not UTF-8."""
    try:
        text = file.text(raw)
    except UnicodeDecodeError as error:
        if tokenizer == "smiles":
            raise InputError(
                f"{file.what} must be a text file in UTF-8, got an invalid "
                f"byte in line {number}.") from error
        counts["train/lines"] += 1
        counts["train/no UTF-8"] += 1
        return None
    if b"\0" in raw or b"\r" in raw.strip():
        raise InputError(
            f"{file.what} must be text whose lines end with a line feed to be "
            f"read from disk, got a zero byte or a lone carriage return in "
            f"line {number}.")
    return text


def _blocks(file, offsets) -> Iterator[tuple[slice, list[str]]]:
    for first in range(0, len(offsets), _BLOCK):
        rows = slice(first, first + _BLOCK)
        yield rows, file.read(offsets[rows])


class Words:
    """Counts of tokens, of at most `most` different ones.

    Args:
        most: If more are met, those with the fewest occurrences so far are
            dropped, once, twice and so on, until enough are left.
    """

    def __init__(self, most: int = _MOST_TOKENS):
        self.most, self.dropped, self.total = most, 0, 0
        self.counts: dict[bytes, int] = {}

    def add(self, tokens: tf.RaggedTensor) -> None:
        """Counts the tokens of lines."""
        values, _, counts = tf.unique_with_counts(tokens.flat_values)
        for token, count in zip(values.numpy(), counts.numpy().tolist()):
            self.counts[token] = self.counts.get(token, 0) + count
        self.total += int(tf.size(tokens.flat_values))
        while len(self.counts) > self.most:
            self.dropped += 1
            self.counts = {token: count for token, count in
                           self.counts.items() if count > self.dropped}

    def vocabulary(self, name: str, tokenizer: str, size: int
                   ) -> tuple[Vocabulary, int]:
        """The vocabulary of the most frequent tokens, and the number of counted
        tokens outside it."""
        if self.dropped:
            logging.warning(
                "%s: more than %d different tokens; those with %d or fewer "
                "occurrences at a time were dropped.", name, self.most,
                self.dropped)
        vocabulary = Vocabulary.ranked(
            {token.decode(): count for token, count in self.counts.items()},
            tokenizer, size)
        known = sum(self.counts.get(token.encode(), 0)
                    for token in vocabulary.tokens[4:])
        return vocabulary, self.total - known
