"""What every family owes its callers. A new family joins `CASES`."""

import dataclasses
import functools
import tempfile
from typing import Callable, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf import evaluate
from lebm_tf.assembly.code_ladder import LogitsConfig, NoiseLadderConfig
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.assembly.layered import LadderConfig, LayersConfig
from lebm_tf.assembly.learned import DiffusionConfig, FlowConfig
from lebm_tf.assembly.observations import (
    DenseConfig, RecurrentDecoderConfig, RecurrentEncoderConfig,
    RecurrentReaderConfig)
from lebm_tf.configuration.run import RunConfig
from lebm_tf.datasets import ImageData
from lebm_tf.densities import ConditionalGaussian
from lebm_tf.errors import InputError
from lebm_tf.evaluation import EVALUATORS, Context, Settings
from lebm_tf.families import (
    FAMILIES, BaseConfig, ChainConfig, DataSpec, EncoderConfig, EnergyConfig,
    GeneratorConfig, cycle_translation, divergence_triangle, flow, flow_prior,
    image, ladder_vae, latent_diffusion, m1_m2, multilayer,
    multilayer_two_stage, neural_transport, rae, recovery_likelihood, sequence,
    sri, symbol_vector, trajectory, two_stage_vae, vae)
from lebm_tf.mcmc import Independence, Mala, rng
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.models.roles import ANSWERS
from lebm_tf.networks import LadderNetwork
from lebm_tf.samplers import Draws, ShortRun
from lebm_tf.serving import Servable, ServingConfig, export_model
from lebm_tf.training import workdir
from lebm_tf.training.checkpoint import items
from tests import oracles
from tests.families import encoded, refined, transport

DATA = DataSpec((8, 8, 3), num_train=12)
RANDOM = np.random.default_rng(0)
BATCHES = [{"x": RANDOM.uniform(-1, 1, [4, 8, 8, 3]).astype(np.float32),
            "index": RANDOM.permutation(12)[:4].astype(np.int64)}
           for _ in range(2)]
BATCHES = [tf.nest.map_structure(tf.constant, batch) for batch in BATCHES]
FOLDERS = []
WORDS = DataSpec((5,), num_train=12, num_tokens=7, kind="sequence")
VALUED = dataclasses.replace(WORDS, has_attributes=True)
TOKENS = [{"x": tf.constant(rows), "index": batch["index"],
           "attribute": tf.constant([0.5, -1.0, 2.0, 0.0])} for rows, batch in
          zip(([[4, 5, 3, 0, 0], [6, 3, 0, 0, 0], [4, 4, 5, 6, 3],
                [3, 0, 0, 0, 0]],
               [[5, 3, 0, 0, 0], [6, 6, 6, 3, 0], [4, 1, 3, 0, 0],
                [5, 4, 5, 4, 3]]), BATCHES)]
WALKS = DataSpec((3, 2), num_train=12, past_length=4, kind="trajectory")
# A pair and two who walk alone; in the second batch a row that fills it up.
PATHS = [{"x": tf.constant(RANDOM.normal(size=[4, 3, 2]), tf.float32),
          "given": {"past": tf.constant(RANDOM.normal(size=[4, 4, 2]),
                                        tf.float32),
                    "group": tf.constant([2, 5, 2, last], tf.int64)},
          "mask": tf.constant([1.0, 1.0, 1.0, last >= 0]),
          "index": batch["index"]} for last, batch in zip((7, -1), BATCHES)]
DOMAINS_DATA = dataclasses.replace(DATA, kind="pair")
DOMAINS = [{"x": {"a": batch["x"], "b": tf.reverse(batch["x"], [1])},
            "index": batch["index"]} for batch in BATCHES]
SMALL = {"latent_dim": 3, "generator": GeneratorConfig(4, (4,)),
         "encoder": EncoderConfig((4,))}
IMAGE = image.ImageConfig(
    **SMALL, energy=EnergyConfig((5,)), prior=ChainConfig(3, 0.4),
    posterior=ChainConfig(2, 0.1))
CHAINLESS = {"latent_dim": 4, "prior": image.ImageConfig().prior,
             "posterior": image.ImageConfig().posterior}
DAMC = DiffusionConfig(
    num_steps=3, sampling_steps=2, context_dim=6, time_dim=4,
    hidden_units=(5, 6), channels=(4, 5), updates=2, target_rate=0.5,
    target_interval=2)
TRIANGLE = divergence_triangle.DivergenceTriangleConfig(
    latent_dim=3, generator_channels=(5, 4), energy_widths=(4, 5),
    encoder_channels=(4, 5))
AVERAGED = OptimizerConfig(
    1e-3, schedule="cosine", schedule_steps=4, warmup_steps=2,
    average_decay=0.9)
SEQUENCE = sequence.SequenceConfig(
    latent_dim=3, energy=EnergyConfig((5,)), prior=ChainConfig(3, 0.4),
    decoder=sequence.DecoderConfig("lstm", 4, 5, 0.5),
    encoder=sequence.SequenceEncoderConfig("gru", 4, 5),
    posterior=ChainConfig(2, 0.1))
