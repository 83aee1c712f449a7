"""What one does with a model that learned a number or symbols beside x."""

import numpy as np
import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position, initial_state, num_chains
from lebm_tf.models.batching import in_batches
from lebm_tf.models.doors import Doors
from lebm_tf.samplers import Draw, Draws


class AttributeInference(Doors):
    """Methods of `LatentInference` on y, which shares z with x."""

    def climb(self, z: Position, attribute, seed: int = 0, *, num_steps: int
              ) -> Position:
        """Chains of p(z | y) that go on from z, nest of [batch, ...].

        Args:
            z: Where they start, nest of [batch, ...].
            attribute: y, float [batch].
            seed: Any int.
            num_steps: Moves, with the kernel of the chains that draw samples.

        Raises:
            ValueError: If the model learned no y.
        """
        self._needs_attribute()
        sampler = self.generation.continued("before").with_steps(num_steps)

        def run(seed, attribute, z):
            draws = Draws({"attribute": attribute},
                          {"before": Draw(z, initial_state(z))})
            target = self.target("generation", draws.batch)
            return sampler.draw(target, num_chains(z), draws, seed).position
        step = self._compiled(f"climb/{num_steps}", run)
        leaf = tf.nest.flatten(z)[0]
        return in_batches(
            lambda seed, rows, *inputs: step(
                rng.stream(seed, "climb"), *inputs),
            len(leaf), self.inference_batch, seed,
            (np.asarray(attribute, leaf.dtype), z))

    def classify(self, x, seed: int = 0, *, num_draws: int = 1
                 ) -> np.ndarray:
        """p(y | x) of a prior with symbols, float32 [batch, num_symbols].

        At the mean of q(z | x) where an encoder alone infers, as the authors
        do; else the mean over posterior draws of p(y | z).

        Args:
            x: Observations [batch, ...].
            seed: Any int.
            num_draws: Posterior draws of each x, at least 1.
        """
        if self.inference.is_reparameterized:
            step = self._compiled("classify", lambda x: tf.exp(
                self.prior.symbol_log_probs(self.encoder.parameters(x)[0])))
            return in_batches(
                lambda seed, rows, x: step(x), len(x), self.inference_batch,
                seed, self._inputs(x, None))
        step = self._compiled("symbols", lambda z: tf.exp(
            self.prior.symbol_log_probs(z)))
        return np.mean([step(self.infer(x, rng.named(seed, "classify", draw)))
                        for draw in range(num_draws)], axis=0)

    def _check_condition(self, condition):
        if self.context is not None and condition is None:
            raise ValueError("condition must be what the model's context made "
                             "of what is given, got None.")
        known = 0 if condition is None or self.prior is None else (
            self.prior.num_symbols)
        wrong = [symbol for symbol in np.unique(condition)
                 if not -1 <= symbol < known] if known else []
        if wrong:
            raise ValueError("condition must hold symbols from 0 to "
                             f"{known - 1}, or -1 for none, got {wrong[0]}.")

    def _needs_attribute(self):
        if self.attribute is None:
            raise ValueError("attribute needs a model that learned a number "
                             "beside x, got one without.")
