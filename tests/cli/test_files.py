"""What files are, and lists of names."""

import numpy as np
import pytest
import torch_files
from seeded import generator

from cnnkit import CNNClassifier, save
from cnnkit.cli import files


def test_kinds(tmp_path):
    own, plain = tmp_path / "own.safetensors", tmp_path / "plain.safetensors"
    save(CNNClassifier(max_iter=1).fit(generator(0).random((4, 3, 3)), [0, 1, 0, 1]), own)
    pytest.importorskip("safetensors.numpy").save_file({"x": np.ones(3)}, plain)
    assert [files.kind(path) for path in (own, plain)] == [files.OWN, files.WEIGHTS]
    own.rename(tmp_path / "model")
    assert files.kind(tmp_path / "model") == files.OWN
    (tmp_path / "x.pth").write_bytes(torch_files.zipped(torch_files.state({"x": np.ones(3)})))
    names = {"x.pth": files.WEIGHTS, "none.PT": files.WEIGHTS, "x.ONNX": files.ONNX}
    names |= {"none.safetensors": files.OWN, "resnet18": files.OWN}
    assert {name: files.kind(tmp_path / name) for name in names} == names


def test_names_of_classes(tmp_path):
    path = tmp_path / "names.txt"
    for text in ("cat\ndog", "\ufeffcat\r\ndog \r\n\n"):
        path.write_text(text, "utf-8")
        assert files.labels(path) == ["cat", "dog"]
    path.write_text("\n")
    assert files.labels(path) == []
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"--labels: .* must be UTF-8 text"):
        files.labels(path)
