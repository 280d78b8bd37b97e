"""The page is made, its network has two outputs, and drawings become digits of the data set."""

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from seeded import generator

FOLDER = Path(__file__).parents[3] / "examples" / "deploy_browser"
PAGE = FOLDER / "page.html"
COUNT = """
import {{ reduced, softmax }} from {module};
const drawings = {drawings};
const found = drawings.map((rows) => Array.from(reduced(rows.flat(), rows[0].length)));
console.log(JSON.stringify([found, reduced([0, 0], 2), Array.from(softmax([1, 800, 798]))]));
"""


@pytest.fixture
def example():
    spec = importlib.util.spec_from_file_location("make_page", FOLDER / "make_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reduced(ink):
    """Return counts (8, 8) as `digit.mjs` shall give them."""
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    side = max(box.shape)
    square = np.zeros((side, side), int)
    above, before = ((side - size) // 2 for size in box.shape)
    square[above : above + box.shape[0], before : before + box.shape[1]] = box
    places = (2 * np.arange(32) + 1) * side // 64
    return square[np.ix_(places, places)].reshape(8, 4, 8, 4).sum(axis=(1, 3))


def drawings(rng):
    """Return drawings of several sizes, with boxes higher and wider than long."""
    found = []
    for shape, box in [((20, 20), (14, 5)), ((21, 33), (6, 25)), ((64, 64), (64, 64))]:
        ink = np.zeros(shape, int)
        i, j = rng.integers(np.subtract(shape, box), endpoint=True)
        ink[i : i + box[0], j : j + box[1]] = rng.random(box) < 0.5
        found.append(ink)
    return found


def test_drawings_are_reduced_as_in_python():
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node, which runs JavaScript")
    made = drawings(generator(0))
    script = COUNT.format(
        module=json.dumps((FOLDER / "digit.mjs").as_uri()),
        drawings=json.dumps([ink.tolist() for ink in made]),
    )
    run = subprocess.run(
        [node, "--input-type=module"], input=script, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    found, empty, shares = json.loads(run.stdout)
    assert found == [reduced(ink).ravel().tolist() for ink in made]
    assert empty is None
    np.testing.assert_allclose(shares, [0, 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))], rtol=1e-6)


def test_a_bitmap_of_32_pixels_is_counted_in_blocks():
    ink = np.zeros((40, 40), int)
    ink[3:35, 5:37] = 1
    ink[4, 6] = 0
    expected = np.full((8, 8), 16)
    expected[0, 0] = 15
    np.testing.assert_array_equal(reduced(ink), expected)


def test_the_page_is_made_without_npm(example, tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnx", reason="onnx writes the network")
    monkeypatch.setattr(example, "EPOCHS", 1)
    monkeypatch.setattr(example.shutil, "which", lambda name: None)
    example.main(tmp_path / "site")
    names = {path.name for path in (tmp_path / "site").iterdir()}
    assert names == {"index.html", "digit.mjs", "digits.onnx"}
    out = capsys.readouterr().out
    assert all(name in out for name in example.RUNTIME)


def script():
    """Return the JavaScript that stands in the page."""
    (found,) = re.findall(r'<script type="module">(.*?)</script>', PAGE.read_text(), re.DOTALL)
    return found


def test_the_page_loads_what_is_made(example):
    loaded = set(re.findall(r'"(?:\./)?([\w.-]+\.(?:mjs|onnx|wasm))"', script()))
    assert loaded == {"digit.mjs", "digits.onnx", example.RUNTIME[0]}
    ids = set(re.findall(r'byId\("(\w+)"\)', script())) | set(
        re.findall(r'paint\("(\w+)"', script())
    )
    assert ids <= set(re.findall(r'id="(\w+)"', PAGE.read_text()))


def test_the_page_runs_the_network_by_its_names(example, tmp_path, monkeypatch):
    onnx = pytest.importorskip("onnx", reason="onnx writes the network")
    monkeypatch.setattr(example, "EPOCHS", 1)
    example.write_network(example.trained()[0], tmp_path / "digits.onnx")
    graph = onnx.load(tmp_path / "digits.onnx").graph
    outputs, inputs = re.search(
        r"const \{ (.*) \} = await session\.run\(\{ (.*) \}\)", script()
    ).groups()
    assert outputs.split(", ") == [output.name for output in graph.output]
    assert inputs.split(", ") == [given.name for given in graph.input]
    (shape,) = re.findall(r'new ort\.Tensor\("float32", counts, (\[.*?\])\)', script())
    sides = graph.input[0].type.tensor_type.shape.dim
    assert json.loads(shape)[1:] == [side.dim_value for side in sides][1:]


def test_the_script_of_the_page_is_javascript(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node, which reads JavaScript")
    (tmp_path / "page.mjs").write_text(script())
    run = subprocess.run([node, "--check", tmp_path / "page.mjs"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_the_network_gives_maps_and_their_means(example, tmp_path, monkeypatch):
    pytest.importorskip("onnx", reason="onnx writes the network")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime runs the network")
    monkeypatch.setattr(example, "EPOCHS", 1)
    clf, _ = example.trained()
    example.write_network(clf, tmp_path / "digits.onnx")
    session = runtime.InferenceSession(tmp_path / "digits.onnx")
    X = np.arange(128, dtype=np.float32).reshape(2, 8, 8, 1) % 17
    maps, scores = session.run(["class_maps", "scores"], {"input": X})
    assert maps.shape == (2, 8, 8, 10)
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), scores, rtol=1e-4, atol=1e-5)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    proba = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(proba, clf.predict_proba(X), atol=1e-5)
