"""BatchNorm and LocalResponseNorm."""

import numpy as np
import pytest
from layer_oracles import bound, check, output_of, same_bits_on_any_number_of_threads, step
from oracles import normals
from seeded import generator

from cnnkit import BatchNorm, Conv, LocalResponseNorm, Network, Sequential

CHANNELS = [1, 3, 5, 15, 16, 17, 33]
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_batch_norm_of_images(channels, n):
    check(BatchNorm(), (3, 2, channels), n=n)


@pytest.mark.parametrize("channels", [1, 5, 33])
@pytest.mark.parametrize("n", [2, 7])
def test_batch_norm_of_rows(channels, n):
    check(BatchNorm(eps=0.1), (channels,), batch=7, n=n)


@pytest.mark.parametrize("shape", [(3, 2, 17), (5,)], ids=str)
def test_batch_norm_at_inference_takes_running_statistics(shape):
    check(BatchNorm(eps=0.1), shape, training=False)


@both_dtypes
@pytest.mark.parametrize("momentum", [0.1, 0.75, 1])
def test_running_statistics(momentum, dtype):
    network = bound(BatchNorm(momentum=momentum), (3, 2, 5), dtype=dtype)
    mean, var = (network.weights[f"batchnorm1/{name}"] for name in ("mean", "var"))
    want_mean, want_var = mean.astype(float), var.astype(float)
    for n in (3, 2, 1, 0):
        x = normals(3, 3, 2, 5, seed=n) * 3 + 7
        network.weights["x0/x"] = x
        step(network, n)
        if n:
            rows = x[:n].reshape(-1, 5)
            want_mean += momentum * (rows.mean(0) - want_mean)
            want_var += momentum * (rows.var(0, ddof=1) - want_var)
        within = 1e-5 if dtype == "float32" else 1e-13
        np.testing.assert_allclose(mean, want_mean, rtol=within, atol=within)
        np.testing.assert_allclose(var, want_var, rtol=within)


def test_one_pixel_has_no_variance():
    network = bound(BatchNorm(momentum=1), (1, 1, 3))
    beta = network.weights["batchnorm1/beta"].copy()
    x = network.weights["x0/x"][0].ravel().copy()
    (y,) = step(network, 1)
    np.testing.assert_allclose(y[0, 0, 0], beta, rtol=0, atol=1e-11)
    np.testing.assert_allclose(network.weights["batchnorm1/mean"], x, rtol=1e-13)
    assert not network.weights["batchnorm1/var"].any()


def test_a_fresh_norm_at_inference_is_nearly_the_identity():
    network = Network(Sequential([BatchNorm(eps=1e-12)]), (3, 2, 5), 1, dtype="float64")
    network.weights.initialise(generator(0))
    network.x[...] = x = normals(1, 3, 2, 5)
    np.testing.assert_allclose(network.forward(1), x, rtol=1e-11)


def test_a_large_mean_costs_float32_no_variance():
    network = bound(BatchNorm(), (8, 9, 3), dtype="float32")
    x = 4096 + generator(0).integers(-8, 9, (3, 8, 9, 3))
    network.weights["x0/x"] = x
    network.weights["batchnorm1/gamma"], network.weights["batchnorm1/beta"] = 1, 0
    (y,) = step(network)
    want = (x - x.mean((0, 1, 2))) / x.std((0, 1, 2))
    np.testing.assert_allclose(y, want, atol=2e-3)


@both_dtypes
@pytest.mark.parametrize("channels", [33, 64])
def test_batch_norm_has_the_same_bits_on_any_number_of_threads(dtype, channels):
    def make():
        network = bound(BatchNorm(), (19, 17, channels), batch=5, dtype=dtype)
        return (*step(network), network.grads.flat, network.weights.flat)

    assert same_bits_on_any_number_of_threads(make)


def test_nan_stays_in_its_channel():
    clean, dirty = (bound(BatchNorm(), (3, 2, 17)) for _ in range(2))
    dirty.weights["x0/x"][1, 2, 1, 4] = np.nan
    (y,), (want,) = step(dirty), step(clean)
    want[..., 4] = np.nan
    np.testing.assert_array_equal(y, want)
    for path in ("batchnorm1/gamma", "x0/x"):
        assert np.isnan(dirty.grads[path][..., 4]).all()
        assert np.isnan(dirty.grads[path]).sum() == dirty.grads[path][..., 4].size


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 0}, "momentum must be above 0 and at most 1, got 0"),
        ({"momentum": 1.5}, "momentum must be above 0 and at most 1, got 1.5"),
        ({"momentum": np.nan}, "momentum must be above 0 and at most 1, got nan"),
        ({"momentum": True}, "momentum must be above 0 and at most 1, got True"),
        ({"momentum": "0.1"}, "momentum must be above 0 and at most 1, got '0.1'"),
        ({"eps": 0}, "eps must be above 0 and at most inf, got 0"),
        ({"eps": -1e-5}, "eps must be above 0 and at most inf, got -1e-05"),
        ({"eps": None}, "eps must be above 0 and at most inf, got None"),
    ],
    ids=str,
)
def test_refusals_of_batch_norm(options, message):
    with pytest.raises(ValueError, match=rf"^BatchNorm: {message}\.$"):
        BatchNorm(**options).output_shape((3, 2, 5))


@pytest.mark.parametrize("n", [-1, 4])
@pytest.mark.parametrize("training", [True, False])
def test_more_samples_than_there_is_room_for(n, training):
    network = bound(lambda x: BatchNorm()(Conv(2, 2)(x)), (3, 2, 5), training=training)
    with pytest.raises(ValueError, match=f"n must be an int from 0 to 3, got {n}"):
        network.forward(n)


def test_weights_of_batch_norm():
    specs = BatchNorm().weight_specs((3, 2, 5))
    assert {name: (spec.shape, spec.start, spec.trained) for name, spec in specs.items()} == {
        "gamma": ((5,), 1, True),
        "beta": ((5,), 0, True),
        "mean": ((5,), 0, False),
        "var": ((5,), 1, False),
    }
    assert not any(spec.decay or spec.fan_in for spec in specs.values())


@pytest.mark.parametrize("channels", [1, 3, 16, 33])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 40, 2**31 - 1])
def test_local_response_norm(size, channels):
    norm = LocalResponseNorm(size, alpha=0.3, beta=0.6, k=1.5)
    check(norm, (2, 3, channels), batch=2, n=1)


def test_local_response_norm_by_default():
    check(LocalResponseNorm(), (2, 3, 7))
    assert LocalResponseNorm().output_shape((2, 3, 7)) == (2, 3, 7)


def test_nan_reaches_the_channels_that_see_it():
    x = normals(2, 3, 2, 9)
    x[1, 2, 0, 4] = np.nan
    expected = np.zeros(x.shape, bool)
    expected[1, 2, 0, 2:7] = True
    assert (np.isnan(output_of(LocalResponseNorm(5), x)) == expected).all()


@pytest.mark.parametrize(
    ("norm", "shape", "message"),
    [
        (LocalResponseNorm(0), (3, 2, 5), "size must be a positive int, got 0"),
        (LocalResponseNorm(2.5), (3, 2, 5), "size must be a positive int, got 2.5"),
        (LocalResponseNorm(), (5,), r"input must be images \(H, W, C\), got shape \(5,\)"),
    ],
    ids=str,
)
def test_refusals_of_local_response_norm(norm, shape, message):
    with pytest.raises((ValueError, TypeError), match=rf"^LocalResponseNorm: {message}\.$"):
        norm.output_shape(shape)
