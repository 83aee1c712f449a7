"""Quiet import of TensorFlow for commands.

TensorFlow's C++ code writes to standard error before its log level can be set.
Commands capture these lines while it loads, and show them only if that fails.
"""

import os
import sys
import tempfile


def import_tensorflow() -> None:
    """Imports TensorFlow and lists its devices, silently unless that fails.

    If $TF_CPP_MIN_LOG_LEVEL is set, everything is shown as usual.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
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
