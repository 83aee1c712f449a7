"""Batches of whole groups: nothing cut, nothing lost, made without state."""

import dataclasses

from hypothesis import given, strategies as st
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.datasets import steps_per_epoch, train_batches
from lebm_tf.datasets.trajectories.batches import group_batches, pack
from lebm_tf.datasets.trajectories.data import Tracks, from_tracks
from lebm_tf.errors import InputError

SIZES = (1, 1, 4, 2, 3, 1, 2, 1, 4, 1)
GROUP = np.random.default_rng(0).permutation(np.repeat(
    np.arange(len(SIZES)), SIZES)).astype(np.int64)


def scene(group=GROUP):
    """Agents whose every position tells who they are."""
    random = np.random.default_rng(1)
    size = len(group)
    return Tracks(random.normal(size=[size, 4, 2]),
                  random.normal(size=[size, 3, 2]), group,
                  np.full(size, "square"), np.zeros(size, np.int64))


DATA = from_tracks("toy", scene(), scene(), unit="m", frame_interval=0.4,
                   frame_step=10)


def take(num_steps, data=DATA, seed=3, start_step=0, batch_size=6):
    return list(group_batches(data, batch_size, seed, start_step).take(
        num_steps).as_numpy_iterator())


def epoch_of(data=DATA, **options):
    return take(steps_per_epoch(data, options.get("batch_size", 6)), data,
                **options)


@given(st.lists(st.integers(1, 7), min_size=1, max_size=40),
       st.integers(7, 20))
def test_every_agent_has_one_place_and_groups_stay_whole(sizes, batch_size):
    group = np.repeat(np.arange(len(sizes)), sizes)
    packing = pack(group, batch_size)
    kept = packing.place >= 0
    assert kept.sum() == len(group)
    for places in packing.place:
        used = np.unique(places[places >= 0])
        others = packing.place[np.isin(packing.place, used)]
        assert len(others) == np.isin(places, used).sum()  # In one batch.
    assert packing.num_batches <= max(1, 2 * -(-len(group) // batch_size))


@pytest.mark.parametrize("batch_size", [4, 6, 20])
def test_an_epoch_holds_every_agent_once_with_all_companions(batch_size):
    seen = []
    for batch in epoch_of(batch_size=batch_size):
        kept = batch["mask"] > 0
        index, number = batch["index"][kept], batch["given"]["group"][kept]
        seen += index.tolist()
        for one in np.unique(number):
            agents = np.sort(index[number == one])
            theirs = np.flatnonzero(GROUP == GROUP[agents[0]])
            np.testing.assert_array_equal(agents, theirs)
        assert (batch["given"]["group"][~kept] == -1).all()
        assert not batch["x"][~kept].any()
    assert sorted(seen) == list(range(len(GROUP)))


def test_rows_are_relative_to_the_last_observed_position_in_model_units():
    tracks = scene()
    for batch in epoch_of():
        kept = batch["mask"] > 0
        rows = batch["index"][kept]
        origin = tracks.past[rows, -1:]
        for found, positions in ((batch["x"], tracks.future),
                                 (batch["given"]["past"], tracks.past)):
            np.testing.assert_allclose(
                found[kept], 60.0 * (positions[rows] - origin), rtol=1e-4,
                atol=1e-4)


@pytest.mark.parametrize("start_step", [1, 4, 7])
def test_a_late_start_equals_skipping(start_step):
    late, early = take(6, start_step=start_step), take(13)[start_step:]
    for a, b in zip(late, early):
        tf.nest.map_structure(np.testing.assert_array_equal, a, b)


def test_epochs_and_seeds_differ_and_runs_repeat():
    def order(**options):
        return np.stack([batch["index"] for batch in take(12, **options)])
    np.testing.assert_array_equal(order(), order())
    assert (order() != order(seed=4)).any()
    epochs = order().reshape(-1, steps_per_epoch(DATA, 6), 6)
    assert len({epoch.tobytes() for epoch in epochs}) == len(epochs)


def test_every_path_is_walked_backwards_too():
    data = dataclasses.replace(DATA, time_reversed=True)
    found, tracks = {}, scene()
    for batch in epoch_of(data):
        for row in np.flatnonzero(batch["mask"]):
            path = np.concatenate([batch["given"]["past"][row],
                                   batch["x"][row]])
            found[batch["index"][row]] = path
    assert len(found) == 2 * len(GROUP)
    for row in range(len(GROUP)):
        path = np.concatenate([tracks.past[row], tracks.future[row]])[::-1]
        np.testing.assert_allclose(found[row + len(GROUP)],
                                   60.0 * (path - path[3]), atol=1e-4)


def test_groups_are_turned_as_a_whole():
    plain, turned = (epoch_of(dataclasses.replace(DATA, rotated=rotated))
                     for rotated in (False, True))
    angles = set()
    for a, b in zip(plain, turned):
        np.testing.assert_array_equal(a["index"], b["index"])
        for one in np.unique(a["given"]["group"][a["mask"] > 0]):
            rows = a["given"]["group"] == one
            before, after = (np.concatenate(
                [batch["given"]["past"][rows], batch["x"][rows]], 1
            ).reshape(-1, 2) @ [1, 1j] for batch in (a, b))
            moved = np.abs(before) > 1.0
            turn = after[moved] / before[moved]
            np.testing.assert_allclose(turn, turn[0], rtol=1e-3)
            np.testing.assert_allclose(np.abs(turn), 1.0, rtol=1e-3)
            angles.add(round(float(np.angle(turn[0])), 3))
    assert len(angles) > 3


@pytest.mark.parametrize("batch_size", [3, 21])
def test_a_batch_must_hold_the_largest_group(batch_size):
    with pytest.raises(InputError, match="batch_size must be from 4, the larg"
                                         f".* to 20, .* got {batch_size}"):
        steps_per_epoch(DATA, batch_size)


def test_several_replicas_are_refused():
    with pytest.raises(InputError, match="need one replica.*got 2"):
        train_batches(DATA, 6, 0, context=tf.distribute.InputContext(
            num_replicas_in_sync=2))


def test_a_negative_start_is_refused():
    with pytest.raises(ValueError, match="start_step must be >= 0, got -1"):
        train_batches(DATA, 6, 0, -1)
