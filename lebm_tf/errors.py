"""Errors that the commands report to their users.

A wrong flag, a missing or malformed file or an unknown data set raises
`InputError` where it is detected, and the commands (`train`, `evaluate`,
`sample`, `export`) print its message and exit with code 2, without a stack
trace. A programming error is a plain `ValueError` or `TypeError`.
"""

import difflib
from typing import Iterable


class InputError(ValueError):
    """Invalid user input; the message is one line: expected, got."""


class NonFiniteError(ArithmeticError):
    """Training stopped at a value that is not finite."""


class DivergedError(NonFiniteError):
    """Training stopped at a value that is not finite or exceeds its bound.

    Attributes:
        step: Training step.
        reason: Short description.
    """

    def __init__(self, step: int, reason: str, message: str):
        super().__init__(message)
        self.step, self.reason = step, reason


class ClusterError(RuntimeError):
    """Another worker of the run was lost."""


def nearest(name: str, known: Iterable[str]) -> str:
    """' (nearest: a, b)', or '' if no known name is similar."""
    near = difflib.get_close_matches(name, list(known), 3, 0.5)
    return f" (nearest: {', '.join(near)})" if near else ""
