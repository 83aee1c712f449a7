"""What a density is conditioned on, beside its own variables."""

from typing import Any


def given(density: Any, condition: Any) -> dict[str, Any]:
    """The argument that a conditional density takes, and no other does: a
    prior may have a condition, a class say, that its likelihood has not.

    Args:
        density: One with `is_conditional`, or one that takes no condition.
        condition: None, or a nest of tensors [batch, ...].
    """
    if condition is None or not getattr(density, "is_conditional", False):
        return {}
    return {"condition": condition}
