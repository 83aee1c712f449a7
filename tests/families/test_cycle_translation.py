"""Cycle translation: its flagfiles, and what its terms are."""

import contextlib
import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import lebm_tf
from lebm_tf import train
from lebm_tf.configuration.data import PairOptions
from lebm_tf.devices import strategies
from lebm_tf.families import ChainConfig, DataSpec, cycle_translation
from lebm_tf.mcmc import rng

SMALL = cycle_translation.CycleTranslationConfig(
    chain=ChainConfig(2, 0.05, 0.0), reference_scale=0.5,
    energy=cycle_translation.PictureEnergyConfig(
        (4,), (3,), (2,), 2, 0.3),
    translator=cycle_translation.TranslatorConfig(4, 1, 0.5, 0.1),
    identity_weight=3.0)
BATCH = {"x": {name: tf.constant(np.random.default_rng(i).uniform(
    -1, 1, [3, 8, 8, 1]), tf.float32) for i, name in enumerate("ab")}}


def test_the_flagfiles_are_both_published_programs():
    run, released, _ = train.from_flagfile(
        "configs/translation_horse2zebra.cfg")
    assert run.family == "cycle_translation" and run.train_steps == 100 * 1318
    assert released == dataclasses.replace(
        cycle_translation.CycleTranslationConfig(), through_chain=True,
        translators_last=True, teaching_weight=1.0)
    assert (released.chain.num_steps, released.chain.step_size,
            released.chain.noise_scale) == (20, 0.002, 0.0)
    assert (released.reference_scale, released.cycle_weight_a,
            released.translator.dropout) == (0.016, 10.0, 0.5)
    _, earlier, _ = train.from_flagfile(
        "configs/translation_horse2zebra_earlier.cfg")
    assert not earlier.through_chain and earlier.translators_last
    assert earlier.teaching_weight == pytest.approx(1 / (2 * 0.3**2))
    assert (earlier.chain.num_steps, earlier.energy.num_outputs,
            earlier.energy_optimizer.learning_rate) == (30, 1, 5e-4)


@pytest.mark.parametrize("name", ["horse2zebra_cpu", "mnist_usps",
                                  "summer2winter"])
def test_other_flagfiles_are_read(name):
    run, _, _ = train.from_flagfile(f"configs/translation_{name}.cfg")
    assert run.checkpoint_every % run.log_every == 0


def test_the_default_is_the_consistent_form():
    config = cycle_translation.CycleTranslationConfig()
    assert not config.through_chain and not config.translators_last
    assert config.teaching_weight == pytest.approx(5.5556, abs=1e-4)


def built(**changes):
    return cycle_translation.build(
        dataclasses.replace(SMALL, **changes),
        DataSpec((8, 8, 1), 3, kind="pair"), batch_size=3)


def test_chains_start_at_the_translation_that_is_taught():
    """The same dropout in both, and another in what comes back."""
    model = built()
    states = model.draw(BATCH, rng.make_seed(1)).states
    for name in "ab":
        np.testing.assert_array_equal(
            states[f"revision_{name}"].start,
            states[f"translation_{name}"].position)
    again = model.draw(BATCH, rng.make_seed(2)).states
    assert np.any(again["translation_a"].position
                  != states["translation_a"].position)


def test_terms_are_means_over_pixels():
    model = built()
    draws = model.draw(BATCH, rng.make_seed(1))
    total, terms = model.objectives["translators"](model, draws)
    states = {name: draw.position.numpy()
              for name, draw in draws.states.items()}
    expected = 0.0
    for name in "ab":
        teaching = np.mean((states[f"revision_{name}"]
                            - states[f"translation_{name}"])**2)
        cycle = np.mean(np.abs(states[f"data_{name}"]
                               - states[f"cycle_{name}"]))
        identity = np.mean(np.abs(states[f"data_{name}"]
                                  - states[f"identity_{name}"]))
        for term, value in (("teaching", teaching), ("cycle", cycle),
                            ("identity", identity)):
            np.testing.assert_allclose(
                terms[f"{term}_{name}"], value, rtol=1e-5)
        expected += (teaching / (2 * 0.3**2) + 10 * cycle + 3 * identity)
    np.testing.assert_allclose(total, expected, rtol=1e-5)


def test_chains_that_keep_no_gradient_are_drawn_once_more_all_the_same():
    """As in the authors' program before its release."""
    model = built(translators_last=True)
    assert model.roles["revision_a"].drawn_again
    assert not built().roles["revision_a"].drawn_again
    assert [turn.parts for turn in model.turns] == [
        ("energy_a", "energy_b"), ("translator_ba", "translator_ab")]


def test_baselines_have_half_of_the_parts():
    assert set(built(learns="energies").parts) == {"energy_a", "energy_b"}
    model = built(learns="translators")
    assert set(model.parts) == {"translator_ab", "translator_ba"}
    assert not model.has_energy
    translated = model.translate(BATCH["x"]["a"].numpy())
    np.testing.assert_array_equal(translated.x, translated.start)
    plain = built(learns="energies").translate(
        BATCH["x"]["a"].numpy(), num_steps=0)
    np.testing.assert_array_equal(plain.x, BATCH["x"]["a"])


@pytest.mark.long  # Replicas of other families: tests/models.
def test_two_replicas_learn_as_one():
    """Dropout, chains with noise, crops and flips included. Biases before a
    normalization have gradients of 0 up to rounding, which Adam makes large."""
    data = lebm_tf.load_dataset("pair:digits,digits", pair=PairOptions(
        made="inverted", flip=True, margin=1))
    config = dataclasses.replace(SMALL, chain=ChainConfig(2, 0.05, 0.5))
    found = []
    for scope in (contextlib.nullcontext(), strategies.mirrored(2).scope()):
        with scope:
            model = lebm_tf.build(
                "cycle_translation", config, data, batch_size=4)
        lebm_tf.fit(model, data, lebm_tf.RunConfig(train_steps=2),
                    verbose=False)
        found.append({variable.path: variable.numpy() for part in model.parts
                      for variable in model.variables_of(part)
                      if not variable.path.endswith("bias")})
    assert found[0].keys() == found[1].keys()
    for path, weight in found[0].items():
        np.testing.assert_allclose(
            weight, found[1][path], rtol=0, atol=1e-5, err_msg=path)
