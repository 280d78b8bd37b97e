"""``python -m cnnkit bench``."""

import statistics
import time

import numpy as np

from cnnkit.cli.options import add_command, positive

EPILOG = """The medians of a few seconds' work on this machine, to compare with another machine,
another number of threads, or another instruction set:

  python -m cnnkit bench
  python -m cnnkit bench --threads 1
  CNNKIT_INSTRUCTION_SET=avx2 python -m cnnkit bench

It does not compare with other libraries; benchmarks/ in the source does."""

SECONDS = 1.0  # approximate time for every row


def add_to(commands):
    """Add the command to the parsers `commands`."""
    parser = add_command(
        commands,
        "bench",
        run,
        help="how fast this machine trains and predicts",
        description="Time training and prediction on this machine.",
        epilog=EPILOG,
    )
    parser.add_argument("--threads", type=positive(int), metavar="N", help="default: all cores")
    parser.add_argument(
        "--quick", action="store_true", help="small work only, one repeat: to see that it runs"
    )


def run(options):
    """Print a table."""
    from cnnkit._native import runtime
    from cnnkit._native.threads import num_threads, set_num_threads

    before = num_threads()
    if options.threads:
        set_num_threads(options.threads)
    try:
        print(f"{num_threads()} threads, {runtime.instruction_set}")
        for name, work in _rows(options.quick):
            seconds = _median(work, options.quick)
            print(f"{name:<48}{1e3 * seconds:>10.2f} ms", flush=True)
    finally:
        set_num_threads(before)


def _rows(quick):
    """Yield names and functions to time."""
    from sklearn.datasets import load_digits

    from cnnkit import models
    from cnnkit.estimators import CNNClassifier

    found = load_digits()
    X, y = (found.images / 16).astype(np.float32), found.target
    clf = CNNClassifier(max_iter=1, random_state=0).fit(X, y)
    yield "an epoch of the digits, batch 32", lambda: clf.partial_fit(X, y)
    many = np.tile(X, (6, 1, 1))[:10_000]
    yield "predict 10,000 digits", lambda: clf.predict(many)
    if quick:
        return
    for name in ("squeezenet_1_1", "mobilenet_v1", "resnet18"):
        yield f"{name}, one image of 224x224x3", _inference(getattr(models, name)(1000))


def _inference(graph):
    from cnnkit.network import Network

    network = Network(graph, (224, 224, 3), 1000)
    network.weights.initialise(np.random.default_rng(0))
    image = np.random.default_rng(1).random((1, 224, 224, 3), np.float32)

    def work():
        network.x[...] = image
        network.forward(1)

    return work


def _median(work, quick):
    """Return the median seconds of `work`, after one turn that is not counted."""
    work()
    found, until = [], time.perf_counter() + (0 if quick else SECONDS)
    while not found or time.perf_counter() < until:
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return statistics.median(found)
