"""Probes: test inputs and output shapes of a user's layers."""

from typing import Any, Callable, NamedTuple

import tensorflow as tf

from lebm_tf.assembly.data import DataSpec
from lebm_tf.kinds import SEQUENCE

ROWS = 2  # Batch size of probes.


class Probe(NamedTuple):
    """Test call of one network.

    Attributes:
        inputs: Arguments of the call, nests of [ROWS, ...].
        outputs: Shapes of one row of the outputs, flattened.
        call: (network, *inputs) -> outputs, if not a plain call.
    """
    inputs: tuple[Any, ...]
    outputs: tuple[tuple[int, ...], ...]
    call: Callable = lambda network, *inputs: network(*inputs)


def zeros(*shape: int, dtype=tf.float32) -> tf.Tensor:
    """[ROWS, *shape]."""
    return tf.zeros([ROWS, *shape], dtype)


def observed(data: DataSpec) -> tf.Tensor:
    """Observations, including tokens of sequences."""
    if data.kind == SEQUENCE:
        return tf.ones([ROWS, *data.shape], tf.int32)
    return zeros(*data.shape)


def of_energy(latent_dim: int, num_symbols: int = 0) -> Probe:
    """z -> [batch], or logits [batch, num_symbols]."""
    return Probe((zeros(latent_dim),), ((num_symbols,) if num_symbols else (),))


def of_generator(latent_dim: int, data: DataSpec) -> Probe:
    """z -> x, or the logits of a decoder of sequences."""
    if data.kind != SEQUENCE:
        return Probe((zeros(latent_dim),), (data.shape,))
    return Probe((observed(data), zeros(latent_dim)), (
        (*data.shape, data.num_tokens),), _token_logits)


def of_encoder(latent_dim: int, data: DataSpec, num_outputs: int = 2) -> Probe:
    """x -> (mean, log_scale), or the mean only."""
    return Probe((observed(data),), ((latent_dim,),) * num_outputs)


def _token_logits(network, tokens, z):
    return network.logits(network(tokens, z))
