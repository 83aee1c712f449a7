"""Cooperative recovery likelihood against the authors' two programs: vectors
of the plane (toy_example.py) and pictures (main_uncond.py, models/ebm.py)."""

import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities.neighbours import neighbours
from lebm_tf.families import DataSpec, recovery_likelihood
from lebm_tf.mcmc import Langevin, rng, value_and_gradient
from lebm_tf.mcmc.kernel import initial_state
from lebm_tf.models import OptimizerConfig
from lebm_tf.networks.time_embedding import sinusoidal_embedding
from lebm_tf.objectives import LevelContrast, ProposalTeaching, with_energies
from lebm_tf.samplers import Draw, Draws, FromData
from tests import oracles
from tests.golden.reference import (
    Reference, assert_read, assert_singular_vectors)

CDRL, SEED = Reference("cdrl"), rng.make_seed(0)
C, N, MOVES = CDRL.config, CDRL.config["n_interval"], CDRL.config["n_updates"]
# Theirs adds it to the root of r when it leaves the units of states.
ROOT_EPSILON = 1e-8
PARTS = ("", "img/")
each_part = pytest.mark.parametrize("part", PARTS, ids=["plane", "pictures"])
# With 64 channels in 32 groups the group norm of the proposal sees pairs, so
# that it is nearly a sign: README of the files, tolerances.
STEEP = 1e-9


def array(key):
    """Pictures NHWC, all else as it is."""
    value = CDRL.arrays[key]
    return np.moveaxis(value, -3, -1) if (
        key.startswith("img/") and value.ndim >= 4 and "/w" not in key
        and "/grad/" not in key) else value


def assert_close(value, expected, tolerance=1e-11):
    value = np.asarray(value)
    assert value.dtype == np.float64 and value.shape == expected.shape
    np.testing.assert_allclose(
        value, expected, rtol=0, atol=tolerance * np.max(np.abs(expected)))


@pytest.fixture(autouse=True, scope="module")
def double_precision():
    with oracles.precision("float64"):
        yield
    fixed.cache_clear()


@keras.saving.register_keras_serializable(package="lebm_tf_tests")
class Added(keras.layers.Layer):
    """x + a 3 x 3 convolution of it, what stands in for the U-Net."""

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.conv = keras.layers.Conv2D(channels, 3, padding="same")
        self.conv.build((None, None, None, channels))
        self.built = True

    def call(self, x, time):
        return x + self.conv(x)


def is_plane(part):
    return not part


def adam(part, name):
    own = {"": {"pi": "pi_lr", "p": "p_lr"},
           "img/": {"pi": "img_pi_lr", "p": "img_p_lr"}}[part][name]
    decay = {"decoupled_decay": C["p_weight_decay"]} if name == "p" else {}
    return OptimizerConfig(C[own], *C["adam_betas"], C["adam_eps"],
                           clip_norm=C["grad_clip"], **decay)


def config_of(part):
    image, plane = C["img"], is_plane(part)
    return recovery_likelihood.RecoveryLikelihoodConfig(
        schedule="angles", num_levels=N, log_ratio_max=C["logsnr_max"],
        log_ratio_min=C["logsnr_min"], num_steps=MOVES,
        step_factor=2 * (C["sz_const"] if plane else C["image_constant"]),
        steps_grow=not plane, start="proposal",
        shares_noise=C["variance_reduction"], jit_compile="off",
        denoising="none" if plane else "published",
        noise_scale=C["sz_mul"], generation_noise_scale=C["sz_mul"],
        energy=recovery_likelihood.LevelEnergyConfig(
            C["e_t_dim"] if plane else image["temb_dim"],
            tuple((C if plane else image)["ch_mult"]),
            C["e_n_layer"] if plane else image["n_blocks"],
            C["e_t_dim"] if plane else image["temb_dim"],
            spectral_norm=C["use_sn"], activates_time=True,
            starts_small=False, has_head_bias=False),
        proposal=recovery_likelihood.ProposalConfig(
            C["p_h_dim"], num_blocks=C["p_n_layer"],
            embedding_dim=C["t_dim"]),
        energy_optimizer=adam(part, "pi"), proposal_optimizer=adam(part, "p"))


def make_model(part):
    shape = (2,) if is_plane(part) else (
        C["img"]["size"], C["img"]["size"], C["img"]["ch"])
    kind = "vector" if is_plane(part) else "image"
    model = recovery_likelihood.build(
        config_of(part), DataSpec(shape, 100, kind=kind), batch_size=10,
        proposal=None if is_plane(part) else Added(shape[-1]))
    for key, variable in variables(part, model):
        variable.assign(ours(CDRL.arrays[f"{part}w/{key}"], key))
    for key, variable in vectors(part, model):
        variable.assign(CDRL.arrays[f"{part}w/{key}"])
    return model


