"""Scores of every epoch, by the scorers of scikit-learn that `scoring` names."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from math import isnan

from cnnkit.estimators.snapshot import snapshot
from cnnkit.exceptions import DivergenceError
from cnnkit.network.prediction import check_outputs
from cnnkit.validate.guesses import ended, for_value
from cnnkit.validate.values import short

# learned attributes that are known at the end of a fit
LATER = (
    *("validation_loss_curve_", "validation_scores_", "score_curves_"),
    "best_validation_score_",
)
UNNAMED = "score"  # the name of a score that `scoring` does not name, as in cross_validate
RULE = "the name of a scorer of scikit-learn or a callable scorer(estimator, X, y)"


def find_scorers(estimator):
    """Return the scorers of `scoring` by name, the one that decides first; None for None."""
    given = _by_name(estimator.scoring, type(estimator).__name__)
    if given is None:
        return None
    return {name: _scorer(estimator, name, scoring) for name, scoring in given.items()}


def count_named(estimator, validated):
    """Return how many scores of an epoch have names; `validated` says if samples are validated."""
    if estimator.scoring is None and not estimator.return_train_score:
        return 0
    given = _by_name(estimator.scoring, type(estimator).__name__)
    return (1 if given is None else len(given)) * (validated + estimator.return_train_score)


def _by_name(scoring, owner):
    if scoring is None:
        return None
    if isinstance(scoring, str):
        return {scoring: scoring}
    if callable(scoring):
        return {UNNAMED: scoring}
    named = isinstance(scoring, Mapping)
    sound = all(isinstance(name, str) and name for name in scoring)
    if not scoring or not sound or (not named and len(set(scoring)) < len(scoring)):
        rule = "scorers by their names" if named else "different names of scorers, or a dict"
        raise ValueError(f"{owner}: scoring must be {rule}, got {short(scoring)}.")
    return dict(scoring) if named else {name: name for name in scoring}


def _scorer(estimator, name, scoring):
    """Return the scorer for one value of `scoring`."""
    from sklearn.metrics import check_scoring, get_scorer_names

    owner, advice = type(estimator).__name__, None
    try:
        if isinstance(scoring, str) or callable(scoring):
            return check_scoring(estimator, scoring)
    except ValueError as error:  # an unknown name, or a function of sklearn.metrics
        advice = str(error)
        if isinstance(scoring, str):
            advice = for_value("scoring", scoring, get_scorer_names())
            advice = advice or "sklearn.metrics.get_scorer_names() returns all names"
    place = "scoring" if name in (scoring, UNNAMED) else f"scoring[{name!r}]"
    raise ValueError(ended(f"{owner}: {place} must be {RULE}, got {short(scoring)}.", advice))


class Known:
    """Outputs of a network that were computed before: those for `samples`, the very object.

    Copies and pickles of an estimator leave them out, as they have other objects.
    """

    def __init__(self, samples, outputs):
        self.samples = samples
        self.outputs = outputs

    def outputs_for(self, owner):
        """Return a copy of the outputs, which must be finite numbers."""
        check_outputs(self.outputs, owner)
        return self.outputs.copy()

    def __reduce__(self):
        return type(None), ()


class Scorers:
    """The scorers of a fit, which score the network as it is at the end of an epoch.

    They are given an estimator that has learned the present weights. What it predicts for the
    samples to score comes from outputs that were computed once for all scorers.

    Parameters
    ----------
    estimator : estimator
    scorers : dict of callables by name
    data : TrainingData
    run : Training
    """

    def __init__(self, estimator, scorers, data, run):
        self.owner = type(estimator).__name__
        self.scorers = scorers
        self.names = list(scorers)
        self.weighted = {name for name, scorer in scorers.items() if _takes_weights(scorer)}
        self.read = {name for name, scorer in scorers.items() if not _only_predicts(scorer)}
        self.run = run
        self.estimator = snapshot(estimator)
        vars(self.estimator).update(data.learnt, input_shape_=data.shape, **dict.fromkeys(LATER))
        for name in ("_skl_callbacks", "_training", "feature_names_in_"):  # X will be an array
            vars(self.estimator).pop(name, None)
        self._warned = set()

    def start(self, network, weights):
        """Bind the estimator to the weights for prediction, which steps change."""
        self.estimator.network_ = network.resized(1, weights=weights)

    def __call__(self, outputs, samples):
        """Return a list of the scores of `samples`, a `Validation`, with these outputs."""
        curve = list(self.run.loss_curve)
        learnt = {"loss_curve_": curve, "loss_": curve[-1], "n_iter_": len(curve)}
        vars(self.estimator).update(learnt)
        return [self._score(name, outputs, samples) for name in self.names]

    def _score(self, name, outputs, samples):
        X = samples.images if name in self.read else samples
        weights = samples.sample_weight if name in self.weighted else None
        options = {} if weights is None else {"sample_weight": weights}
        estimator = snapshot(self.estimator)  # a scorer may change it
        estimator._known = Known(X, outputs)
        try:
            found = float(self.scorers[name](estimator, X, samples.y, **options))
        except DivergenceError:  # as the outputs are no finite numbers
            found = float("nan")
        except Exception as error:
            raise ValueError(
                f"{self.owner}: scoring must give a number in every epoch, got "
                f"{type(error).__name__} from {self._shown(name)}: {error}"
            ) from error
        if isnan(found) and name not in self._warned:
            self._warned.add(name)
            warnings.warn(
                f"{self.owner}: {self._shown(name)} is NaN: such an epoch is never the best.",
                UserWarning,
                stacklevel=2,
            )
        return found

    def _shown(self, name):
        return repr(name) if name != UNNAMED else f"the scorer {short(self.scorers[name])}"


def shown_targets(y):
    """Return y as scorers are given it: indicators of labels are 0 and 1, as predicted."""
    return y.astype(int) if y.dtype == bool and y.ndim == 2 else y


def _only_predicts(scorer):
    """Say whether a scorer needs of X only what the estimator predicts: scikit-learn's own."""
    from sklearn.metrics._scorer import _BaseScorer

    return isinstance(scorer, _BaseScorer)


def _takes_weights(scorer):
    """Say whether a scorer takes `sample_weight`."""
    function = getattr(scorer, "_score_func", scorer)
    try:
        found = inspect.signature(function).parameters
    except (TypeError, ValueError):  # of a function in C
        return False
    kinds = {entry.kind for entry in found.values()}
    return "sample_weight" in found or inspect.Parameter.VAR_KEYWORD in kinds
