"""Text files that are read from disk while training."""

import gzip
import os
import re

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.configuration.data import StorageOptions
from lebm_tf.datasets import load_dataset, train_batches, validation_split
from lebm_tf.datasets.fingerprint import fingerprint
from lebm_tf.datasets.sequences import lines_on_disk, properties
from lebm_tf.datasets.sequences.lines_on_disk import Words
from lebm_tf.datasets.sequences.vocabulary import cut
from lebm_tf.datasets.stored import Stored, first, named_failures
from lebm_tf.errors import InputError

SMILES = ["CC", "CCO", "c1ccccc1", "CC(Br)Cl", "C=O", "CN", "OC", "CCC",
          "CCN", "C#N", "C", "O"]


def refused(text):
    return pytest.raises(InputError, match=re.escape(text))


def load(kind, path, gigabytes=0.0, index="", **settings):
    return load_dataset(f"{kind}:{path}", storage=StorageOptions(
        max_memory_gb=gigabytes, index=index), **settings)


@pytest.fixture
def text(tmp_path, monkeypatch):
    """Lines in several blocks, some of them left out."""
    monkeypatch.setattr(lines_on_disk, "_BLOCK", 7)
    path = tmp_path / "own.txt"
    numbers = np.random.RandomState(0)
    lines = [" ".join(f"w{word}" for word in numbers.randint(0, 20, size))
             for size in numbers.randint(1, 9, 40)]
    lines[4] = "  größer <unk>\tals w1 "
    path.write_bytes("\r\n".join(lines).encode() + b"\n\n   \nbad \xff\xfe\n"
                     + b"the last line has no end")
    return path


def check_same(disk, memory):
    assert isinstance(disk.x_train, Stored)
    assert isinstance(memory.x_train, np.ndarray)
    assert disk.vocabulary == memory.vocabulary
    np.testing.assert_array_equal(disk.x_train, memory.x_train)
    np.testing.assert_array_equal(disk.x_test, memory.x_test)
    left_out = {name: count for name, count in memory.counts.items() if count}
    assert {name: count for name, count in disk.counts.items()
            if count} == left_out


def check_same_batches(disk, memory):
    for start, context in ((0, tf.distribute.InputContext(1, 0, 2)),
                           (5, tf.distribute.InputContext(2, 1, 2))):
        one, other = (train_batches(data, 4, 0, start, context, 2).take(
            12).as_numpy_iterator() for data in (disk, memory))
        for batches in zip(one, other, strict=True):
            tf.nest.map_structure(np.testing.assert_array_equal, *batches)


@pytest.mark.parametrize("settings", [{}, {"vocabulary_size": 5}])
def test_lines_on_disk_are_those_in_memory(text, settings):
    disk, memory = (load("text", text, size, **settings)
                    for size in (0.0, 1.0))
    check_same(disk, memory)
    if not settings:
        check_same_batches(disk, memory)


def test_lines_that_are_too_long_are_left_out(text):
    disk, memory = (load("text", text, size, max_length=5)
                    for size in (0.0, 1.0))
    np.testing.assert_array_equal(disk.x_train, memory.x_train)
    assert disk.counts["train/too long"] == memory.counts["train/too long"] > 0
    with refused("the part train must have a line that is not left out, got "
                 "none of at most 1 tokens"):
        lines_on_disk.load_lines("text", str(text), lines_on_disk.Options(
            "words", 1, 0, "unchecked", ""), StorageOptions(
                max_memory_gb=0.0, index=str(text) + "2.npz"))


@pytest.mark.parametrize("head, row, settings", [
    ("", "{0} name", {}), ("id,smiles", '7,"{0}"', {}),
    ("x\ty", "1\t{0}", {"smiles_column": "y"}),
    ("", "{0}", {"invalid_smiles": "drop"}),
    ("", "{0}", {"invalid_smiles": "keep"})])
def test_molecules_on_disk_are_those_in_memory(tmp_path, head, row, settings):
    if "invalid_smiles" in settings:
        pytest.importorskip("rdkit")
    smiles = SMILES + ["no molecule", "C(C"] * ("invalid_smiles" in settings)
    path = tmp_path / "own.smi"
    path.write_text("\n".join(filter(None, [
        head, *(row.format(text) for text in smiles * 2)])))
    check_same(load("smiles", path, **settings),
               load("smiles", path, 1.0, **settings))


def test_the_file_is_indexed_once_and_again_if_it_changed(
        text, monkeypatch, tmp_path):
    before = load("text", text)
    assert (tmp_path / "own.txt.index.npz").exists()
    monkeypatch.setattr(lines_on_disk, "_indexed", None)
    again = load("text", text)
    assert fingerprint(again) == fingerprint(before)
    assert again.vocabulary == before.vocabulary
    monkeypatch.undo()
    text.write_text(text.read_text(errors="ignore").replace("w1", "new"))
    after = load("text", text)
    assert "new" in after.vocabulary.tokens
    assert fingerprint(after)["x_train"] != fingerprint(before)["x_train"]


def test_rare_words_are_dropped_where_too_many_would_be_counted():
    lines = ["a a a b", "a b c", "d a", "e b", "a f"]
    words = Words(most=3)
    for line in lines:
        words.add(cut([line], "words"))
    assert len(words.counts) <= 3 and words.total == 13
    vocabulary, unknown = words.vocabulary("x", "words", 2)
    assert vocabulary.tokens[4:] == ("a", "b")
    assert unknown == 13 - words.counts[b"a"] - words.counts[b"b"]


def test_a_validation_part_and_parts_for_evaluators_are_arrays(text):
    disk, memory = (validation_split(load("text", text, size), 0.2)
                    for size in (0.0, 1.0))
    np.testing.assert_array_equal(disk.x_validation, memory.x_validation)
    np.testing.assert_array_equal(first(disk.x_train, 3)[:],
                                  memory.x_train[:3])
    assert len(first(memory.x_train, 3)) == len(memory.x_train)


def test_a_file_that_changes_or_vanishes_while_it_is_read_is_named(text):
    batches = train_batches(load("text", text), 4, 0)
    with open(text, "ab") as file:
        file.write(b" more")
    with refused(f"{text} must not change during training"):
        with named_failures():
            list(batches.take(9))
    os.remove(text)
    with refused(f"{text} must stay readable during training, got No such"):
        with named_failures():
            list(batches.take(9))


@pytest.mark.parametrize("content, message", [
    # Without the time: the names of tests are those in every process.
    (gzip.compress(b"a b\n" * 99, mtime=0),
     "must be plain UTF-8 to be read from disk"),
    ("a b\nc d\n".encode("utf-16"), "must be plain UTF-8 to be read from disk"),
    (b"a b\rc d\n", "a zero byte or a lone carriage return in line 1"),
    (b"a b\nc \0d\n", "a zero byte or a lone carriage return in line 2"),
    (b"a <pad> b\nc\n", "line 1 must contain words only, got the special"),
    (b"\n\n a b\n", "at least 2 non-empty lines, got 1")])
def test_a_file_that_cannot_be_read_from_disk_is_refused(
        tmp_path, content, message):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with refused(message) as error:
        load("text", path)
    assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == ["bad.txt"]


def test_what_needs_all_molecules_in_memory_says_so(tmp_path):
    path = tmp_path / "own.smi"
    path.write_text("\n".join(SMILES))
    with refused("--property needs all 11 training examples in memory"):
        properties.with_property(load("smiles", path), "logp")
    with refused("index must be left out for zinc, got 'x'"):
        load_dataset("zinc", storage=StorageOptions(index="x"))
