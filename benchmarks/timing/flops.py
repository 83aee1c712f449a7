"""Floating-point operations by formula, from the shapes of the networks.

An operation is one addition or one multiplication; only products with weights
are counted. A transposed convolution of a map of h x h pixels, c_in to c_out
channels, with a kernel of k x k, costs

    forward                  F = 2 h^2 k^2 c_in c_out
    gradient w.r.t. input    F   (a convolution with the same kernel)
    gradient w.r.t. weights  F   (every product once more)

and a dense layer is that with h = k = 1. So a gradient with respect to z costs
2 F of the whole network, and one with respect to weights 3 F less the F of the
first layer, whose input needs no gradient.

Of the k^2 h^2 products some fall outside of the picture, as padding cuts the
border off. They are usually counted, here too; `border=False` leaves them out.
"""

from benchmarks.timing.setting import Layer, Setting


def products_of_axis(layer: Layer, border: bool = True) -> int:
    """How many pairs (pixel, entry of the kernel) there are along one axis."""
    if border:
        return layer.size_in * layer.kernel
    return sum(
        0 <= i * layer.stride + k - layer.padding < layer.size_out
        for i in range(layer.size_in) for k in range(layer.kernel))


def generator(setting: Setting, border: bool = True) -> list[int]:
    """Forward operations of each layer for one z."""
    return [2 * products_of_axis(layer, border)**2 * layer.channels_in
            * layer.channels_out for layer in setting.generator_layers]


def energy(setting: Setting) -> list[int]:
    """Forward operations of each layer for one z."""
    widths = setting.energy_widths
    return [2 * a * b for a, b in zip(widths, widths[1:])]


def prior_chain(setting: Setting) -> int:
    """All moves of a batch: the gradient of E with respect to z each."""
    return (2 * sum(energy(setting)) * setting.batch_size
            * setting.model["prior"]["num_steps"])


def posterior_chain(setting: Setting, border: bool = True) -> int:
    """All moves of a batch: the gradients of |x - g(z)|^2 and of E each."""
    forward = sum(generator(setting, border)) + sum(energy(setting))
    return (2 * forward * setting.batch_size
            * setting.model["posterior"]["num_steps"])


def learning(setting: Setting, border: bool = True) -> int:
    """Both updates: g at z+, E at z+ and at z-."""
    maps, dense = generator(setting, border), energy(setting)
    return setting.batch_size * (
        3 * sum(maps) - maps[0] + 2 * (3 * sum(dense) - dense[0]))


def train_step(setting: Setting, border: bool = True) -> int:
    """One step: posterior chain, prior chain, both updates."""
    return (posterior_chain(setting, border) + prior_chain(setting)
            + learning(setting, border))


def sample(setting: Setting, border: bool = True) -> int:
    """A batch of pictures: the prior chain, then g."""
    return prior_chain(setting) + setting.batch_size * sum(
        generator(setting, border))


def matmul(size: int) -> int:
    """The product of two square matrices."""
    return 2 * size**3
