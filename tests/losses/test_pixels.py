"""The loss of images is that of their pixels."""

import numpy as np
import oracles
import pytest
from oracles import normals
from seeded import generator
from sklearn.metrics import r2_score

from cnnkit.losses import Huber, Pixelwise, SoftmaxCrossEntropy, SquaredError


class TestPixelwise:
    """A loss of images is that of their pixels."""

    logits = normals(3, 4, 5, 6)
    labels = generator(0).integers(0, 6, (3, 4, 5))
    weights = np.array([1.0, 0.5, 2.0])

    def gradient(self, loss, outputs, targets, **options):
        found = np.empty(outputs.shape, outputs.dtype)
        return loss(outputs, targets, found, **options), found

    def test_as_of_samples(self):
        flat, labels = self.logits.reshape(60, 6), self.labels.reshape(60)
        wanted, slopes = self.gradient(SoftmaxCrossEntropy(6), flat, labels)
        found, gradient = self.gradient(Pixelwise(SoftmaxCrossEntropy(6)), self.logits, self.labels)
        assert found == pytest.approx(wanted)
        np.testing.assert_allclose(gradient.reshape(60, 6), slopes)

    def test_numbers_as_of_samples(self):
        y = normals(3, 4, 5, 6, seed=1)
        wanted, slopes = self.gradient(Huber(), self.logits.reshape(60, 6), y.reshape(60, 6))
        found, gradient = self.gradient(Pixelwise(Huber()), self.logits, y)
        assert found == pytest.approx(wanted)
        np.testing.assert_allclose(gradient.reshape(60, 6), slopes)
        score = Pixelwise(Huber()).score(self.logits, y, self.weights)
        of_pixels = np.repeat(self.weights, 20)
        flat = y.reshape(60, 6), self.logits.reshape(60, 6)
        assert score == pytest.approx(r2_score(*flat, sample_weight=of_pixels))

    @pytest.mark.parametrize("factors", [None, np.arange(1.0, 7)])
    def test_the_gradient_is_the_slope(self, factors):
        labels = np.where(generator(1).random((3, 4, 5)) < 0.3, -1, self.labels).astype(np.int8)
        loss = Pixelwise(SoftmaxCrossEntropy(6, 0.1), factors, mean=0.8)
        options = {"weights": self.weights, "total": 3.5}

        def value(logits):
            return self.gradient(loss, logits, labels, **options)[0]

        _, gradient = self.gradient(loss, self.logits, labels, **options)
        slopes = oracles.numeric_gradient(value, self.logits.copy())
        np.testing.assert_allclose(gradient, slopes, rtol=0, atol=1e-8)
        assert (gradient[labels < 0] == 0).all()

    def test_pixels_that_do_not_count(self):
        labels, y = self.labels.copy(), normals(3, 4, 5, 6, seed=1)
        labels[:, 0], y[:, 0, :, 2] = -1, np.nan
        for loss, targets in ((SoftmaxCrossEntropy(6), labels), (SquaredError(), y)):
            whole = Pixelwise(loss)(self.logits, targets, None, self.weights, 3.5)
            rest = Pixelwise(loss)(self.logits[:, 1:], targets[:, 1:], None, self.weights, 3.5)
            assert whole == pytest.approx(rest)
            score = Pixelwise(loss).score(self.logits, targets)
            assert score == Pixelwise(loss).score(self.logits[:, 1:], targets[:, 1:])

    def test_no_pixel_counts(self):
        none, gradient = np.full((3, 4, 5), -1), np.full(self.logits.shape, 7.0)
        loss = Pixelwise(SoftmaxCrossEntropy(6))
        assert np.isnan([loss(self.logits, none, None), loss.score(self.logits, none)]).all()
        assert loss(self.logits, none, gradient) == 0
        assert (gradient == 0).all()

    def test_a_gradient_that_is_part_of_another_array(self):
        whole = np.full((3, 4, 5, 8), 7.0)
        Pixelwise(SoftmaxCrossEntropy(6))(self.logits, self.labels, whole[..., 1:7])
        assert (whole[..., [0, 7]] == 7).all()
        np.testing.assert_allclose(whole[..., 1:7].sum(axis=-1), 0, atol=1e-12)
