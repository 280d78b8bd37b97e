"""Training and predicting on scikit-learn's digits: cnnkit beside a raw PyTorch loop.

Run::

    python benchmarks/digits.py [--rounds 7] [--threads 2] [--torch-python PATH]

`--torch-python` names the interpreter of the environment that has PyTorch (and scikit-learn, for
the images), where that is not this one. What is not installed is left out.

The net is the same for all: Conv 16 3x3, ReLU, Conv 32 3x3, ReLU, MaxPool 2, Conv 10 1x1, global
average pooling; "same" padding; 5,130 weights. Images are 8x8x1 float32 in [0, 1], 1,347 of them
for training.

``epoch, batch B``
    Milliseconds for one epoch: a whole fit of `EPOCHS` epochs from fresh weights, divided by
    `EPOCHS`. Adam, learning rate 1e-3. cnnkit pays here for checking X and y, for encoding labels
    and for its loss curve; the PyTorch loop does none of these: tensors in memory, no DataLoader,
    rows drawn by `torch.randperm`.
``predict 10,000``
    Milliseconds from an array of 10,000 images (the digits, tiled) to an array of labels, by a net
    fitted at batch 32. PyTorch runs in inference mode on batches of `PREDICT_BATCH`.

The accuracy beside each figure, on images held out of the fit or on the 10,000, shows that
contenders did the same work.
"""

import functools

import harness

EPOCHS = 20
PREDICTS = 5
PREDICT_BATCH = 256  # for PyTorch: of 32 to 10,000, among the fastest in both layouts
LEARNING_RATE = 1e-3


def rows_of(fit, predict):
    """The rows of the table.

    Parameters
    ----------
    fit : callable, (images (N, 8, 8, 1), labels (N,), batch_size) -> net
    predict : callable, (net, images) -> labels
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

    def epoch(batch_size):
        seconds, net = harness.clock(lambda: fit(train_images, train_labels, batch_size), 1)
        accuracy = np.mean(predict(net, test_images) == test_labels)
        return [s / EPOCHS for s in seconds], f"accuracy {accuracy:.3f}"

    @functools.cache
    def fitted():
        return fit(train_images, train_labels, 32)

    def predict_many():
        net = fitted()
        seconds, labels = harness.clock(lambda: predict(net, many), PREDICTS)
        return seconds, f"accuracy {np.mean(labels == many_labels):.3f}"

    return {
        "epoch, batch 32": functools.partial(epoch, 32),
        "epoch, batch 128": functools.partial(epoch, 128),
        "predict 10,000": predict_many,
    }


def with_cnnkit():
    from cnnkit import CNNClassifier, Conv, Conv1x1, GlobalAvgPool, MaxPool, ReLU

    layers = [
        Conv(16, 3),
        ReLU(),
        Conv(32, 3),
        ReLU(),
        MaxPool(2),
        Conv1x1(10),
        GlobalAvgPool(),
    ]

    def fit(images, labels, batch_size):
        classifier = CNNClassifier(
            layers,
            solver="adam",
            batch_size=batch_size,
            learning_rate_init=LEARNING_RATE,
            max_iter=EPOCHS,
            tol=0,
            n_iter_no_change=EPOCHS,
            random_state=0,
        )
        return classifier.fit(images, labels)

    return rows_of(fit, lambda classifier, images: classifier.predict(images))


def with_torch(memory_format):
    import torch
    from torch import nn

    memory_format = getattr(torch, memory_format)

    def tensor(images):
        x = torch.from_numpy(images).permute(0, 3, 1, 2)
        return x.contiguous(memory_format=memory_format)

    def fit(images, labels, batch_size):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 10, 1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        ).to(memory_format=memory_format)
        optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
        x, y = tensor(images), torch.from_numpy(labels)
        for _ in range(EPOCHS):
            for batch in torch.randperm(len(x)).split(batch_size):
                optimizer.zero_grad()
                nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
                optimizer.step()
        return net

    def predict(net, images):
        with torch.inference_mode():
            parts = tensor(images).split(PREDICT_BATCH)
            return torch.cat([net(part).argmax(1) for part in parts]).numpy()

    return rows_of(fit, predict)


CONTENDERS = harness.beside_torch(with_cnnkit, with_torch)

if __name__ == "__main__":
    harness.run(__doc__, CONTENDERS)
