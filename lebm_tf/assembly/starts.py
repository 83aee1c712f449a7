"""Where the chains of a family start, by its configuration."""

from typing import Any, Callable, NamedTuple

import keras

from lebm_tf.assembly.components import ChainConfig, DataSpec
from lebm_tf.densities import ConditionalGaussian, Encoder
from lebm_tf.samplers import ChainBank, FromBase, FromEncoder


class Starts(NamedTuple):
    """Where chains of one kind start.

    Attributes:
        training: In training, an initializer.
        fresh: On new data, and of samples.
        encoder: q(z | x), where it starts them.
        banks: Chain banks to checkpoint.
    """
    training: Any
    fresh: Any
    encoder: ConditionalGaussian | None = None
    banks: tuple[ChainBank, ...] = ()


def of_prior(chain: ChainConfig, base: keras.Model, bank_size: int,
             batch_size: int, seed: int) -> Starts:
    """Of prior chains: the base, or a bank of chains in training.

    Args:
        chain: How they start, and restart.
        base: Density of the first states.
        bank_size: Number of chains in the bank.
        batch_size: Examples of a step.
        seed: Of the bank.

    Raises:
        ValueError: If the bank holds less than a batch.
    """
    fresh = FromBase(base)
    if chain.start != "bank":
        return Starts(fresh, fresh)
    if bank_size < batch_size:
        raise ValueError("prior_bank_size must be at least the batch_size of "
                         f"{batch_size}, got {bank_size}.")
    bank = ChainBank(base, bank_size, seed, restart_prob=chain.restart_prob)
    return Starts(bank, fresh, banks=(bank,))


def of_posterior(chain: ChainConfig, base: keras.Model, data: DataSpec,
                 seed: int, encoder: keras.layers.Layer | None,
                 make_encoder: Callable[[], keras.layers.Layer]) -> Starts:
    """Of posterior chains: the base, an encoder, or in training a bank with a
    chain for every example.

    Args:
        chain: How they start, and restart.
        base: Density of the first states.
        data: What is learned from.
        seed: Of the bank.
        encoder: Layer in place of the built-in encoder, or a density q(z | x)
            itself.
        make_encoder: Makes the built-in one.

    Raises:
        ValueError: If an encoder is given that starts nothing.
    """
    if chain.start == "encoder":
        density = encoder if isinstance(encoder, Encoder) else (
            ConditionalGaussian(encoder or make_encoder()))
        start = FromEncoder(density)
        return Starts(start, start, density)
    if encoder is not None:
        raise ValueError("an encoder needs posterior_start=encoder, got "
                         f"{chain.start!r}.")
    fresh = FromBase(base)
    if chain.start != "bank":
        return Starts(fresh, fresh)
    bank = ChainBank(base, data.num_train, seed, by_example=True,
                     restart_prob=chain.restart_prob)
    return Starts(bank, fresh, banks=(bank,))
