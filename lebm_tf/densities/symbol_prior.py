"""A learned joint prior of a latent vector and a symbol."""

import keras
import tensorflow as tf

from lebm_tf.densities.energy_prior import EnergyPrior
from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position


@keras.saving.register_keras_serializable(package="lebm_tf")
class SymbolPrior(EnergyPrior):
    """p(y, z) = exp(F_y(z)) p0(z) / Z with logits F, [batch, num_symbols].

    With the symbol summed out, p(z) = exp(-E(z)) p0(z) / Z where E(z) = -log
    sum_y exp F_y(z), and p(y | z) = softmax_y F(z). Pang et al. 2020,
    arXiv:2010.09359; Pang and Wu 2021, arXiv:2108.11556.

    A condition is a symbol per row, integer [batch], -1 for none. The energy is
    then -F_y(z), and chains sample p(z | y).

    Args:
        base: Density p0, as in `EnergyPrior`.
        energy: Layer F, z -> logits [batch, num_symbols].
    """

    tells_symbols = True

    @property  # Of other priors a constant.
    def num_symbols(self) -> int:  # type: ignore[override]
        """Number of symbols."""
        z = self.base.sample(1, rng.make_seed(0))
        return self.logits(z).shape[-1]

    def logits(self, z: Position) -> tf.Tensor:
        """F(z), float [batch, num_symbols], in nats."""
        return self.energy_network(z)

    def energy(self, z: Position, *, condition=None, drop=None) -> tf.Tensor:
        """E(z), or -F_y(z) for a given symbol; float [batch], in nats.
        Arguments as of `EnergyPrior`."""
        logits = super().energy(z, drop=drop)  # F(z).
        marginal = -tf.reduce_logsumexp(logits, axis=-1)
        if condition is None:
            return marginal
        condition = tf.convert_to_tensor(condition)
        chosen = -tf.gather(logits, tf.maximum(condition, 0), batch_dims=1)
        return tf.where(condition < 0, marginal, chosen)

    def symbol_log_probs(self, z: Position) -> tf.Tensor:
        """log p(y | z), float [batch, num_symbols]."""
        return tf.nn.log_softmax(self.logits(z))