@functools.cache
def fixed(part):
    """A model at the weights before the step; not to be trained."""
    return make_model(part)


def ours(value, key):
    """An array of theirs in the layout of our variable."""
    if key.endswith(".g"):
        return value.ravel()
    if value.ndim == 4:
        return value.transpose(2, 3, 1, 0)
    return value.T


def energy_layers(model):
    """(their name, our layer)."""
    network = model.prior.energy_network.network
    yield "temb_map1", network.time[0]
    yield "temb_map2", network.time[1]
    yield "module_list.0", network.first
    yield ("temb_final" if network.is_picture else "final_dense"), network.head
    modules = block_numbers(network)
    for layer in network.layers:
        _, level, block, kind = layer.name.split("_")
        name = {"a": "conv1", "b": "conv2", "time": "temb_map",
                "shortcut": "short_cut"}[kind]
        yield f"module_list.{modules[int(level), int(block)]}.{name}", layer


def block_numbers(network):
    """(level, block) -> their number, which counts averages of pictures."""
    numbers, k = {}, 1
    for level in range(len(network.multipliers)):
        k += bool(level and network.is_picture)
        for block in range(network.num_blocks):
            numbers[level, block] = k
            k += 1
    return numbers


def proposal_layers(part, model):
    guess, = model.parts["proposal"]
    network = guess.network
    if not is_plane(part):
        yield "conv", network.conv
        return
    yield from (("h1", network.first), ("temb_map.0", network.time[0]),
                ("temb_map.2", network.time[1]), ("final_dense", network.last))
    for i, block in enumerate(network.blocks):
        stem = f"module_list.{i}."
        yield from ((stem + "conv1", block.layers[0]),
                    (stem + "conv2", block.layers[1]),
                    (stem + "mlp.1", block.time))


def variables(part, model):
    """(their key without prefixes, our variable) of all that learns."""
    for name, layer in energy_layers(model):
        kernel = ".weight" if layer.u is None else ".weight_orig"
        yield f"pi/{name}{kernel}", layer.kernel
        if layer.bias is not None:
            yield f"pi/{name}.bias", layer.bias
    network = model.prior.energy_network.network
    for k, gain in zip(block_numbers(network).values(), network.gains):
        yield f"pi/module_list.{k}.g", gain
    for name, layer in proposal_layers(part, model):
        yield f"p/{name}.weight", layer.kernel
        if layer.bias is not None:
            yield f"p/{name}.bias", layer.bias
    if is_plane(part):
        guess, = model.parts["proposal"]
        for i, block in enumerate(guess.network.blocks):
            for k, norm in enumerate(block.norms, 1):
                name = f"p/module_list.{i}.norm{k}"
                yield f"{name}.weight", norm.gamma
                yield f"{name}.bias", norm.beta


def vectors(part, model):
    return [(f"pi/{name}.weight_u", layer.u)
            for name, layer in energy_layers(model) if layer.u is not None]


def steep(part):
    return STEEP if is_plane(part) else 1e-11


def level_of(part):
    """Ours count from 0."""
    return tf.constant(array(part + "t") - 1, tf.int32)


def root(part):
    """b of every row."""
    levels = config_of(part).levels()
    scale = np.take(levels.model_factors, array(part + "t"))
    return scale.reshape(-1, *[1] * (array(part + "x").ndim - 1))


def neighbours_of_file(part):
    noise = tf.constant(array(part + "noise_pair"))
    return neighbours(config_of(part).levels(), tf.constant(array(part + "x")),
                      level_of(part), noise, None)


def chain(part, model):
    """All positions of the chains, from the proposal of the file."""
    above = tf.constant(array(part + "x_t"))
    target = model.prior.at_level(level_of(part), above)
    step_size = tf.gather(tf.constant(model.prior.step_sizes, tf.float64),
                          level_of(part))
    state = initial_state(tf.constant(array(part + "y0")))
    positions = [state.position]
    for noise in array(part + "noise_langevin"):
        state = Langevin(1.0, C["sz_mul"]).step(
            target, state, SEED, tf.constant(noise), step_size)
        positions.append(state.position)
    return tf.stack(positions)


