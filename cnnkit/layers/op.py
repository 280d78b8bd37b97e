"""What an op is: a layer bound to its arrays, which computes."""

from __future__ import annotations

import numpy as np


class Op:
    """A layer bound to its arrays: what `Layer.bind` returns. Base of all ops.

    An op is made with all its arrays, those of `Slots`, and allocates nothing afterwards but what
    NumPy makes in between. A network then calls, in this order:

    1. ``attach(scratch)``, once: memory of at least `scratch_bytes` bytes to work in.
    2. ``prepack(memory)``, only in a network for prediction whose weights stay as they are, once:
       `packed_bytes` bytes for what follows from the weights alone.
    3. ``forward(n)``, any number of times, and after it, in training, ``backward(n)``: both for
       the first n samples of the arrays.

    A subclass says `forward`, and `backward` unless it is for prediction alone; all else has a
    default. The loops of compiled ops are Cython classes, which cannot have a base in Python: their
    op is a class with both as bases, such as ``class MaxPoolOp(native.MaxPoolOp, Op)``.

    Attributes
    ----------
    scratch_bytes : int, default=0
        Memory that a call of `forward` or `backward` works in. All ops of a network share it, so
        its content is anything when a call begins. What must last from `forward` to `backward`
        comes from `Slots.keep`.
    packed_bytes : int, default=0
        Memory that `prepack` fills.
    only_packs : bool, default=False
        Whether `forward` computes from weights alone: after `prepack` it is not called any more.
    uses_blas : bool, default=False
        Whether the op calls BLAS, which is then held at one thread.
    algorithms : tuple of str, default=()
        What computes the output, the gradient to the input and that to the weights, three names
        for `Network.summary`; empty where there is no choice.
    momentum : float or None, default=None
        How far `forward` moves running statistics towards those of a batch, and may be set;
        None where there are none.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.layers import Op
    >>> class SquareOp(Op):
    ...     def __init__(self, slots):
    ...         self.slots = slots
    ...
    ...     def forward(self, n):
    ...         np.square(self.slots.x[:n], out=self.slots.y[:n])
    ...
    ...     def backward(self, n):
    ...         if self.slots.dx is not None:
    ...             np.multiply(2 * self.slots.x[:n], self.slots.dy[:n], out=self.slots.dx[:n])
    """

    scratch_bytes: int = 0
    packed_bytes: int = 0
    only_packs: bool = False
    uses_blas: bool = False
    algorithms: tuple[str, ...] = ()
    momentum: float | None = None

    def attach(self, scratch: np.ndarray) -> None:
        """Use `scratch`, an array of at least `scratch_bytes` bytes, to work in.

        Parameters
        ----------
        scratch : array of shape (at least scratch_bytes,), uint8
        """

    def prepack(self, memory: np.ndarray) -> None:
        """Compute once what follows from the weights as they are now, for all runs.

        Parameters
        ----------
        memory : array of shape (packed_bytes,), uint8
            The op's own as long as it lives.
        """

    def forward(self, n: int) -> None:
        """Fill the first `n` samples of the output.

        Parameters
        ----------
        n : int
            At least 0, at most the first axis of the arrays.
        """
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(self, n: int) -> None:
        """Fill the gradients of the inputs, for `n` samples, and those of the weights.

        Parameters
        ----------
        n : int
            As in the `forward` before it. What is there is overwritten; a gradient that nobody
            asks for is None.
        """
        raise NotImplementedError(f"{type(self).__name__} has no backward")


def bound(layer, slots):
    """Return the op of `layer` on the arrays of `slots`."""
    op = layer.bind(slots)
    if not isinstance(op, Op):
        raise TypeError(
            f"{layer.owner}: bind must return a cnnkit.layers.Op, got {type(op).__name__}."
        )
    return op
