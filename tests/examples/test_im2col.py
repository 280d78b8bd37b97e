"""The example about im2col: its numbers, its loops, its picture."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
from oracles import integers

from cnnkit.functional import conv2d

PATH = Path(__file__).parents[2] / "examples" / "im2col.py"


@pytest.fixture(scope="module")
def example():
    spec = spec_from_file_location("example_im2col", PATH)
    module = module_from_spec(spec)
    sys.path.insert(0, str(PATH.parent))  # where it finds endings.py
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(PATH.parent))
    return module


def test_printed_tables(example, capsys):
    example.print_forward()
    example.print_backward()
    text = capsys.readouterr().out
    assert "  1   2   3     1   2   4   5     1       37        37  47\n" in text
    assert "has 9, each of 12\n" in text
    assert "gradient is 4 + 3 + 2 + 1 = 10." in text
    assert "  1   2   1\n  2   4   2\n  1   2   1\n" in text


def test_every_way_is_the_same_convolution(example):
    x, w = integers(1, 8, 8, 3), integers(3, 3, 3, 5, seed=1)
    for name, way in example.WAYS.items():
        np.testing.assert_array_equal(way(x, w, 2), conv2d(x, w, stride=2), err_msg=name)


def test_the_matrix_is_the_memory_of_the_whole_way_alone(example):
    x, w = np.ones((1, 227, 227, 3), "float32"), np.ones((11, 11, 3, 96), "float32")
    whole, blocks, default = (
        example.memory(example.WAYS[name], {"x": x, "w": w, "stride": 4})
        for name in (example.WHOLE, example.BLOCKS, example.DEFAULT)
    )
    assert 3025 * 363 * 4 <= whole < 1.05 * 3025 * 363 * 4
    assert blocks < whole / 2
    assert default < whole / 2


def test_a_window_reshaped_for_one_image_mixes_two(example):
    one, two = example.mixing()
    assert one == 0
    assert two > 1


def test_conclusions_follow_the_figures(example):
    seconds = dict(zip(example.WAYS, [100, 10, 1, 2, 4], strict=True))
    taken = dict(zip(example.WAYS, [0, 0, 4e6, 5e5, 2e5], strict=True))
    product, blocks, default, _ = example.conclusions(seconds, taken)
    assert "100 times as fast" in product
    assert "10 times as fast as one for each pixel" in product
    assert "50 times as fast as the loop, with 0.50 MB in the place of 4.00" in blocks
    assert "slower than im2col in blocks here (2.0 times)" in default


def test_picture(example, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "pictures" / "im2col.png"
    costs = dict.fromkeys(example.WAYS, 1.0)
    example.save_picture(path, example.draw, costs, costs)
    assert path.stat().st_size > 10_000
