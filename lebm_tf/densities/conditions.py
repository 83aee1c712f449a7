"""What a density is conditioned on, beside its own variables."""

from typing import Any


def given(condition: Any) -> dict[str, Any]:
    """The argument that a conditional density takes, and no other does.

    Args:
        condition: None, or a nest of tensors [batch, ...].
    """
    return {} if condition is None else {"condition": condition}
