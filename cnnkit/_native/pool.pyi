from typing import Any

import numpy as np

from cnnkit.validate.shapes import Windows

class MaxPoolOp:
    def __init__(
        self,
        windows: Windows,
        x: np.ndarray,
        y: np.ndarray,
        where: np.ndarray | None,
        dy: np.ndarray | None = None,
        dx: np.ndarray | None = None,
    ) -> None: ...
    def forward(self, n: int) -> None: ...
    def backward(self, n: int) -> None: ...

class AvgPoolOp:
    def __init__(
        self,
        windows: Windows,
        x: np.ndarray | None,
        y: np.ndarray | None,
        count_include_pad: bool,
        dy: np.ndarray | None = None,
        dx: np.ndarray | None = None,
    ) -> None: ...
    def forward(self, n: int) -> None: ...
    def backward(self, n: int) -> None: ...

def __getattr__(name: str) -> Any: ...
