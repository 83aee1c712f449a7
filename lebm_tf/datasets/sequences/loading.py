"""Sequence data sets by name or from a user's files."""

import dataclasses
import os

from absl import logging
import tensorflow as tf

from lebm_tf.chemistry import smiles
from lebm_tf.configuration.data import StorageOptions
from lebm_tf.datasets.reading import find, held_out
from lebm_tf.datasets.sequences.data import SequenceData
from lebm_tf.datasets.sequences.lines import PUBLIC, Lines, cleaned, read_lines
from lebm_tf.datasets.sequences.lines_on_disk import Options, load_lines
from lebm_tf.datasets.sequences.molecules import check_smiles, read_smiles
from lebm_tf.datasets.sequences.tfds import lines_of
from lebm_tf.datasets.sequences.vocabulary import (
    Vocabulary, check_words, cut, padded)
from lebm_tf.errors import InputError
from lebm_tf.token_ids import UNKNOWN

OWN = {"text": "words", "smiles": "smiles"}
SEQUENCES = (*PUBLIC, "text:FILE", "smiles:FILE", "tfds:NAME")


def load_sequences(name: str, *, data_dir: str = "", max_length: int = 0,
                   vocabulary_size: int = 0,
                   invalid_smiles: str = "unchecked", smiles_column: str = "",
                   storage: StorageOptions = StorageOptions()) -> SequenceData:
    """Loads a data set of sequences.

    Lines that are empty, not UTF-8 or too long are left out. They, and tokens
    outside the vocabulary, are counted in `SequenceData.counts`. Of the special
    tokens, only <unk> may occur as a word of a text; it means an unknown word.

    Args:
        name: One of `SEQUENCES`. `ptb`, `snli`, `yahoo` (words between white
            space) and `zinc` (SMILES) are plain or gzipped text files, one
            sequence per line, in a folder of that name in `data_dir`. "text:"
            and "smiles:" take the path of one such file, of which every tenth
            line, in an order that depends on their number alone, is held out.
            "tfds:" takes the words of a set of tensorflow-datasets, see
            `sequences.tfds`, or one of the four public sets through it.
        data_dir: Folder of the public sets.
        max_length: Maximum number of tokens of a sequence, including its end; 0
            keeps all.
        vocabulary_size: Maximum size of the vocabulary, which is built from the
            training lines; 0 keeps all tokens.
        invalid_smiles: What to do with lines that are not valid SMILES:
            unchecked; or check and count them with RDKit, and keep or drop
            them. Unchecked lines with characters outside SMILES are an error.
        smiles_column: Column of "smiles:FILE" with the molecules, see
            `molecules.read_smiles`; "" detects it.
        storage: A plain file "text:" or "smiles:" of more than `max_memory_gb`
            is read from disk while training, see `lines_on_disk.load_lines`.

    Raises:
        InputError: If the name is unknown, a file is missing or unreadable, no
            line is left, or RDKit is needed and missing.
    """
    kind, colon, path = name.partition(":")
    origin = {"data_dir": data_dir, "max_length": max_length,
              "vocabulary_size": vocabulary_size,
              "invalid_smiles": invalid_smiles,
              "smiles_column": smiles_column, "storage": storage}
    if colon and kind in OWN:
        if not path:
            raise InputError(f"data set must be {kind}:FILE, got {name!r}.")
        tokenizer, path = OWN[kind], os.path.expanduser(path)
        if os.path.isfile(path) and os.path.getsize(path) > storage.max_bytes:
            _check_options(name, tokenizer, invalid_smiles, smiles_column)
            data = load_lines(name, path, Options(
                tokenizer, max_length, vocabulary_size, invalid_smiles,
                smiles_column), storage)
            return dataclasses.replace(data, origin=origin)
        parts = {"train": read_smiles(path, name, smiles_column)
                 if tokenizer == "smiles" else read_lines(path, name)}
    elif kind + colon == "tfds:":
        read = lines_of(path, data_dir, lambda public: _files(
            public, data_dir) if public in PUBLIC else {})
        public = path.partition(":")[0]
        tokenizer = PUBLIC[public][0] if public in PUBLIC else "words"
        parts = {part: cleaned(raw) for part, raw in read.items()}
    elif name in PUBLIC:
        tokenizer = PUBLIC[name][0]
        parts = {part: read_lines(file, name)
                 for part, file in _files(name, data_dir).items()}
    else:
        raise InputError(f"data set must be one of {', '.join(SEQUENCES)}, "
                         f"got {name!r}.")
    _check_options(name, tokenizer, invalid_smiles, smiles_column)
    for lines in parts.values():
        if tokenizer == "words":
            check_words(lines, name)
        elif tokenizer == "smiles" and invalid_smiles == "unchecked":
            check_smiles(lines, name)
    if "test" not in parts:
        parts.update(_hold_out(parts["train"], name))
    parts = _sifted(parts, invalid_smiles, name)
    return _made(name, tokenizer,
                 {part: lines.texts for part, lines in parts.items()},
                 {part: lines.counts for part, lines in parts.items()},
                 max_length, vocabulary_size, origin)


