"""Energies on a frozen hierarchy against the authors' program."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import EnergyPrior, LayeredNormal
from lebm_tf.mcmc import Langevin, rng, value_and_gradient
from lebm_tf.models import OptimizerConfig
from lebm_tf.networks import MapEnergy, NoiseEnergy
from lebm_tf.networks.hierarchy import decoded
from tests import oracles
from tests.golden.reference import (
    Injected, Reference, assert_close, assert_gradients, assert_read,
    assert_updates)

FILE, SEED = Reference("joint_ebm_two_stage"), rng.make_seed(0)
C = FILE.config
GROUPS = range(sum(key.startswith("traj_eps") for key in FILE.arrays))
UPDATE = 1e-6  # Of gradients that are 0 but for rounding.


@pytest.fixture(autouse=True, scope="module")
def double_precision():
    with oracles.precision("float64"):
        yield
    energies.cache_clear()


class StandIn(keras.layers.Layer):
    """The small backbone of the file; z in the order of drawing."""

    def __init__(self):
        super().__init__()
        self.group_shapes = [FILE[f"eps{i}_0"].shape[1:] for i in GROUPS]

    def conv(self, name, x):
        kernel = FILE.arrays[f"w/backbone/{name}.weight"]
        return tf.nn.conv2d(x, kernel.transpose(2, 3, 1, 0), 1, "SAME"
                            ) + FILE.arrays[f"w/backbone/{name}.bias"]

    def normal(self, name, a):
        mean, h = tf.split(self.conv(name, tf.nn.elu(a)), 2, -1)
        return (5.0 * tf.tanh(mean / 5.0), tf.exp(5.0 * tf.tanh(h / 5.0))
                + C["sigma_floor"])

    def merged(self, name, a, z):
        return self.conv(name, tf.concat([a, z], -1))

    def walk(self, choose, num_rows):
        first = np.moveaxis(FILE.arrays["w/backbone/prior_ftr0"], 0, -1)
        a = tf.repeat(tf.constant(first)[None], num_rows, 0)
        z = choose(0, tf.zeros([], a.dtype),
                   tf.constant(1.0 + C["sigma_floor"], a.dtype), a)
        a = self.merged("dec_tower.0.conv", a, z)
        a += tf.nn.elu(self.conv("dec_tower.1.conv", a))
        z = choose(1, *self.normal("dec_sampler.0.conv", a), a)
        a = self.merged("dec_tower.2.conv", a, z)
        a = self.conv("dec_tower.3.conv", tf.repeat(tf.repeat(a, 2, 1), 2, 2))
        z = choose(2, *self.normal("dec_sampler.1.conv", a), a)
        return self.conv("image_conditional", self.merged(
            "dec_tower.4.conv", a, z))


def noise(key):
    """Of all groups, that next to the data first."""
    return tuple(tf.constant(maps(key.format(i))) for i in reversed(GROUPS))


def maps(key):
    """Maps with channels last, also along a chain."""
    return np.moveaxis(FILE.arrays[key], -3, -1)


def layers(group, energy):
    """Their name, and our layer."""
    found = [(f"conv2d.conv{k + 1}", layer)
             for k, layer in enumerate(energy.convolutions)]
    found += [(f"linear.fc{k + 1}", layer)
              for k, layer in enumerate(energy.layers)]
    return [(f"E{group}/{name}", layer)
            for name, layer in [*found, ("linear.out", energy.head)]]


def read(prefix, group, energy):
    """Arrays of all layers: their maps are flat by channel, row, column, and
    they store f = -E."""
    arrays = []
    for name, _ in layers(group, energy):
        kernel, bias = FILE.weights(prefix, name)
        if ".conv" in name:
            kernel = FILE.arrays[f"{prefix}/{name}.weight"].transpose(
                2, 3, 1, 0)
        elif name.endswith("fc1"):
            side = round((energy.flat / energy.channels)**0.5)
            order = np.arange(energy.flat).reshape(-1, side, side).transpose(
                1, 2, 0).reshape(-1)
            kernel = kernel[order]
        sign = -1.0 if name.endswith("out") else 1.0
        arrays += [sign * kernel, sign * bias]
    return arrays


def make_energies():
    """Next to the data first."""
    made = []
    for i in reversed(GROUPS):
        energy = MapEnergy(FILE[f"eps{i}_0"].shape[1:], C["nef"], C["ndf"])
        energy.set_weights(read("w", i, energy))
        made.append(energy)
    return made


@functools.cache
def energies():
    """Not to be trained."""
    return make_energies()


def prior(exact, made=None):
    network = NoiseEnergy(StandIn(), made or energies(), C["temperature"],
                          exact)
    return EnergyPrior(LayeredNormal(
        list(reversed(network.hierarchy.group_shapes))), network)


def test_what_noise_stands_for():
    z, scales, x = decoded(StandIn(), noise("eps{}_0"), C["temperature"])
    for i, group in zip(reversed(GROUPS), z):
        assert_close(group, FILE[f"z{i}_0"])
        energy = energies()[len(GROUPS) - 1 - i]
        assert_close(-energy(group), FILE[f"f{i}_0"])
    assert_close(x, FILE["logits_0"])
    base = prior(True).base
    total = base.log_prob(noise("eps{}_0")) - tf.add_n([
        tf.reduce_sum(tf.math.log(scale + tf.zeros_like(group)), [1, 2, 3])
        for scale, group in zip(scales, z)])
    assert_close(total, FILE["log_p_backbone_0"])


@pytest.mark.parametrize("exact, key", [
    (False, "grad_target_eps{}_0"), (True, "exact/grad_target_eps{}_0")])
def test_both_targets(exact, key):
    _, gradients = value_and_gradient(
        prior(exact).unnormalized_log_prob, noise("eps{}_0"))
    for i, gradient in zip(reversed(GROUPS), gradients):
        assert_close(gradient, FILE[key.format(i)])


def chains():
    return Injected(Langevin(C["ld_size"]**0.5), noise("eps{}_0"),
                    noise("noise_eps{}"))


def test_all_groups_move_as_theirs():
    positions = chains().positions(prior(False).unnormalized_log_prob, SEED)
    for k, i in enumerate(reversed(GROUPS)):
        assert_close(tf.stack([eps[k] for eps in positions]),
                     maps(f"traj_eps{i}"))
    z, _, x = decoded(StandIn(), positions[-1], C["temperature"])
    for i, group in zip(reversed(GROUPS), z):
        assert_close(group, FILE[f"z{i}_neg"])
    assert_close(x, FILE["logits_neg"])


def test_losses_and_updates_of_every_energy():
    """Between the groups of the file, which are those of an encoder here."""
    made = make_energies()
    beta_1, beta_2 = C["adam_betas"]
    for i, energy in zip(reversed(GROUPS), made):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(energy(tf.constant(FILE[f"z{i}_pos"]))) \
                - tf.reduce_mean(energy(tf.constant(FILE[f"z{i}_neg"])))
        assert_close(loss, FILE[f"loss_e{i}"])
        gradients = tape.gradient(loss, energy.trainable_variables)
        assert_gradients(gradients, read("grad", i, energy))
        adam = OptimizerConfig(
            C["lr"], beta_1, beta_2, epsilon=C["adam_eps"],
            weight_decay=C["weight_decay"]).make(1)
        adam.build(energy.trainable_variables)
        before = energy.get_weights()
        adam.apply(gradients, energy.trainable_variables)
        assert_updates(before, energy.trainable_variables,
                       read("w1", i, energy), C["lr"], UPDATE)


def test_every_key_is_read(request):
    assert_read(request, "joint_ebm_two_stage")
