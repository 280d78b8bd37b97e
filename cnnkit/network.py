"""A graph bound to arrays: what runs."""

from dataclasses import dataclass
from math import prod

import numpy as np

from cnnkit import shapes
from cnnkit.arrays import empty_bytes
from cnnkit.graph import INPUT, Node, infer_shapes, network_specs
from cnnkit.layers.activation import ReLU
from cnnkit.layers.base import Slots
from cnnkit.memory import Lifetime, place
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
        nodes = graph.flattened(n_outputs)
        found = infer_shapes(nodes, self.input_shape)
        specs = network_specs(nodes, found)
        self.weights = Weights(specs, self.dtype) if weights is None else weights
        self.grads = self.weights.like() if training else None
        self._bind(_Plan(nodes, training), found)

    def _bind(self, plan, found):
        def array(slot):
            if slot is None:
                return None
            shape = (self.batch_size, *found[slot.name])
            size = prod(shape) * self.dtype.itemsize
            start = offsets[slot.place]
            return block[start : start + size].view(self.dtype).reshape(shape)

        itemsize = self.batch_size * self.dtype.itemsize
        for name, shape in found.items():
            sizes = (self.batch_size, *shape)
            shapes.check_product(sizes, f"batch_size at {name!r}", self.batch_size, "Network")
        offsets, size = place(plan.lifetimes({k: prod(v) * itemsize for k, v in found.items()}))
        self.activation_bytes = size
        block = empty_bytes(size)
        self.x = array(plan.values[INPUT])
        self.output = array(plan.output)
        self.doutput = array(plan.gradient_of_output)
        self._forward, self._backward = [], []
        for step in plan.steps:
            op = step.node.layer.bind(
                Slots(
                    x=array(step.x),
                    y=array(step.y),
                    dx=array(step.dx),
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
        return Network(
            self.graph,
            self.input_shape,
            self.n_outputs,
            batch_size=batch_size,
            dtype=self.dtype,
            algorithm=self.algorithm,
            weights=self.weights,
        )

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


@dataclass(eq=False)
class _Array:
    """One activation or gradient: `name` gives its shape, `place` the memory it lies in."""

    name: str
    place: str


@dataclass(eq=False)
class _Step:
    """One node with the arrays it reads and writes; `dx` and `dy` are None where not wanted."""

    node: Node
    x: _Array
    y: _Array
    dx: _Array | None = None
    dy: _Array | None = None
    fused_relu: bool = False  # clips its own output
    done_by_input: bool = False  # its output is there once its input is


class _Plan:
    """Which array every node reads and writes, and when each piece of memory is in use.

    Forward of node i is step i; backward of it is step 2 L - i, with the loss at step L.
    """

    def __init__(self, nodes, training):
        self.last_forward = len(nodes)
        self.uses = {}  # place -> [(array name, step)]
        self.kept = set()  # places whose content a backward still reads
        self.values = {}
        self.steps = []
        readers = [entry for node in nodes for entry in node.inputs]
        self.values[INPUT] = self._array(INPUT, 0)
        for i, node in enumerate(nodes):
            self._plan_forward(i, node, training, readers.count(node.inputs[0]) == 1)
        self.output = self.values[nodes[-1].name]
        self._use(self.output, self.last_forward)
        self.gradient_of_output = None
        if training:
            self._use(self.output, 2 * self.last_forward)
            self._plan_backward(nodes)

    def lifetimes(self, sizes):
        """Return the `Lifetime` of every place, given the size of every array."""
        return {
            place: Lifetime(
                max(sizes[name] for name, _ in uses),
                min(step for _, step in uses),
                max(step for _, step in uses),
            )
            for place, uses in self.uses.items()
        }

    def _array(self, name, step, place=None):
        array = _Array(name, name if place is None else place)
        self._use(array, step)
        return array

    def _use(self, array, step):
        self.uses.setdefault(array.place, []).append((array.name, step))

    def _plan_forward(self, i, node, training, only_reader):
        layer, x = node.layer, self.values[node.inputs[0]]
        left_out = layer.reshapes or (layer.training_only and not training)
        overwrites = (
            layer.in_place and only_reader and x.place != INPUT and x.place not in self.kept
        )
        place = x.place if left_out or overwrites else node.name
        y = self.values[node.name] = self._array(node.name, i, place)
        self._use(x, i)
        backward = 2 * self.last_forward - i
        if training and layer.keeps_input:
            self._keep(x, backward)
        if training and layer.keeps_output:
            self._keep(y, backward)
        if left_out:
            return
        step = _Step(node, x, y)
        before = self.steps[-1] if self.steps else None
        if (
            isinstance(layer, ReLU)
            and overwrites
            and before is not None
            and before.node.layer.fuses_relu
            and before.y is x
        ):
            before.fused_relu = step.done_by_input = True
        self.steps.append(step)

    def _keep(self, array, step):
        self._use(array, step)
        self.kept.add(array.place)

    def _plan_backward(self, nodes):
        """Walk back from the loss; stop where no weight lies before."""
        wanted = {INPUT: False}
        for node in nodes:
            wanted[node.name] = node.layer.has_weights or wanted[node.inputs[0]]
        steps = {step.node.name: step for step in self.steps}
        last = nodes[-1].name
        gradients = {last: self._array(last, self.last_forward, "gradient of " + last)}
        self.gradient_of_output = gradients[last]
        for i, node in reversed(list(enumerate(nodes))):
            if not wanted[node.name]:
                break
            step, layer, source = steps.get(node.name), node.layer, node.inputs[0]
            backward = 2 * self.last_forward - i
            dy = gradients[node.name]
            self._use(dy, backward)
            if wanted[source]:
                place = dy.place if step is None or layer.in_place else "gradient of " + source
                gradients[source] = self._array(source, backward, place)
            if step is not None:
                step.dy, step.dx = dy, gradients.get(source)
