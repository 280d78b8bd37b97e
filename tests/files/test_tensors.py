"""The form of files: tensors side by side under a JSON header, and how much memory one takes."""

import json
import os
import struct
import sys
import tracemalloc

import numpy as np
import pytest
from oracles import SANITIZED, python
from seeded import generator

from cnnkit import io
from cnnkit.exceptions import ModelFormatError
from cnnkit.files import json_text, tensors

FORM = "test 1"
ARRAYS = {
    "flags": np.array([True, False]),
    "bytes": np.arange(5, dtype="u1"),
    "halves": np.arange(3, dtype="f2"),
    "none": np.zeros((0, 3), "f4"),
    "one": np.array(3, "i8"),
    "turned": np.arange(12, dtype="f8").reshape(3, 4).T,
    "swapped": np.arange(4, dtype=">i4"),
    "strided": np.arange(10, dtype="u2")[::3],
}


def write(path, arrays=ARRAYS, **data):
    tensors.write(path, arrays, data, FORM, "test")


def read(path, keys=()):
    with tensors.reading(path, FORM, keys, "test") as (data, file):
        return data, {name: file.read(name) for name in file.names}


def entry(dtype="F32", shape=(1,), place=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(place)}


def file_of(header, data=b""):
    """The bytes of a file with this header, whose metadata are sound if it has none."""
    if isinstance(header, dict):
        text = json.dumps({"format": FORM, "version": "1"})
        header = json.dumps({"__metadata__": {tensors.KEY: text}} | header).encode()
    return struct.pack("<Q", len(header)) + header + data


def test_all_types_come_back(tmp_path):
    write(tmp_path / "x", text="ä\n\U0001f600", numbers=[1, 2.5, None])
    data, arrays = read(tmp_path / "x", ("text", "numbers"))
    assert data["text"] == "ä\n\U0001f600"
    assert data["numbers"] == [1, 2.5, None]
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(arrays[name], array, strict=name != "swapped")


def test_the_package_agrees(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    write(tmp_path / "ours")
    found = package.load_file(tmp_path / "ours")
    assert found.keys() == ARRAYS.keys()
    arrays = {name: np.array(a, a.dtype.newbyteorder("="), order="C") for name, a in found.items()}
    text = json.dumps({"format": FORM, "version": "1"})
    package.save_file(arrays, tmp_path / "theirs", metadata={tensors.KEY: text})
    _, ours = read(tmp_path / "theirs")
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array, strict=name != "swapped")
        np.testing.assert_array_equal(ours[name], array, strict=name != "swapped")


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}, {"ä": [1, {}]}, 3, "missing"])
def test_files_of_any_writer(tmp_path, metadata):
    header = {"w": entry("F16", (2,), (0, 4)), "ä": entry("BF16", (3,), (4, 10))}
    if metadata != "missing":
        header = {"__metadata__": metadata} | header
    bits = np.array([1, -2.5, 3e38], "f4").view("u4") >> 16
    data = np.array([1.5, 2], "f2").tobytes() + bits.astype("u2").tobytes()
    text = json.dumps(header, ensure_ascii=False).encode()
    (tmp_path / "x.safetensors").write_bytes(file_of(text, data))
    assert not tensors.is_own(tmp_path / "x.safetensors", "test")
    found = io.read_weights(tmp_path / "x.safetensors")
    np.testing.assert_array_equal(found["w"], np.array([1.5, 2], "f2"), strict=True)
    np.testing.assert_array_equal(found["ä"], (bits << 16).view("f4"), strict=True)


def test_numbers_that_cannot_be_read_are_refused(tmp_path):
    content = file_of(json.dumps({"w": entry("F8_E4M3", (4,))}).encode(), bytes(4))
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ModelFormatError, match=r"dtype must be one of .*'BF16'.*got 'F8_E4M3'"):
        io.read_weights(tmp_path / "x.safetensors")


