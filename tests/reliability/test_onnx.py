"""ONNX files that were changed, part by part: read, or refused with the documented error."""

import pytest
from seeded import generator

pytest.importorskip("onnx", reason="needs onnx: pip install 'cnnkit[onnx]'")
from hostile_onnx import bases, hostile, trial, watched


def test_changed_files(tmp_path, request):
    """Nothing but the documented error, little memory and time, and no other file opened."""
    count = 20_000 if request.config.getoption("--full") else 300
    models, opened = bases(), watched()
    path = tmp_path / "model.onnx"
    trial(models[0].SerializeToString(), path, opened)  # modules are imported when first used
    said = [trial(hostile(models, generator(number)), path, opened) for number in range(count)]
    assert {"read", "refused"} <= set(said)
