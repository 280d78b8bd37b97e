"""A closed unpickler: it knows the pickles of state dicts, and runs no code.

It is a loop over the instructions of a pickle, with a short list of those it follows. Python's own
unpickler would take memory for what a file only claims, and compare nested keys for ever.
"""

import struct
from dataclasses import dataclass
from math import prod

from cnnkit.exceptions import ModelFormatError
from cnnkit.validate.values import short

MAX_BYTES = 4 << 20  # of a pickle: that of ResNet-152 has 140,000
MAX_STEPS = 200_000  # instructions of a pickle
MAX_NAME = 1_000  # bytes of a text
MAX_INT = 16  # bytes of an integer: the number that marks old files has 10
MAX_DIMENSIONS = 32
STORAGES = {  # types of storages, and the names of their numbers
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
DICT, TENSOR, MARK = object(), object(), object()
GLOBALS = {
    ("collections", "OrderedDict"): DICT,
    ("torch._utils", "_rebuild_tensor_v2"): TENSOR,
}


@dataclass(frozen=True)
class Kind:
    """A type of storage, by the name of its numbers."""

    numbers: str


@dataclass(frozen=True)
class Storage:
    """A part of the file: numbers of one kind in a row."""

    kind: Kind
    key: str
    size: int


@dataclass(frozen=True)
class Tensor:
    """Numbers of a storage: the first, and a size and a stride for every axis."""

    storage: Storage
    offset: int
    shape: tuple
    strides: tuple


def load(data, owner):
    """Return the object of a pickle, the number of bytes that it takes, and its storages.

    Parameters
    ----------
    data : bytes
        They may go on behind the pickle.
    owner : str
        Start of errors.

    Returns
    -------
    value : dict, list, tuple, str, int, float, bool, None or Tensor
    end : int
    storages : dict of Storage
        All storages that are named, by key.

    Raises
    ------
    ModelFormatError
        If the pickle does anything else than a state dict needs.
    """
    machine = _Machine(data, owner)
    for _ in range(MAX_STEPS):
        code = machine.take(1)
        step = STEPS.get(code)
        if step is None:
            raise ModelFormatError(
                f"{owner}: a pickle must be that of a state dict, got the instruction {code!r}."
            )
        step(machine)
        if code == b".":
            return machine.stack.pop(), machine.place, machine.storages
    raise ModelFormatError(f"{owner}: a pickle must have at most {MAX_STEPS} instructions.")


class _Machine:
    """The state of a pickle that is being read."""

    def __init__(self, data, owner):
        self.data, self.owner = data, owner
        self.place = 0
        self.stack, self.memo, self.storages = [], {}, {}

    def take(self, count):
        """Return the next bytes."""
        end = self.place + count
        if end > min(len(self.data), MAX_BYTES):
            raise self.fault(f"a pickle must end within the file and {MAX_BYTES} bytes, got more.")
        self.place, start = end, self.place
        return self.data[start:end]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self, length):
        if length > MAX_NAME:
            raise self.fault(f"a text must have at most {MAX_NAME} bytes, got {length}.")
        return self.take(length).decode()

    def line(self):
        end = self.data.find(b"\n", self.place, self.place + MAX_NAME)
        if end < 0:
            raise self.fault(f"a name must have at most {MAX_NAME} bytes, got more.")
        found = self.text(end - self.place)
        self.place = end + 1
        return found

    def push(self, value):
        self.stack.append(value)

    def pop(self):
        value = self.stack.pop()
        if value is MARK:
            raise self.fault("a pickle must be sound, got a mark in the place of a value.")
        return value

    def popped(self, count):
        return [self.pop() for _ in range(count)][::-1]

    def since_mark(self):
        found = []
        while (value := self.stack.pop()) is not MARK:
            found.append(value)
        return found[::-1]

    def top(self, kind):
        value = self.stack[-1]
        if type(value) is not kind:
            raise self.fault(f"a pickle must add to a {kind.__name__}, got {shown(value)}.")
        return value

    def put(self, place):
        self.memo[place] = self.stack[-1]

    def fault(self, text):
        return ModelFormatError(f"{self.owner}: {text}")

    def named(self, module, name):
        """Push what a name stands for; there are three kinds of name."""
        if module == "torch" and name in STORAGES:
            return self.push(Kind(STORAGES[name]))
        if (module, name) not in GLOBALS:
            raise self.fault(
                f"a pickle must hold tensors in dicts alone, got {short(f'{module}.{name}')}: "
                f"give torch.save a state dict, model.state_dict()."
            )
        return self.push(GLOBALS[module, name])

    def stack_named(self):
        module, name = self.popped(2)
        if type(module) is not str or type(name) is not str:
            raise self.fault("a pickle must give names as texts, got others.")
        self.named(module, name)

    def integer(self):
        length = self.number("<B")
        if length > MAX_INT:
            raise self.fault(f"an int must have at most {MAX_INT} bytes, got {length}.")
        self.push(int.from_bytes(self.take(length), "little", signed=True))

    def set_items(self, values):
        into = self.top(dict)
        if len(values) % 2:
            raise self.fault("a dict must have a value for every key, got none.")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if type(key) not in (str, int):
                raise self.fault(f"keys must be texts or ints, got {shown(key)}.")
            into[key] = value

    def call(self):
        """Make a dict or a tensor of arguments."""
        function, args = self.popped(2)
        if function is DICT and args == ():
            self.push({})
        elif function is TENSOR and type(args) is tuple and len(args) in (6, 7):
            self.push(tensor(args[:4], self.owner))
        else:
            raise self.fault("a pickle must call nothing but OrderedDict() and torch's tensors.")

    def build(self):
        """Leave out the attributes of a dict, which say versions of layers."""
        self.pop()
        self.top(dict)

    def persistent(self):
        """Push the storage that a text, a type, a key, a device and a size stand for."""
        entry = self.pop()
        whole = type(entry) is tuple and len(entry) in (5, 6) and entry[0] == "storage"
        if not whole or entry[5:] not in ((), (None,)):
            raise self.fault("a tensor must have a storage of its own, got another reference.")
        _, kind, key, _, size = entry[:5]
        if type(kind) is not Kind or type(key) is not str or not is_count(size):
            raise self.fault("a storage must have a type, a key and a size, got others.")
        storage = Storage(kind, key, size)
        if self.storages.setdefault(key, storage) != storage:
            raise self.fault(f"a storage must have one type and size, got two of {short(key)}.")
        self.push(storage)


