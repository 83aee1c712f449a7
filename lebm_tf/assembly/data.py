"""Specification of the data, and the families that accept it."""

import dataclasses
from typing import Any, Mapping

from lebm_tf import kinds
from lebm_tf.errors import InputError

_RANKS = {kinds.IMAGE: 3, kinds.SEQUENCE: 1, kinds.VECTOR: 1, kinds.COUNTS: 1,
          kinds.TRAJECTORY: 2, kinds.PAIR: 3}


@dataclasses.dataclass(frozen=True)
class DataSpec:
    """Properties of a data set that a family needs to build a model.

    Attributes:
        shape: Shape of one example: (height, width, channels) for images,
            (length,) for sequences, (width,) for vectors and counts,
            (future_length, 2) for trajectories.
        num_train: Number of training examples.
        num_classes: Number of classes; 0 without labels.
        num_tokens: Vocabulary size of sequences; 0 for other data.
        past_length: Observed positions of trajectories; 0 for other data.
        data_scale: Model units per unit of position.
        unit: Unit of positions, "px" or "m".
        has_attributes: Whether every example has a number y.
        num_labels: Number of training examples whose labels are used; 0 for
            none.
        kind: Kind of the examples, of `lebm_tf.kinds.KINDS`.

    Raises:
        ValueError: If the kind is unknown, or a field does not fit the kind.
    """
    shape: tuple[int, ...]
    num_train: int
    num_classes: int = 0
    num_tokens: int = 0
    past_length: int = 0
    data_scale: float = 1.0
    unit: str = ""
    has_attributes: bool = False
    num_labels: int = 0
    kind: str = kinds.IMAGE

    def __post_init__(self):
        if self.kind not in kinds.KINDS:
            raise ValueError(f"kind must be one of {', '.join(kinds.KINDS)}, "
                             f"got {self.kind!r}.")
        for name, kind in (("num_tokens", kinds.SEQUENCE),
                           ("past_length", kinds.TRAJECTORY)):
            if bool(vars(self)[name]) != (self.kind == kind):
                raise ValueError(
                    f"{name} must be > 0 for {kinds.KINDS[kind]} and 0 for "
                    f"others, got {vars(self)[name]} for "
                    f"{kinds.KINDS[self.kind]}.")
        if len(self.shape) != _RANKS[self.kind]:
            raise ValueError(
                f"shape must have {_RANKS[self.kind]} numbers for "
                f"{kinds.KINDS[self.kind]}, got {self.shape}.")

    @classmethod
    def of(cls, data) -> "DataSpec":
        """Returns the specification of a `datasets.DataSet`."""
        return cls(
            tuple(data.shape), len(data.x_train), data.num_classes,
            data.num_tokens, past_length=data.past_length,
            data_scale=data.scale, unit=data.unit,
            has_attributes=data.attributes_train is not None,
            num_labels=0 if data.labelled is None else len(data.labelled.y),
            kind=data.kind)


def check_kind(family: str, kind: str, families: Mapping[str, Any]) -> None:
    """Refuses data of a kind that a family does not accept.

    Args:
        family: Name of the family.
        kind: Kind of the data, of `lebm_tf.kinds`.
        families: Name -> module.

    Raises:
        InputError: If the family does not accept it; names those that do.
    """
    known = families[family].Config.kinds
    if kind not in known:
        raise InputError(
            f"the family {family} needs "
            f"{' or '.join(kinds.KINDS[own] for own in known)}, got "
            f"{kinds.KINDS[kind]}; {_takers(kind, families)}.")


def family_for(kind: str, families: Mapping[str, Any], default: str) -> str:
    """Returns the family for a kind of data, if none is given.

    Args:
        kind: Kind of the data, of `lebm_tf.kinds`.
        families: Name -> module.
        default: Preferred family, if it accepts the kind.

    Raises:
        InputError: If several families accept the kind, or none.
    """
    fitting = _taking(kind, families)
    if default in fitting or len(fitting) == 1:
        return default if default in fitting else fitting[0]
    raise InputError(f"--family must be given for {kinds.KINDS[kind]}: "
                     f"{_takers(kind, families)}.")


def _takers(kind, families) -> str:
    return (f"{kinds.KINDS[kind]} are accepted by "
            f"{', '.join(_taking(kind, families)) or 'no family'}")


def _taking(kind, families) -> list[str]:
    """Names of the families that declare a kind; a family that accepts all
    kinds has declared none."""
    return [name for name, family in families.items()
            if kind in family.Config.kinds
            and set(family.Config.kinds) != set(kinds.KINDS)]
