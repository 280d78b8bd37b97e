"""Network: a graph bound to arrays, which can run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnkit._native.threads import one_blas_thread
from cnnkit.data import images, scaling
from cnnkit.data.reading import read_ahead
from cnnkit.exceptions import overflow_allowed
from cnnkit.graph.graph import Graph
from cnnkit.graph.summary import Summary, table
from cnnkit.layers.base import Slots
from cnnkit.layers.composite import Resolved
from cnnkit.layers.norm import FoldOp
from cnnkit.layers.op import Op, bound
from cnnkit.network.placement import place
from cnnkit.network.plan import Plan
from cnnkit.network.prediction import PREDICT_BYTES
from cnnkit.network.weights import Weights
from cnnkit.validate import shapes
from cnnkit.validate.arrays import (
    PIECE,
    blocks,
    check_range,
    check_unmasked,
    empty_bytes,
    real_dtype,
)
from cnnkit.validate.available_memory import check_memory
from cnnkit.validate.pickles import check_parts, checking, stamped

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

    from cnnkit.typing import Algorithm, Array, Floats, InputShape

RUN_ANEW = 100  # batches for the running statistics of batch norms

PICKLED = {  # the parts of a pickle, and their types
    "graph": Graph,
    "input_shape": (tuple, dict),
    "n_outputs": (int, type(None)),
    "batch_size": int,
    "dtype": np.dtype,
    "training": bool,
    "algorithm": str,
    "weights": Weights,
    "rng": (np.random.Generator, type(None)),
    "frozen": tuple,
    "outputs": tuple,
    "packed": bool,
}


class Network:
    """A graph bound to arrays for one batch capacity.

    All arrays are made once: the weights and gradients as one flat vector each, the activations
    and their gradients in one block of memory, where arrays that are not in use at the same time
    share their place. A step then allocates nothing.

    Parameters
    ----------
    graph : Graph, or Resolved
        The result of ``graph.resolve(input_shape, n_outputs)`` stands for all three.
    input_shape : tuple
        ``(H, W, C)`` of one sample; with several inputs a dict of shapes by name.
    n_outputs : int
        Number that ``filters=None`` and ``units=None`` stand for.
    batch_size : int, default=1
        Largest number of samples of one step.
    dtype : {float32, float64}, default=float32
        Type of weights, activations and arithmetic.
    training : bool, default=False
        Whether arrays for `backward` are kept. If not, layers for training alone are left out and
        activations share memory.
    algorithm : str, default="auto"
        Algorithm of all convolutions: see `cnnkit.functional.conv2d`.
    weights : Weights, default=None
        Weights of another network, to be shared; None means new weights, which are zero.
    rng : numpy.random.Generator, default=None
        Random generator of dropout.
    frozen : tuple of str, default=()
        Paths of layers that training does not change: their weights count as not trained, and no
        gradients are computed below the first trained layer. A frozen batch norm works as at
        inference.
    scales : tuple of {"input", "targets"}, default=()
        Arrays that are standardised by statistics kept beside the weights, such as
        ``weights["input/mean"]``: see `cnnkit.data.scaling`. The caller sets the statistics; before
        that, images are used as they are, and uint8 is not scaled to [0, 1]. If `weights` are
        given, their statistics are used.
    companions : int, default=0
        Number of vectors as long as the weights that training needs besides the gradients, such as
        the averages of an optimizer: there must be memory for them, too.
    predicts : bool, default=False
        Whether training also predicts, with a network for inference: there must be memory for its
        activations, too.

    Attributes
    ----------
    resolved : Resolved
        The graph's layers by path, with their output shapes and the weights they need.
    weights : Weights
        Arrays by path, such as ``weights["conv1/w"]``, to be read, changed or assigned.
    grads : Weights or None
        Gradients in the same layout, filled by `backward`.
    x : array of shape (batch_size, H, W, C)
        The input, or the first of several. `forward` overwrites its memory: fill it before every
        `forward`.
    xs : dict of arrays
        All inputs by name; a single input is ``xs["input"]``.
    packed : bool
        Whether weights were folded and packed once: see `resized`.
    outputs, doutputs : lists of arrays of shape (batch_size, ...)
        The results of `forward`, and their gradients, which the caller fills between `forward` and
        `backward` (none without training). `output` and `doutput` are the first of them; the
        gradients of the others are zero until they are filled.
    activation_bytes : int
        Bytes of all activations and their gradients.

    Raises
    ------
    MemoryError
        If all arrays need more memory than is available; nothing is allocated then.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit import Conv, GlobalAvgPool, Network, Sequential
    >>> network = Network(Sequential([Conv(), GlobalAvgPool()]), (8, 8, 1), 10, batch_size=4)
    >>> _ = network.weights.initialise(np.random.default_rng(0))
    >>> network.x[...] = 1
    >>> network.forward(4).shape
    (4, 10)
    """

    def __init__(
        self,
        graph: Graph | Resolved,
        input_shape: InputShape | None = None,
        n_outputs: int | None = None,
        *,
        batch_size: int = 1,
        dtype: DTypeLike = np.float32,
        training: bool = False,
        algorithm: Algorithm = "auto",
        weights: Weights | None = None,
        rng: np.random.Generator | None = None,
        frozen: Sequence[str] = (),
        scales: Sequence[str] = (),
        companions: int = 0,
        predicts: bool = False,
    ) -> None:
        resolved = as_resolved(graph, input_shape, n_outputs)
        if weights is not None and not isinstance(weights, Weights):
            raise TypeError(f"Network: weights must be those of a network, got {weights!r}.")
        self.resolved = self._part = resolved
        self.batch_size = shapes.as_int(batch_size, "batch_size", "Network")
        self.dtype = np.dtype(dtype)
        self.training = training
        self.algorithm = algorithm
        self.rng = rng
        self.frozen = tuple(frozen)
        self.packed = False
        paths = [node.name for node in resolved.nodes]
        if not are_paths(self.frozen, paths):
            raise ValueError(f"Network: frozen must be paths of layers {paths}, got {frozen!r}.")
        specs = self._specs(scales if weights is None else scaling.kept(weights))
        plan, offsets = self._lay_out()
        size = sum(prod(spec.shape) for spec in specs.values()) * self.dtype.itemsize
        companions = shapes.as_int(companions, "companions", "Network", 0)
        vectors = (weights is None) + bool(training) + companions
        known = {f"{vectors} times the weights": vectors * size}
        if predicts:
            one = self.activation_bytes // self.batch_size
            known["prediction"] = min(self.activation_bytes, max(one, PREDICT_BYTES))
        self._check_memory(known)
        self.weights = Weights(specs, self.dtype) if weights is None else weights
        if self.weights.specs != specs or self.weights.flat.dtype != self.dtype:
            raise ValueError(f"Network: weights must be those of {self.graph}, got {weights}.")
        self.grads = self.weights.like() if training else None
        self._bind(plan, offsets, known)

    def _specs(self, scales):
        """Return the specs of all weights by path; those of frozen layers are not trained."""
        if not isinstance(scales, (list, tuple)) or list(scales) not in scaling.SETS:
            raise ValueError(f"Network: scales must be one of {scaling.SETS}, got {scales!r}.")
        inputs = self.resolved.inputs
        if scales and len(inputs) > 1:
            raise ValueError(f"Network: scales must be () for several inputs, got {scales!r}.")
        specs = {
            path: spec._replace(trained=False) if path.rpartition("/")[0] in self.frozen else spec
            for path, spec in self.resolved.weight_specs.items()
        }
        channels = self.resolved.shapes[inputs[0]][-1]
        return specs | scaling.specs(scales, channels, self.n_outputs)

    def _lay_out(self):
        """Return the plan and the offsets of its arrays; record the size of all of them."""
        plan = Plan(self._part, self.training, set(self.frozen))
        sizes = {}
        for name, shape in self.resolved.shapes.items():
            whole = (self.batch_size, *shape)
            shapes.check_product(whole, f"batch_size at {name!r}", self.batch_size, "Network")
            sizes[name] = prod(whole) * self.dtype.itemsize
        offsets, self.activation_bytes = place(plan.lifetimes(sizes))
        return plan, offsets

    def _check_memory(self, others):
        name = f"activations of batch_size={self.batch_size}"
        check_memory({name: self.activation_bytes} | others, "Network")

    def _bind(self, plan, offsets, known):
        """Make the arrays and the ops that work on them; `known` is other memory that is needed.

        Arrays take no memory until they are used, so a network that is too large is refused in
        time.
        """
        array = partial(self._array, empty_bytes(self.activation_bytes), offsets)
        self.xs = {x.name: array(x) for x in plan.inputs}
        self.x = self.xs[self.resolved.inputs[0]]
        self.outputs = [array(output) for output in plan.outputs]
        self.doutputs = [array(doutput) for doutput in plan.doutputs]
        self._forward, backward, kept = [], [], 0
        self._algorithms = {}
        for step in plan.steps:
            sums = [SumOp(array(into), array(term)) for into, term in step.sums]
            backward += sums[::-1]
            if not step.runs:
                continue
            slots = self._slots(step, array)
            if step.fused_norm is not None:
                self._forward.append(self._fold(step.fused_norm, slots))
            op = bound(step.node.layer, slots)
            kept += slots.kept_bytes
            self._algorithms[step.node.name] = op.algorithms
            if step.host is None:
                self._forward.append(op)
            if step.dy is not None:
                backward.append(op)
        self._backward = backward[::-1]
        self._attach(known | {"what layers keep": kept})

    def _array(self, block, offsets, planned):
        """Return the part of `block` for the array `planned`; None for None."""
        if planned is None:
            return None
        *sides, channels = self.resolved.shapes[planned.name]
        first, width = planned.part or (0, channels)
        size = prod(sides) * width * self.batch_size * self.dtype.itemsize
        flat = block[offsets[planned.place] :][:size].view(self.dtype)
        whole = flat.reshape(self.batch_size, *sides, width)
        return whole[..., first : first + channels]

    def _slots(self, step, array):
        """Return the slots for the layer of a step; `array` makes the arrays of the plan."""
        name = step.node.name
        trained = self.training and name not in self.frozen
        return Slots(
            xs=[array(x) for x in step.xs],
            y=array(step.y),
            dxs=[array(dx) for dx in step.dxs],
            dy=array(step.dy),
            weights=self.weights.of(name),
            grads=self.grads.of(name) if trained else {},
            rng=self.rng,
            algorithm=self.algorithm,
            relu=step.fused_relu,
        )

    def _attach(self, known):
        """Give all ops one common scratch memory, if there is enough memory for it."""
        ops = {id(op): op for op in self._forward + self._backward}.values()
        size = max((op.scratch_bytes for op in ops), default=0)
        self._known = known | {"scratch": size}
        self._check_memory(self._known)
        scratch = empty_bytes(size)
        for op in ops:
            op.attach(scratch)
        self._uses_blas = any(op.uses_blas for op in ops)

    def _fold(self, norm, slots):
        """Set the scale and shift of a batch norm in `slots`, and return the op that fills them."""
        slots.scale, slots.shift = np.empty((2, slots.y.shape[-1]), self.dtype)
        weights = self.weights.of(norm.name)
        return FoldOp(norm.layer, weights, slots.weights.get("b"), slots.scale, slots.shift)

    def resized(
        self,
        batch_size: int,
        outputs: Sequence[str] | None = None,
        weights: Weights | None = None,
        *,
        packed: bool = False,
    ) -> Network:
        """Return a network for inference of up to `batch_size` samples, with the same weights.

        Parameters
        ----------
        batch_size : int
            Largest number of samples of one step.
        outputs : tuple of str, default=None
            Paths of the nodes whose outputs are wanted, instead of those of the graph; nodes that
            they do not need are left out.
        weights : Weights, default=None
            Other weights of the same layout, used instead of this network's.
        packed : bool, default=False
            Whether batch norms are folded and convolutions packed once, here, with the present
            weights, rather than in every `forward`. Weights must not change while such a network
            is in use, since some are not copied.

        Returns
        -------
        network : Network
            It has its own activations and shares the weights.

        Raises
        ------
        ValueError
            If there is no such node.

        Examples
        --------
        >>> from cnnkit import Conv, Network, ReLU, Sequential
        >>> network = Network(Sequential([Conv(4), ReLU()]), (8, 8, 1))
        >>> larger = network.resized(32, outputs=["conv1"])
        >>> larger.output.shape, larger.weights is network.weights
        ((32, 8, 8, 4), True)
        """
        other = Network.__new__(Network)
        vars(other).update(
            vars(self), batch_size=batch_size, training=False, grads=None, rng=None, packed=packed
        )
        if weights is not None:
            other.weights = weights
        if outputs is not None:
            nodes = needed(self._part.nodes, outputs)
            other._part = replace(self._part, nodes=nodes, outputs=tuple(outputs))
        plan, offsets = other._lay_out()
        other._check_memory({})
        other._bind(plan, offsets, {})
        if packed:
            other._prepack()
        return other

    def _prepack(self):
        size = sum(op.packed_bytes for op in self._forward)
        self._check_memory(self._known | {"packed weights": size})
        for op in self._forward:
            op.prepack(empty_bytes(op.packed_bytes))
        self._forward = [op for op in self._forward if not op.only_packs]

    def activations(
        self, X: ArrayLike | Mapping[str, ArrayLike], paths: str | Sequence[str]
    ) -> dict[str, Floats]:
        """Return the outputs of nodes for images: feature maps, or features of a layer.

        Parameters
        ----------
        X : array of shape (n, H, W, C), or of flat rows
            Images in any real dtype and the scale of training: see `load`. With several inputs a
            dict of arrays by name.
        paths : str or list of str
            Names of nodes as `summary` shows them.

        Returns
        -------
        activations : dict of str to array of shape (n, ...)
            The outputs of each node, by path.

        Raises
        ------
        ValueError, TypeError
            If X does not have the shape of the input, or there is no such node.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import GlobalMaxPool, Network, Sequential
        >>> network = Network(Sequential([GlobalMaxPool()]), (2, 2, 1))
        >>> network.activations(np.arange(8.0).reshape(2, 2, 2, 1), "globalmaxpool1")
        {'globalmaxpool1': array([[3.],
               [7.]], dtype=float32)}
        """
        checked, count = self._checked(X)
        paths = [paths] if isinstance(paths, str) else list(dict.fromkeys(paths))
        network = self.resized(max(1, min(count, 64)), tuple(paths), packed=True)
        found = {
            path: np.empty((count, *output.shape[1:]), self.dtype)
            for path, output in zip(paths, network.outputs, strict=True)
        }
        for start in range(0, count, network.batch_size):
            rows = slice(start, start + network.batch_size)
            n = network.load(checked, rows)
            network.forward(n)
            for array, output in zip(found.values(), network.outputs, strict=True):
                array[rows] = output[:n]
        return found

    def _checked(self, X):
        """Return `X`, an array or a dict of one array for each input, and the number of samples."""
        inputs, shapes = self.resolved.inputs, self.resolved.shapes
        several = len(inputs) > 1
        if several:
            self._check_names(X)
        checked = {}
        for name in inputs:
            given, called = (X[name], f"X[{name!r}]") if several else (X, "X")
            check_unmasked(given, called, "Network")
            given = np.asarray(given)[...]  # a new view keeps its shape
            real_dtype(given.dtype, called, "Network")
            images.check_input_shape(given, shapes[name], "Network", called)
            check_range(given, self.dtype, called, "Network")
            checked[name] = given
        counts = {name: len(given) for name, given in checked.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(f"Network: X must hold as many of each input, got {counts}.")
        return checked if several else given, len(given)

    def _check_names(self, X):
        inputs = self.resolved.inputs
        if not isinstance(X, dict) or set(X) != set(inputs):
            got = list(X) if isinstance(X, dict) else type(X).__name__
            raise ValueError(
                f"Network: X must be a dict of an array for each of {inputs}, got {got}."
            )

    @property
    def graph(self) -> Any:
        """The graph."""
        return self.resolved.graph

    @property
    def input_shape(self) -> Any:
        """Shape of one sample; with several inputs a dict of shapes by name."""
        return self.resolved.input_shape

    @property
    def n_outputs(self) -> Any:
        """Number that ``filters=None`` and ``units=None`` stand for."""
        return self.resolved.n_outputs

    @property
    def output(self) -> Floats:
        """The first of `outputs`; most networks have only one."""
        return self.outputs[0]

    @property
    def doutput(self) -> Floats | None:
        """The first of `doutputs`; None without training."""
        return self.doutputs[0] if self.doutputs else None

    def load(
        self,
        X: Array | Mapping[str, Array],
        rows: Any,
        change: Callable[[Array], object] | None = None,
    ) -> int:
        """Copy `X[rows]` to the first samples of `x`, and return their number.

        If the input is not standardised, uint8 is scaled to [0, 1].

        Parameters
        ----------
        X : array of shape (n, ...)
            Images of `input_shape`, flat or not, in any real dtype. With several inputs a dict of
            arrays by name, to which `change` is not applied.
        rows : slice or array of indices
            Which samples of X, at most `batch_size`.
        change : callable, default=None
            Changes a batch of images in place, before they are standardised.

        Returns
        -------
        n : int
            Number of samples.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import Network, ReLU, Sequential
        >>> network = Network(Sequential([ReLU()]), (3,), batch_size=2)
        >>> n = network.load(np.array([[1, -2, 3], [4, 5, -6]]), slice(1, 2))
        >>> network.forward(n)
        array([[4., 5., 0.]], dtype=float32)
        """
        several = len(self.xs) > 1
        if several:
            self._check_names(X)
        arrays: Any = X  # a dict if there are several inputs
        standardised = "input/mean" in self.weights
        counts = {}
        for name, x in self.xs.items():
            given, n = arrays[name] if several else arrays, 0
            for some in [rows] if isinstance(rows, slice) else self._some_of(rows):
                out = x[n:]
                if standardised and change is None:
                    batch = given[some]
                    n += len(batch)
                    scaling.load_standardised(batch, self.weights, out[: len(batch)])
                else:
                    n += images.load_batch(given, some, out)
            if change is not None and not several:
                change(x[:n])
                if standardised:
                    scaling.standardise(x[:n], self.weights, images.unit(given.dtype))
            counts[name] = n
        if len(set(counts.values())) > 1:
            raise ValueError(f"Network: X must hold as many of each input, got {counts}.")
        return n

    def _some_of(self, rows):
        """Yield parts of `rows` if they are indices, by which NumPy makes a copy."""
        for some in blocks(len(rows), self.x, PIECE):
            yield rows[some]

    def forward(self, n: int) -> Floats:
        """Run the first `n` samples of `xs`; return those of `output`, valid until the next run.

        In training all `doutputs` but the first are set to zero: outputs whose gradient is not
        filled then change no gradient.

        Parameters
        ----------
        n : int
            At least 0, at most `batch_size`.

        Returns
        -------
        output : array of shape (n, ...)
            A view, not a copy.

        Raises
        ------
        ValueError
            If `n` is out of range.

        Examples
        --------
        >>> from cnnkit import Network, Sequential, Softmax
        >>> network = Network(Sequential([Softmax()]), (4,))
        >>> network.x[...] = 0
        >>> network.forward(1)
        array([[0.25, 0.25, 0.25, 0.25]], dtype=float32)
        """
        self._check_count(n)
        with one_blas_thread(self._uses_blas):
            for op in self._forward:
                op.forward(n)
        for doutput in self.doutputs[1:]:
            doutput[:n] = 0
        return self.output[:n]

    def backward(self, n: int) -> None:
        """Fill `grads` from the first `n` samples of `doutputs`, the gradients of the outputs.

        Parameters
        ----------
        n : int
            As in the `forward` before it.

        Raises
        ------
        ValueError
            If `n` is out of range, or the network was not made with ``training=True``.

        Examples
        --------
        >>> from cnnkit import Dense, Network, Sequential
        >>> network = Network(Sequential([Dense(1, bias=False)]), (2,), training=True)
        >>> network.x[...] = 3, 4
        >>> _ = network.forward(1)
        >>> network.doutput[...] = 1
        >>> network.backward(1)
        >>> network.grads["dense1/w"]
        array([[3.],
               [4.]], dtype=float32)
        """
        if not self.training:
            raise ValueError("Network: backward needs a network made with training=True.")
        self._check_count(n)
        with one_blas_thread(self._uses_blas):
            for op in self._backward:
                op.backward(n)

    def run_anew(self, X: Array, rows: Any) -> None:
        """Set every running statistic to its mean over batches of the images `X[rows]`.

        A smaller last batch is left out, unless it is the only one: it would count as much as the
        others. At most a hundred batches are used.

        Parameters
        ----------
        X : array of shape (n, H, W, C)
            Images of the training set: see `load`.
        rows : array of indices
            Which of them, in any order.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import BatchNorm, Network, Sequential
        >>> network = Network(Sequential([BatchNorm()]), (1,), batch_size=2, training=True)
        >>> _ = network.weights.initialise(np.random.default_rng(0))
        >>> network.run_anew(np.array([[1.0], [3.0], [5.0], [7.0]]), np.arange(4))
        >>> network.weights["batchnorm1/mean"]
        array([4.], dtype=float32)
        """
        norms = [op for op in self._forward if op.momentum is not None]
        momenta = [op.momentum for op in norms]
        batches = min(max(1, len(rows) // self.batch_size), RUN_ANEW) if norms else 0
        try:
            with read_ahead(X, rows[: batches * self.batch_size]) as read:
                for i in range(batches):
                    for op in norms:
                        op.momentum = 1 / (i + 1)
                    batch = rows[i * self.batch_size : (i + 1) * self.batch_size]
                    with overflow_allowed():
                        self.forward(self.load(read, batch))
        finally:
            for op, momentum in zip(norms, momenta, strict=True):
                op.momentum = momentum

    def _check_count(self, n):
        shapes.as_int(n, "n", "Network", 0, self.batch_size)

    def summary(self) -> Summary:
        """Return a table of name, layer, output shape, weights and multiply-adds.

        The last column names the algorithms that compute a layer's output, and in training the
        gradients to its input and to its weights; "-" means that there is no such gradient.

        Returns
        -------
        summary : Summary
            Prints as a table; the rows and totals are attributes.
        """
        algorithms = {}
        for step in Plan(self._part, True, set(self.frozen)).steps:
            path = step.node.name
            if self._algorithms.get(path):
                forward, to_x, to_w = self._algorithms[path]
                trained = step.dy is not None and path not in self.frozen
                names = forward, to_x if any(step.dxs) else "-", to_w if trained else "-"
                algorithms[path] = names
        return table(self.resolved, algorithms)

    def __sklearn_clone__(self):
        """Return the network itself, which scikit-learn's clone leaves as it is."""
        return self

    def __getstate__(self):
        state = {
            "graph": self.graph,
            "input_shape": self.input_shape,
            "n_outputs": self.n_outputs,
            "batch_size": self.batch_size,
            "dtype": self.dtype,
            "training": self.training,
            "algorithm": self.algorithm,
            "weights": self.weights,
            "rng": self.rng,
            "frozen": self.frozen,
            "outputs": self._part.outputs,
            "packed": self.packed,
        }
        return stamped(state)

    def __setstate__(self, state):
        with checking(state, "Network") as parts:
            check_parts(parts, PICKLED, "Network")
            outputs, packed = parts.pop("outputs"), parts.pop("packed")
            self.__init__(**parts)
            if packed or outputs != self._part.outputs:
                vars(self).update(vars(self.resized(self.batch_size, outputs, packed=packed)))


