"""Small data and networks for tests of estimators, and stand-ins for what they may be given."""

from seeded import seed
from sklearn.datasets import load_digits

from cnnkit import (
    BatchNorm,
    CNNClassifier,
    CNNRegressor,
    Conv,
    Conv1x1,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    ReLU,
)
from cnnkit.augmentation import Augmentation

DIGITS, LABELS = load_digits(return_X_y=True)
X, Y = (DIGITS[:120] / 16).reshape(-1, 8, 8, 1), LABELS[:120]
FLAT = X.reshape(120, 64)
NUMBERS = X.mean(axis=(1, 2, 3)) * 3
SMALL = [Conv(6, 3), ReLU(), MaxPool(2), Conv1x1(), GlobalAvgPool()]

# What epochs of a fit have in common with parts of a stream, and with epochs of a longer fit
STEADY = {"learning_rate": "constant", "learning_rate_init": 0.001, "batch_size": 32, "alpha": 1e-4}

DROPPING = [Conv(4, 3), BatchNorm(), ReLU(), Dropout(0.3), Flatten(), Dense()]


def small(layers=SMALL, **options):
    return CNNClassifier(layers, **({"max_iter": 2, "random_state": seed()} | options))


def regressor(layers=SMALL, **options):
    return CNNRegressor(layers, **({"max_iter": 2, "random_state": seed()} | options))


def flat(**options):
    return small(image_shape=(8, 8, 1), **options)


def weights(estimator):
    return estimator.network_.weights.flat.copy()


def trained(estimator):
    """The weights without what is only counted: statistics of data and of batch norms."""
    return weights(estimator)[: estimator.network_.weights.trained]


class Clipped(ReLU):
    """A layer of one's own."""


def own(padding="same"):
    return [Conv(6, 3, padding=padding), Clipped(), *SMALL[2:]]


class Halving:
    """A schedule that halves the rate at every step, and hears the loss of every epoch."""

    def bind(self, learning_rate_init, steps_per_epoch, epochs):
        self.bound = (learning_rate_init, steps_per_epoch, epochs)
        self.heard = []
        self.asked = []
        self.rate_init = learning_rate_init
        return self

    def rate(self, step):
        self.asked.append(step)
        return self.rate_init * 0.5**step

    def report(self, loss):
        self.heard.append(loss)


class Shuffle(Augmentation):
    """An augmentation that swaps pairs of images, half and half, and their targets with them."""

    mixes_targets = True

    def check(self, input_shape):
        self.shape = input_shape

    def change(self, images, targets, rng):
        other = rng.permutation(len(images))
        images += images[other]
        images /= 2
        targets += targets[other]
        targets /= 2


class Brighten(Augmentation):
    """An augmentation that adds a random constant."""

    mixes_targets = False

    def __init__(self, most=0.1):
        self.most = most

    def check(self, input_shape):
        if input_shape[-1] != 1:
            raise ValueError(f"Brighten: images must have one channel, got {input_shape}.")

    def change(self, images, targets, rng):
        images += rng.uniform(0, self.most, (len(images), 1, 1, 1)).astype(images.dtype)