def drawn(part):
    """As theirs, whose negative states went to the units of data and back."""
    y, above = neighbours_of_file(part)
    negative = tf.constant(root(part) * array(part + "x_neg"))
    level = level_of(part)
    return Draws({"x": tf.constant(array(part + "x"))}, {
        "positive": Draw(above, initial_state(y), condition=level),
        "negative": Draw(tf.constant(array(part + "y0")),
                         initial_state(negative), condition=level)}, SEED)


@each_part
def test_the_schedule(part):
    config = config_of(part)
    levels, name = config.levels(), "toy" if is_plane(part) else "image"
    assert_close(np.square(levels.total_factors), array("schedule_A"))
    assert_close(np.square(levels.factors[1:]), array("schedule_r"))
    assert_close(np.square(levels.model_factors[1:]),
                 array("schedule_r_scaling"))
    assert_close(np.square(levels.scales[1:]), array("schedule_sigma_square"))
    assert_close(levels.proposal_scales, array("schedule_proposal_std"))
    assert_close(levels.weights, array("schedule_loss_weight"))
    assert_close(np.square(levels.step_sizes(
        config.step_factor, config.steps_grow)),
        array(f"schedule_step_square_{name}"))
    lowest, t = levels.total_scales[0], array(part + "t")
    assert_close(np.full(N, 1.0) / lowest if is_plane(part) else np.array(
        levels.total_scales[:-1]) / lowest, np.broadcast_to(
            array(f"schedule_c_{name}"), [N]))
    for key, k in (("logsnr_t", t), ("logsnr_tm1", t - 1)):
        assert_close(array(part + key), array("schedule_logsnr")[k])
    assert_close(np.array(config.times()) / 1000, array("schedule_time"))
    assert_close(np.log(np.square(levels.total_factors)
                        / np.square(levels.total_scales)),
                 array("schedule_logsnr"), 1e-10)
    assert_close(sinusoidal_embedding(
        tf.constant(config.times(), tf.float64), C["t_dim"]),
        array("schedule_time_embedding"))


@each_part
def test_neighbours_of_data_share_their_noise(part):
    y, above = neighbours_of_file(part)
    assert_close(y, root(part) * array(part + "x_tm1"))
    assert_close(above, array(part + "x_t"))


@each_part
def test_the_proposal(part):
    guess, = fixed(part).parts["proposal"]
    mean = guess.mean(tf.constant(array(part + "x_t")), level_of(part))
    assert_close(mean, array(part + "p_out"), steep(part))
    scale = np.take(guess.scales, level_of(part)).reshape(root(part).shape)
    assert_close(mean + C["p_with_noise"] * scale * array(
        part + "noise_init"), array(part + "y0"), steep(part))


@each_part
def test_the_network_and_its_gradient(part):
    prior = fixed(part).prior
    energy, gradient = value_and_gradient(
        lambda y: prior.energy(y, condition=level_of(part)),
        tf.constant(array(part + "y0")))
    assert_close(-energy, array(part + "f_y0"))
    assert_close(-gradient, array(part + "grad_f_y0"))


@each_part
def test_chains_move_for_move(part):
    positions = chain(part, fixed(part))
    assert_close(positions, array(part + "traj_y"))
    assert_close(positions[-1] / (root(part) + ROOT_EPSILON),
                 array(part + "x_neg"))


@each_part
def test_losses_and_their_gradients(part):
    model, draws = fixed(part), drawn(part)
    weights = config_of(part).levels().weights
    with tf.GradientTape(persistent=True) as tape:
        losses = {
            "pi": LevelContrast(weights)(model, with_energies(model, draws)),
            "p": ProposalTeaching(model.parts["proposal"][0])(model, draws)}
    f = {role: -model.prior.energy(
        draws.states[role].position, condition=level_of(part))
        for role in ("positive", "negative")}
    for name, role, sign in (("pos", "positive", -1), ("neg", "negative", 1)):
        assert_close(f[role], array(f"{part}f_{name}"))
        weighted = np.take(weights, level_of(part)) * f[role]
        assert_close(sign * np.mean(weighted), array(f"{part}loss_{name}"))
    assert_close(np.take(weights, level_of(part)), array(part + "loss_weight"))
    np.testing.assert_allclose(
        losses["pi"], array(part + "loss_pi"), rtol=1e-9)
    assert_close(losses["p"], array(part + "loss_p"), 1e-10)
    norms = {"pi": [], "p": []}
    for key, variable in variables(part, model):
        group = key.split("/")[0]
        gradient = tape.gradient(losses[group], variable).numpy()
        wanted = ours(CDRL.arrays[f"{part}grad/{key}"], key)
        norms[group].append(np.sum(gradient**2))
        np.testing.assert_allclose(
            gradient, wanted, rtol=0, atol=1e-15 + np.max(np.abs(wanted)) * (
                STEEP if group == "p" else 1e-11))
    for group, squares in norms.items():
        np.testing.assert_allclose(
            np.sqrt(sum(squares)), array(f"{part}grad_norm_{group}"),
            rtol=STEEP)


