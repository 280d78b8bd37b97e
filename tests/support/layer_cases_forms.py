"""Rows of the table of layers: arithmetic with constants, and other forms of arrays."""

import numpy as np
from layer_case import LayerCase
from layer_twins import part, resized

from cnnkit.layers import Affine, Clip, Permute, Power, Resize, Slice

FORMS = {
    "Affine": LayerCase(
        lambda layer, w, context, x: x * w.get("scale", 1) + w.get("shift", 0),
        (Affine(), Affine(()), Affine((0, 2), shift=False), Affine((1,), scale=False)),
        unusual=(Affine((0, -1), shift=False, trained=False),),
    ),
    "Clip": LayerCase(
        lambda layer, w, context, x: np.clip(x, layer.minimum, layer.maximum),
        (Clip(-0.5, 0.25), Clip(maximum=0.5)),
    ),
    "Permute": LayerCase(
        lambda layer, w, context, x: x.transpose(0, *(axis + 1 for axis in layer.order)),
        (Permute((2, 0, 1)),),
        arguments={"order": (2, 0, 1)},
    ),
    "Power": LayerCase(
        lambda layer, w, context, x: x**layer.exponent,
        (Power(2.0), Power(3)),
        arguments={"exponent": 2.0},
    ),
    "Resize": LayerCase(
        resized,
        (Resize((5, 3)), Resize(5, method="bilinear"), Resize((2, 9), method="bicubic")),
        large=(Resize((30, 12), method="bilinear"),),
        unusual=(
            Resize(
                (30, 12),
                method="bicubic",
                scale=(1.5, 0.6),
                coordinates="asymmetric",
                rounding="ceil",
                cubic=-0.5,
                antialias=True,
                exclude_outside=True,
                outside=1.0,
            ),
            Resize((30, 12), coordinates="tf_crop_and_resize", crop=(0.1, 0.2, 1.1, 0.8)),
        ),
        arguments={"size": (3, 7)},
    ),
    "Slice": LayerCase(
        part,
        (Slice(0, 1), Slice(None, None, -1), Slice(-2, None, axis=0), Slice(step=2, axis=1)),
        unusual=(Slice(1, 8, 2, axis=0),),
    ),
}
