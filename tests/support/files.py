"""Safetensors files as their format says, without any check: for tests to write strange ones."""

import json
import struct

import numpy as np

KINDS = {"F": "f", "I": "i", "U": "u"}


def read(path):
    """The arrays in a file by name, and the JSON text in its metadata."""
    content = path.read_bytes()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:start])
    text = header.pop("__metadata__")["cnnkit"]
    arrays = {}
    for name, entry in header.items():
        kind, bits = entry["dtype"][0], entry["dtype"][1:]
        dtype = np.dtype("?" if entry["dtype"] == "BOOL" else f"<{KINDS[kind]}{int(bits) // 8}")
        first, last = entry["data_offsets"]
        data = content[start + first : start + last]
        arrays[name] = np.frombuffer(data, dtype).reshape(entry["shape"]).copy()
    return arrays, text


def write(path, arrays, text):
    """Write a file of arrays with a text in its metadata."""
    header, data = {"__metadata__": {"cnnkit": text}}, b""
    for name, array in arrays.items():
        kind = f"{array.dtype.kind.upper()}{8 * array.itemsize}".replace("B8", "BOOL")
        place = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": place}
        data += array.tobytes()
    content = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(content)) + content + data)
