"""Ctrl-C at random moments: how long it takes, and what it leaves."""

import copy
import os
import signal
import threading
import time

import numpy as np
import pytest
from estimator_data import SMALL, X, Y, regressor, small
from oracles import assert_same_bits
from seeded import generator
from sklearn.exceptions import NotFittedError
from threadpoolctl import threadpool_info, threadpool_limits

from cnnkit import CNNFeatures, Network, Sequential, models, set_num_threads
from cnnkit._native.conv import ConvOp
from cnnkit._native.threads import one_blas_thread
from cnnkit.augmentation import Flip, Mixup, Shift
from cnnkit.blocks import basic_block, fire
from cnnkit.layers import BatchNorm, Conv, Dense, Dropout, Flatten, GlobalAvgPool, ReLU
from cnnkit.validate import shapes
from cnnkit.validate.arrays import empty_bytes

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no signals as POSIX has them"),
    pytest.mark.skipif(
        threading.current_thread() is not threading.main_thread(),
        reason="signals are handled on the main thread",
    ),
]

LAYERS = [
    SMALL,
    None,
    [Conv(8), BatchNorm(), ReLU(), Dropout(), Flatten(), Dense()],
    [Conv(8), basic_block(8), fire(4, 8), GlobalAvgPool(), Dense()],
    models.small("resnet18"),
    models.small("googlenet"),
]
OPTIONS = [
    {},
    {"solver": "sgd", "ema_decay": 0.9},
    {"solver": "adamw", "clip_norm": 1.0},
    {"early_stopping": True},
    {"augmentation": [Flip(), Shift(1), Mixup()]},
    {"warm_start": True, "algorithm": "im2col"},
    {"solver": "lbfgs"},
    {"solver": "lbfgs", "warm_start": True, "early_stopping": True},
]


class Interrupted(Exception):  # noqa: N818  it is no error
    """What Ctrl-C is here: no other code waits for it."""


@pytest.fixture(autouse=True)
def handler():
    def interrupt(number, frame):
        raise Interrupted

    before = signal.signal(signal.SIGINT, interrupt)
    yield
    signal.signal(signal.SIGINT, before)
    set_num_threads(None)


def interrupted_after(seconds, function):
    """Call; return how many ms it went on after a signal, or None if it ended before."""
    sent = []
    over = threading.Event()

    def send():
        if not over.wait(seconds):
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

    sender = threading.Thread(target=send)
    latency = None
    try:
        try:
            sender.start()
            function()
        finally:
            ended = time.perf_counter()
            over.set()
            sender.join()
            time.sleep(0)  # a signal sent after the end is handled here
    except Interrupted:
        latency = 1000 * (ended - sent[0])
        latency = latency if latency > 0 else None
    return latency


def state(estimator):
    """All that an estimator has learnt, as bytes, and what it predicts; None if nothing."""
    try:
        found = [estimator.predict(X)]
    except NotFittedError:
        assert not [name for name in vars(estimator) if name.endswith("_")]
        return None
    found += [estimator.network_.weights.flat, estimator.loss_curve_, estimator.loss_]
    found += [estimator.n_iter_, estimator.n_features_in_, estimator.input_shape_]
    assert estimator.n_iter_ == len(estimator.loss_curve_)
    assert estimator.loss_ == estimator.loss_curve_[-1]
    return tuple(np.array(part) for part in found)


def random_estimator(rng):
    options = OPTIONS[rng.integers(len(OPTIONS))]
    dropout = options.get("solver") != "lbfgs"
    layers = LAYERS[rng.integers(len(LAYERS) if dropout else 2)]
    return small(layers, max_iter=1000, n_iter_no_change=1000, **options)


def briefly(estimator, **options):
    """Fit for an epoch."""
    epochs = estimator.max_iter
    return estimator.set_params(max_iter=1).fit(X, Y, **options).set_params(max_iter=epochs)


