"""The systems: each a configuration and a function that assembles it."""

from lebm_tf.families import image, vae
from lebm_tf.families.components import (
    ChainConfig, DataSpec, EncoderConfig, EnergyConfig, GeneratorConfig)

FAMILIES = {"image": image, "vae": vae}

__all__ = ["FAMILIES", "ChainConfig", "DataSpec", "EncoderConfig",
           "EnergyConfig", "GeneratorConfig", "image", "vae"]