def test_arrays_lie_where_their_type_wants_them(tmp_path):
    write(tmp_path / "x")
    assert tensors.is_own(tmp_path / "x", "test")
    content = (tmp_path / "x").read_bytes()
    end = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:end])
    for name, array in ARRAYS.items():
        assert (end + header[name]["data_offsets"][0]) % array.itemsize == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "its header is in it"),
        (b"1234567", "its header is in it"),
        (struct.pack("<Q", 100) + b"{}", "got 10 bytes that name a header of 100"),
        (struct.pack("<Q", 2**63), "name a header of 9223372036854775808"),
        (file_of(b"["), "text must be JSON"),
        (file_of(b"[]"), "the header must be a JSON object, got []"),
        (file_of(b'"\xff"'), "the header must be ASCII"),
        (file_of('{"ä":1}'.encode()), "the header must be ASCII"),
        (file_of(b'{"a":1,"a":1}'), "keys must be unique, got 'a' twice"),
        (file_of(b'{"a":NaN}'), "numbers must be finite, got NaN"),
        (file_of(b"{}"), "the metadata must have 'cnnkit' alone"),
        (file_of({"__metadata__": []}), "the metadata must have 'cnnkit' alone"),
        (file_of({"__metadata__": {"cnnkit": 3}}), "the metadata must have 'cnnkit' alone"),
        (file_of({"__metadata__": {"cnnkit": "{}", "x": ""}}), "must have 'cnnkit' alone"),
        (file_of({"x": 3}), "a tensor must have dtype, shape and data_offsets, got 3"),
        (file_of({"x": entry() | {"y": 1}}), "a tensor must have dtype"),
        (file_of({"x": entry("F8")}, b"1234"), "dtype must be one of"),
        (file_of({"x": entry([])}, b"1234"), "dtype must be one of"),
        (file_of({"x": entry(shape=(-1,))}, b"1234"), "shape must be at most 32 sizes, got [-1]"),
        (file_of({"x": entry(shape=(True,))}, b"1234"), "shape must be at most 32 sizes"),
        (file_of({"x": entry(shape=(1,) * 33)}, b"1234"), "shape must be at most 32 sizes"),
        (file_of({"x": entry(shape=(2**62, 2**62))}, b"1234"), "data_offsets must be"),
        (file_of({"x": entry(place=(0, 8))}, b"12345678"), "data_offsets must be 4 bytes apart"),
        (file_of({"x": entry(place=(4, 0))}, b"1234"), "data_offsets must be 4 bytes apart"),
        (file_of({"x": entry(place=(0, 4, 8))}, b"1234"), "data_offsets must be 4 bytes apart"),
        (file_of({"x": entry(place=(4, 8))}, b"12345678"), "side by side, got a gap"),
        (file_of({"x": entry(), "y": entry()}, b"1234"), "side by side, got a gap"),
        (file_of({"x": entry()}, b"123"), "must have"),
        (file_of({"x": entry()}, b"12345"), "must have"),
    ],
)
def test_headers(tmp_path, content, message):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ModelFormatError, match=r"^test: '.*x': ") as caught:
        read(tmp_path / "x")
    assert message.replace("its header", "header") in str(caught.value).replace("whose ", "")
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


def test_every_bit_counts(tmp_path):
    """Of the header and of the numbers: a file whose tensors are others is damaged."""
    path = tmp_path / "x"
    write(path, {"x": np.arange(5.0)}, a="0" * 32)
    sound = path.read_bytes()
    read(path, ("a",))
    for bit in range(8 * len(sound)):
        damaged = bytearray(sound)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(ModelFormatError):
            read(path, ("a",))


@pytest.mark.parametrize("checksum", [None, 3, "", "0" * 32, '"', "f" * 32])
def test_a_checksum_of_something_else(tmp_path, checksum):
    text = json.dumps({"format": FORM, "version": ""})
    metadata = {tensors.KEY: text, "checksum": checksum}
    (tmp_path / "x").write_bytes(file_of({"__metadata__": metadata}))
    with pytest.raises(ModelFormatError, match="the checksum must be that of the file"):
        read(tmp_path / "x")


