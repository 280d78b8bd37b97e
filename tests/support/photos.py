"""Folders of small photos for tests."""

from pathlib import Path

import numpy as np
import pytest

GREY = np.add.outer(np.arange(30), np.arange(40)).astype(np.uint8)
COLOURS = np.stack([GREY, 255 - GREY, GREY // 2], axis=-1)


def pillow():
    """Return Pillow's module `Image`, or skip the test."""
    return pytest.importorskip("PIL.Image", reason="needs Pillow: pip install cnnkit[image]")


def save(path, pixels=COLOURS, **options):
    """Write an image file, and return its path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if hasattr(pixels, "save") else pillow().fromarray(pixels)
    image.save(path, **options)
    return path


def class_folder(path, count=4, size=(12, 16), classes=("cat", "dog"), seed=0):
    """Write a folder of photos for each class, whose brightness tells them apart."""
    rng = np.random.default_rng(seed)
    for k, name in enumerate(classes):
        for i in range(count):
            pixels = rng.integers(100 * k, 100 * k + 60, (*size, 3), dtype=np.uint8)
            save(Path(path) / name / f"{i}.png", pixels)
    return Path(path)
