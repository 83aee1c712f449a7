"""Keras layers: tensors to tensors, no densities."""

from lebm_tf.networks.convolutional import (
    ConvEncoder, DeconvGenerator, check_image_shape)
from lebm_tf.networks.mlp import EnergyMLP

__all__ = ["ConvEncoder", "DeconvGenerator", "EnergyMLP", "check_image_shape"]