def tensor(args, owner):
    """Return a `Tensor`; raise unless all its numbers lie in its storage."""
    storage, offset, shape, strides = args
    sound = type(storage) is Storage and is_count(offset)
    sound = sound and type(shape) is tuple and type(strides) is tuple
    sound = sound and len(shape) == len(strides) <= MAX_DIMENSIONS
    if not sound or not all(map(is_count, (*shape, *strides))):
        raise ModelFormatError(
            f"{owner}: a tensor must have a storage, an offset, and a size and a stride for at "
            f"most {MAX_DIMENSIONS} axes, got others."
        )
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if prod(shape) > storage.size or (prod(shape) and last >= storage.size):
        raise ModelFormatError(
            f"{owner}: a tensor must lie in its storage of {storage.size} numbers, got the shape "
            f"{short(shape)} with strides {short(strides)} from {offset}."
        )
    return Tensor(storage, offset, shape, strides)


def is_count(value):
    return type(value) is int and 0 <= value < 1 << 62


def shown(value):
    """Return a short text for a value, which may hold itself."""
    return short(value) if type(value) in (str, int, float, bool) else f"a {type(value).__name__}"


STEPS = {
    b"\x80": lambda m: m.take(1),  # PROTO
    b"\x95": lambda m: m.take(8),  # FRAME
    b".": lambda m: m.push(m.pop()),  # STOP
    b"(": lambda m: m.push(MARK),
    b"c": lambda m: m.named(m.line(), m.line()),  # GLOBAL
    b"\x93": lambda m: m.stack_named(),
    b"q": lambda m: m.put(m.number("<B")),  # BINPUT
    b"r": lambda m: m.put(m.number("<I")),
    b"\x94": lambda m: m.put(len(m.memo)),  # MEMOIZE
    b"h": lambda m: m.push(m.memo[m.number("<B")]),  # BINGET
    b"j": lambda m: m.push(m.memo[m.number("<I")]),
    b"X": lambda m: m.push(m.text(m.number("<I"))),  # BINUNICODE
    b"\x8c": lambda m: m.push(m.text(m.number("<B"))),
    b"K": lambda m: m.push(m.number("<B")),  # BININT1
    b"M": lambda m: m.push(m.number("<H")),
    b"J": lambda m: m.push(m.number("<i")),
    b"G": lambda m: m.push(m.number(">d")),  # BINFLOAT
    b"\x8a": lambda m: m.integer(),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b")": lambda m: m.push(()),
    b"\x85": lambda m: m.push(tuple(m.popped(1))),
    b"\x86": lambda m: m.push(tuple(m.popped(2))),
    b"\x87": lambda m: m.push(tuple(m.popped(3))),
    b"t": lambda m: m.push(tuple(m.since_mark())),
    b"]": lambda m: m.push([]),
    b"a": lambda m: (value := m.pop(), m.top(list).append(value)),
    b"e": lambda m: (values := m.since_mark(), m.top(list).extend(values)),
    b"}": lambda m: m.push({}),
    b"s": lambda m: m.set_items(m.popped(2)),
    b"u": lambda m: m.set_items(m.since_mark()),
    b"R": lambda m: m.call(),
    b"b": lambda m: m.build(),
    b"Q": lambda m: m.persistent(),
}
