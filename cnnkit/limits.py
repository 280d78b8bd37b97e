"""How much memory this process can still have: a network too large for it is refused at once.

Elsewhere the system would hand out memory that it does not have and, minutes later, kill the
process that uses it.
"""

import os
from pathlib import Path

ASK = 256 << 20  # bytes: for less nobody is asked
GROUPS = {  # what a container may use: limit and use, control groups version 2 and 1
    "/sys/fs/cgroup/memory.max": "/sys/fs/cgroup/memory.current",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "/sys/fs/cgroup/memory/memory.usage_in_bytes",
}


def check_memory(parts, owner):
    """Raise MemoryError if the bytes of `parts`, by what they are for, are more than there are."""
    size = sum(parts.values())
    if size < ASK:
        return
    free = available_memory()
    if free is not None and size > free:
        listed = ", ".join(f"{_size(part)} of {name}" for name, part in parts.items())
        raise MemoryError(f"{owner}: memory must hold {listed}, got {_size(free)} available.")


def available_memory():
    """Return how many bytes this process can still have, None where nobody knows."""
    known = [_of_system(), _of_container(), _of_process()]
    return min((size for size in known if size is not None), default=None)


def _of_system():
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def _of_container():
    for limit, use in GROUPS.items():
        try:
            return max(0, int(Path(limit).read_text()) - int(Path(use).read_text()))
        except (OSError, ValueError):  # there is none, or its limit is "max"
            continue
    return None


def _of_process():
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return None
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return max(0, limit - pages * resource.getpagesize())
    except (ImportError, OSError, ValueError):
        return None


def _size(count):
    return f"{count / 1e9:,.1f} GB"
