"""What every family owes its callers. A new family joins `CASES`."""

import dataclasses
import functools
import tempfile
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.checkpoint import items
from lebm_tf.errors import InputError
from lebm_tf.families import (
    FAMILIES, ChainConfig, DataSpec, EncoderConfig, EnergyConfig,
    GeneratorConfig, image, rae, sequence, sri, two_stage_vae, vae)
from lebm_tf.models import OptimizerConfig
from lebm_tf.serving import ServingConfig, export_model
from tests import oracles
from tests.families import encoded, two_layer

DATA = DataSpec((8, 8, 3), num_train=12)
RANDOM = np.random.default_rng(0)
BATCHES = [{"x": RANDOM.uniform(-1, 1, [4, 8, 8, 3]).astype(np.float32),
            "index": RANDOM.permutation(12)[:4].astype(np.int64)}
           for _ in range(2)]
BATCHES = [tf.nest.map_structure(tf.constant, batch) for batch in BATCHES]
FOLDERS = []
WORDS = DataSpec((5,), num_train=12, num_tokens=7)
VALUED = dataclasses.replace(WORDS, has_values=True)
TOKENS = [{"x": tf.constant(rows), "index": batch["index"],
           "value": tf.constant([0.5, -1.0, 2.0, 0.0])} for rows, batch in
          zip(([[4, 5, 3, 0, 0], [6, 3, 0, 0, 0], [4, 4, 5, 6, 3],
                [3, 0, 0, 0, 0]],
               [[5, 3, 0, 0, 0], [6, 6, 6, 3, 0], [4, 1, 3, 0, 0],
                [5, 4, 5, 4, 3]]), BATCHES)]
SMALL = {"latent_dim": 3, "generator": GeneratorConfig(4, (4,)),
         "encoder": EncoderConfig((4,))}
IMAGE = image.ImageConfig(
    **SMALL, energy=EnergyConfig((5,)), prior=ChainConfig(3, 0.4),
    posterior=ChainConfig(2, 0.1), prior_bank_size=9)
AVERAGED = OptimizerConfig(
    1e-3, schedule="cosine", schedule_steps=4, warmup_steps=2,
    average_decay=0.9)
SEQUENCE = sequence.SequenceConfig(
    latent_dim=3, energy=EnergyConfig((5,)), prior=ChainConfig(3, 0.4),
    decoder=sequence.DecoderConfig("lstm", 4, 5, 0.5),
    encoder=sequence.SequenceEncoderConfig("gru", 4, 5),
    posterior=ChainConfig(2, 0.1))
SRI = sri.SRIConfig(
    latent_dim=3, generator=GeneratorConfig(4, (4,)),
    posterior=ChainConfig(2, 0.1))


def starting(start, **changes):
    """The image family with chains that start, or move, in another way."""
    posterior = dataclasses.replace(IMAGE.posterior, start=start, **changes)
    prior = dataclasses.replace(
        IMAGE.prior, start="base" if start == "encoder" else start, **changes)
    return dataclasses.replace(IMAGE, prior=prior, posterior=posterior)


