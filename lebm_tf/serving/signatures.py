"""Signatures of a served model: pure functions of their inputs and of one seed
per row, so that a row does not depend on the server's batch."""

import dataclasses
import functools
from typing import Any, Callable, Sequence

import numpy as np
import tensorflow as tf

from lebm_tf.densities import UnigramLikelihood
from lebm_tf.errors import InputError
from lebm_tf.mcmc import rng
from lebm_tf.models import EnergyModel, answers
from lebm_tf.models.roles import ANSWERS
from lebm_tf.serving import blocks, pictures, symbols
from lebm_tf.serving.config import ServingConfig
from lebm_tf.serving.rows import STATUS, Field, by_row

DEFAULT = "serving_default"
# Servers need no gradients; tracing them takes a third of an export.
_NO_GRADIENTS = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
SEED = Field(tf.int64, (), "Any integer; equal seeds give equal rows.")
ENERGY = Field(tf.float32, (), "E(z) in nats; 0 for a model without an energy.")
_STATUS = Field(tf.string, (), "Empty if the row is valid; otherwise an error "
                               "message, and the numbers of the row are NaN.")
SCORES = {
    "log_joint": Field(
        tf.float32, (), "log p(x, z) + log Z in nats at a posterior draw z: "
                        "high for normal observations, low for anomalies. "
                        "Average over rows of several seeds for less noise."),
    "log_likelihood": Field(tf.float32, (), "log p(x | z) in nats."),
    "squared_error": Field(tf.float32, (), "|x - g(z)|^2."),
    "energy": ENERGY,
    "base_log_prob": Field(tf.float32, (), "log p0(z) in nats.")}
_PIXELS = "in [-1, 1] (pixel / 127.5 - 1)"
_MOST_WORDS = 1e9
_RANGE_TOLERANCE = 1e-6  # For float32 rounding of that map.


@dataclasses.dataclass(frozen=True)
class Signature:
    """One function of a served model.

    Attributes:
        meaning: Description.
        inputs: Name -> field.
        outputs: Name -> field, including `status`.
        answer: The function.
    """
    meaning: str
    inputs: dict[str, Field]
    outputs: dict[str, Field]
    answer: Callable

    @functools.cached_property
    def function(self) -> Callable:
        """Its graph, for any number of rows."""
        return tf.function(self.answer, autograph=False
                           ).get_concrete_function(**{
                               name: field.spec(name)
                               for name, field in self.inputs.items()})


