"""Which chains XLA compiles."""

import pytest
import tensorflow as tf

from lebm_tf.densities import (
    EnergyPrior, GaussianLikelihood, StandardNormal, posterior_target,
    prior_target)
from lebm_tf.families import ChainConfig
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.networks import DeconvGenerator, EnergyMLP
from lebm_tf.samplers import FromBase, ShortRun, compilation
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
        prior_target(PRIOR), 2, {}, rng.make_seed(0)).position)
    graph = draw.get_concrete_function().graph.as_graph_def()
    assert any(function.attr["_XlaMustCompile"].b
               for function in graph.library.function) == compiled


@pytest.mark.parametrize("value, setting", [
    (True, "on"), (False, "off"), ("true", "on"), ("false", "off")])
def test_older_values_are_read(value, setting):
    assert ChainConfig(jit_compile=value).jit_compile == setting


def test_an_unknown_setting_is_refused():
    message = "jit_compile must be one of auto, on, off, got 'yes'."
    for make in (lambda: ChainConfig(jit_compile="yes"),
                 lambda: ShortRun(FromBase(BASE), Langevin(0.4), 3, "yes")):
        with oracles.raises(ValueError, message):
            make()
