"""Which arrays the nodes of a network read and write, and when each is in use."""

from dataclasses import dataclass, field

from cnnkit.graph import INPUT, Node
from cnnkit.layers.activation import ReLU
from cnnkit.memory import Lifetime


@dataclass(eq=False)
class Array:
    """An activation or gradient: `name` gives its shape, `place` the memory it lies in."""

    name: str
    place: str


@dataclass(eq=False)
class Step:
    """One node and its arrays; gradients are None where nobody wants them."""

    node: Node
    xs: list
    y: Array
    runs: bool  # False: y is x, there is nothing to do
    dxs: list = field(default_factory=list)
    dy: Array | None = None
    fused_relu: bool = False  # clips its own output
    done_by_input: bool = False  # its output is there once its input is
    sums: list = field(default_factory=list)  # (into, term), to add up after backward


class Plan:
    """Arrays and lifetimes of a network.

    Forward of node i is step i, the loss step L, backward of node i step 2 L - i. An array read by
    several nodes has its gradient from each of them: the first to run backward writes it, the
    others write terms that are added to it.

    Parameters
    ----------
    nodes : list of Node
        Each after those it reads.
    training : bool

    Attributes
    ----------
    steps : list of Step
    input, output : Array
    doutput : Array or None
    """

    def __init__(self, nodes, training):
        self.nodes = nodes
        self.training = training
        self.loss_step = len(nodes)
        self._uses = {}  # place -> [(array name, step)]
        self._fixed = {INPUT}  # places that no node may overwrite
        self._values = {}
        self.steps = []
        readers = [entry for node in nodes for entry in node.inputs]
        self._shared = {name for name in readers if readers.count(name) > 1}
        self.input = self._value(INPUT, 0, INPUT)
        for i, node in enumerate(nodes):
            self.steps.append(self._forward_step(i, node))
        self.output = self._values[nodes[-1].name]
        self._use(self.output, 2 * self.loss_step if training else self.loss_step)
        self.doutput = None
        if training:
            self._plan_backward()

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

    def _array(self, name, step, place):
        array = Array(name, place)
        self._use(array, step)
        return array

    def _use(self, array, step):
        self._uses.setdefault(array.place, []).append((array.name, step))

    def _value(self, name, step, place):
        value = self._values[name] = self._array(name, step, place)
        if name in self._shared:
            self._fixed.add(place)
        return value

    def _forward_step(self, i, node):
        layer, xs = node.layer, [self._values[entry] for entry in node.inputs]
        runs = not (layer.reshapes or (layer.training_only and not self.training))
        overwrites = runs and layer.in_place and xs[0].place not in self._fixed
        y = self._value(node.name, i, node.name if runs and not overwrites else xs[0].place)
        for x in xs:
            self._use(x, i)
        step = Step(node, xs, y, runs)
        if self.training:
            for kept in (xs if layer.keeps_input else []) + ([y] if layer.keeps_output else []):
                self._use(kept, 2 * self.loss_step - i)
                self._fixed.add(kept.place)
        writer = next((other for other in self.steps if other.y is xs[0]), None)
        if isinstance(layer, ReLU) and overwrites and writer and writer.node.layer.fuses_relu:
            writer.fused_relu = step.done_by_input = True
        return step

    def _plan_backward(self):
        """Walk back from the loss to the first weights."""
        wanted = {INPUT: False}
        for node in self.nodes:
            wanted[node.name] = node.layer.has_weights or any(map(wanted.get, node.inputs))
        last = self.nodes[-1].name
        self.doutput = self._array(last, self.loss_step, f"gradient of {last}")
        gradients = {last: self.doutput}
        for i, step in reversed(list(enumerate(self.steps))):
            name, inputs, layer = step.node.name, step.node.inputs, step.node.layer
            if not wanted[name]:
                continue
            backward = 2 * self.loss_step - i
            dy = step.dy = gradients[name]
            self._use(dy, backward)
            for k, source in enumerate(inputs):
                if not wanted[source]:
                    step.dxs.append(None)
                    continue
                over = k == 0 and (layer.in_place or not step.runs)
                place = dy.place if over else f"gradient of {source} from {name}, {k}"
                dx = self._array(source, backward, place)
                step.dxs.append(dx)
                if source in gradients:
                    self._use(gradients[source], backward)
                    step.sums.append((gradients[source], dx))
                else:
                    gradients[source] = dx