TRAJECTORY = trajectory.TrajectoryConfig(
    latent_dim=3, feature_dim=4, plan_steps=(0, 2), prior=ChainConfig(3, 0.4),
    energy=EnergyConfig((5,)), num_pools=2,
    forecast=trajectory.ForecastConfig(
        (5,), (5,), 3, (5,), (6,), (6,), (5,)))
SRI = sri.SRIConfig(
    latent_dim=3, generator=GeneratorConfig(4, (4,)),
    posterior=ChainConfig(2, 0.1))
SYMBOL = symbol_vector.SymbolVectorConfig(
    latent_dim=3, generator=GeneratorConfig(4, (4,)),
    image_encoder=EncoderConfig((4,)), energy=EnergyConfig((5,)),
    prior=ChainConfig(3, 0.4), information_weight=2.0,
    dense_generator=DenseConfig((5,)),
    dense_encoder=DenseConfig((5,), "relu", 0.5),
    decoder=RecurrentDecoderConfig("lstm", 4, 5, 0.5),
    sequence_encoder=RecurrentReaderConfig("gru", 4, 5))
MULTILAYER = multilayer.MultilayerConfig(
    layers=LayersConfig(
        latent_dims=(4, 3, 2), energy_units=(6,), energy_layers=(1,),
        base_units=(5,), base_layers=(1,)),
    prior=ChainConfig(3, 0.4), prior_step_sizes=(0.4, 0.3, 0.2),
    posterior=ChainConfig(2, 0.1), posterior_step_sizes=(0.1, 0.15, 0.2),
    generator=GeneratorConfig(4, (4,)))
LADDER = multilayer.MultilayerConfig(
    hierarchy="ladder", layers=LayersConfig(
        latent_dims=(4, 3, 2), energy="concatenated", energy_units=(6,),
        energy_layers=(1,), energy_spectral_norm=True),
    ladder=LadderConfig("concatenate", (3, 4, 5), 6, 6, 2),
    prior=ChainConfig(3, 0.4), posterior=ChainConfig(0, 0.1, start="encoder"),
    kl_variance_floor=1e-6)
TRANSLATION = cycle_translation.CycleTranslationConfig(
    chain=ChainConfig(3, 0.002, 0.5),
    energy=cycle_translation.PictureEnergyConfig(
        (4, 5), (3, 4), (1, 2), 3, 0.1),
    translator=cycle_translation.TranslatorConfig(4, 1, 0.5, 0.1))
DIFFUSION = latent_diffusion.LatentDiffusionConfig(
    latent_dim=3, num_symbols=4, generator=GeneratorConfig(4, (4,)),
    image_encoder=EncoderConfig((4,)), dense_generator=DenseConfig((5,)),
    dense_encoder=DenseConfig((5,), "relu", 0.5),
    prior=NoiseLadderConfig(3, num_steps=2),
    energy=LogitsConfig(6, 2),
    decoder=RecurrentDecoderConfig("gru", 4, 4, 0.5, tied=True),
    sequence_encoder=RecurrentEncoderConfig("gru", 4, 5, has_leaky_head=True))
RECOVERY = recovery_likelihood.RecoveryLikelihoodConfig(
    num_levels=2, num_steps=2, flips=True,
    energy=recovery_likelihood.LevelEnergyConfig(4, (1, 2), 1, 4),
    energy_optimizer=OptimizerConfig(1e-3, warmup_steps=2, warmup_offset=0,
                                     average_decay=0.9))
COOPERATIVE = dataclasses.replace(
    RECOVERY, schedule="angles", start="proposal", shares_noise=True,
    denoising="exact", flips=False,
    energy=recovery_likelihood.LevelEnergyConfig(
        4, (1, 2), 1, 4, activates_time=True, starts_small=False,
        has_head_bias=False),
    proposal=recovery_likelihood.ProposalConfig(4, (1, 2), 1, 4),
    proposal_optimizer=OptimizerConfig(
        1e-3, average_decay=0.99, average_warmup=True))
LABELS = {"num_classes": 3, "num_labels": 4}
POINTS = DataSpec((6,), 12, kind="vector")
FLOW = flow.FlowConfig(num_couplings=2, hidden_units=(5,))
TRANSPORT = neural_transport.NeuralTransportConfig(
    energy=neural_transport.ConvEnergyConfig((4,), 5),
    dense_energy=EnergyConfig((5,)),
    chains=neural_transport.TransportChainConfig(3, num_leapfrog_steps=2))
COUNTS = [{"x": tf.constant(RANDOM.integers(0, 4, [4, 7]), tf.float32),
           "index": batch["index"]} for batch in BATCHES]


