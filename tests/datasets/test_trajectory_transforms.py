"""Tests of what is done to positions, also against the authors' numbers."""

import math

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.datasets.trajectories.transforms import (
    in_scene, normalised, plan, reversed_in_time, rotated, social_mask)

PAST = np.array([[[0.0, 1.0], [2.0, 3.0]], [[5.0, 5.0], [5.0, 6.0]]])
FUTURE = np.array([[[4.0, 5.0]], [[7.0, 7.0]]])


def test_positions_count_from_the_last_observed_one():
    np.testing.assert_array_equal(
        normalised(PAST, PAST, 10.0),
        [[[-20, -20], [0, 0]], [[0, -10], [0, 0]]])
    np.testing.assert_array_equal(
        normalised(FUTURE, PAST, 10.0), [[[20, 20]], [[20, 10]]])


def test_predictions_of_any_number_go_back_into_the_scene():
    paths = np.stack([FUTURE, FUTURE + 1, FUTURE - 2], axis=1)
    there = normalised(paths, PAST, 1.86)
    assert there.shape == (2, 3, 1, 2)
    np.testing.assert_allclose(in_scene(there, PAST, 1.86), paths, rtol=1e-15)
    tensors = in_scene(tf.constant(there), tf.constant(PAST), 1.86)
    np.testing.assert_allclose(tensors, paths, rtol=1e-15)


def test_a_path_reversed_twice_is_itself():
    past, future = reversed_in_time(PAST, FUTURE)
    np.testing.assert_array_equal(past[0], [[4, 5], [2, 3]])
    np.testing.assert_array_equal(future[0], [[0, 1]])
    for again, before in zip(reversed_in_time(past, future), (PAST, FUTURE)):
        np.testing.assert_array_equal(again, before)


def test_turning_keeps_lengths_and_moves_the_first_axis_to_the_second():
    np.testing.assert_allclose(
        rotated(np.array([[1.0, 0.0], [0.0, 2.0]]), math.pi / 2),
        [[0, 1], [-2, 0]], atol=1e-15)
    turned = rotated(PAST, 0.3)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=-1),
                               np.linalg.norm(PAST, axis=-1), rtol=1e-15)
    np.testing.assert_allclose(rotated(turned, -0.3), PAST, atol=1e-15)


def test_the_plan_is_every_third_position():
    future = np.arange(24.0).reshape(1, 12, 2)
    np.testing.assert_array_equal(plan(future)[0, :, 0], [4, 10, 16, 22])
    with pytest.raises(ValueError, match=r"from 0 to 4, got \[2, 5\]"):
        plan(future[:, :5], (2, 5))


def test_the_mask_is_one_inside_a_group():
    np.testing.assert_array_equal(
        social_mask(np.array([1, 0, 1])), [[1, 0, 1], [0, 1, 0], [1, 0, 1]])
