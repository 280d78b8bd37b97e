"""Filters and feature maps."""

import re

import numpy as np
import pytest
from seeded import generator

from cnnkit.display import (
    FeatureMapDisplay,
    FilterDisplay,
)

pytestmark = pytest.mark.usefixtures("pyplot")


def texts(display):
    return [text.get_text() for text in display.ax_.texts if text.get_text()]


class TestFilters:
    def test_of_an_estimator(self, classifier):
        display = FilterDisplay.from_estimator(classifier)
        w = classifier.network_.weights["conv1/w"]
        assert display.node == "conv1"
        for k, image in enumerate(display.images_):
            assert (image.get_array() == w[:, :, 0, k]).all()
            assert image.get_clim() == (-abs(w).max(), abs(w).max())
        assert len(display.images_) == 8
        assert display.ax_.get_title() == "conv1: 8 filters of 3 x 3 x 1"

    def test_a_later_layer_by_name(self, classifier):
        display = FilterDisplay.from_estimator(classifier, node="maps", colorbar=False)
        assert len(display.images_) == 10 * 8
        assert len(display.figure_.axes) == 1

    def test_colours(self):
        filters = generator(0).normal(size=(5, 4, 3, 70))
        display = FilterDisplay(filters).plot()
        assert len(display.images_) == 64
        assert display.images_[0].get_array().shape == (5, 4, 3)
        assert min(im.get_array().min() for im in display.images_) >= 0

    def test_it_is_a_copy(self, classifier):
        display = FilterDisplay.from_estimator(classifier)
        assert not np.shares_memory(display.filters, classifier.network_.weights["conv1/w"])

    def test_unknown_node(self, classifier):
        message = "FilterDisplay: node must be one of ['conv1', 'maps'], got 'relu1'."
        with pytest.raises(ValueError, match=re.escape(message)):
            FilterDisplay.from_estimator(classifier, node="relu1")


class TestFeatureMaps:
    @pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (64,)])
    def test_of_an_estimator(self, classifier, digits, shape):
        display = FeatureMapDisplay.from_estimator(classifier, digits[0][0].reshape(shape))
        maps = classifier.network_.activations(digits[0][:1], ["relu1"])["relu1"][0]
        assert display.node == "relu1"
        assert len(display.images_) == 1 + 8
        np.testing.assert_allclose(display.images_[0].get_array(), digits[0][0])
        np.testing.assert_allclose(display.images_[3].get_array(), maps[..., 2])
        assert texts(display) == ["image", *map(str, range(8))]

    def test_the_strongest(self):
        maps = np.arange(20.0) * np.ones((3, 5, 1))
        display = FeatureMapDisplay(maps, max_maps=3).plot()
        assert display.shown_.tolist() == [17, 18, 19]
        assert display.ax_.get_title() == "3 strongest of 20 maps"

    def test_maps_of_both_signs_are_symmetric(self, classifier, digits):
        display = FeatureMapDisplay.from_estimator(classifier, digits[0][0], node="maps")
        low, high = display.images_[-1].get_clim()
        assert low == -high

    def test_unknown_node(self, classifier, digits):
        with pytest.raises(ValueError, match=r"FeatureMapDisplay: node must be one of \['conv1'"):
            FeatureMapDisplay.from_estimator(classifier, digits[0][0], node="globalavgpool1")
