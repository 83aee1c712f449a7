"""Tests of forward and reverse perplexity on languages with known entropy."""

import dataclasses

import numpy as np
import pytest

from lebm_tf import token_ids
from lebm_tf.evaluation.text import language_model, perplexity
from lebm_tf.evaluation.text.language_model import LanguageModelConfig
from lebm_tf.evaluation.text.perplexity import Sentences, load, measure

CONFIG = LanguageModelConfig(
    embedding_dim=8, hidden_dim=8, dropout=0.0, learning_rate=2e-2,
    batch_size=20, max_epochs=8)
FEW = dataclasses.replace(CONFIG, max_epochs=1)
# One word out of 4, and an end.
UNIFORM, SKEWED = [0.25] * 4, [0.7, 0.1, 0.1, 0.1]


def speak(numbers, probabilities, num=400):
    words = numbers.choice([4, 5, 6, 7], size=(num, 1), p=probabilities)
    return np.insert(words, 1, token_ids.END, axis=1).astype(np.int32)


@pytest.fixture
def real(numbers):
    return Sentences(speak(numbers, UNIFORM, 800), speak(numbers, UNIFORM),
                     speak(numbers, UNIFORM), 8)


def of(probabilities, under):
    """Perplexity of a token: a word of a known cross entropy and an end that
    is certain."""
    return np.exp(-np.array(probabilities) @ np.log(under) / 2)


def test_values_are_cross_entropies_of_known_languages(numbers, real):
    """Samples that prefer one word read as well as real ones (the real model
    holds all words for equal), but who learns from them reads real ones
    badly: reverse perplexity sees what forward perplexity does not."""
    metrics = dict(measure(
        {"good": speak(numbers, UNIFORM), "skewed": speak(numbers, SKEWED)},
        real, CONFIG))
    assert of(UNIFORM, UNIFORM) == pytest.approx(2)
    for name, value in (
            ("real", of(UNIFORM, UNIFORM)),
            ("forward_good", of(UNIFORM, UNIFORM)),
            ("reverse_good", of(UNIFORM, UNIFORM)),
            ("forward_skewed", of(SKEWED, UNIFORM)),
            ("reverse_skewed", of(UNIFORM, SKEWED))):
        assert metrics[f"perplexity/{name}"] == pytest.approx(value, rel=0.05)
        assert metrics[f"perplexity/{name}_nll"] == pytest.approx(
            2 * np.log(metrics[f"perplexity/{name}"]))
        assert f"perplexity/{name}_standard_deviation" not in metrics
    assert of(UNIFORM, SKEWED) > 1.17 * of(SKEWED, UNIFORM)
    assert metrics["perplexity/cut_good"] == 0.0
    assert metrics["perplexity/num_good"] == 400


def test_every_seed_is_a_language_model(real, tmp_path):
    alone = [dict(measure({"samples": real.test}, real, FEW, [seed]))
             for seed in (3, 4)]
    both = dict(measure({"samples": real.test}, real, FEW, [3, 4],
                        str(tmp_path)))
    assert both["perplexity/num_seeds"] == 2
    assert {path.name for path in tmp_path.iterdir()} == {
        "language_model_3.npz", "language_model_4.npz"}
    for name in ("real", "forward_samples", "reverse_samples"):
        values = [metrics[f"perplexity/{name}"] for metrics in alone]
        assert values[0] != values[1]
        assert both[f"perplexity/{name}"] == pytest.approx(np.mean(values))
        assert both[f"perplexity/{name}_standard_deviation"] == (
            pytest.approx(abs(values[0] - values[1]) / 2**0.5))


def test_samples_without_an_end_are_counted(numbers, real):
    rows = speak(numbers, UNIFORM, 8)
    rows[:2, 1] = 4
    metrics = dict(measure({"samples": rows}, real, FEW))
    assert metrics["perplexity/cut_samples"] == 0.25


def test_a_file_keeps_the_real_model_and_knows_whose_it_is(
        real, tmp_path, monkeypatch):
    trained, train = [], language_model.train
    monkeypatch.setattr(language_model, "train", lambda *arguments: (
        trained.append(1), train(*arguments))[1])
    path = str(tmp_path / "model.npz")
    first, again = load(real, FEW, 0, path), load(real, FEW, 0, path)
    assert len(trained) == 1
    for a, b in zip(first.weights, again.weights):
        np.testing.assert_array_equal(a, b)
    assert language_model.perplexity(first, real.test) == (
        language_model.perplexity(again, real.test))
    fewer = dataclasses.replace(real, train=real.train[1:])
    for arguments in ((real, FEW, 1), (fewer, FEW, 1), (real, dataclasses.
                      replace(FEW, hidden_dim=5), 1)):
        load(*arguments, path)
    assert len(trained) == 4


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off"])
def test_a_broken_file_is_written_anew(content, real, tmp_path):
    path = tmp_path / "model.npz"
    path.write_bytes(content)
    load(real, FEW, 0, str(path))
    with np.load(path) as file:
        assert "key" in file


def test_reverse_models_are_fresh_for_every_set(real):
    """The same samples under two names have the same value, bit for bit."""
    metrics = dict(measure({"a": real.test, "b": real.test}, real, FEW))
    assert metrics["perplexity/reverse_a"] == metrics["perplexity/reverse_b"]


def test_wrong_input_is_refused(real):
    with pytest.raises(ValueError, match="seeds must have at least one"):
        dict(measure({}, real, CONFIG, seeds=()))
    with pytest.raises(ValueError, match="samples 'x' must hold tokens from "
                       "0 to 7, got 3 to 9"):
        dict(measure({"x": np.array([[9, 3]])}, real, CONFIG))
    with pytest.raises(ValueError, match="test must hold tokens from 0 to 5"):
        perplexity.Sentences(
            np.array([[4, 3]]), np.array([[4, 3]]), np.array([[7, 3]]), 6)
