"""
The networks of the literature, small, on the digits
====================================================

Every network of `cnnkit.models` has a small form: fewer filters, and no more strides and poolings
than 8x8 images can take. Here each is trained on scikit-learn's digits for the same few epochs, all
else left to the defaults, which choose a learning rate for each. It is a test of how easily they
train rather than of what they could reach: look at how little the number of weights says about it.
"""

from pathlib import Path
from time import perf_counter

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from cnnkit import CNNClassifier, models

EPOCHS = 6
# where labels of the picture stand, if not to the right of their dot
LEFT = ("network_in_network", "squeezenet_1_1", "resnet18", "mobilenet_v1", "vgg16")
BELOW = ("squeezenet_1_0",)
PICTURE = Path(__file__).parent / "pictures" / "architectures.png"


def train(name, X_train, X_test, y_train, y_test):
    """Return accuracy, weights, multiply-adds and seconds of one network."""
    clf = CNNClassifier(models.small(name, (8, 8, 1)), max_iter=EPOCHS, random_state=0)
    start = perf_counter()
    clf.fit(X_train, y_train)
    seconds = perf_counter() - start
    cost = clf.summary()
    return clf.score(X_test, y_test), cost.weights, cost.multiply_adds, seconds


def draw(figures):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.5), layout="constrained")
    ax = figure.subplots()
    for name, (accuracy, weights, multiply_adds, _) in figures.items():
        area = 6 * multiply_adds**0.22
        side, drop = (0, -1) if name in BELOW else (-1 if name in LEFT else 1, 0)
        apart = area**0.5 / 2 + 3
        ax.scatter(weights, accuracy, s=area, color="#0072b2", alpha=0.7)
        ax.annotate(
            name,
            (weights, accuracy),
            xytext=(side * apart, drop * apart),
            textcoords="offset points",
            ha={-1: "right", 0: "center", 1: "left"}[side],
            va="top" if drop else "center",
        )
    ax.set(
        title=f"Small forms on the digits after {EPOCHS} epochs (larger dots: more multiply-adds)",
        xlabel="weights",
        ylabel="test accuracy",
        xscale="log",
        xlim=(3e2, 2e6),
    )
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=120)
    print(f"\nPicture: {PICTURE}")


def main():
    digits = load_digits()
    X, y = digits.images.astype("float32"), digits.target
    data = train_test_split(X, y, stratify=y, random_state=0)
    print(f"{'network':<18}{'accuracy':>9}{'weights':>11}{'multiply-adds':>15}{'seconds':>9}")
    figures = {}
    for name in models.MODELS:
        accuracy, weights, multiply_adds, seconds = figures[name] = train(name, *data)
        print(f"{name:<18}{accuracy:>9.3f}{weights:>11,}{multiply_adds:>15,}{seconds:>9.1f}")
    best = max(figures, key=lambda name: figures[name][0])
    lightest = min(
        (name for name in figures if figures[name][0] > 0.9), key=lambda name: figures[name][1]
    )
    print(
        f"\nAfter {EPOCHS} epochs {best} is the most accurate, {figures[best][0]:.1%}; of those "
        f"above 90% {lightest} has the fewest weights, {figures[lightest][1]:,}."
    )
    try:
        draw(figures)
    except ImportError:
        print("\nFor the picture: pip install cnnkit[plot]")


if __name__ == "__main__":
    main()
