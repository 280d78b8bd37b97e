"""What the tests of the command line share."""

import numpy as np
import pytest
from commands import command
from seeded import generator

from cnnkit.cli import main


@pytest.fixture
def run(capsys):
    """Run a command in this process: code, stdout, stderr."""

    def run(*words):
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def digits_file(tmp_path_factory):
    """A model of the digits, trained by the command."""
    path = tmp_path_factory.mktemp("cli") / "digits.safetensors"
    words = ("train", "digits", "--epochs", 4, "--learning-rate", 0.01, "--output", path)
    done = command(*words)
    assert (done.returncode, done.stderr) == (0, "")
    return path, done.stdout


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """A folder of images by class: left halves bright, or right halves."""
    image = pytest.importorskip("PIL.Image")
    root, rng = tmp_path_factory.mktemp("photos"), generator(0)
    for name, half in (("left", np.s_[:, :5]), ("right", np.s_[:, 5:])):
        (root / name / "more").mkdir(parents=True)
        for k in range(12):
            pixels = rng.integers(0, 80, (8, 10, 3), np.uint8)
            pixels[half] += 150
            where = root / name / ("more" if k % 2 else "")
            image.fromarray(pixels).save(where / f"{k}.png")
        (root / name / "notes.txt").write_text("no image")
    return root
