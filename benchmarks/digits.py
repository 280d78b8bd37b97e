"""Training and prediction on scikit-learn's digits: cnnkit, PyTorch and skorch.

Run::

    python benchmarks/digits.py [--rounds 4] [--threads 2] [--torch-python PATH]
                                [--only PATTERN] [--json PATH]

`--torch-python` names the interpreter of the environment that has PyTorch, skorch and scikit-learn,
if that is not this one. Libraries that are not installed are left out.

The net is the same for all: Conv 16 3x3, ReLU, Conv 32 3x3, ReLU, MaxPool 2, Conv 10 1x1, global
average pooling; "same" padding; 5,130 weights. Images are 8x8x1 float32 in [0, 1], 1,347 of them
for training.

``epoch, batch B``
    Milliseconds for one epoch: a whole fit of `EPOCHS` epochs from fresh weights, divided by
    `EPOCHS`. Adam, learning rate 1e-3. cnnkit and skorch pay here for checking X and y, for
    encoding labels and for their loss curves; the PyTorch loop does none of these: tensors in
    memory, no DataLoader, rows drawn by `torch.randperm`. The time of `torch.compile` is not
    counted: it compiles in the first round.
``predict 10,000``
    Milliseconds from an array of 10,000 images (the digits, tiled) to an array of labels, by a net
    fitted at batch 32. PyTorch runs in inference mode on batches of `PREDICT_BATCH`.
``grid search, 12 fits``
    Milliseconds for `GridSearchCV` over two learning rates and two batch sizes in three folds of
    the training images, `GRID_EPOCHS` epochs each, ``n_jobs=2`` processes of one thread, without
    the last fit on everything. The processes are started in the first round, which is not counted.

The accuracy beside each figure, on images held out of the fit, on the 10,000, or of the best
candidate across folds, shows that contenders did the same work.
"""

import functools

import classifiers
import harness

EPOCHS = 20
GRID_EPOCHS = 5
PREDICTS = 5
GRID = {"learning rate": [3e-3, 1e-2], "batch_size": [32, 128]}


def rows_of(make, search=None):
    """The rows of the table.

    Parameters
    ----------
    make : callable, (epochs, batch_size) -> classifier of images (n, 8, 8, 1)
    search : callable, images -> (estimator, images for it, its name for the learning rate)
        None leaves the grid search out.
    """
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = (digits.images[..., None] / 16).astype(np.float32)
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, digits.target, test_size=0.25, stratify=digits.target, random_state=0
    )
    many = np.resize(images, (10_000, 8, 8, 1))
    many_labels = np.resize(digits.target, 10_000)
    classifier = functools.cache(functools.partial(make, EPOCHS))

    def epoch(batch_size):
        fit = functools.partial(classifier(batch_size).fit, train_images, train_labels)
        seconds, net = harness.clock(fit, 1)
        accuracy = np.mean(net.predict(test_images) == test_labels)
        return [s / EPOCHS for s in seconds], f"accuracy {accuracy:.3f}"

    @functools.cache
    def fitted():
        return make(EPOCHS, 32).fit(train_images, train_labels)

    def predict_many():
        net = fitted()
        seconds, labels = harness.clock(lambda: net.predict(many), PREDICTS)
        return seconds, f"accuracy {np.mean(labels == many_labels):.3f}"

    def grid_search():
        from joblib import parallel_config
        from sklearn.model_selection import GridSearchCV

        estimator, own_images, learning_rate = search(train_images)
        grid = {learning_rate: GRID["learning rate"], "batch_size": GRID["batch_size"]}
        found = GridSearchCV(estimator, grid, cv=3, n_jobs=2, refit=False)
        with parallel_config("loky", inner_max_num_threads=1):
            seconds, _ = harness.clock(lambda: found.fit(own_images, train_labels), 1)
        return seconds, f"accuracy {max(found.cv_results_['mean_test_score']):.3f}"

    rows = {
        "epoch, batch 32": functools.partial(epoch, 32),
        "epoch, batch 128": functools.partial(epoch, 128),
        "predict 10,000": predict_many,
    }
    return rows | ({"grid search, 12 fits": grid_search} if search else {})


def with_cnnkit():
    from cnnkit import Conv, Conv1x1, GlobalAvgPool, MaxPool, ReLU

    layers = [
        Conv(16, 3),
        ReLU(),
        Conv(32, 3),
        ReLU(),
        MaxPool(2),
        Conv1x1(10),
        GlobalAvgPool(),
    ]
    make = functools.partial(classifiers.from_cnnkit, layers)
    return rows_of(make, lambda images: (make(GRID_EPOCHS, 32), images, "learning_rate_init"))


def torch_net():
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 10, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def with_torch(memory_format, compiled=False):
    import torch  # noqa: F401  fails here if it is missing

    def make(epochs, batch_size):
        return classifiers.FromTorch(torch_net(), epochs, batch_size, memory_format, compiled)

    return rows_of(make)


def with_skorch():
    import skorch  # noqa: F401

    def make(epochs, batch_size):
        return classifiers.ChannelsFirst(classifiers.from_skorch(torch_net, epochs, batch_size))

    def search(images):
        estimator = classifiers.from_skorch(torch_net, GRID_EPOCHS, 32)
        return estimator, classifiers.channels_first(images), "lr"

    return rows_of(make, search)


CONTENDERS = classifiers.beside_torch(with_cnnkit, with_torch, with_skorch)

if __name__ == "__main__":
    harness.run(__doc__, CONTENDERS, rounds=4)
