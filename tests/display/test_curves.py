"""Curves of the loss."""

from types import SimpleNamespace

import numpy as np
import pytest

from cnnkit import CNNClassifier
from cnnkit.display import LearningRateDisplay, LossCurveDisplay, steepest_rate

pytestmark = pytest.mark.usefixtures("pyplot")


class TestLossCurve:
    def test_of_an_estimator(self, classifier):
        display = LossCurveDisplay.from_estimator(classifier)
        (line,) = display.lines_
        assert line.get_xdata().tolist() == [1, 2, 3]
        assert line.get_ydata().tolist() == classifier.loss_curve_
        assert display.ax_.get_xlabel() == "epoch"
        assert display.ax_.get_title() == "CNNClassifier"
        assert display.ax_.get_legend() is None
        assert display.score_ax_ is None
        assert display.figure_ is display.ax_.figure

    def test_validation(self):
        fitted = SimpleNamespace(
            loss_curve_=[3, 2, 1], validation_loss_curve_=[4, 3, 3], validation_scores_=[0, 0.5, 1]
        )
        display = LossCurveDisplay.from_estimator(fitted, linewidth=3)
        assert [line.get_ydata().tolist() for line in display.lines_] == [
            [3, 2, 1],
            [4, 3, 3],
            [0, 0.5, 1],
        ]
        assert display.lines_[2].axes is display.score_ax_
        assert {line.get_linewidth() for line in display.lines_} == {3}
        labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
        assert labels == ["training", "validation", "validation score"]

    @pytest.mark.parametrize("nothing", [None, []])
    def test_no_validation(self, nothing):
        fitted = SimpleNamespace(loss_curve_=[1.0], validation_scores_=nothing)
        display = LossCurveDisplay.from_estimator(fitted)
        assert len(display.lines_) == 1
        assert display.lines_[0].get_marker() == "o"  # one point makes no line

    def test_axes_of_ones_own(self, pyplot):
        _, ax = pyplot.subplots()
        assert LossCurveDisplay([2, 1]).plot(ax).ax_ is ax
        assert len(pyplot.get_fignums()) == 1

    def test_not_fitted(self):
        with pytest.raises(ValueError, match="LossCurveDisplay: estimator must be fitted"):
            LossCurveDisplay.from_estimator(CNNClassifier())


class TestLearningRate:
    rates = np.geomspace(1e-5, 10, 100)
    losses = 2.3 - 2 / (1 + (0.01 / rates) ** 2) + (rates / 0.3) ** 3

    def test_the_suggestion_is_where_the_loss_falls(self):
        display = LearningRateDisplay.from_losses(self.rates, self.losses)
        assert 0.004 < display.suggestion < 0.02
        assert display.suggestion_line_.get_xdata()[0] == display.suggestion
        assert display.ax_.get_xscale() == "log"
        assert display.ax_.get_ylim()[1] < 5  # where it diverges does not flatten the rest

    def test_noise_and_divergence_do_not_mislead(self):
        noise = np.random.default_rng(0).normal(0, 0.03, 100)
        losses = np.where(self.rates > 3, np.nan, self.losses + noise)
        assert 0.002 < steepest_rate(self.rates, losses) < 0.04

    def test_no_suggestion(self):
        assert steepest_rate([1, 2, 3, 4], [1, 1, 2, 3]) is None
        assert steepest_rate([1, 2], [2, 1]) is None
        display = LearningRateDisplay([1, 2], [2, 1]).plot()
        assert display.suggestion_line_ is None
        LearningRateDisplay([1, 2], [np.nan, np.inf]).plot().figure_.canvas.draw()

    def test_lengths_differ(self):
        with pytest.raises(
            ValueError, match=r"must be of one length, got shapes \(3,\) and \(2,\)"
        ):
            LearningRateDisplay.from_losses([1, 2, 3], [2, 1])
