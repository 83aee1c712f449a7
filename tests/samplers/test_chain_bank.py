"""Chain banks: what they keep, what they give out, what they overwrite."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import StandardNormal
from lebm_tf.mcmc import rng
from lebm_tf.samplers import ChainBank, Draws, FromBase
from tests import oracles

SEED = rng.make_seed(1)
BASE = StandardNormal(2)


class NestedBase:
    """Draws a dict of tensors, one of them a map."""

    def sample(self, num_samples, seed):
        return {"map": rng.normal([num_samples, 2, 1], seed),
                "pair": (rng.normal([num_samples, 3],
                                    rng.fold_in(seed, 1)),)}


def positions(bank):
    return bank.positions[0].numpy()


def test_a_bank_starts_as_draws_of_the_base():
    bank = ChainBank(BASE, 4000)
    oracles.assert_moments(positions(bank), np.zeros(2), np.eye(2))
    again, other = ChainBank(BASE, 4000), ChainBank(BASE, 4000, seed=1)
    np.testing.assert_array_equal(positions(bank), positions(again))
    assert not np.any(positions(bank) == positions(other))


def test_an_example_gets_its_own_chain_and_gives_it_back():
    bank = ChainBank(BASE, 6, by_example=True)
    before = positions(bank)
    batch = Draws({"index": tf.constant([4, 1], tf.int64)})
    start = bank.start(2, batch, SEED)
    np.testing.assert_array_equal(start, before[[4, 1]])
    bank.update(batch, start + 10.0, SEED)
    after = positions(bank)
    np.testing.assert_array_equal(after[[4, 1]], before[[4, 1]] + 10.0)
    untouched = [0, 2, 3, 5]
    np.testing.assert_array_equal(after[untouched], before[untouched])
    np.testing.assert_array_equal(bank.start(2, batch, SEED), start + 10.0)


def test_a_prior_batch_gets_distinct_chains_and_gives_back_the_same():
    bank = ChainBank(BASE, 9)
    before = positions(bank)
    start = np.asarray(bank.start(5, Draws({}), SEED))
    rows = [int(np.flatnonzero((before == z).all(1))[0]) for z in start]
    assert len(set(rows)) == 5
    bank.update(Draws({}), tf.constant(start + 10.0), SEED)
    expected = before.copy()
    expected[rows] += 10.0
    np.testing.assert_array_equal(positions(bank), expected)


def test_in_the_long_run_every_chain_of_the_bank_is_used():
    bank = ChainBank(BASE, 9)
    rows = {int(row) for i in range(30)
            for row in bank.rows(3, Draws({}), rng.make_seed(i))}
    assert rows == set(range(9))


def test_a_bank_that_always_restarts_gives_fresh_draws_of_the_base():
    """Also after an update, and with the seed of the batch."""
    bank = ChainBank(BASE, 6, restart_prob=1.0)
    bank.update(Draws({}), 100.0 + tf.zeros([6, 2]), SEED)
    fresh = bank.start(4, Draws({}), SEED)
    assert np.max(np.abs(fresh)) < 10
    np.testing.assert_array_equal(
        fresh, BASE.sample(4, rng.stream(SEED, "fresh")))


def test_chains_restart_as_often_as_told():
    bank = ChainBank(BASE, 20_000, restart_prob=0.2)
    bank.update(Draws({}), 100.0 + tf.zeros([20_000, 2]), SEED)
    start = np.asarray(bank.start(20_000, Draws({}), rng.make_seed(2)))
    restarted = np.all(start < 50.0, axis=1)
    assert np.all(restarted == np.any(start < 50.0, axis=1))
    error = (0.2 * 0.8 / 20_000)**0.5
    assert np.mean(restarted) == pytest.approx(0.2, abs=5 * error)


def test_a_bank_keeps_nests():
    bank = ChainBank(NestedBase(), 5, by_example=True, restart_prob=0.5)
    batch = Draws({"index": tf.constant([3, 0], tf.int64)})
    start = tf.function(lambda: bank.start(2, batch, SEED))()
    tf.nest.assert_same_structure(start, NestedBase().sample(2, SEED))
    assert start["map"].shape == (2, 2, 1)
    moved = tf.nest.map_structure(lambda leaf: leaf + 10.0, start)
    tf.function(lambda: bank.update(batch, moved, SEED))()
    kept = tf.nest.map_structure(
        lambda leaf: tf.gather(leaf.value, [3, 0]), bank.positions)
    np.testing.assert_array_equal(kept[0], moved["map"])
    np.testing.assert_array_equal(kept[1], moved["pair"][0])


def test_the_variables_of_a_bank_are_its_chains(tmp_path):
    bank = ChainBank(BASE, 5)
    bank.update(Draws({}), tf.constant(
        np.arange(10.0).reshape(5, 2), tf.float32), SEED)
    path = tf.train.Checkpoint(bank=bank.variables).save(
        str(tmp_path / "bank"))
    twin = ChainBank(BASE, 5, seed=9)
    tf.train.Checkpoint(bank=twin.variables).restore(path).assert_consumed()
    np.testing.assert_array_equal(positions(twin), positions(bank))


def test_a_bank_trains_nothing():
    assert not ChainBank(BASE, 5).trainable_variables


def test_a_short_run_from_the_base_starts_there_every_time():
    start = FromBase(BASE)
    first = start.start(3, Draws({}), SEED)
    start.update(Draws({}), first + 1.0, SEED)
    np.testing.assert_array_equal(start.start(3, Draws({}), SEED), first)


@pytest.mark.parametrize("arguments,message", [
    ({"size": 0}, "size must be >= 1, got 0."),
    ({"size": 2, "restart_prob": 1.5},
     "restart_prob must lie in [0, 1], got 1.5.")])
def test_a_bad_value_is_refused_with_its_message(arguments, message):
    with oracles.raises(ValueError, message):
        ChainBank(BASE, **arguments)


def test_a_batch_larger_than_the_bank_is_refused():
    with oracles.raises(ValueError, "the bank must have at least as many "
                        "chains as a batch, 4, got size 3."):
        ChainBank(BASE, 3).start(4, Draws({}), SEED)


def test_a_queue_fills_up_first_and_gives_up_what_is_oldest():
    bank = ChainBank(BASE, 5, is_queue=True)
    filled = positions(bank)
    for k in range(3):
        start = bank.start(2, Draws({}), SEED)
        held = [np.flatnonzero((positions(bank) == z).all(1))
                for z in np.asarray(start)]
        # Full after the third batch: until then every start is a new draw.
        assert not any(len(rows) for rows in held) and k * 2 < 5
        bank.update(Draws({}), tf.fill([2, 2], k + 1.0), SEED)
    np.testing.assert_array_equal(positions(bank)[:, 0], [3, 1, 2, 2, 3])
    assert not np.any(positions(bank) == filled)
    rows = set(map(tuple, np.asarray(bank.start(4, Draws({}), SEED))))
    assert rows <= set(map(tuple, positions(bank)))
    with pytest.raises(ValueError, match="is_queue must be off"):
        ChainBank(BASE, 5, by_example=True, is_queue=True)
