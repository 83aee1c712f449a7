"""Record of the library version and the configuration that wrote a checkpoint.

Weights of different networks may have equal shapes, so shapes alone cannot tell
whether a checkpoint fits.
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
    """Entry of a checkpoint with the version and recipe that wrote it.

    Args:
        recipe: `EnergyModel.recipe`; None for a model without a family.
    """

    def __init__(self, recipe: Recipe | None):
        self.recipe = recipe

    def serialize(self) -> str:
        """JSON of the version and the recipe."""
        return json.dumps({"version": lebm_tf.__version__, "recipe": (
            None if self.recipe is None else _plain(self.recipe))})

    def deserialize(self, text: str) -> None:
        """Does nothing: `check` reads the record before anything is restored.
        """


def check(text: bytes, recipe: Recipe | None, path: str) -> None:
    """Refuses a checkpoint that does not belong to this model.

    Args:
        text: Output of `Record.serialize`.
        recipe: Recipe of the model.
        path: Path of the checkpoint, for the message.

    Raises:
        InputError: If it was written by a newer version, or for another family
            or configuration.
    """
    record = json.loads(text)
    check_version(record["version"], f"the checkpoint {path}")
    if recipe is None or record["recipe"] is None:
        return
    old, new = dict(record["recipe"]), _plain(recipe)
    if old["family"] != new["family"]:
        raise InputError(
            f"the checkpoint {path} must belong to the family {new['family']}, "
            f"got {old['family']}.")
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
            f"{what} must come from lebm_tf {lebm_tf.__version__} or older, "
            f"got version {version}.")


def listed(changed: dict) -> str:
    """Describes the result of `configuration.differences`."""
    return ", ".join(f"{flag} ({old} there, {new} now)"
                     for flag, (old, new) in changed.items())


def _plain(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON types."""
    values = {name: dataclasses.asdict(value) if (
        dataclasses.is_dataclass(value) and not isinstance(value, type))
        else value for name, value in recipe._asdict().items()
        if name != "networks"}  # config.json holds them.
    return json.loads(json.dumps(values))


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]
