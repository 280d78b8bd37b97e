"""The pages of the course run, and hold and print the figures that they are about."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import cnnkit

FOLDER = Path(__file__).parents[2] / "docs" / "learn"
NAMES = ("01_convolution", "02_im2col", "03_one_by_one", "04_heads", "05_networks")
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="the pages are not installed")


@pytest.fixture
def run(pyplot, capsys, monkeypatch, tmp_path):
    """Return a function that runs a page and returns its variables, text and number of figures."""

    def ran(name):
        monkeypatch.chdir(tmp_path)
        threads = cnnkit.num_threads()
        page = runpy.run_path(str(FOLDER / f"{name}.py"))
        assert cnnkit.num_threads() == threads
        assert list(tmp_path.iterdir()) == []
        return page, capsys.readouterr().out, len(pyplot.get_fignums())

    yield ran
    cnnkit.set_num_threads(None)


def test_the_pages_are_those_of_the_course():
    assert tuple(sorted(path.stem for path in FOLDER.glob("*.py"))) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_question_has_an_answer(name):
    text = re.sub(r"^# ?", "", (FOLDER / f"{name}.py").read_text(), flags=re.MULTILINE)
    questions, answers = text.split("Questions\n---------\n")[1].split("Answers\n-------\n")
    asked = re.findall(r"^(\d)\. ", questions, re.MULTILINE)
    assert asked == [str(k) for k in range(1, len(asked) + 1)]
    assert 5 <= len(asked) <= 8
    found = set(re.findall(r"^\s*\(?(\d)\.", answers, re.MULTILINE))
    found |= set(re.findall(r"\"(\d)\.", answers))  # printed
    for first, last in re.findall(r"^(\d)\. (?:to|and) (\d)\.", answers, re.MULTILINE):
        found |= {str(k) for k in range(int(first), int(last) + 1)}
    assert sorted(found) == asked


def test_convolution(run):
    pytest.importorskip("PIL")
    page, out, figures = run("01_convolution")
    assert page["result"].tolist() == [[0, 6, -3], [2, 1, 0], [4, -4, -4]]
    assert page["output_size"](227, 11, s=4) == 55
    assert "rounded down: (3, 3)  rounded up: (4, 4)" in out
    assert "416 times as many" in out
    assert page["clf"].score(page["X_test"], page["y_test"]) > 0.93
    assert figures == 8


def test_im2col(run):
    page, out, figures = run("02_im2col")
    assert page["patches"].shape == (3025, 363)
    assert "transposed: (363, 3025) gives (96, 3025) True" in out
    assert page["dcols"].tolist() == [[1, 2, 3, 4]] * 4
    assert page["dx"][0, 1, 1, 0] == 10
    assert page["count"][0, :, :, 0].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert re.search(r"4x4 +6x6 +36 +144 +4\.00", out)
    slow, fast = (
        page["milliseconds"][way] for way in ("loop over pixels and filters", "whole matrix")
    )
    assert slow[2] > 3 * fast[2]
    assert figures == 4


def test_one_by_one(run):
    pytest.importorskip("PIL")
    page, out, figures = run("03_one_by_one")
    assert out.startswith("[[17. 22.]\n [27. 32.]]\n")
    assert {k: cost.weights for k, cost in page["narrow"].items()} == {1: 16416, 3: 147488}
    assert "by hand: 1x1 16,416, 3x3 147,488" in out
    assert round(page["work"], 2) == 3.60
    assert "ratio 0.1189, formula 0.1189" in out
    assert all(took > 0 for took in page["took"].values())
    assert figures == 6


def test_heads(run):
    page, out, figures = run("04_heads")
    assert "123,642,856 of 138,357,544 weights are in its dense layers:\n89%" in out
    assert "by hand as predicted: True" in out
    assert page["evidence"].shape == (4, 16, 10)
    for k, digit in enumerate((2, 0, 7)):  # the strip: each class has its evidence at its digit
        place = page["evidence"][:, :, digit].sum(axis=0).argmax()
        assert 6 * k <= place < 6 * k + 4
    assert {found.shape for found in page["accuracy"].values()} == {(5, 2)}
    assert min(found[:, 1].mean() for found in page["accuracy"].values()) > 60
    chance, placed = (
        float(re.search(rf"{head}.*? (\d\.\d+)", out)[1])
        for head in ("1x1 and average +accuracy", "with the place as channels:")
    )
    assert chance < 0.5 < 0.8 < placed
    assert len(re.findall(r"\+- +\d+\.\d points, (?:not told apart|better|worse)\n", out)) == 4
    assert figures == 5


def test_networks(run):
    page, out, figures = run("05_networks")
    assert re.search(r"fire +55 x 55 x 128 +11,920", out)
    assert re.search(r"bottleneck +56 x 56 x 256 +71,168", out)
    assert page["published"]["squeezenet_1_0"].weights == 1_248_424
    assert set(page["accuracy"]) == set(page["small"])
    assert min(np.mean(scores) for scores in page["accuracy"].values()) > 90
    assert figures == 9
