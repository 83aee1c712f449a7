"""What a family must know of the data."""

import dataclasses

from lebm_tf import kinds

_RANKS = {kinds.IMAGE: 3, kinds.SEQUENCE: 1, kinds.VECTOR: 1, kinds.COUNTS: 1,
          kinds.TRAJECTORY: 2}


@dataclasses.dataclass(frozen=True)
class DataSpec:
    """What a family must know of the data.

    Attributes:
        shape: Shape of one example: (height, width, channels) for images,
            (length,) for sequences, (width,) for vectors and counts,
            (future_length, 2) for trajectories.
        num_train: Number of training examples.
        num_classes: Number of labels; 0 without labels.
        num_tokens: Size of the vocabulary of sequences; 0 for other data.
        past_length: Observed positions of trajectories; 0 for other data.
        data_scale: Units of the model for one of positions.
        unit: Of positions, "px" or "m".
        has_attributes: Whether a number belongs to every example.
        num_labels: Number of training examples that come with a label beside
            the others; 0 for none.
        kind: What an example is, of `lebm_tf.kinds.KINDS`.

    Raises:
        ValueError: If the kind is unknown or other numbers belong to another.
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
        """Of a `datasets.DataSet`."""
        return cls(
            tuple(data.shape), len(data.x_train), data.num_classes,
            data.num_tokens, past_length=data.past_length,
            data_scale=data.scale, unit=data.unit,
            has_attributes=data.attributes_train is not None,
            num_labels=0 if data.labelled is None else len(data.labelled.y),
            kind=data.kind)


def check_kind(family: str, data: DataSpec, kind: str) -> None:
    """Raises ValueError unless the data are of the kind of a family."""
    if data.kind != kind:
        raise ValueError(f"the family {family} needs {kinds.KINDS[kind]}, got "
                         f"{kinds.KINDS[data.kind]}.")
