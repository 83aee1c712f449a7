"""Plugins: user modules that are imported before a command defines its flags.
"""

import importlib
import sys
from typing import Any, Sequence

from lebm_tf.datasets.loading import LOADERS
from lebm_tf.errors import InputError
from lebm_tf.evaluation import EVALUATORS
from lebm_tf.families import FAMILIES

# Dictionaries to which a module may add entries.
REGISTRIES: dict[str, dict[str, Any]] = {
    "family": FAMILIES, "evaluator": EVALUATORS, "data set": LOADERS}


def load(names: Sequence[str]) -> None:
    """Imports modules, which register families, evaluators or data sets as dict
    entries.

    Args:
        names: Module names, such as "my_package.my_module". Python looks for
            them in installed packages and in the folder where a command is
            started.

    Raises:
        InputError: If a module is not found, raises while it is imported, or
            registers a name that exists. Its entries are removed.
    """
    for name in names:
        before = {what: dict(known) for what, known in REGISTRIES.items()}
        try:
            importlib.import_module(name)
        except Exception as error:  # User code may raise anything.
            _restore(before)
            raise InputError(_reason(name, error)) from error
        for what, known in REGISTRIES.items():
            taken = [key for key, value in before[what].items()
                     if known.get(key) is not value]
            if taken:
                _restore(before)
                sys.modules.pop(name)
                raise InputError(
                    f"--plugins: {name} must register new names, but the "
                    f"{what} {taken[0]!r} exists already.")


def _reason(name, error):
    missing = isinstance(error, ModuleNotFoundError) and error.name and (
        name == error.name or name.startswith(f"{error.name}."))
    if missing or isinstance(error, TypeError) and name.startswith("."):
        return ("--plugins must name modules that Python can find, got "
                f"{name!r}.")
    return (f"--plugins: cannot import {name}, got {type(error).__name__}: "
            f"{error}")


def _restore(before):
    for what, known in REGISTRIES.items():
        known.clear()
        known.update(before[what])
