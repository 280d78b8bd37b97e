"""The estimators, which fulfil scikit-learn's contract."""

from cnnkit.estimators.classifier import CNNClassifier
from cnnkit.estimators.features import CNNFeatures
from cnnkit.estimators.regressor import CNNRegressor

__all__ = ["CNNClassifier", "CNNFeatures", "CNNRegressor"]
