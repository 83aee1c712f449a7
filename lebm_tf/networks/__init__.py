"""Keras layers: tensors to tensors, no densities."""

from lebm_tf.networks.convolutional import (
    ConvEncoder, DeconvGenerator, check_image_shape)
from lebm_tf.networks.mlp import EnergyMLP, FirstLayer, VectorMLP
from lebm_tf.networks.recurrent import RecurrentDecoder, RecurrentEncoder
from lebm_tf.networks.transformer import TransformerDecoder

__all__ = ["ConvEncoder", "DeconvGenerator", "EnergyMLP", "FirstLayer",
           "RecurrentDecoder", "RecurrentEncoder", "TransformerDecoder",
           "VectorMLP", "check_image_shape"]