def figures(latencies):
    """The row of docs/design/reliability.md."""
    p50, p99 = np.percentile(latencies, [50, 99])
    return f"ms until it stops: p50 {p50:.0f}, p99 {p99:.0f}, most {max(latencies):.0f}"


def test_interrupted_fit(trials):
    latencies = []
    for rng in trials(quick=12, full=500):
        set_num_threads(int(rng.integers(1, 5)))
        estimator = random_estimator(rng)
        if rng.random() < 0.5:
            briefly(estimator)
        before = state(estimator)
        wait = 0.2 * rng.random() ** 2  # the start of a fit often, too
        latency = interrupted_after(wait, lambda e=estimator: e.fit(X[:96], Y[:96]))
        if latency is None:  # L-BFGS was done before
            continue
        latencies.append(latency)
        after = state(estimator)
        if before is None:
            assert after is None
        else:
            assert_same_bits(after, before)
        briefly(estimator)
    trials.found = figures(latencies)


def test_interrupted_fit_on_other_images():
    """The number of features belongs to the network, whatever a fit was about to change."""
    wide = generator(0).random((4000, 12, 12, 1))
    for estimator in (small(), regressor()):
        estimator.fit(X, Y)
        before = state(estimator)
        estimator.set_params(max_iter=1000)
        assert interrupted_after(0.05, lambda e=estimator: e.fit(wide, np.arange(4000) % 3))
        assert_same_bits(state(estimator), before)


def test_interrupted_partial_fit(trials):
    """As before the call, or as after it; what is next goes on from there."""
    latencies, images, labels = [], np.tile(X, (20, 1, 1, 1)), np.tile(Y, 20)
    for rng in trials(quick=12, full=500):
        set_num_threads(int(rng.integers(1, 5)))
        options = [{}, {"solver": "sgd"}, {"ema_decay": 0.9}][rng.integers(3)]
        estimator = small(LAYERS[rng.integers(3)], **options)
        for _ in range(rng.integers(3)):
            estimator.partial_fit(X, Y, classes=range(10))
        before = state(estimator)
        whole = copy.deepcopy(estimator)
        start = time.perf_counter()
        whole.partial_fit(images, labels, classes=range(10))
        wait = 1.05 * rng.random() * (time.perf_counter() - start)
        latency = interrupted_after(
            wait, lambda e=estimator: e.partial_fit(images, labels, classes=range(10))
        )
        after = state(estimator)
        if latency is not None:
            latencies.append(latency)
        done = before is None or len(after[2]) > len(before[2])
        if after is None:
            assert before is None
        else:
            assert_same_bits(after, state(whole) if done else before)
        estimator.partial_fit(X, Y, classes=range(10))
        assert estimator.n_iter_ == 1 + (0 if after is None else int(after[4]))
    trials.found = figures(latencies)


def test_blas_has_its_threads_back(trials):
    """Held at one thread while a network trains, whatever the interrupt comes between."""
    small(max_iter=1, algorithm="im2col").fit(X, Y)
    with threadpool_limits(3, user_api="blas"):
        before = blas_threads()
        for rng in trials(quick=30, full=500):
            estimator = small(max_iter=1000, n_iter_no_change=1000, algorithm="im2col")
            interrupted_after(0.02 * rng.random(), lambda e=estimator: e.fit(X, Y))
            assert blas_threads() == before


