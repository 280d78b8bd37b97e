"""The base class of ops: an op is a layer bound to its arrays, which computes."""

from __future__ import annotations

import numpy as np


class Op:
    """Base class of ops: a layer bound to its arrays, which `Layer.bind` returns.

    An op gets all its arrays, those of `Slots`, when it is made. Later it allocates nothing except
    temporary arrays of NumPy. A network then calls, in this order:

    1. ``attach(scratch)``, once: scratch memory of at least `scratch_bytes` bytes.
    2. ``prepack(memory)``, once, only in a network for prediction whose weights do not change:
       `packed_bytes` bytes for results that depend on the weights alone.
    3. ``forward(n)``, any number of times, and after it, in training, ``backward(n)``: both for
       the first n samples of the arrays.

    A subclass defines `forward`, and `backward` unless it is for prediction alone; all else has a
    default. The loops of compiled ops are Cython classes, which cannot have a base class in Python:
    their op is a class with both bases, such as ``class MaxPoolOp(native.MaxPoolOp, Op)``.

    Attributes
    ----------
    scratch_bytes : int, default=0
        Bytes of scratch memory for a call of `forward` or `backward`. All ops of a network share
        it, so a call must not expect any content. An array that must last from `forward` to
        `backward` comes from `Slots.keep`.
    packed_bytes : int, default=0
        Bytes that `prepack` fills.
    only_packs : bool, default=False
        Whether `forward` reads weights alone: after `prepack` it is no longer called.
    uses_blas : bool, default=False
        Whether the op calls BLAS, which is then held at one thread.
    algorithms : tuple of str, default=()
        Three names for `Network.summary`: the algorithms of the output, of the gradient to the
        input and of the gradient to the weights. Empty if there is no choice.
    momentum : float or None, default=None
        Weight of a batch in the running statistics that `forward` updates; it can be set. None if
        there are no running statistics.

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
        """Use `scratch`, an array of at least `scratch_bytes` bytes, as scratch memory.

        Parameters
        ----------
        scratch : array of shape (at least scratch_bytes,), uint8
            Memory of any content, which the other ops of the network use, too.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import Conv
        >>> from cnnkit.layers import Slots
        >>> x, y, w = np.ones((1, 4, 4, 1)), np.empty((1, 2, 2, 1)), np.ones((3, 3, 1, 1))
        >>> op = Conv(1, 3, padding="valid", bias=False).bind(Slots([x], y, weights={"w": w}))
        >>> op.attach(np.empty(op.scratch_bytes, np.uint8))
        >>> op.forward(1)
        >>> y[0, :, :, 0]
        array([[9., 9.],
               [9., 9.]])
        """

    def prepack(self, memory: np.ndarray) -> None:
        """Compute results that depend on the present weights alone, once for all runs.

        Parameters
        ----------
        memory : array of shape (packed_bytes,), uint8
            It belongs to the op as long as the op lives.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import Conv
        >>> from cnnkit.layers import Slots
        >>> x, y, w = np.ones((1, 4, 4, 1)), np.empty((1, 2, 2, 1)), np.ones((3, 3, 1, 1))
        >>> op = Conv(1, 3, padding="valid", bias=False).bind(Slots([x], y, weights={"w": w}))
        >>> op.attach(np.empty(op.scratch_bytes, np.uint8))
        >>> op.prepack(np.empty(op.packed_bytes, np.uint8))
        >>> op.forward(1)  # with packed weights
        >>> y.max()
        np.float64(9.0)
        """

    def forward(self, n: int) -> None:
        """Fill the first `n` samples of the output.

        Parameters
        ----------
        n : int
            At least 0, at most the first axis of the arrays.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import ReLU
        >>> from cnnkit.layers import Slots
        >>> x, y = np.array([[-1.0, 2.0], [3.0, -4.0]]), np.zeros((2, 2))
        >>> op = ReLU().bind(Slots([x], y))
        >>> op.forward(1)  # the first sample alone
        >>> y
        array([[0., 2.],
               [0., 0.]])
        """
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(self, n: int) -> None:
        """Fill the gradients of the inputs, for `n` samples, and those of the weights.

        Parameters
        ----------
        n : int
            As in the `forward` before it. Gradients are overwritten; a gradient that is not needed
            is None.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import ReLU
        >>> from cnnkit.layers import Slots
        >>> x, y = np.array([[-1.0, 2.0], [3.0, -4.0]]), np.zeros((2, 2))
        >>> dx, dy = np.empty((2, 2)), np.ones((2, 2))
        >>> op = ReLU().bind(Slots([x], y, [dx], dy))
        >>> op.forward(2)
        >>> op.backward(2)
        >>> dx
        array([[0., 1.],
               [1., 0.]])
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
