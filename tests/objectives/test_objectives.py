"""Losses against their closed forms."""

from types import SimpleNamespace

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from lebm_tf.densities import (
    ConditionalGaussian, EnergyPrior, GaussianLikelihood, GaussianMixture,
    StandardNormal)
from lebm_tf.mcmc import replicas, rng
from lebm_tf.mcmc.kernel import initial_state
from lebm_tf.networks import EnergyMLP
from lebm_tf.objectives import (
    EnergyContrast, FreeBits, ImportanceContrast, MaskedKL, Objective,
    encoder_teaching, energy_contrast, energy_magnitude, gaussian_kl,
    kl_to_prior, negative_log_likelihood, once_fitted, prior_contrast,
    squared_error)
from lebm_tf.samplers import Draw, Draws, Encoded
from tests import oracles

tfd = tfp.distributions
WEIGHT = np.linspace(-1.0, 1.0, 6).reshape(2, 3)
FACTOR, ROWS = 0.7, 5


def numbers(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape),
                       tf.float32)


def draw_at(z) -> Draw:
    return Draw(z, initial_state(z))


def make_model(factor=FACTOR):
    base = StandardNormal(2)
    return SimpleNamespace(
        prior=EnergyPrior(base, oracles.QuadraticEnergy(factor)),
        likelihood=GaussianLikelihood(
            oracles.LinearGenerator(WEIGHT, np.zeros(3)), 0.5),
        encoder=ConditionalGaussian(oracles.LinearEncoder(3, 2)))


X, POSITIVE, NEGATIVE = numbers(ROWS, 3), numbers(ROWS, 2, seed=1), \
    numbers(ROWS, 2, seed=2)
DRAWS = Draws({"x": X}, {"positive": draw_at(POSITIVE),
                         "negative": draw_at(NEGATIVE)})


def encoded_draws(model, x, seed):
    draws = Draws({"x": x})
    return draws.with_states(positive=Encoded(model.encoder).draw(
        None, len(x), draws, rng.make_seed(seed)))


def posterior(model):
    mean, log_scale = model.encoder.parameters(X)
    return tfd.MultivariateNormalDiag(mean, tf.exp(log_scale))


def test_the_contrast_is_positive_energy_minus_negative_energy():
    expected = 0.5 * FACTOR * np.mean(
        np.sum(POSITIVE**2, -1) - np.sum(NEGATIVE**2, -1))
    np.testing.assert_allclose(
        energy_contrast(make_model(), DRAWS), expected, rtol=1e-5)


def test_the_prior_contrast_adds_the_base():
    expected = 0.5 * (1 + FACTOR) * np.mean(
        np.sum(POSITIVE**2, -1) - np.sum(NEGATIVE**2, -1))
    np.testing.assert_allclose(
        prior_contrast(make_model(), DRAWS), expected, rtol=1e-5)


def test_the_magnitude_is_the_mean_square_of_both_energies():
    energies = [0.5 * FACTOR * np.sum(z**2, -1) for z in (POSITIVE, NEGATIVE)]
    np.testing.assert_allclose(
        energy_magnitude(make_model(), DRAWS),
        sum(np.mean(e**2) for e in energies), rtol=1e-5)


def test_contrasts_see_the_condition_of_the_batch():
    condition = numbers(ROWS, 2, seed=3)
    draws = DRAWS._replace(batch={"x": X, "condition": condition})
    expected = 0.5 * FACTOR * np.mean(
        np.sum((POSITIVE - condition)**2, -1)
        - np.sum((NEGATIVE - condition)**2, -1))
    np.testing.assert_allclose(
        energy_contrast(make_model(), draws), expected, rtol=1e-5)
    base = 0.5 * np.mean(np.sum(POSITIVE**2, -1) - np.sum(NEGATIVE**2, -1))
    np.testing.assert_allclose(
        prior_contrast(make_model(), draws), base + expected, rtol=1e-5)


