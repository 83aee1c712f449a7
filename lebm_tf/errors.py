"""The one error that a user of the commands is meant to read.

A wrong flag, a missing or malformed file, a data set that is not there: code
raises `InputError` where it finds out, and the commands (`train`, `evaluate`,
`sample`, `export`) print its message and exit with code 2, without a stack
trace. A programming mistake stays a plain `ValueError` or `TypeError`.
"""

import difflib
from typing import Iterable


class InputError(ValueError):
    """A user's input is wrong; the message is one line: needed, got."""


class NonFiniteError(ArithmeticError):
    """Training met a value that is not finite, and stopped."""


class DivergedError(NonFiniteError):
    """Training met a value that is not finite or beyond its bound.

    Attributes:
        step: Where.
        reason: What, in a few words.
    """

    def __init__(self, step: int, reason: str, message: str):
        super().__init__(message)
        self.step, self.reason = step, reason


class ClusterError(RuntimeError):
    """Another worker of the run was lost."""


def nearest(name: str, known: Iterable[str]) -> str:
    """' (nearest: a, b)', or nothing if no known name is near."""
    near = difflib.get_close_matches(name, list(known), 3, 0.5)
    return f" (nearest: {', '.join(near)})" if near else ""
