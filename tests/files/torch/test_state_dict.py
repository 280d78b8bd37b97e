"""Files of `torch.save`: what comes back, and what is refused."""

import zipfile

import numpy as np
import pytest
from seeded import generator
from torch_files import Name, Numbers, View, old, state, zipped

from cnnkit import io
from cnnkit.exceptions import ModelFormatError

RNG = generator(0)
ARRAYS = {
    "conv.weight": RNG.standard_normal((2, 3, 1, 5)).astype("f4"),
    "norm.running_var": RNG.random(4),
    "half": np.arange(3, dtype="f2"),
    "norm.num_batches_tracked": np.array(7, "i8"),
    "bytes": np.arange(5, dtype="u1"),
    "flags": np.array([True, False]),
    "none": np.zeros((0, 3), "f4"),
}
FORMS = {"zip": zipped, "old": old}
SEVEN = Numbers("0", np.arange(7, dtype="f4"))


@pytest.fixture
def read(tmp_path):
    def read(content, name="weights.pth"):
        (tmp_path / name).write_bytes(content)
        return io.read_weights(tmp_path / name)

    return read


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("nest", [lambda x: x, lambda x: {"epoch": 3, "state_dict": x}])
def test_all_types_come_back(read, form, nest):
    found = read(FORMS[form](nest(state(ARRAYS))))
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


@pytest.mark.parametrize("form", FORMS)
def test_strides_and_offsets(read, form):
    base = np.arange(24, dtype="f4")
    numbers = Numbers("k", base)
    views = {
        "turned": View(numbers, 0, (4, 6), (1, 4)),
        "part": View(numbers, 5, (2, 3), (9, 2)),
        "one": View(numbers, 23, (), ()),
        "repeated": View(numbers, 3, (2, 4), (0, 1)),
    }
    found = read(FORMS[form](views))
    np.testing.assert_array_equal(found["turned"], base.reshape(6, 4).T)
    np.testing.assert_array_equal(found["part"], [[5, 7, 9], [14, 16, 18]])
    assert found["one"] == 23
    np.testing.assert_array_equal(found["repeated"], [[3, 4, 5, 6]] * 2)


def test_bfloat16_becomes_float32(read):
    wanted = np.array([1, -2.5, 0, 3e38], "f4").view("u4") & 0xFFFF0000
    numbers = Numbers("0", (wanted >> 16).astype("u2"), "BFloat16Storage")
    found = read(zipped({"x": View(numbers, 1, (3,), (1,))}))["x"]
    np.testing.assert_array_equal(found, wanted.view("f4")[1:], strict=True)


def test_the_package_agrees(read, tmp_path):
    torch = pytest.importorskip("torch")
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in ARRAYS.items()}
    tensors["turned"] = torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1)
    for new in (True, False):
        torch.save(tensors, tmp_path / "x.pt", _use_new_zipfile_serialization=new)
        found = io.read_weights(tmp_path / "x.pt")
        for name, wanted in tensors.items():
            np.testing.assert_array_equal(found[name], wanted.numpy(), strict=True)


