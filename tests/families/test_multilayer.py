"""What is particular to the family of several layers."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.assembly.layered import LayersConfig
from lebm_tf.families import ChainConfig, DataSpec, multilayer
from lebm_tf.mcmc import rng
from tests import oracles
from tests.contracts.test_families import DATA, MULTILAYER

ENCODER = ChainConfig(0, 0.1, start="encoder")


def parameters(model, part):
    return sum(int(tf.size(v)) for v in model.variables_of(part))


def test_the_defaults_have_the_published_numbers_of_parameters():
    model = multilayer.build(
        multilayer.MultilayerConfig(), DataSpec((32, 32, 3), 50_000))
    assert {part: parameters(model, part) for part in model.parts} == {
        "energy_1": 106_401, "energy_2": 20_301, "base": 192_256,
        "generator": 18_883_075}


def test_every_layer_moves_by_its_own_step_size():
    model = multilayer.build(MULTILAYER, DATA, batch_size=4)
    assert model.roles["negative"].sampler.kernel.step_size == (0.4, 0.3, 0.2)
    one = dataclasses.replace(MULTILAYER, prior_step_sizes=(0.3,))
    kernel = multilayer.build(one, DATA).generation.kernel
    assert kernel.step_size == (0.3, 0.3, 0.3)


def test_chains_begin_at_independent_normals_or_from_the_top_down():
    model = multilayer.build(MULTILAYER, DATA)
    start = model.generation.start(3, None, rng.make_seed(1))
    np.testing.assert_array_equal(start[0], rng.normal(
        [3, 4], rng.stream(rng.make_seed(1), "z1")))
    model = multilayer.build(dataclasses.replace(
        MULTILAYER, first_states="base"), DATA)
    start = model.generation.start(3, None, rng.make_seed(1))
    oracles.assert_nests_equal(
        start, model.prior.base.sample(3, rng.make_seed(1)))


def test_interpolation_and_transition_have_all_layers():
    model = multilayer.build(MULTILAYER, DATA)
    x = np.zeros([2, 8, 8, 3], np.float32)
    assert model.interpolate(x, x, 3).shape == (2, 3, 8, 8, 3)
    transition = model.transition(2)
    assert [leaf.shape for leaf in transition.z] == [
        (4, 2, width) for width in (4, 3, 2)]


@pytest.mark.parametrize("change, message", [
    ({"latent_dims": (4,)}, "latent_dims must hold 2 or more values, got 1."),
    ({"latent_dims": (4, 0)}, "latent_dims must all be >= 1, got 4, 0."),
    ({"energy_units": (5, 5, 5)}, "energy_units must hold 1 value or one for "
     "each of the 2 layers of latent_dims, got 3."),
    ({"energy_layers": (1, 1, 1)}, "energy_layers must hold 1 value or one for "
     "each of the 2 layers of latent_dims, got 3."),
    ({"base_units": (5, 5)}, "base_units must hold 1 value or one for each of "
     "the 1 places between layers of latent_dims, got 2."),
    ({"energy": "concatenated"}, "energy_units must hold 1 value with "
     "energy=concatenated, got 2."),
    ({"energy": "joint"}, "energy must be one of layerwise, concatenated, got "
     "'joint'.")])
def test_layers_that_do_not_fit_are_refused(change, message):
    with oracles.raises(ValueError, message):
        LayersConfig(**change)


@pytest.mark.parametrize("change, message", [
    ({"prior_step_sizes": (0.1, 0.1)}, "prior_step_sizes must hold 1 value or "
     "one for each of the 3 layers of latent_dims, got 2."),
    ({"posterior_step_sizes": (0.1,) * 4}, "posterior_step_sizes must hold 1 "
     "value or one for each of the 3 layers of latent_dims, got 4."),
    ({"posterior": ENCODER}, "posterior_step_sizes must be left out with "
     "posterior_num_steps=0, which runs no chains, got (0.1, 0.15, 0.2)."),
    ({"prior": ENCODER}, "prior_start must be base or bank, got 'encoder': a "
     "prior has no input image."),
    ({"encoder": multilayer.EncoderConfig((3,))}, "encoder must be left out "
     "without posterior_start=encoder, got EncoderConfig(channels=(3,), "
     "activation='leaky_relu').")])
def test_settings_that_do_not_fit_are_refused(change, message):
    with oracles.raises(ValueError, message):
        dataclasses.replace(MULTILAYER, **change)
