"""Examples that a program has or makes."""

import numpy as np
import pytest
import tensorflow as tf

import lebm_tf
from lebm_tf.assembly.observations import DenseConfig
from lebm_tf.datasets import in_memory
from lebm_tf.errors import InputError
from lebm_tf.families import symbol_vector

X = np.random.default_rng(0).integers(0, 256, [12, 8, 8, 1]).astype(np.uint8)


@pytest.mark.parametrize("make", [
    lambda x: x, lambda x: (row for row in x), list,
    tf.data.Dataset.from_tensor_slices, tf.constant])
def test_arrays_generators_and_tf_data_are_one_data_set(make):
    data = in_memory(make(X[:8]), make(X[8:]))
    np.testing.assert_array_equal(data.x_train, X[:8])
    np.testing.assert_array_equal(data.x_test, X[8:])
    assert data.y_train is None and data.kind == "image"


def test_pairs_bring_class_numbers_and_all_is_trained_on(tmp_path):
    y = np.arange(12) % 3
    data = in_memory(*(tf.data.Dataset.from_tensor_slices((X[part], y[part]))
                       for part in (slice(8), slice(8, 12))))
    np.testing.assert_array_equal(data.y_train, y[:8])
    model = lebm_tf.build("image", lebm_tf.ImageConfig(
        latent_dim=3, generator=lebm_tf.GeneratorConfig(channels=(4,)),
        prior=lebm_tf.ChainConfig(1), posterior=lebm_tf.ChainConfig(1)), data,
        batch_size=4)
    lebm_tf.fit(model, data, lebm_tf.RunConfig(
        train_steps=3, workdir=str(tmp_path / "run")), verbose=False)
    again = lebm_tf.load(str(tmp_path / "run"), data=data)
    np.testing.assert_array_equal(again.sample(2).x, model.sample(2).x)


def test_counts_are_bags_of_words_that_are_trained_on():
    counts = np.random.default_rng(0).integers(0, 4, [10, 5])
    data = in_memory([(row, i % 2) for i, row in enumerate(counts[:8])],
                     [(row, 0) for row in counts[8:]], "counts")
    assert data.kind == "counts" and data.shape == (6,)
    np.testing.assert_array_equal(data.to_model(data.x_train)[:, 1:],
                                  counts[:8])
    np.testing.assert_allclose(
        data.frequencies[1:], counts[:8].sum(0) / counts[:8].sum())
    config = symbol_vector.SymbolVectorConfig(
        latent_dim=2, num_symbols=2, prior=lebm_tf.ChainConfig(1, 0.1),
        dense_generator=DenseConfig((4,)), dense_encoder=DenseConfig((4,)))
    model = lebm_tf.build("symbol_vector", config, data, batch_size=4)
    rows = lebm_tf.fit(model, data, lebm_tf.RunConfig(
        train_steps=2, log_every=2), verbose=False)
    assert np.isfinite(rows[-1]["loss/nll"])


@pytest.mark.parametrize("train, kind, said", [
    (-np.ones([3, 2], int), "counts", r"integers >= 0 .documents, num_words"),
    (np.ones([3, 2]) / 2, "counts", r"got float64 \[3, 2\]"),
    (np.ones([3, 2], int), "counts", "both parts must count as many words"),
    (tf.data.Dataset.from_tensor_slices(X).repeat(), "image",
     "mine: train must be finite, got an infinite tf.data.Dataset"),
    ([], "image", "mine: train must hold at least one example, got none"),
    ([X[0], X[0, :4]], "image", r"of one shape, got \(4, 8, 1\) and \(8, 8,"),
    ([(X[0], 1), X[0]], "image", "got both"),
    (3, "image", "must be an array, a tf.data.Dataset or an iterable"),
    (X, "sequence", "kind must be one of image, vector, counts, got 'seq"),
    (X[:, 0, 0, 0], "image", "x_train"),
    ([(row, 0) for row in X], "image", "both parts or none must have")])
def test_what_is_no_data_set_is_refused(train, kind, said):
    held_out = np.ones([2, 3], int) if kind == "counts" else X
    with pytest.raises(InputError, match=said):
        in_memory(train, held_out, kind, name="mine")
