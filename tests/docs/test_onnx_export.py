"""The Python of docs/guides/onnx_export.md runs as it is written."""

import warnings

import pytest
from pages import PAGES, running

PAGE = PAGES / "guides" / "onnx_export.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the pages are not installed")
def test_the_code_of_the_page_runs(tmp_path, monkeypatch):
    for name in ("onnx", "onnxruntime", "skl2onnx"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="skl2onnx")
        with running(PAGE) as module:
            assert module.logits.shape == (1797, 10)
    assert (tmp_path / "halved.onnx").exists()
