from typing import Any

import numpy as np

class BatchNormOp:
    momentum: float
    scratch_bytes: int

    def __init__(
        self,
        x: np.ndarray,
        gamma: np.ndarray,
        beta: np.ndarray,
        running_mean: np.ndarray,
        running_var: np.ndarray,
        y: np.ndarray,
        momentum: float,
        eps: float,
        dy: np.ndarray | None = None,
        dx: np.ndarray | None = None,
        dgamma: np.ndarray | None = None,
        dbeta: np.ndarray | None = None,
    ) -> None: ...
    def attach(self, scratch: np.ndarray) -> None: ...
    def forward(self, n: int) -> None: ...
    def backward(self, n: int) -> None: ...

class AffineOp:
    def __init__(
        self, x: np.ndarray, mean: np.ndarray, a: np.ndarray, b: np.ndarray, y: np.ndarray
    ) -> None: ...
    def forward(self, n: int) -> None: ...

def __getattr__(name: str) -> Any: ...
