"""One energy over a ladder of layers against the authors' two trainers."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.assembly.layered import LadderConfig, LayersConfig
from lebm_tf.evaluation.latents.hierarchy import one_layer_at_a_time
from lebm_tf.families import ChainConfig, DataSpec, multilayer
from lebm_tf.mcmc import Langevin, rng, value_and_gradient
from lebm_tf.models import OptimizerConfig
from lebm_tf.objectives import LayeredKL
from tests import oracles
from tests.golden.reference import (
    Injected, Reference, assert_close, assert_gradients, assert_read,
    assert_singular_vectors, assert_updates)

FILE, SEED = Reference("hierarchical_representation"), rng.make_seed(0)
UPDATE = 1e-6  # Of gradients that are 0 but for rounding.
each_trainer = pytest.mark.parametrize("name", ["hs", "fid"])


@pytest.fixture(autouse=True, scope="module")
def double_precision():
    with oracles.precision("float64"):
        yield
    fixed.cache_clear()


class Trainer:
    """One of the two: its arrays, its settings and its model."""

    def __init__(self, name):
        self.name, self.config = name, FILE.config[name]
        self.dims = tuple(self.config[key] for key in sorted(
            key for key in self.config if key.startswith("z")))
        self.model = multilayer.build(
            self._config(), DataSpec(self["x"].shape[1:], len(self["x"])),
            batch_size=len(self["x"]))
        self.layers = self._layers()
        for part, theirs, layer in self.layers:
            layer.set_weights(self._read("w", part, theirs, layer))
        self._inject()

    def __getitem__(self, key):
        return FILE[f"{self.name}/{key}"]

    def of_layers(self, key, ending=""):
        return tuple(tf.constant(self[f"{key}{i}{ending}"])
                     for i in range(len(self.dims)))

    def _config(self):
        c, adds = self.config, self.name == "hs"
        count = len(self.dims)
        widths = c["cs"][1:count] if adds else c["cs"][1:count + 1]
        side = self["x"].shape[1] // 2**(count - 1)
        return multilayer.MultilayerConfig(
            hierarchy="ladder",
            layers=LayersConfig(
                latent_dims=self.dims, energy="concatenated",
                energy_units=(c["en_ndf"],), energy_layers=(c["en_layers"],),
                energy_spectral_norm=True),
            ladder=LadderConfig(
                "add" if adds else "concatenate", tuple(widths), c["cs"][-1],
                c["cs"][count], side),
            likelihood_scale=(2 * c["Gfactor"])**-0.5,
            kl_variance_floor=FILE.config["nll_eps"],
            prior=ChainConfig(c["e_l_steps"], c["e_l_step_size"]),
            posterior=ChainConfig(0, 0.1, start="encoder"),
            energy_optimizer=self._adam("E"),
            generator_optimizer=self._adam("G"),
            encoder_optimizer=self._adam("G"))

    def _adam(self, net):
        c = self.config
        return OptimizerConfig(
            c[f"lr{net}"], c[f"beta1{net}"], 0.9,
            epsilon=FILE.config["adam_eps"],
            weight_decay=c[f"{net.lower()}_decay"])

    def _layers(self):
        """Part, their name, our layer."""
        energy = self.model.prior.energy_network.energy
        found = [("energy", f"energy.fc{i + 1}", layer)
                 for i, layer in enumerate(energy.layers)]
        found.append(("energy", "energy.out", energy.head))
        g, last = self.model.likelihood.generator, len(self.dims) - 1
        found += [("generator", f"gen{last}.{2 * k}", layer)
                  for k, layer in enumerate(g.top)]
        found += [("generator", f"latent{i}_act.0", layer)
                  for i, layer in enumerate(g.maps)]
        for i, level in enumerate(g.levels):
            first = 0
            if g.lift is not None and i == last - 1:
                found.append(("generator", f"gen{i}.0", g.lift))
                first = 3
            found += [("generator", f"gen{i}.{first + 2 * k}", layer)
                      for k, layer in enumerate(level)]
        e = self.model.encoder.network
        for i, (branch, trunk) in enumerate(zip(e.branches, e.trunk)):
            for k in (0, 1):
                found += [("encoder", f"ladder{i}.{k}.0", branch[k]),
                          ("encoder", f"inference{i}.{k}.0", trunk[k])]
        found += [("encoder", f"ladder{last}.{k + 1}.0", layer)
                  for k, layer in enumerate(e.top)]
        return found + [("encoder", f"ladder{i}_{name}", layer) for i, heads
                        in enumerate(e.heads)
                        for name, layer in zip(("mean", "logvar"), heads)]

    def _read(self, prefix, part, theirs, layer):
        """Arrays of one of their layers, as our layer has its weights."""
        net = {"energy": "E", "generator": "G", "encoder": "I"}[part]
        stem = f"{self.name}/{prefix}/{net}/{theirs}"
        get = FILE.arrays.get
        kernel = get(f"{stem}.weight", get(f"{stem}.weight_orig"))
        bias = get(f"{stem}.bias")
        if theirs == "energy.out":  # They store f = -E.
            kernel, bias = -kernel, -bias
        if kernel.ndim == 4:
            kernel = kernel.transpose(2, 3, 1, 0)
        else:
            kernel, bias = self._ordered(theirs, kernel.T, bias)
        arrays = [kernel] if bias is None else [kernel, bias]
        if prefix == "w" and part == "energy":
            sign = -1.0 if theirs == "energy.out" else 1.0
            arrays.append(sign * get(f"{stem}.weight_u"))
        return arrays

    def _ordered(self, theirs, kernel, bias):
        """(channel, row, column) of their flat maps to (row, column,
        channel)."""
        g, e = self.model.likelihood.generator, self.model.encoder.network
        last, stem = len(self.dims) - 1, theirs.split(".")[0]
        made = {f"latent{i}_act": shape
                for i, shape in enumerate(g.map_shapes)}
        made[f"gen{last}.4"] = g.map_shapes[-1]
        shape = made.get(theirs, made.get(stem))
        if g.lift is not None and theirs == f"gen{last - 1}.0":
            shape = (g.base_size, g.base_size, kernel.shape[0])
        if shape is not None and len(shape) == 3:
            h, w, c = shape
            order = np.arange(h * w * c).reshape(c, h, w).transpose(
                1, 2, 0).reshape(-1)
            return kernel[:, order], bias[order]
        read = {}
        for i in range(last):
            side = e.image_shape[0] // 2**(i + 1)
            read |= dict.fromkeys(
                (f"ladder{i}_mean", f"ladder{i}_logvar"),
                (side, side, e.channels[i]))
        read[f"ladder{last}.1.0"] = read[f"ladder{last - 1}_mean"]
        if theirs in read:
            h, w, c = read[theirs]
            order = np.arange(h * w * c).reshape(c, h, w).transpose(
                1, 2, 0).reshape(-1)
            return kernel[order], bias
        return kernel, bias

    def expected(self, prefix, part):
        """Arrays in the order of the part's variables."""
        by_variable = {}
        for p, theirs, layer in self.layers:
            if p == part:
                arrays = self._read(prefix, p, theirs, layer)
                by_variable |= {id(v): a for v, a in zip(
                    layer.trainable_variables, arrays, strict=True)}
        return [by_variable[id(v)] for v in self.model.variables_of(part)]

    def _inject(self):
        negative = Injected(
            Langevin(self.config["e_l_step_size"]),
            self.of_layers("noise_prior_start_z"),
            self.of_layers("noise_prior_z"))
        role = self.model.roles["negative"]
        self.model.roles["negative"] = role.__class__(
            negative, role.target)
        noise = self.of_layers("noise_q_z")
        self.model.encoder.sample_from = lambda means, scales, seed: tuple(
            m + tf.exp(s) * e for m, s, e in zip(means, scales, noise))


