"""What a case is. Standard library only."""

import dataclasses
from typing import Any, Mapping

EAGER = "PyTorch eager"  # The authors' way, with which others are compared.


@dataclasses.dataclass(frozen=True)
class Side:
    """One program and its task.

    Attributes:
        name: As tables call it.
        program: ours, served or peer.
        task: What the worker is given.
    """
    name: str
    program: str
    task: Mapping[str, Any]

    @property
    def precision(self) -> str:
        """float32 or bfloat16: of most of its products."""
        words = (self.task.get("precision", ""), self.task.get("variant", ""))
        return "bfloat16" if any("bfloat16" in word for word in words) else (
            "float32")


@dataclasses.dataclass(frozen=True)
class Case:
    """Sides that do the same work, measured in turns.

    Attributes:
        name: GROUP/..., unique.
        sides: Who does it.
        flops: Operations of a repetition by formula; 0 if not counted.
        inner_flops: The same without products outside of the picture.
        items: What a repetition makes, such as samples; 0 if nothing.
        before: Sides that run once before, whose time is not measured.
        fresh: Whether the time from the start of a new process to the end of
            its first repetition is measured.
        once: Whether one repetition is all, for its record.
    """
    name: str
    sides: tuple[Side, ...]
    flops: int = 0
    inner_flops: int = 0
    items: int = 0
    before: tuple[Side, ...] = ()
    fresh: bool = False
    once: bool = False
