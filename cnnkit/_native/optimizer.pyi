from typing import Any

import numpy as np

def adam(
    weights: np.ndarray,
    grads: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    l2: float,
    decay: float,
) -> None: ...
def sgd(
    weights: np.ndarray,
    grads: np.ndarray,
    velocity: np.ndarray,
    rate: float,
    momentum: float,
    nesterov: bool,
    l2: float,
) -> None: ...
def __getattr__(name: str) -> Any: ...
