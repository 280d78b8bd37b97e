"""Operators that files write as several, put together before layers are made of them.

GELU is an operator since opset 20. Before, exporters wrote it out by ``Erf``, which has no layer::

    x * 0.5 * (1 + erf(x / sqrt(2)))     factors in any order, x / sqrt(2) also as a product
"""

from math import prod, sqrt

import numpy as np

from cnnkit.files.onnx.reading import tensors, wire

OWN = (None, "", "ai.onnx")  # names of ONNX's domain


def joined(nodes, constants, outputs):
    """Return nodes with a ``Gelu`` in the place of those that compute one.

    Parameters
    ----------
    nodes : list of Message
    constants : dict of Message
        Tensors by name.
    outputs : list of str
        Names that must stay.
    """
    found = _Nodes(nodes, constants, outputs)
    gone, new = set(), {}
    for node in nodes:
        chain = found.gelu(node) if node.op_type == "Erf" else None
        if chain is not None:
            x, *members, last = chain
            gone.update(map(id, members))
            new[id(last)] = wire.Message(wire.NODE)
            new[id(last)].update(op_type="Gelu", name=last.name, input=[x], output=last.output)
    return [new.get(id(node), node) for node in nodes if id(node) not in gone]


class _Nodes:
    """The nodes of a graph by the names that they read and give."""

    def __init__(self, nodes, constants, outputs):
        self.makers, self.readers, self.constants = {}, {}, constants
        self.outputs = set(outputs)
        for node in nodes:
            for name in node.output:
                self.makers.setdefault(name, []).append(node)
            for name in node.input:
                self.readers.setdefault(name, []).append(node)

    def gelu(self, erf):
        """Return the input, the nodes and the last node of a GELU around an Erf, or None."""
        inner = self.maker(erf.input[0]) if is_plain(erf) and len(erf.input) == 1 else None
        x = self.scaled(inner, sqrt(2))
        add = self.reader(erf) if x is not None else None
        if add is None or add.op_type != "Add" or self.number(self.other(add, erf)) != 1:
            return None
        chain, left, node = [x, inner, erf, add], {"x", "half"}, add
        while left:
            after = self.reader(node)
            if after is None:
                return None
            done, more = self.factors(after, node, x)
            if not done or not done <= left:
                return None
            left -= done
            chain += [*more, after]
            node = after
        return chain

    def factors(self, node, before, x):
        """Return which of "x" and "half" a node multiplies with, and the node that made both."""
        if self.scaled(node, 2) == before.output[0]:
            return {"half"}, []
        if node.op_type != "Mul":
            return set(), []
        other = self.other(node, before)
        if other == x:
            return {"x"}, []
        halved = self.maker(other)
        return ({"x", "half"}, [halved]) if self.scaled(halved, 2) == x else (set(), [])

    def scaled(self, node, divisor):
        """Return what a node divides by a number, or multiplies with its inverse, or None."""
        if node is None or len(node.input) != 2:
            return None
        a, b = node.input
        if node.op_type == "Div":
            return a if self.is_near(b, divisor) else None
        if node.op_type == "Mul":
            return (
                a if self.is_near(b, 1 / divisor) else b if self.is_near(a, 1 / divisor) else None
            )
        return None

    def maker(self, name):
        """Return the one node that gives a name which one node reads, or None."""
        found, readers = self.makers.get(name, ()), self.readers.get(name, ())
        plain = len(found) == len(readers) == 1 and name not in self.outputs
        return found[0] if plain and is_plain(found[0]) else None

    def reader(self, node):
        """Return the one node that reads the output of a node, which nothing else does, or None."""
        (name,) = node.output
        found = self.readers.get(name, ())
        plain = len(found) == 1 == len(self.makers[name]) and name not in self.outputs
        return found[0] if plain and is_plain(found[0]) else None

    def other(self, node, before):
        """Return the name of the other of two inputs."""
        names = [name for name in node.input if name != before.output[0]]
        return names[0] if len(names) == 1 and len(node.input) == 2 else None

    def number(self, name):
        """Return the one number of a constant, as an array, or None."""
        makers, tensor = self.makers.get(name, ()), self.constants.get(name)
        if len(makers) == 1 and makers[0].op_type == "Constant" and tensor is None:
            (attribute, *more) = makers[0].attribute or [None]
            if attribute is None or more:
                return None
            if attribute.name == "value_float" and attribute.f is not None:
                return np.float32(attribute.f)
            tensor, makers = attribute.t if attribute.name == "value" else None, ()
        if tensor is None or makers or prod(tensor.dims) != 1:
            return None
        return tensors.array(tensor).reshape(())

    def is_near(self, name, wanted):
        """Say whether a name is that of a constant, a number to the precision of its type."""
        number = self.number(name)
        if number is None or number.dtype.kind != "f":
            return False
        tolerance = max(2 * float(np.finfo(number.dtype).eps), 1e-6)
        return abs(float(number) / wanted - 1) <= tolerance


def is_plain(node):
    """Say whether a node is an operator of ONNX's own with one output and without attributes."""
    return node.domain in OWN and not node.overload and not node.attribute and len(node.output) == 1