def test_reconstruction_sums_over_elements_and_averages_over_the_batch():
    model = make_model()
    error = np.mean(np.sum((X - POSITIVE @ np.float32(WEIGHT))**2, -1))
    np.testing.assert_allclose(
        squared_error(model, DRAWS), error, rtol=1e-5)
    constant = 3 * np.log(0.5 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(
        negative_log_likelihood(model, DRAWS), error / 0.5 + constant,
        rtol=1e-5)


def test_the_gaussian_kl_is_that_of_tfp():
    model = make_model()
    expected = tfd.kl_divergence(
        posterior(model), tfd.MultivariateNormalDiag(tf.zeros(2)))
    np.testing.assert_allclose(
        gaussian_kl(model, DRAWS.with_states(positive=DRAWS.positive._replace(
            encoded=model.encoder.parameters(X)))), np.mean(expected),
        rtol=1e-5)


def test_the_kl_to_a_wider_base_is_that_of_tfp():
    mean, log_scale = (np.float32(rng.normal([4, 3], rng.make_seed(i)))
                       for i in (3, 4))
    draws = Draws({}, {"positive": Draw(
        None, SimpleNamespace(position=None), (mean, log_scale))})
    expected = tfp.distributions.Normal(mean, np.exp(log_scale)).kl_divergence(
        tfp.distributions.Normal(0.0, 2.0)).numpy().sum(1).mean()
    for term in (FreeBits(base_scale=2.0), MaskedKL(base_scale=2.0)):
        np.testing.assert_allclose(term(None, draws), expected, rtol=1e-5)


def test_the_sampled_kl_averages_to_the_closed_form():
    """KL(q || N(0, 1/(1 + c))) - log Z with Z = (1 + c)^(-d/2)."""
    model, rows = make_model(), 4000
    x = tf.tile(X, [rows, 1])
    draws = encoded_draws(model, x, 0)
    exact = np.mean(tfd.kl_divergence(posterior(model), tfd.
                    MultivariateNormalDiag(tf.zeros(2), tf.fill(
                        [2], (1 + FACTOR)**-0.5))))
    constant = np.log(1 + FACTOR)  # -log Z for d = 2.
    z = draws.positive.position
    terms = model.encoder.log_prob(z, x) \
        - model.prior.unnormalized_log_prob(z)
    error = np.std(terms) / (ROWS * rows)**0.5
    value = float(kl_to_prior(model, draws))
    assert abs(value - (exact + constant)) < 5 * error


def test_the_gradient_of_the_sampled_kl_is_that_of_the_closed_form():
    """Through the draw too, so the encoder must be differentiable in it. Of
    independent repeats, whose scatter gives the standard error."""
    model, rows, repeats = make_model(0.0), 400, 20
    x = tf.tile(X, [rows, 1])
    variables = model.encoder.trainable_variables
    sampled, exact = [], []
    for repeat in range(repeats):
        with tf.GradientTape(persistent=True) as tape:
            draws = encoded_draws(model, x, repeat)
            values = kl_to_prior(model, draws), gaussian_kl(model, draws)
        for found, value in zip((sampled, exact), values):
            found.append(np.concatenate([np.reshape(slope, -1) for slope in
                                         tape.gradient(value, variables)]))
    error = np.std(sampled, 0, ddof=1) / repeats**0.5
    assert np.all(error < 0.05)
    assert np.all(np.abs(np.mean(sampled, 0) - exact[0]) < 5 * error + 1e-5)


def test_teaching_is_the_encoders_surprise_at_the_refined_states():
    model = make_model()
    expected = -np.mean(posterior(model).log_prob(POSITIVE))
    np.testing.assert_allclose(
        encoder_teaching(model, DRAWS), expected, rtol=1e-5)


def test_teaching_does_not_move_the_states():
    model, z = make_model(), tf.Variable(POSITIVE)
    with tf.GradientTape() as tape:
        loss = encoder_teaching(
            model, DRAWS.with_states(positive=draw_at(1.0 * z)))
    assert tape.gradient(loss, z) is None


def test_an_objective_is_the_weighted_sum_of_its_terms():
    objective = Objective(
        ("a",), {"one": lambda model, draws: tf.constant(2.0),
                 "two": lambda model, draws: tf.constant(5.0)}, {"two": 0.1})
    total, terms = objective(None, None)
    np.testing.assert_allclose(total, 2.5)
    assert {name: float(v) for name, v in terms.items()} == {
        "one": 2.0, "two": 5.0}


def test_a_weight_of_no_term_is_refused():
    with oracles.raises(ValueError, "weights must name terms in "
                        "reconstruction, got kl."):
        Objective(("a",), {"reconstruction": squared_error}, {"kl": 0.1})


def test_importance_contrast_is_the_negative_log_likelihood():
    """Of N(0, I) and E = f |z|^2 / 2: log Z = -log(1 + f), in two dimensions,
    and its derivative."""
    model, factor = make_model(), 0.7
    base = draw_at(StandardNormal(2).sample(200_000, rng.make_seed(3)))
    draws = DRAWS.with_states(base=base)
    with tf.GradientTape() as tape:
        value = ImportanceContrast()(model, draws)
    gradient = tape.gradient(value, model.prior.energy_network.factor)
    half_square = 0.5 * float(np.mean(np.sum(POSITIVE**2, -1)))
    np.testing.assert_allclose(
        value, factor * half_square - np.log1p(factor), atol=0.01)
    np.testing.assert_allclose(
        gradient, half_square - 1 / (1 + factor), atol=0.01)


def test_importance_contrast_of_two_replicas_is_that_of_one(two_replicas):
    model = make_model()
    base = StandardNormal(2).sample(60, rng.make_seed(3))

    def gradient(z0):
        draws = DRAWS.with_states(base=draw_at(z0))
        with tf.GradientTape() as tape:
            value = ImportanceContrast()(model, draws)
        # As `EnergyModel` takes shares and sums.
        found = tape.gradient(value, model.prior.energy_network.factor)
        return value, replicas.total([found / replicas.count()])[0]

    def half():
        own = tf.distribute.get_replica_context().replica_id_in_sync_group
        return gradient(base[own * 30:(own + 1) * 30])
    expected = gradient(base)
    found = tf.function(lambda: two_replicas.run(half))()
    for one, several in zip(expected, found):
        for value in two_replicas.experimental_local_results(several):
            np.testing.assert_allclose(value, one, rtol=1e-5)


def test_a_term_waits_until_its_base_is_fitted():
    base = GaussianMixture(2)
    term = once_fitted(base, energy_contrast)
    assert float(term(make_model(), DRAWS)) == 0
    base.fit(np.asarray(POSITIVE), 0, 0)
    assert term(make_model(), DRAWS) == energy_contrast(make_model(), DRAWS)


def test_dropout_of_the_energy_is_of_its_loss_alone():
    model = SimpleNamespace(prior=EnergyPrior(
        StandardNormal(2), EnergyMLP(2, (300,))))
    first, second = (DRAWS._replace(seed=rng.make_seed(seed))
                     for seed in (0, 1))
    term = EnergyContrast(dropout=0.5)
    plain = float(energy_contrast(model, first))
    assert float(term(model, DRAWS)) == plain  # Nothing is trained.
    assert float(term(model, first)) == float(term(model, first)) != plain
    assert float(term(model, first)) != float(term(model, second))
    # A mask of mean 1 on the last hidden layer leaves the mean as it is.
    values = [float(term(model, DRAWS._replace(seed=rng.make_seed(seed))))
              for seed in range(300)]
    error = np.std(values) / len(values)**0.5
    assert abs(np.mean(values) - plain) < 5 * error
