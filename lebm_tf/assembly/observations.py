"""Configurations of decoders and encoders for every kind of data."""

import dataclasses
from typing import Annotated

import keras

from lebm_tf.assembly.components import DataSpec, EncoderConfig, GeneratorConfig
from lebm_tf.densities import (
    DecodingConfig, GaussianLikelihood, SequenceLikelihood, UnigramLikelihood)
from lebm_tf.kinds import COUNTS, IMAGE, SEQUENCE
from lebm_tf.networks import (
    RecurrentDecoder, RecurrentEncoder, TransformerDecoder, VectorMLP,
    WideResidualEncoder)
from lebm_tf.networks.activations import ACTIVATIONS
from lebm_tf.networks.recurrent import CELLS, check_decoder
from lebm_tf.ranges import Checked, Interval, OneOf, PositiveInt


@dataclasses.dataclass(frozen=True)
class DenseConfig(Checked):
    """Dense layers, for vectors and word counts.

    Attributes:
        hidden_units: Widths of the hidden layers.
        activation: Activation of the hidden layers.
        dropout: Dropout rate of the hidden layers.
    """
    hidden_units: tuple[PositiveInt, ...] = (200, 200)
    activation: Annotated[str, OneOf(ACTIVATIONS)] = "leaky_relu"
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0


@dataclasses.dataclass(frozen=True)
class ResidualConfig(Checked):
    """A wide residual network, for images.

    Attributes:
        depth: Number of layers: 10, 16, 22, 28, ...; 0 disables the network.
        widen: Factor on its widths 16, 32 and 64.
        dropout: Dropout rate within the blocks.
    """
    depth: int = 0
    widen: PositiveInt = 3
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.3

    def validate(self):
        if self.depth and (self.depth < 10 or self.depth % 6 != 4):
            raise ValueError("depth must be 0 or 10, 16, 22, 28, ..., got "
                             f"{self.depth}.")


@dataclasses.dataclass(frozen=True)
class RecurrentConfig(Checked):
    """A recurrent network, for sequences.

    Attributes:
        cell: lstm or gru.
        embedding_dim: Width of the token embeddings.
        hidden_dim: Width of the state.
        dropout: Dropout rate of embeddings and outputs of a decoder; encoders
            have none.
    """
    cell: Annotated[str, OneOf(CELLS)] = "gru"
    embedding_dim: PositiveInt = 256
    hidden_dim: PositiveInt = 256
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.3


@dataclasses.dataclass(frozen=True)
class RecurrentEncoderConfig(Checked):
    """A bidirectional recurrent network that reads sequences.

    Attributes:
        cell: lstm or gru.
        embedding_dim: Width of the token embeddings.
        hidden_dim: Width of each state.
        reads_padding: Whether sequences are padded to the longest of the data
            and read including the padding, as in the authors' training.
        has_leaky_head: Whether a leaky ReLU with slope 0.01 is applied to the
            last states before mean and scale.
        reads_begin: Whether the beginning-of-sequence token is read first, as
            in the authors' programs.
    """
    cell: Annotated[str, OneOf(CELLS)] = "gru"
    embedding_dim: PositiveInt = 256
    hidden_dim: PositiveInt = 256
    reads_padding: bool = False
    has_leaky_head: bool = False
    reads_begin: bool = False


@dataclasses.dataclass(frozen=True)
class RecurrentReaderConfig(RecurrentConfig):
    """A recurrent encoder of sequences.

    Attributes:
        reads_padding: See `RecurrentEncoderConfig`.
        reads_begin: See `RecurrentEncoderConfig`.
    """
    reads_padding: bool = False
    reads_begin: bool = False


@dataclasses.dataclass(frozen=True)
class RecurrentDecoderConfig(RecurrentConfig):
    """A recurrent network that generates sequences.

    Attributes:
        tied: Whether the output layer shares the embedding matrix; needs equal
            embedding_dim and hidden_dim.
        starts_cell: Whether the initial cell state of an LSTM depends on z, as
            its hidden state does.
    """
    tied: bool = False
    starts_cell: bool = False

    def validate(self):
        check_decoder(self.cell, self.embedding_dim, self.hidden_dim,
                      self.tied, self.starts_cell)


