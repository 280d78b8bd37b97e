"""Graphs: layers wired together, without arrays."""

from cnnkit.graph.graph import Graph, Residual, Sequential
from cnnkit.graph.symbols import Input, Symbol

__all__ = ["Graph", "Input", "Residual", "Sequential", "Symbol"]
