"""A learned prior of latent codes with an energy at every noise level."""

from typing import Any

import keras
import tensorflow as tf

from lebm_tf.densities.contracts import Prior
from lebm_tf.densities.nested import Nested
from lebm_tf.densities.noise_levels import NoiseLevels
from lebm_tf.densities.targets import Target
from lebm_tf.mcmc.kernel import Position


@keras.saving.register_keras_serializable(package="lebm_tf")
class LadderPrior(Nested, Prior, keras.Model):
    """p(y, z) of a vector and a symbol, trained level by level of noise.

    At level t, a state u = b_{t+1} z_t has the energy E(u, t) = -log sum_y exp
    F_y(u, t), and log p(u) is -E(u, t) / s_t^2 up to a constant. Here s_t is
    the step size of the chains, so energies have one magnitude at all levels:
    recovery likelihood, Gao et al. 2021, arXiv:2012.08125, in latent space, Yu
    et al. 2022, arXiv:2206.05895. (At the highest level this tilts N(0, s_T^2
    I), at the others nothing.) Without a level, z is z_0, the code of an
    observation up to the noise of level 0: u = b_1 z. Samples of the whole
    ladder have this distribution only if all levels are consistent, which
    nothing enforces.

    A condition is a symbol per row, integer [batch], -1 for none; the energy is
    then -F_y(z). Or it is a dictionary: "level", int32 [batch], for states of
    levels, and optionally "symbol", which counts at level 0 alone, as in the
    authors' ldebm_sent.py.

    Args:
        logits: Layer F, (u, level) -> [batch, num_symbols], with `num_symbols`.
        scales: Scales of `NoiseLevels`.
        step_factor: Factor > 0 of `NoiseLevels.step_sizes`.
    """

    has_energy = True
    tells_symbols = True

    def __init__(self, logits: keras.layers.Layer, scales: tuple[float, ...],
                 step_factor: float = 2e-3, **kwargs):
        super().__init__(**kwargs)
        if not step_factor > 0:
            raise ValueError(f"step_factor must be > 0, got {step_factor}.")
        self.levels = NoiseLevels(tuple(scales))
        self.step_factor = step_factor
        self.logits_network = logits
        self.num_symbols = logits.num_symbols
        self.built = True

    def logits(self, z: Position, condition: Any = None) -> tf.Tensor:
        """F, float [batch, num_symbols], in nats; of z at level 0, or of states
        at the levels of a condition."""
        if isinstance(condition, dict):
            return self.logits_network(z, condition["level"])
        state = self.levels.model_factors[1] * z
        return self.logits_network(state, tf.zeros(tf.shape(z)[:1], tf.int32))

    def energy(self, z: Position, *, condition=None) -> tf.Tensor:
        """E, float [batch], in nats."""
        logits = self.logits(z, condition)
        marginal = -tf.reduce_logsumexp(logits, axis=-1)
        symbol, applies = condition, True
        if isinstance(condition, dict):
            symbol = condition.get("symbol")
            applies = tf.equal(condition["level"], 0)
        if symbol is None:
            return marginal
        symbol = tf.convert_to_tensor(symbol)
        chosen = -tf.gather(logits, tf.maximum(symbol, 0), batch_dims=1)
        return tf.where(applies & (symbol >= 0), chosen, marginal)

    def unnormalized_log_prob(self, z: Position, *, condition=None
                              ) -> tf.Tensor:
        """-E / s_t^2, float [batch]: log p(z) up to a constant, in nats."""
        energy = self.energy(z, condition=condition)
        if isinstance(condition, dict):
            return -energy / tf.square(self.step_sizes(
                condition["level"], energy.dtype))
        return -energy / self.levels.step_sizes(self.step_factor)[0]**2

    def symbol_log_probs(self, z: Position) -> tf.Tensor:
        """log p(y | z), float [batch, num_symbols]."""
        return tf.nn.log_softmax(self.logits(z))

    def at_level(self, level: tf.Tensor, above: Position,
                 symbol: tf.Tensor | None = None) -> Target:
        """Target of chains at a level, of states u given z_{t+1}.

        log p = -E(u, t) / s_t^2 - |u - z_{t+1}|^2 / (2 scale_{t+1}^2); at the
        highest level |u|^2 replaces the distance. The drift of E is therefore
        the same at all levels.

        Args:
            level: t, int32 [batch].
            above: z_{t+1}, [batch, latent_dim].
            symbol: int32 [batch], -1 for none.
        """
        dtype = above.dtype
        sizes = self.step_sizes(level, dtype)
        held = tf.gather(tf.cast(tf.constant(self.levels.tethered), dtype),
                         level + 1)
        scales = tf.gather(tf.constant(self.levels.scales, dtype), level + 1)
        condition = {"level": level, **(
            {} if symbol is None else {"symbol": symbol})}

        def log_prob(u, rows):
            condition, centre, scale, size = rows
            distance = tf.reduce_sum(tf.square(u - centre), -1)
            return (-self.energy(u, condition=condition) / tf.square(size)
                    - 0.5 * distance / tf.square(scale))
        return Target(log_prob, (condition, held[:, None] * above, scales,
                                 sizes), condition=condition)

    def step_sizes(self, level: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        """Step sizes s_t of chains at the given levels, [batch]."""
        return tf.gather(tf.constant(
            self.levels.step_sizes(self.step_factor), dtype), level)

    def call(self, z, condition=None):
        return self.unnormalized_log_prob(z, condition=condition)

    def get_config(self):
        return {**super().get_config(), "scales": self.levels.scales,
                "step_factor": self.step_factor, "logits":
                keras.saving.serialize_keras_object(self.logits_network)}
