"""Conv and Conv1x1."""

import itertools

import pytest
from oracles import check_gradients

from cnnkit import Conv, Conv1x1
from cnnkit.layers.base import WeightSpec

GEOMETRY = list(
    itertools.product(
        [1, (3, 2), (2, 5)],
        [1, (2, 1), (2, 3)],
        ["valid", "same", ((1, 0), (2, 3))],
        [1, (2, 1), (1, 2)],
    )
)
GEOMETRY = [case for case in GEOMETRY if case[0] != (2, 5) or case[3] != (1, 2)]
each_algorithm = pytest.mark.parametrize("algorithm", ["direct", "im2col"])


@each_algorithm
@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), GEOMETRY, ids=str)
def test_gradients(kernel, stride, padding, dilation, algorithm):
    conv = Conv(5, kernel, stride=stride, padding=padding, dilation=dilation)
    check_gradients([Conv1x1(3), conv], (6, 7, 2), algorithm=algorithm)


@each_algorithm
@pytest.mark.parametrize("stride", [1, (2, 1)], ids=str)
@pytest.mark.parametrize(
    ("channels", "filters", "groups"), [(4, 6, 2), (3, 3, 3), (6, 9, 3), (5, 10, 5)]
)
def test_gradients_of_groups(channels, filters, groups, stride, algorithm):
    layers = [
        Conv1x1(channels),
        Conv(filters, (3, 2), stride=stride, groups=groups, dilation=(1, 2)),
        Conv1x1(filters, groups=groups, stride=stride),
    ]
    check_gradients(layers, (5, 6, 2), algorithm=algorithm)


@each_algorithm
@pytest.mark.parametrize("filters", [1, 3, 17, 33])
@pytest.mark.parametrize("bias", [True, False])
def test_gradients_without_bias_and_of_any_number_of_filters(filters, bias, algorithm):
    layers = [Conv(3, (1, 2), bias=bias), Conv1x1(filters, bias=bias), Conv1x1(2, bias=bias)]
    check_gradients(layers, (3, 4, 1), algorithm=algorithm)


@pytest.mark.parametrize(
    ("conv", "shape", "output"),
    [
        (Conv(16), (8, 9, 1), (8, 9, 16)),
        (Conv(4, 3, stride=2), (7, 8, 3), (4, 4, 4)),
        (Conv(4, (3, 2), padding="valid"), (7, 8, 3), (5, 7, 4)),
        (Conv(4, (3, 2), stride=(3, 1), padding=(0, 1)), (7, 8, 3), (2, 9, 4)),
        (Conv(4, 3, dilation=(1, 3), padding=((1, 0), (0, 2))), (7, 8, 3), (6, 4, 4)),
        (Conv1x1(4), (7, 8, 3), (7, 8, 4)),
        (Conv1x1(4, stride=(2, 3)), (7, 8, 3), (4, 3, 4)),
    ],
    ids=str,
)
def test_output_shape(conv, shape, output):
    assert conv.output_shape(shape) == output
    kernel = conv.weight_specs(shape)["w"].shape
    adds = output[0] * output[1] * kernel[0] * kernel[1] * kernel[2] * kernel[3]
    assert conv.multiply_adds(shape) == adds


def test_weight_specs():
    specs = Conv(6, (3, 2), groups=2).weight_specs((9, 9, 4))
    assert specs == {"w": WeightSpec((3, 2, 2, 6), 12, decay=True), "b": WeightSpec((6,))}
    pointwise = Conv1x1(6, bias=False).weight_specs((9, 9, 4))
    assert pointwise == {"w": WeightSpec((1, 1, 4, 6), 4, decay=True)}


def test_groups_divide_the_multiply_adds():
    assert Conv(6, 3).multiply_adds((5, 4, 4)) == 2 * Conv(6, 3, groups=2).multiply_adds((5, 4, 4))


@pytest.mark.parametrize(
    ("conv", "message"),
    [
        (Conv(), "Conv: filters must be a positive int, got None"),
        (Conv(0), "Conv: filters must be a positive int, got 0"),
        (Conv(2.5), "Conv: filters must be a positive int, got 2.5"),
        (Conv(4, 0), "Conv: kernel_size must be a positive int or a pair of them, got 0"),
        (Conv(4, (3, -1)), r"Conv: kernel_size .*, got \(3, -1\)"),
        (Conv(4, "3"), "Conv: kernel_size must be a positive int or a pair of them, got '3'"),
        (Conv(4, stride=0), "Conv: stride must be a positive int or a pair of them, got 0"),
        (Conv(4, stride=(1, 2, 3)), r"Conv: stride .*, got \(1, 2, 3\)"),
        (Conv(4, dilation=-1), "Conv: dilation must be a positive int or a pair of them, got -1"),
        (Conv(4, padding=-1), "Conv: padding must be an int of at least 0, got -1"),
        (Conv(4, padding="full"), "Conv: padding must be .* 'valid' or 'same', got 'full'"),
        (Conv(4, groups=0), "Conv: groups must be a positive int, got 0"),
        (Conv(4, groups=3), "Conv: groups must divide the 6 input channels and the 4 filters"),
        (Conv(4, groups=4), "Conv: groups must divide .*, got 4"),
        (Conv(4, 8, padding=0), r"Conv: kernel_size \(8, 8\) .* must fit the padded image, got"),
        (Conv(4, 3, padding=0, dilation=4), r"Conv: kernel_size .* dilation \(4, 4\) must fit"),
        (Conv(4, padding=2**30), "Conv: padding must lead to sizes whose product is at most"),
        (Conv(2**31 - 1, 200), "Conv: filters must lead to sizes whose product is at most"),
        (Conv1x1(), "Conv1x1: filters must be a positive int, got None"),
        (Conv1x1(4, stride=0), "Conv1x1: stride must be a positive int or a pair of them, got 0"),
        (Conv1x1(4, groups=5), "Conv1x1: groups must divide the 6 input channels"),
    ],
    ids=str,
)
def test_refusals(conv, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        conv.weight_specs((7, 6, 6))


def test_a_point_has_no_kernel_size_to_set():
    assert set(Conv1x1().get_params()) == {"filters", "stride", "groups", "bias"}
    with pytest.raises(ValueError, match="Invalid parameter 'kernel_size' for estimator Conv1x1"):
        Conv1x1().set_params(kernel_size=3)
