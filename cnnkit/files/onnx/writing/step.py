"""One layer of a network that is being written."""

from cnnkit.files.onnx.writing.values import FIRST, Value


class Step:
    """One layer of a network that is being written: what it reads, and what writes its nodes.

    Attributes
    ----------
    layer : Layer
    path : str
        Its name in the network: names of nodes start with it.
    xs : list of Value
        Its inputs; `x` is the first.
    shape : tuple
        Of one sample of its output, channels last.
    weights : dict of arrays
        By the names of `Layer.weight_specs`, in the type of the file.
    builder : Builder
    """

    def __init__(self, builder, node, xs, shape, weights):
        self.builder = builder
        self.path, self.layer, _ = node
        self.xs = xs
        self.shape = shape
        self.weights = weights

    @property
    def x(self):
        """The first input: the only one of most layers."""
        return self.xs[0]

    def needs_opset(self, opset, what):
        """Raise if the operators of the file are too old for a setting of the layer."""
        if self.builder.opset < opset:
            raise ValueError(
                f"onnx.write: opset must be at least {opset} for {self.layer.owner} with {what} "
                f"({self.path}), got {self.builder.opset}."
            )

    def node(self, operator, *inputs, label=None, **attributes):
        """Add a node and return the name of its output: the layer's path, ``/label`` behind it."""
        name = self.path if label is None else f"{self.path}/{label}"
        return self.builder.node(operator, inputs, name, **attributes)

    def constant(self, label, value, dtype=None):
        """Return the name of a tensor that holds `value`, in the type of the file if not given."""
        return self.builder.constant(f"{self.path}/{label}", value, dtype)

    def ints(self, label, *values):
        """Return the name of a vector of int64: a shape, axes, pads."""
        return self.builder.ints(f"{self.path}/{label}", *values)

    def value(self, tensor, form=FIRST):
        """Return the output of the layer, given its tensor and the form that this has."""
        return Value(self.builder, self.shape, form, tensor)

    def like(self, tensor, x=None):
        """Return the output of the layer, a tensor in the form and order of an input."""
        x = self.x if x is None else x
        return Value(self.builder, self.shape, x.form, tensor, x.order)
