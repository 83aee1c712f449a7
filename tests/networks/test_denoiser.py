"""Published sizes of the networks of learned samplers, and what they refuse."""

import pytest

from lebm_tf.networks import ContextEncoder, LatentDenoiser
from lebm_tf.networks.triangle import (
    FormedEnergy, NormalizedGenerator, PlainEncoder)
from tests import oracles


@pytest.mark.parametrize("latent_dim, count", [
    (100, 3_066_424), (128, 3_143_424), (8, 2_841_024)])
def test_the_denoiser_has_as_many_numbers_as_the_published(latent_dim, count):
    assert LatentDenoiser(latent_dim).count_params() == count


@pytest.mark.parametrize("shape, channels, millions", [
    ((32, 32, 3), (64, 128, 256, 512), 11.15),
    ((64, 64, 3), (64, 128, 256, 512, 512), 15.34)])
def test_so_has_the_encoder_of_contexts(shape, channels, millions):
    count = ContextEncoder(shape, channels=channels).count_params()
    assert round(count / 1e6, 2) == millions


def test_so_have_the_networks_of_the_triangle():
    shape = (32, 32, 3)
    generator = NormalizedGenerator(100, shape)
    moving = sum(int(v.shape[0]) for v in generator.non_trainable_variables)
    counts = [generator.count_params() - moving,
              PlainEncoder(shape, (64, 128, 256, 256), 1).count_params(),
              PlainEncoder(shape, (64, 128, 256, 512), 100, 2).count_params()]
    assert [round(count / 1e6, 2) for count in counts] == [7.64, 1.71, 4.39]


@pytest.mark.parametrize("make, message", [
    (lambda: LatentDenoiser(8, time_dim=5),
     "time_dim must be even and >= 4, got 5."),
    (lambda: LatentDenoiser(8, widths=(5,)),
     "widths must be two numbers >= 1, got (5,)."),
    (lambda: LatentDenoiser(1),
     "latent_dim must be >= 2 and context_dim >= 1, got 1 and 1024."),
    (lambda: ContextEncoder((8, 8, 1), 6, (4, 4, 4, 4)),
     "channels must leave a map of at least 2x2, got 1x1 for images of 8x8 "
     "after 4 layers."),
    (lambda: FormedEnergy(None, "cube"),
     "form must be one of identity, tanh, sigmoid, softplus, got 'cube'.")])
def test_what_makes_no_network_is_refused(make, message):
    with oracles.raises(ValueError, message):
        make()
