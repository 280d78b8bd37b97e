"""The page of listings for Keras runs, and its numbers of weights are Keras'."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

# Listings for Keras

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "keras_listings.md"
NORM = 4  # numbers for each channel


def keras_conv(C, F, size=1):
    return size * size * C * F + F


def keras_bottleneck(C, F):
    convolutions = keras_conv(C, F) + keras_conv(F, F, 3) + keras_conv(F, 4 * F)
    return convolutions + NORM * 6 * F + keras_conv(C, 4 * F) + NORM * 4 * F


def keras_separable(C, F):
    return 10 * C + NORM * C + keras_conv(C, F) + NORM * F


def keras_fire(C, squeeze, expand):
    return keras_conv(C, squeeze) + keras_conv(squeeze, expand) + keras_conv(squeeze, expand, 3)


def keras_chain(*channels):
    return sum(keras_conv(a, b) for a, b in pairwise(channels))


FIRES = [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)]
KERAS = {
    "pointwise_conv": keras_conv(64, 32),
    "dimension_reduction": keras_conv(64, 32),
    "the Sequential model": keras_conv(64, 32),
    "feature_fusion": keras_conv(3, 1),
    "add_depth": 3 * keras_conv(64, 64),
    "inception_module": 4 * keras_conv(192, 64) + keras_conv(64, 64, 3) + keras_conv(64, 64, 5),
    "resnet_bottleneck_block": keras_bottleneck(256, 128),
    "resnet_bottleneck_block, 64 to 256": keras_bottleneck(64, 64),
    "depthwise_separable_conv": keras_separable(3, 32) + keras_separable(32, 64),
    "channel_attention": keras_chain(64, 4, 64),
    "feature_pyramid_network": sum(
        keras_conv(C, 256) + keras_conv(256, 256, 3) for C in (256, 512, 1024, 2048)
    ),
    "Network in Network": keras_conv(3, 192, 5)
    + keras_chain(192, 160, 96, 96, 192, 192, 192, 192, 192, 10),
    "SqueezeNet-like": keras_conv(3, 96, 7)
    + sum(
        keras_fire(C, *fire)
        for C, fire in zip([96, *(2 * e for _, e in FIRES)], FIRES, strict=False)
    )
    + keras_conv(512, 1000),
}


def blocks_of(text):
    return "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))


@pytest.mark.skipif(not PAGE.exists(), reason="docs are not installed")
def test_the_page_of_keras_listings(capsys):
    text = PAGE.read_text()
    table = re.findall(r"^\| (.+?) \| (.+?) \| ([\d,]+) \| ([\d,]+) \|$", text, re.MULTILINE)
    rows = {name: (shape, theirs, ours) for name, shape, theirs, ours in table}
    before, *sections = re.split(r"^### (.+)$", text, flags=re.MULTILINE)
    assert sections[::2] == list(rows)
    names = {}
    exec(compile(blocks_of(before), str(PAGE), "exec"), names)
    for name, section in zip(sections[::2], sections[1::2], strict=True):
        exec(compile(blocks_of(section), f"{PAGE}: {name}", "exec"), names)
        shape, theirs, ours = rows[name]
        shape = names["maps"] if shape == "four maps" else tuple(map(int, shape.split(" x ")))
        assert f"{names['net'].summary(shape).weights:,}" == ours, name
        listing = name.replace("`", "").removesuffix(", by default")
        assert f"{KERAS[listing]:,}" == theirs, name
        assert (ours == theirs) != name.endswith(", by default"), name
    assert "2,080" in capsys.readouterr().out


def test_listings_of_known_counts():
    assert KERAS["resnet_bottleneck_block"] == 383_232
    assert KERAS["depthwise_separable_conv"] == 3_114
    assert KERAS["Network in Network"] == 239_018
    assert KERAS["SqueezeNet-like"] == 1_248_424
    assert KERAS["feature_pyramid_network"] == 3_344_384
