"""Conversions of a graph for which its own module imports nothing: JSON, DOT."""

from collections.abc import Callable
from typing import Any

# functions by the name of the method of `Graph` that passes on to them; ``cnnkit/__init__.py`` puts
# them here, and each imports its module when it is first called
CONVERSIONS: dict[str, Callable[..., Any]] = {}
