"""The list of all flags, which can be read without TensorFlow.

Configurations lie beside the networks that they describe, so their modules load
TensorFlow, which takes seconds. `flags.json` lists their fields, the families,
the evaluators and the data sets. `python -m lebm_tf.list_flags` writes it, and
a test compares it with the configurations.
"""

import dataclasses
import json
import os
import types
from typing import Any, Mapping, NamedTuple

from lebm_tf.configuration.fields import Field
from lebm_tf.files import atomic_path
from lebm_tf.ranges import Declared, Ge, Gt, Interval, Le, Lt, OneOf, OrZero

PATH = os.path.join(os.path.dirname(__file__), "flags.json")
_TYPES = {kind.__name__: kind for kind in (int, float, bool, str)}
_BOUNDS = {"ge": Ge, "gt": Gt, "le": Le, "lt": Lt}


class Listing(NamedTuple):
    """Names that a command line may contain.

    Attributes:
        fields: Command -> its fields, without `path`, `marks` and `kinds`.
        families: Names of the families.
        evaluators: Names of the evaluators.
        data_sets: Names of the data sets; "npz:FILE" stands for a path.
    """
    fields: Mapping[str, list[Field]]
    families: list[str]
    evaluators: list[str]
    data_sets: list[str]


def write(listing: Listing, path: str = PATH) -> None:
    """Writes the list, with one line per field."""
    rows: dict[str, list[str]] = {}
    for command, fields in listing.fields.items():
        for field in fields:
            owner = f"{command}/{field.family}" if field.family else command
            rows.setdefault(json.dumps(_encoded(field)), []).append(owner)
    names = {name: list(getattr(listing, name)) for name in (
        "families", "evaluators", "data_sets")}
    with atomic_path(path) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write('{"names":\n' + json.dumps(names) + ',\n"fields": [\n')
            file.write(",\n".join(f"[{row}, {json.dumps(owners)}]"
                                  for row, owners in rows.items()))
            file.write("\n]}\n")


def read(path: str = PATH) -> Listing:
    """Reads the list."""
    with open(path, encoding="utf-8") as file:
        saved = json.load(file)
    fields: dict[str, list[Field]] = {}
    for row, owners in saved["fields"]:
        field = _decoded(row)
        for owner in owners:
            command, _, family = owner.partition("/")
            fields.setdefault(command, []).append(
                dataclasses.replace(field, family=family))
    return Listing(fields, **saved["names"])


def _encoded(field: Field) -> dict[str, Any]:
    declared = field.declared
    return {"flag": field.flag, "type": declared.type.__name__,
            "default": field.default, **{name: value for name, value in {
                "is_tuple": declared.is_tuple,
                "ranges": [_of_range(needed) for needed in declared.ranges],
                "min_length": declared.min_length}.items() if value},
            "help": field.help}


def _decoded(row: Mapping[str, Any]) -> Field:
    kind, default = _TYPES[row["type"]], row["default"]
    declared = Declared(kind, row.get("is_tuple", False), tuple(
        _to_range(needed) for needed in row.get("ranges", ())),
        row.get("min_length", 0))
    return Field(
        row["flag"], (row["flag"],),
        types.GenericAlias(tuple, (kind, ...)) if (
            declared.is_tuple) else kind, row["help"],
        tuple(default) if declared.is_tuple else default,
        range=str(declared), declared=declared)


def _of_range(needed) -> dict[str, Any]:
    if isinstance(needed, OneOf):
        return {"one_of": list(needed.known)}
    if isinstance(needed, OrZero):
        return {"or_zero": _of_range(needed.range)}
    bounds = dataclasses.asdict(needed)
    return {"interval": bounds} if isinstance(needed, Interval) else bounds


def _to_range(row: Mapping[str, Any]):
    (kind, value), = row.items()
    if kind == "one_of":
        return OneOf(tuple(value))
    if kind == "or_zero":
        return OrZero(_to_range(value))
    if kind == "interval":
        return Interval(**value)
    return _BOUNDS[kind](value)
