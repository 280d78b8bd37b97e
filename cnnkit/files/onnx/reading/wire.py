"""The bytes of an ONNX file as messages: protocol buffers, as far as ONNX uses them.

A file is read once, and its numbers stay where they are: a tensor is a view of the file's bytes.
The onnx package, which the tests hold this against, has two copies of them, and makes an object of
every few bytes that a stranger wrote. Here there are at most `MOST` fields, messages are those of
the tables below, and every length is compared with the bytes that are there.

Reference: onnx.proto of the ONNX repository, and the protocol buffers' encoding guide.
"""

import struct

from cnnkit.exceptions import ModelFormatError
from cnnkit.validate.values import short

MOST = 500_000  # fields of one file: ResNet-50 has 4,000
MESSAGE = 4  # fields that a message counts as: it is an object
MOST_TEXT = 8 << 20  # bytes of all names
DEEPEST = 12  # messages in messages
LONGEST = 1_000  # characters of a name
MOST_NUMBERS = 1 << 16  # of one list whose numbers are not side by side, 4 or 8 bytes each

INT, FLOAT, TEXT, BYTES, INTS, FLOATS, FIXED = "int", "float", "text", "bytes", "ints", "floats", ()
VARINT, EIGHT, SPAN, FOUR = 0, 1, 2, 5

# field number -> (name, kind, whether there may be many); a kind is one of the above or a table
OPSET = {1: ("domain", TEXT, False), 2: ("version", INT, False)}
EXTERNAL: dict = {}
TENSOR = {
    1: ("dims", INTS, True),
    2: ("data_type", INT, False),
    3: ("segment", BYTES, False),
    4: ("float_data", BYTES, True),
    5: ("int32_data", INTS, True),
    6: ("string_data", BYTES, True),
    7: ("int64_data", INTS, True),
    8: ("name", TEXT, False),
    9: ("raw_data", BYTES, False),
    10: ("double_data", BYTES, True),
    11: ("uint64_data", INTS, True),
    13: ("external_data", BYTES, True),
    14: ("data_location", INT, False),
}
DIMENSION = {1: ("value", INT, False), 2: ("param", TEXT, False)}
SHAPE = {1: ("dim", DIMENSION, True)}
TENSOR_TYPE = {1: ("elem_type", INT, False), 2: ("shape", SHAPE, False)}
TYPE = {
    1: ("tensor_type", TENSOR_TYPE, False),
    4: ("sequence_type", BYTES, False),
    5: ("map_type", BYTES, False),
    8: ("sparse_tensor_type", BYTES, False),
    9: ("optional_type", BYTES, False),
}
VALUE = {1: ("name", TEXT, False), 2: ("type", TYPE, False)}
ATTRIBUTE = {
    1: ("name", TEXT, False),
    2: ("f", FLOAT, False),
    3: ("i", INT, False),
    4: ("s", BYTES, False),
    5: ("t", TENSOR, False),
    6: ("g", BYTES, False),
    7: ("floats", FLOATS, True),
    8: ("ints", INTS, True),
    9: ("strings", BYTES, True),
    10: ("tensors", BYTES, True),
    11: ("graphs", BYTES, True),
    14: ("tp", BYTES, False),
    15: ("type_protos", BYTES, True),
    20: ("type", INT, False),
    21: ("ref_attr_name", TEXT, False),
    22: ("sparse_tensor", BYTES, False),
    23: ("sparse_tensors", BYTES, True),
}
NODE = {
    1: ("input", TEXT, True),
    2: ("output", TEXT, True),
    3: ("name", TEXT, False),
    4: ("op_type", TEXT, False),
    5: ("attribute", ATTRIBUTE, True),
    7: ("domain", TEXT, False),
    8: ("overload", TEXT, False),
}
GRAPH = {
    1: ("node", NODE, True),
    5: ("initializer", TENSOR, True),
    11: ("input", VALUE, True),
    12: ("output", VALUE, True),
    15: ("sparse_initializer", BYTES, True),
}
MODEL = {
    1: ("ir_version", INT, False),
    2: ("producer_name", TEXT, False),
    7: ("graph", GRAPH, False),
    8: ("opset_import", OPSET, True),
    20: ("training_info", BYTES, True),
    25: ("functions", BYTES, True),
}


class Message(dict):
    """The fields of a message by name; what is missing is an empty tuple, or None."""

    __slots__ = ("table",)

    def __init__(self, table):
        self.table = table

    def __missing__(self, name):
        return () if any(name == entry and many for entry, _, many in self.table.values()) else None

    def __getattr__(self, name):
        return self[name]


def parse(data, table=MODEL):
    """Return the `Message` that `data`, bytes, holds; anything wrong is a ModelFormatError.

    Fields that are not in the tables, such as texts about the model, are passed over.
    """
    return _Reader(data).message(0, len(data), table, 0)


