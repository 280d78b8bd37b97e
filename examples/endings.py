"""The end of every example: its picture, how long it took, and on what."""

import platform
from pathlib import Path
from time import perf_counter

from cnnkit import num_threads

PICTURES = Path(__file__).parent / "pictures"


def save_picture(path, draw, *args, dpi=120):
    """Save the figure that `draw(*args)` returns; return what to print of it."""
    try:
        figure = draw(*args)
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        return "No picture: `pip install cnnkit[plot]` brings matplotlib, which would draw it."
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=dpi)
    return f"Picture: {path}"


def timed(main):
    """Run an example; print how long it took and on what, and what it returns: its picture."""
    start = perf_counter()
    last = main()
    seconds = perf_counter() - start
    count = num_threads()
    threads = "1 thread" if count == 1 else f"{count} threads"
    print(f"\nTook {seconds:.0f} s on {threads} of {processor()}.")
    if last:
        print(last)


def processor():
    """Return the name of the processor, or its kind if the system does not give a name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
