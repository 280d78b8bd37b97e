"""
A network in the browser
========================

A network learns scikit-learn's digits, `cnnkit.onnx.write` makes an ONNX file of it, and a page
runs that file with onnxruntime-web, without a server that computes: a digit is drawn, and the page
shows the ten probabilities and where the evidence for the most likely digit lies. The network ends
in one map per class and their means, as in what_the_net_sees.py. Both are outputs of the file.

The digits of the data set were bitmaps of 32x32, of which the ink in blocks of 4x4 was counted, 0
to 16. `digit.mjs` makes the same of a drawing.

Run this file, then `python -m http.server` in the folder that it names. The three files of
onnxruntime-web (MIT licence) come from npm where it is installed.
"""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from cnnkit import CNNClassifier, Conv, Conv1x1, GlobalAvgPool, Graph, ReLU, onnx

LAYERS = [
    ("edges", Conv(16, 3)),
    ("edges_relu", ReLU()),
    ("strokes", Conv(32, 3)),
    ("strokes_relu", ReLU()),
    ("parts", Conv(32, 3)),
    ("parts_relu", ReLU()),
    ("class_maps", Conv1x1(None)),
    ("scores", GlobalAvgPool()),
]
EPOCHS = 30
PACKAGE = "onnxruntime-web@1.30.0"
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
SOURCES = Path(__file__).parent
SITE = SOURCES / "site"


def trained():
    """Return a network that knows the digits, and its accuracy on others."""
    digits = load_digits()
    X, X_test, y, y_test = train_test_split(
        digits.images[..., None], digits.target, random_state=0, stratify=digits.target
    )
    clf = CNNClassifier(LAYERS, max_iter=EPOCHS, random_state=0).fit(X, y)
    return clf, clf.score(X_test, y_test)


def write_network(clf, path):
    """Write the network with two outputs, the class maps and their means."""
    network = clf.network_
    graph = Graph(network.resolved.nodes, outputs=["class_maps", "scores"])
    onnx.write((graph, network.weights, network.input_shape), path)


def fetch_runtime(folder):
    """Copy the files of onnxruntime-web into a folder, and return whether npm could do so."""
    npm = shutil.which("npm")
    if npm is None:
        return False
    with tempfile.TemporaryDirectory() as place:
        run = subprocess.run([npm, "pack", PACKAGE], cwd=place, capture_output=True)
        if run.returncode != 0:
            return False
        (archive,) = Path(place).glob("*.tgz")
        with tarfile.open(archive) as files:
            for name in RUNTIME:
                (folder / name).write_bytes(files.extractfile(f"package/dist/{name}").read())
    return True


def main(folder=SITE):
    folder.mkdir(exist_ok=True)
    clf, accuracy = trained()
    print(f"Accuracy on digits it was not trained on: {accuracy:.3f}")
    write_network(clf, folder / "digits.onnx")
    shutil.copy(SOURCES / "page.html", folder / "index.html")
    shutil.copy(SOURCES / "digit.mjs", folder)
    if not fetch_runtime(folder):
        print(f"Without npm: put {', '.join(RUNTIME)} of {PACKAGE}, folder dist, into {folder}.")
    print(f"Page: python -m http.server --directory {folder}, then http://localhost:8000")


if __name__ == "__main__":
    main()
