"""Damage done to files and pickled states, in a process of its own whose memory can be watched."""

import copy
import importlib
import json
import os
import resource
import struct
import tempfile
from pathlib import Path
from time import process_time

import hostile_graphs
import numpy as np
from estimator_data import X, Y, regressor, small
from seeded import generator

from cnnkit import (
    BatchNorm,
    CNNClassifier,
    CNNFeatures,
    CNNRegressor,
    Conv,
    Dense,
    Flatten,
    Layer,
    Residual,
    load,
    save,
)
from cnnkit.augmentation import Flip
from cnnkit.callbacks import Checkpoint
from cnnkit.exceptions import ModelFormatError
from cnnkit.network.weights import Weights
from cnnkit.schedules import Cosine, Exponential

HOSTILE = [
    *(
        0,
        -1,
        1,
        2,
        3,
        7,
        2**31 - 1,
        2**31,
        2**55,
        2**63 - 1,
        2**64,
        10**30,
        0.5,
        -0.0,
        1e308,
        1e-320,
    ),
    *("", "x", "Conv", "Dense", "w" * 2000, None, True, False, [], {}, [0], [1, 2, 3], {"a": 1}),
    *({"layer": "Conv"}, {"layer": "os.system"}, {"tuple": [1, 2]}, {"tuple": [[1, 2], [3, 4]]}),
    [[[[[[[[1]]]]]]]],
]
OBJECTS = [
    *(
        float("nan"),
        float("inf"),
        1j,
        b"bytes",
        (),
        (1,),
        (2**40, 2),
        set(),
        object(),
        print,
        Layer,
    ),
    *(np.float32(2), np.int64(-3), np.zeros(3), np.zeros((2, 2), "f4"), np.array(["a"], object)),
    *(np.dtype("float64"), np.dtype("U3"), Layer, Conv(5), [Conv(5)], Weights({}, "float32")),
]
KINDS = (CNNClassifier, CNNRegressor, CNNFeatures)
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # a disk would be waited for
PREDICTABLE = 16 << 20  # bytes of activations: what hostile sizes ask for is allocated, not touched


def estimators():
    """Return fitted estimators with something of everything."""
    rich = [Conv(4), BatchNorm(), Residual([Conv(4, 1)]), Flatten(), Dense()]
    clf = small(rich, learning_rate=Exponential(), augmentation=[Flip()], test_time_augmentation=1)
    return [
        small(max_iter=1).fit(X, np.array(["a", "b"])[Y % 2]),
        clf.fit(X, Y),
        regressor(max_iter=1, early_stopping=True).fit(X, Y),
        CNNFeatures(small(max_iter=1)).fit(X, Y),
    ]


class Files:
    """Model files: cut off at every byte, with every bit of the header flipped, and otherwise."""

    predictable = PREDICTABLE

    def __init__(self, folder):
        self.path = folder / "model"
        self.good = []
        for estimator in estimators():
            save(estimator, self.path)
            self.good.append(unsummed(self.path.read_bytes()))

    def refuses(self, data):
        """Say whether a file is refused; one that is not must be sound."""
        self.path.write_bytes(data)
        try:
            estimator = load(self.path)
        except ModelFormatError:
            return True
        use(estimator, self.predictable)
        return False

    def damaged(self, rng, number):
        """Return the file of a trial."""
        data = self.good[0]
        if number < len(data):
            return data[:number]
        bit, byte = (number - len(data)) % 8, (number - len(data)) // 8
        if byte < header_end(data):
            return data[:byte] + bytes([data[byte] ^ 1 << bit]) + data[byte + 1 :]
        data = self.good[rng.integers(len(self.good))]
        return changed_text(data, rng) if rng.random() < 0.7 else changed_bytes(data, rng)


class Graphs(Files):
    """Small files of graphs that nobody would draw, most of them with the right weights."""

    predictable = 1 << 18

    def __init__(self, folder):
        super().__init__(folder)
        self.path.write_bytes(self.good[0])
        self.graphs = hostile_graphs.Graphs(self.path)

    def damaged(self, rng, number):
        self.graphs.write(self.path, rng)
        return self.path.read_bytes()


class Checkpoints(Files):
    """Checkpoints that a fit is to go on from."""

    def __init__(self, folder):
        self.path = folder / "checkpoint"
        self.callback = Checkpoint(self.path, resume=True)
        self.fit()
        self.good = [unsummed(self.path.read_bytes())]

    def fit(self):
        clf = small(ema_decay=0.9, early_stopping=True, learning_rate=Cosine(), max_iter=1)
        return clf.set_callbacks(self.callback).fit(X, Y)

    def refuses(self, data):
        self.path.write_bytes(data)
        try:
            self.fit()
        except ModelFormatError:
            return True
        except ValueError as error:
            if "of the same fit" not in str(error):
                raise
            return True
        return False


class Pickles:
    """States of pickled estimators with something else in some place."""

    def __init__(self, folder):
        found = estimators()
        found[1].partial_fit(X, Y)
        self.good = [apart(estimator) for estimator in found]

    def damaged(self, rng, number):
        parts = copy.deepcopy(self.good[rng.integers(len(self.good))])
        for _ in range(rng.integers(1, 3)):
            parts = exchanged(parts, rng, HOSTILE + OBJECTS)
        return parts

    def refuses(self, parts):
        try:
            estimator = together(parts)
        except ModelFormatError:
            return True
        if type(estimator) not in KINDS:
            return True
        try:
            use(estimator)
        except (ValueError, TypeError):  # of a hyper-parameter that is no part of what was learnt
            return True
        return False


