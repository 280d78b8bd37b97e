"""Loss functions, and the scores that go with them."""

from cnnkit.losses.base import Loss, OwnLoss, inverse_link
from cnnkit.losses.classification import (
    SigmoidCrossEntropy,
    SigmoidFocal,
    SoftmaxCrossEntropy,
    SoftmaxFocal,
)
from cnnkit.losses.gradients import check_gradient
from cnnkit.losses.pixels import Pixelwise
from cnnkit.losses.regression import (
    AbsoluteError,
    GammaDeviance,
    Huber,
    Pinball,
    PoissonDeviance,
    Regression,
    SquaredError,
)

__all__ = [
    "AbsoluteError",
    "GammaDeviance",
    "Huber",
    "Loss",
    "OwnLoss",
    "Pinball",
    "Pixelwise",
    "PoissonDeviance",
    "Regression",
    "SigmoidCrossEntropy",
    "SigmoidFocal",
    "SoftmaxCrossEntropy",
    "SoftmaxFocal",
    "SquaredError",
    "check_gradient",
    "inverse_link",
]

# as they are called in messages, pickles and files, wherever they are written
for _name in __all__:
    globals()[_name].__module__ = __name__
del _name
