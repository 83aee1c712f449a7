"""Bases that are fitted to codes, and priors that learn alone."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import lebm_tf
from lebm_tf.densities.fitted import check_codes
from lebm_tf.errors import InputError
from lebm_tf.families import (
    BaseConfig, ChainConfig, EnergyConfig, GeneratorConfig, build, image, rae)
from lebm_tf.training.fit_codes import codes_of
from tests import oracles
from tests.training.test_own_data import Waves

DATA = Waves()
SMALL = {"latent_dim": 2, "generator": GeneratorConfig(channels=(8,))}
JOINT = image.ImageConfig(
    **SMALL, energy=EnergyConfig((5,)), prior=ChainConfig(3, 0.3),
    posterior=ChainConfig(2, 0.1),
    p0=BaseConfig("mixture", 2, base_fit_every=2))
ALONE = image.ImageConfig(
    latent_dim=2, energy=EnergyConfig((5,)), stage="prior",
    prior=ChainConfig(3, 0.3, kernel="mala"),
    posterior=ChainConfig(0, 0.1, start="encoder"),
    p0=BaseConfig("mixture", 2))


def run(steps, workdir="", **changes):
    return lebm_tf.RunConfig(
        train_steps=steps, batch_size=8, log_every=1, checkpoint_every=1,
        workdir=workdir, **changes)


def fit(config, steps, workdir="", **networks):
    model = build("image", config, DATA, batch_size=8, **networks)
    lebm_tf.fit(model, DATA, run(steps, workdir), verbose=False)
    return model


def energies(model):
    return [v.numpy() for v in model.variables_of("energy")]


@pytest.fixture(scope="module")
def backbone():
    model = build("rae", rae.RAEConfig(**SMALL, mixture_components=1), DATA,
                  batch_size=8)
    lebm_tf.fit(model, DATA, run(2), verbose=False)
    return model


def test_an_energy_waits_for_its_base_and_begins_at_0():
    first = build("image", JOINT, DATA, batch_size=8)
    assert np.all(first.prior.energy(tf.ones([3, 2])) == 0)
    waiting = fit(JOINT, 1)
    assert int(waiting.bases[0].fitted_step) == -1
    oracles.assert_nests_equal(energies(waiting), energies(first))
    learned = fit(JOINT, 3)
    assert int(learned.bases[0].fitted_step) == 2
    assert any(np.any(a != b) for a, b in zip(
        energies(learned), energies(first)))


def test_a_run_that_was_stopped_fits_the_same_bases(tmp_path):
    whole = fit(JOINT, 5)
    fit(JOINT, 3, str(tmp_path / "run"))
    again = fit(JOINT, 5, str(tmp_path / "run"))
    loaded = lebm_tf.load(str(tmp_path / "run"))
    for model in (again, loaded):
        oracles.assert_nests_equal(energies(model), energies(whole))
        oracles.assert_nests_equal(
            [v.numpy() for v in model.bases[0].variables],
            [v.numpy() for v in whole.bases[0].variables])
    assert int(whole.bases[0].fitted_step) == 4
    oracles.assert_nests_equal(loaded.sample(3), whole.sample(3))


def test_a_prior_alone_leaves_its_backbone_as_it_was(tmp_path, backbone):
    networks = {"generator": backbone.likelihood.generator,
                "encoder": backbone.encoder}
    before = [v.numpy() for v in backbone.likelihood.variables]
    codes = codes_of(backbone, DATA)
    model = fit(ALONE, 3, str(tmp_path / "run"), **networks)
    oracles.assert_nests_equal(
        [v.numpy() for v in backbone.likelihood.variables], before)
    assert int(model.bases[0].fitted_step) == 0
    np.testing.assert_allclose(
        model.bases[0].center, codes.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.infer(DATA.x_test),
                                  backbone.infer(DATA.x_test))
    loaded = lebm_tf.load(str(tmp_path / "run"))
    oracles.assert_nests_equal(loaded.sample(3), model.sample(3))
    np.testing.assert_array_equal(
        loaded.reconstruct(DATA.x_test), model.reconstruct(DATA.x_test))


@pytest.mark.parametrize("codes, said", [
    (np.ones([2, 3]), "fitting the base needs at least 4 codes, got 2"),
    (np.full([9, 3], np.nan), "finite"),
    (np.random.default_rng(0).normal(size=[9, 3]) * [1, 0, 1],
     r"vary in every direction, got a variance of 0.0e\+00 along \(.*1.00")])
def test_codes_that_no_base_can_be_fitted_to_are_refused(codes, said):
    with pytest.raises(ValueError, match=said):
        check_codes(codes, 4)


@pytest.mark.parametrize("changes, said", [
    ({"stage": "prior", "generator": GeneratorConfig(), "p0": BaseConfig()},
     "stage=prior needs the generator of --backbone, got none"),
    ({"latent_dim": 3, "p0": BaseConfig("flow")},
     "a flow of coupling layers needs an even dimension")])
def test_what_cannot_be_built_is_refused(changes, said):
    with pytest.raises(InputError, match=said):
        build("image", dataclasses.replace(JOINT, **changes), DATA)


@pytest.mark.parametrize("make, said", [
    (lambda: BaseConfig("mixture", base_fit_every=0),
     "base_fit_every must be >= 1, got 0."),
    (lambda: BaseConfig("affine", 3), "base_components must be left out "
     "without base=mixture, got 3."),
    (lambda: BaseConfig(base_fit_every=9), "base_fit_every must be left out "
     "with base=normal, got 9."),
    (lambda: dataclasses.replace(JOINT, contrast="importance", p0=BaseConfig()),
     "contrast must be chains with base=normal, which is far from the codes, "
     "got 'importance'."),
    (lambda: dataclasses.replace(ALONE, p0=BaseConfig(
        "affine", base_fit_every=9)), "base_fit_every must be left out with "
     "stage=prior, whose codes are fixed, got 9."),
    (lambda: dataclasses.replace(ALONE, generator=GeneratorConfig(2)),
     "generator must be left out with stage=prior, which takes generator and "
     f"encoder from --backbone, got {GeneratorConfig(2)!r}.")])
def test_settings_that_do_not_fit_are_refused(make, said):
    with oracles.raises(ValueError, said):
        make()


@pytest.mark.parametrize("p0", [
    JOINT.p0, pytest.param(BaseConfig("flow", base_fit_every=2),
                           marks=pytest.mark.long)])
def test_two_replicas_fit_the_base_of_one(two_replicas, p0):
    config = dataclasses.replace(JOINT, p0=p0)

    with two_replicas.scope():
        model = build("image", config, DATA, batch_size=8)
    alone = build("image", config, DATA, batch_size=8)
    for each in (model, alone):
        each.bases[0].num_steps = 20  # Of a flow.
        lebm_tf.fit(each, DATA, run(3), verbose=False)
    for one, several in zip(alone.bases[0].variables,
                            model.bases[0].variables):
        np.testing.assert_allclose(
            several.numpy(), one.numpy(), rtol=1e-4, atol=1e-5)
