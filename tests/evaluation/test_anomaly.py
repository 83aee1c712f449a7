"""Tests of anomaly detection and of its split."""

import dataclasses

import numpy as np
import pytest

from lebm_tf.datasets import ImageData, load_dataset, to_model
from lebm_tf.datasets.images.anomaly_split import anomaly_split
from lebm_tf.errors import InputError
from lebm_tf.evaluation import anomaly, evaluate
from tests.oracles import raises


def test_the_split_is_the_published_one():
    data = load_dataset("digits")
    split = anomaly_split(data, 4)
    pooled = np.concatenate([data.y_train, data.y_test])
    num = int((pooled != 4).sum())
    assert len(split.x_train) == int(0.8 * num)
    assert len(split.x_test) == num - int(0.8 * num) + (pooled == 4).sum()
    assert 4 not in split.y_train
    assert (split.y_test[-(pooled == 4).sum():] == 4).all()
    # The shuffle of the other classes is that of NumPy's seed 42.
    order = np.random.RandomState(42).permutation(num)
    np.testing.assert_array_equal(
        split.y_train, pooled[pooled != 4][order][:int(0.8 * num)])


def test_the_split_keeps_every_picture_with_its_label():
    data = load_dataset("digits")
    split = anomaly_split(data, 0)

    def rows(data):
        pairs = [*zip(data.x_train, data.y_train),
                 *zip(data.x_test, data.y_test)]
        return sorted((x.tobytes(), int(y)) for x, y in pairs)
    assert rows(split) == rows(data)


def test_a_label_that_is_not_there_lists_those_that_are():
    with raises(InputError, "digits: anomaly label must be one of 0, 1, 2, 3, "
                "4, 5, 6, 7, 8, 9, got 12."):
        anomaly_split(load_dataset("digits"), 12)


def test_data_without_labels_or_with_one_class_have_no_split(digits):
    bare = ImageData("bare", digits.x_train, digits.x_test)
    with raises(InputError,
                "an anomaly split needs labels, got none in bare."):
        anomaly_split(bare, 1)
    same = ImageData("same", digits.x_test, digits.x_test,
                     np.ones(100, int), np.ones(100, int))
    with pytest.raises(InputError, match="at least 2 images of classes"):
        anomaly_split(same, 1)


def test_perfect_and_reversed_scores_have_the_known_areas():
    positive = np.array([False, False, True, True])
    assert anomaly.precision_recall_area(
        positive, np.array([1.0, 2.0, 3.0, 4.0])) == 1.0
    # By hand, points (recall, precision): (0, 1) (.5, 1) (.5, 1/2)
    # (1, 2/3): area 0.5 + 0.5 (1/2 + 2/3) / 2.
    assert anomaly.precision_recall_area(
        positive, np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx(
            0.5 + 0.5 * (1 / 2 + 2 / 3) / 2)


def test_scores_are_sums_of_the_documented_terms(energy_model, digits):
    x = np.asarray(to_model(digits.x_test[:7]))
    z = energy_model.infer(x, 3)
    error = ((energy_model.decode(z) - x)**2).sum((1, 2, 3))
    energy = energy_model.energy(z).numpy()
    square = 0.5 * (z**2).sum(1)
    measured = anomaly.scores(energy_model, x, 1, 3)
    np.testing.assert_allclose(
        measured["damc"], error + energy + square, rtol=1e-4)
    np.testing.assert_allclose(measured["error"], error / 64, rtol=1e-5)
    joint = measured["log_joint"]
    expected = error / (2 * 0.3**2) + energy + square
    np.testing.assert_allclose(
        joint - joint[0], expected - expected[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["damc", "log_joint"])
def test_noise_is_more_anomalous_than_digits(
        name, energy_model, digits, context, numbers):
    noise = numbers.randint(0, 256, (20, 8, 8, 1)).astype(np.uint8)
    data = ImageData("noisy", digits.x_train,
                     np.concatenate([digits.x_test, noise]), digits.y_train,
                     np.concatenate([digits.y_test, np.full(20, 10)]))
    metrics = evaluate(energy_model, dataclasses.replace(
        context, data=data, anomaly_label=10), [
            anomaly.AnomalyEvaluator(score=name)])
    assert metrics["anomaly/auprc"] > 0.8
    assert metrics["anomaly/mse_anomaly"] > metrics["anomaly/mse_normal"]
    assert metrics["anomaly/auprc"] == metrics[f"anomaly/auprc_{name}"]
    assert metrics["anomaly/prevalence"] == pytest.approx(20 / 120)
    assert metrics["anomaly/score"] == name


def test_a_model_without_energy_has_scores(vae_model, digits, context):
    data = anomaly_split(digits, 1)
    metrics = evaluate(vae_model, dataclasses.replace(
        context, data=data, anomaly_label=1), ["anomaly"])
    assert 0.0 < metrics["anomaly/auprc"] < 1.0


@pytest.mark.parametrize("label, message", [
    (-1, "needs an anomaly label >= 0, got -1"),
    (11, "must include class 11 and others, got 0 of 100"),
    (3, "training images must not include the anomaly class 3")])
def test_a_label_that_cannot_be_measured_is_refused(
        label, message, energy_model, context):
    with pytest.raises(InputError, match=message):
        evaluate(energy_model, dataclasses.replace(
            context, anomaly_label=label), ["anomaly"])


def test_held_out_pictures_without_labels_are_refused(
        energy_model, digits, context):
    bare = ImageData("bare", digits.x_train, digits.x_test)
    with raises(InputError, "evaluator anomaly needs held-out labels, got "
                "none in bare."):
        evaluate(energy_model, dataclasses.replace(
            context, data=bare, anomaly_label=1), ["anomaly"])
