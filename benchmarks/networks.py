"""Networks of the literature at 224x224: inference beside PyTorch and ONNX Runtime, and training.

Run::

    python benchmarks/networks.py [--rounds 4] [--threads 2] [--torch-python PATH]
                                  [--only PATTERN] [--json PATH]

``inference: NAME, batch B``
    Milliseconds for one forward pass of a network in inference mode, random weights and images.
    ONNX Runtime runs the export of `torch.onnx`, with folded batch norms and all optimisations;
    cnnkit runs a network made with `packed=True`. Both have packed the weights before.
    `torch.compile` is measured at batch 1 only, and its time of compilation is not counted.
``training step: NAME, batch B``
    Milliseconds for forward, backward from a given gradient of the outputs, and a step of SGD with
    momentum.

The networks are those of `cnnkit.models` and the same written with `torch.nn`; the number of
weights beside each figure shows that they are the same. GFLOP/s count the multiply-adds of
convolutions and dense layers as they are defined, three times as many in a training step.
"""

import functools

import harness
from torch_networks import torch_network

MULTIPLY_ADDS = {
    "vgg16": 15_470_264_320,
    "resnet50": 3_857_973_248,
    "resnet18": 1_814_073_344,
    "squeezenet_1_1": 349_151_936,
    "mobilenet_v1": 568_740_352,
}
INFERENCE = {
    "vgg16": (1, 8),
    "resnet50": (1,),
    "resnet18": (1,),
    "squeezenet_1_1": (1, 8),
    "mobilenet_v1": (1, 8),
}
TRAINING = {"squeezenet_1_1": (8,), "resnet18": (8,), "mobilenet_v1": (8,)}
TABLES = {"inference": (INFERENCE, 1), "training step": (TRAINING, 3)}
SECONDS = 0.2


def multiply_adds():
    """{row: multiply-adds} of all tables."""
    return {
        f"{table}: {name}, batch {batch}": passes * batch * MULTIPLY_ADDS[name]
        for table, (networks, passes) in TABLES.items()
        for name, batches in networks.items()
        for batch in batches
    }


def rows_of(infer, train=None, most=None):
    """The rows of the tables.

    Parameters
    ----------
    infer, train : callable, (name, batch) -> (callable without arguments, number of weights)
    most : int or None
        Rows of larger batches are left out.
    """

    @functools.lru_cache(maxsize=1)  # one network at a time in memory
    def prepared(make, name, batch):
        return make(name, batch)

    def one_round(row, make, name, batch):
        call, weights = prepared(make, name, batch)
        seconds, _ = harness.clock_for(call, SECONDS, least=2)
        return harness.Turn(seconds, f"{weights:,} weights", multiply_adds()[row])

    rows = {}
    for (table, (networks, _)), make in zip(TABLES.items(), (infer, train), strict=True):
        for name, batches in networks.items() if make else ():
            for batch in batches if most is None else range(1, most + 1):
                row = f"{table}: {name}, batch {batch}"
                rows[row] = functools.partial(one_round, row, make, name, batch)
    return rows


def with_cnnkit():
    import numpy as np

    from cnnkit import Network, models
    from cnnkit.layers.base import count_weights
    from cnnkit.training.optimizers import SGD

    def network(name, batch, training):
        rng = np.random.default_rng(0)
        graph = getattr(models, name)()
        net = Network(graph, (224, 224, 3), 1000, batch_size=batch, training=training, rng=rng)
        scale = 0.01
        net.weights.flat[:] = scale * rng.standard_normal(net.weights.flat.size, np.float32)
        for path in net.weights:
            if path.endswith(("gamma", "var")):
                net.weights[path] = 1
        images = rng.random((batch, 224, 224, 3), dtype=np.float32)
        return net, images, count_weights(net.weights.specs, trained=True)

    def infer(name, batch):
        net, images, weights = network(name, batch, False)
        net = net.resized(batch, packed=True)

        def call():
            net.x[...] = images
            net.forward(batch)

        return call, weights

    def train(name, batch):
        net, images, weights = network(name, batch, True)
        optimizer = SGD(net.weights, 1e-4)

        def call():
            net.x[...] = images
            net.forward(batch)
            net.doutput[...] = 1e-4
            net.backward(batch)
            optimizer.step(net.grads, batch)

        return call, weights

    return rows_of(infer, train)


def with_torch(memory_format, compiled=False):
    import torch

    memory_format = getattr(torch, memory_format)

    def network(name, batch):
        net, images, weights = torch_network_and_images(name, batch)
        net, images = net.to(memory_format=memory_format), images.to(memory_format=memory_format)
        return torch.compile(net) if compiled else net, images, weights

    def infer(name, batch):
        net, images, weights = network(name, batch)
        net.eval()

        def call():
            with torch.inference_mode():
                net(images)

        return call, weights

    def train(name, batch):
        net, images, weights = network(name, batch)
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, nesterov=True)

        def call():
            optimizer.zero_grad()
            outputs = net(images)
            outputs.backward(torch.full_like(outputs, 1e-4))
            optimizer.step()

        return call, weights

    return rows_of(infer, most=1) if compiled else rows_of(infer, train)


def with_onnxruntime():
    import io
    import os
    import warnings

    import onnxruntime
    import torch

    def infer(name, batch):
        net, images, weights = torch_network_and_images(name, batch)
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(net.eval(), (images,), file, dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
        session = onnxruntime.InferenceSession(
            file.getvalue(), options, providers=["CPUExecutionProvider"]
        )
        inputs = {session.get_inputs()[0].name: images.numpy()}
        return lambda: session.run(None, inputs), weights

    return rows_of(infer)


def torch_network_and_images(name, batch):
    """Return a network, images (N, 3, 224, 224) and the number of weights."""
    import torch

    torch.manual_seed(0)
    net = torch_network(name, torch.nn)
    return net, torch.rand(batch, 3, 224, 224), sum(weight.numel() for weight in net.parameters())


CONTENDERS = [
    *harness.beside_torch(with_cnnkit, with_torch, compiled=True),
    harness.Contender(
        "ONNX Runtime", with_onnxruntime, ("onnxruntime", "onnx", "torch"), interpreter="torch"
    ),
    harness.floor(multiply_adds()),
]

if __name__ == "__main__":
    harness.run(__doc__, CONTENDERS, rounds=4)
