from typing import Any

import numpy as np

PLACES: dict[str, int]

class ActivationOp:
    def __init__(
        self,
        kind: str,
        x: np.ndarray | None,
        y: np.ndarray | None,
        saved: np.ndarray | None = None,
        dy: np.ndarray | None = None,
        dx: np.ndarray | None = None,
        alpha: float = 0,
    ) -> None: ...
    def forward(self, n: int) -> None: ...
    def backward(self, n: int) -> None: ...

class PReLUOp:
    scratch_bytes: int
    def __init__(
        self,
        x: np.ndarray,
        slope: np.ndarray,
        y: np.ndarray,
        dy: np.ndarray | None = None,
        dx: np.ndarray | None = None,
        dslope: np.ndarray | None = None,
    ) -> None: ...
    def attach(self, scratch: np.ndarray) -> None: ...
    def forward(self, n: int) -> None: ...
    def backward(self, n: int) -> None: ...

def __getattr__(name: str) -> Any: ...
