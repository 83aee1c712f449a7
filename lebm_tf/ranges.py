"""Ranges and choices, declared with the fields of a configuration.

    @dataclasses.dataclass(frozen=True)
    class DenseConfig(Checked):
        hidden_units: tuple[PositiveInt, ...] = (200, 200)
        activation: Annotated[str, OneOf(ACTIVATIONS)] = "gelu"
        dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0

The declarations validate values and are shown by --help. Ge, Gt, Le, Lt,
Interval and MinLen are those of `annotated_types`.
"""

import dataclasses
import enum
import functools
import math
import numbers
import operator
import typing
from typing import Annotated, Any, ClassVar, Collection

from annotated_types import Ge, Gt, Interval, Le, Lt, MinLen

from lebm_tf.errors import nearest

PositiveInt = Annotated[int, Ge(1)]
NonNegativeInt = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]

_RELATIONS = {Ge: (">=", operator.ge), Gt: (">", operator.gt),
              Le: ("<=", operator.le), Lt: ("<", operator.lt)}
_KINDS = {int: (numbers.Integral, "an integer"),
          float: (numbers.Real, "a number"),
          bool: (bool, "True or False"), str: (str, "a string")}


@dataclasses.dataclass(frozen=True, eq=False)
class OneOf:
    """A choice between names.

    Attributes:
        known: The names, in the order in which they are shown; "" is allowed
            but not shown. Names may be added to a dict later.
    """
    known: Collection[str]

    def __str__(self):
        return ", ".join(name for name in self.known if name)


@dataclasses.dataclass(frozen=True)
class OrZero:
    """A range, or 0, which then has a special meaning.

    Attributes:
        range: `Ge` or `Gt`.
    """
    range: Ge | Gt


class Mark(enum.Enum):
    """Further declarations of a field; those of a group apply to all its
    fields."""
    SHARED = "a baseline has the same value"
    MAY_CHANGE = "a run may go on with another value"
    FLAT = "flags of the group do not begin with its name"


@dataclasses.dataclass(frozen=True)
class Only:
    """Marks a setting that applies to some kinds of data only.

    Attributes:
        kinds: Kinds of `lebm_tf.kinds`.
    """
    kinds: tuple[str, ...]


class Checked:
    """A frozen dataclass that validates its fields by their declarations.

    Every float must also be finite, and lists become tuples.

    Raises:
        ValueError: On construction, if a value is out of range; the message
            starts with the name of the field.
        TypeError: If a value has another type.
    """
    __dataclass_fields__: ClassVar[dict[str, Any]]  # Of subclasses.

    def __post_init__(self):
        config_class: type = type(self)
        for name, field in declared(config_class).items():
            value = getattr(self, name)
            if field.is_tuple and isinstance(value, list):
                value = tuple(value)
                object.__setattr__(self, name, value)
            field.check(name, value)
        self.validate()

    def validate(self) -> None:
        """Raises ValueError if fields are inconsistent; for subclasses."""

    def leave_out(self, *names: str, reason: str) -> None:
        """Rejects settings that would have no effect.

        Args:
            *names: Fields that must have their defaults.
            reason: The condition, as "without start=bank".

        Raises:
            ValueError: If one differs from its default.
        """
        defaults = {field.name: field.default
                    for field in dataclasses.fields(self)}
        for name in names:
            value = getattr(self, name)
            if value != defaults[name]:
                raise ValueError(
                    f"{name} must be left out {reason}, got {value!r}.")


