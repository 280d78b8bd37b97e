"""What every example says at its end: how long it took, and on what."""

import platform
from pathlib import Path
from time import perf_counter

from cnnkit import num_threads


def timed(main):
    """Run an example, and print how long it took and on what."""
    start = perf_counter()
    main()
    seconds = perf_counter() - start
    count = num_threads()
    threads = "1 thread" if count == 1 else f"{count} threads"
    print(f"\nTook {seconds:.0f} s on {threads} of {processor()}.")


def processor():
    """Return the name of the processor, or of its kind where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
