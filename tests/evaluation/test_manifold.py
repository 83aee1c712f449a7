"""Tests of precision and recall."""

import numpy as np
import pytest

from lebm_tf.evaluation.images.manifold import precision_recall


def test_a_set_covers_itself(numbers):
    values = numbers.normal(size=(40, 3))
    assert precision_recall(values, values) == (1.0, 1.0)


def test_sets_far_apart_do_not_meet(numbers):
    values = numbers.normal(size=(40, 3))
    assert precision_recall(values, values + 100.0) == (0.0, 0.0)


def test_samples_of_one_of_two_clusters_are_faithful_and_cover_half(numbers):
    first = numbers.normal(size=(300, 2))
    real = np.concatenate([first, numbers.normal(size=(300, 2)) + 100.0])
    precision, recall = precision_recall(
        first + 0.01 * numbers.normal(size=(300, 2)), real)
    assert precision > 0.97
    assert recall == pytest.approx(0.5, abs=0.02)


def test_radii_are_distances_to_the_third_neighbour():
    """On a line: balls of 0, 1, 2, 3 reach 3 and 2 to either side."""
    real = np.array([[0.0], [1.0], [2.0], [3.0]])
    samples = np.array([[-2.9], [-3.1], [5.9], [6.1]])
    assert precision_recall(samples, real)[0] == 0.5


@pytest.mark.parametrize("sizes, message", [
    ((3, 9), "more than 3 samples, got 3"),
    ((9, 2), "more than 3 real images, got 2")])
def test_too_few_images_are_refused(sizes, message, numbers):
    with pytest.raises(ValueError, match=message):
        precision_recall(*(numbers.normal(size=(n, 2)) for n in sizes))
