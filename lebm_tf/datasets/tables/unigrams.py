"""Labelled documents as bags of words."""

import collections
import json
import re

import numpy as np

from lebm_tf.datasets.reading import find
from lebm_tf.datasets.sequences.lines import read_lines
from lebm_tf.datasets.tables.data import UnigramData
from lebm_tf.errors import InputError

# Name -> classes, and candidate files for each part.
UNIGRAMS = {"agnews": (("World", "Sports", "Business", "Sci/Tech"), {
    "train": ("agnews_train.jsonl", "agnews_train_subset.jsonl"),
    "validation": ("agnews_dev.jsonl",),
    "test": ("agnews_test.jsonl",)})}
_WORD = re.compile(r"(?<![^\W_])[^\W\d_]{3,30}(?![^\W_])")
_FEWEST = 4  # Minimum number of words of a training document.
NONE = "<none>"


def load_unigrams(name: str, *, data_dir: str = "", vocabulary_size: int = 0
                  ) -> UnigramData:
    """Loads a data set of labelled documents.

    Words are runs of 3 to 30 letters in lower case, without English stop words,
    as in the preprocessing of Gururangan et al. 2019, arXiv:1906.02242. There
    the vocabulary includes the validation part, here the training part alone.
    Training documents with 3 words or fewer are left out, held-out ones never;
    both are counted.

    Args:
        name: Key of `UNIGRAMS`. `agnews` is in a folder of that name in
            `data_dir`: lines of JSON, gzipped or not, with `label` (a class
            number from 0) and `text`; a `title` is ignored. The training part
            is complete or a subset.
        data_dir: Folder of the data.
        vocabulary_size: Number of most frequent words to keep; 0 for all.

    Raises:
        InputError: If a file is missing or invalid.
    """
    classes, files = UNIGRAMS[name]
    if vocabulary_size < 0:
        raise InputError(
            f"vocabulary_size must be >= 0, got {vocabulary_size}.")
    texts, labels, counts = {}, {}, {}
    for part, names in files.items():
        path = find(name, data_dir, *names)
        if "subset" in path:
            counts["training documents are a subset"] = 1
        texts[part], labels[part] = _read(name, path, len(classes))
    vocabulary = _vocabulary(texts["train"], vocabulary_size)
    number = {word: i for i, word in enumerate(vocabulary)}
    bags = {part: [[number[w] for w in words if w in number]
                   for words in lines] for part, lines in texts.items()}
    for part, lines in texts.items():
        counts[f"{part}/unknown words"] = sum(map(len, lines)) - sum(
            map(len, bags[part]))
    short = [len(bag) < _FEWEST for bag in bags["train"]]
    counts[f"train/fewer than {_FEWEST} words"] = sum(short)
    bags["train"] = [b for b, is_short in zip(bags["train"], short)
                     if not is_short]
    labels["train"] = labels["train"][~np.array(short, bool)]
    if not bags["train"]:
        raise InputError(f"{name}: the training part must have documents of at "
                         f"least {_FEWEST} words, got none.")
    longest = max(len(bag) for part in bags.values() for bag in part)
    return UnigramData(
        name, x_train=_padded(bags["train"], longest),
        x_test=_padded(bags["test"], longest), words=vocabulary,
        y_train=labels["train"], y_test=labels["test"], classes=classes,
        counts=counts, x_validation=_padded(bags["validation"], longest),
        y_validation=labels["validation"],
        origin={"data_dir": data_dir, "vocabulary_size": vocabulary_size})


def words(text: str) -> list[str]:
    """The words of a text that count, in order."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
    return [word for word in _WORD.findall(text.lower())
            if word not in ENGLISH_STOP_WORDS]


def _read(name, path, num_classes):
    lines = read_lines(path, name)
    texts, labels = [], []
    for line, i in zip(lines.texts, lines.numbers):
        try:
            row = json.loads(line)
            text, label = row["text"], row["label"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise InputError(f"{name}: line {i} of {path} must be JSON with "
                             f"text and label, got {error!r}.") from error
        if not isinstance(label, int) or not 0 <= label < num_classes:
            raise InputError(
                f"{name}: the label in line {i} of {path} must be from 0 to "
                f"{num_classes - 1}, got {label!r}.")
        texts.append(words(str(text)))
        labels.append(label)
    if not texts:
        raise InputError(f"{name}: {path} must have at least one document, got "
                         "none.")
    return texts, np.array(labels, np.int64)


def _vocabulary(texts, size):
    """The most frequent words; ties in alphabetical order."""
    counted = collections.Counter(word for line in texts for word in line)
    order = sorted(counted, key=lambda word: (-counted[word], word))
    return (NONE, *(order[:size] if size else order))


def _padded(bags, length):
    x = np.zeros([len(bags), length], np.int32)
    for row, bag in zip(x, bags):
        row[:len(bag)] = bag
    return x