def transported(data):
    """A flow, as of another run."""
    return {"transport": flow.make_transport(FLOW, data, 3)}


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
    "image, mixture base": (image, dataclasses.replace(
        IMAGE, p0=BaseConfig("mixture", 2), prior=ChainConfig(
            3, 0.3, kernel="mala"))),
    "image, flow base without chains": (image, dataclasses.replace(
        IMAGE, latent_dim=4, p0=BaseConfig("flow"), contrast="importance",
        contrast_draws=5)),
    "image, exact": (image, starting("base", kernel="mala")),
    "image, amortized": (image, dataclasses.replace(
        IMAGE, **CHAINLESS, prior_sampler="flow", posterior_sampler="encoder",
        flow=FlowConfig(2, 5), flow_updates=2, flow_teaching=0.5)),
    "image, amortized hybrid": (image, dataclasses.replace(
        IMAGE, latent_dim=4, prior_sampler="hybrid",
        prior=ChainConfig(3, kernel="independence"),
        posterior_sampler="hybrid", flow=FlowConfig(2, 5))),
    "image, amortized diffusion": (image, dataclasses.replace(
        IMAGE, prior_sampler="diffusion", posterior_sampler="diffusion",
        diffusion=DAMC)),
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
    "sequence, flow": (sequence, dataclasses.replace(
        SEQUENCE, latent_dim=4, prior=sequence.SequenceConfig().prior,
        prior_sampler="flow", flow=FlowConfig(2, 9))),
    "sequence, no energy": (sequence, dataclasses.replace(
        SEQUENCE, learned_prior=False, decoder=sequence.DecoderConfig(
            "gru", 4, 5, 0.5))),
    "symbol": (symbol_vector, SYMBOL),
    "symbol, chains": (symbol_vector, dataclasses.replace(
        SYMBOL, posterior=ChainConfig(2, 0.1, start="encoder"))),
    "symbol, hybrid": (symbol_vector, dataclasses.replace(
        SYMBOL, latent_dim=4, prior_sampler="hybrid", flow=FlowConfig(2, 5),
        flow_updates=2)),
    "symbol, labels only": (symbol_vector, dataclasses.replace(
        SYMBOL, labels_only=True)),
    "symbol, words": (symbol_vector, SYMBOL),
    "symbol, clusters of vectors": (symbol_vector, dataclasses.replace(
        SYMBOL, num_symbols=4)),
    "symbol, sequences": (symbol_vector, dataclasses.replace(
        SYMBOL, kl_threshold=0.01, kl_warmup_steps=3, updates_in_turns=True,
        joint_clip_norm=1.0, log_variance_head=True, base_scale=1.5)),
    "m1+m2": (m1_m2, m1_m2.M1M2Config(
        latent_dim=3, second_hidden_units=(5,), generator=GeneratorConfig(
            4, (4,)), image_encoder=EncoderConfig((4,)))),
    "trajectory": (trajectory, TRAJECTORY),
    "trajectory, persistent": (trajectory, dataclasses.replace(
        TRAJECTORY, prior=ChainConfig(
            3, 0.4, start="bank", bank_order="oldest", start_scale=1.5),
        prior_bank_size=9, num_symbols=2,
        kl_reduction="mean", num_pools=0, predict_from="pooled")),
    "sequence, number": (sequence, dataclasses.replace(
        SEQUENCE, attribute_in_turn=True)),
    "sequence, number, encoder": (sequence, dataclasses.replace(
        SEQUENCE, posterior=ChainConfig(0, 0.1, start="encoder"),
        attribute=sequence.AttributeConfig((4,), "relu", "sigmoid", 0.3),
        kl_weight=0.5)),
    "multilayer": (multilayer, MULTILAYER),
    "multilayer, one energy": (multilayer, dataclasses.replace(
        MULTILAYER, layers=dataclasses.replace(
            MULTILAYER.layers, energy="concatenated"),
        prior_step_sizes=(), posterior_step_sizes=(0.1,), first_states="base",
        posterior=ChainConfig(2, 0.1, start="encoder"))),
    "multilayer, ladder": (multilayer, LADDER),
    "ladder vae": (ladder_vae, ladder_vae.LadderVAEConfig(
        group_sides=(4, 2), group_channels=(2, 3), channels=4,
        kl_warmup_steps=3)),
    "two-stage multilayer": (
        multilayer_two_stage, multilayer_two_stage.MultilayerTwoStageConfig(
            prior=ChainConfig(2, 0.1), energy_channels=4, energy_head_units=5,
            exact_target=False, temperature=0.7)),
    "multilayer, encoder": (multilayer, dataclasses.replace(
        MULTILAYER, posterior=ChainConfig(0, 0.1, start="encoder"),
        posterior_step_sizes=(), prior=ChainConfig(3, 0.4, start="bank"),
        prior_bank_size=9)),
    "cycle translation": (cycle_translation, TRANSLATION),
    "cycle translation, as released": (cycle_translation, dataclasses.replace(
        TRANSLATION, through_chain=True, translators_last=True,
        teaching_weight=1.0)),
    "cycle translation, energies": (cycle_translation, dataclasses.replace(
        cycle_translation.CycleTranslationConfig(), learns="energies",
        chain=TRANSLATION.chain, energy=TRANSLATION.energy)),
    "cycle translation, translators": (cycle_translation, dataclasses.replace(
        cycle_translation.CycleTranslationConfig(), learns="translators",
        translator=TRANSLATION.translator)),
    "diffusion": (latent_diffusion, DIFFUSION),
    "diffusion, sequences": (latent_diffusion, dataclasses.replace(
        DIFFUSION, num_symbols=0, masks_entropy=False, sequence_encoder=(
            RecurrentEncoderConfig("lstm", 4, 5, reads_padding=True)))),
    "diffusion, no energy": (latent_diffusion, (
        latent_diffusion.LatentDiffusionConfig(
            3, learned_prior=False, dense_generator=DenseConfig((5,)),
            dense_encoder=DenseConfig((5,), "relu")))),
    "recovery": (recovery_likelihood, RECOVERY),
    "recovery, proposal": (recovery_likelihood, COOPERATIVE),
    "recovery, vectors": (recovery_likelihood, COOPERATIVE),
    "divergence triangle": (divergence_triangle, TRIANGLE),
    "flow prior": (flow_prior, flow_prior.FlowPriorConfig(
        latent_dim=4, generator=GeneratorConfig(4, (4,)),
        flow=FlowConfig(2, 5), posterior=ChainConfig(2, 0.1))),
    "flow": (flow, FLOW),
    "flow, glow": (flow, flow.FlowConfig(
        "glow", glow_levels=2, glow_steps=1, glow_channels=4)),
    "flow, vectors": (flow, FLOW),
    "neural transport": (neural_transport, TRANSPORT),
    "neural transport, two kernels and refit": (
        neural_transport, dataclasses.replace(
            TRANSPORT, refit=True, chains=dataclasses.replace(
                TRANSPORT.chains, kernel="mala", pcn_every=2,
                num_leapfrog_steps=3, start="bank"), bank_size=9)),
    "neural transport, generator": (neural_transport, dataclasses.replace(
        TRANSPORT, transport="generator", latent_dim=3)),
    "neural transport, vectors": (neural_transport, TRANSPORT),
    "encoded": (encoded, encoded.EncodedConfig()),
    "refined": (refined, refined.RefinedConfig()),
    "transport": (transport, transport.TransportConfig()),
}
# Trained networks of another run, that a family learns on top of.
NETWORKS = {
    "two-stage multilayer": lambda: {"backbone": LadderNetwork(
        (8, 8, 3), (4, 2), (2, 3), 4)},
    "neural transport": lambda: transported(DATA),
    "neural transport, two kernels and refit": lambda: transported(DATA),
    "neural transport, vectors": lambda: transported(POINTS),
    "neural transport, generator": lambda: {
        "generator": GeneratorConfig(4, (4,)).make(3, (8, 8, 3), 5),
        "encoder": ConditionalGaussian(
            EncoderConfig((4,)).make(3, (8, 8, 3), 6))}}
