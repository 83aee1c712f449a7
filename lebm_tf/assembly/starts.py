"""Initial states of the chains of a configuration."""

from typing import Any, Callable, NamedTuple

import keras

from lebm_tf.assembly.components import ChainConfig, DataSpec
from lebm_tf.densities import ConditionalGaussian, Encoder
from lebm_tf.samplers import ChainBank, FromBase, FromEncoder


class Starts(NamedTuple):
    """Initializers of the chains of one role.

    Attributes:
        training: Initializer in training.
        fresh: Initializer for new data and for samples.
        encoder: q(z | x), if it initializes the chains.
        banks: Chain banks to save in checkpoints.
    """
    training: Any
    fresh: Any
    encoder: Encoder | None = None
    banks: tuple[ChainBank, ...] = ()


def of_prior(chain: ChainConfig, base: keras.Model, bank_size: int,
             batch_size: int, seed: int) -> Starts:
    """Initializers of prior chains: the base, or in training a bank.

    Args:
        chain: Chain configuration.
        base: Density of initial states.
        bank_size: Number of chains in the bank.
        batch_size: Examples per step.
        seed: Seed of the bank.

    Raises:
        ValueError: If the bank is smaller than a batch.
    """
    base = chain.first_states(base)
    fresh = FromBase(base)
    if chain.start != "bank":
        return Starts(fresh, fresh)
    if bank_size < batch_size:
        raise ValueError("prior_bank_size must be at least the batch_size of "
                         f"{batch_size}, got {bank_size}.")
    bank = ChainBank(base, bank_size, seed, restart_prob=chain.restart_prob,
                     is_queue=chain.bank_order == "oldest")
    return Starts(bank, fresh, banks=(bank,))


def of_posterior(chain: ChainConfig, base: keras.Model, data: DataSpec,
                 seed: int, encoder: keras.layers.Layer | None,
                 make_encoder: Callable[[], keras.layers.Layer],
                 says_log_variance: bool = False) -> Starts:
    """Initializers of posterior chains: the base, an encoder, or in training a
    bank with one chain per example.

    Args:
        chain: Chain configuration.
        base: Density of initial states.
        data: Specification of the training data.
        seed: Seed of the bank.
        encoder: Layer that replaces the built-in encoder, or a density q(z |
            x).
        make_encoder: Builds the built-in encoder.
        says_log_variance: See `ConditionalGaussian`; of a layer.

    Raises:
        ValueError: If an encoder is given that initializes no chains, or
            the bank_order of a bank with one chain per example is oldest.
    """
    if chain.start == "encoder":
        density = encoder if isinstance(encoder, Encoder) else (
            ConditionalGaussian(encoder or make_encoder(),
                                says_log_variance=says_log_variance))
        start = FromEncoder(density)
        return Starts(start, start, density)
    if encoder is not None:
        raise ValueError("an encoder needs posterior_start=encoder, got "
                         f"{chain.start!r}.")
    base = chain.first_states(base)
    fresh = FromBase(base)
    if chain.start != "bank":
        return Starts(fresh, fresh)
    if chain.bank_order != "own":
        raise ValueError("posterior_bank_order must be own, since every "
                         "example has its own chain, got "
                         f"{chain.bank_order!r}.")
    bank = ChainBank(base, data.num_train, seed, by_example=True,
                     restart_prob=chain.restart_prob)
    return Starts(bank, fresh, banks=(bank,))
