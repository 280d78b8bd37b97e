"""Single convolutions: cnnkit, PyTorch, plain NumPy, and the floor of the processor.

Run::

    python benchmarks/convolutions.py [--rounds 4] [--threads 2] [--torch-python PATH]
                                      [--only PATTERN] [--json PATH] [--random COUNT [--seed S]]

A case is written ``N,C,H,W -> F kernel``: N images of H x W pixels and C channels, F filters;
``s4`` is a stride of 4, ``d2`` a dilation of 2, ``g2`` two groups. Images are padded so that a
stride of 1 keeps their size, or "valid" is written behind. In depthwise convolutions F is C and is
left out, and every channel has its own kernel.

With ``--random COUNT`` so many cases are drawn from ``--seed`` instead, as `ops.drawn` says. Of
these the 5th percentile and the ten least ratios are shown, too. A seed that was looked at once is
no test any more: draw another.

``forward: CASE``
    Milliseconds for y = conv(x, w) + b. cnnkit runs the op of its layer, with the algorithm of
    "auto", on arrays made once; the packing of weights is part of every call. PyTorch runs
    `torch.nn.functional.conv2d` in inference mode and returns a new tensor.
``forward + backward: CASE``
    Milliseconds for the same, and the gradients to x, w and b from a given dy, in PyTorch by
    `torch.autograd.grad`.
``depthwise forward: CASE``, ``depthwise forward + backward: CASE``
    The same for depthwise 3x3 convolutions, at the sizes of MobileNet.

NumPy means a plain im2col: a strided view, copied to one matrix, and matrix products. The GFLOP/s
count the multiply-adds of the definition, three times as many with the gradients, so an algorithm
that needs fewer can be faster than the floor. Depthwise convolutions are limited by memory and have
no GFLOP/s. Inputs are the same numbers for all contenders, and the mean absolute values beside each
figure show that they computed the same.
"""

import functools

import harness
from ops import CONVOLUTIONS, DEPTHWISE, arrays_of, bound, drawn


def tables(args):
    """{table: (cases, whether backward, too)}."""
    if args.random:
        cases = drawn(args.random, args.seed)
        return {"random forward": (cases, False), "random forward + backward": (cases, True)}
    return {
        "forward": (CONVOLUTIONS, False),
        "forward + backward": (CONVOLUTIONS, True),
        "depthwise forward": (DEPTHWISE, False),
        "depthwise forward + backward": (DEPTHWISE, True),
    }


def rows_of(tables, prepare):
    """The rows of the tables.

    Parameters
    ----------
    tables : dict
    prepare : callable, (case, backward) -> callable that computes and returns y, or y, dx, dw, db
    """
    prepare = functools.lru_cache(maxsize=1)(prepare)  # one case at a time in memory

    def one_round(case, backward):
        seconds, results = harness.clock_for(prepare(case, backward), 0.06)
        results = results if isinstance(results, tuple) else (results,)
        names = ("y", "dx", "dw", "db")
        note = " ".join(
            f"{name} {float(abs(result).mean()):.4g}"
            for name, result in zip(names, results, strict=False)
        )
        return harness.Turn(seconds, note, case.multiply_adds * (3 if backward else 1))

    return {
        f"{table}: {case.name}": functools.partial(one_round, case, backward)
        for table, (cases, backward) in tables.items()
        for case in cases
    }


def with_cnnkit(tables):
    from cnnkit._native.threads import one_blas_thread
    from cnnkit.layers import Conv

    def prepare(case, backward):
        x, w, b, dy = arrays_of(case)
        layer = Conv(
            case.F,
            case.K,
            stride=case.stride,
            padding=case.padding,
            dilation=case.dilation,
            groups=case.groups,
        )
        op, slots = bound(layer, x, training=backward)
        slots.weights["w"][...], slots.weights["b"][...] = w, b
        if backward:
            slots.dy[...] = dy

        def forward():
            with one_blas_thread(op.uses_blas):
                op.forward(case.N)
            return slots.y

        def forward_backward():
            with one_blas_thread(op.uses_blas):
                op.forward(case.N)
                op.backward(case.N)
            return slots.y, slots.dx, slots.grads["w"], slots.grads["b"]

        return forward_backward if backward else forward

    return rows_of(tables, prepare)


def with_torch(tables, memory_format):
    import torch

    memory_format = getattr(torch, memory_format)

    def prepare(case, backward):
        def tensor(array, axes):
            result = torch.from_numpy(array).permute(axes).contiguous(memory_format=memory_format)
            return result.requires_grad_(backward)

        x, w, b, dy = arrays_of(case)
        x, w, dy = tensor(x, (0, 3, 1, 2)), tensor(w, (3, 2, 0, 1)), tensor(dy, (0, 3, 1, 2))
        b, dy = torch.from_numpy(b).requires_grad_(backward), dy.detach()

        def convolution():
            return torch.nn.functional.conv2d(
                x, w, b, case.stride, case.pads, case.dilation, case.groups
            )

        def forward():
            with torch.inference_mode():
                return convolution()

        def forward_backward():
            y = convolution()
            return y.detach(), *torch.autograd.grad(y, (x, w, b), dy)

        return forward_backward if backward else forward

    return rows_of(tables, prepare)


def with_numpy(tables):
    import numpy as np
    from numpy.lib.stride_tricks import sliding_window_view

    def prepare(case, backward):
        x, w, b, dy = arrays_of(case)
        p, s, taps = case.padding, case.stride, range(case.K)
        height, width = case.output_sides
        flat_w, flat_dy = w.reshape(-1, case.F), dy.reshape(-1, case.F)

        def forward():
            padded = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0))) if p else x
            windows = sliding_window_view(padded, (case.K, case.K), (1, 2))[:, ::s, ::s]
            cols = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, len(flat_w))
            return (cols @ flat_w + b).reshape(dy.shape), cols

        def forward_backward():
            y, cols = forward()
            dcols = (flat_dy @ flat_w.T).reshape(*dy.shape[:3], case.K, case.K, case.C)
            dx = np.zeros((case.N, case.H + 2 * p, case.W + 2 * p, case.C), np.float32)
            for i in taps:
                for j in taps:
                    rows, columns = slice(i, i + s * height, s), slice(j, j + s * width, s)
                    dx[:, rows, columns] += dcols[:, :, :, i, j]
            dx = dx[:, p : p + case.H, p : p + case.W]
            return y, dx, (cols.T @ flat_dy).reshape(w.shape), flat_dy.sum(axis=0)

        return forward_backward if backward else lambda: forward()[0]

    return rows_of(tables, prepare)


def contenders(args):
    every = tables(args)
    few = {name: table for name, table in every.items() if table[0] is CONVOLUTIONS}
    work = {
        f"{table}: {case.name}": case.multiply_adds * (3 if backward else 1)
        for table, (cases, backward) in few.items()
        for case in cases
    }
    ours, *torch = harness.beside_torch(
        functools.partial(with_cnnkit, every), functools.partial(with_torch, every)
    )
    if not few:
        return [ours, *torch]
    numpy = harness.Contender("NumPy im2col", functools.partial(with_numpy, few), ("numpy",))
    return [ours, *torch, numpy, harness.floor(work)]


def add_options(add):
    add("--random", type=int, metavar="COUNT", help="draw so many cases instead")
    add("--seed", type=int, default=0, help="of the cases that are drawn (%(default)s)")


if __name__ == "__main__":
    harness.run(__doc__, contenders, rounds=4, rest=0.2, add_options=add_options)