# What the family learns from, where not pictures without labels.
SPECS = {
    "symbol": DataSpec((8, 8, 3), 12, **LABELS),
    "symbol, chains": DataSpec((8, 8, 3), 12, **LABELS),
    "symbol, hybrid": DataSpec((8, 8, 3), 12, **LABELS),
    "symbol, labels only": DataSpec((8, 8, 3), 12, **LABELS),
    "symbol, words": DataSpec((7,), 12, **LABELS, kind="counts"),
    "symbol, clusters of vectors": DataSpec((7,), 12, kind="vector"),
    "m1+m2": DataSpec((8, 8, 3), 12, **LABELS),
    "flow, vectors": POINTS, "neural transport, vectors": POINTS,
    "symbol, sequences": dataclasses.replace(WORDS, **LABELS),
    "diffusion, sequences": dataclasses.replace(WORDS, **LABELS),
    "diffusion, no energy": DataSpec((7,), 12, kind="vector"),
    "sequence, number": VALUED, "sequence, number, encoder": VALUED}
# Two or more cases of a family that answer by the same code: of all but one,
# `make test` checks how they learn and resume, `make test-long` the rest.
VARIANTS = {
    "image, warm start", "image, persistent", "image, mixture base",
    "image, averaged and penalized", "image, exact",
    "image, flow base without chains", "image, amortized hybrid",
    "rae, gradient", "sri", "abp", "sequence, flow", "sequence, no energy",
    "sequence, number, encoder", "symbol, chains", "symbol, hybrid",
    "symbol, labels only", "symbol, clusters of vectors",
    "symbol, sequences", "trajectory, persistent", "multilayer, encoder",
    "multilayer, one energy", "cycle translation, as released",
    "cycle translation, energies", "diffusion, sequences",
    "diffusion, no energy", "recovery, vectors", "flow, vectors",
    "neural transport, two kernels and refit",
    "neural transport, generator", "neural transport, vectors"}