CASES = {
    "image": (image, IMAGE),
    "image, warm start": (image, starting("encoder")),
    "image, persistent": (image, starting("bank", restart_prob=0.3)),
    "image, averaged and penalized": (image, dataclasses.replace(
        IMAGE, energy_penalty=0.1, generator_optimizer=AVERAGED,
        energy_optimizer=AVERAGED)),
    "image, exact": (image, starting("base", kernel="mala")),
    "vae": (vae, vae.VAEConfig(**SMALL)),
    "two-stage vae": (two_stage_vae, two_stage_vae.TwoStageVAEConfig(
        **SMALL, second_hidden_units=(5,))),
    "rae": (rae, rae.RAEConfig(**SMALL)),
    "rae, gradient": (rae, rae.RAEConfig(
        **SMALL, decoder_penalty="gradient", mixture_components=1)),
    "sri": (sri, SRI),
    "sri, layers": (sri, dataclasses.replace(
        SRI, num_layers=3, layer_hidden_units=(5,))),
    "abp": (sri, dataclasses.replace(SRI, posterior=ChainConfig(
        2, 0.1, start="bank"))),
    "sequence": (sequence, SEQUENCE),
    "sequence, encoder": (sequence, dataclasses.replace(
        SEQUENCE, posterior=ChainConfig(0, 0.1, start="encoder"),
        kl_warmup_steps=3)),
    "sequence, no energy": (sequence, dataclasses.replace(
        SEQUENCE, learned_prior=False, decoder=sequence.DecoderConfig(
            "gru", 4, 5, 0.5))),
    "sequence, number": (sequence, SEQUENCE),
    "sequence, number, encoder": (sequence, dataclasses.replace(
        SEQUENCE, posterior=ChainConfig(0, 0.1, start="encoder"),
        attribute=sequence.AttributeConfig((4,), "relu", "sigmoid", 0.3),
        kl_weight=0.5)),
    "two layers": (two_layer, two_layer.TwoLayerConfig()),
    "encoded": (encoded, encoded.EncodedConfig()),
}
each_case = pytest.mark.parametrize("name", CASES)


def is_sequence(name):
    return CASES[name][0] is sequence


def batches_of(name):
    return TOKENS if is_sequence(name) else BATCHES


def x_of(name):
    return np.concatenate([batch["x"] for batch in batches_of(name)])[:6]


def build(name, seed=0):
    module, config = CASES[name]
    spec = DATA
    if is_sequence(name):
        spec = VALUED if "number" in name else WORDS
    model = module.build(config, spec, batch_size=4, seed=seed)
    model.inference_batch = 4
    return model


def weights(model):
    """All that training changes, by part; optimizers and banks too."""
    return {name: [v.numpy() for v in getattr(item, "variables", item)]
            for name, item in items(model).items() if name != "step"}


def trainable(model):
    return {part: [v.numpy() for v in model.variables_of(part)]
            for part in model.parts}


