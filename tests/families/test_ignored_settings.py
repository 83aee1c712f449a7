"""Settings that would have no effect are refused, by name."""

import dataclasses
import types

import numpy as np
import pytest

from lebm_tf.configuration import fields
from lebm_tf.configuration.data import DataConfig
from lebm_tf.configuration.run import DivergenceConfig, RunConfig
from lebm_tf.datasets import ImageData
from lebm_tf.errors import InputError
from lebm_tf.families import ChainConfig, DataSpec, Recipe
from lebm_tf.families.sequence import SequenceConfig
from lebm_tf.families.symbol_vector import SymbolVectorConfig
from lebm_tf.training.fitting import completed

ENCODED = ChainConfig(num_steps=0, start="encoder")
CHAINS = ChainConfig(num_steps=5, start="encoder")


@pytest.mark.parametrize("settings, needed", [
    ({"restart_prob": 0.1}, "restart_prob must be left out without start=bank"),
    ({"kernel": "mala", "num_leapfrog_steps": 5},
     "num_leapfrog_steps must be left out without kernel=hmc, got 5"),
    ({"bank_order": "oldest"}, "bank_order must be left out without start=ba"),
    ({"start": "encoder", "start_scale": 2.0},
     "start_scale must be left out with start=encoder"),
    ({"num_adaptation_steps": 5},
     "num_adaptation_steps must be left out with kernel=langevin")])
def test_a_chain_takes_no_setting_that_it_does_not_use(settings, needed):
    with pytest.raises(ValueError, match=needed):
        ChainConfig(**settings)


@pytest.mark.parametrize("settings", [
    {"free_bits": 0.1}, {"free_nats": 1.0}, {"kl_weight": 0.5},
    {"kl_hold_steps": 1}, {"kl_warmup_steps": 1}, {"kl_cycle_steps": 1},
    {"encoder_energy": False}])
def test_posterior_chains_take_no_price_of_an_encoder(settings):
    (name,) = settings
    assert SequenceConfig(posterior=ENCODED, **settings)
    with pytest.raises(ValueError, match=f"{name} must be left out with post"):
        SequenceConfig(posterior=CHAINS, **settings)


def test_symbols_with_posterior_chains_take_none_either():
    assert SymbolVectorConfig(posterior=ENCODED, kl_threshold=1.0)
    with pytest.raises(ValueError, match="kl_threshold must be left out"):
        SymbolVectorConfig(posterior=CHAINS, kl_threshold=1.0)


@pytest.mark.parametrize("settings, needed", [
    ({"prior_sampler": "hybrid", "prior": ChainConfig(start_scale=2.0)},
     "prior_start_scale must be left out with prior_sampler=hybrid"),
    ({"prior_sampler": "hybrid", "updates_in_turns": True},
     "updates_in_turns must be left out with prior_sampler=hybrid"),
    ({"labels_only": True, "mean_logits": True},
     "mean_logits must be left out with labels_only")])
def test_what_the_authors_do_needs_their_chains(settings, needed):
    with pytest.raises(ValueError, match=needed):
        SymbolVectorConfig(latent_dim=4, **settings)


def test_settings_of_labels_need_labels():
    assert DataConfig(num_labels=10, label_seed=3)
    with pytest.raises(ValueError, match="label_seed must be left out without"):
        DataConfig(label_seed=3)


DATA = ImageData(
    "digits", np.zeros([20, 16, 16, 1], np.uint8),
    np.zeros([5, 16, 16, 1], np.uint8),
    origin={"image_size": 16, "data_dir": "/data"})


def model():
    spec = DataSpec.of(DATA)
    return types.SimpleNamespace(recipe=Recipe(
        "vae", None, spec, 10, 3, "float32", 2.0**15))


def test_a_run_learns_from_model_and_data_what_it_does_not_say(monkeypatch):
    monkeypatch.delenv("LEBM_DATA_DIR", raising=False)
    run = completed(RunConfig(train_steps=5), model(), DATA)
    assert (run.family, run.batch_size, run.seed) == ("vae", 10, 3)
    assert run.data == DataConfig(image_size=16, data_dir="/data")
    assert run.train_steps == 5
    monkeypatch.setenv("LEBM_DATA_DIR", "/data")
    assert completed(RunConfig(), model(), DATA).data.data_dir == ""


@pytest.mark.parametrize("run, needed", [
    (RunConfig(seed=4), "seed must be left out or 3, as in the model, got 4"),
    (RunConfig(family="rae"), "family must be left out or vae"),
    (RunConfig(data=DataConfig(dataset="mnist")), "dataset must be left out")])
def test_a_run_of_another_model_or_other_data_is_refused(run, needed):
    with pytest.raises(InputError, match=needed):
        completed(run, model(), DATA)


def test_a_baseline_has_what_is_declared_as_shared():
    run = RunConfig(family="image", seed=4, workdir="a", evaluators=("chains",),
                    data=DataConfig(dataset="mnist"),
                    divergence=DivergenceConfig("stop"))
    other = fields.shared(run, RunConfig(family="vae", batch_size=7))
    assert (other.family, other.workdir, other.evaluators) == ("vae", "", ())
    assert (other.seed, other.data, other.divergence, other.batch_size) == (
        4, run.data, run.divergence, 100)


def test_what_may_change_is_no_difference():
    old = RunConfig()
    new = dataclasses.replace(
        old, train_steps=7, divergence=DivergenceConfig("stop"),
        data=DataConfig(data_dir="elsewhere", crop="0,0,4,4"))
    assert fields.differences(old, new) == {"crop": ("", "0,0,4,4")}
