"""Tests of distances between sets of features."""

import numpy as np
import pytest

from lebm_tf.evaluation.images.frechet import (
    frechet_distance, gaussian_frechet_distance, kernel_distance)


def test_distance_of_diagonal_gaussians_is_the_closed_form():
    mean, other = np.array([1.0, 2.0, 0.0]), np.array([0.0, 2.5, 0.0])
    scale, wide = np.array([1.0, 2.0, 0.5]), np.array([3.0, 1.0, 0.0])
    distance = gaussian_frechet_distance(
        mean, np.diag(scale**2), other, np.diag(wide**2))
    expected = ((mean - other)**2).sum() + ((scale - wide)**2).sum()
    assert distance == pytest.approx(expected, rel=1e-12)


def test_distance_of_a_scaled_gaussian_is_the_closed_form(numbers):
    """C2 = c^2 C1 gives (c - 1)^2 tr(C1), whatever C1 is."""
    root = numbers.normal(size=(6, 6))
    covariance, mean = root @ root.T, numbers.normal(size=6)
    distance = gaussian_frechet_distance(
        mean, covariance, mean, 9.0 * covariance)
    assert distance == pytest.approx(4.0 * np.trace(covariance), rel=1e-10)


def test_distance_of_a_set_to_itself_is_zero(numbers):
    values = numbers.normal(size=(50, 8)) @ numbers.normal(size=(8, 8))
    assert frechet_distance(values, values) == pytest.approx(0.0, abs=1e-6)


def test_fewer_rows_than_columns_do_no_harm(numbers):
    few, moved = numbers.normal(size=(2, 5, 30))
    assert np.isfinite(frechet_distance(few, moved))
    assert frechet_distance(few, few + 2.0) == pytest.approx(
        30 * 4.0, rel=1e-6)


def test_distance_of_sets_uses_their_moments(numbers):
    first = numbers.normal(size=(200, 3))
    second = numbers.normal(size=(300, 3)) * 2.0 + 1.0
    expected = gaussian_frechet_distance(
        first.mean(0), np.cov(first.T), second.mean(0), np.cov(second.T))
    assert frechet_distance(first, second) == pytest.approx(expected)
    assert frechet_distance(second, first) == pytest.approx(expected)


def test_one_feature_is_enough(numbers):
    values = numbers.normal(size=(20, 1))
    assert frechet_distance(values, values + 3.0) == pytest.approx(9.0)


def test_kernel_distance_vanishes_within_its_error_for_one_distribution(
        numbers):
    first, second = numbers.normal(size=(2, 2000, 8))
    distance, error = kernel_distance(first, second)
    assert 0.0 < error < 0.05
    assert abs(distance) < 4.0 * error


def test_kernel_distance_is_the_closed_form_of_moments(numbers):
    """With one column, k(a, b) = (ab + 1)^3 compares three moments:
    MMD^2 = 3 d1^2 + 3 d2^2 + d3^2 for the differences d of E x^k."""
    first = numbers.normal(size=(20_000, 1))
    second = numbers.normal(size=(20_000, 1)) + 0.5
    # E x = 0.5, E x^2 = 1.25, E x^3 = 0.125 + 3 * 0.5.
    expected = 3 * 0.5**2 + 3 * 0.25**2 + 1.625**2
    distance, error = kernel_distance(first, second)
    assert abs(distance - expected) < 5.0 * error


def test_kernel_distance_of_sets_sorted_by_class_is_unbiased(numbers):
    """Blocks of consecutive rows would compare class with class."""
    classes = np.repeat([[-4.0], [4.0]], 300, axis=0)
    first = classes + numbers.normal(size=(600, 1))
    second = -classes + numbers.normal(size=(600, 1))
    distance, error = kernel_distance(first, second)
    assert abs(distance) < 5.0 * error


@pytest.mark.parametrize("num", [2, 3, 5])
def test_few_rows_still_have_a_kernel_distance(num, numbers):
    assert np.isfinite(kernel_distance(
        numbers.normal(size=(num, 4)), numbers.normal(size=(40, 4)))).all()


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_malformed_features_are_refused(distance):
    good = np.zeros([3, 2])
    for bad in (np.zeros([3, 3]), np.zeros([1, 2]), np.zeros(3)):
        with pytest.raises(ValueError, match="must be two arrays"):
            distance(good, bad)
    with pytest.raises(ValueError, match="must be finite"):
        distance(good, np.full([3, 2], np.nan))
