"""Start of the commands: flags are checked, then TensorFlow is imported.

TensorFlow's C++ code writes to standard error before its log level can be set.
Commands capture these lines while it loads, and show them only if that fails.
"""

import contextlib
import os
import sys
import tempfile
from typing import Any, Iterator

from lebm_tf.configuration import early

# Optional imports of Keras, for wrappers, galleries and tables that no command
# uses; they take as long as half of TensorFlow.
_UNUSED = ("IPython", "matplotlib", "matplotlib.pyplot", "pandas", "sklearn")


def begin(command: str, name: str, description: str) -> None:
    """Starts the module of a command, before its other imports.

    A module that runs as a program checks its flags, and ends the process if
    they are wrong or ask for help.

    Args:
        command: Name of the command.
        name: `__name__` of the module.
        description: First paragraph of --help.
    """
    if name == "__main__":
        early.check(command, description)
    import_tensorflow()


def import_tensorflow() -> None:
    """Imports TensorFlow and lists its devices, silently unless that fails.

    If $TF_CPP_MIN_LOG_LEVEL is set, everything is shown as usual.
    """
    with _hidden(*_UNUSED):
        if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
            import tensorflow  # noqa: F401
        else:
            _import_quietly()


@contextlib.contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Makes modules that are not loaded yet seem not installed."""
    missing = [name for name in names if name not in sys.modules]
    nothing: dict[str, Any] = dict.fromkeys(missing)
    sys.modules.update(nothing)
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


def _import_quietly() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        loaded = False
        try:
            import tensorflow
            tensorflow.config.list_physical_devices()
            tensorflow.get_logger().setLevel("ERROR")
            loaded = True
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            if not loaded:
                held.seek(0)
                sys.stderr.write(held.read().decode(errors="replace"))
