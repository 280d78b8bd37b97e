from typing import Any

import numpy as np

class ResampleOp:
    def __init__(
        self,
        scale: tuple[int, int],
        bilinear: bool,
        x: np.ndarray,
        y: np.ndarray,
        dy: np.ndarray | None = None,
        dx: np.ndarray | None = None,
    ) -> None: ...
    def forward(self, n: int) -> None: ...
    def backward(self, n: int) -> None: ...

def __getattr__(name: str) -> Any: ...
