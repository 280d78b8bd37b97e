"""Types in the signatures of cnnkit, for annotations of your own code.

>>> from cnnkit import Layer
>>> from cnnkit.typing import Shape
>>> class Halve(Layer):
...     def output_shape(self, input_shape: Shape) -> Shape:
...         return (*input_shape[:-1], input_shape[-1] // 2)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cnnkit.estimators.base import BaseCNN
from cnnkit.graph.graph import Graph
from cnnkit.layers.base import Layer

# arrays
Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.floating[Any]]  # float64 if a given array is float64, else float32

# sizes
Shape: TypeAlias = tuple[int, ...]  # of one sample: (H, W, C) or (units,)
InputShape: TypeAlias = Sequence[int] | Mapping[str, Sequence[int]]  # several inputs: by name
IntPair: TypeAlias = int | tuple[int, int] | list[int]  # one number, or (vertical, horizontal)
Sides: TypeAlias = IntPair | tuple[tuple[int, int], tuple[int, int]]  # ((top, bottom), ...)
Padding: TypeAlias = Sides | Literal["valid", "same"]

# layers
Passthrough: TypeAlias = Literal["passthrough"]  # a layer that does nothing
Layers: TypeAlias = Sequence[Layer | Passthrough | tuple[str, Layer | Passthrough]]
Branch: TypeAlias = Layer | Layers | None  # None is the input itself
Branches: TypeAlias = Sequence[Branch | tuple[str, Layer | Sequence[Any] | None]]
Nodes: TypeAlias = Sequence[tuple[str, Layer | Passthrough, str | Sequence[str]]]
Model: TypeAlias = str | Callable[..., Graph]  # a function of cnnkit.models, or its name

# words
Algorithm: TypeAlias = Literal["auto", "exact", "direct", "im2col", "winograd"]
DataFormat: TypeAlias = Literal["channels_last", "channels_first"]
ClassWeight: TypeAlias = (
    Mapping[Any, float] | Sequence[Mapping[int, float]] | Literal["balanced"] | None
)
RegressionLoss: TypeAlias = Literal[
    "squared_error", "absolute_error", "huber", "quantile", "poisson", "gamma"
]
Fill: TypeAlias = Literal["zero", "edge"]

# other
Estimator: TypeAlias = BaseCNN  # CNNClassifier or CNNRegressor
FilePath: TypeAlias = str | bytes | PathLike[str] | PathLike[bytes]
RandomState: TypeAlias = int | np.random.RandomState | None
Scorer: TypeAlias = str | Callable[..., float]  # a name of scikit-learn, or scorer(estimator, X, y)
Scoring: TypeAlias = Scorer | Sequence[str] | Mapping[str, Scorer] | None
