"""Flags from dataclasses, and dataclasses from flags.

Every field of a configuration is a flag: `prior.num_steps` is
`--prior_num_steps`. Flags are unset by default, so each default value exists
only in its dataclass.
"""

import dataclasses
import typing
from typing import Any, Iterable, Mapping

from absl import flags

from lebm_tf.configuration.docstrings import attributes
from lebm_tf.configuration.flag_values import convert
from lebm_tf.errors import InputError, nearest
from lebm_tf.ranges import Declared, Mark, declared


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a configuration and the flag that sets it.

    Attributes:
        flag: Name of the flag.
        path: Names of the nested fields that lead to it.
        type: int, float, bool, str, or a tuple of one of them.
        help: Description of the field.
        default: Value if the flag is not given.
        family: Model family of the field; "" if it belongs to every run.
        range: Allowed values, such as ">= 1"; "" if any value is allowed.
        marks: Marks declared by the field or its group.
        kinds: Kinds of data that the field applies to; None for all.
        declared: All declarations of the field.
    """
    flag: str
    path: tuple[str, ...]
    type: Any
    help: str
    default: Any = None
    family: str = ""
    range: str = ""
    marks: frozenset[Mark] = frozenset()
    kinds: tuple[str, ...] | None = None
    declared: Declared = Declared(str, False, ())


def fields(config_class: type, prefix: str = "", path: tuple[str, ...] = (),
           config: Any = None, group: Declared | None = None
           ) -> list[Field]:
    """Returns all fields of a dataclass, with nested ones flattened.

    Args:
        config_class: The dataclass.
        prefix: Prefix of the flags.
        path: Path to the dataclass, if nested.
        config: Instance with the default values; default: a new one.
        group: Declaration of the field that contains the dataclass, if nested.
    """
    config = config_class() if config is None else config
    hints = typing.get_type_hints(config_class)
    described: dict[str, str] = {}
    for kind in reversed(config_class.__mro__):
        described |= attributes(kind.__doc__ or "")
    found = []
    for field in dataclasses.fields(config_class):
        where, kind = (*path, field.name), hints[field.name]
        default, own = getattr(config, field.name), declared(
            config_class)[field.name]
        if group is not None:
            own = dataclasses.replace(
                own, marks=own.marks | group.marks - {Mark.FLAT},
                kinds=own.kinds or group.kinds)
        if dataclasses.is_dataclass(kind):
            found += fields(kind, _prefix(prefix, field.name, own), where,
                            default, own)
        else:
            found.append(Field(
                prefix + field.name, where, kind,
                described.get(field.name, ""), default, range=str(own),
                marks=own.marks, kinds=own.kinds, declared=own))
    return found


def _prefix(prefix, name, own) -> str:
    """Prefix of the flags of a nested dataclass."""
    return prefix if Mark.FLAT in own.marks else f"{prefix}{name}_"


def define(values: flags.FlagValues, all_fields: Iterable[Field]) -> None:
    """Defines a flag for each field that has none yet."""
    for field in all_fields:
        if field.flag in values:
            continue
        if field.type is bool:
            flags.DEFINE_boolean(field.flag, None, field.help,
                                 flag_values=values)
        else:
            flags.DEFINE_string(field.flag, None, field.help,
                                flag_values=values)


def from_flags(config_class: type, values: flags.FlagValues,
               prefix: str = "", base: Any = None) -> Any:
    """Returns `base`, or the default configuration, with the given flags
    applied.

    Raises:
        InputError: If a value has the wrong type or is out of range.
    """
    changes: dict = {}
    for field in fields(config_class, prefix):
        text = values[field.flag].value
        if text is None:
            continue
        _put(changes, field.path, convert(field, text))
    return _changed(base or config_class(), changes, prefix)


def to_dict(config: Any) -> dict[str, Any]:
    """Converts a configuration to JSON types."""
    return dataclasses.asdict(config)


def from_dict(config_class: type, values: Mapping[str, Any]) -> Any:
    """Inverse of `to_dict`; missing fields keep their defaults.

    Raises:
        InputError: If a field is unknown or out of range.
    """
    return _changed(config_class(), values, "")


def by_flag(config: Any) -> dict[str, Any]:
    """Returns flag -> value of all fields."""
    return {field.flag: _get(config, field.path)
            for field in fields(type(config), config=config)}


def differences(old: Any, new: Any) -> dict[str, tuple[Any, Any]]:
    """Returns flag -> (old value, new value) for all differences, except in
    fields marked MAY_CHANGE."""
    if type(old) is not type(new):
        return {"family": (type(old).__name__, type(new).__name__)}
    found = {}
    for field in fields(type(old), config=old):
        a, b = _get(old, field.path), _get(new, field.path)
        if a != b and Mark.MAY_CHANGE not in field.marks:
            found[field.flag] = (a, b)
    return found


def shared(source: Any, other: Any) -> Any:
    """Returns `other` with the SHARED fields of `source`."""
    changes: dict = {}
    for field in fields(type(source), config=source):
        if Mark.SHARED in field.marks:
            _put(changes, field.path, _get(source, field.path))
    return _changed(other, changes, "")


def refuse_foreign(all_fields: Iterable[Field], values: flags.FlagValues,
                   family: str) -> None:
    """Raises InputError if a flag that only other families have was given.

    Args:
        all_fields: Fields of all families.
        values: Parsed flags.
        family: Name of the family.
    """
    owners: dict[str, list[str]] = {}
    for field in all_fields:
        owners.setdefault(field.flag, []).append(field.family)
    known = [flag for flag, names in owners.items()
             if {"", family} & set(names)]
    for flag, names in owners.items():
        if values[flag].value is not None and flag not in known:
            raise InputError(
                f"--{flag} is a flag of the family {', '.join(names)}, not of "
                f"{family}{nearest(flag, known)}.")


def refuse_others(config: Any, kind: str, name: str) -> None:
    """Refuses settings that apply only to other kinds of data.

    Args:
        config: A `DataConfig`.
        kind: Kind of the data, of `lebm_tf.kinds`.
        name: Name of the data set, for the message.

    Raises:
        InputError: If such a setting differs from its default.
    """
    for field in fields(type(config)):
        value = _get(config, field.path)
        if kind not in (field.kinds or (kind,)) and value != field.default:
            raise InputError(f"{field.flag} must be left out for {name}, got "
                             f"{value!r}.")


def _changed(config, changes, prefix):
    config_class: type = type(config)
    hints = typing.get_type_hints(config_class)
    unknown = set(changes) - set(hints)
    if unknown:
        name = sorted(unknown)[0]
        raise InputError(
            f"{type(config).__name__} has no field {prefix}{name}"
            f"{nearest(name, hints)}.")
    values = {}
    for name, value in changes.items():
        if isinstance(value, Mapping):
            own = declared(config_class)[name]
            value = _changed(getattr(config, name), value,
                             _prefix(prefix, name, own))
        values[name] = tuple(value) if isinstance(value, list) else value
    try:
        return dataclasses.replace(config, **values)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(_named(config, prefix, str(error))) from error


def _named(config, prefix, message):
    """Prefixes a message with the flag, or the group, that it is about."""
    known = {field.flag for field in fields(type(config), config=config)}
    if message.split(" ", 1)[0] in known:
        return f"--{prefix}{message}"
    return f"{prefix.rstrip('_')}: {message}" if prefix else message


def _put(changes, path, value):
    for name in path[:-1]:
        changes = changes.setdefault(name, {})
    changes[path[-1]] = value


def _get(config, path):
    for name in path:
        config = getattr(config, name)
    return config
