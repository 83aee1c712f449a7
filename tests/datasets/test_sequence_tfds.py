"""Tests of text through tensorflow-datasets, without network."""

import numpy as np
import pytest

from lebm_tf.datasets import load_dataset
from lebm_tf.errors import InputError

tfds = pytest.importorskip("tensorflow_datasets")

PARTS = {"train": b"a b\nb c\n\nc a a\n", "valid": b"a\n",
         "test": b"b c\nq\n\xff\n"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ptb").mkdir()
    for part, text in PARTS.items():
        (tmp_path / "ptb" / f"ptb.{part}.txt").write_bytes(text)
    return str(tmp_path)


def test_a_public_set_is_the_same_through_it(folder):
    plain = load_dataset("ptb", data_dir=folder)
    for _ in range(2):  # Prepared, then read again.
        data = load_dataset("tfds:ptb", data_dir=folder)
        for part in ("x_train", "x_validation", "x_test"):
            np.testing.assert_array_equal(
                getattr(data, part), getattr(plain, part))
        assert data.vocabulary == plain.vocabulary
        assert data.counts == plain.counts
    assert data.counts["train/empty"] == data.counts["test/no UTF-8"] == 1
    assert tfds.builder("text_lines/ptb", data_dir=folder).info.splits[
        "train"].num_examples == 4


class Pairs(tfds.core.GeneratorBasedBuilder):
    """A set with two texts and no test part."""

    name = "pairs_of_lines"
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict({
                "one": tfds.features.Text(), "two": tfds.features.Text(),
                "label": tfds.features.ClassLabel(num_classes=2)}),
            disable_shuffling=True)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i in range(10):
            yield i, {"one": f"a{i} b", "two": "c", "label": i % 2}


def test_any_set_with_a_text_is_read(tmp_path):
    Pairs(data_dir=str(tmp_path)).download_and_prepare()
    data = load_dataset("tfds:pairs_of_lines:one,two", data_dir=str(tmp_path))
    assert (len(data.x_train), len(data.x_test)) == (18, 2)
    data = load_dataset("tfds:pairs_of_lines:one", data_dir=str(tmp_path))
    assert (len(data.x_train), len(data.x_test)) == (9, 1)
    assert "a0" in data.vocabulary.tokens or "a9" in data.vocabulary.tokens
    for wrong in ("", ":label", ":three"):
        with pytest.raises(InputError, match="tfds:pairs_of_lines must be "
                           "followed by :FEATURE among one, two, got"):
            load_dataset("tfds:pairs_of_lines" + wrong,
                         data_dir=str(tmp_path))


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="must be tfds:NAME with a set "
                       "of tensorflow-datasets or .*got .nothing_here"):
        load_dataset("tfds:nothing_here", data_dir=str(tmp_path))
    with pytest.raises(InputError, match="tfds:imdb_reviews: needs prepared "
                       "data, got none in"):
        load_dataset("tfds:imdb_reviews", data_dir=str(tmp_path))
    with pytest.raises(InputError, match="ptb must be in --data_dir"):
        load_dataset("tfds:ptb", data_dir=str(tmp_path))
