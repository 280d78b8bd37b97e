"""How much memory reading a file takes, in a process of its own: the peak while it is read."""

import re
from pathlib import Path

from cnnkit import load
from cnnkit.callbacks import Checkpoint
from cnnkit.exceptions import ModelFormatError

STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")  # 5: the peak is what there is now


def measure(path, kind):
    """Return by how many bytes the process grew meanwhile, and why a file was refused, or None."""
    read = Checkpoint(path).read if kind == "checkpoint" else lambda: load(path)
    RESET.write_text("5")
    before = memory("VmRSS")
    try:
        read()
        reason = None
    except ModelFormatError as error:
        reason = str(error)
    return memory("VmHWM") - before, reason


def memory(name):
    return int(re.search(rf"{name}:\s+(\d+) kB", STATUS.read_text())[1]) << 10
