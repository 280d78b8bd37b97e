"""docs/guides/write_a_layer.md runs, and its layer does what a layer of cnnkit does."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
from pages import PAGES, running
from sklearn.base import clone

from cnnkit import BatchNorm, CNNRegressor, Conv, GlobalAvgPool, Network, Sequential, save
from cnnkit.files.json_text import to_json
from cnnkit.layers import check_gradients

PAGE = PAGES / "guides" / "write_a_layer.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs are not installed")


@pytest.fixture(scope="module")
def page():
    """The module that the page is, run once."""
    with running(PAGE) as module:
        yield module


def test_the_layer_is_trained(page):
    clf = page.search.best_estimator_
    gamma = clf.network_.weights["layerscale1/gamma"]
    assert gamma.shape == (16,)
    assert len(np.unique(gamma)) == 16
    assert clf.score(page.X, page.y) > 0.8


def test_the_error_that_the_page_shows(page):
    class LayerScale(page.LayerScale):
        def bind(self, slots):
            op = super().bind(slots)
            backward = op.backward

            def twice(n):
                backward(n)
                slots.dx[:n] *= 2

            op.backward = twice
            return op

    with pytest.raises(AssertionError) as error:
        check_gradients(LayerScale(0.5), (3, 4, 2))
    assert str(error.value).startswith("LayerScale: dxs[0][0, 0, 0, 0] must be the slope ")


def test_the_layer_says_what_is_wrong(page):
    clf = clone(page.clf).set_params(layerscale1__start=0)
    with pytest.raises(ValueError, match=r"^LayerScale: start must be positive, got 0\."):
        clf.fit(page.X, page.y)


@pytest.mark.parametrize(
    "copy", [deepcopy, lambda clf: pickle.loads(pickle.dumps(clf))], ids=["deepcopy", "pickle"]
)
def test_copies_predict_the_same(page, copy):
    clf = page.search.best_estimator_
    other = copy(clf)
    assert (other.predict_proba(page.X[:50]) == clf.predict_proba(page.X[:50])).all()
    assert other.layers[5] == clf.layers[5]


def test_clone_has_layers_of_its_own(page):
    other = clone(page.clf).set_params(layerscale1__start=0.7)
    assert (other.layers[5].start, page.clf.layers[5].start) == (0.7, 0.1)
    assert repr(other.layers[5]) == "LayerScale(start=0.7)"


def test_save_refuses_it_with_a_word(page, tmp_path):
    with pytest.raises(ValueError, match=r"^save: .* must be a layer .*of cnnkit, got LayerScale"):
        save(page.search.best_estimator_, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match=r"^to_json: .* of cnnkit, got LayerScale"):
        to_json(Sequential([page.LayerScale()]))


@pytest.mark.parametrize("options", [{"frozen": ["layerscale1"]}, {"frozen": ["conv1"]}])
def test_frozen(page, options):
    X = np.random.default_rng(0).random((20, 4, 4))
    layers = [Conv(3), page.LayerScale(0.5), BatchNorm(), Conv(None), GlobalAvgPool()]
    reg = CNNRegressor(layers, max_iter=2, random_state=0, **options).fit(X, X.mean(axis=(1, 2)))
    still = (reg.network_.weights["layerscale1/gamma"] == 0.5).all()
    assert still == ("layerscale1" in options["frozen"])


def test_a_network_of_it_alone(page):
    network = Network(Sequential([page.LayerScale(2.0)]), (2, 2, 3), 3, batch_size=2, training=True)
    network.weights.initialise(np.random.default_rng(0))
    network.x[...] = 1
    assert (network.forward(2) == 2).all()
    network.doutput[...] = 1
    network.backward(2)
    assert network.grads["layerscale1/gamma"].tolist() == [8, 8, 8]
