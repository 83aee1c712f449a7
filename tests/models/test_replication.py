"""Several replicas: the same run as on one, step by step."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.assembly.learned import FlowConfig
from lebm_tf.configuration.run import RunConfig
from lebm_tf.datasets import ImageData, train_batches
from lebm_tf.devices import strategies
from lebm_tf.families import (
    ChainConfig, build, divergence_triangle, image, latent_diffusion,
    multilayer, rae, recovery_likelihood, two_stage_vae, vae)
from lebm_tf.mcmc import Mala, replicas, rng
from lebm_tf.models import EnergyModel, OptimizerConfig, replication
from lebm_tf.training import fitting
from tests import oracles
from tests.contracts import test_families as contract
from tests.families import encoded

BATCH = 4
RANDOM = np.random.default_rng(0)
DATA = ImageData("noise", *(
    RANDOM.uniform(-1, 1, [rows, 8, 8, 3]).astype(np.float32)
    for rows in (12, 4)))
# The smaller a gradient that cancels but for rounding, the more Adam makes of
# it; an epsilon above that rounding leaves the comparison to what is learned.
CALM = OptimizerConfig(1e-3, epsilon=1e-4)
CLIPPED = dataclasses.replace(CALM, clip_norm=0.1)
IMAGE = dataclasses.replace(
    contract.IMAGE, energy_optimizer=CALM, generator_optimizer=CLIPPED,
    encoder_optimizer=CALM)
CASES = {
    "image, compiled": (image, dataclasses.replace(
        IMAGE, prior=ChainConfig(3, 0.4, jit_compile="on"))),
    "image, warm start": (image, dataclasses.replace(
        IMAGE, posterior=ChainConfig(2, 0.1, start="encoder"))),
    "image, persistent": (image, dataclasses.replace(
        IMAGE, prior=ChainConfig(3, 0.4, start="bank", restart_prob=0.3),
        prior_bank_size=9,
        posterior=ChainConfig(2, 0.1, start="bank"))),
    "image, flow and encoder": (image, dataclasses.replace(
        IMAGE, **contract.CHAINLESS, prior_sampler="flow",
        posterior_sampler="encoder", flow=FlowConfig(2, 5), flow_updates=2,
        flow_optimizer=CALM)),
    "divergence triangle": (
        divergence_triangle, dataclasses.replace(
            contract.TRIANGLE, energy_optimizer=CALM, encoder_optimizer=CALM,
            generator_optimizer=CLIPPED)),
    "vae": (vae, vae.VAEConfig(
        **contract.SMALL, generator_optimizer=CLIPPED,
        encoder_optimizer=CALM)),
    "two-stage vae": (two_stage_vae, two_stage_vae.TwoStageVAEConfig(
        **contract.SMALL, second_hidden_units=(5,),
        generator_optimizer=CLIPPED, encoder_optimizer=CALM,
        second_optimizer=CALM)),
    "rae": (rae, rae.RAEConfig(
        **contract.SMALL, decoder_penalty="gradient", decoder_weight=0.1,
        generator_optimizer=CLIPPED, encoder_optimizer=CALM)),
    "multilayer": (multilayer, dataclasses.replace(
        contract.MULTILAYER, energy_optimizer=CALM, base_optimizer=CALM,
        generator_optimizer=CLIPPED)),
    "recovery": (recovery_likelihood, dataclasses.replace(
        contract.RECOVERY, energy_optimizer=CALM)),
    "recovery, proposal": (recovery_likelihood, dataclasses.replace(
        contract.COOPERATIVE, energy_optimizer=CALM,
        proposal_optimizer=CLIPPED)),
    "latent diffusion": (latent_diffusion, dataclasses.replace(
        contract.DIFFUSION, energy_optimizer=CALM,
        autoencoder_optimizer=CLIPPED)),
    "encoded": (encoded, encoded.EncodedConfig(optimizer=CLIPPED))}


@pytest.fixture(scope="module")
def pair():
    return strategies.mirrored(2)


def made(case, strategy):
    module, config = CASES[case]
    with strategy.scope():
        return module.build(config, contract.DATA, batch_size=BATCH, seed=0)


def trained(model, num_steps):
    """Its logs after `num_steps` of `fit`, on the replicas of the model."""
    first = int(model.step)
    batches = model.distribute_strategy.distribute_datasets_from_function(
        lambda context: train_batches(DATA, BATCH, 0, first, context))
    logs = contract.Logs()
    model.fit(batches, steps_per_epoch=num_steps, verbose=0, shuffle=False,
              callbacks=[logs])
    return logs.steps


# Another case has their chains, encoder and penalties as well.
ALIKE = {"image, warm start", "divergence triangle", "two-stage vae", "rae",
         "latent diffusion", "recovery, proposal"}


@pytest.mark.slow
@pytest.mark.parametrize("case", [
    pytest.param(case, marks=[pytest.mark.long] * (case in ALIKE))
    for case in CASES])
def test_two_replicas_learn_what_one_does(case, pair):
    """Weights, banks and optimizers; also what is logged. Adam, clipping of
    the whole gradient, compiled chains."""
    alone, both = made(case, tf.distribute.get_strategy()), made(case, pair)
    logs = [trained(model, 20) for model in (alone, both)]
    for part in alone.parts:
        for a, b in zip(alone.variables_of(part), both.variables_of(part)):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
    for a, b in zip(alone.banks, both.banks):
        np.testing.assert_allclose(
            a.positions[0], b.positions[0], rtol=0, atol=1e-5)
    for a, b in zip(*logs):
        assert set(a) == set(b)
        for name in a:
            np.testing.assert_allclose(
                a[name], b[name], rtol=1e-4, atol=1e-5, err_msg=name)
    for part in both.parts:
        for variable in {id(variable): variable for layer in both.parts[part]
                         for variable in layer.variables}.values():
            one, two = (copy.numpy() for copy in variable.value.values)
            np.testing.assert_array_equal(one, two)


def test_replicas_gather_rows_in_order_and_add_up(pair):
    @tf.function
    def run():
        def replica():
            context = tf.distribute.get_replica_context()
            number = tf.cast(context.replica_id_in_sync_group, tf.float32)
            return (replicas.gather(2 * number + tf.range(2.0)),
                    replicas.total([number + 1.0, None]))
        return pair.run(replica)
    rows, (total, nothing) = run()
    for value in pair.experimental_local_results(rows):
        np.testing.assert_array_equal(value, np.arange(4.0))
    assert [float(v) for v in pair.experimental_local_results(total)] == [3, 3]
    assert nothing is None
    assert replicas.count() == 1
    assert replicas.total([tf.constant(2.0)]) == [2.0]


def test_what_the_first_replica_has_is_everyones(pair):
    """Variables of several dtypes, and a decision."""
    with pair.scope():
        found = [keras.Variable([1.5, -2.0], dtype=dtype)
                 for dtype in ("float32", "float64")]
        found.insert(1, replication.Counter("counter"))
    for variable in found:
        first, second = variable.value.values
        second.assign(first + 7)
    replication.broadcast(found, pair)
    for variable in found:
        first, second = (copy.numpy() for copy in variable.value.values)
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(found[0].numpy(), [1.5, -2.0])
    assert replication.agreed(3, pair) == 3


def test_exact_kernels_draw_other_noise_on_every_replica(pair):
    @tf.function
    def run():
        def replica():
            kernel, target = Mala(0.5), oracles.standard_normal
            state = kernel.init(target, tf.zeros([3, 2]))
            return kernel.step(target, state, rng.make_seed(1)).position
        return pair.run(replica)
    one, two = pair.experimental_local_results(run())
    assert not np.any(np.equal(one, two) & np.not_equal(one, 0))


@pytest.mark.parametrize("on", ["one", "two"])
def test_several_steps_in_a_call_are_the_same_steps(on, pair):
    strategy = pair if on == "two" else tf.distribute.get_strategy()
    single, grouped = made("vae", strategy), made("vae", strategy)
    grouped.steps_per_execution = 3
    logs = [trained(model, 6) for model in (single, grouped)]
    for part in single.parts:
        for a, b in zip(single.variables_of(part), grouped.variables_of(part)):
            np.testing.assert_array_equal(a, b)
    assert int(single.step) == int(grouped.step) == 6
    assert len(logs[1]) == 2
    for name, value in logs[1][0].items():
        np.testing.assert_allclose(
            value, np.mean([row[name] for row in logs[0][:3]]), rtol=1e-5)


@pytest.mark.parametrize("on", ["one", "two"])
def test_the_end_of_the_data_leaves_no_half_step(on, pair):
    strategy = pair if on == "two" else tf.distribute.get_strategy()
    with strategy.scope():
        counter = replication.Counter("counter")

    def train_step(batch):
        counter.assign_add(1)  # Needs nothing of the batch.
        return {"mean": tf.reduce_mean(batch)}
    step = replication.train_function(train_step, strategy, num_steps=3)
    pieces = 5 * strategy.num_replicas_in_sync
    iterator = iter(strategy.distribute_datasets_from_function(
        lambda context: tf.data.Dataset.range(pieces).map(float).batch(1)))
    assert float(step(iterator)["mean"]) == (1 if on == "one" else 2.5)
    with pytest.raises(tf.errors.OutOfRangeError):
        step(iterator)
    assert int(counter) == 5


@pytest.mark.parametrize("on", ["one", "two"])
def test_nothing_is_traced_again(on, pair, monkeypatch, tmp_path):
    """Over epochs of the data, checkpoints and a second call of fit."""
    traces, step = [], EnergyModel.train_step
    monkeypatch.setattr(
        EnergyModel, "train_step",
        lambda self, batch: traces.append(1) or step(self, batch))
    strategy = pair if on == "two" else tf.distribute.get_strategy()
    with strategy.scope():
        model = build("vae", CASES["vae"][1], DATA, batch_size=BATCH)
    for last in (4, 7):
        fitting.fit(model, DATA, RunConfig(
            train_steps=last, workdir=str(tmp_path / "run"), log_every=1,
            checkpoint_every=2), verbose=False)
    assert len(traces) == strategy.num_replicas_in_sync
    assert int(model.step) == 7


@pytest.mark.parametrize("overflowing", [0, 1])
def test_an_overflow_on_one_replica_makes_all_skip(overflowing, pair):
    """And only that step: the noise and the data go on."""
    case = CASES["vae"][1]
    with pair.scope():
        model = build("vae", case, DATA, batch_size=BATCH,
                      precision="mixed_float16", loss_scale=8.0)
    x = np.array(DATA.x_train[:2 * BATCH])
    x[overflowing * 2:][:2] *= 3e4  # Rows of one replica, of the first batch.

    def piece(context):
        return tf.data.Dataset.from_tensor_slices({"x": x}).batch(
            2, drop_remainder=True)
    batches = iter(pair.distribute_datasets_from_function(piece))
    model.make_train_function()
    before = contract.weights(model)
    logs = model.train_function(batches)
    for part in model.parts:
        assert float(logs[f"skipped/{part}"]) == 1
        optimizer = model.optimizers[part]
        assert [float(v) for v in optimizer.dynamic_scale.value.values] == [
            4.0, 4.0]
        assert optimizer.iterations.numpy() == 0
        oracles.assert_nests_equal(
            before[f"part_{part}_0"], contract.weights(model)[f"part_{part}_0"])
    assert int(model.step) == 1
    logs = model.train_function(batches)
    for part in model.parts:
        assert float(logs[f"skipped/{part}"]) == 0
        assert model.optimizers[part].iterations.numpy() == 1
        for variable in model.variables_of(part):
            one, two = (copy.numpy() for copy in variable.value.values)
            assert np.all(np.isfinite(one))
            np.testing.assert_array_equal(one, two)
    assert int(model.step) == 2


def test_a_run_of_two_replicas_is_loaded_without_any(pair, tmp_path):
    with pair.scope():
        model = build("image", CASES["image, persistent"][1], DATA,
                      batch_size=BATCH)
    path = str(tmp_path / "run")
    fitting.fit(
        model, DATA, RunConfig(train_steps=2, workdir=path), verbose=False)
    from lebm_tf.training import loading
    loaded = loading.load(path)
    np.testing.assert_allclose(
        loaded.sample(5).x, model.sample(5).x, atol=1e-6)
    np.testing.assert_array_equal(
        loaded.banks[0].positions[0], model.banks[0].positions[0])
    assert keras.config.dtype_policy().name == "float32"
