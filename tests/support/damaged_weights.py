"""Damage done to files of weights of other libraries."""

import json
import struct

import numpy as np
import torch_files
from damage import HOSTILE, changed_bytes, exchanged, header_end

from cnnkit.exceptions import ModelFormatError
from cnnkit.io import read_weights

ARRAYS = {"w": np.arange(24, dtype="f4").reshape(2, 3, 4), "n": np.array(3), "f": np.array([True])}
FORMS = (torch_files.zipped, torch_files.old)
INSTRUCTIONS = [bytes([code]) for code in range(256) if chr(code) in "().0abcehijlqrstuNKMJGXRQ}]"]
LENGTHS = np.array([0, 1, 255, 2**16, 2**31 - 1, 2**32 - 1], "<u4")


class TorchFiles:
    """Files of `torch.save`: other values, other instructions, and bytes at random places."""

    suffix = ".pth"

    def __init__(self, folder):
        self.path = folder / f"weights{self.suffix}"
        self.good = self.sound()

    def sound(self):
        value = torch_files.state(ARRAYS)
        shared = torch_files.Numbers("s", np.arange(40, dtype="f4"))
        self.states = [value, {"epoch": 3, "state_dict": value}]
        self.states.append({f"v{i}": torch_files.View(shared, i, (4, 3), (1, 8)) for i in range(9)})
        return [form(state) for form in FORMS for state in self.states]

    def refuses(self, data):
        self.path.write_bytes(data)
        try:
            found = read_weights(self.path)
        except ModelFormatError:
            return True
        for array in found.values():
            assert array.nbytes <= 2 * len(data)
            array.tobytes()
        return False

    def damaged(self, rng, number):
        form = FORMS[rng.integers(len(FORMS))]
        if rng.random() < 0.4:
            return form(self._state(rng))
        data = bytearray(self.good[rng.integers(len(self.good))])
        for _ in range(rng.integers(1, 5)):
            at, size = int(rng.integers(len(data))), int(rng.integers(1, 40))
            match rng.integers(5):
                case 0:
                    data[at] = rng.integers(256)
                case 1:
                    data[at : at + 1] = rng.choice(INSTRUCTIONS)
                case 2:
                    data[at : at + 4] = rng.choice(LENGTHS).tobytes()
                case 3:
                    del data[at : at + size]
                case 4:
                    data[at:at] = data[at : at + size]
        return bytes(data)

    def _state(self, rng):
        """Return a state dict in which numbers of a tensor, or of its storage, are others."""
        others = [0, -1, 1, 2**31 - 1, -(2**31), 2**40, 2**62, 2**100, "x", None, (), (1,), [], 0.5]
        array = np.arange(24, dtype="f4")
        numbers = torch_files.Numbers("k", array)
        args = [numbers, 0, (4, 6), (1, 4)]
        match rng.integers(4):
            case 0:
                numbers.size = others[rng.integers(len(others))]
            case 1:
                args[rng.integers(4)] = others[rng.integers(len(others))]
            case 2:
                axes = [others[i] for i in rng.integers(8, size=rng.integers(1, 4))]
                args[rng.integers(2, 4)] = tuple(axes)
            case 3:
                name = str(rng.choice([*torch_files.STORAGES.values(), "x", "Tensor"]))
                numbers.kind = torch_files.Name(str(rng.choice(["torch", "os", "numpy"])), name)
        return {"w": torch_files.View(*args), "v": torch_files.tensor("v", array[:3])}


class PlainFiles(TorchFiles):
    """Safetensors files of other writers."""

    suffix = ".safetensors"

    def sound(self):
        header = {"__metadata__": None}
        header["a"] = {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}
        header["b"] = {"dtype": "F32", "shape": [3], "data_offsets": [12, 24]}
        header["c"] = {"dtype": "BOOL", "shape": [], "data_offsets": [24, 25]}
        text = json.dumps(header).encode()
        return [struct.pack("<Q", len(text)) + text + bytes(25)]

    def damaged(self, rng, number):
        data = self.good[0]
        if rng.random() < 0.5:
            return changed_bytes(data, rng)
        end = header_end(data)
        header = json.loads(data[8:end])
        for _ in range(rng.integers(1, 3)):
            header = exchanged(header, rng, HOSTILE)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data[end:]