@dataclasses.dataclass(frozen=True)
class DecoderConfig(Checked):
    """The decoder: a recurrent layer on [embedding; z], or a causal
    Transformer.

    Attributes:
        cell: lstm, gru or transformer.
        embedding_dim: Width of the embeddings; for a Transformer, of all
            layers.
        hidden_dim: Width of the state, or of the feed-forward layers.
        dropout: Dropout rate of embeddings and outputs.
        num_layers: Number of Transformer layers.
        num_heads: Number of attention heads.
        num_slots: Number of vectors that represent z in a Transformer.
        tied: Whether the output layer of a recurrent decoder shares the
            embedding matrix; needs equal embedding_dim and hidden_dim.
        starts_cell: Whether the initial cell state of an LSTM depends on z, as
            its hidden state does.
    """
    cell: Annotated[str, OneOf((*CELLS, "transformer"))] = "lstm"
    embedding_dim: PositiveInt = 256
    hidden_dim: PositiveInt = 256
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.5
    num_layers: PositiveInt = 2
    num_heads: PositiveInt = 4
    num_slots: PositiveInt = 4
    tied: bool = False
    starts_cell: bool = False

    def validate(self):
        check_decoder(self.cell, self.embedding_dim, self.hidden_dim,
                      self.tied, self.starts_cell)

    def make(self, num_tokens: int, latent_dim: int, seed: int
             ) -> keras.layers.Layer:
        sizes = (num_tokens, latent_dim, self.embedding_dim, self.hidden_dim)
        if self.cell == "transformer":
            return TransformerDecoder(
                *sizes, self.num_layers, self.num_heads, self.num_slots,
                self.dropout, seed)
        return RecurrentDecoder(*sizes, self.cell, self.dropout, seed,
                                self.tied, self.starts_cell)


def make_likelihood(config, data: DataSpec, seed: int,
                    generator: keras.layers.Layer | None = None
                    ) -> keras.Model:
    """Builds p(x | z) for a kind of data.

    Args:
        config: With latent_dim, likelihood_scale, generator (for images),
            dense_generator, decoder, decoding and max_sample_length.
        data: Specification of the data.
        seed: Seed of initial weights.
        generator: Layer that replaces the built-in network.
    """
    kind = data.kind
    if kind == SEQUENCE:
        network = generator or RecurrentDecoder(
            data.num_tokens, config.latent_dim, seed=seed,
            **dataclasses.asdict(config.decoder))
        return SequenceLikelihood(
            network, config.max_sample_length or data.shape[0],
            config.decoding)
    if kind == IMAGE:
        network = generator or config.generator.make(
            config.latent_dim, data.shape, seed)
        return GaussianLikelihood(network, config.likelihood_scale)
    dense = config.dense_generator
    network = generator or VectorMLP(
        config.latent_dim, data.shape[0], dense.hidden_units, 1,
        dense.activation, seed)
    if kind == COUNTS:
        return UnigramLikelihood(network, data.shape[0])
    return GaussianLikelihood(network, config.likelihood_scale)


def make_encoder(config, data: DataSpec, seed: int) -> keras.layers.Layer:
    """Builds x -> (mean, log_scale) for a kind of data.

    Args:
        config: With latent_dim, image_encoder, residual_encoder, dense_encoder
            and sequence_encoder.
        data: Specification of the data.
        seed: Seed of initial weights.
    """
    kind = data.kind
    if kind == SEQUENCE:
        return make_recurrent_encoder(
            config.sequence_encoder, config.latent_dim, data, seed)
    if kind == IMAGE and config.residual_encoder.depth:
        return WideResidualEncoder(
            config.latent_dim, data.shape, seed=seed,
            **dataclasses.asdict(config.residual_encoder))
    if kind == IMAGE:
        return config.image_encoder.beside(config.generator).make(
            config.latent_dim, data.shape, seed)
    dense = config.dense_encoder
    return VectorMLP(
        data.shape[0], config.latent_dim, dense.hidden_units, 2,
        dense.activation, seed, dense.dropout)


def make_recurrent_encoder(config, latent_dim: int, data: DataSpec, seed: int
                           ) -> RecurrentEncoder:
    """Returns an encoder x -> (mean, log_scale) of sequences.

    Args:
        config: A `RecurrentEncoderConfig`, or a configuration with a subset of
            its fields.
        latent_dim: Width of z.
        data: Specification of the data.
        seed: Seed of initial weights.
    """
    values = dataclasses.asdict(config)
    values.pop("dropout", None)
    if values.pop("reads_padding", False):
        values["pad_to"] = data.shape[0] + values["reads_begin"]
    return RecurrentEncoder(data.num_tokens, latent_dim, seed=seed, **values)


__all__ = ["DecoderConfig", "DecodingConfig", "DenseConfig", "EncoderConfig",
           "GeneratorConfig", "RecurrentConfig", "RecurrentDecoderConfig",
           "RecurrentEncoderConfig", "RecurrentReaderConfig", "ResidualConfig",
           "make_encoder", "make_likelihood", "make_recurrent_encoder"]
