"""Operations by formula are those that one counts by hand."""

import pytest
import tensorflow as tf

from benchmarks.timing import flops
from benchmarks.timing.cases import SHAPES, Plan
from benchmarks.timing.ours import model_of
from benchmarks.timing.setting import Setting

PLAN = Plan(tiny=False, variants=("eager",), threads=1, folder="")
# z of 3; a map of 2 x 2 with 5 channels; doubled to 4 x 4 with 1 channel.
SMALL = Setting({
    "latent_dim": 3, "energy": {"hidden_units": [7, 6]},
    "generator": {"base_size": 2, "channels": [5], "final_stride": 2},
    "prior": {"num_steps": 4}, "posterior": {"num_steps": 2}}, (4, 4, 1), 10)


def test_a_small_network_is_counted_as_by_hand():
    """The first layer is a product of 3 with 2 * 2 * 5; in the second each of
    4 pixels of 5 channels meets a kernel of 4 x 4 for 1 channel."""
    first, second = 3 * 20, 4 * 5 * 16
    assert flops.generator(SMALL) == [2 * first, 2 * second]
    dense = [3 * 7, 7 * 6, 6 * 1]
    assert flops.energy(SMALL) == [2 * count for count in dense]
    # A gradient with respect to z: forward and back, for every row and move.
    assert flops.prior_chain(SMALL) == 10 * 4 * 2 * 2 * sum(dense)
    assert flops.posterior_chain(SMALL) == 10 * 2 * 2 * 2 * (
        first + second + sum(dense))
    # Forward, and gradients with respect to weights and, after the first
    # layer, to what comes in; the energy of both chains.
    assert flops.learning(SMALL) == 10 * 2 * (
        2 * first + 3 * second + 2 * (2 * 21 + 3 * 42 + 3 * 6))
    assert flops.train_step(SMALL) == (
        flops.prior_chain(SMALL) + flops.posterior_chain(SMALL)
        + flops.learning(SMALL))
    assert flops.sample(SMALL) == flops.prior_chain(SMALL) + 10 * 2 * (
        first + second)
    assert flops.matmul(3) == 2 * 27


def test_the_border_is_left_out_pixel_by_pixel():
    """A doubling layer cuts one entry off at both ends of each axis."""
    layer = SMALL.generator_layers[1]
    assert flops.products_of_axis(layer) == 2 * 4
    assert flops.products_of_axis(layer, border=False) == 2 * 4 - 2
    assert flops.generator(SMALL, border=False) == [
        2 * 3 * 20, 2 * 6 * 6 * 5]


def test_the_step_of_svhn_is_the_one_that_everyone_counts():
    """3,447,683 weights of the generator, about 600 GFLOP a step."""
    setting = PLAN.setting("svhn")
    assert sum(layer.channels_in * layer.channels_out * layer.kernel**2
               + layer.channels_out for layer in setting.generator_layers
               ) == 3_447_683
    assert flops.posterior_chain(setting) / 1e9 == pytest.approx(558, abs=3)
    assert flops.prior_chain(setting) / 1e9 == pytest.approx(1.45, abs=0.01)


@pytest.mark.parametrize("name", SHAPES)
def test_the_layers_that_are_counted_are_those_of_the_library(name):
    """Shapes of weights and maps, of a network of the published form."""
    setting = Plan(True, (), 1, "").setting(name)
    network = model_of(setting).likelihood.generator
    for layer, made in zip(setting.generator_layers[1:], network.layers):
        assert made.kernel.shape == (layer.kernel, layer.kernel,
                                     layer.channels_out, layer.channels_in)
        assert made.strides == (layer.stride, layer.stride)
        assert made(tf.zeros([1, layer.size_in, layer.size_in,
                              layer.channels_in])).shape[1] == layer.size_out
    assert setting.generator_layers[-1].size_out == setting.shape[0]
