"""The memory that this process can still get: a network that needs more is refused at once.

Otherwise the system would promise memory that it does not have, and kill the process minutes later,
when the memory is used.
"""

import os
from pathlib import Path, PurePosixPath
from typing import NamedTuple

ASK = 64 << 20  # bytes: less memory is not checked
OWN = Path("/proc/self/cgroup")  # the control groups of this process, by their controllers
GROUPS = Path("/sys/fs/cgroup")
CACHE = ("active_file", "inactive_file")  # the system frees both before it kills a process


class Kind(NamedTuple):
    """Folder and files in which a version of control groups has the limits of a container."""

    folder: str
    limit: str
    used: str
    prefix: str  # start of names in memory.stat that include inner groups


KINDS = {  # by the controllers in a line of `OWN`: version 2 names none
    "": Kind("", "memory.max", "memory.current", ""),
    "memory": Kind("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
}


def check_memory(parts, owner):
    """Raise a MemoryError if `parts`, a dict of bytes by purpose, need more than is available."""
    size = sum(parts.values())
    if size < ASK:
        return
    free = available_memory()
    if free is not None and size > free:
        listed = ", ".join(f"{_size(part)} of {name}" for name, part in parts.items())
        raise MemoryError(f"{owner}: memory must hold {listed}, got {_size(free)} available.")


def available_memory():
    """Return the number of bytes that this process can still get, or None if unknown."""
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
    """Return the least memory left in this process's control groups and those around them."""
    known = [_of_group(folder, kind) for folder, kind in _groups()]
    return min((size for size in known if size is not None), default=None)


def _groups():
    """Yield folders that may be control groups of this process, with their kinds."""
    try:
        lines = OWN.read_text().splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        _, names, path = line.split(":", 2)
        group = PurePosixPath(path)
        for kind in (KINDS[name] for name in names.split(",") if name in KINDS):
            for each in (group, *group.parents):
                yield GROUPS / kind.folder / each.relative_to("/"), kind


def _of_group(folder, kind):
    """Return the memory left in a control group; cached files count as free, as in MemAvailable."""
    try:
        limit, used = (int((folder / name).read_text()) for name in (kind.limit, kind.used))
    except (OSError, ValueError):  # no such group, or its limit is "max"
        return None
    return max(0, limit - max(0, used - _cached(folder, kind)))


def _cached(folder, kind):
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    sizes = dict(line.split(" ", 1) for line in lines)
    return sum(int(sizes.get(kind.prefix + name, 0)) for name in CACHE)


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
