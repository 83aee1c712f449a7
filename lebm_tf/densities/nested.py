"""Deserialization of densities with layers as arguments."""

from typing import Any

import keras


class Nested:
    """A mixin before `keras.Model`: `from_config` for arguments that are layers
    or lists of layers, which `get_config` serializes."""

    @classmethod
    def from_config(cls, config: dict[str, Any]):
        """Rebuilds the density and its layers from a configuration."""
        return cls(**{name: _restored(value)
                      for name, value in config.items()})


def _restored(value):
    if isinstance(value, list):
        return [_restored(item) for item in value]
    if isinstance(value, dict) and "class_name" in value:
        return keras.saving.deserialize_keras_object(value)
    return value
