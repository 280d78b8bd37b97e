"""Model files of graphs that nobody would draw: deep, wide, long, with extreme hyper-parameters."""

import json

import files
import layer_cases
import numpy as np

from cnnkit import Graph, layers
from cnnkit.data import scaling
from cnnkit.files import json_text

MOST_NUMBERS = 60_000  # of all weights of a file
SIZES = (0, 1, 2, 3, 5, 8, 31, 100, 1000, 30_000, 2**20, 2**31 - 1, 2**31, 2**40, 2**62)
LENGTHS = (1, 2, 5, 30, 300, 3_000)
WORDS = layer_cases.words()
TRUTHS = layer_cases.with_default(bool)
SHARES = layer_cases.with_default(float)
LEAVES = [name for name, kind in layers.KINDS.items() if kind.inputs == (1, 1)]


def value(name, rng):
    """Return a hyper-parameter: mostly one that a layer takes, often an extreme one."""
    if name in TRUTHS:
        return bool(rng.integers(2))
    if name in SHARES:
        return float(rng.choice([0.01, 0.5, 0.99]))
    if name in WORDS and rng.random() < 0.8:
        return WORDS[name][rng.integers(len(WORDS[name]))]
    match rng.integers(12):
        case 0:
            return float(rng.choice([0, 0.5, 1e-300, 1e300, -1]))
        case 1:
            return [None, True, False][rng.integers(3)]
        case 2:
            return {"tuple": [size(rng), size(rng)]}
        case 3:
            return {"tuple": [{"tuple": [size(rng), size(rng)]}] * 2}
    return size(rng)


def size(rng):
    return int(SIZES[rng.integers(1, 4) if rng.random() < 0.8 else rng.integers(len(SIZES))])


def leaf(rng):
    kind = LEAVES[rng.integers(len(LEAVES))]
    names = json_text.LAYERS[kind]._get_param_names()
    params = {name: value(name, rng) for name in names if rng.random() < 0.3}
    if kind.startswith("Conv") and rng.random() < 0.9:
        params["filters"] = int(rng.integers(1, 4))
    return {"layer": kind, **params}


def items(rng, depth):
    """Return a list of layers: short, or one of them again and again."""
    if rng.random() < 0.3:
        most = len(LENGTHS) if depth <= 0 else 3
        return [part(rng, depth)] * int(LENGTHS[rng.integers(most)])
    return [part(rng, depth) for _ in range(rng.integers(1, 5))]


def part(rng, depth):
    """Return a layer, or a graph of layers so deep."""
    if depth <= 0 or rng.random() < 0.5:
        return leaf(rng)
    match rng.integers(5):
        case 0:
            return {"layer": "Residual", "body": items(rng, depth - 1)}
        case 1:
            kind = ("Add", "Concat", "Multiply")[rng.integers(3)]
            return {"layer": kind, "branches": [None, *items(rng, depth - 1)]}
        case 2:
            names = [name(rng, i) for i in range(rng.integers(1, 6))]
            nodes, sources = [], ["input", *names]
            for i, each in enumerate(names):
                read = sources[rng.integers(i + 1)]
                nodes.append({"tuple": [each, part(rng, depth - 1), read]})
            return {"layer": "Graph", "nodes": nodes, "outputs": names[-1]}
        case 3:  # one in another, in another
            inner = items(rng, 0)
            for _ in range(rng.integers(40)):
                inner = [{"layer": "Sequential", "layers": inner}]
            return inner[0]
    return {"layer": "Sequential", "layers": items(rng, depth - 1)}


def name(rng, i):
    return f"{i}{'ab😀'[rng.integers(3)] * int(rng.choice([1, 30, 900]))}"


class Graphs:
    """Makes files of such graphs from a sound file."""

    def __init__(self, path):
        self.arrays, text = files.read(path)
        self.model = json.loads(text)

    def write(self, path, rng):
        """Write one; mostly with the weights that its graph has, so that loading goes on."""
        model = dict(self.model)
        end = [{"layer": "GlobalAvgPool"}] * int(rng.random() < 0.7) + [{"layer": "Dense"}]
        layers = items(rng, int(rng.integers(5)))
        layers = layers if isinstance(layers, list) else [layers]
        model["graph"] = {"layer": "Sequential", "layers": [*layers, *end]}
        if rng.random() < 0.3:
            model["params"] = model["params"] | {"layers": model["graph"]}
        if rng.random() < 0.5:
            sides = (int(rng.choice([1, 8, 100, 10_000, 2**20, 2**30])) for _ in range(2))
            model["input_shape"] = [*sides, int(rng.integers(1, 3))]
        arrays = {k: v for k, v in self.arrays.items() if not k.startswith("weight:")}
        for path_, spec in self.specs(model).items():
            arrays[f"weight:{path_}"] = np.full(spec.shape, spec.start, model["dtype"])
        files.write(path, arrays, json.dumps(model))

    def specs(self, model):
        """Return the weights of a model that are not too many, by path."""
        try:
            graph = Graph.from_json(
                json.dumps({"format": json_text.FORMAT, "graph": model["graph"]})
            )
            found = graph.resolve(model["input_shape"], model["n_outputs"]).weight_specs
            found |= scaling.specs(model["scales"], model["input_shape"][2], model["n_outputs"])
        except (ValueError, TypeError, ArithmeticError, MemoryError):
            return {}
        numbers = sum(float(np.prod(spec.shape, dtype=float)) for spec in found.values())
        return found if numbers <= MOST_NUMBERS else {}