class Logs(tf.keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(dict(logs))


@functools.cache
def fitted(name):
    """A model after two steps of `fit`, its logs, and its weights."""
    model, logs = build(name), Logs()
    before = trainable(model)
    data = tf.data.Dataset.from_tensor_slices({
        key: np.stack([batch[key] for batch in batches_of(name)]) for key in
        batches_of(name)[0]})
    model.fit(data, verbose=0, shuffle=False, callbacks=[logs])
    return model, logs.steps, before, trainable(model), weights(model)


class Repeat(NamedTuple):
    """A second run, ten steps in one compiled function.

    Attributes:
        checkpoint: Path of what was saved after the first step.
        weights: After the second step.
        num_traces: How often the step was traced.
    """
    checkpoint: str
    weights: dict
    num_traces: int


def stepper(model, traces=None):
    @tf.function
    def step(batch):
        if traces is not None:
            traces.append(1)
        return model.train_step(batch)
    return step


@functools.cache
def repeated(name) -> Repeat:
    model, traces = build(name), []
    step = stepper(model, traces)
    step(batches_of(name)[0])
    folder = tempfile.TemporaryDirectory()
    FOLDERS.append(folder)  # It is removed when nothing refers to it.
    path = tf.train.Checkpoint(**items(model)).save(folder.name + "/model")
    step(batches_of(name)[1])
    found = weights(model)
    for _ in range(8):
        step(batches_of(name)[0])
    return Repeat(path, found, len(traces))


def test_every_family_is_under_contract():
    assert set(FAMILIES.values()) <= {module for module, _ in CASES.values()}


@each_case
def test_two_steps_of_fit_log_finite_numbers(name):
    model, logs, *_ = fitted(name)
    assert len(logs) == 2 and int(model.step) == 2
    for values in logs:
        assert all(np.isfinite(value) for value in values.values()), values
        for objective in model.objectives.values():
            assert {f"loss/{term}" for term in objective.terms} <= set(values)
        for part in model.parts:
            assert values[f"gradient_norm/{part}"] > 0
    assert logs[0] != logs[1]


@each_case
def test_every_part_learns(name):
    _, _, before, after, _ = fitted(name)
    assert set(before) == set(after)
    for part in before:
        assert before[part]
        changed = [np.any(a != b) for a, b in zip(before[part], after[part])]
        # The last bias of an energy cancels between z+ and z-.
        assert sum(changed) >= len(changed) - part.startswith("energy")


@each_case
def test_chains_report_how_they_fared(name):
    model, (logs, _), *_ = fitted(name)
    for kind in ("positive", "negative"):
        sampler = getattr(model, kind)
        if sampler is None or sampler.is_reparameterized:
            continue
        assert logs[f"{kind}/displacement"] > 0
        assert logs[f"{kind}/gradient_norm"] > 0
        assert 0 < logs[f"{kind}/accept_prob"] <= 1
        assert (f"{kind}/energy" in logs) == hasattr(model.prior, "energy")


@each_case
def test_a_run_repeats_bit_for_bit(name):
    """Built again, and compiled by hand in place of `fit`. (A step that
    returns no logs is another graph, and rounds otherwise.)"""
    oracles.assert_nests_equal(repeated(name).weights, fitted(name)[4])


@each_case
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(name):
    """Restored into a model whose every number was wrong."""
    model = build(name)
    for item in items(model).values():
        for variable in ([item] if isinstance(item, keras.Variable) else
                         getattr(item, "variables", item)):
            variable.assign(tf.cast(
                0.7 * tf.cast(variable, tf.float32) + 3.0, variable.dtype))
    status = tf.train.Checkpoint(**items(model)).restore(
        repeated(name).checkpoint)
    status.assert_existing_objects_matched().assert_consumed()
    assert int(model.step) == 1
    stepper(model)(batches_of(name)[1])
    oracles.assert_nests_equal(weights(model), repeated(name).weights)


@each_case
def test_every_number_of_a_part_is_saved_without_its_optimizer(
        name, tmp_path):
    """TensorFlow looks into no list of layers, but an optimizer holds what it
    trains: that hides what is missing until a part has other variables."""
    model = fitted(name)[0]
    parts = {key: item for key, item in items(model).items()
             if not key.startswith("optimizer")}
    path = tf.train.Checkpoint(**parts).save(str(tmp_path / "model"))
    saved = [key for key, _ in tf.train.list_variables(path)
             if key.startswith(("part", "bank"))]
    layers = [*model.banks, *(layer for part in model.parts.values()
                              for layer in part)]
    assert len(saved) == sum(len(layer.variables) for layer in layers)


@each_case
def test_ten_steps_are_traced_once(name):
    assert repeated(name).num_traces == 1


@each_case
def test_another_seed_is_another_run(name):
    first, second = (trainable(build(name, seed)) for seed in (0, 10))
    for part in first:
        for a, b in zip(first[part], second[part]):
            assert np.all(a != b) or a.ndim == 0  # The scale of a likelihood.


@each_case
def test_samples_have_their_shapes_and_their_range(name):
    model = fitted(name)[0]
    samples = model.sample(6, seed=1)
    assert samples.x.shape == (6, *x_of(name).shape[1:])
    assert samples.energy.shape == (6,)
    if is_sequence(name):
        assert samples.x.min() >= 0 and samples.x.max() < WORDS.num_tokens
    else:
        assert np.max(np.abs(samples.x)) <= 1
    assert all(leaf.shape[0] == 6 for leaf in tf.nest.flatten(samples.z))
    assert all(np.all(np.isfinite(leaf)) for leaf in tf.nest.flatten(samples))
    if not is_sequence(name):  # A sequence is drawn, too.
        np.testing.assert_allclose(
            model.decode(samples.z), samples.x, rtol=1e-5, atol=1e-6)


@each_case
def test_answers_depend_on_the_seed_and_row_i_only_on_its_input(name):
    model = fitted(name)[0]
    x = x_of(name)
    asks = (lambda n, seed: model.sample(n, seed),
            lambda n, seed: model.infer(x[:n], seed),
            lambda n, seed: model.reconstruct(x[:n], seed),
            lambda n, seed: model.score(x[:n], seed))
    for ask in asks:
        longer = ask(6, 1)
        oracles.assert_nests_equal(ask(6, 1), longer)
        for length in (3, 5):
            oracles.assert_nests_equal(
                ask(length, 1), tf.nest.map_structure(
                    lambda leaf: leaf[:length], longer))
        if name.startswith("rae") and ask is not asks[0]:
            continue  # An encoder without noise.
        other = tf.nest.flatten(ask(6, 2))
        assert any(np.any(a != b) for a, b in zip(
            tf.nest.flatten(longer), other))


@each_case
def test_what_is_inferred_has_a_row_for_each_observation(name):
    model = fitted(name)[0]
    x = x_of(name)
    z = model.infer(x)
    tf.nest.assert_same_structure(z, model.sample(1).z)
    assert all(leaf.shape[0] == 6 for leaf in tf.nest.flatten(z))
    assert model.reconstruct(x).shape == x.shape
    score = model.score(x)
    assert all(part.shape == (6,) for part in score)
    np.testing.assert_allclose(
        score.log_joint,
        score.log_likelihood - score.energy + score.base_log_prob, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(
    name for name in CASES if name != "image, exact"
    and not is_sequence(name)))
def test_what_is_exported_answers_as_the_model_does(name, tmp_path):
    """Reloaded without this library's code; every row with its own seed."""
    model = build(name)
    served = tf.saved_model.load(export_model(
        model, str(tmp_path), DATA.shape, ServingConfig(
            check_rows=0, warmup=False))).signatures
    drawn = served["serving_default"](
        seed=tf.constant([5, 1, 9], tf.int64))
    codes = {key: drawn[key] for key in drawn if key.startswith("z")}
    leaves = [codes[key] for key in sorted(codes)]
    z = tf.nest.pack_sequence_as(model.sample(1).z, leaves)
    np.testing.assert_allclose(drawn["x"], model.decode(z), atol=1e-5)
    np.testing.assert_allclose(drawn["energy"], model.energy(z), atol=1e-5)
    np.testing.assert_allclose(
        served["decode"](**codes)["x"], drawn["x"], atol=1e-6)
    alone = served["sample"](seed=tf.constant([9], tf.int64))
    for key in drawn:
        np.testing.assert_array_equal(alone[key][0], drawn[key][2])
    again = served["reconstruct"](
        x=x_of("image")[:2], seed=tf.constant([3, 4], tf.int64))["x"]
    assert again.shape == (2, 8, 8, 3)
    asked = {"x": x_of("image")[:2], "seed": tf.constant([3, 4], tf.int64)}
    scores = served["score"](**asked)
    inferred = served["infer"](**asked)
    z = tf.nest.pack_sequence_as(
        model.sample(1).z, [inferred[key] for key in sorted(inferred)
                            if key.startswith("z")])
    np.testing.assert_allclose(
        scores["log_likelihood"], model.likelihood.log_prob(
            tf.constant(x_of("image")[:2]), z), rtol=1e-4)
    np.testing.assert_allclose(again, model.decode(z), atol=1e-5)


def test_chains_that_cannot_be_seeded_by_row_are_refused(tmp_path):
    with pytest.raises(InputError, match="kernel langevin, got hmc|mala"):
        export_model(build("image, exact"), str(tmp_path), DATA.shape)
    assert not list(tmp_path.iterdir())
