"""Examples run, say how long they took and draw their pictures; `--full` runs them as they are."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config

import cnnkit
from cnnkit import Conv, Dense, GlobalAvgPool, ReLU

FOLDER = Path(__file__).parents[2] / "examples"
NAMES = sorted(
    path.stem for path in FOLDER.glob("*.py") if '__name__ == "__main__"' in path.read_text()
)
IN_FOLDERS = sorted(  # examples of several files: each has a file of tests of its own
    path.relative_to(FOLDER).as_posix()
    for path in FOLDER.glob("*/*.py")
    if '__name__ == "__main__"' in path.read_text()
)
SMALL = {  # sizes with which an example takes a second or two
    "architectures": {"SHORT": 1, "LONG": 2, "NETWORKS": ["lenet5", "convnet", "default"]},
    "bottleneck": {"SHAPE": (6, 8, 256), "REPEATS": 1},
    "digits_heads": {"SEEDS": range(2), "EPOCHS": 2, "PREDICTIONS": 1},
    "generalisation": {
        "SEEDS": range(2),
        "RELU_SEEDS": range(2),
        "NUMBERS": (20, 50),
        "EPOCHS": 1,
    },
    "grid_search_heads": {
        "SHORT": 1,
        "LONG": 2,
        "WIDTHS": (8,),
        "DEPTHS": (2,),
        "CANDIDATES": [("fully connected", 8, 2), ("1x1 + average pooling", 8, 2)],
    },
    "im2col": {"ROUNDS": 2},
    "pointwise": {"ROUNDS": 2},
    "pretrained": {"PER_CLASS": (1, 2), "N_TEST": 20, "EPOCHS": 1, "OTHERS": ()},
    "segment_shapes": {
        "SCENES": (12, 4),
        "EPOCHS": 1,
        "PIXELS": 200,
        "TREES": 2,
        "PATCHES": 10,
        "PATCH_EPOCHS": 1,
        "SHIFTS": [(0, 0)],
    },
    "signals": {"N_TRAIN": 80, "N_TEST": 60, "TREES": 5},
    "transfer": {
        "SEEDS": range(2),
        "PER_CLASS": (5, 10),
        "LAYERS": [Conv(4), ReLU(), ("features", GlobalAvgPool()), Dense(None)],
    },
    "what_the_net_sees": {"EPOCHS": 8},
}
CLUSTER = "distributed_grid"  # starts processes that import its file: it only runs as it is
TOOK = re.compile(r"^Took \d+ s on \d+ threads? of .+\.$", re.MULTILINE)


@pytest.fixture
def example(monkeypatch, tmp_path):
    """Return a function that imports an example with other sizes, and a picture elsewhere."""
    monkeypatch.syspath_prepend(FOLDER)

    def imported(name):
        spec = importlib.util.spec_from_file_location(f"examples_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for constant, value in SMALL.get(name, {}).items():
            assert hasattr(module, constant)
            setattr(module, constant, value)
        if hasattr(module, "PICTURE"):
            module.PICTURE = tmp_path / "pictures" / f"{name}.png"
        return module

    yield imported
    cnnkit.set_num_threads(None)


@pytest.mark.parametrize("name", [name for name in NAMES if name != CLUSTER])
def test_examples_run(example, name, capsys):
    module = example(name)
    with parallel_config(backend="sequential"):
        module.timed(module.main)
    out = capsys.readouterr().out
    assert TOOK.search(out)
    missing = getattr(module, "MISSING", None)
    if missing and missing in out:
        pytest.skip(missing)
    if importlib.util.find_spec("matplotlib"):
        assert module.PICTURE.read_bytes().startswith(b"\x89PNG")
        assert f"Picture: {module.PICTURE}" in out


def as_it_is(path):
    """Run a file in a process of its own, with the package that is tested."""
    paths = [str(Path(cnnkit.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, path],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("name", NAMES)
def test_examples_run_as_they_are(request, name):
    if not request.config.getoption("full"):
        pytest.skip("up to a minute each: --full")
    if name == CLUSTER:
        pytest.importorskip("dask")
    run = as_it_is(FOLDER / f"{name}.py")
    assert run.returncode == 0, run.stderr
    assert TOOK.search(run.stdout)


def test_a_page_lists_every_example():
    page = (FOLDER.parent / "docs" / "guides" / "examples.md").read_text()
    files = [f"{name}.py" for name in NAMES] + IN_FOLDERS
    assert "deploy_browser/make_page.py" in files
    assert [name for name in files if f"(../../examples/{name})" not in page] == []


@pytest.mark.parametrize("path", IN_FOLDERS)
def test_an_example_in_a_folder_has_tests_of_its_own(path):
    folder, name = path.split("/")
    assert (Path(__file__).parent / folder / f"test_{name}").exists()


@pytest.mark.parametrize("path", IN_FOLDERS)
def test_an_example_in_a_folder_runs_as_it_is(request, path, tmp_path):
    if not request.config.getoption("full"):
        pytest.skip("up to a minute each: --full")
    pytest.importorskip("onnx")
    shutil.copytree(FOLDER, tmp_path / "examples")
    run = as_it_is(tmp_path / "examples" / path)
    assert run.returncode == 0, run.stderr
    assert "Page: python -m http.server" in run.stdout


def test_without_matplotlib_an_example_says_so(example, tmp_path, monkeypatch):
    module = example("one_by_one")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = module.save_picture(tmp_path / "none.png", module.draw, None, None, None, None)
    assert "pip install cnnkit[plot]" in said
    assert list(tmp_path.iterdir()) == []


class TestTextsFollowFigures:
    """What an example concludes turns with the figures it is given."""

    def test_of_1x1_against_3x3(self, example):
        pointwise = example("pointwise")

        def said(nine_by_auto):
            times = {}
            for name in pointwise.LAYERS:
                for algorithm in pointwise.ALGORITHMS:
                    times[name, algorithm, 1] = 10
                    times[name, algorithm, 3] = nine_by_auto if algorithm == "auto" else 80
            return " ".join(pointwise.conclusions(times))

        assert "it is what pulls auto's ratio down to 4.0 from 8.0" in said(40)
        assert "it hardly changes the ratio" in said(80)
        assert "auto's ratio is above exact's" in said(120)
        assert "do not bear out" in said(120)
        assert "These times bear out" in said(230)

    def test_of_signals(self, example):
        signals = example("signals")
        accuracy = {"network, default": 0.8, "network, by hand": 0.9, "forest, raw numbers": 0.5}
        said = signals.conclusion(accuracy)
        assert said.startswith("Of 100 signals, network, by hand is right about 40 more")
        assert "do not help here" in signals.conclusion(accuracy | {"network, as a table": 0.9})

    def test_of_the_bottleneck(self, example):
        bottleneck = example("bottleneck")
        names = (bottleneck.PLAIN, bottleneck.BOTTLENECK, bottleneck.POINT)

        def said(auto):
            exact = dict(zip(names, (3.6, 1.0, 0.1), strict=True))
            times = {"auto": dict(zip(names, auto, strict=True)), "exact": exact}
            ratio = {how: took[names[0]] / took[names[1]] for how, took in times.items()}
            return bottleneck.why_auto_differs(times, ratio)

        assert "it speeds 3x3 up and not 1x1" in said((1.8, 0.6, 0.1))
        assert "do not show" in said((3.6, 1.0, 0.1))

    def test_of_what_generalises(self, example):
        generalisation = example("generalisation")
        rng = np.random.default_rng(0)
        noise = 0.001 * rng.normal(size=12)

        def said(gain):
            runs = {
                (name, generalisation.POOL): np.full((12, 3), 0.9)
                for name in generalisation.VARIANTS
            }
            runs[generalisation.EXTRA, generalisation.POOL][:, 1] += gain + noise
            return next(generalisation.relu_conclusions(runs))

        assert "generalises better than" in said(0.01)
        assert "generalises worse than" in said(-0.01)
        assert "not told apart" in said(-noise.mean())

    def test_of_budgets(self, example):
        grid = example("grid_search_heads")
        rows = [
            {"head": head, "width": 8, "depth": depth, "short": short, "mean": 0.98}
            for head, short in ((grid.FC, 0.97), (grid.GAP, 0.8))
            for depth in grid.DEPTHS
        ]
        said = list(grid.budgets(rows))
        assert "gains +18.0 points on average" in said[0]
        assert "better in 0 of 1" in said[1]
        assert "-17.0 (width 8, depth 2)" in said[1]
        assert "+0.0 (width 8, depth 2)" in said[2]

    def test_of_architectures(self, example):
        architectures = example("architectures")

        def row(short, long, weights):
            return {"short": short, "long": long, "weights": weights}

        rows = {"a": row(0.9, 0.97, 10), "b": row(0.5, 0.98, 99), "c": row(0.95, 0.952, 5)}
        said = list(architectures.conclusions(rows, 1000))
        assert "b is the most accurate, 98.0% of 1000" in said[0]
        assert "of the 2 of 3 that are so near to it, itself included, a has the fewest" in said[0]
        assert "b gains most, 48.0 points" in said[1]
        assert "It changes the rank of b most, from 3 to 1 of 3." in said[1]
        assert "gained by b, a:" in said[2]


def test_the_published_loop_mixes_images(example):
    bottleneck = example("bottleneck")
    assert bottleneck.two_images(bottleneck.as_published) > 1
    assert bottleneck.two_images(bottleneck.transposed) < 1e-12
