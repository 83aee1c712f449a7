"""Properties of the processor, and TensorFlow's use of it.

Reads files and environment variables only, without TensorFlow, so that commands
can use it before TensorFlow is loaded.
"""

import os
import platform
from typing import Any

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
# Features that affect the rounding and speed of products.
FEATURES = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16",
            "amx_bf16", "amx_tile")
_SETTINGS = ("ONEDNN_MAX_CPU_ISA", ONEDNN)


def describe() -> dict[str, Any]:
    """Name, features, cores and environment settings, as JSON types.

    All of them affect the rounding of products.
    """
    values = fields("/proc/cpuinfo")
    flags = values.get("flags", "").split()
    return {"name": values.get("model name", platform.machine()),
            "features": [name for name in FEATURES if name in flags],
            "cores": len(os.sched_getaffinity(0)),
            "onednn": onednn_is_on(),
            "settings": {name: os.environ[name] for name in _SETTINGS
                         if name in os.environ}}


def prefer_onednn() -> None:
    """Makes TensorFlow use oneDNN if it is not loaded yet.

    On x86 with AVX2 but without AVX512-VNNI it does not by default, and takes
    two to three times as long for a transposed convolution. An existing value
    of $TF_ENABLE_ONEDNN_OPTS is kept.
    """
    if "avx2" in fields("/proc/cpuinfo").get("flags", "").split():
        os.environ.setdefault(ONEDNN, "1")


def onednn_is_on() -> bool:
    """Whether TensorFlow uses oneDNN, or will once it is loaded."""
    value = os.environ.get(ONEDNN)
    if value is not None:
        return value.lower() in ("1", "true")
    return "avx512_vnni" in fields("/proc/cpuinfo").get("flags", "").split()


def fields(path: str) -> dict[str, str]:
    """The first value of every name in a file of "name: value" lines; empty if
    the file does not exist."""
    found: dict[str, str] = {}
    if not os.path.exists(path):
        return found
    with open(path, encoding="utf-8") as file:
        for line in file:
            name, _, value = line.partition(":")
            found.setdefault(name.strip(), value.strip())
    return found
