"""Serialization of a user's networks, so that a run can be rebuilt.

Only the Keras configuration of a layer is stored: data, no code. Classes come
from Keras, or from imported modules that registered them.
"""

import json
from typing import Any, Iterator, Mapping

import keras
import tensorflow as tf

from lebm_tf.assembly.probes import ROWS, Probe
from lebm_tf.densities import Encoder
from lebm_tf.errors import InputError


def serialized(networks: Mapping[str, keras.layers.Layer]) -> dict[str, Any]:
    """Returns name -> configuration of the layer, as JSON types.

    Args:
        networks: Name -> layer, as `families.build` takes them.

    Raises:
        InputError: If a layer cannot be rebuilt from its configuration.
    """
    return {name: _serialized(name, layer)
            for name, layer in networks.items()}


def restored(networks: Mapping[str, Any], where: str
             ) -> dict[str, keras.layers.Layer]:
    """Inverse of `serialized`.

    Args:
        networks: Output of `serialized`.
        where: Where it was stored, for messages.

    Raises:
        InputError: If a class was not imported, or the layer cannot be rebuilt.
    """
    return {name: _restored(name, config, where)
            for name, config in networks.items()}


def checked(networks: Mapping[str, keras.layers.Layer],
            probes: Mapping[str, Probe]) -> None:
    """Builds the layers that are not built yet, and checks their output shapes.

    Args:
        networks: Name -> layer, as `families.build` takes them.
        probes: Probes of the family, see `FamilyConfig.probes`.

    Raises:
        InputError: If an output has another shape than the family needs.
    """
    for name, layer in networks.items():
        # Densities come from other models, with tested networks.
        if isinstance(layer, Encoder) or layer is None or name not in probes:
            continue
        probe = probes[name]
        made = tf.nest.flatten(probe.call(layer, *probe.inputs))
        found = tuple(tuple(leaf.shape.as_list()) for leaf in made)
        wanted = tuple((ROWS, *shape) for shape in probe.outputs)
        if found != wanted:
            given = [leaf.shape for leaf in tf.nest.flatten(probe.inputs)]
            if len(found) == len(wanted):  # As a mean and its scale.
                found, wanted = (tuple(dict.fromkeys(shapes))
                                 for shapes in (found, wanted))
            raise InputError(
                f"the network {name!r} must return {_batches(wanted)} for an "
                f"input of {_batches(given)}, got {_batches(found)}.")


def _batches(shapes) -> str:
    return ", ".join(f"[{', '.join(['batch', *map(str, shape[1:])])}]"
                     for shape in shapes)


def differing(kept: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Returns the sorted names of networks that differ in more than layer
    names.

    Args:
        kept, given: Outputs of `serialized`.
    """
    return sorted(name for name in {*kept, *given} if _unnamed(
        kept.get(name)) != _unnamed(given.get(name)))


def _serialized(name, layer):
    try:
        config = json.loads(json.dumps(
            keras.saving.serialize_keras_object(layer)))
        _check_classes(config)
        keras.saving.deserialize_keras_object(config)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise InputError(
            f"the network {name!r}, a {type(layer).__name__}, must be "
            "serializable by Keras to be stored in a work directory: its "
            "classes need a get_config and the decorator "
            "@keras.saving.register_keras_serializable(package=...); got "
            f"{_first_line(error)}") from error
    return config


def _restored(name, config, where):
    try:
        _check_classes(config)
        return keras.saving.deserialize_keras_object(config)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{where}: the classes of the network {name!r} must be imported "
            f"before it is loaded, got {_first_line(error)}") from error


def _check_classes(config) -> None:
    """Raises ValueError unless every class comes from Keras or is registered.

    Keras itself would import any module that a configuration names.
    """
    known = keras.saving.get_custom_objects()
    for module, name, registered in _classes(config):
        if name == "__lambda__":
            raise ValueError("a Lambda, whose code is not stored.")
        if name == "TFSMLayer":
            raise ValueError("a TFSMLayer, whose graph is in another folder.")
        is_keras = module.partition(".")[0] in ("keras", "builtins")
        if not is_keras and registered not in known:
            raise ValueError(f"{registered or name} of the module {module}, "
                             "which is not registered.")


def _classes(config) -> Iterator[tuple[str, str, str]]:
    """Yields (module, class, registered name) of all objects in a
    configuration."""
    if isinstance(config, list):
        for item in config:
            yield from _classes(item)
    elif isinstance(config, dict):
        if "class_name" in config and config["class_name"] != "__tuple__":
            yield (config.get("module") or "", config["class_name"],
                   config.get("registered_name") or "")
        for value in config.values():
            yield from _classes(value)


def _unnamed(config):
    """Removes the names of layers, which Keras numbers globally."""
    if isinstance(config, list):
        return [_unnamed(item) for item in config]
    if isinstance(config, dict):
        return {key: _unnamed(value) for key, value in config.items()
                if key != "name"}
    return config


def _first_line(error) -> str:
    return " ".join(str(error).split())[:300]
