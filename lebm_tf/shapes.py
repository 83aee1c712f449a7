"""Whether tensor shapes may depend on the values of a batch.

Training skips padding. Rounding in matrix kernels depends on the number of
rows, so rows that must not depend on their neighbours, as in a served model,
are computed including padding.
"""

import contextlib
import threading
from typing import Iterator


class _Local(threading.local):
    """Thread-local, since replicas are traced in threads of their own."""
    fixed = False


_local = _Local()


@contextlib.contextmanager
def fixed() -> Iterator[None]:
    """Inside, graphs are built whose shapes do not depend on values."""
    before = are_fixed()
    _local.fixed = True
    try:
        yield
    finally:
        _local.fixed = before


def are_fixed() -> bool:
    """Whether a graph is being built inside `fixed`."""
    return _local.fixed
