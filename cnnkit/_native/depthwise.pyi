from typing import Any

import numpy as np

from cnnkit.validate.shapes import Windows

class DepthwiseOp:
    scratch_bytes: int
    algorithms: tuple[str, ...]

    def __init__(
        self,
        windows: Windows,
        x: np.ndarray,
        w: np.ndarray,
        b: np.ndarray | None,
        y: np.ndarray,
        dy: np.ndarray | None = None,
        dx: np.ndarray | None = None,
        dw: np.ndarray | None = None,
        db: np.ndarray | None = None,
        relu: bool = False,
        scale: np.ndarray | None = None,
    ) -> None: ...
    def attach(self, scratch: np.ndarray) -> None: ...
    def forward(self, n: int) -> None: ...
    def backward(self, n: int) -> None: ...

def __getattr__(name: str) -> Any: ...
