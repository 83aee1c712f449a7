"""Inference of a model as graph functions, shared by notebooks and servers.

Seeds are int32 [2], or [rows, 2]; then row i depends on its own seed alone.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from lebm_tf.densities.targets import prior_target, tempered
from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position
from lebm_tf.samplers import Draws


class Samples(NamedTuple):
    """Samples of a model.

    Attributes:
        x: Decoded latents: g(z), float32 [num_samples, ...]; for sequences,
            tokens, int32 [num_samples, length].
        z: Latents, nest of [num_samples, ...].
        energy: E(z), float32 [num_samples], in nats; 0 without an energy.
    """
    x: Any
    z: Position
    energy: Any


class Score(NamedTuple):
    """Parts of log p(x, z) + log Z, averaged over posterior draws.

    Attributes:
        log_joint: log p(x | z) - E(z) + log p0(z), float32 [batch], in nats.
        log_likelihood: log p(x | z), float32 [batch].
        squared_error: |x - g(z)|^2, float32 [batch]; NaN where the likelihood
            has no mean.
        energy: E(z), float32 [batch].
        base_log_prob: log p0(z), float32 [batch].
    """
    log_joint: Any
    log_likelihood: Any
    squared_error: Any
    energy: Any
    base_log_prob: Any


def sample(model, num_samples, seed: rng.Seed, *, num_steps=None,
           temperature=1.0, condition=None, token_temperature=None,
           attribute=None) -> Samples:
    """Samples z by the prior chains and decodes it.

    Args:
        model: An `EnergyModel`.
        num_samples: Number of samples, int or int32 [].
        seed: Seed of the stream "sample".
        num_steps: Steps of the chains, int or int32 [num_samples]; default: as
            in training.
        temperature: Temperature T > 0 of the chains, which sample p(z)^(1/T);
            float [] or [num_samples].
        condition: Condition of the prior, nest of [num_samples, ...].
        token_temperature: Temperature > 0 of the tokens of sequences, float []
            or [num_samples]; default: that of the model.
        attribute: y of p(z | y), float [num_samples]; needs `model.attribute`.

    Returns:
        `Samples`.
    """
    batch = {} if condition is None else {"condition": condition}
    if attribute is not None:
        batch["attribute"] = attribute
    z = _draw(model, "generation", num_samples, batch, seed, num_steps,
              temperature).position
    x = decode(model, z, rng.stream(seed, "x"), condition=condition,
               token_temperature=token_temperature)
    return Samples(x, z, model.energy(z, condition))


def decode(model, z: Position, seed: rng.Seed, *, condition=None,
           token_temperature=None) -> Any:
    """Decodes latents; returns z itself without a likelihood.

    Args:
        model: An `EnergyModel`.
        z: Latents, nest of [batch, ...].
        seed: Seed of sampled tokens.
        condition, token_temperature: As in `sample`.

    Returns:
        g(z), float32 [batch, ...]; for sequences, tokens, int32 [batch,
        length].
    """
    if model.likelihood is None:
        return z
    heat = {} if token_temperature is None else {
        "temperature": token_temperature}
    return model.likelihood.decode(z, seed, condition=condition, **heat)


def infer(model, x, seed: rng.Seed, *, num_steps=None, condition=None
          ) -> Position:
    """Samples z from the posterior, one sample for each x.

    Args:
        model: An `EnergyModel`.
        x: Observations [batch, ...].
        seed: Seed of the stream "infer".
        num_steps, condition: As in `sample`.

    Returns:
        Latents, nest of [batch, ...].
    """
    batch = {"x": x} if condition is None else {
        "x": x, "condition": condition}
    rows = x.shape[0] if x.shape[0] is not None else tf.shape(x)[0]
    return _draw(model, "inference", rows, batch, seed, num_steps).position


def score(model, x, seed: rng.Seed, *, num_steps=None, condition=None
          ) -> Score:
    """Parts of log p(x, z) at one posterior sample; arguments as in `infer`."""
    z = infer(model, x, seed, num_steps=num_steps, condition=condition)
    log_likelihood, error = model.likelihood.explain(
        x, z, condition=condition)
    energy = model.energy(z, condition)
    log_prior = prior_target(model.prior, condition)(z)
    return Score(log_likelihood + log_prior, log_likelihood, error, energy,
                 log_prior + energy)


def translate(model, x, direction: str, seed: rng.Seed, *, num_steps=None,
              temperature=None) -> tuple:
    """Translates images between two domains.

    Args:
        model: An `EnergyModel` of two domains.
        x: Images [batch, height, width, channels].
        direction: "ab" or "ba".
        seed: Seed of the chains that revise translations.
        num_steps: As in `sample`.
        temperature: As in `sample`.

    Returns:
        The fields of `Translation`.
    """
    name = f"translate_{direction}"
    rows = x.shape[0] if x.shape[0] is not None else tf.shape(x)[0]
    drawn = _draw(model, name, rows, {"condition": x}, seed, num_steps,
                  temperature)
    prior = model.roles[name].prior
    return (drawn.position, drawn.start, prior.energy(drawn.position),
            prior.energy(drawn.start))


def line(start: Position, end: Position, fraction) -> Position:
    """(1 - t) start + t end; `fraction` is the number t."""
    return tf.nest.map_structure(
        lambda a, b: (1 - fraction) * a + fraction * b, start, end)


def _draw(model, name, num_rows, batch, seed, num_steps, temperature=None):
    role, draws, options = model.roles[name], Draws(batch), {}
    sampler, target = role.sampler, None
    if tf.is_tensor(num_steps):
        options["num_steps"] = num_steps
    elif num_steps is not None and num_steps != sampler.num_steps:
        sampler = sampler.with_steps(num_steps)
    if sampler.climbs:
        target = role.target(model, draws)
        if temperature is not None:
            target = tempered(target, temperature)
    with model.kernels_cast_once(role):
        return sampler.draw(target, num_rows, draws, seed, **options)
