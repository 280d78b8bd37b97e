"""
A class for every pixel, and clean images from noisy ones
=========================================================

A `CNNSegmenter` gives every pixel of an image a class. It is trained here on drawn scenes: circles,
squares and triangles of any colour lie on a ground of another, all with a texture and with noise.
No single pixel says what it belongs to; the outline around it does. A random forest gets what a
plain method would: the square of pixels around each pixel. Both are compared by the share of right
pixels, and for every class by the intersection over union of true and predicted pixels.

In the second part a `CNNImageRegressor` learns to remove noise, from parts of the left halves of
scikit-learn's photos, and cleans a right half. It predicts the noise, which is then subtracted:
that is easier to learn than the photo (Zhang et al., 2017, "Beyond a Gaussian denoiser"). For
comparison, a Gaussian filter as wide as is best for this very photo blurs what it cleans.

Both networks are `cnnkit.models.default_unet`, what ``layers=None`` means.
"""

import numpy as np
from endings import PICTURES, save_picture, timed
from scipy.ndimage import gaussian_filter, zoom
from sklearn.datasets import load_sample_images
from sklearn.ensemble import RandomForestClassifier

from cnnkit import CNNImageRegressor, CNNSegmenter
from cnnkit.display import SegmentationDisplay
from cnnkit.metrics import mean_iou, pixel_accuracy

SIDE = 48  # pixels of a scene
SCENES = 300, 100  # for training, for the test
EPOCHS = 16
CLASSES = ["ground", "circle", "square", "triangle"]
AROUND = 3  # a forest's pixel sees so many pixels to each side
PIXELS = 10_000  # pixels on which the forest is trained
TREES = 30
NOISE = 25  # standard deviation, of 255
PATCH, PATCHES = 32, 250  # parts of a photo: their side and number
PATCH_EPOCHS, RATE = 10, 0.03  # for so few steps a higher rate than by default
SHIFTS = [(0, 0), (0, 16), (16, 0), (16, 16)]  # of the patches in which a photo is cleaned
SHOWN = 4
PICTURE = PICTURES / "segment_shapes.png"


# %%
# Scenes of shapes, and their masks.


