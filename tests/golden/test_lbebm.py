"""The trajectory family against the authors' programs, number for number."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.evaluation.trajectories.metrics import nearest_plan_errors
from lebm_tf.families import ChainConfig, DataSpec, EnergyConfig, trajectory
from lebm_tf.mcmc import Langevin, rng, value_and_gradient
from lebm_tf.models import OptimizerConfig
from lebm_tf.samplers import ChainBank, Draws, NormalLike
from tests import oracles
from tests.golden.reference import (
    Injected, InjectedCode, Reference, assert_close, assert_gradients,
    assert_read, inject)

REFERENCE = Reference("lbebm")
LBEBM, CONFIG, SEED = REFERENCE.arrays, REFERENCE.config, rng.make_seed(0)
PAST, LATENT = CONFIG["past_length"], CONFIG["zdim"]
PASSES = ("sdd", "persistent", "eth")
# Adam divides gradients of any size by themselves: 1e-15 of a gradient of
# 1e-9 is 1e-6 of its update.
UPDATE = 1e-5
each_pass = pytest.mark.parametrize("name", PASSES)
each_trained = pytest.mark.parametrize("name", ["sdd", "eth"])


@pytest.fixture(autouse=True, scope="module")
def double_precision():
    with oracles.precision("float64"):
        yield
    lbebm_model.cache_clear()


def networks(model):
    """Our multilayer perceptron and their name of it, by part."""
    forecaster, context = model.likelihood.generator, model.context
    theirs = {"decoder": forecaster.decoder,
              "predictor": forecaster.predictor,
              "encoder_dest": forecaster.plan_encoder,
              "encoder_latent": model.encoder.network.network,
              "encoder_past": context.past}
    if context.num_pools:
        theirs.update(non_local_theta=context.theta,
                      non_local_phi=context.phi, non_local_g=context.value)
    return theirs


def dense_layers(model):
    """(our layer, their name of it, sign of theirs), by part."""
    rest = [(layer, f"{name}.layers.{i}", 1.0)
            for name, network in networks(model).items()
            for i, layer in enumerate((*network.layers, network.head))]
    energy = model.prior.energy_network.network
    # With one symbol our network is the energy, theirs minus it.
    sign = -1.0 if CONFIG["ny"] == 1 else 1.0
    return {"forecaster": rest, "energy": [
        (layer, f"EBM.{2 * i}", 1.0 if layer is not energy.head else sign)
        for i, layer in enumerate((*energy.layers, energy.head))]}


def expected(prefix, model, part):
    """Their arrays in the order of our variables."""
    arrays = {}
    for layer, name, sign in dense_layers(model)[part]:
        kernel, bias = REFERENCE.weights(prefix, name)
        arrays[id(layer.kernel)], arrays[id(layer.bias)] = (
            sign * kernel, sign * bias)
    return [arrays[id(variable)] for variable in model.variables_of(part)]


def make_model(name, **changes):
    c, is_eth = CONFIG, name == "eth"
    rate = OptimizerConfig(c["learning_rate"], beta_1=0.9)
    config = trajectory.TrajectoryConfig(
        latent_dim=LATENT, feature_dim=c["fdim"],
        plan_steps=tuple(c["sub_goal_indexes"]), base_scale=c["e_prior_sig"],
        num_symbols=c["ny"], prior=ChainConfig(
            c["e_l_steps_pcd" if name == "persistent" else "e_l_steps"],
            c["e_l_step_size"], start_scale=c["e_init_sig"]),
        energy=EnergyConfig((c["ebm_hidden"],) * 2),
        forecast=trajectory.ForecastConfig(
            past_units=tuple(c["enc_past_size"]),
            pooling_units=tuple(c["non_local_theta_size"]),
            pooling_seen_units=tuple(c["non_local_phi_size"]),
            pooling_value_units=tuple(c["non_local_g_size"]),
            pooling_dim=c["non_local_dim"],
            plan_units=tuple(c["enc_dest_size"]),
            encoder_units=tuple(c["enc_latent_size"]),
            decoder_units=tuple(c["dec_size"]),
            predictor_units=tuple(c["predictor_hidden_size"])),
        num_pools=0 if is_eth else c["nonlocal_pools"],
        plan_weight=c["dest_loss_coeff"],
        future_weight=c["future_loss_coeff"],
        kl_weight=c["eth_kld_coeff" if is_eth else "kld_coeff"],
        energy_optimizer=rate, forecaster_optimizer=rate, **changes)
    rows = len(LBEBM[f"{name}/noise/posterior"])
    model = trajectory.build(config, DataSpec(
        (c["future_length"], 2), rows, past_length=PAST,
        kind="trajectory"), batch_size=rows)
    for layers in dense_layers(model).values():
        for layer, theirs, sign in layers:
            layer.set_weights([
                sign * array for array in REFERENCE.weights("weights",
                                                            theirs)])
    inject(model, positive=InjectedCode(
        model.encoder, LBEBM[f"{name}/noise/posterior"]), negative=Injected(
            model.samplers["negative"].kernel,
            tf.constant(LBEBM[f"{name}/langevin/start"]),
            tf.constant(LBEBM[f"{name}/noise/langevin"])))
    return model


@functools.cache
def lbebm_model(name):
    """A model before the step; not to be trained."""
    return make_model(name)


def batch_of(name):
    """The batch that a pass took, with its groups."""
    if name == "eth":
        size = CONFIG["eth_batch"]
        xy = np.concatenate([LBEBM["eth/src"][:size, :, :2],
                             LBEBM["eth/trg"][:size, :, :2]], 1)
        xy = (xy - xy[:, PAST - 1:PAST]) * CONFIG["eth_data_scale"]
        group = np.zeros(size, np.int64)
    else:
        xy = LBEBM["sdd/train_batches"][0]
        group = np.argmax(LBEBM["sdd/mask"], axis=1)
    return {"x": tf.constant(xy[:, PAST:]), "given": {
        "past": tf.constant(xy[:, :PAST]), "group": tf.constant(group)}}


def drawn(name):
    model = lbebm_model(name)
    batch = model.conditioned(batch_of(name))
    return model, batch, model.draw(batch, SEED)


def test_features_and_social_pooling_are_theirs():
    context, given = lbebm_model("sdd").context, batch_of("sdd")["given"]
    condition = context(given)
    plain = condition["plain"]
    assert_close(plain, LBEBM["sdd/past_features"])
    for key, network in (("theta", context.theta), ("phi", context.phi),
                         ("g", context.value)):
        assert_close(network(plain), LBEBM[f"sdd/{key}"])
    assert_close(context.attention(plain, given["group"]),
                 LBEBM["sdd/attention_weights"])
    assert_close(context.attention(plain, tf.zeros_like(given["group"])),
                 LBEBM["sdd/attention_softmax"])
    assert_close(condition["pooled"], LBEBM["sdd/pooled"][-1])
    assert len(LBEBM["sdd/pooled"]) == context.num_pools


@each_pass
def test_context_plan_and_future_are_theirs(name):
    model, batch, _ = drawn(name)
    assert_close(batch["condition"]["pooled"], LBEBM[f"{name}/context"])
    mean, log_scale = model.encoder.parameters(
        batch["x"], condition=batch["condition"])
    assert_close(mean, LBEBM[f"{name}/out/mu"])
    assert_close(2.0 * log_scale, LBEBM[f"{name}/out/logvar"])
    plan, future = model.likelihood.generator.forecast(
        tf.constant(LBEBM[f"{name}/z_posterior"]), batch["condition"])
    assert_close(tf.reshape(plan, [len(plan), -1]), LBEBM[f"{name}/out/plan"])
    assert_close(tf.reshape(future, [len(plan), -1]),
                 LBEBM[f"{name}/out/future"])
    if name == "sdd":
        forecaster = model.likelihood.generator
        truth = forecaster.plan_of(batch["x"])
        assert_close(tf.reshape(truth, [len(plan), -1]), LBEBM["sdd/plan"])
        assert_close(forecaster.plan_features(truth),
                     LBEBM["sdd/plan_features"])
        assert_close(forecaster.plan_features(plan),
                     LBEBM["sdd/plan_features_generated"])


@each_pass
@pytest.mark.parametrize("where", ["start", "posterior", "end"])
def test_energies_potentials_and_their_gradients(name, where):
    model, batch, _ = drawn(name)
    z = tf.constant(LBEBM[f"{name}/z_posterior"] if where == "posterior" else
                    LBEBM[f"{name}/langevin/{where}"])
    energy, gradient = value_and_gradient(
        lambda z: model.prior.energy(z, condition=batch["condition"]), z)
    assert_close(energy, LBEBM[f"{name}/energy/{where}"])
    assert_close(gradient, LBEBM[f"{name}/energy_grad/{where}"])
    value, gradient = value_and_gradient(model.target("negative", batch), z)
    assert_close(-gradient, LBEBM[f"{name}/potential_grad/{where}"])
    assert_close(model.prior.energy_network.logits(z, batch["condition"]),
                 LBEBM[f"{name}/logits/{where}"])
    constant = value + LBEBM[f"{name}/potential/{where}"]
    np.testing.assert_allclose(constant, np.full(len(z), constant[0]),
                               rtol=0, atol=1e-9)


@each_pass
def test_chains_move_for_move(name):
    model, batch, _ = drawn(name)
    sampler = model.samplers["negative"]
    positions = sampler.positions(model.target("negative", batch), SEED)
    assert_close(tf.stack(positions), LBEBM[f"{name}/langevin/trajectory"])
    assert_close(positions[-1], LBEBM[f"{name}/langevin/end"])
    _, gradient = value_and_gradient(
        lambda z: model.prior.energy(z, condition=batch["condition"]),
        positions[-2])
    assert_close(tf.reduce_mean(tf.norm(gradient, axis=-1)),
                 LBEBM[f"{name}/langevin/last_grad_norm_mean"])
    given = {**batch, "condition": {
        **batch["condition"],
        "symbol": tf.constant(LBEBM[f"{name}/langevin/conditional_y"])}}
    assert_close(sampler.positions(model.target("negative", given), SEED)[-1],
                 LBEBM[f"{name}/langevin/conditional_end"])


@each_pass
def test_chains_start_where_theirs_do(name):
    """In noise while their memory fills up, then in what it holds; where they
    end is written over what is oldest."""
    starts, ends = (tf.constant(LBEBM[f"{name}/langevin/{place}"])
                    for place in ("start", "end"))
    after = LBEBM[f"{name}/replay_after"]
    size, rows = CONFIG["persistent_memory_size"], len(starts)

    class Noise:
        def sample(self, num_samples, seed):
            noise = tf.constant(LBEBM[f"{name}/noise/prior_start"])
            return tf.repeat(noise, -(-num_samples // rows), 0)[:num_samples]
    is_full = name == "persistent"
    base = NormalLike(lbebm_model(name).prior.base, CONFIG["e_init_sig"])
    bank = ChainBank(base if is_full else Noise(), size, is_queue=True)
    if is_full:
        bank.positions[0].assign(LBEBM["persistent/replay_before"])
        bank.written.assign(size)
        index = LBEBM["persistent/replay_index"]
        bank.rows = lambda *arguments: tf.constant(index)
        assert len(set(index)) == len(index)  # Without replacement.
    start = bank.start(rows, Draws({}), SEED)
    assert_close(start if is_full else CONFIG["e_init_sig"] * start,
                 starts.numpy())
    bank.update(Draws({}), ends, SEED)
    np.testing.assert_array_equal(bank.positions[0][:len(after)], after)
    assert int(bank.written) % size == LBEBM[f"{name}/replay_position"] % size


@each_pass
def test_losses_are_theirs(name):
    model, batch, draws = drawn(name)
    total, terms = model.objectives["forecast"](model, draws)
    contrast, _ = model.objectives["energy"](model, draws)
    plan_size, future_size = (
        2 * len(CONFIG["sub_goal_indexes"]), 2 * CONFIG["future_length"])
    theirs = {key: LBEBM[f"{name}/loss/{key}"] for key in (
        "plan_mse", "future_mse", "subgoal_mse", "kl", "contrastive",
        "total")}
    assert_close(terms["plan"] / plan_size, theirs["plan_mse"])
    assert_close(terms["future"] / future_size, theirs["future_mse"])
    assert_close(terms["consistency"] / plan_size, theirs["subgoal_mse"])
    assert_close(terms["kl"], theirs["kl"])
    assert_close(contrast, theirs["contrastive"])
    # The energy of z- is a constant for all but the energy network.
    assert_close(total + contrast - terms["encoded_energy"], theirs["total"])
    assert_close(contrast, LBEBM[f"{name}/out/contrastive"])
    for draw, sign in ((draws.positive, "positive"),
                       (draws.negative, "negative")):
        assert_close(tf.reduce_mean(model.prior.energy(
            draw.position, condition=batch["condition"])),
                     LBEBM[f"{name}/out/energy_{sign}_mean"])


def test_the_mean_reduction_is_the_sum_a_row():
    batch = batch_of("sdd")
    kl = []
    for reduction in ("sum", "mean"):
        model = make_model("sdd", kl_reduction=reduction)
        draws = model.draw(batch, SEED)
        kl.append(model.objectives["forecast"](model, draws)[1]["kl"])
    assert_close(kl[1] * len(batch["x"]), kl[0].numpy())


def test_rows_that_fill_a_batch_up_count_for_nothing():
    """The same losses and updates, whatever stands in those rows."""
    batch, model = batch_of("sdd"), make_model("sdd")
    num_rows = len(batch["x"])
    junk = {"x": 5.0 + batch["x"], "given": {
        "past": 3.0 - batch["given"]["past"],
        "group": tf.fill([num_rows], tf.constant(-1, tf.int64))}}
    filled = tf.nest.map_structure(
        lambda a, b: tf.concat([a, b], 0), batch, junk)
    filled["mask"] = tf.constant([1.0] * num_rows + [0.0] * num_rows)

    def twice(array, axis):
        return tf.concat([array, array], axis)
    encoded, chains = (model.samplers[role]
                       for role in ("positive", "negative"))
    inject(model, positive=InjectedCode(
        encoded.encoder, twice(encoded.noise, 0)), negative=Injected(
            chains.kernel, twice(chains.first, 0), twice(chains.noise, 1)))
    logs = model.train_step(filled)
    for ours, theirs, factor in (
            ("plan", "plan_mse", 2 * len(CONFIG["sub_goal_indexes"])),
            ("future", "future_mse", 2 * CONFIG["future_length"]),
            ("kl", "kl", 1), ("energy", "contrastive", 1)):
        assert_close(logs[f"loss/{ours}"] / factor,
                     LBEBM[f"sdd/loss/{theirs}"])
    assert_adam(model)


@each_trained
def test_gradients_of_all_parameters_are_theirs(name):
    model, _, chains = drawn(name)
    with tf.GradientTape(persistent=True) as tape:
        draws = model.draw(batch_of(name), SEED, tape)
        losses = {key: objective(model, draws)[0]
                  for key, objective in model.objectives.items()}
    for part, loss in (("forecaster", "forecast"), ("energy", "energy")):
        gradients = tape.gradient(losses[loss], model.variables_of(part))
        assert_gradients(gradients, expected(f"{name}/grad", model, part))


def assert_adam(model):
    """Biases after one step of the authors' one Adam over everything."""
    for layers in dense_layers(model).values():
        for layer, theirs, sign in layers:
            before = sign * LBEBM[f"weights/{theirs}.bias"]
            after = sign * LBEBM[f"sdd/after_adam/{theirs}.bias"]
            rate = CONFIG["learning_rate"]
            if theirs == "EBM.4" and CONFIG["ny"] == 1:
                # Its gradient is 0 up to rounding, of whose sign Adam makes a
                # whole step.
                assert np.max(np.abs(after - before)) <= 1.001 * rate
                continue
            np.testing.assert_allclose(
                (layer.bias.numpy() - before) / rate, (after - before) / rate,
                rtol=0, atol=UPDATE, err_msg=theirs)