class Servable:
    """A model with its signatures.

    Args:
        model: A trained model.
        shape: Shape of one observation.
        config: Settings and limits.

    Raises:
        InputError: If the model is of sequences, which `TextServable` serves, a
            chain uses a kernel that does not support one seed per row, or a
            request is to set an option without a chain for it.
    """

    needs_mean = True
    may_be_empty: tuple[str, ...] = ()
    resources: Sequence[Any] = ()  # Tables that a SavedModel must track.

    def __init__(self, model: EnergyModel, shape: tuple[int, ...],
                 config: ServingConfig = ServingConfig()):
        if self.needs_mean and model.likelihood is not None and (
                not model.likelihood.has_mean):
            raise InputError(
                "export needs a likelihood with a mean, as of images, or the "
                "vocabulary of sequences, got tokens without a vocabulary.")
        for role in set(ANSWERS) & set(model.roles):
            sampler = model.roles[role].sampler
            if sampler.row_seeds_need():
                raise InputError(f"export needs {sampler.row_seeds_need()}.")
        self._model, self.config, self.shape = model, config, tuple(shape)
        # A variable, since `blocks.choose` tries the saved graphs.
        self.blocks = tf.Variable(
            sorted(config.row_blocks) or blocks.UNCHECKED, trainable=False,
            dtype=tf.int64, shape=[None], name="blocks")
        latents = self._latents()
        self.structure = tf.nest.map_structure(lambda _: 0, latents)
        leaves = tf.nest.flatten(latents)
        # Without a likelihood, draws are observations.
        stem = "z" if model.likelihood is not None else "x"
        names = [stem + str(i + 1) * (len(leaves) > 1)
                 for i in range(len(leaves))]
        self.latents = {name: Field(
            leaf.dtype, tuple(leaf.shape[1:]), "Latent variables.")
            for name, leaf in zip(names, leaves)}
        self.scores = {name: field for name, field in SCORES.items() if (
            name != "squared_error" or model.likelihood is None
            or model.likelihood.has_distance)}
        self.signatures = self._signatures()

    def save(self, path: str) -> None:
        """Writes a SavedModel: weights and graphs, without optimizers."""
        module = tf.Module(name="servable")
        module.weights = list(weights_of(self._model).values())
        module.resources = list(self.resources)
        module.blocks = self.blocks
        functions = {name: signature.function
                     for name, signature in self.signatures.items()}
        functions[DEFAULT] = next(iter(functions.values()))
        tf.saved_model.save(module, path, functions, _NO_GRADIENTS)

    def _latents(self):
        return self._model.generation.latents()

    def _signatures(self) -> dict[str, Signature]:
        draw, steps, made = self._made()
        if self.config.exposed and not {*draw, *steps} > {"seed"}:
            raise InputError(
                f"exposed {', '.join(self.config.exposed)} needs prior or "
                "posterior chains, got a model without.")
        return {name: self._signature(*parts) for name, parts in made.items()}

    def _made(self):
        """Inputs of draws, further inputs of posterior chains, and name ->
        (meaning, inputs, outputs, function) of all signatures."""
        seed, x, z = {"seed": SEED}, {"x": self._x(True)}, self.latents
        draw = {**seed, **self._exposed(self._model.generation, True)}
        mean, energy = {"x": self._x(False)}, {"energy": ENERGY}
        if self._model.likelihood is None:
            return draw, {}, {
                "sample": ("Draws of the model.", draw, {**z, **energy},
                           self.sample),
                "energy": ("E(x).", z, energy, self._energy)}
        steps = self._exposed(self._model.inference, False)
        points = self.config.num_points
        made = {
            "sample": ("Draws z of the learned prior, and g(z).",
                       draw, {**mean, **z, **energy}, self.sample),
            "infer": ("Posterior draws z of observations.",
                      {**x, **seed, **steps}, z, self._infer),
            "reconstruct": ("g(z) at a posterior draw z.",
                            {**x, **seed, **steps}, {**mean, **z},
                            self._reconstruct),
            "score": ("How normal an observation is.",
                      {**x, **seed, **steps}, self.scores, self._score),
            "decode": ("g(z).", z, mean, self._decode),
            "energy": ("E(z).", z, energy, self._energy),
            "interpolate": (
                "g along the line between posterior draws of two "
                "observations.",
                {"x_from": x["x"], "x_to": x["x"], **seed, **steps},
                {"x": Field(tf.float32, (points, *self.shape),
                            f"{points} points of the line, ends included.")},
                self._interpolate)}
        if pictures.is_picture(self.shape):
            png = {"png_bytes": pictures.Png(
                tf.string, (), "A PNG file of the model's size.",
                picture=self.shape)}
            made["sample_png"] = (
                "The same as sample, as PNG files.", draw,
                {"png_bytes": Field(tf.string, (), "A PNG file."),
                 **z, **energy}, self._sample_png)
            made["score_png"] = (
                "The same as score, of PNG files.", {**png, **seed, **steps},
                self.scores, lambda png_bytes, **rest: self._score(
                    png_bytes, **rest))
        made.update(symbols.signatures(
            self._model, seed, x, {**mean, **z, **energy}, self.sample))
        return draw, steps, made

    def _signature(self, meaning, inputs, outputs, compute):
        return Signature(
            meaning, dict(inputs), {**outputs, STATUS: _STATUS}, by_row(
                compute, inputs, outputs, self.config.max_batch,
                self.blocks, self.may_be_empty))

    def _x(self, bounded, example=None):
        if not pictures.is_picture(self.shape):
            if bounded and isinstance(self._model.likelihood,
                                      UnigramLikelihood):
                return Field(tf.float32, self.shape, "Counts of words.", 0,
                             _MOST_WORDS)
            return Field(tf.float32, self.shape, "An observation.")
        low, high = (-1.0, 1.0) if bounded else (None, None)
        return Field(tf.float32, self.shape, f"An image {_PIXELS}.", low,
                     high, _RANGE_TOLERANCE, example=example)

    def _exposed(self, sampler, is_prior):
        """Options of a sampler's chain, or of tokens, that a request sets."""
        config, fields = self.config, {}
        if sampler.climbs and sampler.has_own_steps and (
                not is_prior or self._model.has_energy):
            fields["num_steps"] = Field(
                tf.int32, (), f"Steps of the chain; {sampler.num_steps} as "
                              "trained.", 0, config.max_steps,
                example=min(sampler.num_steps, config.max_steps))
            if is_prior:
                fields["temperature"] = self._temperature(
                    "T of the chain's target log p / T.")
        if is_prior and not self.needs_mean:
            fields["token_temperature"] = self._temperature(
                "Token probabilities are raised to the power 1 / T.")
        return {name: field for name, field in fields.items()
                if name in config.exposed}

    def _temperature(self, meaning):
        low, high = self.config.min_temperature, self.config.max_temperature
        return Field(tf.float32, (), meaning, low, high, 1e-6 * high,
                     neutral=1, example=min(max(1, low), high))

    def sample(self, seed, num_steps=None, temperature=None,
               token_temperature=None, condition=None):
        """Draws of the prior, int64 [rows] -> {name: [rows, ...]}."""
        config = self.config
        if token_temperature is None and config.token_temperature:
            token_temperature = config.token_temperature
        if num_steps is None and config.sample_steps >= 0:
            num_steps = config.sample_steps
        drawn = answers.sample(
            self._model, tf.shape(seed)[0],
            rng.stream(rng.make_seed(seed), "sample"), num_steps=num_steps,
            temperature=config.temperature if temperature is None
            else temperature, token_temperature=token_temperature,
            condition=condition)
        return {**self._named(drawn.z), "energy": drawn.energy, **(
            {} if self._model.likelihood is None else {"x": drawn.x})}

    def _sample_png(self, **inputs):
        drawn = self.sample(**inputs)
        return {"png_bytes": pictures.encode(drawn.pop("x")), **drawn}

    def _infer(self, x, seed, num_steps=None):
        return self._named(self._posterior(answers.infer, x, seed, num_steps))

    def _reconstruct(self, x, seed, num_steps=None):
        z = self._posterior(answers.infer, x, seed, num_steps)
        return {"x": self._model.likelihood.mean(z), **self._named(z)}

    def _score(self, x, seed, num_steps=None):
        scores = self._posterior(
            answers.score, x, seed, num_steps)._asdict()
        return {name: scores[name] for name in self.scores}

    def _interpolate(self, x_from, x_to, seed, num_steps=None):
        start, end = (self._posterior(answers.infer, x, seed, num_steps)
                      for x in (x_from, x_to))
        lines = [self._model.likelihood.mean(answers.line(start, end, t))
                 for t in np.linspace(0, 1, self.config.num_points,
                                      dtype=np.float32)]
        return {"x": tf.stack(lines, 1)}

    def _decode(self, **z):
        return {"x": self._model.likelihood.mean(self._nest(z))}

    def _energy(self, **z):
        return {"energy": self._model.energy(self._nest(z))}

    def _posterior(self, answer, x, seed, num_steps):
        if num_steps is None and self.config.infer_steps >= 0:
            num_steps = self.config.infer_steps
        return answer(self._model, x,
                      rng.stream(rng.make_seed(seed), "infer"),
                      num_steps=num_steps)

    def _named(self, z):
        return dict(zip(self.latents, tf.nest.flatten(z)))

    def _nest(self, named):
        return tf.nest.pack_sequence_as(
            self.structure, [named[name] for name in self.latents])


def answering_layers(model: EnergyModel) -> list:
    """The layers needed for serving, without optimizers and banks."""
    layers = [model.prior, model.likelihood, model.encoder, model.context]
    for part in (*model.parts.values(), model.fitted):
        layers += part
    for role in model.roles.values():
        layers += [role.prior, *role.sampler.layers]
    return [layer for layer in layers if layer is not None]


def weights_of(model: EnergyModel) -> dict[str, tf.Variable]:
    """Name -> variable of all layers needed for serving."""
    found = {id(v): v for layer in answering_layers(model)
             for v in layer.variables}
    return {f"{i}/{v.path}": v.value for i, v in enumerate(found.values())}
