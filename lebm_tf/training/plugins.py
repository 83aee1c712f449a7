"""Modules of a user, imported before a command knows its flags."""

import importlib
import sys
from typing import Sequence

from lebm_tf.datasets.loading import LOADERS
from lebm_tf.errors import InputError
from lebm_tf.evaluation import EVALUATORS
from lebm_tf.families import FAMILIES

# What a module may add an entry to.
REGISTRIES = {"family": FAMILIES, "evaluator": EVALUATORS,
              "data set": LOADERS}


def load(names: Sequence[str]) -> None:
    """Imports modules, which register what they bring by dict entries.

    Args:
        names: Of modules, as "my_package.my_module"; Python finds them where
            it finds all others: in installed packages, and in the folder that
            a command is started in.

    Raises:
        InputError: If there is none of that name, it raises while it is
            imported, or takes a name that exists; its entries are removed.
    """
    for name in names:
        before = {what: dict(known) for what, known in REGISTRIES.items()}
        try:
            importlib.import_module(name)
        except Exception as error:  # Whatever a user's own code raises.
            _restore(before)
            raise InputError(_reason(name, error)) from error
        for what, known in REGISTRIES.items():
            taken = [key for key, value in before[what].items()
                     if known.get(key) is not value]
            if taken:
                _restore(before)
                sys.modules.pop(name)
                raise InputError(
                    f"--plugins: {name} must register names of its own, got "
                    f"the {what} {taken[0]}, which exists.")


def _reason(name, error):
    missing = isinstance(error, ModuleNotFoundError) and error.name and (
        name == error.name or name.startswith(f"{error.name}."))
    if missing or isinstance(error, TypeError) and name.startswith("."):
        return f"--plugins must name modules that Python finds, got {name!r}."
    return (f"--plugins: {name} must be a module that can be imported, got "
            f"{type(error).__name__}: {error}")


def _restore(before):
    for what, known in REGISTRIES.items():
        known.clear()
        known.update(before[what])
