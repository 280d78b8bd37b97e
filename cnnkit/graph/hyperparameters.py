"""Hyper-parameters of a graph's layers by node name, as in scikit-learn's Pipeline."""

from sklearn.base import BaseEstimator

from cnnkit.graph.graph import Graph, Residual, Sequential, as_layer
from cnnkit.layers.base import Layer
from cnnkit.layers.nodes import name_branches, name_layers


def deep_params(layer):
    """Return the hyper-parameters of `layer` and, as ``name__key``, those of its parts."""
    found = BaseEstimator.get_params(layer, deep=False)
    for name, part in parts(layer).items():
        found[name] = part
        inner = as_layer(part)
        if isinstance(inner, Layer):
            found.update({f"{name}__{key}": value for key, value in deep_params(inner).items()})
    return found


def set_params(layer, params):
    """Set hyper-parameters by the names of `deep_params`, and return `layer`.

    As in scikit-learn, those of `layer` are set first, then whole parts, then those of parts. A
    part is replaced by a changed copy, because other graphs may have it too.
    """
    own = BaseEstimator.get_params(layer, deep=False)
    for name in own.keys() & params.keys():
        setattr(layer, name, params[name])
    known = parts(layer)
    changes, below = {}, {}
    for key, value in params.items():
        name, nested, inner = key.partition("__")
        if name not in known and (nested or name not in own):
            valid = list(dict.fromkeys([*own, *known]))
            raise ValueError(
                f"Invalid parameter {name!r} for estimator {layer}. "
                f"Valid parameters are: {valid!r}."
            )
        if nested:
            below.setdefault(name, {})[inner] = value
        elif name not in own:
            changes[name] = value
    for name, inner in below.items():
        changes[name] = changed(changes.get(name, known[name]), inner)
    if changes:
        replace(layer, changes)
    return layer


def parts(layer):
    """Return the parts of a composite layer by name: layers, and lists that stand for one.

    Parts whose name cannot be part of a parameter name are left out: names with ``__``, and names
    of the layer's own hyper-parameters. So are lists in a place where a list is not a layer.
    """
    own = BaseEstimator.get_params(layer, deep=False)
    try:
        if "layers" in own and isinstance(layer, Sequential):
            found = dict(name_layers(layer.layers, layer.owner))
        elif "nodes" in own and isinstance(layer, Graph):
            found = {name: part for name, part, _ in layer.nodes}
        elif own.get("branches") is not None:
            found = dict(name_branches(layer.branches))
        else:
            kinds = (Layer, list, tuple) if isinstance(layer, Residual) else Layer
            return {name: part for name, part in own.items() if isinstance(part, kinds)}
    except (TypeError, ValueError):  # `wiring` raises the error for a malformed list
        return {}
    return {
        name: part
        for name, part in found.items()
        if isinstance(name, str)
        and "__" not in name
        and name not in own
        and not (isinstance(layer, Graph) and isinstance(part, (list, tuple)))
    }


def changed(part, params):
    """Return a copy of a layer, or of a list that stands for one, with `params` set."""
    layer = as_layer(part)
    if not isinstance(layer, Layer):
        raise TypeError(f"Graph: {list(params)} must be parameters of a layer, got {part!r}.")
    layer = layer.with_params()
    if parts(layer) or isinstance(layer, Graph):
        set_params(layer, params)
    else:
        layer.set_params(**params)
    return layer.layers if isinstance(part, (list, tuple)) else layer


def replace(layer, changes):
    """Replace parts of `layer` by name, in a new list; no part changes its name."""
    own = BaseEstimator.get_params(layer, deep=False)
    if "layers" in own and isinstance(layer, Sequential):
        before = name_layers(layer.layers, layer.owner)
        items = [
            changes.get(name, part) if item is part else (name, changes.get(name, part))
            for item, (name, part) in zip(layer.layers, before, strict=True)
        ]
        after = name_layers(items, layer.owner)
        names = [name for name, _ in before]
        if [name for name, _ in after] != names:
            items = [(name, part) for name, (_, part) in zip(names, after, strict=True)]
        layer.layers = items
    elif "nodes" in own and isinstance(layer, Graph):
        layer.nodes = [(name, changes.get(name, part), at) for name, part, at in layer.nodes]
    elif own.get("branches") is not None:
        named = zip(layer.branches, name_branches(layer.branches), strict=True)
        layer.branches = [
            changes.get(name, part) if item is part else (name, changes.get(name, part))
            for item, (name, part) in named
        ]
    else:
        for name, part in changes.items():
            setattr(layer, name, part)
