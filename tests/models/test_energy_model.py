"""The one train step, on models small enough to compute by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import (
    ConditionalGaussian, EnergyPrior, GaussianLikelihood, StandardNormal)
from lebm_tf.mcmc import Langevin, Mala, rng
from lebm_tf.models import EnergyModel
from lebm_tf.objectives import (
    Objective, encoder_teaching, energy_contrast, gaussian_kl,
    negative_log_likelihood, squared_error)
from lebm_tf.samplers import Encoded, FromBase, FromData, ShortRun
from tests import oracles

WEIGHT = np.array([[1.0, -0.5, 0.3], [0.2, 0.8, -1.0]])
X = np.random.default_rng(0).normal(size=[6, 3]).astype(np.float32)


def pieces():
    base = StandardNormal(2)
    prior = EnergyPrior(base, oracles.QuadraticEnergy(0.5))
    likelihood = GaussianLikelihood(
        oracles.LinearGenerator(WEIGHT, np.zeros(3)), 0.8)
    encoder = ConditionalGaussian(oracles.LinearEncoder(3, 2))
    return base, prior, likelihood, encoder


def make_model(objectives=None, seed=0, rate=0.1, updates=None, turns=(),
               **changes):
    base, prior, likelihood, encoder = pieces()
    parts = {"energy": prior.energy_network, "generator": likelihood}
    objectives = objectives or {
        "energy": Objective(("energy",), {"energy": energy_contrast}),
        "generator": Objective(("generator",), {"fit": squared_error})}
    if any("encoder" in o.parts for o in objectives.values()):
        parts["encoder"] = encoder
    roles = {
        "positive": ShortRun(FromBase(base), Langevin(0.2), 3),
        "negative": ShortRun(FromBase(base), Langevin(0.4), 4), **changes}
    if roles["positive"] == "encoded":
        roles["positive"] = Encoded(encoder)
    model = EnergyModel(
        prior=prior, likelihood=likelihood, encoder=encoder, parts=parts,
        objectives=objectives, seed=seed, roles=roles, updates=updates,
        turns=turns)
    model.compile({part: keras.optimizers.SGD(rate) for part in parts})
    return model


def values(model):
    return {part: [v.numpy() for v in model.variables_of(part)]
            for part in model.parts}


def test_the_energy_descends_the_contrast_of_its_own_chains():
    """dE/dq = |z|^2 / 2, so the step is known once the chains are."""
    model = make_model()
    batch = {"x": tf.constant(X)}
    draws = model.draw(batch, rng.fold_in(rng.make_seed(0), 0))
    gradient = 0.5 * np.mean(
        np.sum(draws.positive.position**2, -1)
        - np.sum(draws.negative.position**2, -1))
    logs = model.train_step(batch)
    np.testing.assert_allclose(
        values(model)["energy"][0], 0.5 - 0.1 * gradient, rtol=1e-5)
    np.testing.assert_allclose(
        logs["gradient_norm/energy"], abs(gradient), rtol=1e-5)
    np.testing.assert_allclose(
        logs["loss/energy"], 0.5 * gradient, rtol=1e-5)


def test_parts_of_the_same_objectives_share_one_way_back():
    """Two would both run where the way back is a loop."""
    ways = []

    @tf.custom_gradient
    def watched(x):
        def gradient(upstream):
            ways.append(upstream)
            return upstream
        return tf.identity(x), gradient

    def fit(model, draws):
        return watched(squared_error(model, draws))

    def steps(objectives):
        model = make_model(objectives, positive="encoded")
        ways.clear()
        logs = model.train_step({"x": tf.constant(X)})
        return len(ways), values(model), logs["gradient_norm/encoder"]

    energy = Objective(("energy",), {"energy": energy_contrast})
    number, shared, norm = steps({
        "energy": energy,
        "fit": Objective(("generator", "encoder"), {"fit": fit})})
    assert number == 1 and norm > 0
    number, alone, _ = steps({
        "energy": energy, "fit": Objective(("generator",), {"fit": fit}),
        "again": Objective(("encoder",), {"again": fit})})
    assert number == 2
    oracles.assert_nests_equal(shared, alone)


def test_the_generator_descends_the_error_at_its_own_chains():
    model = make_model()
    batch = {"x": tf.constant(X)}
    z = np.asarray(model.draw(
        batch, rng.fold_in(rng.make_seed(0), 0)).positive.position)
    gradient = 2 * z.T @ (z @ WEIGHT.astype(np.float32) - X) / len(X)
    model.train_step(batch)
    np.testing.assert_allclose(
        values(model)["generator"][0], WEIGHT - 0.1 * gradient, rtol=1e-4,
        atol=1e-5)


def test_both_chains_see_the_parameters_from_before_the_update():
    """The order of the parts makes no difference."""
    model, twin = make_model(), make_model()
    twin.optimizers = dict(reversed(twin.optimizers.items()))
    for m in (model, twin):
        m.train_step({"x": tf.constant(X)})
    oracles.assert_nests_equal(values(model), values(twin))


def test_a_part_of_two_objectives_descends_their_weighted_sum():
    terms = {"fit": negative_log_likelihood, "kl": gaussian_kl}
    together = make_model({
        "energy": Objective(("energy",), {"energy": energy_contrast}),
        "bound": Objective(("generator", "encoder"), terms, {"kl": 0.3})},
        positive="encoded")
    apart = make_model({
        "energy": Objective(("energy",), {"energy": energy_contrast}),
        "fit": Objective(("generator", "encoder"),
                         {"fit": negative_log_likelihood}),
        "kl": Objective(("encoder",), {"kl": gaussian_kl}, {"kl": 0.3})},
        positive="encoded")
    before = values(together)
    for model in (together, apart):
        tf.function(model.train_step)({"x": tf.constant(X)})
    for part in before:
        for a, b, c in zip(before[part], values(together)[part],
                           values(apart)[part]):
            assert np.any(a != b)
            np.testing.assert_allclose(b, c, rtol=1e-5, atol=1e-6)


def test_an_objective_moves_only_the_parts_it_names():
    """Teaching sees the generator through its chains, and leaves it."""
    model = make_model({
        "energy": Objective(("energy",), {"energy": energy_contrast}),
        "generator": Objective(("generator",), {
            "nothing": lambda model, draws: 0.0 * squared_error(
                model, draws)}),
        "encoder": Objective(("encoder",), {"teach": encoder_teaching})})
    before = values(model)
    model.train_step({"x": tf.constant(X)})
    oracles.assert_nests_equal(before["generator"], values(model)["generator"])
    assert np.any(before["encoder"][0] != values(model)["encoder"][0])


@pytest.mark.parametrize("turns, last", [
    ((), 3.0), ((("energy", "generator"),), 3.0),
    ((("energy",), ("generator",)), 1.0), ((("generator",), ("energy",)), 3.0)])
def test_parts_take_turns_and_a_later_one_sees_what_an_earlier_did(
        turns, last):
    """q goes from 0.5 to 1; the bias descends (4 q - 5) b: by 3 or 1."""
    _, prior, likelihood, _ = pieces()
    factor, bias = prior.energy_network.factor, likelihood.generator.bias
    bias.assign(tf.ones([3]))
    parts = {"energy": prior.energy_network, "generator": likelihood}
    model = EnergyModel(
        prior=prior, likelihood=likelihood, parts=parts, turns=turns,
        objectives={
            "energy": Objective(("energy",), {
                "half": lambda model, draws: -0.5 * factor}),
            "generator": Objective(("generator",), {
                "product": lambda model, draws: tf.reduce_sum(
                    (4.0 * factor - 5.0) * bias)
                + 0.0 * tf.reduce_sum(likelihood.generator.weight)})},
        roles={"positive": ShortRun(FromBase(prior.base), Langevin(0.2), 1),
               "negative": ShortRun(FromBase(prior.base), Langevin(0.2), 1)})
    model.compile({part: keras.optimizers.SGD(1.0) for part in parts})
    logs = model.train_step({"x": tf.constant(X)})
    assert {"loss/half", "loss/product", "gradient_norm/energy",
            "gradient_norm/generator"} <= set(logs)
    np.testing.assert_allclose(factor, 1.0)
    np.testing.assert_allclose(bias, [1.0 + last] * 3)
    assert [int(o.iterations) for o in model.optimizers.values()] == [1, 1]


def test_a_step_is_a_function_of_seed_and_step():
    batch = {"x": tf.constant(X)}
    first, later, other = make_model(), make_model(), make_model(seed=1)
    later.step.assign(1)
    logs = [m.train_step(batch)["positive/displacement"]
            for m in (first, make_model(), later, other)]
    assert logs[0] == logs[1]
    assert len({float(value) for value in logs}) == 3


def test_positive_and_negative_chains_have_their_own_noise():
    model = make_model()
    draws = model.draw({"x": tf.constant(X)}, rng.make_seed(0))
    assert not np.any(np.equal(draws.positive.start, draws.negative.start))


def test_no_chain_runs_inside_the_tape():
    """Its steps would stay in memory, `stop_gradient` or not: a longer chain
    must not make a longer graph behind it."""
    def accumulators(num_steps):
        chains = ShortRun(FromBase(StandardNormal(2)), Langevin(0.2),
                          num_steps)
        step = tf.function(make_model(positive=chains).train_step)
        graph = step.get_concrete_function({"x": tf.constant(X)}).graph
        return sum("TensorList" in op.type for op in graph.get_operations())
    assert accumulators(3) == 0


def test_a_short_run_of_a_trained_model_finds_the_data():
    """Maximum likelihood on x = z w + noise: w comes to the first principal
    axis, as long as sqrt(its variance - s^2) (Tipping and Bishop 1999)."""
    random = np.random.default_rng(1)
    x = (random.normal(size=[400, 1]) @ [[1.5, -1.0]]
         + 0.5 * random.normal(size=[400, 2])).astype(np.float32)
    base = StandardNormal(1)
    likelihood = GaussianLikelihood(
        oracles.LinearGenerator([[0.3, 0.3]], np.zeros(2)), 0.5)
    chains = ShortRun(FromBase(base), Mala(0.3), 60)
    model = EnergyModel(
        prior=base, likelihood=likelihood, parts={"generator": likelihood},
        objectives={"generator": Objective(
            ("generator",), {"fit": negative_log_likelihood})},
        roles={"positive": chains, "generation": ShortRun(
            FromBase(base), Langevin(1.), 0)})
    model.compile({"generator": keras.optimizers.SGD(0.03)})
    step = tf.function(model.train_step)
    weights = []
    for _ in range(200):
        step({"x": tf.constant(x)})
        weights.append(likelihood.generator.weight.numpy()[0])
    variances, axes = np.linalg.eigh(x.T @ x / 400)
    best = (variances[-1] - 0.25)**0.5 * axes[:, -1]
    best *= np.sign(best @ weights[-1])
    error = np.std(weights[100:], 0)  # Of one iterate, with its noise.
    assert np.all(error < 0.05)
    assert np.all(np.abs(weights[-1] - best) < 5 * error)


@pytest.mark.parametrize("changes,message", [
    ({"objectives": {"a": Objective(("enrgy",), {"a": squared_error})}},
     "objective 'a' must name parts in energy, generator, got enrgy."),
    ({"updates": {"encoder": 3}},
     "updates must name parts in energy, generator, got encoder."),
    ({"updates": {"energy": 0}}, "updates must be >= 1, got 0 for energy."),
    ({"turns": (("energy",), ("encoder",))},
     "turns must name each of energy, generator once, got energy, encoder."),
    ({"turns": (("energy",), ("generator",)), "updates": {"energy": 2}},
     "updates must be left out with several turns, got energy."),
    ({"other": ShortRun(FromBase(StandardNormal(2)), Langevin(0.2), 3)},
     "role 'other' must have a target, because its sampler runs chains; "
     "got none.")])
def test_pieces_that_do_not_fit_are_refused(changes, message):
    with oracles.raises(ValueError, message):
        make_model(**changes)


def test_a_role_without_chains_has_no_target():
    model = make_model(other=FromData())
    with oracles.raises(ValueError, "role 'other' has no target, because its "
                        "sampler runs no chains."):
        model.target("other", {})


def test_every_part_needs_an_optimizer_and_no_other():
    model = make_model()
    with oracles.raises(ValueError, "optimizers must be given for the parts "
                        "energy, generator, got energy."):
        model.compile({"energy": keras.optimizers.SGD()})
