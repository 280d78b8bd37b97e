"""How much memory this process can still have: a network too large for it is refused at once.

Elsewhere the system would hand out memory that it does not have and, minutes later, kill the
process that uses it.
"""

import os
from pathlib import Path, PurePosixPath
from typing import NamedTuple

ASK = 64 << 20  # bytes: for less nobody is asked
OWN = Path("/proc/self/cgroup")  # the control groups of this process, by their controllers
GROUPS = Path("/sys/fs/cgroup")
CACHE = ("active_file", "inactive_file")  # both are dropped before anybody is killed for memory


class Kind(NamedTuple):
    """Where a version of control groups says what a container may use: folder and files."""

    folder: str
    limit: str
    used: str
    prefix: str  # in memory.stat, of sums over a group and those in it


KINDS = {  # by the controllers in a line of `OWN`: version 2 names none
    "": Kind("", "memory.max", "memory.current", ""),
    "memory": Kind("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
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
    """Return the least that this process's control groups and those around them have left."""
    known = [_of_group(folder, kind) for folder, kind in _groups()]
    return min((size for size in known if size is not None), default=None)


def _groups():
    """Yield the folders in which control groups of this process may be, and their kinds."""
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
    """Return what a control group has left; cached files count as left, as in MemAvailable."""
    try:
        limit, used = (int((folder / name).read_text()) for name in (kind.limit, kind.used))
    except (OSError, ValueError):  # there is none, or its limit is "max"
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
