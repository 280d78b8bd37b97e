"""Time and memory as the data grow: an epoch over memory-mapped images, from 1,000 to 1,000,000.

Run::

    python benchmarks/memory.py [--rounds 2] [--threads 2] [--only PATTERN] [--json PATH]

All contenders are cnnkit, each in its own process with a file of so many synthetic 28x28 uint8
images in a temporary folder (784 MB for the largest), which `numpy.load` maps and `CNNClassifier`
is given as it is. The net is small, so that reading the images counts: Conv 16 3x3 stride 2, ReLU,
MaxPool 2, Conv 10 1x1, global average pooling; batch 100. The ratios are to the smallest data.

``time per image``
    Microseconds for one image in one epoch: the time of a fit, divided by epochs and images. A fit
    has so many epochs that it reads at least 50,000 images.
``memory growth``
    MB of anonymous resident memory at the peak of these fits, beyond what the process held before
    the first (Linux' RssAnon, sampled): the model, a batch of images, the labels, the order of
    the epoch.
``mapped images``
    MB of the file that are resident at the end (Linux' RssFile): pages of the system's cache, which
    it takes back when memory is needed.
"""

import contextlib
import functools
import tempfile
import threading
from pathlib import Path

import classifiers
import harness

SIZES = (1_000, 10_000, 100_000, 1_000_000)
LEAST = 50_000


def with_images(count):
    import numpy as np

    from cnnkit import Conv, Conv1x1, GlobalAvgPool, MaxPool, ReLU

    folder = tempfile.TemporaryDirectory()
    images = mapped_images(Path(folder.name) / "images.npy", count)
    labels = np.random.default_rng(1).integers(10, size=count)
    layers = [Conv(16, 3, stride=2), ReLU(), MaxPool(2), Conv1x1(10), GlobalAvgPool()]
    epochs = max(1, LEAST // count)
    anonymous, mapped = harness.memory_mb("RssAnon"), harness.memory_mb("RssFile")
    peaks = []

    def time_per_image(folder=folder):  # keeps the folder until the process ends
        classifier = classifiers.from_cnnkit(layers, epochs, 100)
        with peak_memory(peaks):
            seconds, _ = harness.clock(lambda: classifier.fit(images, labels), 1)
        return harness.Turn([1e6 * s / epochs / count for s in seconds], unit="us")

    def memory_growth():
        if not peaks:
            time_per_image()
        return harness.Turn([max(peaks) - anonymous], unit="MB")

    def mapped_memory():
        memory_growth()
        return harness.Turn([harness.memory_mb("RssFile") - mapped], unit="MB")

    return {
        "time per image": time_per_image,
        "memory growth": memory_growth,
        "mapped images": mapped_memory,
    }


def mapped_images(path, count):
    """Return a memory-mapped array of random images, written a part at a time."""
    import numpy as np

    rng = np.random.default_rng(0)
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 28, 28))
    for start in range(0, count, 10_000):
        part = images[start : start + 10_000]
        part[...] = rng.integers(256, size=part.shape, dtype=np.uint8)
    images.flush()
    del images
    return np.load(path, mmap_mode="r")


@contextlib.contextmanager
def peak_memory(peaks):
    """Append the largest anonymous memory, in MB, that was seen in the context."""
    done = threading.Event()

    def watch():
        while not done.wait(0.02):
            peaks.append(harness.memory_mb("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        peaks.append(harness.memory_mb("RssAnon"))
        done.set()
        watcher.join()


CONTENDERS = [
    harness.Contender(f"{count:,} images", functools.partial(with_images, count)) for count in SIZES
]

if __name__ == "__main__":
    harness.run(__doc__, CONTENDERS, rounds=2)