@functools.cache
def fixed(name):
    """Not to be trained."""
    return Trainer(name)


@each_trainer
def test_the_energy_and_its_spectral_norms(name):
    t = fixed(name)
    z = t.of_layers("noise_prior_start_z")
    value, gradients = value_and_gradient(t.model.energy, z)
    assert_close(-value, t["f_prior_0"])
    for i, gradient in enumerate(gradients):
        assert_close(-gradient, t[f"grad_f_prior_0_z{i}"])
    for part, theirs, layer in t.layers:
        if part == "energy":
            ratio = layer.kernel.numpy() / layer.normalized().numpy()
            sigma = np.asarray(np.median(ratio))
            assert_close(sigma, t[f"sigma_E/{theirs}"])


@each_trainer
def test_the_encoder_of_every_layer(name):
    t = fixed(name)
    means, scales = t.model.encoder.parameters(tf.constant(t["x"]))
    z = t.model.encoder.sample(tf.constant(t["x"]), SEED)
    for i, (mean, scale, draw) in enumerate(zip(means, scales, z)):
        assert_close(mean, t[f"mean_z{i}"])
        assert_close(2.0 * scale, t[f"logvar_z{i}"])
        assert_close(draw, t[f"z{i}_q"])
    assert_close(-t.model.energy(z), t["f_q"])


