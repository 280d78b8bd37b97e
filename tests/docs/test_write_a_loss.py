"""docs/guides/write_a_loss.md runs, and its losses do what it says."""

import pickle

import pytest
from oracles import assert_same_bits
from pages import PAGES, running

PAGE = PAGES / "guides" / "write_a_loss.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs are not installed")


@pytest.fixture(scope="module")
def page():
    """The module that the page is, run once."""
    with running(PAGE) as module:
        yield module


def test_nine_of_ten_are_below_the_quantile(page):
    x = page.rng.random((2000, 1, 1, 1))
    y = x[:, 0, 0, 0] + page.rng.exponential(size=2000)
    assert (y <= page.high.predict(x)).mean() == pytest.approx(0.9, abs=0.06)


def test_the_rare_class_is_found(page):
    assert page.search.best_score_ > 0.6


@pytest.mark.parametrize("name", ["high", "search"])
def test_pickle_keeps_it(page, name):
    found = vars(page)[name]
    images = page.X[:20] if name == "search" else page.rng.random((20, 1, 1, 1))
    again = pickle.loads(pickle.dumps(found))
    assert_same_bits(again.predict(images), found.predict(images))
