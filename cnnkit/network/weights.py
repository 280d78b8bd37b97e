"""The weights of a network as one flat vector, with a name for every part of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite, prod, sqrt
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cnnkit.exceptions import ModelFormatError
from cnnkit.validate import shapes
from cnnkit.validate.arrays import (
    check_range,
    check_unmasked,
    extremes,
    fill,
    pieces,
    real_dtype,
    zero_bytes,
)
from cnnkit.validate.pickles import check_parts, checking, stamped

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

    from cnnkit.layers.base import WeightSpec
    from cnnkit.typing import Array


class Weights(Mapping):
    """Arrays by path, such as ``"conv1/w"``, all of them views of the vector `flat`.

    Reading returns a view, which can be changed in place; assigning copies an array of the same
    shape. Weights with L2 regularisation come first, ``flat[:decayed]``; weights that are not
    trained come last, ``flat[trained:]``.

    Parameters
    ----------
    specs : dict of WeightSpec
        Specs by path, in the order of the network.
    dtype : dtype
    """

    def __init__(self, specs: Mapping[str, WeightSpec], dtype: DTypeLike) -> None:
        self.specs = dict(specs)
        sizes = {path: prod(spec.shape) for path, spec in self.specs.items()}
        dtype = np.dtype(dtype)
        self.flat = zero_bytes(sum(sizes.values()) * dtype.itemsize).view(dtype)
        self._views: dict[str, Array] = {}
        self._names: dict[str, list[str]] = {}  # names of the weights of every node
        for path in self.specs:
            node, _, name = path.rpartition("/")
            self._names.setdefault(node, []).append(name)
        self.decayed = self._lay_out(0, sizes, lambda spec: spec.trained and spec.decay)
        self.trained = self._lay_out(
            self.decayed, sizes, lambda spec: spec.trained and not spec.decay
        )
        self._lay_out(self.trained, sizes, lambda spec: not spec.trained)

    def _lay_out(self, start, sizes, belongs):
        for path, spec in self.specs.items():
            if belongs(spec):
                self._views[path] = self.flat[start : start + sizes[path]].reshape(spec.shape)
                start += sizes[path]
        return start

    def initialise(self, rng: np.random.Generator) -> Self:
        """Draw all weights from N(0, 2 / fan_in) (He et al., 2015), or set them to their start."""
        for path, spec in self.specs.items():
            if spec.fan_in:
                scale = sqrt(2 / spec.fan_in)
                flat = self[path].reshape(-1)
                for piece in pieces(flat.size):
                    flat[piece] = scale * rng.standard_normal(flat[piece].size)
            else:
                self[path] = spec.start
        return self

    def copy(self) -> Weights:
        """Return a copy."""
        other = self.like()
        fill(other.flat, self.flat)
        return other

    def take(self, source: Mapping[str, Any], owner: str) -> None:
        """Copy all arrays of the mapping `source`, which must have the same paths."""
        if set(source) != set(self):
            raise ValueError(f"{owner}: weights must be those of {list(self)}, got {list(source)}.")
        for path in self:
            self[path] = source[path]

    def extremes(self) -> tuple[float, float]:
        """Return the smallest and the largest number, or NaN if there is a NaN."""
        return extremes(self.flat)

    def check_numbers(self, owner: str) -> None:
        """Raise unless all numbers are finite and at least the minimum of their spec."""
        for path, spec in self.specs.items():
            least, greatest = extremes(self[path])
            if not (isfinite(least) and isfinite(greatest) and least >= spec.least):
                bound = f" of at least {spec.least}" if isfinite(spec.least) else ""
                raise ModelFormatError(
                    f"{owner}: {path} must be finite numbers{bound}, got {least} to {greatest}."
                )

    def like(self) -> Weights:
        """Return zeros with the same layout, for gradients."""
        return Weights(self.specs, self.flat.dtype)

    def of(self, node: str) -> dict[str, Array]:
        """Return the arrays of one node as a dict by the layer's own names."""
        return {name: self._views[f"{node}/{name}"] for name in self._names.get(node, ())}

    def __getitem__(self, path: str) -> Array:
        return self._views[path]

    def __setitem__(self, path: str, value: ArrayLike) -> None:
        check_unmasked(value, path, "Weights")
        value = np.asarray(value)
        real_dtype(value.dtype, path, "Weights")
        view = self._views[path]
        if value.ndim and value.shape != view.shape:
            raise ValueError(f"Weights: {path} must have shape {view.shape}, got {value.shape}.")
        check_range(value, view.dtype, path, "Weights")
        view[...] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self.specs)

    def __len__(self) -> int:
        return len(self.specs)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{path} {spec.shape}" for path, spec in self.specs.items())
        return f"Weights({shapes})"

    def __getstate__(self):
        return stamped({"specs": self.specs, "flat": np.array(self.flat)})

    def __setstate__(self, state):
        with checking(state, "Weights") as parts:
            check_parts(parts, {"specs": dict, "flat": np.ndarray}, "Weights")
            specs, flat = parts["specs"], parts["flat"]
            count = sum(prod(shapes.sample_shape(spec.shape, path)) for path, spec in specs.items())
            if flat.dtype not in (np.float32, np.float64) or flat.shape != (count,):
                raise ModelFormatError(
                    f"Weights: flat in a pickle must be {count} floats, got {flat.dtype} of "
                    f"shape {flat.shape}."
                )
            self.__init__(specs, flat.dtype)
            self.flat[:] = flat
