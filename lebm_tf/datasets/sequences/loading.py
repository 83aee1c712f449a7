"""Text and molecules by name or from the user's own files."""

import os

import tensorflow as tf

from lebm_tf.chemistry import smiles
from lebm_tf.datasets.reading import find, held_out
from lebm_tf.datasets.sequences.data import SequenceData
from lebm_tf.datasets.sequences.lines import PUBLIC, cleaned, read_lines
from lebm_tf.datasets.sequences.tfds import lines_of
from lebm_tf.datasets.sequences.vocabulary import Vocabulary, cut, padded
from lebm_tf.errors import InputError
from lebm_tf.token_ids import UNKNOWN

OWN = {"text": "words", "smiles": "smiles"}
SEQUENCES = (*PUBLIC, "text:FILE", "smiles:FILE", "tfds:NAME")


def load_sequences(name: str, *, data_dir: str = "", max_length: int = 0,
                   vocabulary_size: int = 0,
                   invalid_smiles: str = "unchecked") -> SequenceData:
    """Loads a data set of sequences.

    Lines that are empty, no UTF-8, or too long are left out; they, and tokens
    outside the vocabulary, are counted in `SequenceData.counts`.

    Args:
        name: One of `SEQUENCES`: `ptb`, `snli`, `yahoo` (words between white
            space) and `zinc` (SMILES) are plain or gzipped text files, one
            sequence a line, in a folder of that name in `data_dir`; "text:"
            and "smiles:" take the path of one such file, of which every
            tenth line, in an order that depends on their number alone, is
            held out. "tfds:" takes the words of a set of tensorflow-datasets,
            see `sequences.tfds`, or of one of the four public ones through it.
        data_dir: Folder of the public ones.
        max_length: Most tokens of a sequence with its end; 0 keeps all.
        vocabulary_size: Most tokens of the vocabulary, which is built from
            the training lines; 0 keeps all.
        invalid_smiles: What becomes of lines of SMILES that are no molecules:
            unchecked, or, counted with RDKit, keep or drop.

    Raises:
        InputError: If the name is unknown, a file is missing or can't be
            read, nothing is left of it, or RDKit is needed and missing.
    """
    kind, colon, path = name.partition(":")
    if colon and kind in OWN:
        if not path:
            raise InputError(f"data set must be {kind}:FILE, got {name!r}.")
        tokenizer = OWN[kind]
        lines, counts = read_lines(os.path.expanduser(path), name)
        parts = _hold_out(lines, name)
        counts = {"train": counts}
    elif kind + colon == "tfds:":
        read = lines_of(path, data_dir, lambda public: _files(
            public, data_dir) if public in PUBLIC else {})
        public = path.partition(":")[0]
        tokenizer = PUBLIC[public][0] if public in PUBLIC else "words"
        parts, counts = {}, {}
        for part, raw in read.items():
            parts[part], counts[part] = cleaned(raw)
        if "test" not in parts:
            parts = {**parts, **_hold_out(parts["train"], name)}
    elif name in PUBLIC:
        tokenizer = PUBLIC[name][0]
        parts, counts = {}, {}
        for part, file in _files(name, data_dir).items():
            parts[part], counts[part] = read_lines(file, name)
    else:
        raise InputError(f"data set must be one of {', '.join(SEQUENCES)}, "
                         f"got {name!r}.")
    if tokenizer != "smiles" and invalid_smiles != "unchecked":
        raise InputError("invalid_smiles must be left out for data that are "
                         f"no SMILES, got {invalid_smiles!r} for {name}.")
    for part, lines in parts.items():
        parts[part], invalid = smiles.sifted(lines, invalid_smiles)
        counts.setdefault(part, {})["no molecule"] = invalid
    return _made(name, tokenizer, parts, counts, max_length, vocabulary_size,
                 {"data_dir": data_dir, "max_length": max_length,
                  "vocabulary_size": vocabulary_size,
                  "invalid_smiles": invalid_smiles})


def _made(name, tokenizer, parts, counts, max_length, vocabulary_size,
          origin):
    for part, lines in parts.items():
        if not lines:
            raise InputError(f"{name}: the part {part} must hold at least one "
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
                f"{name}: the part {part} must hold a line of at most "
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


def _hold_out(lines, name):
    """Every tenth line of an order that depends on their number alone."""
    if len(lines) < 2:
        raise InputError(f"{name}: the file must hold at least 2 lines that "
                         f"are not empty, got {len(lines)}.")
    test = held_out(len(lines))
    return {"train": [line for line, out in zip(lines, test) if not out],
            "test": [line for line, out in zip(lines, test) if out]}
