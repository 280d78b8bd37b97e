"""A graph bound to arrays: what runs."""

from math import prod

import numpy as np

from cnnkit import shapes
from cnnkit.arrays import empty_bytes
from cnnkit.graph import infer_shapes, network_specs
from cnnkit.layers.base import Slots
from cnnkit.memory import place
from cnnkit.plan import Plan
from cnnkit.threads import one_blas_thread
from cnnkit.weights import Weights


class Network:
    """A graph bound to arrays for one batch capacity.

    All arrays are made once: the weights and gradients as one flat vector each, the activations
    and their gradients side by side in one block of memory, where arrays that are not in use at
    the same time share their place. A step then allocates nothing.

    Parameters
    ----------
    graph : Graph
    input_shape : tuple
        ``(H, W, C)`` of one sample.
    n_outputs : int
        What ``filters=None`` and ``units=None`` stand for.
    batch_size : int, default=1
        Most samples of one step.
    dtype : {float32, float64}, default=float32
    training : bool, default=False
        Keep what `backward` needs. Otherwise layers that only train are left out and
        activations reuse memory.
    algorithm : str, default="auto"
        Of all convolutions: see `cnnkit.functional.conv2d`.
    weights : Weights, default=None
        To share with another network; made, and zero, when None.
    rng : numpy.random.Generator, default=None
        Where dropout draws from.

    Attributes
    ----------
    weights : Weights
        By path, such as ``weights["conv1/w"]``: arrays to read, change or assign.
    grads : Weights or None
        Of the same layout, filled by `backward`.
    x : array of shape (batch_size, H, W, C)
        The input: fill it, then call `forward`.
    output, doutput : arrays of shape (batch_size, ...)
        What `forward` computes, and its gradient, to be filled before `backward` (None without
        training).
    activation_bytes : int
        Memory of all activations and their gradients.
    """

    def __init__(
        self,
        graph,
        input_shape,
        n_outputs,
        *,
        batch_size=1,
        dtype=np.float32,
        training=False,
        algorithm="auto",
        weights=None,
        rng=None,
    ):
        self.graph = graph
        self.input_shape = tuple(input_shape)
        self.n_outputs = n_outputs
        self.batch_size = shapes.as_int(batch_size, "batch_size", "Network")
        self.dtype = np.dtype(dtype)
        self.training = training
        self.algorithm = algorithm
        self.rng = rng
        self._nodes = graph.flattened(n_outputs)
        self._shapes = infer_shapes(self._nodes, self.input_shape)
        specs = network_specs(self._nodes, self._shapes)
        self.weights = Weights(specs, self.dtype) if weights is None else weights
        if self.weights.specs != specs or self.weights.flat.dtype != self.dtype:
            raise ValueError(f"Network: weights must be those of {graph}, got {weights}.")
        self.grads = self.weights.like() if training else None
        self._bind()

    def _bind(self):
        plan = Plan(self._nodes, self.training)
        itemsize = self.batch_size * self.dtype.itemsize
        sizes = {}
        for name, shape in self._shapes.items():
            whole = (self.batch_size, *shape)
            shapes.check_product(whole, f"batch_size at {name!r}", self.batch_size, "Network")
            sizes[name] = prod(shape) * itemsize
        offsets, self.activation_bytes = place(plan.lifetimes(sizes))
        block = empty_bytes(self.activation_bytes)

        def array(slot):
            if slot is None:
                return None
            start = offsets[slot.place]
            flat = block[start : start + sizes[slot.name]].view(self.dtype)
            return flat.reshape(self.batch_size, *self._shapes[slot.name])

        self.x = array(plan.input)
        self.output = array(plan.output)
        self.doutput = array(plan.doutput)
        self._forward, self._backward = [], []
        for step in plan.steps:
            sums = [SumOp(array(into), array(term)) for into, term in step.sums]
            self._backward[:0] = sums
            if not step.runs:
                continue
            op = step.node.layer.bind(
                Slots(
                    xs=[array(x) for x in step.xs],
                    y=array(step.y),
                    dxs=[array(dx) for dx in step.dxs],
                    dy=array(step.dy),
                    weights=self.weights.of(step.node.name),
                    grads=self.grads.of(step.node.name) if self.training else {},
                    rng=self.rng,
                    algorithm=self.algorithm,
                    relu=step.fused_relu,
                )
            )
            if not step.done_by_input:
                self._forward.append(op)
            if step.dy is not None:
                self._backward.insert(0, op)
        ops = {id(op): op for op in self._forward + self._backward}.values()
        scratch = empty_bytes(max((getattr(op, "scratch_bytes", 0) for op in ops), default=0))
        for op in ops:
            if hasattr(op, "attach"):
                op.attach(scratch)
        self._uses_blas = any(getattr(op, "uses_blas", False) for op in ops)

    def resized(self, batch_size):
        """Return a network for inference of up to `batch_size` samples, with the same weights."""
        other = Network.__new__(Network)
        vars(other).update(vars(self), batch_size=batch_size, training=False, grads=None, rng=None)
        other._bind()
        return other

    def forward(self, n):
        """Run the first `n` samples of `x`; return their outputs, a view valid until the next."""
        with one_blas_thread(self._uses_blas):
            for op in self._forward:
                op.forward(n)
        return self.output[:n]

    def backward(self, n):
        """Fill `grads` from the first `n` samples of `doutput`, the gradient of the output."""
        if not self.training:
            raise ValueError("Network: backward needs a network made with training=True.")
        with one_blas_thread(self._uses_blas):
            for op in self._backward:
                op.backward(n)

    def summary(self):
        """Return a table of name, layer, output shape, weights and multiply-adds."""
        return self.graph.summary(self.input_shape, self.n_outputs)

    def __getstate__(self):
        return {
            "graph": self.graph,
            "input_shape": self.input_shape,
            "n_outputs": self.n_outputs,
            "batch_size": self.batch_size,
            "dtype": self.dtype,
            "training": self.training,
            "algorithm": self.algorithm,
            "weights": self.weights,
            "rng": self.rng,
        }

    def __setstate__(self, state):
        self.__init__(**state)


class SumOp:
    """Add one reader's gradient of an array to the others'."""

    def __init__(self, into, term):
        self.into = into
        self.term = term

    def backward(self, n):
        np.add(self.into[:n], self.term[:n], out=self.into[:n])