VIEW = View(SEVEN, 0, (7,), (1,))
REFUSED = {
    "another class": ({"x": Name("os", "system")}, "in dicts alone, got 'os.system'"),
    "a whole model": (Name("torch.nn.modules.linear", "Linear"), "give torch.save a state dict"),
    "no dict": ([VIEW], "must hold a state dict"),
    "nothing": ({}, "must hold a state dict"),
    "a number": ({"x": VIEW, "lr": 0.1}, r"must hold a state dict.*got \['lr'\]"),
    "too long": ({"x": View(SEVEN, 0, (8,), (1,))}, "lie in its storage of 7 numbers"),
    "too far": ({"x": View(SEVEN, 5, (3,), (1,))}, "lie in its storage of 7 numbers"),
    "a wide stride": ({"x": View(SEVEN, 0, (2, 2), (1, 6))}, "lie in its storage of 7"),
    "repeated": ({"x": View(SEVEN, 0, (1 << 40,), (0,))}, "lie in its storage of 7"),
    "a negative stride": ({"x": View(SEVEN, 6, (7,), (-1,))}, "a size and a stride"),
    "a negative offset": ({"x": View(SEVEN, -1, (7,), (1,))}, "a size and a stride"),
    "fewer strides": ({"x": View(SEVEN, 0, (7, 1), (1,))}, "a size and a stride"),
    "many axes": ({"x": View(SEVEN, 0, (1,) * 33, (1,) * 33)}, "at most 32 axes"),
    "another size": (
        {"x": View(Numbers("0", np.zeros(7, "f4"), size=1 << 40), 0, (7,), (1,))},
        "must lie in the file|must have",
    ),
    "another type": (
        {"x": View(Numbers("0", np.zeros(7, "u1"), "ComplexFloatStorage"), 0, (7,), (1,))},
        "got 'torch.ComplexFloatStorage'",
    ),
    "truth values": (
        {"x": View(Numbers("0", np.full(7, 2, "u1"), "BoolStorage"), 0, (7,), (1,))},
        "zeros and ones",
    ),
    "a long name": ({"x" * 2000: VIEW}, "a text must have at most 1000 bytes"),
    "a tuple as a key": ({("x",): VIEW}, "keys must be texts or ints"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("value", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_state_dicts(read, form, value, message):
    with pytest.raises(
        ModelFormatError, match=rf"(?s)^read_weights: '.*weights.pth': .*({message})"
    ):
        read(FORMS[form](value))


GOOD = zipped(state(ARRAYS))
FILES = {
    "nothing": (b"", "must be a file of torch.save"),
    "text": (b"weights", "instruction b'w'"),
    "cut off": (GOOD[:-300], "cut off"),
    "packed": (zipped(state(ARRAYS), compression=zipfile.ZIP_DEFLATED), "neither packed nor"),
    "big-endian": (zipped(state(ARRAYS), others=[("byteorder", b"big")]), "little-endian"),
    "big-endian, old": (old(state(ARRAYS), {"little_endian": False}), "little-endian"),
    "a changed number": (GOOD.replace(ARRAYS["bytes"].tobytes(), b"abcde", 1), "was damaged"),
    "old, cut off": (old(state(ARRAYS))[:-1], "must have"),
    "old, longer": (old(state(ARRAYS)) + b"x", "must have"),
}


@pytest.mark.parametrize(("content", "message"), FILES.values(), ids=FILES)
def test_refused_files(read, content, message):
    with pytest.raises(ModelFormatError, match=message):
        read(content)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (b"\x80\x02cos\nsystem\n(X\x02\x00\x00\x00lstR.", "'os.system'"),
        (b"\x80\x02ios\nsystem\n.", "instruction b'i'"),
        (b"\x80\x02ccollections\nOrderedDict\n(X\x01\x00\x00\x00atR.", "call nothing but"),
        (b"\x80\x02X\xff\xff\xff\x7f", "at most 1000 bytes"),
        (b"\x80\x02" + b"}" * 300_000, "at most 200000 instructions"),
        (b"\x80\x02\x8a\xff" + b"\xff" * 255, "at most 16 bytes"),
        (b"\x80\x02(0.", "instruction b'0'"),
        (b"\x80\x02(.", "a mark in the place of a value"),
        (b"\x80\x02h\x05.", "5"),
        (b"\x80\x02t.", "pop from empty list"),
        (b"\x80\x02]NNs.", "a pickle must add to a dict, got a list"),
    ],
)
def test_refused_pickles(read, code, message, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("archive/data.pkl", code)
    with pytest.raises(ModelFormatError, match=message):
        io.read_weights(tmp_path / "x.pt")


def test_shared_tuples_are_not_followed(read, tmp_path):
    """A tuple of itself twice, and so on, would be compared or printed for ever."""
    code = b"\x80\x02)" + b"q\x00h\x00\x86" * 60 + b"."
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("archive/data.pkl", code)
    with pytest.raises(ModelFormatError, match="must hold a state dict"):
        io.read_weights(tmp_path / "x.pt")


def test_the_name_says_the_form(tmp_path):
    with pytest.raises(ModelFormatError, match=r"must end in one of \['.safetensors', '.pt'"):
        io.read_weights(tmp_path / "weights.h5")
    with pytest.raises(TypeError, match="read_weights: path must be a str"):
        io.read_weights(3)
    with pytest.raises(FileNotFoundError):
        io.read_weights(tmp_path / "weights.pth")
