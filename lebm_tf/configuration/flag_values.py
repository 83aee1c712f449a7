"""Conversion of flag texts to configuration values."""

import dataclasses
import typing
from typing import Any

from lebm_tf.errors import InputError


def convert(field: Any, text: Any) -> Any:
    """Converts the text of a flag to the type of its field.

    Args:
        field: A `fields.Field`.
        text: Text of the flag; a bool for a boolean flag.

    Raises:
        InputError: If the text does not have the type of the field.
    """
    if field.type in (str, bool):
        return text
    if typing.get_origin(field.type) is tuple:
        item = typing.get_args(field.type)[0]
        parts = [part.strip() for part in text.split(",") if part.strip()]
        one = dataclasses.replace(field, type=item)
        return tuple(convert(one, part) for part in parts)
    kind = {int: "a 64-bit integer", float: "a number"}[field.type]
    try:
        number = field.type(text)
    except ValueError:
        number = None
    if number is None or field.type is int and not -2**63 <= number < 2**63:
        raise InputError(f"--{field.flag} must be {kind}, got {text!r}.")
    return number
