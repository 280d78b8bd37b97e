"""The nodes and constants of an ONNX graph that is being written."""

import numpy as np
from onnx import helper, numpy_helper


class Builder:
    """Collects nodes and constants under names that nobody else has.

    Parameters
    ----------
    dtype : dtype
        float32 or float64: what is computed in.
    opset : int
        Version of ONNX's operators.
    """

    def __init__(self, dtype, opset):
        self.dtype = np.dtype(dtype)
        self.opset = opset
        self.nodes = []
        self.constants = []
        self._names = set()
        self._vectors = {}  # names of vectors of ints by what they hold
        self._outputs = {}  # names that tensors have as outputs by those they had before

    @property
    def is_double(self):
        """Whether numbers are float64: attributes of operators hold float32 alone."""
        return self.dtype == np.float64

    def name(self, wanted):
        """Return `wanted`, or where it is taken the next free one: ``wanted_2``."""
        found, count = wanted, 1
        while found in self._names:
            count += 1
            found = f"{wanted}_{count}"
        self._names.add(found)
        return found

    def constant(self, name, value, dtype=None):
        """Return the name of a tensor that holds `value`, of the type of the graph if not given."""
        array = np.array(value, self.dtype if dtype is None else dtype, order="C")
        name = self.name(name)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def ints(self, name, *values):
        """Return the name of a vector of int64: a shape, axes, pads. Equal ones are kept once."""
        if values not in self._vectors:
            self._vectors[values] = self.constant(name, values, np.int64)
        return self._vectors[values]

    def node(self, operator, inputs, name, **attributes):
        """Add a node and return the name of its output, which is its own, too."""
        name = self.name(name)
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def cast(self, tensor, dtype, name):
        """Return a tensor in another type."""
        to = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.node("Cast", [tensor], name, to=to)

    def mean(self, tensor, axis, name):
        """Return means along an axis, which stays: an attribute first, an input from 18 on."""
        if self.opset < 18:
            return self.node("ReduceMean", [tensor], name, axes=[axis])
        return self.node("ReduceMean", [tensor, self.ints(f"{name}/axis", axis)], name)

    def reshape(self, tensor, shape, name):
        """Return a tensor whose samples have another shape; how many they are is left free."""
        return self.node("Reshape", [tensor, self.ints(f"{name}/shape", 0, *shape)], name)

    def output(self, tensor, name):
        """Give a tensor the name of an output: nothing reads it under its old one any more.

        The input itself, and what is an output already, is copied.
        """
        tensor = self._outputs.get(tensor, tensor)
        maker = next((node for node in self.nodes if tensor in node.output), None)
        if maker is None or tensor in self._outputs.values():
            self.nodes.append(helper.make_node("Identity", [tensor], [name], name=name))
            return
        self._outputs[tensor] = name
        maker.name = name
        for node in self.nodes:
            for names in (node.input, node.output):
                for i, old in enumerate(names):
                    if old == tensor:
                        names[i] = name