@each_trainer
def test_pictures_of_all_layers(name):
    t = fixed(name)
    z = tuple(tf.constant(t[f"z{i}_q"]) for i in range(len(t.dims)))
    assert_close(t.model.likelihood.mean(z), t["rec"])


@each_trainer
def test_all_layers_move_as_theirs(name):
    t = fixed(name)
    positions = t.model.roles["negative"].sampler.positions(
        t.model.target("negative", {}), SEED)
    for i in range(len(t.dims)):
        assert_close(tf.stack([z[i] for z in positions]),
                     t[f"traj_prior_z{i}"])


@each_trainer
def test_losses_and_gradients(name):
    t = fixed(name)
    x = tf.constant(t["x"])
    with tf.GradientTape(persistent=True) as tape:
        draws = t.model.draw({"x": x}, SEED, tape)
        losses = {key: objective(t.model, draws) for key, objective in
                  t.model.objectives.items()}
    assert_close(t.model.likelihood.squared_error(
        x, draws.positive.position).numpy().mean(), t["rec_loss"])
    assert_close(losses["bound"][1]["kl"], t["kl"] - t["f_pos"])
    assert_close(tf.reduce_mean(-t.model.energy(draws.negative.position)),
                 t["f_neg"])
    floor = FILE.config["nll_eps"]
    for i, layer in enumerate(zip(
            draws.positive.position, *draws.positive.encoded)):
        assert_close(tf.reduce_mean(LayeredKL(floor)._of_layer(*layer)),
                     t[f"kl_z{i}"])
    constant = x[0].shape.num_elements() * (
        0.5 * np.log(2 * np.pi) + np.log(t.model.likelihood.scale))
    assert_close(losses["bound"][0] - constant, t["loss"])
    assert_close(losses["energy"][0], t["loss_e"])
    for part, key in (("energy", "energy"), ("generator", "bound"),
                      ("encoder", "bound")):
        assert_gradients(tape.gradient(
            losses[key][0], t.model.variables_of(part)),
            t.expected("grad", part))


@each_trainer
def test_one_step_updates_every_part_as_theirs(name):
    t = Trainer(name)
    before = {part: [v.numpy() for v in t.model.variables_of(part)]
              for part in t.model.parts}
    t.model.train_step({"x": tf.constant(t["x"])})
    for part, net in (("energy", "E"), ("generator", "G"), ("encoder", "G")):
        assert_updates(before[part], t.model.variables_of(part),
                       t.expected("w1", part), t.config[f"lr{net}"],
                       UPDATE)


def test_pictures_that_differ_in_one_layer_only():
    t = fixed("hs")
    chains = Injected(
        Langevin(t.config["e_l_step_size"]),
        t.of_layers("noise_hsample_start_z"), t.of_layers("noise_hsample_z"))
    z = chains.positions(t.model.target("negative", {}), SEED)[-1]
    pictures = [t.model.likelihood.mean(varied)
                for varied in one_layer_at_a_time(t.model.prior, z)]
    for ours, theirs in zip(
            pictures, FILE.arrays["hs/hsample_every_second_pixel"],
            strict=True):
        assert_close(ours[:, ::2, ::2], np.moveaxis(theirs, 1, -1))


@each_trainer
def test_vectors_of_kernels_are_their_singular_ones(name):
    assert_singular_vectors(FILE.arrays, name)


def test_every_key_is_read(request):
    assert_read(request, "hierarchical_representation")
