"""Tests of collisions between predicted paths, in scenes made by hand."""

import math

import numpy as np
import pytest

from lebm_tf.evaluation.trajectories.collisions import (
    collision_rate, collisions)


def line(begin, end, length=4):
    """An evenly walked path of `length` positions."""
    return np.linspace(begin, end, length)


CROSSING = np.stack([line((-3, 0), (3, 0)), line((0, -3), (0, 3))])[:, None]
TOGETHER = np.zeros(2, int)


def test_paths_that_cross_between_two_positions_collide():
    # At the positions they are 1.41 apart or more; they meet at the middle.
    hit, accompanied = collisions(CROSSING, TOGETHER, 1e-6)
    assert hit.all() and accompanied.all()


def test_the_least_distance_is_exact():
    beside = CROSSING.copy()
    beside[1] += [1.0, 0.0]
    # Relative path: from (-4, 3) along (2, -2); nearest to 0 at sqrt(1/2).
    nearest = math.sqrt(0.5)
    assert not collisions(beside, TOGETHER, nearest - 1e-9)[0].any()
    assert collisions(beside, TOGETHER, nearest + 1e-9)[0].all()


def test_agents_who_keep_step_are_as_near_as_they_are():
    pair = np.stack([line((0, 0), (6, 0)), line((0, 1), (6, 1))])[:, None]
    assert collision_rate(pair, TOGETHER, 1.0) == 0.0  # At it is no hit.
    assert collision_rate(pair, TOGETHER, 1.0 + 1e-9) == 1.0


def test_only_paths_of_one_number_meet():
    two = np.concatenate([CROSSING, CROSSING[:, :, ::-1] + 50.0], axis=1)
    two[1, 1] += 7.0
    hit, _ = collisions(two, TOGETHER, 0.5)
    np.testing.assert_array_equal(hit, [[True, False], [True, False]])
    assert collision_rate(two, TOGETHER, 0.5) == 0.5


def test_only_agents_of_one_group_meet_and_loners_do_not_count():
    three = np.concatenate([CROSSING, CROSSING[:1]])
    hit, accompanied = collisions(three, np.array([4, 9, 4]), 0.5)
    np.testing.assert_array_equal(accompanied, [True, False, True])
    np.testing.assert_array_equal(hit[:, 0], [True, False, True])
    assert collision_rate(three, np.array([4, 9, 4]), 0.5) == 1.0
    assert math.isnan(collision_rate(three, np.arange(3), 0.5))


def test_agents_meet_at_equal_times_of_the_recording():
    one, other = line((0, 0), (3, 0)), line((2, 0), (5, 0))
    pair = np.stack([one, other])[:, None]
    # Started together they keep 2 apart. If the second starts two positions
    # later, it begins where the first is by then.
    assert collision_rate(pair, TOGETHER, 0.5, np.array([0, 0]), 12) == 0.0
    for start in ([0, 24], [100, 124]):
        assert collision_rate(pair, TOGETHER, 0.5, np.array(start), 12) == 1.0
    assert collision_rate(pair[::-1], TOGETHER, 0.5, np.array([24, 0]), 12
                          ) == 1.0
    # The other way round they are 4 apart, and without common time nowhere.
    assert collision_rate(pair, TOGETHER, 0.5, np.array([24, 0]), 12) == 0.0
    assert math.isnan(
        collision_rate(pair, TOGETHER, 0.5, np.array([0, 36]), 12))


def test_many_agents_agree_with_every_pair_on_its_own():
    random = np.random.default_rng(1)
    paths = np.cumsum(random.normal(size=[60, 3, 5, 2]), axis=2)
    group = random.integers(0, 4, 60)
    start = 12 * random.integers(0, 4, 60)
    hit, accompanied = collisions(paths, group, 0.3, start, 12)
    expected, company = np.zeros_like(hit), np.zeros_like(accompanied)
    for a in range(60):
        for b in range(60):
            if a != b and group[a] == group[b]:
                rows = [a, b]
                near, some = collisions(paths[rows], np.zeros(2, int), 0.3,
                                        start[rows], 12)
                expected[a] |= near[0]
                company[a] |= some[0]
    np.testing.assert_array_equal(hit, expected)
    np.testing.assert_array_equal(accompanied, company)
    assert 0 < hit.mean() < 1


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="2 rows as predictions, got 3 and 3"):
        collisions(CROSSING, np.zeros(3, int), 0.5)
    with pytest.raises(ValueError, match="distance must be > 0, got -1"):
        collisions(CROSSING, TOGETHER, -1)
    with pytest.raises(ValueError, match="12 frames apart, got 0 and 18"):
        collisions(CROSSING, TOGETHER, 0.5, np.array([0, 18]), 12)
    with pytest.raises(ValueError, match=r"got \[2, 4, 2\]"):
        collisions(CROSSING[:, 0], TOGETHER, 0.5)