@each_part
def test_one_train_step_updates_as_theirs(part):
    model, draws = make_model(part), drawn(part)
    rates = {group: adam(part, group).learning_rate for group in ("pi", "p")}
    for name in ("positive", "negative"):
        model.roles[name] = dataclasses.replace(
            model.roles[name], sampler=FromData(
                lambda batch, seed, name=name: draws.states[name]))
    model.train_step({"x": draws.batch["x"]})
    for key, variable in variables(part, model):
        before, after = (CDRL.arrays[f"{part}{w}/{key}"] for w in ("w", "w1"))
        rate = rates[key.split("/")[0]]
        np.testing.assert_allclose(
            (variable.numpy() - ours(before, key)) / rate,
            ours((after - before) / rate, key), rtol=0, atol=1e-6)


@dataclasses.dataclass(frozen=True)
class Given:
    """Where the ladder begins."""
    start_of: np.ndarray

    def start(self, num_chains, draws, seed):
        return tf.constant(self.start_of)

    def update(self, draws, position, seed):
        pass


@dataclasses.dataclass(frozen=True)
class GivenNoise(Langevin):
    """Of every level and move."""
    noise: np.ndarray | None = None
    made: dict = dataclasses.field(default_factory=dict, hash=False)

    def step(self, log_prob_fn, state, seed, noise=None, step_size=None):
        level = int(log_prob_fn.condition[0])
        k = self.made.setdefault(level, 0)
        self.made[level] += 1
        return super().step(log_prob_fn, state, seed, tf.constant(
            self.noise[N - 1 - level, k]), step_size)


@each_part
def test_samples_come_down_the_ladder_as_theirs(part):
    model = fixed(part)
    guess, ladder = model.parts["proposal"][0], model.generation
    noise = array(part + "noise_progressive_init")
    given, ends = [], []

    def propose(level, above, seed):
        given.append(above)
        return guess.mean(above, level) + guess.scales[int(level)] * (
            noise[N - 1 - int(level)])

    def descend(level, position):
        root = model.prior.levels.model_factors[int(level) + 1]
        ends.append(position / (root + ROOT_EPSILON))
        return ends[-1]
    drawn = dataclasses.replace(
        ladder, initializer=Given(array(part + "noise_progressive_start")),
        propose=propose, descend=descend, kernel=GivenNoise(
            1.0, C["sz_mul"], array(part + "noise_progressive_langevin"))
    ).draw(model.target("generation", {}), len(noise[0]), Draws({}), SEED)
    assert_close(tf.stack(ends if is_plane(part) else given),
                 array(part + "progressive_x"), 10 * steep(part))
    if not is_plane(part):
        assert_close(drawn.position, array(part + "progressive_denoised"),
                     1e-10)


def test_log_densities_of_levels():
    """In units of data, from the highest level on."""
    prior = fixed("").prior
    x = tf.constant(array("grid_x"))
    densities = [prior.unnormalized_log_prob(
        prior.levels.model_factors[level + 1] * x,
        condition=tf.fill([len(x)], level)) for level in reversed(range(N))]
    assert_close(tf.stack(densities), array("grid_log_density"))


def test_rates_warm_up_as_theirs():
    defaults = recovery_likelihood.RecoveryLikelihoodConfig()
    steps = C["warmup_steps"]
    for key, chosen, offset in (
            ("pi", defaults.energy_optimizer, 0),
            ("p", defaults.proposal_optimizer, round(0.05 * steps))):
        optimizer = dataclasses.replace(
            chosen, learning_rate=C[f"{key}_lr"], warmup_steps=steps,
            warmup_offset=offset).make(1)
        rates = [float(optimizer._learning_rate(step))
                 for step in array("warmup_steps")]
        np.testing.assert_allclose(
            rates, array(f"warmup_lr_{key}"), rtol=1e-6, atol=1e-16)


def test_vectors_of_kernels_are_their_singular_ones():
    assert_singular_vectors(CDRL.arrays)


def test_every_key_is_read(request):
    assert_read(request, "cdrl")
