"""Layers wired together: what a network is, before it has arrays."""

from cnnkit.graph.graph import Graph, Residual, Sequential
from cnnkit.graph.symbols import Input, Symbol

__all__ = ["Graph", "Input", "Residual", "Sequential", "Symbol"]