@dataclasses.dataclass(frozen=True)
class Declared:
    """Declarations of a field of a configuration.

    Attributes:
        type: Type of the value, or of the elements of a tuple.
        is_tuple: Whether the value is a tuple.
        ranges: Ranges of the value, or of each element.
        min_length: Minimum number of elements of a tuple.
        marks: Further declarations.
        kinds: Kinds of data that it applies to; None for all.
    """
    type: type
    is_tuple: bool
    ranges: tuple
    min_length: int = 0
    marks: frozenset[Mark] = frozenset()
    kinds: tuple[str, ...] | None = None

    def __str__(self):
        return " and ".join(map(_text, self.ranges))

    def check(self, name: str, value: Any) -> None:
        """Raises ValueError or TypeError unless the value satisfies the
        declarations."""
        if self.is_tuple and not isinstance(value, tuple):
            raise TypeError(f"{name} must be a tuple, got {value!r}.")
        values = value if self.is_tuple else (value,)
        if len(values) < self.min_length:
            raise ValueError(f"{name} must hold {self.min_length} or more "
                             f"values, got {len(values)}.")
        for item in values:
            self._check_type(name, item)
            for needed in self.ranges:
                if not _allows(needed, item):
                    raise ValueError(self._refusal(name, needed, values, item))
            if self.type is float and not math.isfinite(item):
                raise ValueError(f"{name} must be finite, got {item}.")

    def _check_type(self, name, item):
        kind, said = _KINDS.get(
            self.type, (self.type, f"a {self.type.__name__}"))
        if not isinstance(item, kind):
            raise TypeError(f"{name} must be {said}, got {item!r}.")

    def _refusal(self, name, needed, values, item):
        all_of = "all " if self.is_tuple else ""
        if isinstance(needed, OneOf):
            among = "among" if self.is_tuple else "one of"
            return (f"{name} must be {among} {needed}, got {item!r}"
                    f"{nearest(item, needed.known)}.")
        verb = "lie" if isinstance(needed, Interval) else "be"
        came = ", ".join(map(str, values))
        return f"{name} must {all_of}{verb} {_text(needed)}, got {came}."


@functools.cache
def declared(config_class: type) -> dict[str, Declared]:
    """Declarations of all fields, by name.

    Args:
        config_class: A dataclass.
    """
    hints = typing.get_type_hints(config_class, include_extras=True)
    return {field.name: _read(hints[field.name])
            for field in dataclasses.fields(config_class)}


def _read(hint) -> Declared:
    hint, metadata = _unwrapped(hint)
    marks = frozenset(m for m in metadata if isinstance(m, Mark))
    kinds = next((m.kinds for m in metadata if isinstance(m, Only)), None)
    ranges = tuple(m for m in metadata if not isinstance(m, (Mark, Only)))
    if typing.get_origin(hint) is not tuple:
        return Declared(hint, False, ranges, 0, marks, kinds)
    item, of_items = _unwrapped(typing.get_args(hint)[0])
    fewest = sum(needed.min_length for needed in ranges)
    return Declared(item, True, of_items, fewest, marks, kinds)


def _unwrapped(hint) -> tuple[Any, tuple]:
    if typing.get_origin(hint) is typing.Annotated:
        return hint.__origin__, hint.__metadata__
    return hint, ()


def _allows(needed, value) -> bool:
    if isinstance(needed, OneOf):
        return value in needed.known
    if isinstance(needed, OrZero):
        return value == 0 or _allows(needed.range, value)
    if isinstance(needed, Interval):
        return all(_allows(end, value) for end in needed)
    _, relation = _RELATIONS[type(needed)]
    (bound,) = dataclasses.astuple(needed)
    return relation(value, bound)


def _text(needed) -> str:
    if isinstance(needed, OneOf):
        return f"one of {needed}"
    if isinstance(needed, OrZero):
        return f"{_text(needed.range)}, or 0"
    if isinstance(needed, Interval):
        low = f"({needed.gt}" if needed.ge is None else f"[{needed.ge}"
        high = f"{needed.lt})" if needed.le is None else f"{needed.le}]"
        return f"in {low}, {high}"
    sign, _ = _RELATIONS[type(needed)]
    (bound,) = dataclasses.astuple(needed)
    return f"{sign} {bound}"


__all__ = ["Checked", "Declared", "Ge", "Gt", "Interval", "Le", "Lt", "Mark",
           "MinLen", "NonNegativeFloat", "NonNegativeInt", "OneOf", "Only",
           "OrZero", "PositiveFloat", "PositiveInt", "declared"]
