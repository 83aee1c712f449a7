"""How commands load TensorFlow: without its start-up chatter.

TensorFlow's C++ code writes to standard error before any setting of its log
level can reach it. Commands hold those lines back while it loads, and show
them only if it fails.
"""

import os
import sys
import tempfile


def import_tensorflow() -> None:
    """Imports TensorFlow and lists its devices, silently if all is well.

    $TF_CPP_MIN_LOG_LEVEL, if set, shows everything as usual.
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
