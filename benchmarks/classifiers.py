"""Classifiers for comparisons of training: `fit` and `predict` on arrays, for each library.

All of them train with Adam on softmax cross-entropy, in a new random order for every epoch.
"""

import harness

LEARNING_RATE = 1e-3
PREDICT_BATCH = 256  # for PyTorch: among the fastest from 32 to 10,000, in both layouts


def from_cnnkit(layers, epochs, batch_size):
    """An estimator on images (n, H, W, C)."""
    from cnnkit import CNNClassifier

    return CNNClassifier(
        layers,
        standardize=False,
        solver="adam",
        alpha=1e-4,
        batch_size=batch_size,
        learning_rate="constant",
        learning_rate_init=LEARNING_RATE,
        max_iter=epochs,
        tol=0,
        n_iter_no_change=epochs,
        random_state=0,
    )


class FromTorch:
    """A plain training loop: tensors in memory, no DataLoader, rows drawn by `torch.randperm`.

    Parameters
    ----------
    net : torch.nn.Module
        Every `fit` trains it from new weights.
    epochs, batch_size : int
    memory_format : {"contiguous_format", "channels_last"}
    compiled : bool
        Whether `torch.compile` compiles the net.
    """

    def __init__(self, net, epochs, batch_size, memory_format, compiled=False):
        import torch

        self.torch = torch
        self.epochs, self.batch_size = epochs, batch_size
        self.memory_format = getattr(torch, memory_format)
        self.net = net.to(memory_format=self.memory_format)
        self.run = torch.compile(self.net) if compiled else self.net

    def _tensor(self, images):
        x = self.torch.from_numpy(images).permute(0, 3, 1, 2)
        return x.contiguous(memory_format=self.memory_format)

    def fit(self, images, labels):
        torch = self.torch
        torch.manual_seed(0)
        for part in self.net:
            if hasattr(part, "reset_parameters"):
                part.reset_parameters()
        optimizer = torch.optim.Adam(self.net.parameters(), lr=LEARNING_RATE)
        x, y = self._tensor(images), torch.from_numpy(labels)
        for _ in range(self.epochs):
            for batch in torch.randperm(len(x)).split(self.batch_size):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(self.run(x[batch]), y[batch]).backward()
                optimizer.step()
        return self

    def predict(self, images):
        torch = self.torch
        with torch.inference_mode():
            parts = self._tensor(images).split(PREDICT_BATCH)
            return torch.cat([self.run(part).argmax(1) for part in parts]).numpy()


def from_skorch(make_net, epochs, batch_size):
    """The estimator of skorch on images (n, C, H, W), without validation and printing."""
    import torch
    from skorch import NeuralNetClassifier

    torch.manual_seed(0)
    return NeuralNetClassifier(
        make_net,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=LEARNING_RATE,
        max_epochs=epochs,
        batch_size=batch_size,
        iterator_train__shuffle=True,
        iterator_valid__batch_size=PREDICT_BATCH,
        train_split=None,
        verbose=0,
    )


class ChannelsFirst:
    """An estimator of images (n, C, H, W) that takes (n, H, W, C), without a copy if C is 1."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, images, labels):
        self.estimator.fit(channels_first(images), labels)
        return self

    def predict(self, images):
        return self.estimator.predict(channels_first(images))


def channels_first(images):
    n, height, width, channels = images.shape
    return images.transpose(0, 3, 1, 2).reshape(n, channels, height, width)


def beside_torch(with_cnnkit, with_torch, with_skorch):
    """Contenders: cnnkit, PyTorch in both layouts and compiled, and skorch."""
    return [
        *harness.beside_torch(with_cnnkit, with_torch, compiled=True),
        harness.Contender("skorch", with_skorch, ("skorch", "torch", "scikit-learn"), "torch"),
    ]
