"""
What the network sees
=====================

The inside of a trained convolutional network can be drawn. Its first filters are small images. The
feature maps show where in an image each filter responds. A head of a 1x1 convolution and global
average pooling shows, without further code, where the evidence for a class lies: before pooling
there is one map per class, and the score of a class is the mean of its map. That map is the class
activation map of Zhou et al. (2016), "Learning deep features for discriminative localization". They
take the weighted sum of the last feature maps, with the weights of the layer after pooling; a 1x1
convolution is that weighted sum.

A network without pooling between its layers is trained on scikit-learn's digits, so that its maps
have the 8x8 pixels of the image. Purple in a class map is evidence for the class, orange is
evidence against it. A pixel of a map depends on the 7x7 pixels around it, and paper can be evidence
as well as ink: for instance a hole where other digits have a stroke. The table gives, for one test
image of every digit and for a mistake, the share of the map's positive sum that lies on ink. For
comparison, a constant map would give the share of the image that is ink.
"""

import numpy as np
from endings import PICTURES, save_picture, timed
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split

from cnnkit import CNNClassifier, Conv, Conv1x1, GlobalAvgPool, ReLU
from cnnkit.display import ClassActivationDisplay, FeatureMapDisplay, FilterDisplay

LAYERS = [
    ("edges", Conv(16, 3)),
    ("edges_relu", ReLU()),
    ("strokes", Conv(32, 3)),
    ("strokes_relu", ReLU()),
    ("parts", Conv(32, 3)),
    ("parts_relu", ReLU()),
    ("class_maps", Conv1x1(None)),
    ("scores", GlobalAvgPool()),
]
EPOCHS = 20
INK = 0.25  # a pixel at least this dark, of 1, is ink
SHOWN = 16  # feature maps of each depth
PICTURE = PICTURES / "what_the_net_sees.png"


# %%
# Class maps, and the share of a map that lies on ink.


def class_maps(clf, X):
    """Return the class maps (n, 8, 8, 10), after a check that their means are the scores."""
    found = clf.network_.activations(X, ["class_maps", "scores"])
    np.testing.assert_allclose(
        found["class_maps"].mean(axis=(1, 2)), found["scores"], rtol=1e-4, atol=1e-4
    )
    return found["class_maps"]


def share_on_ink(image, class_map):
    positive = np.maximum(class_map, 0)
    return positive[image >= INK].sum() / positive.sum()


class Seen:
    """Predictions and class maps of a trained network for the test images."""

    def __init__(self, clf, X, y):
        self.clf, self.X, self.y = clf, X, y
        self.maps = class_maps(clf, X)
        self.proba = clf.predict_proba(X)
        self.predicted = self.proba.argmax(axis=1)
        self.shares = np.array(
            [share_on_ink(X[i], self.maps[i, :, :, k]) for i, k in enumerate(self.predicted)]
        )
        self.ink = (X >= INK).mean(axis=(1, 2))

    def examples(self):
        """Return the first correctly predicted test image of every digit."""
        right = self.predicted == self.y
        return [np.flatnonzero(right & (self.y == digit))[0] for digit in range(10)]

    def mistake(self):
        """Return the wrong image whose two classes are closest, and the predicted and true class.

        If the network makes no mistake, it is the image with the least sure prediction, and the
        second most probable class takes the place of the true class.
        """
        wrong = np.flatnonzero(self.predicted != self.y)
        if len(wrong):
            gap = self.proba[wrong, self.predicted[wrong]] - self.proba[wrong, self.y[wrong]]
            i = wrong[gap.argmin()]
            return i, self.predicted[i], self.y[i]
        i = self.proba.max(axis=1).argmin()
        second, first = self.proba[i].argsort()[-2:]
        return i, first, second


# %%
# The table, and what it shows.


def print_table(seen):
    print(f"{'digit':>5}{'predicted':>11}{'probability':>13}{'map on ink':>12}{'ink':>8}")
    for i in [*seen.examples(), seen.mistake()[0]]:
        print(f"{seen.y[i]:>5}{seen.predicted[i]:>11}{seen.proba[i].max():>13.4f}", end="")
        print(f"{seen.shares[i]:>12.1%}{seen.ink[i]:>8.1%}")


