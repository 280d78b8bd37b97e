"""UpSample, Pad and Reshape."""

import numpy as np
import pytest
from layer_oracles import bound, check, output_of, step
from oracles import normals

from cnnkit import Conv, Conv1x1, Dense, Flatten, Pad, ReLU, Reshape, UpSample

CHANNELS = [1, 3, 5, 15, 16, 17, 33]
PADDINGS = [0, 1, (2, 0), (0, 3), ((1, 0), (0, 2)), ((0, 0), (3, 1))]
each_method = pytest.mark.parametrize("method", ["nearest", "bilinear"])
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@each_method
@pytest.mark.parametrize("scale", [1, 2, 3, (1, 4), (3, 2)], ids=str)
@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 2, 3), (4, 1, 1), (1, 1, 2)], ids=str)
def test_up_sample(shape, scale, method):
    check(UpSample(scale, method=method), shape)


@each_method
@pytest.mark.parametrize("channels", CHANNELS)
def test_up_sample_of_any_number_of_channels(channels, method):
    check(UpSample((2, 3), method=method), (3, 2, channels), batch=2, n=1)


@each_method
@pytest.mark.parametrize("training", [True, False])
def test_up_sample_between_layers(method, training):
    def build(x):
        return Conv(2, 2)(ReLU()(UpSample(2, method=method)(Conv1x1(3)(x))))

    check(build, (2, 3, 4), training=training)


