"""Every op within 1e-5 (float32) or 1e-13 (float64) of the sum of magnitudes, by long doubles.

On numbers that are hard to add up: all the same, a ramp, far from zero, one much larger than all
others, and sums that cancel.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from definitions import (
    batch_norm,
    batch_norm_magnitudes,
    convolution,
    kernel_times_tiles,
    kinds,
    pixel_sums,
)
from layer_oracles import bound, sources

from cnnkit.data.scaling import Statistics
from cnnkit.functional import (
    avg_pool2d,
    dense,
    dense_backward,
    global_avg_pool2d,
    softmax,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
)
from cnnkit.layers import (
    AvgPool,
    BatchNorm,
    Conv,
    DepthwiseConv,
    GlobalAvgPool,
    HardSwish,
    LocalResponseNorm,
    MaxPool,
    Multiply,
    ReLU,
    Sigmoid,
    SiLU,
    Tanh,
    UpSample,
)
from cnnkit.losses import AbsoluteError, Huber, SigmoidCrossEntropy, SquaredError
from cnnkit.training.loop import clip

BOUNDS = {"float32": 1e-5, "float64": 1e-13}
TILES = {"float32": 2e-5, "float64": 2e-13}  # Winograd's, of the largest numbers of tiles
DTYPES = list(BOUNDS)
every_kind = pytest.mark.parametrize("kind", list(kinds))
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def draw(kind, rng, shape, dtype):
    return kinds[kind](rng, shape).astype(dtype)


def assert_within(got, want, magnitudes, bound):
    """Errors are at most `bound` of the magnitudes; where these are 0, there is none."""
    got, want = np.asarray(got, np.longdouble), np.asarray(want, np.longdouble)
    assert got.shape == want.shape
    worst = (abs(got - want) - bound * magnitudes).max()
    assert worst <= 0, f"{(abs(got - want) / np.maximum(magnitudes, 1e-300)).max():.2e}"


def run(layer, x, dy=None, others=(), **options):
    """Output, gradients to the inputs and to the weights of a layer, whose weights are drawn."""
    inputs = [x, *others]
    network = bound(
        layer, *[a.shape[1:] for a in inputs], batch=len(x), dtype=str(x.dtype), **options
    )
    for source, given in zip(sources(network.weights), inputs, strict=True):
        source[:] = given
    y = network.forward(len(x)).copy()
    if dy is not None:
        network.doutput[:] = dy
        network.backward(len(x))
    weights = {path.rpartition("/")[2]: a for path, a in network.weights.items()}
    grads = {path.rpartition("/")[2]: a for path, a in network.grads.items()}
    return SimpleNamespace(y=y, dxs=sources(network.grads), weights=weights, grads=grads)


GEOMETRIES = {
    # side, channels, filters, kernel, stride, groups
    "few channels": (120, 2, 3, 3, 1, 1),
    "3x3": (44, 16, 17, 3, 1, 1),
    "1x1": (90, 8, 5, 1, 1, 1),
    "strided groups": (80, 4, 6, 5, 2, 2),
    "one filter": (150, 1, 1, 3, 1, 1),
}


@every_dtype
@every_kind
@pytest.mark.parametrize("geometry", list(GEOMETRIES))
def test_convolutions(trials, geometry, kind, dtype):
    side, C, F, kernel, stride, groups = GEOMETRIES[geometry]
    for rng in trials(quick=1, full=4):
        side *= 4 if trials.full and trials.number == 3 else 1
        x = draw(kind, rng, (1, side, side, C), dtype)
        y_side = (side - 1) // stride + 1
        dy = draw(kind, rng, (1, y_side, y_side, F), dtype)
        fits = (kernel, stride, groups) == (3, 1, 1)
        for algorithm in ("exact", "direct", "im2col", "winograd", "auto"):
            layer = Conv(F, kernel, stride=stride, groups=groups)
            found = run(layer, x, dy, algorithm=algorithm)
            if algorithm == "exact":
                w, b = found.weights["w"], found.weights["b"]
                want = convolution(x, w, b, dy, stride, groups)
                sums = convolution(*map(abs, (x, w, b, dy)), stride, groups)
                tiles = kernel_times_tiles(*map(abs, (x, w, b, dy))) if fits else None
            by_tiles = fits and algorithm in ("winograd", "auto")
            results = found.y, *found.dxs, found.grads["w"], found.grads["b"]
            bounds = (TILES if by_tiles else BOUNDS)[dtype]
            for got, wanted, magnitudes in zip(
                results[:3], want[:3], (tiles if by_tiles else sums)[:3], strict=True
            ):
                assert_within(got, wanted, magnitudes, bounds)
            assert_within(results[3], want[3], sums[3], BOUNDS[dtype])


@every_dtype
@every_kind
def test_depthwise_convolutions(trials, kind, dtype):
    for rng in trials(quick=1, full=4):
        side = 600 if trials.full and trials.number == 3 else 150
        for kernel, size in ((3, (side, side)), ((2, 5), (20, 60)), ((1, 80), (3, 90))):
            x, dy = (draw(kind, rng, (1, *size, 17), dtype) for _ in range(2))
            found = run(DepthwiseConv(kernel), x, dy)
            w, b = found.weights["w"], found.weights["b"]
            want = convolution(x, w, b, dy, 1, 17)
            sums = convolution(*map(abs, (x, w, b, dy)), 1, 17)
            results = found.y, *found.dxs, found.grads["w"], found.grads["b"]
            for got, wanted, magnitudes in zip(results, want, sums, strict=True):
                assert_within(got, wanted, magnitudes, BOUNDS[dtype])


@every_dtype
@every_kind
def test_long_dense_sums(trials, kind, dtype):
    for rng in trials(quick=1, full=3):
        K = 1 << (24 if trials.full and trials.number == 2 else 16)
        x, w = (draw(kind, rng, shape, dtype) for shape in ((1, K), (K, 1)))
        terms = x[0].astype(np.longdouble) * w[:, 0]
        got = dense(x, w)
        assert_within(got, [[terms.sum()]], abs(terms).sum(), BOUNDS[dtype])
        rows = dense(np.repeat(x, 9, axis=0), w)  # as many pixels are multiplied otherwise
        assert (rows == got).all()
        if K < 1 << 20:
            for n, F in ((2, 40), (450, 1)):
                wide = np.repeat(w, F, axis=1)
                many, one = dense(np.repeat(x, n, axis=0), wide), dense(x, wide)
                assert (many == one).all()
                assert_within(one, [F * [terms.sum()]], abs(terms).sum(), BOUNDS[dtype])
        dx, dw, db = dense_backward(x[:, :1].repeat(K, axis=0), w, x[:, :1] + 0 * x[:1, :1])
        scale = abs(x[0, 0].astype(np.longdouble))
        assert_within(db, [K * x[0, 0].astype(np.longdouble)], K * scale, BOUNDS[dtype])
        assert dx.shape == w.shape
        assert dw.shape == (1, 1)


@every_dtype
@every_kind
def test_poolings(trials, kind, dtype):
    for rng in trials(quick=1, full=3):
        side = 4096 if trials.full and trials.number == 2 else 256
        channels = 1 if side > 1000 else 23
        x = draw(kind, rng, (1, side, side, channels), dtype)
        long = x.astype(np.longdouble)
        mean, size = long.mean(axis=(1, 2)), abs(long).mean(axis=(1, 2))
        assert_within(global_avg_pool2d(x), mean, size, BOUNDS[dtype])
        for pool in (2, 64, (1, 128), (128, 1)):
            h, w = (pool, pool) if isinstance(pool, int) else pool
            parts = long.reshape(1, side // h, h, side // w, w, channels)
            want, sums = parts.mean(axis=(2, 4)), abs(parts).mean(axis=(2, 4))
            assert_within(avg_pool2d(x, pool), want, sums, BOUNDS[dtype])
        if side < 1000:
            largest = run(MaxPool(2), x).y
            assert (largest == x.reshape(1, 128, 2, 128, 2, -1).max(axis=(2, 4))).all()


@every_dtype
@every_kind
def test_gradients_of_poolings(trials, kind, dtype):
    for rng in trials(quick=1, full=20):
        x = draw(kind, rng, (2, 40, 40, 5), dtype)
        dy = draw(kind, rng, (2, 5), dtype)
        dx = run(GlobalAvgPool(), x, dy).dxs[0]
        want = np.broadcast_to(dy[:, None, None].astype(np.longdouble) / 1600, x.shape)
        assert_within(dx, want, abs(want), BOUNDS[dtype])
        dy = draw(kind, rng, (2, 33, 33, 5), dtype)
        want, sums = (pixel_sums(a, 8) / 64 for a in (dy, abs(dy)))
        dx = run(AvgPool(8, stride=1), x, dy).dxs[0]
        assert_within(dx, want, sums, BOUNDS[dtype])


@every_dtype
@every_kind
def test_batch_norm(trials, kind, dtype):
    for rng in trials(quick=1, full=3):
        side = 2048 if trials.full and trials.number == 2 else 224
        channels = 2 if side > 1000 else 21
        x, dy = (draw(kind, rng, (1, side, side, channels), dtype) for _ in range(2))
        found = run(BatchNorm(), x, dy)
        gamma, beta = found.weights["gamma"], found.weights["beta"]
        want = batch_norm(x, gamma, beta, dy)
        sums = batch_norm_magnitudes(x, gamma, beta, dy)
        results = found.y, *found.dxs, found.grads["gamma"], found.grads["beta"]
        for got, wanted, magnitudes in zip(results, want, sums, strict=True):
            assert_within(got, wanted, magnitudes, BOUNDS[dtype])


@every_dtype
@pytest.mark.parametrize("value", [0.1, -1000.0, 1e6])
def test_batch_norm_of_constant_channels_gives_beta(value, dtype):
    x = np.full((1, 224, 224, 3), value, dtype)
    found = run(BatchNorm(), x, np.zeros_like(x))
    assert (found.y == found.weights["beta"]).all()


@every_dtype
def test_batch_norm_at_inference_far_from_zero(dtype):
    """Numbers close to a large running mean keep their digits."""
    x = np.full((1, 4, 4, 1), 1e6, dtype)
    x[0, 1] += 1
    network = bound(BatchNorm(), x.shape[1:], batch=1, dtype=dtype, training=False)
    sources(network.weights)[0][:] = x
    names = {path.rpartition("/")[2]: path for path in network.weights}
    for name, value in {"gamma": 2, "beta": 0.3, "mean": 1e6, "var": 1 / 4 - 1e-5}.items():
        network.weights[names[name]] = value
    y = network.forward(1)
    np.testing.assert_allclose(y[0, 0], 0.3, rtol=1e-6)
    np.testing.assert_allclose(y[0, 1], 4.3, rtol=1e-6)


@every_dtype
@every_kind
def test_softmax_and_its_cross_entropy(trials, kind, dtype):
    for rng in trials(quick=1, full=10):
        for shape in ((5_000, 3), (2, 10_000)):
            logits = draw(kind, rng, shape, dtype)
            targets = rng.integers(0, shape[1], shape[0])
            long = logits.astype(np.longdouble)
            powers = np.exp(long - long.max(axis=1, keepdims=True))
            shares = powers / powers.sum(axis=1, keepdims=True)
            rows = np.arange(shape[0])
            tops = long.max(axis=1)
            losses = np.log(powers.sum(axis=1)) - (long[rows, targets] - tops)
            size = 1 + abs(losses).mean() + abs(long).mean()
            got = softmax_cross_entropy(logits, targets)
            assert_within(got, losses.mean(), size, BOUNDS[dtype])
            # an exponent is a difference of logits, and rounds as they do
            spread = 1 + abs(long - tops[:, None])
            floor = 4 * np.finfo(dtype).tiny / BOUNDS[dtype]  # exponentials below it are 0
            assert_within(softmax(logits), shares, shares * spread + floor, BOUNDS[dtype])
            shares[rows, targets] -= 1
            gradient = softmax_cross_entropy_backward(logits, targets)
            assert_within(gradient * shape[0], shares, spread, BOUNDS[dtype])


@every_dtype
@every_kind
def test_other_losses(trials, kind, dtype):
    formulas = {
        SquaredError(): lambda x, t: ((x - t) ** 2 / 2).mean(axis=1),
        AbsoluteError(): lambda x, t: abs(x - t).mean(axis=1),
        Huber(): lambda x, t: np.where(
            abs(x - t) < 1, (x - t) ** 2 / 2, abs(x - t) - 0.5
        ).mean(axis=1),
        SigmoidCrossEntropy(): lambda x, t: (
            np.maximum(x, 0) - x * t + np.log1p(np.exp(-abs(x)))
        ).sum(axis=1),
    }  # fmt: skip
    for rng in trials(quick=1, full=10):
        outputs = draw(kind, rng, (30_000, 2), dtype)
        targets = rng.integers(0, 2, outputs.shape).astype(dtype)
        for loss, formula in formulas.items():
            got = loss(outputs, targets, np.empty_like(outputs))
            want = formula(outputs.astype(np.longdouble), targets).mean()
            size = abs(outputs).astype(np.longdouble).mean() + want + 1
            assert_within(got, want, size, BOUNDS[dtype])


@every_dtype
@every_kind
def test_activations(kind, dtype, trials):
    for rng in trials(quick=1, full=10):
        x, dy = (draw(kind, rng, (1, 50, 50, 3), dtype) for _ in range(2))
        long = x.astype(np.longdouble)
        with np.errstate(over="ignore"):
            sigmoid = 1 / (1 + np.exp(-long))
        within = np.clip(long + 3, 0, 6) / 6
        for layer, y, slope in (
            (ReLU(), np.maximum(long, 0), long > 0),
            (Sigmoid(), sigmoid, sigmoid * (1 - sigmoid)),
            (Tanh(), np.tanh(long), 1 - np.tanh(long) ** 2),
            (SiLU(), long * sigmoid, sigmoid * (1 + long * (1 - sigmoid))),
            (HardSwish(), long * within, within + long / 6 * (abs(long) < 3)),
        ):
            found = run(layer, x, dy)
            assert_within(found.y, y, abs(y) + abs(long) * 1e-3, BOUNDS[dtype])
            assert_within(found.dxs[0], slope * dy, abs(dy) * (1 + abs(slope)), BOUNDS[dtype])


@every_kind
def test_layers_that_add_up_neighbours(kind, trials):
    """In float32 against float64, where they are sums of positive shares of what they are given."""
    for rng in trials(quick=1, full=20):
        x, dy = (draw(kind, rng, shape, "float32") for shape in ((1, 9, 9, 3), (1, 36, 36, 3)))
        for method in ("nearest", "bilinear"):
            layer = UpSample(4, method=method)
            got, want, size = (
                run(layer, *arrays)
                for arrays in (
                    (x, dy),
                    (x.astype(np.float64), dy.astype(np.float64)),
                    (abs(x).astype(np.float64), abs(dy).astype(np.float64)),
                )
            )
            assert_within(got.y, want.y, size.y, 1e-5)
            assert_within(got.dxs[0], want.dxs[0], size.dxs[0], 1e-5)
        x = draw(kind, rng, (1, 2, 2, 600), "float32")
        x /= abs(x).max()
        for size in (5, 600):
            layer = LocalResponseNorm(size, alpha=1.0)
            got, want = (run(layer, a, a) for a in (x, x.astype(np.float64)))
            assert_within(got.y, want.y, abs(want.y), 1e-5)
            assert_within(got.dxs[0], want.dxs[0], abs(x) * 3, 1e-5)


@every_dtype
@every_kind
def test_product_with_a_channel_vector(kind, dtype, trials):
    """Its gradient to the vector is a sum over all pixels."""
    for rng in trials(quick=1, full=3):
        side = 2048 if trials.full and trials.number == 2 else 256
        x, dy = (draw(kind, rng, (1, side, side, 3), dtype) for _ in range(2))
        found = run(Multiply(), x, dy, others=[draw(kind, rng, (1, 3), dtype)])
        terms = x.astype(np.longdouble) * dy
        want, sums = (a.sum(axis=(1, 2)) for a in (terms, abs(terms)))
        assert_within(found.dxs[1], want, sums, BOUNDS[dtype])


@every_dtype
@every_kind
def test_norms_and_statistics(kind, dtype, trials):
    for rng in trials(quick=1, full=10):
        flat = draw(kind, rng, (300_000,), dtype)
        long = flat.astype(np.longdouble)
        norm = np.sqrt((long**2).sum())
        clip(SimpleNamespace(flat=flat, trained=len(flat)), float(norm) / 2)
        assert_within(flat, long / 2, abs(long), BOUNDS[dtype])
        X = draw(kind, rng, (50, 30, 30, 2), dtype)
        found, long = Statistics(X, 2), X.astype(np.longdouble)
        assert_within(found.mean, long.mean(axis=(0, 1, 2)), abs(long).mean(axis=(0, 1, 2)), 1e-12)
