"""Folders of photos: an epoch beside the same images in memory, and the memory for 20,000 photos.

Run::

    python benchmarks/photos.py [--rounds 3] [--threads 2] [--only PATTERN] [--json PATH]

The photos are JPEGs of 500x375 pixels, a shape on a background of soft colours with noise, quality
88, some 60 KB each. They are made once, in folders of the system's temporary folder (1.3 GB for
20,000), and brought to 64x64. The network is `cnnkit.models.default` for that size. The contenders
are cnnkit with the images in one array, with a folder, and with a folder whose images are kept in a
file once they were decoded. Ratios are to the array.

``an epoch``
    Seconds of one epoch over 2,000 photos, the last of three in a fit, without validation.
``predict``
    Seconds for the predictions of the same.
``memory growth``
    MB of anonymous resident memory at the peak of a fit of one epoch over 20,000 photos, beyond
    what the process held before and beyond that of a fit over the first 200 of them: what grows
    with the data. Not for the array, which holds them all.
``photos per second``
    In that fit: it decodes each photo twice, for the statistics and for the epoch.
"""

import functools
import tempfile
from pathlib import Path

import harness
from memory import peak_memory

EPOCHS = 3
SIZE = (64, 64)
CLASSES = ("circle", "square", "triangle")


def with_kind(kind):
    from cnnkit import CNNClassifier
    from cnnkit.callbacks import Timer

    few, many = photos(2_000), photos(20_000)

    def loaded(folder):
        import numpy as np

        from cnnkit.data import load_image_folder

        cache = folder.with_suffix(".cache") if kind == "cached" else None
        found = load_image_folder(folder, size=SIZE, mode="RGB", cache=cache)
        return (np.asarray(found.data) if kind == "array" else found.data), found.target

    X, y = loaded(few)

    def an_epoch():
        timer = Timer()
        clf = CNNClassifier(max_iter=EPOCHS, batch_size=32, random_state=0)
        clf.set_callbacks(timer).fit(X, y)
        return harness.Turn([timer.epochs[-1]])

    def predicted():
        clf = CNNClassifier(max_iter=1, batch_size=32, random_state=0).fit(X[:200], y[:200])
        seconds, _ = harness.clock(lambda: clf.predict(X), 1)
        return harness.Turn(seconds)

    def fit_many(count):
        images, labels = loaded(many)
        clf, peaks = CNNClassifier(max_iter=1, batch_size=32, random_state=0), []
        every = len(labels) // count
        with peak_memory(peaks):
            seconds, _ = harness.clock(lambda: clf.fit(images[::every], labels[::every]), 1)
        return max(peaks), seconds[0]

    def memory_growth():
        least, _ = fit_many(200)
        most, _ = fit_many(20_000)
        return harness.Turn([most - least], unit="MB")

    def per_second():
        _, seconds = fit_many(20_000)
        return harness.Turn([20_000 / seconds], unit="1/s")

    rows = {"an epoch": an_epoch, "predict": predicted}
    if kind != "array":
        rows |= {"memory growth": memory_growth, "photos per second": per_second}
    return rows


def photos(count):
    """Return a folder with so many photos, which are made if it is not there."""
    folder = Path(tempfile.gettempdir()) / f"cnnkit-photos-{count}"
    if not (folder / "whole").exists():
        harness.in_new_process(make, folder, count)
        (folder / "whole").touch()
    return folder


def make(folder, count):
    """Write photos of shapes into a folder for each shape."""
    import numpy as np
    from PIL import Image, ImageDraw

    rng = np.random.default_rng(count)
    for i in range(count):
        kind = CLASSES[i % 3]
        image = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize((500, 375))
        (x, y), r = rng.integers(100, 275, 2), rng.integers(40, 90)
        draw, colour = ImageDraw.Draw(image), tuple(map(int, rng.integers(0, 256, 3)))
        if kind == "circle":
            draw.ellipse((x - r, y - r, x + r, y + r), colour)
        elif kind == "square":
            draw.rectangle((x - r, y - r, x + r, y + r), colour)
        else:
            draw.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], colour)
        noisy = np.asarray(image) + rng.normal(0, 8, (375, 500, 1))
        path = folder / kind / f"{i:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path, quality=88)


CONTENDERS = [
    harness.Contender(name, functools.partial(with_kind, kind))
    for name, kind in (
        ("images in memory", "array"),
        ("folder", "folder"),
        ("folder with a cache", "cached"),
    )
]

if __name__ == "__main__":
    harness.run(__doc__, CONTENDERS, rounds=3)