def texture(rng, colour):
    """Return an image of one colour whose brightness changes smoothly."""
    coarse = rng.normal(0, 0.08, (SIDE // 6 + 2,) * 2)
    return colour + zoom(coarse, 6, order=1)[:SIDE, :SIDE, None]


def outline(rng, kind):
    """Return the pixels of a circle (1), a square (2) or a triangle (3) somewhere, turned."""
    size = rng.uniform(0.13, 0.24) * SIDE
    turn = rng.uniform(0, 2 * np.pi)
    row, column = np.mgrid[:SIDE, :SIDE] - rng.uniform(size, SIDE - size, 2)[:, None, None]
    x, y = np.cos(turn) * column + np.sin(turn) * row, np.cos(turn) * row - np.sin(turn) * column
    if kind == 1:
        return np.hypot(x, y) < 0.85 * size
    if kind == 2:
        return np.maximum(abs(x), abs(y)) < 0.75 * size
    sides = [np.cos(a) * x + np.sin(a) * y for a in (0, 2 * np.pi / 3, 4 * np.pi / 3)]
    return np.maximum.reduce(sides) < 0.55 * size


def draw_scenes(n, rng):
    """Return images (n, SIDE, SIDE, 3), and masks (n, SIDE, SIDE) of class numbers."""
    images = np.empty((n, SIDE, SIDE, 3), np.float32)
    masks = np.zeros((n, SIDE, SIDE), int)
    for image, mask in zip(images, masks, strict=True):
        ground = rng.uniform(0.2, 0.8, 3)
        image[...] = texture(rng, ground)
        for _ in range(rng.integers(1, 4)):
            colour = rng.uniform(0.1, 0.9, 3)
            while np.abs(colour - ground).max() < 0.3:
                colour = rng.uniform(0.1, 0.9, 3)
            kind = rng.integers(1, 4)
            inside = outline(rng, kind)
            image[inside] = texture(rng, colour)[inside]
            mask[inside] = kind
        image += rng.normal(0, 0.06, image.shape)
    return images, masks


# %%
# The forest: a pixel is described by the square around it.


def neighbourhoods(images):
    """Return a row of numbers for every pixel: its colours and those around it."""
    around = ((0, 0), (AROUND, AROUND), (AROUND, AROUND), (0, 0))
    padded = np.pad(images, around, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * AROUND + 1,) * 2, axis=(1, 2))
    return windows.reshape(images[..., 0].size, -1)


def forest_masks(X, y, X_test, rng):
    """Return the masks that a random forest predicts."""
    chosen = rng.choice(y.size, min(PIXELS, y.size), replace=False)
    forest = RandomForestClassifier(TREES, min_samples_leaf=3, n_jobs=-1, random_state=0)
    forest.fit(neighbourhoods(X)[chosen], y.reshape(-1)[chosen])
    forest.set_params(n_jobs=1)  # its threads lose filters of warnings in many short calls
    parts = [forest.predict(neighbourhoods(image[None])) for image in X_test]
    return np.reshape(parts, X_test.shape[:3])


def table(y, predicted):
    """Print accuracy, mean IoU and the IoU of every class; return the mean IoU by name."""
    heads = ["", "accuracy", "mean IoU", *CLASSES]
    print("".join(f"{head:>15s}" if k == 0 else f"{head:>10s}" for k, head in enumerate(heads)))
    means = {}
    for name, masks in predicted.items():
        means[name] = mean_iou(y, masks)
        scores = [pixel_accuracy(y, masks), means[name], *mean_iou(y, masks, average=None)]
        print(f"{name:>15s}" + "".join(f"{score:10.3f}" for score in scores))
    return means


def say_of_masks(means):
    """Return what the figures of the table mean."""
    ours, theirs = means["CNNSegmenter"], means["random forest"]
    if ours > theirs + 0.02:
        return (
            f"Whole outlines count: the mean IoU is {ours:.2f}, of the forest, which sees "
            f"{2 * AROUND + 1} x {2 * AROUND + 1} pixels, {theirs:.2f}."
        )
    return (
        f"Neither is much better: mean IoU {ours:.2f} and {theirs:.2f}. More epochs may be needed."
    )


# %%
# Noise taken off a photo.


def patches(photo, rng):
    """Return parts of a photo, of 0 to 255."""
    most = np.array(photo.shape[:2]) - PATCH
    corners = rng.integers(0, most, (PATCHES, 2))
    return np.stack([photo[i : i + PATCH, j : j + PATCH] for i, j in corners]).astype(np.float32)


def decibels(image, wanted):
    """Return the peak signal-to-noise ratio in decibels: more is better."""
    return 10 * np.log10(255**2 / np.mean((image - wanted) ** 2))


def whole(reg, image, n, shift):
    """Return what is predicted for an image, patch by patch, moved back by a shift."""
    tiles = image.reshape(n, PATCH, n, PATCH, 3).swapaxes(1, 2).reshape(-1, PATCH, PATCH, 3)
    found = reg.predict(tiles).reshape(n, n, PATCH, PATCH, 3).swapaxes(1, 2)
    return np.roll(found.reshape(image.shape), shift, (0, 1))


def denoise(rng):
    """Return a photo, the photo with noise, blurred and denoised, by name."""
    photos = load_sample_images().images
    halves = [photo[:, : photo.shape[1] // 2] for photo in photos]
    clean = np.concatenate([patches(half, rng) for half in halves])
    noise = rng.normal(0, NOISE, clean.shape).astype(np.float32)
    reg = CNNImageRegressor(max_iter=PATCH_EPOCHS, learning_rate_init=RATE, random_state=0)
    reg.fit(clean + noise, noise)
    n = 8  # patches a side
    wanted = photos[0][90 : 90 + n * PATCH, -n * PATCH :].astype(np.float32)
    noisy = (wanted + rng.normal(0, NOISE, wanted.shape)).astype(np.float32)
    widths = np.arange(0.5, 2.1, 0.1)
    blurred = [gaussian_filter(noisy, (width, width, 0)) for width in widths]
    blurred = max(blurred, key=lambda image: decibels(image, wanted))
    found = [whole(reg, np.roll(noisy, (-a, -b), (0, 1)), n, (a, b)) for a, b in SHIFTS]
    cleaned = noisy - np.mean(found, axis=0)  # the mean of shifted patches has no seams
    return {"photo": wanted, "with noise": noisy, "blurred": blurred, "denoised": cleaned}


# %%
# Both on one picture.


def draw_picture(X, y, predicted, photos):
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(9, 6.6))
    ax = figure.add_axes((0.01, 0.43, 0.98, 0.53))
    SegmentationDisplay.from_predictions(
        X, y, predicted, classes=range(4), class_names=CLASSES, ax=ax, columns=2
    )
    for k, (name, image) in enumerate(photos.items()):
        ax = figure.add_axes((0.01 + 0.247 * k, 0.02, 0.24, 0.34))
        ax.imshow(image.clip(0, 255).astype(np.uint8))
        found = "" if name == "photo" else f", {decibels(image, photos['photo']):.1f} dB"
        ax.set_title(name + found, fontsize=9)
        ax.set_axis_off()
    return figure


def main():
    rng = np.random.default_rng(0)
    X, y = draw_scenes(SCENES[0], rng)
    X_test, y_test = draw_scenes(SCENES[1], rng)
    seg = CNNSegmenter(max_iter=EPOCHS, random_state=0).fit(X, y)
    predicted = {"CNNSegmenter": seg.predict(X_test)}
    predicted["random forest"] = forest_masks(X, y, X_test, rng)
    print(f"{len(X_test)} scenes that were not seen in training")
    print(say_of_masks(table(y_test, predicted)))
    photos = denoise(rng)
    wanted = photos["photo"]
    print("\nHalf a photo that was not seen in training, in decibels (more is better)")
    for name, image in list(photos.items())[1:]:
        print(f"{name:>15s}{decibels(image, wanted):10.1f}")
    masks = predicted["CNNSegmenter"]
    scenes = X_test[:SHOWN], y_test[:SHOWN], masks[:SHOWN]
    return save_picture(PICTURE, draw_picture, *scenes, photos)


if __name__ == "__main__":
    timed(main)
