"""The estimators, which fulfil scikit-learn's contract."""

from cnnkit.estimators.classifier import CNNClassifier
from cnnkit.estimators.features import CNNFeatures
from cnnkit.estimators.image_regressor import CNNImageRegressor
from cnnkit.estimators.regressor import CNNRegressor
from cnnkit.estimators.segmenter import CNNSegmenter

__all__ = ["CNNClassifier", "CNNFeatures", "CNNImageRegressor", "CNNRegressor", "CNNSegmenter"]
