"""Checks of a command line before TensorFlow is loaded.

A command line that asks for help, or that the list of flags refuses, ends at
once. Whether settings fit together, and whether files can be read, is checked
later, by the configurations and the loaders themselves.
"""

import os
import sys
from typing import Any, Collection, Sequence

from absl import flags

from lebm_tf.configuration import command, listing
from lebm_tf.configuration.data import check_name
from lebm_tf.configuration.fields import Field, refuse_foreign
from lebm_tf.configuration.flag_values import convert
from lebm_tf.errors import InputError, nearest

CONFIG = "config.json"  # Of a work directory.


def check(name: str, description: str) -> None:
    """Ends the process if its command line is wrong or asks for help.

    Plugins may add flags, so a command line with --plugins is checked later.

    Args:
        name: Name of the command.
        description: First paragraph of --help.
    """
    listed = listing.read()
    passed: list[str] = []

    def unless_plugins(names: Sequence[str]) -> None:
        passed.extend(names)

    def main(values: flags.FlagValues) -> None:
        refuse(name, listed, values)
        passed.append(name)

    code = command.run(main, description, listed.fields[name],
                       load_plugins=unless_plugins)
    if not passed:
        sys.exit(code)


def refuse(name: str, listed: listing.Listing, values: flags.FlagValues
           ) -> None:
    """Raises InputError if a flag has a wrong value, belongs to another family
    or names something that is not there.

    Args:
        name: Name of the command.
        listed: The list of flags.
        values: Parsed flags of the command.
    """
    fields = listed.fields[name]
    given: dict[str, Any] = {flag: values[flag].value for flag in values}
    family = given.get("family")
    if family is not None:
        check_family(family, listed.families)
        refuse_foreign(fields, values, family)
    _check_values(fields, given, family)
    for flag in ("evaluators", "validation_evaluators"):
        check_evaluators((given.get(flag) or "").split(","),
                         listed.evaluators, flag)
    if given.get("dataset"):
        check_name(given["dataset"], listed.data_sets)
    for flag in ("baseline", "backbone"):
        if given.get(flag):
            check_flagfile(flag, given[flag])
    if name != "train" and not given.get("model"):
        for workdir in (given["workdir"] or "").split(","):
            check_is_run(workdir.strip())


def _check_values(fields: Sequence[Field], given, family: str | None) -> None:
    """Without a family, the value must suit one of those with the flag."""
    owners: dict[str, list[Field]] = {}
    for field in fields:
        if given[field.flag] is not None and (
                not family or field.family in ("", family)):
            owners.setdefault(field.flag, []).append(field)
    for flag, candidates in owners.items():
        refusals = [_refusal(field, given[flag]) for field in candidates]
        if all(refusals):
            raise InputError(refusals[0])


def _refusal(field: Field, text) -> str:
    try:
        field.declared.check(field.flag, convert(field, text))
    except InputError as error:  # Names the flag.
        return str(error)
    except ValueError as error:
        return f"--{error}"
    return ""


def check_family(name: str, known: Collection[str]) -> None:
    """Raises InputError if a family is unknown."""
    if name not in known:
        raise InputError(f"--family must be one of {', '.join(known)}, got "
                         f"{name!r}{nearest(name, known)}.")


def check_evaluators(names: Sequence[str], known: Collection[str],
                     flag: str = "evaluators") -> None:
    """Raises InputError if a name is not an evaluator's; "" is none."""
    for name in filter(None, map(str.strip, names)):
        if name not in known:
            raise InputError(f"--{flag} must be among {', '.join(known)}, got "
                             f"{name!r}{nearest(name, known)}.")


def check_flagfile(flag: str, path: str) -> None:
    """Raises InputError if the flagfile, or for --backbone the work directory,
    that a flag names is not there."""
    if not (os.path.isfile(path) or flag == "backbone" and os.path.isdir(path)):
        also = " or work directory" * (flag == "backbone")
        raise InputError(
            f"--{flag} must be an existing flagfile{also}, got {path!r}.")


def check_is_run(workdir: str) -> None:
    """Raises InputError if a folder is no work directory of a run."""
    if os.path.isfile(os.path.join(workdir, CONFIG)):
        return
    is_model = workdir.startswith("zoo:") or "://" in workdir or (
        os.path.isfile(workdir))
    hint = f"; is it --model={workdir}?" if is_model else "."
    raise InputError(
        f"{workdir or '--workdir'} must be the work directory of a run, got "
        f"no {CONFIG} there{hint}")
