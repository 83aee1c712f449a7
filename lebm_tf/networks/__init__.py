"""Keras layers: tensors to tensors, no densities."""

from lebm_tf.networks.convolutional import (
    ConvEncoder, DeconvGenerator, check_image_shape)
from lebm_tf.networks.mlp import EnergyMLP, FirstLayer, VectorMLP

__all__ = ["ConvEncoder", "DeconvGenerator", "EnergyMLP", "FirstLayer",
           "VectorMLP", "check_image_shape"]