def use(estimator, most=PREDICTABLE):
    """Predict one image, if that is not much work: of what was let in, nothing may be wrong."""
    shape = estimator.input_shape_
    network = getattr(estimator, "estimator_", estimator).network_
    if network.activation_bytes < most:
        image = np.zeros((1, *shape), "float32")
        estimator.transform(image) if hasattr(estimator, "transform") else estimator.predict(image)


def header_end(data):
    return 8 + struct.unpack("<Q", data[:8])[0]


def unsummed(data):
    """Return the bytes of a file without its checksum, with which all damage would be refused."""
    end = header_end(data)
    header = json.loads(data[8:end])
    del header["__metadata__"]["checksum"]
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[end:]


def changed_bytes(data, rng):
    """Return the bytes with some of them changed, left out, doubled or put elsewhere."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        end = header_end(data) if rng.random() < 0.8 and len(data) > 8 else len(data)
        at, size = int(rng.integers(max(1, min(end, len(data))))), int(rng.integers(1, 40))
        match rng.integers(4):
            case 0:
                data[at] = rng.integers(256)
            case 1:
                del data[at : at + size]
            case 2:
                data[at:at] = data[at : at + size]
            case 3:
                data[at : at + size] = rng.bytes(size)
    return bytes(data)


def changed_text(data, rng):
    """Return the bytes with a value of the JSON texts exchanged, lengths put right."""
    end = header_end(data)
    header = json.loads(data[8:end])
    if rng.random() < 0.8:
        model = json.loads(header["__metadata__"]["cnnkit"])
        for _ in range(rng.integers(1, 3)):
            model = exchanged(model, rng, HOSTILE)
        header["__metadata__"]["cnnkit"] = json.dumps(model)
    else:
        header = exchanged(header, rng, HOSTILE)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[end:]


class Parts(list):
    """An object taken apart: its class, and its state as a list."""


def apart(value, known=None):
    """Return lists, dicts and `Parts` of what pickle would write of a value.

    As in a pickle, an object that is there twice has the same parts in both places.
    """
    known = {} if known is None else known
    if isinstance(value, dict):
        return {key: apart(entry, known) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return Parts([type(value), [apart(entry, known) for entry in value]])
    if type(value).__module__.startswith("cnnkit."):
        if id(value) not in known:
            state = value.__getstate__() if hasattr(value, "__getstate__") else vars(value)
            known[id(value)] = Parts([type(value), apart(state, known)])
        return known[id(value)]
    return value


def together(value, known=None):
    """Return what `apart` was given."""
    known = {} if known is None else known
    if isinstance(value, Parts) and len(value) == 2 and isinstance(value[0], type):
        if id(value) not in known:
            known[id(value)] = made(value[0], together(value[1], known))
        return known[id(value)]
    if isinstance(value, dict):
        return {key: together(entry, known) for key, entry in value.items()}
    if isinstance(value, list):
        return [together(entry, known) for entry in value]
    return value


def made(kind, state):
    """Return an object of a class and a state, as pickle would."""
    try:
        if issubclass(kind, tuple):
            return kind._make(state) if hasattr(kind, "_make") else kind(state)
        if issubclass(kind, list):
            return kind(state)
        new = kind.__new__(kind)
        setter(kind)(new, state)
        return new
    except (TypeError, ValueError, AttributeError) as error:
        if "cnnkit" in setter(kind).__module__:
            raise
        raise ModelFormatError("pickle itself would not get that far") from error


def setter(kind):
    """Return what pickle gives a state to."""
    return getattr(kind, "__setstate__", None) or (lambda new, state: vars(new).update(state))


def exchanged(value, rng, others):
    """Return a value with another one somewhere in it."""
    places = list(walk(value, ()))
    path = places[rng.integers(len(places))]
    other = copy.deepcopy(others[rng.integers(len(others))])
    if not path:
        return other
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    if rng.random() < 0.1:
        del holder[path[-1]]
    elif rng.random() < 0.1 and isinstance(holder, dict):
        holder[f"{path[-1]}_"] = holder.pop(path[-1])
    else:
        holder[path[-1]] = other
    return value


def walk(value, path):
    """Yield the paths of all values within one."""
    yield path
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from walk(value[key], (*path, key))


def run(home, kind, numbers):
    """Do trials of a class of a module, both given by name.

    Return how many were refused, by how many bytes the process grew, and the longest that one
    took, in seconds of work.
    """
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        found = getattr(importlib.import_module(home), kind)(Path(folder))
        assert not any(map(found.refuses, found.good))
        for number in range(50):
            found.refuses(found.damaged(generator(number), number))
        before, refused, longest = peak(), 0, 0.0
        for number in numbers:
            damaged, began = found.damaged(generator(number), number), process_time()
            try:
                refused += found.refuses(damaged)
            except Exception as error:
                raise AssertionError(f"trial {number}: {error!r}") from error
            longest = max(longest, process_time() - began)
        return refused, peak() - before, longest


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