def test_two_optimizers_update_as_their_one():
    model = make_model("sdd")
    model.train_step(batch_of("sdd"))
    assert_adam(model)


def forecasts(model, condition, prefix):
    """Plans [rows, draws, ...] and futures of the draws by their noise, with
    the un-pooled features of their `predict`."""
    starts, noise, z = (LBEBM[f"{prefix}/{key}"] for key in (
        "noise/prior_start", "noise/langevin", "z"))
    draws, rows, _ = starts.shape
    assert draws == CONFIG["best_of_n"]
    condition = {name: tf.tile(features, [draws, 1])
                 for name, features in condition.items()}
    chain = Injected(
        Langevin(CONFIG["e_l_step_size"]),
        tf.constant(CONFIG["e_init_sig"] * starts.reshape(-1, LATENT)),
        tf.constant(np.swapaxes(noise, 0, 1).reshape(
            noise.shape[1], -1, LATENT)))
    found = chain.draw(model.target("negative", {"condition": condition}),
                       draws * rows, {}, SEED).position
    assert_close(found, z.reshape(-1, LATENT))
    plans, futures = model.likelihood.generator.forecast(
        found, condition, "plain")
    assert_close(model.likelihood.decode(found, SEED, condition=condition),
                 futures.numpy())
    plans, futures = (np.reshape(array, [draws, rows, *array.shape[1:]])
                      for array in (plans, futures))
    assert_close(plans.reshape(draws, rows, -1), LBEBM[f"{prefix}/plans"])
    return np.swapaxes(plans, 0, 1), np.swapaxes(futures, 0, 1)


