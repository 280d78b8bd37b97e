from typing import Any

import numpy as np

from cnnkit.validate.shapes import Windows

ALGORITHMS: tuple[str, ...]

class ConvOp:
    scratch_bytes: int
    packed_bytes: int
    uses_blas: bool
    algorithms: tuple[str, ...]

    def __init__(
        self,
        windows: Windows,
        groups: int,
        x: np.ndarray,
        w: np.ndarray,
        b: np.ndarray | None,
        y: np.ndarray | None,
        dy: np.ndarray | None = None,
        dx: np.ndarray | None = None,
        dw: np.ndarray | None = None,
        db: np.ndarray | None = None,
        algorithm: str = "auto",
        relu: bool = False,
        scale: np.ndarray | None = None,
        owner: str = "Conv",
    ) -> None: ...
    def attach(self, scratch: np.ndarray) -> None: ...
    def prepack(self, memory: np.ndarray) -> None: ...
    def forward(self, n: int) -> None: ...
    def backward(self, n: int) -> None: ...

def __getattr__(name: str) -> Any: ...
