"""What is served equals the model's own answers, row by row."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.errors import InputError
from lebm_tf.families import vae
from lebm_tf.mcmc import rng
from lebm_tf.models import answers
from lebm_tf.serving import Servable, ServingConfig
from lebm_tf.serving.pictures import is_picture
from lebm_tf.serving.requests import examples
from tests.contracts import test_families
from tests.serving.conftest import SHAPE, call, pictures

NAMES = ["decode", "energy", "infer", "interpolate", "reconstruct", "sample",
         "sample_png", "score", "score_png"]


@pytest.fixture(scope="module")
def requests(exported):
    """For every signature 64 rows, all different."""
    return examples(exported.servable.signatures,
                    range(-2**62, 2**62, 2**57))


def equal(first, second):
    assert set(first) == set(second)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize("name", NAMES)
def test_row_i_is_the_same_bit_for_bit_in_every_batch(
        exported, requests, name):
    request, function = requests[name], exported.served[name]
    whole = call(function, **request)
    assert len(whole["status"]) == 64 and not any(whole["status"])
    order = np.random.default_rng(0).permutation(64)
    for rows in (np.arange(1), [5], np.arange(2), np.arange(7), order,
                 order[:7], order[:33]):
        part = call(function, **{
            key: value[rows] for key, value in request.items()})
        equal(part, {key: value[rows] for key, value in whole.items()})


def test_every_signature_is_there_and_the_default_is_sample(exported):
    assert sorted(exported.served) == sorted([*NAMES, "serving_default"])
    seed = np.array([4], np.int64)
    equal(call(exported.served["serving_default"], seed=seed),
          call(exported.served["sample"], seed=seed))


def test_answers_are_those_of_the_models_own_functions(exported):
    model, served = exported.model, exported.served
    x, seed = pictures(16), np.arange(16)
    drawn = call(served["sample"], seed=seed)
    expected = tf.function(lambda: answers.sample(
        model, 16, rng.stream(rng.make_seed(seed), "sample")))()
    scores = call(served["score"], x=x, seed=seed)
    parts = tf.function(lambda: answers.score(
        model, tf.constant(x), rng.stream(rng.make_seed(seed), "infer")))()
    for found, right in ((drawn, expected._asdict()),
                         (scores, parts._asdict())):
        for name, value in right.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-5,
                                       atol=1e-6)
    codes = call(served["infer"], x=x, seed=seed)["z"]
    np.testing.assert_allclose(
        call(served["reconstruct"], x=x, seed=seed)["x"],
        model.decode(codes), atol=1e-5)


def test_interpolation_begins_and_ends_at_the_reconstructions(exported):
    x, seed = pictures(2), np.array([5, 6])
    line = call(exported.served["interpolate"], x_from=x, x_to=x[::-1],
                seed=seed)["x"]
    assert line.shape == (2, 3, *SHAPE)
    codes = []
    for end, at in ((x, 0), (x[::-1], -1)):
        ends = call(exported.served["reconstruct"], x=end, seed=seed)
        np.testing.assert_allclose(line[:, at], ends["x"], atol=1e-6)
        codes.append(ends["z"])
    np.testing.assert_allclose(
        line[:, 1], exported.model.decode(sum(codes) / 2), atol=1e-5)


def test_equal_seeds_give_equal_rows_and_others_other_rows(exported):
    x = call(exported.served["sample"], seed=np.array([7, 7, 8]))["x"]
    np.testing.assert_array_equal(x[0], x[1])
    assert np.abs(x[0] - x[2]).max() > 1e-3


def test_bad_rows_say_so_and_leave_their_neighbours_as_they_are(exported):
    x, seed = pictures(9), np.arange(9)
    good = call(exported.served["score"], x=x, seed=seed)
    bad = x.copy()
    bad[2, 1, 1, 0], bad[4, 0, 0, 1] = np.nan, -1.5
    bad[6, 7, 7, 2], bad[8] = np.inf, 1 + 1e-7
    mixed = call(exported.served["score"], x=bad, seed=seed)
    assert [status.decode() for status in mixed["status"][[2, 4, 6, 8]]] == [
        "x must lie in [-1, 1], got nan.", "x must lie in [-1, 1], got -1.5.",
        "x must lie in [-1, 1], got inf.", ""]
    for name in set(good) - {"status"}:
        assert np.all(np.isnan(mixed[name][[2, 4, 6]]))
        np.testing.assert_array_equal(
            mixed[name][[0, 1, 3, 5, 7]], good[name][[0, 1, 3, 5, 7]])
    z = np.array([[0.5, 0, 0], [1e30, 0, 0], [np.nan, 0, 0]], np.float32)
    energies = call(exported.served["energy"], z=z)
    assert energies["status"][2] == b"z must be finite, got nan."
    assert np.isfinite(energies["energy"][0])


@pytest.mark.parametrize("wrong", [
    {"seed": np.zeros(2, np.float32)}, {"seed": np.zeros([2, 1], np.int64)},
    {"number": np.zeros(2, np.int64)}])
def test_wrong_types_shapes_and_names_are_refused(exported, wrong):
    with pytest.raises((ValueError, TypeError,
                        tf.errors.InvalidArgumentError)):
        call(exported.served["sample"], **wrong)


def test_rows_choose_their_steps_and_temperature(exposed):
    model, servable = exposed
    sample = servable.signatures["sample"].function
    seed, steps = np.array([5, 6, 7, 8, 9]), np.array([3, 0, 9, 10, 3])
    heat = np.array([1, 1, 1, 1, 0.01], np.float32)
    drawn = call(sample, seed=seed, num_steps=steps.astype(np.int32),
                 temperature=heat)
    assert [status.decode() for status in drawn["status"]] == [
        "", "", "", "num_steps must lie in [0, 9], got 10.",
        "temperature must lie in [0.1, 10], got 0.01."]
    for row, count in ((0, 3), (1, 0), (2, 9)):
        fixed = Servable(model, SHAPE, ServingConfig(sample_steps=count))
        alone = call(fixed.signatures["sample"].function, seed=seed[[row]])
        equal({key: value[row:row + 1] for key, value in drawn.items()},
              alone)
    start = call(sample, seed=np.array([5]), num_steps=np.array([0], np.int32),
                 temperature=np.ones(1, np.float32))
    assert np.abs(start["z"] - drawn["z"][0]).max() > 0.1


def test_a_temperature_given_at_export_is_the_one_of_the_model(exposed):
    model, servable = exposed
    fixed = Servable(model, SHAPE, ServingConfig(temperature=2.0))
    one = np.ones(1, np.float32)
    hot = call(fixed.signatures["sample"].function, seed=np.array([5]))
    chosen, cold = (call(
        servable.signatures["sample"].function, seed=np.array([5]),
        num_steps=np.array([3], np.int32), temperature=heat * one)
        for heat in (2.0, 1.0))
    equal(hot, chosen)
    assert np.abs(hot["z"] - cold["z"]).max() > 1e-3


def test_posterior_chains_take_steps_too(exposed):
    _, servable = exposed
    x, seed = pictures(2), np.array([1, 1])
    infer = servable.signatures["infer"].function
    z = [call(infer, x=x, seed=seed, num_steps=np.full(2, n, np.int32))["z"]
         for n in (0, 2)]
    np.testing.assert_array_equal(z[0][0], z[0][1])  # Before x is looked at.
    assert np.abs(z[0] - z[1]).max() > 0.01


def test_what_has_no_chain_exposes_none():
    model = vae.build(vae.VAEConfig(**test_families.SMALL),
                      test_families.DATA, batch_size=4)
    with pytest.raises(InputError, match="exposed num_steps needs prior or"):
        Servable(model, SHAPE, ServingConfig(exposed=("num_steps",)))


def test_only_pictures_come_as_png_and_have_bounds():
    assert is_picture((8, 8, 1)) and is_picture((4, 9, 3))
    assert not is_picture((8, 8, 2)) and not is_picture((12,))
