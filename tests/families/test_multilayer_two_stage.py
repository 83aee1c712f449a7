"""Energies on a hierarchy that does not learn: what is particular to them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.families import ladder_vae, multilayer_two_stage
from lebm_tf.mcmc import rng, value_and_gradient
from lebm_tf.networks import LadderNetwork
from lebm_tf.networks.hierarchy import decoded
from tests import oracles
from tests.contracts.test_families import BATCHES, DATA

X = BATCHES[0]["x"]
SIDES = {"group_sides": (4, 2), "group_channels": (2, 3), "channels": 4}


@pytest.fixture(scope="module")
def hierarchy():
    return LadderNetwork(DATA.shape, **SIDES)


def test_a_hierarchy_encodes_what_it_decodes(hierarchy):
    """The noise of the encoder, walked again, has the density it was drawn
    from; and a temperature leaves z where the encoder has it."""
    model = ladder_vae.build(
        ladder_vae.LadderVAEConfig(**SIDES), DATA, network=hierarchy)
    noise, encoded = model.encoder.draw(X, rng.make_seed(1))
    np.testing.assert_allclose(
        model.encoder.log_prob_of(noise, *encoded),
        model.encoder.log_prob(noise, X), rtol=1e-4)
    colder = multilayer_two_stage.build(
        multilayer_two_stage.MultilayerTwoStageConfig(temperature=0.5),
        DATA, backbone=hierarchy)
    same = colder.encoder.sample(X, rng.make_seed(1))
    for a, b in zip(decoded(hierarchy, noise)[0],
                    decoded(hierarchy, same, 0.5)[0]):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_the_exact_target_is_the_density_of_the_noise(hierarchy):
    """E(e) of the authors' target is larger by the logarithms of scales."""
    exact, theirs = (multilayer_two_stage.build(
        multilayer_two_stage.MultilayerTwoStageConfig(exact_target=is_exact),
        DATA, seed=3, backbone=hierarchy) for is_exact in (True, False))
    noise = exact.prior.base.sample(4, rng.make_seed(2))
    z, scales, _ = decoded(hierarchy, noise)
    summed = sum(energy(group) for energy, group in zip(
        exact.prior.energy_network.energies, z))
    np.testing.assert_allclose(exact.energy(noise), summed, rtol=1e-5)
    logs = sum(tf.reduce_sum(tf.math.log(scale), [1, 2, 3])
               for scale in scales)
    np.testing.assert_allclose(
        theirs.energy(noise) - exact.energy(noise), logs, rtol=1e-3, atol=1e-3)
    _, gradients = value_and_gradient(
        exact.prior.unnormalized_log_prob, noise)
    assert all(np.all(np.isfinite(g)) for g in gradients)


def test_the_backbone_does_not_learn(hierarchy):
    model = multilayer_two_stage.build(
        multilayer_two_stage.MultilayerTwoStageConfig(), DATA,
        backbone=hierarchy)
    before = hierarchy.get_weights()
    model.train_step({"x": X})
    oracles.assert_nests_equal(hierarchy.get_weights(), before)
    assert set(model.parts) == {"energy_1", "energy_2"}


@pytest.mark.parametrize("change, message", [
    ({"group_channels": (2,)}, "group_channels must hold 2 or more values, "
                               "got 1."),
    ({"group_channels": (2, 3, 4)}, "group_channels must hold one number for "
     "each of the 2 groups of group_sides, got 3.")])
def test_groups_that_do_not_fit_each_other_are_refused(change, message):
    with oracles.raises(ValueError, message):
        ladder_vae.LadderVAEConfig(**{**SIDES, **change})


def test_groups_that_do_not_fit_the_pictures_are_refused():
    with oracles.raises(
            ValueError, "group_sides must each be as large as the next or "
            "twice that, and a square image 1, 2, 4, ... times the first, got "
            "4, 1 for images of 8x8."):
        LadderNetwork(DATA.shape, (4, 1), (2, 3), 4)


@pytest.mark.parametrize("backbone, message", [
    (None, "multilayer_two_stage needs the hierarchy of --backbone, got "
           "none."),
    (keras.layers.Dense(3), "a hierarchy needs group_shapes and walk, got a "
                            "Dense without them."),
    (LadderNetwork((16, 16, 3), **SIDES), "the backbone must make images of "
     "shape (8, 8, 3), got (16, 16, 3).")],
    ids=["none", "no hierarchy", "other pictures"])
def test_a_backbone_that_is_none_is_refused(backbone, message):
    with oracles.raises(ValueError, message):
        multilayer_two_stage.build(
            multilayer_two_stage.MultilayerTwoStageConfig(), DATA,
            backbone=backbone)