def conclusions(seen):
    right = seen.predicted == seen.y
    yield (
        f"{right.sum()} of {len(right)} test images are predicted right ({right.mean():.1%}). "
        "The mean of every class map is the score of its class."
    )
    share, ink = seen.shares.mean(), seen.ink.mean()
    yield (
        f"Over all test images {share:.0%} of the predicted class's positive map lies on ink, "
        f"which is {ink:.0%} of the image: {share / ink:.2f} times what a map that saw nothing "
        "would give."
    )
    ratios = [(seen.shares / seen.ink)[seen.predicted == digit].mean() for digit in range(10)]
    on, off = np.argmax(ratios), np.argmin(ratios)
    yield (
        f"By digit, this figure is highest for {on} ({ratios[on]:.2f}) and lowest for {off} "
        f"({ratios[off]:.2f})"
        + (f": what speaks for a {off} is paper rather than ink." if ratios[off] < 0.8 else ".")
    )
    i, first, second = seen.mistake()
    difference = seen.maps[i, :, :, first] - seen.maps[i, :, :, second]
    row, column = np.unravel_index(difference.argmax(), difference.shape)
    yield (
        f"The {seen.y[i]} taken for a {seen.predicted[i]}: {seen.proba[i, first]:.0%} for {first}, "
        f"{seen.proba[i, second]:.0%} for {second}. What speaks most for {first} over {second} is "
        f"around row {row}, column {column} (from 0, at the top left)."
    )


# %%
# The picture.


def draw(seen):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 12), layout="constrained")
    above, middle, below = figure.subfigures(3, 1, height_ratios=[1.55, 1.2, 1.05])
    i = seen.examples()[3]
    draw_filters_and_maps(above, seen.clf, seen.X[i])
    draw_class_maps(middle, seen)
    draw_mistake(below, seen)
    return figure


def draw_filters_and_maps(figure, clf, image):
    figure.suptitle("Filters of the first layer, and feature maps of the 3 below")
    axes = figure.subplots(1, 3)
    FilterDisplay.from_estimator(clf, ax=axes[0], columns=4, colorbar=False)
    for ax, node in zip(axes[1:], ("edges_relu", "parts_relu"), strict=True):
        style = {"columns": 4, "colorbar": False}
        maps = clf.network_.activations(image[None], [node])[node][0]
        FeatureMapDisplay(maps, node=node, max_maps=SHOWN).plot(ax, **style)


def draw_image(ax, image, title):
    ax.imshow(image, cmap="gray_r", vmin=0, vmax=1)
    bare(ax, title)


def draw_map(ax, image, class_map, most, title):
    """Draw a class map in colour, and the outline of the ink over it."""
    drawn = ax.imshow(class_map, cmap="PuOr", vmin=-most, vmax=most)
    fine = np.kron(image >= INK, np.ones((16, 16)))
    at = (np.arange(fine.shape[0]) + 0.5) / 16 - 0.5
    ax.contour(at, at, fine, levels=[0.5], colors="black", linewidths=1.2)
    bare(ax, title)
    return drawn


def bare(ax, title):
    ax.set_title(title, fontsize=11)
    ax.set_xticks([])
    ax.set_yticks([])


def draw_class_maps(figure, seen):
    examples = seen.examples()
    maps = [seen.maps[i, :, :, seen.predicted[i]] for i in examples]
    ClassActivationDisplay(
        1 - seen.X[examples][..., None],  # ink is black, as in the other pictures
        maps,
        titles=[f"{seen.shares[i]:.0%} on ink" for i in examples],
        image_titles=[f"a {seen.y[i]}" for i in examples],
    ).plot(figure.subplots(), columns=10)
    figure.suptitle("Class activation maps of the predicted class")


def draw_mistake(figure, seen):
    i, first, second = seen.mistake()
    figure.suptitle(f"A {seen.y[i]} taken for a {seen.predicted[i]}: the maps of the two classes")
    *axes, beside = figure.subplots(1, 5)
    maps = {
        f"for {first}: probability {seen.proba[i, first]:.0%}": seen.maps[i, :, :, first],
        f"for {second}: probability {seen.proba[i, second]:.0%}": seen.maps[i, :, :, second],
    }
    a, b = maps.values()
    maps[f"for {first} over {second}: the difference"] = a - b
    most = np.abs(list(maps.values())).max()
    draw_image(axes[0], seen.X[i], "the image")
    for ax, (title, class_map) in zip(axes[1:], maps.items(), strict=True):
        drawn = draw_map(ax, seen.X[i], class_map, most, title)
    figure.colorbar(drawn, ax=axes, label="evidence", shrink=0.8)
    ConfusionMatrixDisplay.from_predictions(
        seen.y, seen.predicted, cmap="Purples", colorbar=False, ax=beside
    )
    beside.set_title("digits, and what they are taken for", fontsize=11)


def main():
    digits = load_digits()
    X, y = (digits.images / 16).astype(np.float32), digits.target
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    clf = CNNClassifier(LAYERS, max_iter=EPOCHS, random_state=0)
    seen = Seen(clf.fit(X_train, y_train), X_test, y_test)
    print(f"{clf.summary()}\n")
    print_table(seen)
    print("", *conclusions(seen), "", sep="\n")
    return save_picture(PICTURE, draw, seen, dpi=110)


if __name__ == "__main__":
    timed(main)
