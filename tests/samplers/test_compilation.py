"""Which chains XLA compiles."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import (
    EnergyPrior, GaussianLikelihood, StandardNormal, posterior_target,
    prior_target)
from lebm_tf.families import ChainConfig
from lebm_tf.mcmc import Langevin, Mala, rng
from lebm_tf.networks import DeconvGenerator, EnergyMLP
from lebm_tf.samplers import Draws, FromBase, ShortRun, compilation
from tests import oracles

BASE = StandardNormal(3)
PRIOR = EnergyPrior(BASE, EnergyMLP(3, (4,), seed=0))
START = tf.zeros([2, 3])


def posterior():
    generator = DeconvGenerator(3, (8, 8, 1), 4, (4,), seed=1)
    return posterior_target(
        PRIOR, GaussianLikelihood(generator, 0.3), tf.zeros([2, 8, 8, 1]))


def test_a_cpu_compiles_long_chains_without_convolutions():
    prior = prior_target(PRIOR)
    assert compilation.wanted("auto", prior, START, 60)
    assert not compilation.wanted("auto", prior, START, 3)
    assert not compilation.wanted("auto", posterior(), START, 60)


def test_a_convolution_is_found_in_a_function_that_the_target_calls():
    inner = tf.function(posterior(), autograph=False)
    assert not compilation.wanted("auto", lambda z: inner(z), START, 60)


def test_a_gpu_compiles_all_chains(monkeypatch):
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda kind: [kind])
    assert compilation.wanted("auto", posterior(), START, 3)


@pytest.mark.parametrize("setting", ["on", "off"])
def test_a_setting_has_the_last_word(setting):
    for target in (prior_target(PRIOR), posterior()):
        for num_steps in (3, 60):
            assert compilation.wanted(
                setting, target, START, num_steps) == (setting == "on")


@pytest.mark.parametrize("setting, compiled", [
    ("auto", True), ("on", True), ("off", False)])
def test_a_draw_is_compiled_as_set(setting, compiled):
    sampler = ShortRun(FromBase(BASE), Langevin(0.4), 20, setting)
    draw = tf.function(lambda: sampler.draw(
        prior_target(PRIOR), 2, Draws({}), rng.make_seed(0)).position)
    graph = draw.get_concrete_function().graph.as_graph_def()
    assert any(function.attr["_XlaMustCompile"].b
               for function in graph.library.function) == compiled


def test_an_unknown_setting_is_refused():
    message = "jit_compile must be one of auto, on, off, got 'yes'."
    for make in (lambda: ChainConfig(jit_compile="yes"),
                 lambda: ShortRun(FromBase(BASE), Langevin(0.4), 3, "yes")):
        with oracles.raises(ValueError, message):
            make()


def compiled(parts, kernel, target, num_steps, monkeypatch, rows=64):
    monkeypatch.setattr(compilation, "num_parts", lambda count: parts)
    start = rng.normal([rows, 3], rng.make_seed(1))
    function = tf.function(lambda: compilation.run_chain(
        kernel, target, start, num_steps, rng.make_seed(2)))
    graph = function.get_concrete_function().graph.as_graph_def()
    calls = sum(node.op.endswith("PartitionedCall") for node in graph.node)
    return function(), calls


@pytest.mark.parametrize("steps, conditional", [
    (6, False), ("own", True),
    pytest.param(6, True, marks=pytest.mark.long),
    pytest.param("own", False, marks=pytest.mark.long)])
def test_a_chain_moves_alike_in_any_number_of_parts(
        steps, conditional, monkeypatch):
    condition = rng.normal([64, 3], rng.make_seed(3)) if conditional else None
    prior = EnergyPrior(BASE, lambda z, c=0.0: 0.1 * tf.reduce_sum(
        tf.square(z - c), -1))
    num_steps = tf.range(64) % 5 if steps == "own" else steps
    (whole, one), (split, many) = (compiled(
        parts, Langevin(0.4), prior_target(prior, condition), num_steps,
        monkeypatch) for parts in (1, 4))
    assert (one, many) == (1, 4)
    tf.nest.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        split, whole)
    assert len(np.unique(whole.position)) == 64 * 3  # No noise twice.


@pytest.mark.parametrize("kernel, target", [
    (Mala(0.4, num_adaptation_steps=1), prior_target(PRIOR)),
    (Langevin(0.4), lambda z: -tf.reduce_sum(tf.square(z), -1))],
    ids=["shared step size", "rows unknown"])
def test_what_cannot_be_split_is_not(kernel, target, monkeypatch):
    _, calls = compiled(4, kernel, target, 2, monkeypatch)
    assert calls == 1


def test_parts_are_of_equal_size_and_worth_a_core(monkeypatch):
    monkeypatch.setattr(
        tf.config.threading, "get_intra_op_parallelism_threads", lambda: 4)
    assert [compilation.num_parts(rows) for rows in (
        1, 31, 32, 33, 48, 64, 100)] == [1, 1, 2, 1, 3, 4, 4]
    assert compilation.num_parts(tf.constant(64)) == 1
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda kind: [kind])
    assert compilation.num_parts(64) == 1


@pytest.mark.parametrize("kernel", [Langevin(0.5), Mala(0.9)], ids=repr)
def test_a_compiled_chain_keeps_its_distribution(kernel):
    sampler = ShortRun(FromBase(BASE), kernel, 20, "on")
    draw = tf.function(lambda: sampler.draw(
        prior_target(BASE), 20_000, Draws({}), rng.make_seed(5)).position)()
    variance = 1.0
    if isinstance(kernel, Langevin):
        law = oracles.langevin_law(*[oracles.Gaussian(
            np.zeros(3), np.eye(3))] * 2, 0.5, 20)
        variance = law.covariance[0, 0]
    oracles.assert_moments(draw, np.zeros(3), variance * np.eye(3))
