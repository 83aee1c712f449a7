"""Whether the shapes of products may depend on the values of a batch.

Training computes nothing for padding. Matrix kernels round otherwise for
other numbers of rows, so a row that must not depend on its neighbours, as of a
served model, is computed with padding and all.
"""

import contextlib
import threading
from typing import Iterator


class _Local(threading.local):
    """Replicas are traced in threads of their own."""
    fixed = False


_local = _Local()


@contextlib.contextmanager
def fixed() -> Iterator[None]:
    """Within it, graphs are built whose shapes depend on shapes alone."""
    before = are_fixed()
    _local.fixed = True
    try:
        yield
    finally:
        _local.fixed = before


def are_fixed() -> bool:
    """Whether a graph is being built within `fixed`."""
    return _local.fixed