# One case of each way to learn, of which `fit` gives what a loop by hand does.
FITTED = {"image", "image, amortized", "vae", "sequence", "trajectory",
          "multilayer", "cycle translation", "refined"}
# Of the variants, those whose step is computed by parts of other cases.
LEARN_ALIKE = {
    "cycle translation, as released", "cycle translation, translators",
    "recovery, vectors", "symbol, hybrid", "symbol, labels only",
    "multilayer, one energy", "image, exact", "sequence, flow",
    "image, averaged and penalized", "diffusion, sequences",
    "neural transport, generator", "image, flow base without chains",
    "sequence, number, encoder", "abp"}
each_case = pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.long] * (name in LEARN_ALIKE))
    for name in CASES])
each_fitted = pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.long] * (name not in FITTED))
    for name in CASES])
each_answer = pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.long] * (name in VARIANTS))
    for name in CASES])


def spec_of(name):
    family = CASES[name][0]
    return SPECS.get(name, {
        sequence: WORDS, trajectory: WALKS, cycle_translation: DOMAINS_DATA,
    }.get(family, DATA))


def is_sequence(name):
    return bool(spec_of(name).num_tokens)


def is_trajectory(name):
    return CASES[name][0] is trajectory


def infers(name):
    """Whether there is a z of every x."""
    return CASES[name][0] not in (
        recovery_likelihood, cycle_translation)


def batches_of(name):
    if is_trajectory(name):
        return PATHS
    if CASES[name][0] is cycle_translation:
        return DOMAINS
    spec = spec_of(name)
    batches = TOKENS if spec.num_tokens else (
        BATCHES if len(spec.shape) == 3 else [
            {**batch, "x": batch["x"][:, :spec.shape[0]]}
            for batch in COUNTS])
    if not spec.num_labels:
        return batches
    return [{**batch, "labelled_x": batch["x"][:2],
             "labelled_y": tf.constant([2, i])}
            for i, batch in enumerate(batches)]


def x_of(name):
    batches = BATCHES if CASES[name][0] is cycle_translation else (
        batches_of(name))
    return np.concatenate([batch["x"] for batch in batches])[:6]


def conditions(model, num_rows):
    """What a conditional model must be told beside the rest."""
    if "data_a" in model.roles:
        return {"condition": x_of("image")[:num_rows]}
    if model.context is None:
        return {}
    given = tf.nest.map_structure(
        lambda *leaves: tf.concat(leaves, 0),
        *(batch["given"] for batch in PATHS))
    return {"condition": tf.nest.map_structure(
        lambda leaf: leaf[:num_rows], model.context(given))}


def build(name, seed=0):
    module, config = CASES[name]
    model = module.build(config, spec_of(name), batch_size=4, seed=seed,
                         **NETWORKS.get(name, dict)())
    model.inference_batch = 4
    for base in model.bases:
        base.num_steps = 20  # Of a flow.
        base.fit(np.random.default_rng(2).normal(
            1.0, 0.7, [50, base.latent_dim]), 0, 0)
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
    data = tf.data.Dataset.from_tensor_slices(tf.nest.map_structure(
        lambda *leaves: tf.stack(leaves), *batches_of(name)))
    model.fit(data, verbose=0, shuffle=False, callbacks=[logs])
    return model, logs.steps, weights(model)


class Run(NamedTuple):
    """Ten steps in one function, compiled by hand in place of `fit`.

    Attributes:
        checkpoint: Path of what was saved after the first step.
        before: What is trained, by part, before any step.
        first: Weights after the first step.
        after: What is trained, after the second step.
        weights: After the second step.
        logs: What the first two steps returned.
        num_traces: How often the step was traced.
        model: Itself, after ten steps.
        step: What takes a batch and makes a step of it.
    """
    checkpoint: str
    before: dict
    first: dict
    after: dict
    weights: dict
    logs: list[dict]
    num_traces: int
    model: EnergyModel
    step: Callable


@functools.cache
def run(name) -> Run:
    model, traces = build(name), []

    @tf.function(autograph=False)
    def step(batch):
        traces.append(1)
        return model.train_step(batch)
    before = trainable(model)
    logs = [step(batches_of(name)[0])]
    folder = tempfile.TemporaryDirectory()
    FOLDERS.append(folder)  # It is removed when nothing refers to it.
    path = tf.train.Checkpoint(**items(model)).save(folder.name + "/model")
    first = weights(model)
    logs.append(step(batches_of(name)[1]))
    second, after = weights(model), trainable(model)
    for _ in range(8):
        step(batches_of(name)[0])
    logs = [{key: float(value) for key, value in values.items()}
            for values in logs]
    return Run(path, before, first, after, second, logs, len(traces), model,
               step)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_configuration_says_what_a_run_must_know(name):
    config = FAMILIES[name].Config
    assert issubclass(config, FamilyConfig)
    assert config.learns_from_labels == (name in (
        "symbol_vector", "m1_m2", "latent_diffusion"))
    assert config().is_classifier is False
    assert set(FAMILIES[name].EVALUATORS) <= set(EVALUATORS)


