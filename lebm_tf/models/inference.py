"""Inference with a trained model: sample, infer, reconstruct and score."""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position
from lebm_tf.models import answers
from lebm_tf.models.answers import Samples, Score
from lebm_tf.models.batching import in_batches
from lebm_tf.models.doors import Doors
from lebm_tf.samplers import Draws, Sampler


class Transition(NamedTuple):
    """States of prior chains on their way from the base.

    Attributes:
        steps: Number of steps at each record, int [records].
        x: Decoded latents, [records, chains, ...].
        z: Latents, nest of [records, chains, ...].
        energy: E(z), float32 [records, chains], in nats.
        log_prob: log p0(z) - E(z), float32 [records, chains].
    """
    steps: np.ndarray
    x: np.ndarray
    z: Position
    energy: np.ndarray
    log_prob: np.ndarray


class LatentInference(Doors):
    """Inference methods of a model with a prior, a likelihood and two samplers.

    All methods take a Python int as seed and return the same numbers for the
    same seed. They work in batches of `inference_batch` rows, so memory is
    bounded and row i of a longer result equals row i of a shorter one.
    """

    def sample(self, num_samples: int, seed: int = 0, *,
               num_steps: int | None = None, temperature: float = 1.0,
               condition=None, token_temperature: float | None = None,
               attribute: float | None = None) -> Samples:
        """Samples z by the prior chains and decodes it.

        Args:
            num_samples: Number of samples, at least 1.
            seed: Any int.
            num_steps: Steps of the chains; default: as in training. 0 samples
                the base p0.
            temperature: Temperature T > 0 of the chains, which sample
                p(z)^(1/T).
            condition: Condition of the prior, nest of [num_samples, ...]; for a
                model with a `context`, the output of that layer.
            token_temperature: Temperature > 0 of the tokens of sequences;
                default: that of the model. Low values favour probable tokens.
            attribute: y of p(z | y), for a model with an attribute.

        Returns:
            `Samples`.

        Raises:
            ValueError: If an argument is out of range, or a required condition
                is missing.
        """
        self._check_condition(condition)
        if num_samples < 1:
            raise ValueError(f"num_samples must be >= 1, got {num_samples}.")
        if not temperature > 0:
            raise ValueError(f"temperature must be > 0, got {temperature}.")
        if num_steps is not None and num_steps < 0:
            raise ValueError(f"num_steps must be >= 0, got {num_steps}.")
        if num_steps and not self.has_energy:
            raise ValueError("num_steps needs a prior with an energy, got "
                             f"{num_steps} for a base alone.")
        if num_steps and not self.generation.climbs:
            raise ValueError(f"num_steps needs prior chains, got {num_steps} "
                             "for a model that samples by a flow alone.")
        if token_temperature is not None and not (
                self.likelihood is not None and token_temperature > 0
                and self.likelihood.has_temperature):
            raise ValueError("token_temperature must be > 0 and needs a model "
                             f"of sequences, got {token_temperature}.")
        if attribute is not None:
            self._needs_attribute()
        steps = self.generation.num_steps if num_steps is None else num_steps
        step = self._compiled("sample", self._sample_batch, steps)
        heats = tuple(None if heat is None else tf.constant(
            heat, keras.config.floatx())
            for heat in (temperature, token_temperature, attribute))

        def batch(seed, rows, *inputs):
            return step(rng.stream(seed, "sample"), *heats, *inputs)
        inputs = () if condition is None else (condition,)
        return Samples(*in_batches(
            batch, num_samples, self.inference_batch, seed, inputs))

    def _sample_batch(self, num_steps, seed, temperature, token_temperature,
                      attribute, condition=None):
        if attribute is not None:
            attribute = tf.fill([self.inference_batch], attribute)
        return answers.sample(
            self, self.inference_batch, seed, num_steps=num_steps,
            temperature=temperature, condition=condition,
            token_temperature=token_temperature, attribute=attribute)

    def infer(self, x, seed: int = 0, *, num_steps: int | None = None,
              condition=None) -> Position:
        """Samples z from the posterior, nest of [batch, ...].

        Args:
            x: Observations [batch, ...]; images as float in [-1, 1].
            seed, num_steps, condition: As in `sample`.
        """
        steps = self._inference_steps(num_steps)
        step = self._compiled("infer", self._infer_batch, steps)

        def batch(seed, rows, *inputs):
            return step(rng.stream(seed, "infer"), *inputs)
        return in_batches(batch, len(x), self.inference_batch, seed,
                          self._inputs(x, condition))

    def _infer_batch(self, num_steps, seed, x, condition=None):
        return answers.infer(
            self, x, seed, num_steps=num_steps, condition=condition)

    def reconstruct(self, x, seed: int = 0, *, num_steps: int | None = None,
                    condition=None) -> np.ndarray:
        """g(z) at one posterior sample z of each x, float32 [batch, ...]."""
        z = self.infer(x, seed, num_steps=num_steps, condition=condition)
        return self.decode(z, seed, condition=condition)

    def decode(self, z: Position, seed: int = 0, *, condition=None,
               token_temperature: float | None = None) -> np.ndarray:
        """Decodes z: g(z), float32 [batch, ...], or sampled tokens, int32
        [batch, length]. Arguments as in `sample`."""
        self._check_condition(condition)
        self._check_latents(z, condition)
        step = self._compiled(
            f"decode/{token_temperature}",
            lambda seed, z, condition=None: answers.decode(
                self, z, seed, condition=condition,
                token_temperature=token_temperature))
        inputs = (z,) if condition is None else (z, condition)
        return in_batches(
            lambda seed, rows, *inputs: step(rng.stream(seed, "x"), *inputs),
            len(tf.nest.flatten(z)[0]), self.inference_batch, seed, inputs)

    def score(self, x, seed: int = 0, *, num_draws: int = 1,
              num_steps: int | None = None, condition=None) -> Score:
        """Mean of log p(x, z) + log Z over posterior samples; high means
        typical.

        Args:
            x: Observations [batch, ...].
            num_draws: Posterior samples to average for each x, at least 1.
            seed, num_steps, condition: As in `infer`.

        Raises:
            ValueError: If `num_draws` is below 1.
        """
        if num_draws < 1:
            raise ValueError(f"num_draws must be >= 1, got {num_draws}.")
        steps = self._inference_steps(num_steps)
        step = self._compiled("score", self._score_batch, steps)
        total: Any = None
        for draw in range(num_draws):
            def batch(seed, rows, *inputs):
                seed = rng.stream(seed, "infer")
                return step(rng.fold_in(seed, draw) if draw else seed, *inputs)
            parts = in_batches(batch, len(x), self.inference_batch, seed,
                               self._inputs(x, condition))
            total = parts if total is None else tuple(
                a + b for a, b in zip(total, parts))
        return Score(*(part / num_draws for part in total))

    def _score_batch(self, num_steps, seed, x, condition=None):
        return answers.score(
            self, x, seed, num_steps=num_steps, condition=condition)

    def interpolate(self, x_from, x_to, num_points: int = 8, seed: int = 0
                    ) -> np.ndarray:
        """Decodes points on the line between posterior samples of two
        observations.

        Args:
            x_from, x_to: Observations [batch, ...].
            num_points: Points per line, including both ends; at least 2.
            seed: Any int.

        Returns:
            float32 [batch, num_points, ...].

        Raises:
            ValueError: If `num_points` is below 2.
        """
        if num_points < 2:
            raise ValueError(f"num_points must be >= 2, got {num_points}.")
        start, end = (self.infer(x, seed) for x in (x_from, x_to))
        lines = [self.decode(answers.line(start, end, t), seed) for t in
                 np.linspace(0, 1, num_points, dtype=np.float32)]
        return np.stack(lines, axis=1)

    def transition(self, num_chains: int, num_steps: int | None = None,
                   every: int = 1, seed: int = 0) -> Transition:
        """Records prior chains from their initial states.

        Args:
            num_chains: Number of chains, at least 1.
            num_steps: Number of moves; default: as in training.
            every: Steps between two records, a divisor of `num_steps`.
            seed: Any int.

        Raises:
            ValueError: If an argument is out of range.
        """
        if num_chains < 1:
            raise ValueError(f"num_chains must be >= 1, got {num_chains}.")
        if num_steps is None:
            num_steps = self.generation.num_steps
        shown = rng.stream(rng.make_seed(seed), "x")  # For all records.

        def trace(state, target):
            z = state.position
            return (answers.decode(self, z, shown), z,
                    self.energy(z, target.condition), target(z))

        def run(seed):
            start = self.generation.start(
                num_chains, Draws({}), rng.stream(seed, "start"))
            return self.generation.trace(
                self.target("generation", {}), start,
                rng.stream(seed, "chain"), trace, num_steps=num_steps,
                every=every)
        step = self._compiled(f"transition/{num_chains}/{every}/{num_steps}",
                              run)
        records = step(rng.stream(rng.fold_in(rng.make_seed(seed), 0),
                                  "sample"))
        return Transition(np.arange(0, num_steps + 1, every),
                          *tf.nest.map_structure(np.asarray, records))

    def energy(self, z: Position, condition=None) -> tf.Tensor:
        """E(z), float [batch], in nats; 0 without an energy."""
        self._check_latents(z, condition)
        return self._prior.energy(z, condition=condition)

    @property
    def num_layers(self) -> int:
        """Number of layers of latents."""
        return len(tf.nest.flatten(self.generation.latents()))

    @property
    def generation(self) -> Sampler:
        """The sampler behind `sample`; ValueError if there is none."""
        return self._sampler("generation")

    @property
    def inference(self) -> Sampler:
        """The sampler behind `infer`; ValueError if there is none."""
        return self._sampler("inference")

    def _sampler(self, role):
        if role not in self.roles:
            raise ValueError(f"{role} needs a model with that role, got one "
                             f"with {', '.join(self.roles)}.")
        return self.roles[role].sampler

    @property
    def has_energy(self) -> bool:
        """Whether the prior of samples has an energy."""
        return self._prior.has_energy

    @property
    def _prior(self):  # The prior of samples.
        return self.roles["generation"].prior or self.prior

    def _inference_steps(self, num_steps):
        sampler = self.inference
        if num_steps is not None and not sampler.climbs:
            raise ValueError(
                f"num_steps needs posterior chains, got {num_steps} for a "
                "model that infers by an encoder alone.")
        return num_steps
