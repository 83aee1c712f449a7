"""Inference with a number or symbols y that share z with x."""

import numpy as np
import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position, initial_state, num_chains
from lebm_tf.models.batching import in_batches
from lebm_tf.models.inference import LatentInference
from lebm_tf.samplers import Draw, Draws


class AttributeInference(LatentInference):
    """Inference methods that involve y."""

    def climb(self, z: Position, attribute, seed: int = 0, *, num_steps: int
              ) -> Position:
        """Runs chains of p(z | y) from given latents.

        Args:
            z: Initial states, nest of [batch, ...].
            attribute: y, float [batch].
            seed: Any int.
            num_steps: Number of moves, with the kernel of the chains that draw
                samples.

        Returns:
            Final states, nest of [batch, ...].

        Raises:
            ValueError: If the model has no attribute y.
        """
        self._needs_attribute()
        self._check_latents(z)
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

        If the encoder alone infers z, this is p(y | z) at the mean of q(z | x),
        as in the authors' code; otherwise the mean of p(y | z) over posterior
        samples.

        Args:
            x: Observations [batch, ...].
            seed: Any int.
            num_draws: Posterior samples per x, at least 1.
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
