"""A plan of the arrays that the nodes of a network read and write, and of their lifetimes."""

from collections import Counter
from dataclasses import dataclass, field

from cnnkit.layers.activation import ReLU
from cnnkit.layers.merge import Concat
from cnnkit.layers.nodes import Node
from cnnkit.layers.norm import BatchNorm
from cnnkit.network.placement import Lifetime


@dataclass(eq=False)
class Array:
    """An activation or gradient: `name` gives its shape, `place` the memory it lies in.

    With `part`, ``(first channel, channels of the whole)``, it is a slice of a wider array.
    """

    name: str
    place: str
    part: tuple | None = None

    def overlaps(self, other):
        return self.place == other.place and (
            self.part is None or other.part is None or self.part == other.part
        )


@dataclass(eq=False)
class Step:
    """One node and its arrays; gradients that are not needed are None."""

    node: Node
    xs: list
    y: Array
    runs: bool  # False: y is x, there is nothing to compute
    dxs: list = field(default_factory=list)
    dy: Array | None = None
    fused_relu: bool = False  # clips its own output
    fused_norm: Node | None = None  # scales its own output as this batch norm does
    host: "Step | None" = None  # the step that does the forward work of this one
    sums: list = field(default_factory=list)  # (into, term): sums after backward


class Plan:
    """Arrays and lifetimes of a network.

    Forward of node i is step i, the loss is step L, backward of node i is step 2 L - i. If several
    nodes read an array, each contributes to its gradient: the first to run backward writes it, the
    others write terms that are added to it.

    Parameters
    ----------
    resolved : Resolved
        Nodes, inputs, outputs, shapes and weights.
    training : bool
    frozen : set of str, default=()
        Nodes whose weights get no gradient.

    Attributes
    ----------
    steps : list of Step
    inputs : list of Array
    outputs : list of Array
    doutputs : list of Array
        Empty without training.
    """

    def __init__(self, resolved, training, frozen=()):
        nodes, outputs, inputs = resolved.nodes, resolved.outputs, resolved.inputs
        self.nodes = nodes
        self.training = training
        self._frozen = frozen
        self._specs = resolved.specs
        self.loss_step = len(nodes)
        self._uses = {}  # place -> [(array name, step)]
        self._fixed = {}  # place -> an array there that no node may overwrite
        self._writers = {}  # array, by identity -> the step that writes it
        self._values = {}
        self.steps = []
        readers = [entry for node in nodes for entry in node.inputs]
        readers = Counter(readers + list(outputs))
        self._shared = {name for name, count in readers.items() if count > 1}
        read_once = readers.keys() - self._shared - set(outputs)
        self._slices = find_slices(nodes, read_once, resolved.shapes)
        for name in inputs:
            self._fix(Array(name, name))
        self.inputs = [self._value(name, 0, name) for name in inputs]
        for i, node in enumerate(nodes):
            self.steps.append(self._forward_step(i, node))
        self.outputs = [self._values[name] for name in outputs]
        for output in self.outputs:
            self._use(output, 2 * self.loss_step if training else self.loss_step)
        self.doutputs = self._plan_backward(outputs) if training else []

    def lifetimes(self, sizes):
        """Return the `Lifetime` of every place, given the size of every array."""
        return {
            place: Lifetime(
                max(sizes[name] for name, _ in uses),
                min(step for _, step in uses),
                max(step for _, step in uses),
            )
            for place, uses in self._uses.items()
        }

    def _array(self, name, step, place, part=None):
        array = Array(name, place, part)
        self._use(array, step)
        return array

    def _use(self, array, step):
        self._uses.setdefault(array.place, []).append((array.name, step))

    def _value(self, name, step, place):
        place, part = self._slices.get(name, (place, None))
        value = self._values[name] = self._array(name, step, place, part)
        if name in self._shared:
            self._fix(value)
        return value

    def _fix(self, array):
        self._fixed.setdefault(array.place, []).append(array)

    def _forward_step(self, i, node):
        layer, xs = node.layer, [self._values[entry] for entry in node.inputs]
        runs = not (layer.reshapes or (layer.training_only and not self.training))
        free = runs and not any(map(xs[0].overlaps, self._fixed.get(xs[0].place, ())))
        host = self._host(xs[0], node) if free else None
        over = not runs or host is not None or (free and layer.in_place)
        y = self._value(node.name, i, xs[0].place if over else node.name)
        for x in xs:
            self._use(x, i)
        if self.training:
            for kept in (xs if layer.keeps_input else []) + ([y] if layer.keeps_output else []):
                self._use(kept, 2 * self.loss_step - i)
                self._fix(kept)
        step = self._writers[id(y)] = Step(node, xs, y, runs, host=host)
        return step

    def _host(self, x, node):
        """Return the step that does the work of `node` while it writes `x`, if there is one."""
        writer = self._writers.get(id(x))
        writer = writer.host or writer if writer is not None else None
        if writer is None or not writer.runs or writer.fused_relu:
            return None
        if isinstance(node.layer, ReLU) and writer.node.layer.fuses_relu:
            writer.fused_relu = True
            return writer
        scales = writer.node.layer.fuses_scale and writer.fused_norm is None
        if isinstance(node.layer, BatchNorm) and not self.training and scales:
            writer.fused_norm = node
            return writer
        return None

    def _plan_backward(self, outputs):
        """Walk back from the loss to the first weights; return the gradients of the outputs."""
        wanted = {entry.name: False for entry in self.inputs}
        for node in self.nodes:
            trained = bool(self._specs[node.name]) and node.name not in self._frozen
            wanted[node.name] = trained or any(map(wanted.get, node.inputs))
        gradients = {
            name: self._array(name, self.loss_step, f"gradient of {name}") for name in outputs
        }
        doutputs = [gradients[name] for name in outputs]
        for i, step in reversed(list(enumerate(self.steps))):
            name, inputs, layer = step.node.name, step.node.inputs, step.node.layer
            if not wanted[name] or name not in gradients:
                continue
            backward = 2 * self.loss_step - i
            dy = step.dy = gradients[name]
            self._use(dy, backward)
            for k, source in enumerate(inputs):
                if not wanted[source]:
                    step.dxs.append(None)
                    continue
                over = k == 0 and (layer.gradient_in_place or not step.runs)
                place = dy.place if over else f"gradient of {source} from {name}, {k}"
                part = dy.part if over else None
                if self._slices.get(source, ("",))[0] == name:
                    place, part = dy.place, self._slices[source][1]
                dx = self._array(source, backward, place, part)
                step.dxs.append(dx)
                if source in gradients:
                    step.sums.append((gradients[source], dx))
                else:
                    gradients[source] = dx
        return doutputs


def find_slices(nodes, read_once, shapes):
    """Return the arrays that are slices of the output of a `Concat`, ``name -> (place, part)``.

    These are inputs that no other node reads and that a convolution writes, directly or through a
    ReLU that works in place.
    """
    writers = {node.name: node for node in nodes}
    slices = {}
    for node in nodes:
        if not isinstance(node.layer, Concat) or node.name in slices:
            continue
        first = 0
        for source in node.inputs:
            chain, writer = [source], writers.get(source)
            while writer is not None and source in read_once and isinstance(writer.layer, ReLU):
                source = writer.inputs[0]
                chain.append(source)
                writer = writers.get(source)
            if source in read_once and writer is not None and writer.layer.writes_slices:
                part = (first, shapes[node.name][-1])
                slices.update(dict.fromkeys(chain, (node.name, part)))
            first += shapes[chain[0]][-1]
    return slices