@both_dtypes
def test_known_values(dtype):
    x = np.array([0.0, 4, 8]).reshape(1, 1, 3, 1)
    y = output_of(UpSample((1, 2), method="bilinear"), x, dtype=dtype)
    np.testing.assert_allclose(y.ravel(), [0, 1, 3, 5, 7, 8], rtol=1e-6, atol=1e-6)
    y = output_of(UpSample((2, 2)), x, dtype=dtype)
    np.testing.assert_array_equal(y[0, :, :, 0], [[0, 0, 4, 4, 8, 8]] * 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nearest_keeps_a_bad_pixel_where_it_is(bad):
    x = normals(2, 4, 3, 5)
    x[1, 2, 1, 4] = bad
    want = np.repeat(np.repeat(x, 2, axis=1), 3, axis=2)
    np.testing.assert_array_equal(output_of(UpSample((2, 3)), x), want)


def test_bilinear_keeps_nan_to_the_pixels_near_it():
    x = normals(2, 6, 6, 5)
    x[1, 2, 3, 4] = np.nan
    y = output_of(UpSample(2, method="bilinear"), x)
    expected = np.zeros(y.shape, bool)
    expected[1, 3:7, 5:9, 4] = True
    assert (np.isnan(y) == expected).all()


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("padding", PADDINGS, ids=str)
def test_pad(padding, channels):
    check(Pad(padding), (2, 3, channels), batch=2, n=1)


@pytest.mark.parametrize("training", [True, False])
def test_pad_between_layers(training):
    def build(x):
        return Conv(2, 2)(ReLU()(Pad(((1, 0), (0, 2)))(Conv1x1(3)(x))))

    check(build, (2, 3, 4), training=training)


def test_padding_is_zero_in_every_step():
    network = bound(lambda x: Conv(4, 3)(Pad(1)(Conv1x1(4)(x))), (3, 2, 5))
    first = step(network)[0]
    for _ in range(2):
        np.testing.assert_array_equal(step(network)[0], first)


def test_a_padded_conv_is_a_conv_of_a_padded_image():
    amounts = ((1, 0), (2, 1))
    outputs = [
        step(bound(build, (4, 5, 3)))[0]
        for build in (
            Conv(6, (3, 2), padding=amounts),
            lambda x: Conv(6, (3, 2), padding=0)(Pad(amounts)(x)),
        )
    ]
    np.testing.assert_allclose(*outputs, rtol=1e-13, atol=1e-13)


def test_nan_moves_with_its_pixel():
    x = normals(2, 2, 3, 5)
    x[1, 0, 2, 4] = np.nan
    np.testing.assert_array_equal(
        output_of(Pad(((1, 0), (0, 2))), x), np.pad(x, ((0, 0), (1, 0), (0, 2), (0, 0)))
    )


@pytest.mark.parametrize(
    ("shape", "wanted", "output"),
    [
        ((3, 4, 5), (4, 3, 5), (4, 3, 5)),
        ((3, 4, 5), (-1,), (60,)),
        ((3, 4, 5), (5, -1), (5, 12)),
        ((3, 4, 5), [2, 3, -1], (2, 3, 10)),
        ((12,), (1, 1, -1), (1, 1, 12)),
        ((12,), (np.int64(3), -1, 2), (3, 2, 2)),
    ],
    ids=str,
)
def test_reshape(shape, wanted, output):
    layer = Reshape(wanted)
    assert layer.output_shape(shape) == output
    check(layer, shape)
    check(lambda x: Dense(3)(Flatten()(layer(ReLU()(x)))), shape)


def test_reshape_costs_nothing():
    def deep(x):
        for _ in range(9):
            x = Reshape((2, 15))(Reshape((5, 6))(x))
        return x

    plain, reshaped = (bound(b, (30,)).activation_bytes for b in (Flatten(), deep))
    assert plain == reshaped


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (UpSample(0), "UpSample: scale must be a positive int or a pair of them, got 0"),
        (UpSample(1.5), "UpSample: scale must be a positive int or a pair of them, got 1.5"),
        (UpSample(method="cubic"), "UpSample: method must be 'nearest' or 'bilinear', got 'cubic'"),
        (UpSample(2**30), "UpSample: scale must lead to sizes whose product is at most 2.*46, got"),
        (Pad("same"), r"Pad: padding must be an int, a pair or \(\(top, .*, got 'same'"),
        (Pad(-1), "Pad: padding must be an int of at least 0, got -1"),
        (Pad(((1, -1), (0, 0))), r"Pad: padding must be .*, got \(1, -1\)"),
        (Pad(1.5), "Pad: padding must be .*, got 1.5"),
        (Pad(2**30), "Pad: padding must lead to sizes whose product is at most"),
        (Reshape(7), "Reshape: shape must be ints, one of them -1 at most, got 7"),
        (Reshape(()), r"Reshape: shape must be ints, one of them -1 at most, got \(\)"),
        (Reshape((-1, -1)), r"Reshape: shape must be ints, one of .* got \(-1, -1\)"),
        (Reshape((7, -1)), r"Reshape: shape must hold the 60 numbers of .3, 4, 5., got \(7, -1\)"),
        (Reshape((99, -1)), r"Reshape: shape must hold the 60 numbers of .*, got \(99, -1\)"),
        (Reshape((3, 4)), r"Reshape: shape must hold the 60 numbers of .*, got \(3, 4\)"),
        (Reshape((60, 0)), "Reshape: shape must be a positive int, got 0"),
        (Reshape((-2, -30)), "Reshape: shape must be a positive int, got -2"),
        (Reshape((2.0, 30)), "Reshape: shape must be a positive int, got 2.0"),
    ],
    ids=str,
)
def test_refusals(layer, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        layer.output_shape((3, 4, 5))


@pytest.mark.parametrize("layer", [UpSample(), Pad()], ids=str)
def test_images_are_asked_for(layer):
    with pytest.raises(ValueError, match=rf"^{type(layer).__name__}: input must be images"):
        layer.output_shape((5,))


@pytest.mark.parametrize("mode", ["edge", "reflect", "wrap"])
@pytest.mark.parametrize("padding", [1, (2, 0), ((0, 3), (1, 2)), ((9, 7), (8, 10))])
def test_pad_from_the_image(padding, mode):
    check(Pad(padding, mode=mode), (3, 4, 2))


def test_pad_with_a_value():
    check(Pad(((1, 2), (0, 3)), value=-2.5), (3, 4, 2))


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (Pad(1, mode="same"), "Pad: mode must be one of 'constant'"),
        (Pad(1, value="a"), "Pad: value must be a finite number, got 'a'"),
        (Pad(1, mode="reflect"), "Pad: padding must be 0 along one pixel with mode 'reflect'"),
    ],
)
def test_pad_arguments(layer, says):
    with pytest.raises((TypeError, ValueError), match=says):
        layer.output_shape((1, 4, 2))