def blas_threads():
    return [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"]


def test_interrupted_features(trials):
    """CNNFeatures gives the features of one network or of the other."""
    estimator = small(max_iter=1)
    for rng in trials(quick=3, full=100):
        features = CNNFeatures(estimator).fit(X, Y)
        before = features.transform(X)
        features.set_params(estimator=small([Conv(3), GlobalAvgPool(), Dense()], max_iter=3))
        latency = interrupted_after(0.1 * rng.random(), lambda f=features: f.fit(X, Y))
        if latency is None:
            features.set_params(estimator=estimator).fit(X, Y)
        elif features.node_ != "globalavgpool1":
            assert_same_bits(features.transform(X), before)


# Native code


@pytest.fixture(scope="module")
def long_op():
    """A function that makes a convolution of half a second or so, and the arrays it reads."""
    x, w = np.ones((32, 64, 64, 64), np.float32), np.ones((5, 5, 64, 64), np.float32)
    windows = shapes.windows(x.shape, (5, 5), 1, "same", 1, owner="conv2d")

    def make(algorithm, **arrays):
        op = ConvOp(windows, 1, x, w, algorithm=algorithm, **({"b": None, "y": None} | arrays))
        op.attach(empty_bytes(op.scratch_bytes))
        return op

    return make, x


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("algorithm", ["direct", "im2col"])
@pytest.mark.parametrize("backward", [False, True])
def test_what_is_left_of_an_operation_is_dropped(long_op, algorithm, threads, backward):
    set_num_threads(threads)
    make, x = long_op
    filled = np.full_like(x, np.nan)
    if backward:
        dw = np.zeros((5, 5, 64, 64), np.float32)
        run = make(algorithm, dy=x, dx=filled, dw=dw).backward
    else:
        run = make(algorithm, y=filled).forward
    with one_blas_thread():
        for _ in range(20):  # the signal may come late
            filled[:] = np.nan
            if interrupted_after(0.02, lambda: run(32)) is not None and np.isnan(filled).any():
                break
        else:
            pytest.fail("it went on to its end")
        run(2)  # nothing is dropped any more
    assert not np.isnan(filled[:2]).any()


def test_a_handler_that_does_not_raise_changes_nothing(long_op):
    make, x = long_op
    wanted, y, found = np.empty_like(x), np.empty_like(x), []
    make("direct", y=wanted).forward(32)

    inner = make("direct", y=np.empty_like(x))

    def handle(number, frame):
        inner.forward(1)  # a handler may compute, too
        found.append(frame)

    before = signal.signal(signal.SIGALRM, handle)
    try:
        while not found:  # once each time: the handler may take longer than any interval
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            make("direct", y=y).forward(32)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert found
    assert_same_bits(y, wanted)


def test_signals_leave_other_threads_alone(long_op):
    make, x = long_op
    wanted, y = np.empty_like(x), np.empty_like(x)
    make("direct", y=wanted).forward(32)
    other = threading.Thread(target=make("direct", y=y).forward, args=(32,))
    other.start()
    mine = make("direct", y=np.empty_like(x))
    assert interrupted_after(0.02, lambda: mine.forward(32)) is not None
    other.join()
    assert_same_bits(y, wanted)


def test_weights_are_drawn_as_in_one_call():
    """Large arrays are drawn in pieces, between which signals are handled."""
    dense = Network(Sequential([Flatten(), Dense()]), (3, 1000, 1000), 2)
    dense.weights.initialise(generator(7))
    scale = np.sqrt(2 / 3_000_000)
    wanted = (scale * generator(7).standard_normal((3_000_000, 2))).astype(np.float32)
    assert_same_bits(dense.weights["dense1/w"], wanted)


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="the memory there is, is not known")
@pytest.mark.parametrize("batch_size", [8, 32])
def test_interrupted_fit_of_a_large_network(trials, batch_size):
    """VGG-16 at 224x224: what takes longest is one operation on its 138 million weights."""
    if not trials.full:
        pytest.skip("takes minutes, and 6 to 8 GB")
    if os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") < 10 << 30:
        pytest.skip("needs 10 GB of free memory")
    images = generator(0).standard_normal((batch_size, 224, 224, 3)).astype(np.float32)
    latencies = []
    for rng in trials(quick=0, full=800 // batch_size):
        clf = small(models.vgg16(), max_iter=100, batch_size=batch_size, alpha=0.0)
        moment = batch_size * rng.random()  # seconds: two steps or so
        latency = interrupted_after(moment, lambda c=clf: c.fit(images, Y[:batch_size]))
        assert latency is not None
        latencies.append(latency)
        assert state(clf) is None
    trials.found = figures(latencies)
