"""Where figures were measured."""

import os
import platform
import time
from typing import Any

from lebm_tf import processor

_IDLE = (3, 4)  # Idle, and waiting for a disk.


def describe() -> dict[str, Any]:
    """Processor, cores, memory, system; of Linux."""
    cpu = processor.describe()
    memory = int(processor.fields("/proc/meminfo")["MemTotal"].split()[0])
    return {
        "processor": cpu["name"], "cpus": cpu["cores"],
        "instructions": cpu["features"], "onednn": cpu["onednn"],
        "memory_gigabytes": round(memory * 1024 / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version()}


def busy(seconds: float = 1.0) -> float:
    """How many CPUs others keep busy, watched for a while of doing nothing."""
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    idle, total = (sum(after[i] - before[i] for i in which)
                   for which in (_IDLE, range(len(after))))
    return os.cpu_count() * (1 - idle / total) if total else 0.0


def _ticks() -> list[int]:
    """Time of all CPUs by what they did: user, nice, system, idle, ..."""
    with open("/proc/stat", encoding="ascii") as file:
        return [int(word) for word in file.readline().split()[1:9]]
