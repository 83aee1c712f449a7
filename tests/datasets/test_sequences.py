"""Sequences: what is read, what is counted, and back to text."""

import gzip
import os

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.datasets import (
    SequenceData, Vocabulary, load_dataset, train_batches, validation_split)
from lebm_tf.datasets.sequences.vocabulary import SPECIAL, cut
from lebm_tf.errors import InputError
from tests.oracles import raises

DATA = os.environ.get("LEBM_DATA_DIR", "")


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "own.txt"
    lines = [f"line {i} of some text" for i in range(40)]
    path.write_bytes("\n".join(lines).encode() + b"\n\n   \nbad \xff\xfe\n"
                     + b"much " * 9 + b"longer\n")
    return path


def test_lines_come_back_as_they_were(text):
    data = load_dataset(f"text:{text}")
    lines = {f"line {i} of some text" for i in range(40)}
    lines.add("much " * 9 + "longer")
    found = data.vocabulary.texts(data.x_train)
    assert len(found) == len(set(found) & lines) == 37
    # Words that no training line has are unknown.
    assert data.vocabulary.texts(data.x_test) == [
        "line <unk> of some text"] * 4
    assert data.shape == (11,) and data.num_classes == 0


def test_what_is_left_out_is_counted(text):
    data = load_dataset(f"text:{text}", max_length=6, vocabulary_size=3)
    assert data.counts["train/lines"] == 44
    assert data.counts["train/empty"] == 2
    assert data.counts["train/no UTF-8"] == 1
    assert data.counts["train/too long"] + data.counts["test/too long"] == 1
    assert len(data.x_train) + len(data.x_test) == 40
    assert data.num_tokens == len(SPECIAL) + 3
    unknown = sum((x == 1).sum() for x in (data.x_train, data.x_test))
    # Of "line N of some text" two are not among the three most frequent.
    assert unknown == 80 == (data.counts["train/unknown tokens"]
                             + data.counts["test/unknown tokens"])
    assert "empty 2" in data.describe() and "too long 1" in data.describe()


def test_the_vocabulary_is_of_the_training_part_by_frequency(text):
    data = load_dataset(f"text:{text}")
    words = set(" ".join(data.vocabulary.texts(data.x_train)).split())
    assert set(data.vocabulary.tokens) == words | set(SPECIAL)
    assert data.vocabulary.tokens[4:8] == ("line", "of", "some", "text")


def test_the_order_of_lines_does_not_depend_on_the_rest(text):
    one, other = (load_dataset(f"text:{text}") for _ in range(2))
    np.testing.assert_array_equal(one.x_test, other.x_test)
    split = validation_split(one, 0.25)
    assert len(split.x_validation) == 9 and len(split.x_train) == 28


def test_smiles_are_atoms_and_signs():
    line = "C[C@@H](Cl)c1ccc(Br)cc1%10"
    tokens = [t.decode() for t in cut([line], "smiles")[0].numpy()]
    assert tokens[:9] == ["C", "[", "C", "@", "@", "H", "]", "(", "Cl"]
    assert tokens.count("Br") == 1 and "".join(tokens) == line


def test_characters_are_those_of_unicode():
    assert cut(["añ b"], "characters").to_list() == [
        [b"a", "ñ".encode(), b" ", b"b"]]


def test_numbers_and_texts_are_graphs():
    """A served model carries them."""
    vocabulary = Vocabulary((*SPECIAL, "a", "b"))
    encode = tf.function(lambda lines: vocabulary.encode(lines).to_tensor())
    numbers = encode(tf.constant(["b a c", "a"]))
    np.testing.assert_array_equal(numbers, [[5, 4, 1, 3], [4, 3, 0, 0]])
    decode = tf.function(vocabulary.decode)
    assert decode(numbers).numpy().tolist() == [b"b a <unk>", b"a"]
    again = Vocabulary.from_dict(vocabulary.to_dict())
    assert again == vocabulary


def test_batches_are_of_tokens(text):
    """Cut where the longest of the batch ends; of several replicas, where
    that of all their batches does."""
    data = load_dataset(f"text:{text}")
    stream = train_batches(data, 6, 0)
    assert stream.element_spec["x"].shape.as_list() == [6, None]
    longest = set()
    for batch in stream.take(6):
        rows = data.x_train[batch["index"].numpy()]
        length = np.count_nonzero(rows, 1).max()
        longest.add(length)
        assert batch["x"].dtype == tf.int32
        np.testing.assert_array_equal(batch["x"], rows[:, :length])
    assert longest == {6, 11}
    context = tf.distribute.InputContext(1, 0, 2)
    for whole, *parts in zip(
            stream.take(6), *(train_batches(data, 6, 0, context=context).shard(
                2, replica) for replica in range(2))):
        np.testing.assert_array_equal(
            whole["x"], np.concatenate([part["x"] for part in parts]))


def test_gzipped_files_are_read(text, tmp_path):
    packed = tmp_path / "own.txt.gz"
    packed.write_bytes(gzip.compress(text.read_bytes()))
    np.testing.assert_array_equal(load_dataset(f"text:{packed}").x_train,
                                  load_dataset(f"text:{text}").x_train)


@pytest.mark.parametrize("name, settings, message", [
    ("text:", {}, "data set must be text:FILE, got 'text:'."),
    ("text:{tmp}/none", {}, "must be there, got no such file."),
    ("text:{tmp}/empty", {}, "must have at least 2 non-empty lines, got 0"),
    ("text:{tmp}/own", {"max_length": 2}, "at most 2 tokens, got none"),
    ("text:{tmp}/own", {"image_size": 8}, "image_size must be left out for"),
    ("digits", {"max_length": 8}, "max_length must be left out for digits"),
    ("ptb", {}, "ptb must be in --data_dir .* ptb/ptb.train.txt"),
    ("ptb2", {}, "unknown data set 'ptb2'. Did you mean ptb?")])
def test_what_can_not_be_read_is_said(
        name, settings, message, tmp_path, monkeypatch):
    monkeypatch.delenv("LEBM_DATA_DIR", raising=False)
    (tmp_path / "empty").write_text("\n\n")
    (tmp_path / "own").write_text("one two\nthree four\n")
    with pytest.raises(InputError, match=message):
        load_dataset(name.format(tmp=tmp_path), **settings)


def test_arrays_that_are_no_sequences_are_refused():
    vocabulary = Vocabulary((*SPECIAL, "a"))
    good = np.array([[4, 3, 0]], np.int32)
    with raises(InputError, "own: x_test must have the length of x_train, 3, "
                "got 2."):
        SequenceData("own", good, good[:, :2], vocabulary)
    with raises(InputError, "own: x_train must hold ids of 5 tokens, got 0 "
                "to 5."):
        SequenceData("own", good + (good == 4), good, vocabulary)
    with raises(InputError, "own: x_train must hold one end token in every "
                "row, after the last token, got row 0 without."):
        SequenceData("own", np.array([[4, 4, 0]], np.int32), good, vocabulary)


@pytest.mark.skipif(not DATA, reason="LEBM_DATA_DIR is not set")
def test_penn_treebank_has_the_published_numbers():
    data = load_dataset("ptb", data_dir=DATA)
    assert len(data.x_train) == 42_068 and len(data.x_test) == 3_761
    assert int((data.x_test != 0).sum()) == 82_430
    assert data.num_tokens in (10_002, 10_003)  # Specials and 9,999 words.
