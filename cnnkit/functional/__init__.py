"""Stateless functions on arrays: every operation of the layers, forward and backward.

Images are (N, H, W, C). With `data_format="channels_first"` images are (N, C, H, W), weights of
convolutions are (F, C / groups, KH, KW) instead of (KH, KW, C / groups, F), and the columns of
im2col have the order of such weights. float64 is computed in float64, and every other real dtype in
float32. Sizes are ints or pairs
``(vertical, horizontal)``; padding is an int, a pair, ``((top, bottom), (left, right))``, "valid"
or "same" (TensorFlow's, which is ONNX's SAME_UPPER).
"""

from cnnkit.functional.activation import relu, relu_backward, softmax, softmax_backward
from cnnkit.functional.conv import (
    col2im,
    conv2d,
    conv2d_backward,
    dense,
    dense_backward,
    im2col,
)
from cnnkit.functional.loss import softmax_cross_entropy, softmax_cross_entropy_backward
from cnnkit.functional.pool import (
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool2d,
    global_avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)

__all__ = [
    "avg_pool2d",
    "avg_pool2d_backward",
    "col2im",
    "conv2d",
    "conv2d_backward",
    "dense",
    "dense_backward",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "im2col",
    "max_pool2d",
    "max_pool2d_backward",
    "relu",
    "relu_backward",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
]