def test_flags_are_zeros_and_ones(tmp_path):
    (tmp_path / "x").write_bytes(file_of({"x": entry("BOOL", (2,), (0, 2))}, b"\x01\x02"))
    with pytest.raises(ModelFormatError, match="x must be of zeros and ones"):
        read(tmp_path / "x")


def test_a_file_that_shrinks_is_an_error(tmp_path):
    write(tmp_path / "x", {"x": np.ones(100_000)})

    def cut_off():
        with tensors.reading(tmp_path / "x", FORM, (), "test") as (_, file):
            os.truncate(tmp_path / "x", 1000)
            file.read("x")

    with pytest.raises(ModelFormatError, match="must not shrink"):
        cut_off()


def test_pipes_and_devices(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/null", "/dev/zero"):
        with pytest.raises(ModelFormatError, match="it must be a regular file, got a device or a"):
            read(path)
    with pytest.raises(IsADirectoryError):
        read(tmp_path)


def test_what_does_not_fit_the_header_is_not_written(tmp_path):
    write(tmp_path / "x", a=1)
    for text in ("x" * json_text.MAX_CHARACTERS, "," * json_text.MAX_MARKS):
        with pytest.raises(ValueError, match="must fit the header of a file, got: text must have"):
            write(tmp_path / "x", a=text)
    names = {f"{i}" * 500: np.ones(1) for i in range(10_000)}
    with pytest.raises(ValueError, match="must fit the header of a file"):
        write(tmp_path / "x", names)
    assert read(tmp_path / "x", ("a",))[0]["a"] == 1


def test_arrays_are_written_where_they_are(tmp_path):
    """No copy of them is made, each alone or all together."""
    arrays = {name: generator(0).standard_normal(250_000) for name in "abcd"}
    tracemalloc.start()
    try:
        write(tmp_path / "x", arrays)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        read(tmp_path / "x")
        assert tracemalloc.get_traced_memory()[1] < 9_500_000
    finally:
        tracemalloc.stop()


GROWTH = """
import sys
from pathlib import Path
from cnnkit import load, set_num_threads
from cnnkit.callbacks import Checkpoint
from cnnkit.exceptions import ModelFormatError

def size(name):
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if name in x)
    return int(line.split()[1]) << 10

load(sys.argv[1])  # what is imported or made when first used
Path("/proc/self/clear_refs").write_text("5")  # the peak is forgotten
before = size("VmRSS")
try:
    found = load(sys.argv[2])
except ModelFormatError:
    pass
print(size("VmHWM") - before)
"""


def growth(small, path):
    """How many bytes a process grows by, at most, that loads a file after a small one."""
    done = python(GROWTH, str(small), str(path))
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from estimator_data import X, Y, small

    from cnnkit import save

    path = tmp_path_factory.mktemp("tensors") / "small"
    save(small(max_iter=1).fit(X, Y), path)
    return path


MEMORY = pytest.mark.skipif(
    sys.platform != "linux" or SANITIZED, reason="needs the kernel's count of a process's memory"
)


@MEMORY
def test_memory_of_a_large_model(tmp_path, model):
    from cnnkit import CNNClassifier, Dense, Flatten, save

    layers = [Flatten(), Dense(4000), Dense(5000), Dense()]
    clf = CNNClassifier(layers, max_iter=1, solver="sgd", batch_size=1)
    clf.fit(np.linspace(0, 1, 32, dtype=np.float32).reshape(2, 4, 4), [0, 1])
    save(clf, tmp_path / "large")
    size = (tmp_path / "large").stat().st_size
    assert size > 80_000_000
    assert growth(model, tmp_path / "large") < size + (32 << 20)


def many(one, count):
    """A JSON list of the same again and again."""
    return "[" + ",".join([one] * count) + "]"


def with_text(text):
    return json.dumps({"__metadata__": {"cnnkit": text}})


HOSTILE = {
    "metadata": json.dumps(
        {"__metadata__": {"cnnkit": "{}"} | dict.fromkeys(map(str, range(250_000)), "")}
    ),
    "dimensions": json.dumps({"x": entry(shape=(0,))}).replace("[0]", many("0", 1_900_000)),
    "objects": many('{"":0}', 550_000),
    "lists": many("[]", 1_300_000),
    "empty objects": many("{}", 1_300_000),
    "tensors": json.dumps({str(i): entry(shape=(0,), place=(0, 0)) for i in range(50_000)}),
    "objects in the text": with_text(many('{"":0}', 250_000)),
    "objects as many as there may be": with_text(many('{"":0}', json_text.MAX_MARKS // 2 - 1)),
    "digits": with_text("[" + "9" * 2_000_000),
    "wide letters": with_text(json.dumps(["\U0001f600" * 150_000])),
    "depth": "[" * (json_text.MAX_MARKS - 1),
}


@MEMORY
@pytest.mark.parametrize("header", HOSTILE.values(), ids=HOSTILE)
def test_memory_of_hostile_headers(tmp_path, model, header):
    (tmp_path / "bad").write_bytes(file_of(header.encode()))
    assert growth(model, tmp_path / "bad") < 48 << 20


def changed(model, path, data=None, arrays=None, graph=None):
    """Write a sound model again with other learnt attributes, tensors and outputs."""
    with tensors.reading(model, io.FORMAT, io.PARTS, "test") as (found, file):
        given = {name: file.read(name) for name in file.names}
    found["learned"] |= data or {}
    if graph is not None:
        found |= graph
        given = {name: a for name, a in given.items() if not name.startswith(io.WEIGHT)}
    tensors.write(path, given | (arrays or {}), found, io.FORMAT, "test")
    return path


def without_weights(n_outputs):
    """A network that gives as many numbers as an image has."""
    graph = {"layer": "Sequential", "layers": [{"layer": "Flatten"}]}
    return {"graph": graph, "n_outputs": n_outputs, "input_shape": [1, 1, n_outputs]}


def wide_texts(count):
    """Texts of which one is long: as an array of str all would be."""
    lengths = np.ones(count, np.int64)
    lengths[0] = 8_000
    ends = {"learned:classes_:ends": np.cumsum(lengths)}
    return {"learned:classes_": np.full(lengths.sum(), 97, np.uint8)} | ends


LEARNT = {
    "epochs": ({}, {"learned:loss_curve_": np.ones(10_000_000)}, None),
    "epochs as many as there may be": ({}, {"learned:loss_curve_": np.ones(1_000_000)}, None),
    "classes": ({}, {"learned:classes_": np.zeros(50_000_000, np.uint8)}, None),
    "classes of as many outputs": (
        {},
        {"learned:classes_": np.zeros(50_000_000, np.uint8)},
        without_weights(50_000_000),
    ),
    "several labels": ({"multilabel_": True}, {}, without_weights(50_000_000)),
    "wide texts": ({"classes_": "str"}, wide_texts(90_000), without_weights(90_000)),
    "texts as many as there may be": (
        {"classes_": "object"},
        {
            "learned:classes_": np.full(600_000, 97, np.uint8),
            "learned:classes_:ends": 2 * np.arange(1, 300_001),
        },
        without_weights(300_000),
    ),
    "many texts": (
        {"classes_": "object"},
        {"learned:classes_": np.zeros(0, np.uint8), "learned:classes_:ends": np.zeros(10**6, "i8")},
        without_weights(1_000_000),
    ),
}


@MEMORY
@pytest.mark.parametrize(("data", "arrays", "graph"), LEARNT.values(), ids=LEARNT)
def test_memory_of_what_was_learnt(tmp_path, model, data, arrays, graph):
    path = changed(model, tmp_path / "bad", data, arrays, graph)
    assert growth(model, path) < path.stat().st_size + (60 << 20)
