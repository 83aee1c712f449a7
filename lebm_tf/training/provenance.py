"""Which program and which configuration wrote a checkpoint.

Weights of another network may have the same shapes, and then nothing else
would tell that they are not these.
"""

import dataclasses
import json
import re
from typing import Any

import tensorflow as tf

import lebm_tf
from lebm_tf.configuration import fields as configuration
from lebm_tf.errors import InputError
from lebm_tf.families import Recipe

KEY = "record/.ATTRIBUTES/py_state"  # Where TensorFlow keeps it.


class Record(tf.train.experimental.PythonState):
    """The part of a checkpoint that says what it is of.

    Args:
        recipe: `EnergyModel.recipe`; None for a model of no family.
    """

    def __init__(self, recipe: Recipe | None):
        self.recipe = recipe

    def serialize(self) -> str:
        """JSON of the version and the recipe."""
        return json.dumps({"version": lebm_tf.__version__, "recipe": (
            None if self.recipe is None else _plain(self.recipe))})

    def deserialize(self, text: str) -> None:
        """Nothing: `check` reads it before anything is restored."""


def check(text: bytes, recipe: Recipe | None, path: str) -> None:
    """Refuses what this model can't go on from.

    Args:
        text: What `Record` wrote.
        recipe: Of the model.
        path: Name of the checkpoint, for the message.

    Raises:
        InputError: If a newer version wrote it, or for another family or
            configuration.
    """
    record = json.loads(text)
    check_version(record["version"], f"the checkpoint {path}")
    if recipe is None or record["recipe"] is None:
        return
    old, new = dict(record["recipe"]), _plain(recipe)
    if old["family"] != new["family"]:
        raise InputError(
            f"the checkpoint {path} must be of the family {new['family']}, "
            f"got one of {old['family']}.")
    changed = configuration.differences(configuration.from_dict(
        type(recipe.config), old.pop("config")), recipe.config)
    changed.update({name: (value, new[name]) for name, value in old.items()
                    if name in new and value != new[name]})
    if changed:
        raise InputError(
            f"the checkpoint {path} belongs to another configuration; it "
            f"differs in {listed(changed)}.")


def check_version(version: str, what: str) -> None:
    """Raises InputError if a newer version of the library wrote `what`."""
    if _numbers(version) > _numbers(lebm_tf.__version__):
        raise InputError(
            f"{what} must be of lebm_tf {lebm_tf.__version__} or older, got "
            f"one of the newer version {version}.")


def listed(changed: dict) -> str:
    """What `config.differences` found, in words."""
    return ", ".join(f"{flag} ({old} there, {new} now)"
                     for flag, (old, new) in changed.items())


def _plain(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON types."""
    values = {name: dataclasses.asdict(value) if dataclasses.is_dataclass(
        value) else value for name, value in recipe._asdict().items()
        if name != "networks"}  # Those are kept in config.json.
    return json.loads(json.dumps(values))


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]