def test_every_family_is_under_contract():
    assert set(FAMILIES.values()) <= {module for module, _ in CASES.values()}


@each_case
def test_two_steps_log_finite_numbers(name):
    model, logs = run(name).model, run(name).logs
    for values in logs:
        assert all(np.isfinite(value) for value in values.values()), values
        for objective in model.objectives.values():
            assert {f"loss/{term}" for term in objective.terms} <= set(values)
        for part in model.parts:
            assert values[f"gradient_norm/{part}"] > 0
    assert logs[0] != logs[1]


@each_case
def test_every_part_learns(name):
    before, after = run(name).before, run(name).after
    assert set(before) == set(after)
    for part in before:
        assert before[part]
        changed = [np.any(a != b) for a, b in zip(before[part], after[part])]
        # The last bias of an energy cancels between z+ and z-.
        assert sum(changed) >= len(changed) - part.startswith("energy")


@each_case
def test_chains_report_how_they_fared(name):
    model, logs = run(name).model, run(name).logs[0]
    for kind, role in model.roles.items():
        if kind in ANSWERS or not role.sampler.climbs or role.view:
            continue
        assert logs[f"{kind}/displacement"] > 0
        is_blind = isinstance(role.sampler, ShortRun) and isinstance(
            role.sampler.kernel, Independence)
        assert (logs[f"{kind}/gradient_norm"] > 0) != is_blind
        assert 0 < logs[f"{kind}/accept_prob"] <= 1
        prior = role.prior or model.prior
        assert (f"{kind}/energy" in logs) == prior.has_energy


@each_fitted
def test_fit_logs_what_the_steps_return(name):
    model, logs, _ = fitted(name)
    assert len(logs) == 2 and int(model.step) == 2
    for values, expected in zip(logs, run(name).logs):
        assert set(values) == set(expected)
        assert all(np.isfinite(value) for value in values.values()), values
    assert logs[0] != logs[1]


@each_fitted
def test_a_run_repeats_bit_for_bit(name):
    """Built again, and compiled by hand in place of `fit`. (A step that
    returns no logs is another graph, and rounds otherwise: TensorFlow adds
    terms in the order of names. `fit` has others, and two families notice it
    in their last bits: of those, `fit` is repeated. That a repeat by hand is
    the same in all of them, the next test tells.)"""
    again, first = run(name).weights, fitted(name)[2]
    if name in ("sequence, number", "image, amortized diffusion",
                "two-stage vae"):
        tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(
            a, b, rtol=1e-4, atol=1e-5), again, first)
        oracles.assert_nests_equal(fitted.__wrapped__(name)[2], first)
    else:
        oracles.assert_nests_equal(again, first)


@each_case
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(name):
    """Restored into models whose every number was wrong: a new one, and one
    that had gone on, whose compiled step has to give the same again."""
    found = run(name)
    for model in (build(name), found.model):
        for item in items(model).values():
            for variable in ([item] if isinstance(item, keras.Variable) else
                             getattr(item, "variables", item)):
                variable.assign(tf.cast(
                    0.7 * tf.cast(variable, tf.float32) + 3.0,
                    variable.dtype))
        status = tf.train.Checkpoint(**items(model)).restore(found.checkpoint)
        status.assert_existing_objects_matched().assert_consumed()
        assert int(model.step) == 1
        oracles.assert_nests_equal(weights(model), found.first)
    found.step(batches_of(name)[1])
    oracles.assert_nests_equal(weights(found.model), found.weights)


@each_case
def test_every_number_of_a_part_is_saved_without_its_optimizer(
        name, tmp_path):
    """TensorFlow looks into no list of layers, but an optimizer holds what it
    trains: that hides what is missing until a part has other variables."""
    model = run(name).model
    parts = {key: item for key, item in items(model).items()
             if not key.startswith("optimizer")}
    path = tf.train.Checkpoint(**parts).save(str(tmp_path / "model"))
    saved = [key for key, _ in tf.train.list_variables(path)
             if key.startswith(("part", "bank", "copy"))]
    layers = [*model.banks, *(layer for part in model.parts.values()
                              for layer in part),
              *(copy.layer for copy in model.copies.values())]
    # What two layers share is saved once.
    assert len(saved) == len({id(variable) for layer in layers
                              for variable in layer.variables})


@each_case
def test_ten_steps_are_traced_once(name):
    assert run(name).num_traces == 1


@each_answer
def test_another_seed_is_another_run(name):
    first, second = (trainable(build(name, seed)) for seed in (0, 10))
    for part in set(first) - set(NETWORKS.get(name) and ("flow",) or ()):
        for a, b in zip(first[part], second[part]):
            # The scale of a likelihood, biases and gains start alike.
            assert np.all(a != b) or a.ndim == 0 or np.ptp(a) == 0