class _Reader:
    """The bytes of a file, and how many fields may still come."""

    def __init__(self, data):
        self.data = data
        self.view = memoryview(data)
        self.left = MOST
        self.text_left = MOST_TEXT

    def message(self, at, end, table, depth):
        """Return the message between two places."""
        if depth > DEEPEST:
            raise ModelFormatError(f"onnx: messages must be at most {DEEPEST} deep, got more.")
        found = Message(table)
        self.left -= MESSAGE
        while at < end:
            self.left -= 1
            if self.left < 0:
                raise ModelFormatError(f"onnx: a file must have at most {MOST} fields, got more.")
            key, at = self.varint(at, end)
            number, wire = key >> 3, key & 7
            start, at, value = self.field(wire, at, end)
            if number in table:
                name, kind, many = table[number]
                value = self.value(name, kind, wire, start, at, value, depth)
                if not many:
                    found[name] = value
                elif isinstance(value, list):
                    found.setdefault(name, []).extend(value)
                else:
                    found.setdefault(name, []).append(value)
        return found

    def varint(self, at, end):
        """Return a number of 7 bits a byte, the lowest first, and the place behind it."""
        value = shift = 0
        while at < end and shift < 70:
            byte = self.data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value & 0xFFFF_FFFF_FFFF_FFFF, at
            shift += 7
        raise ModelFormatError("onnx: a number must end after 10 bytes and in the file, got more.")

    def field(self, wire, at, end):
        """Return the start and the end of a field's bytes, and its value if it is a varint."""
        value = None
        start = at
        if wire == VARINT:
            value, at = self.varint(at, end)
        elif wire == SPAN:
            length, start = self.varint(at, end)
            at = start + length
        elif wire in (EIGHT, FOUR):
            at += 8 if wire == EIGHT else 4
        else:
            raise ModelFormatError(f"onnx: a field must be of wire type 0, 1, 2 or 5, got {wire}.")
        if at > end:
            raise ModelFormatError(f"onnx: a field must end in the file, got {at - end} more.")
        return start, at, value

    def value(self, name, kind, wire, start, end, number, depth):
        """Return the value of one field, of numbers side by side a list of them."""
        if isinstance(kind, dict) and wire == SPAN:
            return self.message(start, end, kind, depth + 1)
        if kind == INT and wire == VARINT:
            return signed(number)
        if kind == INTS and wire == VARINT:
            return [signed(number)]
        if kind == INTS and wire == SPAN:
            return self.integers(name, start, end)
        if kind == FLOAT and wire == FOUR:
            return struct.unpack_from("<f", self.data, start)[0]
        if kind == FLOATS and wire in (FOUR, SPAN):
            return self.floats(name, start, end)
        if kind == BYTES and wire in (SPAN, FOUR, EIGHT):
            return self.view[start:end]
        if kind == TEXT and wire == SPAN:
            return self.text(name, start, end)
        raise ModelFormatError(f"onnx: {name} must be {_word(kind)}, got wire type {wire}.")

    def integers(self, name, start, end):
        """Return the numbers of a packed list of varints."""
        found = []
        while start < end:
            if len(found) == MOST_NUMBERS:
                raise ModelFormatError(
                    f"onnx: {name} must hold at most {MOST_NUMBERS} numbers, got more: larger "
                    f"tensors must be raw_data."
                )
            number, start = self.varint(start, end)
            found.append(signed(number))
        self.left -= len(found) // 2
        return found

    def floats(self, name, start, end):
        count, rest = divmod(end - start, 4)
        if rest or count > MOST_NUMBERS:
            raise ModelFormatError(
                f"onnx: {name} must be at most {MOST_NUMBERS} numbers of 4 bytes, got "
                f"{end - start} bytes."
            )
        self.left -= count // 2
        return list(struct.unpack_from(f"<{count}f", self.data, start))

    def text(self, name, start, end):
        if end - start > LONGEST:
            raise ModelFormatError(
                f"onnx: {name} must have at most {LONGEST} bytes, got {end - start}."
            )
        self.text_left -= end - start
        if self.text_left < 0:
            raise ModelFormatError(f"onnx: names must have at most {MOST_TEXT} bytes, got more.")
        try:
            return bytes(self.view[start:end]).decode()
        except UnicodeDecodeError:
            got = short(bytes(self.view[start:end]))
            raise ModelFormatError(f"onnx: {name} must be UTF-8 text, got {got}.") from None


def signed(number):
    """Return a 64-bit number as the signed one that it stands for."""
    return number - (1 << 64) if number >= 1 << 63 else number


def _word(kind):
    return "a message" if isinstance(kind, dict) else f"of kind {kind}"