def test_predictions_of_their_test_are_theirs():
    model, scale = lbebm_model("sdd"), CONFIG["data_scale"]
    xy, raw = LBEBM["sdd/test_batches"][0], LBEBM["sdd/test_raw_xy"]
    assert_close((raw - raw[:, PAST - 1:PAST]) * scale, xy)
    condition = model.context({
        "past": tf.constant(xy[:, :PAST]),
        "group": tf.constant(np.argmax(LBEBM["sdd/mask"], axis=1))})
    plans, futures = forecasts(model, condition, "sdd/test")
    best, rows = LBEBM["sdd/test/best_index"], np.arange(len(xy))
    assert_close(futures[rows, best], LBEBM["sdd/test/predicted_future"])
    assert_close(plans[rows, best].reshape(len(xy), -1),
                 LBEBM["sdd/test/best_plan"])
    errors = nearest_plan_errors(
        futures / scale, xy[:, PAST:] / scale, plans / scale)
    assert_close(errors.ade.mean(), LBEBM["sdd/test/ade"])
    assert_close(errors.fde.mean(), LBEBM["sdd/test/fde"])


def test_predictions_of_their_other_test_are_theirs():
    """lbebm_eth.py: no companions, batches of windows."""
    model, scale = lbebm_model("eth"), CONFIG["eth_data_scale"]
    windows = np.concatenate([LBEBM["eth/src"][..., :2],
                              LBEBM["eth/trg"][..., :2]], 1)
    windows = (windows - windows[:, PAST - 1:PAST]) * scale
    found, size = [], CONFIG["eth_batch"]
    for i in range(-(-len(windows) // size)):
        xy = windows[i * size:(i + 1) * size]
        condition = model.context({
            "past": tf.constant(xy[:, :PAST]),
            "group": tf.zeros([len(xy)], tf.int64)})
        plans, futures = forecasts(model, condition, f"eth/test/batch{i}")
        found.append(nearest_plan_errors(
            futures / scale, xy[:, PAST:] / scale, plans / scale))
    for name in ("ade", "fde"):
        errors = np.concatenate([getattr(batch, name) for batch in found])
        assert_close(errors.mean(), LBEBM[f"eth/test/{name}"])


def test_every_key_of_the_model_is_read(request):
    assert_read(request, "lbebm")