@each_answer
def test_samples_have_their_shapes_and_their_range(name):
    model = run(name).model
    condition = conditions(model, 6)
    samples = model.sample(6, seed=1, **condition)
    assert samples.x.shape == (6, *x_of(name).shape[1:])
    assert samples.energy.shape == (6,)
    if is_sequence(name):
        assert samples.x.min() >= 0 and samples.x.max() < WORDS.num_tokens
    elif x_of(name).ndim == 4 and model.likelihood is not None:
        assert np.max(np.abs(samples.x)) <= 1  # Chains of pixels may leave.
    assert all(leaf.shape[0] == 6 for leaf in tf.nest.flatten(samples.z))
    assert all(np.all(np.isfinite(leaf)) for leaf in tf.nest.flatten(samples))
    if not is_sequence(name):  # A sequence is drawn, too.
        np.testing.assert_allclose(
            model.decode(samples.z, **condition), samples.x, rtol=1e-5,
            atol=1e-6)


@each_answer
def test_answers_depend_on_the_seed_and_row_i_only_on_its_input(name):
    model = run(name).model
    x = x_of(name)
    asks = (lambda n, seed: model.sample(n, seed, **conditions(model, n)),
            *(lambda n, seed, ask=ask: ask(
                x[:n], seed, **conditions(model, n))
              for ask in (model.infer, model.reconstruct, model.score)
              if infers(name)))
    for ask in asks:
        longer = ask(6, 1)
        oracles.assert_nests_equal(ask(6, 1), longer)
        for length in (3, 5):
            oracles.assert_nests_equal(
                ask(length, 1), tf.nest.map_structure(
                    lambda leaf: leaf[:length], longer))
        if ask is not asks[0] and (
                name.startswith(("rae", "transport"))
                or name in ("flow, vectors", "neural transport, vectors")):
            continue  # An encoder without noise.
        if name == "cycle translation, translators":
            continue  # Nor have these any.
        other = tf.nest.flatten(ask(6, 2))
        assert any(np.any(a != b) for a, b in zip(
            tf.nest.flatten(longer), other))


@each_answer
def test_what_is_inferred_has_a_row_for_each_observation(name):
    model = run(name).model
    x = x_of(name)
    condition = conditions(model, 6)
    if not infers(name):
        with pytest.raises(ValueError, match="inference needs a model with"):
            model.infer(x, **condition)
        return
    z = model.infer(x, **condition)
    tf.nest.assert_same_structure(
        z, model.sample(1, **conditions(model, 1)).z)
    assert all(leaf.shape[0] == 6 for leaf in tf.nest.flatten(z))
    assert model.reconstruct(x, **condition).shape == x.shape
    score = model.score(x, **condition)
    assert all(part.shape == (6,) for part in score)
    np.testing.assert_allclose(
        score.log_joint,
        score.log_likelihood - score.energy + score.base_log_prob, rtol=1e-5)


# Beside variants: what another export answers by the same code, with other
# networks.
SERVED_ALIKE = VARIANTS | {
    "ladder vae", "multilayer, ladder", "recovery, proposal", "flow, glow",
    "rae", "refined", "encoded", "image, amortized", "sri, layers",
    "image, amortized diffusion", "divergence triangle",
    "two-stage vae"}


# Of each kind of latents one. Of the others `make test` asks three of the
# functions that an export writes.
WRITTEN = {"image", "multilayer", "recovery"}
EXPORTED = [name for name in sorted(CASES) if len(spec_of(name).shape) == 3
            and CASES[name][0] is not cycle_translation]  # See tests/serving.


def signatures(model, folder):
    """Name -> function; reloaded without this library's code, if there is a
    folder to write to."""
    config = ServingConfig(check_rows=0, warmup=False, row_blocks=(16,))
    if folder is None:
        return {name: signature.function for name, signature in Servable(
            model, DATA.shape, config).signatures.items()}
    return tf.saved_model.load(export_model(
        model, str(folder), DATA.shape, config)).signatures


@pytest.mark.parametrize("name, is_written", [
    *(pytest.param(name, name in WRITTEN, marks=[pytest.mark.long] * (
        name in SERVED_ALIKE)) for name in EXPORTED),
    *(pytest.param(name, True, marks=pytest.mark.long) for name in EXPORTED
      if name not in WRITTEN)])
