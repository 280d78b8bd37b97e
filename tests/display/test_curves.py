"""Curves of the loss."""

from types import SimpleNamespace

import numpy as np
import pytest

from cnnkit import CNNClassifier, CNNRegressor, lr_find
from cnnkit.display import LearningRateDisplay, LossCurveDisplay
from cnnkit.estimators.lr_find import RateRange

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

    @pytest.mark.parametrize("kind", [CNNClassifier, CNNRegressor])
    def test_of_a_fit_with_validation(self, kind, digits):
        images, y = digits[0], np.arange(200) % 2
        estimator = kind(max_iter=3, random_state=0, early_stopping=True).fit(images, y)
        lines = LossCurveDisplay.from_estimator(estimator).lines_
        assert [line.get_ydata().tolist() for line in lines] == [
            estimator.loss_curve_,
            estimator.validation_loss_curve_,
            estimator.validation_scores_,
        ]

    @pytest.mark.parametrize("nothing", [None, []])
    def test_no_validation(self, nothing):
        fitted = SimpleNamespace(loss_curve_=[1.0], validation_scores_=nothing)
        display = LossCurveDisplay.from_estimator(fitted)
        assert len(display.lines_) == 1
        assert display.lines_[0].get_marker() == "o"  # one point makes no line

    def test_all_scores(self, digits):
        images, y = digits[0], np.arange(200) % 2
        names = ["accuracy", "neg_log_loss"]
        clf = CNNClassifier(max_iter=2, random_state=0, scoring=names, return_train_score=True)
        clf.fit(images, y, X_val=images, y_val=y)
        display = LossCurveDisplay.from_estimator(clf)
        lines = {line.get_label(): line for line in display.lines_[2:]}
        assert [name.replace(" ", "_", 1) for name in lines] == list(clf.score_curves_)
        for name, line in lines.items():
            assert line.get_ydata().tolist() == clf.score_curves_[name.replace(" ", "_", 1)]
            assert line.axes is display.score_ax_
        assert display.score_ax_.get_ylabel() == "score"
        ours, theirs = lines["validation accuracy"], lines["train accuracy"]
        assert ours.get_color() == theirs.get_color() != lines["train neg_log_loss"].get_color()
        assert ours.get_linewidth() > theirs.get_linewidth()

    def test_axes_of_ones_own(self, pyplot):
        _, ax = pyplot.subplots()
        assert LossCurveDisplay([2, 1]).plot(ax).ax_ is ax
        assert len(pyplot.get_fignums()) == 1

    def test_not_fitted(self):
        with pytest.raises(ValueError, match="LossCurveDisplay: estimator must be fitted"):
            LossCurveDisplay.from_estimator(CNNClassifier())


class TestLearningRate:
    def test_of_an_estimator(self, digits):
        clf = CNNClassifier(random_state=0)
        found = lr_find(clf, *digits, low=1e-4, steps=40)
        display = LearningRateDisplay.from_estimator(clf, *digits, low=1e-4, steps=40, color="red")
        assert display.learning_rates.tolist() == found.learning_rates.tolist()
        assert display.losses.tolist() == found.losses.tolist()
        assert display.suggestion == found.suggestion
        assert display.suggestion_line_.get_xdata()[0] == display.suggestion
        assert display.ax_.get_xscale() == "log"
        assert display.line_.get_color() == "red"
        assert not hasattr(clf, "network_")

    def test_of_what_was_found_before(self, pyplot):
        found = RateRange(np.array([1e-3, 1e-2, 1e-1]), np.array([2.0, 1.0, 9.0]), 1e-3)
        _, ax = pyplot.subplots()
        display = LearningRateDisplay.from_range(found, ax=ax)
        assert display.ax_ is ax
        assert display.line_.get_ydata().tolist() == [2, 1, 9]
        assert display.suggestion == 1e-3

    def test_what_diverges_does_not_flatten_the_rest(self):
        rates = np.geomspace(1e-5, 10, 100)
        losses = 2.3 - 2 / (1 + (0.01 / rates) ** 2) + (rates / 0.3) ** 3
        losses[-3:] = np.nan
        assert LearningRateDisplay(rates, losses).plot().ax_.get_ylim()[1] < 5

    def test_no_suggestion(self):
        display = LearningRateDisplay([1, 2], [2, 1]).plot()
        assert display.suggestion_line_ is None
        LearningRateDisplay([1, 2], [np.nan, np.inf]).plot().figure_.canvas.draw()
