"""Recovery likelihood against the authors' program, number for number."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import NoiseLevels
from lebm_tf.densities.neighbours import neighbours
from lebm_tf.families import DataSpec, recovery_likelihood
from lebm_tf.mcmc import Langevin, rng, value_and_gradient
from lebm_tf.mcmc.kernel import initial_state
from lebm_tf.models import OptimizerConfig
from lebm_tf.networks.time_embedding import sinusoidal_embedding
from lebm_tf.samplers import Draw, Draws, FromData, Ladder, Sampler
from tests import oracles
from tests.golden.reference import (
    Injected, Reference, assert_close, assert_gradients, assert_read, inject)

DRL, SEED = Reference("drl"), rng.make_seed(0)
C, T = DRL.config, DRL.config["T"]
# TensorFlow keeps the slope of its leaky ReLU as a float32.
SLOPE = float(np.float32(C["leaky_slope"]))
ADAM_UPDATE = 1e-5  # Of the learning rate; beta_2 is rounded in Keras.
NAMES = {"a": "conv2d_1", "b": "conv2d_2", "time": "dense",
         "shortcut": "conv2d_shortcut"}
ACTIVATIONS = {"lrelu": lambda x: tf.where(x > 0, x, SLOPE * x),
               "relu": tf.nn.relu, "swish": tf.nn.silu}


def array(key):
    """As it is: pictures are NHWC in this file."""
    return DRL.arrays[key]


@pytest.fixture(autouse=True, scope="module")
def double_precision():
    with oracles.precision("float64"):
        yield
    drl_model.cache_clear()


def network_of(model):
    return model.prior.energy_network.network


def layers(network):
    """(their name, our layer)."""
    yield "temb_dense_0", network.time[0]
    yield "temb_dense_1", network.time[1]
    yield "temb_dense_2", network.head
    yield "conv2d_in", network.first
    for layer in network.layers:
        _, level, block, kind = layer.name.split("_")
        yield f"res_levels.{level}.{block}.{NAMES[kind]}", layer


def gains(network):
    for i, gain in enumerate(network.gains):
        level, block = divmod(i, C["num_res_blocks"])
        yield f"res_levels.{level}.{block}.conv2d_2/g", gain


def variables(network):
    """(their key without a prefix, our variable) of all that learns."""
    for name, layer in layers(network):
        yield f"{name}/W", layer.kernel
        yield f"{name}/b", layer.bias
    yield from gains(network)


def load(network, vectors="u_converged"):
    for key, variable in variables(network):
        variable.assign(array(f"w/{key}"))
    for name, layer in layers(network):
        assert (layer.u is not None) == (f"{vectors}/{name}/u" in DRL.arrays)
        if layer.u is not None:
            assert layer.keeps_small == (name in C["sn_lower_bound"])
            layer.u.assign(array(f"{vectors}/{name}/u")[0])


def config():
    return recovery_likelihood.RecoveryLikelihoodConfig(
        num_levels=T, num_steps=C["K"], step_factor=C["b2"],
        noise_scale=C["noise_scale"], generation_noise_scale=C["noise_scale"],
        jit_compile="off", energy=recovery_likelihood.LevelEnergyConfig(
            C["ch"], tuple(C["ch_mult"]), C["num_res_blocks"], C["ch"],
            spectral_norm=C["spec_norm"]),
        energy_optimizer=OptimizerConfig(
            C["lr"], C["beta_1"], C["adam_beta_2"],
            # Keras adds it to the root of the uncorrected second moment.
            C["adam_eps"] / (1 - C["adam_beta_2"])**0.5))


def make_model():
    side = C["img_sz"]
    model = recovery_likelihood.build(
        config(), DataSpec((side, side, 3), C["batch"]),
        batch_size=C["batch"])
    network = network_of(model)
    network.act = ACTIVATIONS[C["act"]]
    network.final_act = ACTIVATIONS[C["final_act"]]
    load(network)
    level = tf.constant(array("t"))

    def make(batch, seed):
        y, above = neighbours_of_file()
        return Draw(above, initial_state(y), condition=level)
    inject(model, positive=FromData(make), negative=Stepped(
        Langevin(1.0, C["noise_scale"]), tf.constant(array("x_tp1")),
        tf.constant(array("noise_langevin"))))
    return model


class Stepped(Injected):
    """With the step of every row."""

    def draw(self, target, num_chains, draws, seed, num_steps=None):
        model_steps = drl_model().prior.step_sizes
        step_size = tf.gather(
            tf.constant(model_steps, tf.float64), array("t"))
        positions, state = [self.first], initial_state(self.first)
        self.log_probs, self.gradients = [], []
        for noise in self.noise:
            self.look(target, state.position)
            state = self.kernel.step(
                target, state, seed, noise, step_size)
            positions.append(state.position)
        self.look(target, state.position)
        self.positions = tf.stack(positions)
        return Draw(self.first, state, condition=target.condition)

    def look(self, target, position):
        log_prob, gradient = value_and_gradient(target, position)
        self.log_probs.append(log_prob)
        self.gradients.append(gradient)


@functools.cache
def drl_model():
    """A model at the weights before the step; not to be trained."""
    return make_model()


def neighbours_of_file():
    return neighbours(
        config().levels(), tf.constant(array("x0")), tf.constant(array("t")),
        tf.constant(array("noise_q_sample")),
        tf.constant(array("noise_q_pair")))


def drawn(model):
    return model.draw({"x": tf.constant(array("x0"))}, SEED)


@pytest.mark.parametrize("num_levels", C["sched"])
def test_schedules_of_other_lengths(num_levels):
    levels = NoiseLevels.published(num_levels)
    assert_close(levels.factors, array(f"schedule_T{num_levels}/a_s"))
    assert_close(levels.scales, array(f"schedule_T{num_levels}/sigmas"))


def test_the_schedule():
    levels = config().levels()
    assert_close(levels.factors, array("a_s"))
    assert_close(levels.scales, array("sigmas"))
    assert_close(levels.total_factors, array("a_s_cum"))
    assert_close(levels.total_scales, array("sigmas_cum"))
    assert_close(levels.model_factors, array("a_s_prev"))
    np.testing.assert_array_equal(levels.tethered, array("is_recovery") == 1)
    assert_close(np.square(levels.step_sizes(C["b2"])),
                 array("step_size_square")[:T])
    assert_close(levels.weights, array("loss_weight"))


def test_neighbours_of_data():
    y, above = neighbours_of_file()
    scale = np.take(array("a_s_prev"), array("t") + 1)[:, None, None, None]
    assert_close(y, scale * array("x_t"))
    assert_close(above, array("x_tp1"))


def test_the_time_as_networks_are_told_it():
    times = tf.constant(array("t"), tf.float64)
    assert_close(sinusoidal_embedding(times, C["ch"]),
                 array("timestep_embedding"))
    assert_close(network_of(drl_model()).embed(times), array("temb"))


def test_the_network_and_its_gradient():
    model, level = drl_model(), tf.constant(array("t"))
    energy, gradient = value_and_gradient(
        lambda y: model.prior.energy(y, condition=level),
        tf.constant(array("x_tp1")))
    assert_close(-energy, array("f_x_tp1"))
    assert_close(-gradient, array("grad_f_x_tp1"))


@pytest.mark.parametrize("act,final", [
    ("lrelu", "swish"), ("swish", "relu"), ("swish", "swish")])
def test_the_network_with_other_activations(act, final):
    network = network_of(make_model())
    network.act, network.final_act = ACTIVATIONS[act], ACTIVATIONS[final]
    assert_close(network(tf.constant(array("x_tp1")), tf.constant(
        array("t"), tf.float64)), array(f"f_x_tp1_{act}_{final}"))


def test_norms_of_kernels():
    for name, layer in layers(network_of(drl_model())):
        if layer.u is None:
            continue
        norm = np.linalg.norm(
            layer.kernel.numpy().reshape(-1, layer.units), 2)
        assert_close(norm, array(f"sigma_top/{name}/sigma"))
        applied = np.linalg.norm(
            layer.normalized().numpy().reshape(-1, layer.units), 2)
        assert applied == pytest.approx(
            min(norm, 1.0) if layer.keeps_small else 1.0, abs=1e-5)


def test_power_iterations_one_a_call_as_theirs():
    """Ours is made by the step, theirs by every call."""
    network = network_of(make_model())
    load(network, "u_random")
    for call in (1, 2, 3):
        f = network(tf.constant(array("x_tp1")), tf.constant(
            array("t"), tf.float64))
        assert_close(f, array(f"sn_f_call{call}"))
        for name, layer in layers(network):
            for variable, value in layer.renewals():
                variable.assign(value)
                assert_close(value, array(f"sn_u_call{call}/{name}/u")[0])


def test_chains_move_for_move():
    model = drl_model()
    levels = config().levels()
    states = drawn(model).states
    sampler = model.roles["negative"].sampler
    assert_close(sampler.positions, array("langevin_y"))
    assert_close(tf.stack(sampler.log_probs), array("langevin_log_prob"))
    assert_close(tf.stack(sampler.gradients), array("langevin_grad"))
    np.testing.assert_allclose(np.square(np.take(
        model.prior.step_sizes, array("t"))), array(
            "langevin_step_size_square"), rtol=1e-11)
    scale = np.take(levels.model_factors, array("t") + 1)[:, None, None, None]
    x = states["negative"].position / scale
    assert_close(x, array("langevin_x"))
    moved = np.sqrt(np.sum(np.square(x - array("x_tp1")), (1, 2, 3)))
    assert_close([moved[array("t") == t].mean() if t in array("t") else 0.0
                  for t in range(T)], array("langevin_disp"))


def test_losses_and_their_gradients():
    model = drl_model()
    draws = drawn(model)
    with tf.GradientTape() as tape:
        loss, terms = model.objectives["energy"](model, draws)
    assert_close(loss, array("loss"))
    gaps = array("f_neg") - array("f_pos")
    assert_close([terms[f"gap_{t}"] for t in range(T)], np.array([
        gaps[array("t") == t].sum() / len(gaps) for t in range(T)]))
    for role, key in (("positive", "f_pos"), ("negative", "f_neg")):
        assert_close(-model.prior.energy(
            draws.states[role].position, condition=draws.condition(role)),
            array(key))
    ours = dict(variables(network_of(model)))
    assert len(ours) == len(model.variables_of("energy"))
    gradients = tape.gradient(loss, list(ours.values()))
    assert_gradients(gradients, [array(f"grad/{key}") for key in ours])


def test_losses_of_levels():
    """Means of absolute values over the rows of a level, 0 without any."""
    model = drl_model()
    draws = drawn(model)
    f_pos, f_neg = (-model.prior.energy(
        draws.states[role].position, condition=draws.condition(role)).numpy()
        for role in ("positive", "negative"))
    t = array("t")
    values = np.take(config().levels().weights, t) * (f_neg - f_pos)
    for key, value in (("loss_ts", values), ("f_ts", f_pos)):
        assert_close([np.abs(value[t == level]).mean() if level in t else 0.0
                      for level in range(T)], array(key))


def test_one_train_step_updates_as_theirs():
    model = make_model()
    model.train_step({"x": tf.constant(array("x0"))})
    for key, variable in variables(network_of(model)):
        np.testing.assert_allclose(
            (variable.numpy() - array(f"w/{key}")) / C["lr"],
            (array(f"w1/{key}") - array(f"w/{key}")) / C["lr"],
            rtol=0, atol=ADAM_UPDATE)


@dataclasses.dataclass(frozen=True)
class Given:
    """Where the ladder begins."""

    def start(self, num_chains, draws, seed):
        return tf.constant(array("noise_progressive_init"))

    def update(self, draws, position, seed):
        pass


@dataclasses.dataclass(frozen=True)
class GivenNoise(Langevin):
    """Of every level and move, in the order in which a ladder asks."""
    noise: dict = dataclasses.field(default_factory=dict, hash=False)

    def step(self, log_prob_fn, state, seed, noise=None, step_size=None):
        level = int(log_prob_fn.condition[0])
        k = self.noise.setdefault(level, 0)
        self.noise[level] += 1
        return super().step(log_prob_fn, state, seed, tf.constant(
            array("noise_progressive")[level, k]), step_size)


def test_samples_come_down_the_ladder_as_theirs():
    model = drl_model()
    ladder = model.generation
    assert isinstance(ladder, Ladder) and isinstance(ladder, Sampler)
    seen = []

    def descend(level, position):
        x = ladder.descend(level, position)
        seen.append(x)
        return x
    kernel = GivenNoise(1.0, C["noise_scale"])
    drawn = dataclasses.replace(
        ladder, initializer=Given(), kernel=kernel, descend=descend).draw(
            model.target("generation", {}), C["ndec"], Draws({}), SEED)
    assert_close(tf.stack([drawn.start, *seen][::-1]), array("progressive_x"))
    np.testing.assert_array_equal(drawn.position, seen[-1])
    assert kernel.noise == dict.fromkeys(range(T), C["K"])


def test_the_rate_warms_up_as_theirs():
    optimizer = dataclasses.replace(
        recovery_likelihood.RecoveryLikelihoodConfig().energy_optimizer,
        learning_rate=C["lr"]).make(1)
    rates = [float(optimizer._learning_rate(step))
             for step in array("warmup_steps")]
    np.testing.assert_allclose(rates, array("warmup_lr"), rtol=1e-6)


def test_every_key_is_read(request):
    assert_read(request, "drl")