def _check_options(name, tokenizer, invalid_smiles, smiles_column):
    """Refuses settings that have no effect."""
    if tokenizer != "smiles" and invalid_smiles != "unchecked":
        raise InputError("invalid_smiles must be left out for data other than "
                         f"SMILES, got {invalid_smiles!r} for {name}.")
    if not name.startswith("smiles:") and smiles_column:
        raise InputError("smiles_column must be left out for data other than "
                         f"smiles:FILE, got {smiles_column!r} for {name}.")


def _sifted(parts: dict[str, Lines], invalid_smiles: str, name: str
            ) -> dict[str, Lines]:
    """The lines, with invalid molecules counted or left out."""
    found = {}
    for part, lines in parts.items():
        kept, invalid, stopped = smiles.sifted(lines.texts, invalid_smiles)
        if stopped:
            numbers = ", ".join(str(lines.numbers[i]) for i in stopped[:5])
            logging.warning(
                "%s: %s; %d in all, which count as no molecules.", name,
                smiles.told(f"line {numbers}"), len(stopped))
        found[part] = lines._replace(
            texts=kept, counts={**lines.counts, "no molecule": invalid})
    total = sum(len(lines.texts) for lines in parts.values())
    if total and not any(lines.texts for lines in found.values()):
        raise InputError(f"{name}: lines must be valid molecules, got 0 of "
                         f"{total:,} lines that are.")
    return found


def _made(name, tokenizer, parts, counts, max_length, vocabulary_size,
          origin):
    for part, lines in parts.items():
        if not lines:
            raise InputError(f"{name}: the part {part} must have at least one "
                             "line that is not left out, got none.")
    vocabulary = Vocabulary.of(
        cut(parts["train"], tokenizer), tokenizer, vocabulary_size)
    numbers, met = {}, {}
    for part, lines in parts.items():
        for what, count in counts.get(part, {}).items():
            met[f"{part}/{what}"] = count
        encoded = vocabulary.encode(lines)
        lengths = encoded.row_lengths().numpy()
        fits = lengths <= (max_length or lengths.max())
        met[f"{part}/too long"] = int((~fits).sum())
        encoded = tf.ragged.boolean_mask(encoded, fits)
        met[f"{part}/unknown tokens"] = int(tf.reduce_sum(tf.cast(
            encoded.flat_values == UNKNOWN, tf.int64)))
        if not encoded.nrows():
            raise InputError(
                f"{name}: the part {part} must have a line of at most "
                f"{max_length} tokens, got none.")
        numbers[part] = encoded
    longest = max(int(part.row_lengths().numpy().max())
                  for part in numbers.values())
    arrays = {part: padded(ragged, longest)
              for part, ragged in numbers.items()}
    return SequenceData(
        name, arrays["train"], arrays["test"], vocabulary, met, origin,
        arrays.get("validation"))


def _files(name, data_dir):
    """Part -> path."""
    return {part: find(name, data_dir, file) for part, file in
            zip(("train", "validation", "test"), PUBLIC[name][1])}


def _hold_out(lines: Lines, name: str) -> dict[str, Lines]:
    """Holds out every tenth line, in an order that depends on their number
    alone."""
    if len(lines.texts) < 2:
        raise InputError(f"{name}: the file must have at least 2 non-empty "
                         f"lines, got {len(lines.texts)}.")
    test = held_out(len(lines.texts))
    return {"train": lines.take(~test),
            "test": lines.take(test)._replace(counts={})}