def as_resolved(graph, input_shape, n_outputs):
    """Return a `Resolved` from a graph and its shape, or from a `Resolved` instead of these."""
    if isinstance(graph, Resolved):
        return graph
    if not isinstance(graph, Graph):
        raise TypeError(f"Network: graph must be one, such as Sequential([...]), got {graph!r}.")
    return graph.resolve(input_shape, n_outputs, "Network")


def needed(nodes, outputs):
    """Return the nodes that are needed for the outputs, given by path."""
    wanted = set(outputs)
    unknown = wanted - {node.name for node in nodes}
    if unknown or not wanted:
        raise ValueError(
            f"Network: outputs must be nodes of {[node.name for node in nodes]}, got {outputs}."
        )
    kept = []
    for node in reversed(nodes):
        if node.name in wanted:
            kept.append(node)
            wanted.update(node.inputs)
    return kept[::-1]


class SumOp(Op):
    """An op that adds the gradient from one reader of an array to those from the others."""

    def __init__(self, into, term):
        self.into = into
        self.term = term

    def backward(self, n):
        np.add(self.into[:n], self.term[:n], out=self.into[:n])


def are_paths(names, paths):
    """Say whether all `names` are in `paths`, none of them twice."""
    known = set(paths)
    return all(isinstance(name, str) and name in known for name in names) and (
        len(set(names)) == len(names)
    )
