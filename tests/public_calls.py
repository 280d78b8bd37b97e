"""Arguments that every function of cnnkit.functional takes."""

import numpy as np


def images(*shape, dtype="f4"):
    """Normal numbers, always the same."""
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


X4, W4, Y4 = images(2, 5, 5, 2), images(3, 3, 2, 3), images(2, 3, 3, 3)
ROWS = images(4, 6)
FUNCTIONS = {
    "avg_pool2d": {"x": X4, "pool_size": 2},
    "avg_pool2d_backward": {"dy": images(2, 2, 2, 2), "input_shape": (2, 5, 5, 2), "pool_size": 2},
    "col2im": {"cols": images(18, 18), "input_shape": (2, 5, 5, 2), "kernel_size": 3},
    "conv2d": {"x": X4, "w": W4},
    "conv2d_backward": {"dy": Y4, "x": X4, "w": W4},
    "dense": {"x": ROWS, "w": images(6, 3)},
    "dense_backward": {"dy": images(4, 3), "x": ROWS, "w": images(6, 3)},
    "global_avg_pool2d": {"x": X4},
    "global_avg_pool2d_backward": {"dy": images(2, 2), "input_shape": (2, 5, 5, 2)},
    "im2col": {"x": X4, "kernel_size": 3},
    "max_pool2d": {"x": X4, "pool_size": 2},
    "max_pool2d_backward": {"dy": images(2, 2, 2, 2), "x": X4, "pool_size": 2},
    "relu": {"x": ROWS},
    "relu_backward": {"dy": ROWS, "y": ROWS},
    "softmax": {"x": ROWS},
    "softmax_backward": {"dy": ROWS, "y": ROWS},
    "softmax_cross_entropy": {"logits": ROWS, "targets": np.arange(4)},
    "softmax_cross_entropy_backward": {"logits": ROWS, "targets": np.arange(4)},
}