def test_what_is_exported_answers_as_the_model_does(
        name, is_written, tmp_path):
    """Every row with its own seed."""
    model = build(name) if is_written else run(name).model
    served = signatures(model, tmp_path if is_written else None)
    drawn = served["sample"](seed=tf.constant([5, 1, 9], tf.int64))
    alone = served["sample"](seed=tf.constant([9], tf.int64))
    for key in drawn:
        np.testing.assert_array_equal(alone[key][0], drawn[key][2])
    if not infers(name):
        np.testing.assert_allclose(
            drawn["energy"], model.energy(drawn["x"]), atol=1e-5)
        return
    codes = {key: drawn[key] for key in drawn if key.startswith("z")}
    leaves = [codes[key] for key in sorted(codes)]
    z = tf.nest.pack_sequence_as(model.sample(1).z, leaves)
    np.testing.assert_allclose(drawn["x"], model.decode(z), atol=1e-5)
    np.testing.assert_allclose(drawn["energy"], model.energy(z), atol=1e-5)
    np.testing.assert_allclose(
        served["decode"](**codes)["x"], drawn["x"], atol=1e-6)
    asked = {"x": tf.constant(x_of("image")[:2]),
             "seed": tf.constant([3, 4], tf.int64)}
    scores = served["score"](**asked)
    alone = served["score"](**{key: row[1:] for key, row in asked.items()})
    for key in scores:
        np.testing.assert_array_equal(alone[key][0], scores[key][1])
    if not is_written:
        return
    again = served["reconstruct"](**asked)["x"]
    assert again.shape == (2, 8, 8, 3)
    inferred = served["infer"](**asked)
    z = tf.nest.pack_sequence_as(
        model.sample(1).z, [inferred[key] for key in sorted(inferred)
                            if key.startswith("z")])
    np.testing.assert_allclose(
        scores["log_likelihood"], model.likelihood.log_prob(asked["x"], z),
        rtol=1e-4)
    np.testing.assert_allclose(again, model.decode(z), atol=1e-5)


def test_chains_that_cannot_be_seeded_by_row_are_refused(tmp_path):
    model = build("recovery")
    role = model.roles["generation"]
    model.roles["generation"] = dataclasses.replace(
        role, sampler=dataclasses.replace(role.sampler, kernel=Mala(0.1)))
    with pytest.raises(InputError, match="ladder with the kernel langevin, got "
                                         "mala"):
        export_model(model, str(tmp_path), DATA.shape)
    assert not list(tmp_path.iterdir())


def test_a_flow_alone_has_no_chains_to_ask_for_or_to_diagnose():
    model = build("image, amortized")
    with pytest.raises(ValueError, match="needs prior chains, got 5 for a mod"):
        model.sample(2, num_steps=5)
    x, y = BATCHES[0]["x"].numpy(), np.arange(4)
    data = ImageData("noise", x, x, y, y)
    with pytest.raises(InputError, match="chains needs prior chains, got samp"):
        EVALUATORS["chains"].check(Context(data), model)
    default, _ = evaluate.plan(model, data, workdir.Run(
        RunConfig(), None, DATA), (), Settings(), "")
    assert {e.name for e in default} == {*image.EVALUATORS} - {"chains"}


def test_a_ladder_records_its_way_down():
    model = build("recovery")
    ladder = model.generation
    start = ladder.start(3, Draws({}), rng.make_seed(1))
    records = ladder.trace(
        model.target("generation", {}), start, rng.make_seed(2),
        lambda state, target: (state.position, target.condition))
    assert records[0].shape == (ladder.num_steps + 1, 3, 8, 8, 3)
    np.testing.assert_array_equal(records[0][0], start)
    np.testing.assert_array_equal(
        records[1][:, 0], [1, *np.repeat([1, 0], 2)])
    drawn = ladder.draw(
        model.target("generation", {}), 3, Draws({}), rng.make_seed(5))
    again = ladder.trace(
        model.target("generation", {}), drawn.start,
        rng.stream(rng.make_seed(5), "chain"),
        lambda state, target: state.position)
    np.testing.assert_allclose(  # Of states, not of observations.
        again[-1] / model.prior.levels.factors[1], drawn.position, rtol=1e-6)


def test_a_copy_follows_and_updates_are_counted():
    model = build("refined")
    copied, followed = (
        lambda: model.copies["target"].layer.variables[0].numpy(),
        lambda: model.encoder.variables[0].numpy())
    first = followed()
    np.testing.assert_array_equal(copied(), first)
    model.train_step(batches_of("refined")[0])  # Not yet: every second step.
    np.testing.assert_array_equal(copied(), first)
    model.train_step(batches_of("refined")[1])
    np.testing.assert_allclose(
        copied(), 0.5 * (first + followed()), rtol=1e-6)
    made = {part: int(optimizer.iterations)
            for part, optimizer in model.optimizers.items()}
    assert made == {"energy": 2, "generator": 2, "encoder": 6}


def test_a_proposal_and_its_refinement_both_reach_the_losses():
    model = build("refined")
    with tf.GradientTape(persistent=True) as tape:
        draws = model.draw(batches_of("refined")[0], rng.make_seed(1), tape)
        proposal, refined = (tf.reduce_sum(draws.states[role].position)
                             for role in ("proposal", "positive"))
    np.testing.assert_array_equal(
        draws.states["positive"].start, draws.states["proposal"].position)
    weights = model.variables_of("encoder")
    assert all(g is not None for g in tape.gradient(proposal, weights))
    assert all(g is None for g in tape.gradient(refined, weights))
