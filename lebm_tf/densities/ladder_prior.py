"""A learned prior whose energy knows levels of noise."""

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
    """p(y, z) of a vector and a symbol, learned level by level of noise.

    At level t the energy of a state u = b_{t+1} z_t is
    E(u, t) = -log sum_y exp F_y(u, t), and log p(u) is -E(u, t) / s_t^2 up to
    a constant, s_t the step size of its chains, so that energies are of one
    size at all levels: recovery likelihood, Gao et al. 2021, arXiv:2012.08125,
    in latent space, Yu et al. 2022, arXiv:2206.05895. (At the highest level
    N(0, s_T^2 I) is tilted so, at the others nothing.) Without a level it is
    about z = z_0, which is the code of an observation but for the noise of
    level 0: u = b_1 z. What chains draw down the ladder is distributed so if
    all levels agree, which nothing makes sure.

    A condition is a symbol for every row, integer [batch], -1 where there is
    none: then the energy is -F_y(z). Or a dictionary: "level", int32 [batch],
    for what is said of states of levels, and "symbol" if there are some, which
    count at level 0 alone, as in the authors' ldebm_sent.py.

    Args:
        logits: Layer F, (u, level) -> [batch, num_symbols], with
            `num_symbols`.
        scales: As of `NoiseLevels`.
        step_factor: Of `NoiseLevels.step_sizes`, > 0.
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
        self.built = True

    @property
    def num_symbols(self) -> int:
        """How many symbols there are."""
        return self.logits_network.num_symbols

    def logits(self, z: Position, condition: Any = None) -> tf.Tensor:
        """F, float [batch, num_symbols], in nats; of z at level 0, or of
        states of the levels of a condition."""
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
        """What chains climb at a level, of states u that z_{t+1} tells of.

        log p = -E(u, t) / s_t^2 - |u - z_{t+1}|^2 / (2 scale_{t+1}^2); at the
        highest level |u|^2 in place of the distance. The drift of E is so the
        same at all levels.

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
        """s_t of chains at levels, [batch]."""
        return tf.gather(tf.constant(
            self.levels.step_sizes(self.step_factor), dtype), level)

    def call(self, z, condition=None):
        return self.unnormalized_log_prob(z, condition=condition)

    def get_config(self):
        return {**super().get_config(), "scales": self.levels.scales,
                "step_factor": self.step_factor, "logits":
                keras.saving.serialize_keras_object(self.logits_network)}
