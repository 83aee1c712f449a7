"""Where figures were measured."""

import os
import platform
import time
from typing import Any

# What decides how fast products of either precision can be.
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile")
_IDLE = (3, 4)  # Idle, and waiting for a disk.


def describe() -> dict[str, Any]:
    """Processor, cores, memory, system; of Linux."""
    values = _fields("/proc/cpuinfo")
    flags = values.get("flags", "").split()
    memory = int(_fields("/proc/meminfo")["MemTotal"].split()[0])
    return {
        "processor": values.get("model name", platform.machine()),
        "cpus": len(os.sched_getaffinity(0)),
        "instructions": [flag for flag in _FLAGS if flag in flags],
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


def _fields(path: str) -> dict[str, str]:
    """The first value of every name in a file of "name: value" lines."""
    found = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            name, _, value = line.partition(":")
            found.setdefault(name.strip(), value.strip())
    return found
