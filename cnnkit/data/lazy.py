"""Lazy arrays: images that are read a batch at a time, from wherever they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnnkit.data.cache import cached
from cnnkit.data.containers import Concatenated, container_of, is_container, read
from cnnkit.validate import shapes
from cnnkit.validate.values import short

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import DTypeLike

    from cnnkit.typing import Array, FilePath

JOINS = (np.concatenate, np.vstack)


class LazyArray:
    """Rows of an array that are read when they are needed.

    Slices, masks and arrays of indices give another lazy array, and read nothing; so
    cross-validation, `train_test_split` and ``np.concatenate`` keep it lazy. One index gives one
    image, and `numpy.asarray` reads all. The estimators read a batch at a time, in threads beside
    training.

    Parameters
    ----------
    source : array-like of shape (n, ...)
        A data set of h5py, an array of zarr or dask, a memory map, or any object with a ``shape``,
        a NumPy ``dtype``, and ``source[rows]`` for a slice or an increasing array of indices, which
        returns what `numpy.asarray` takes. Memory maps and data sets of h5py are pickled as the
        names of their files, which are opened again where they are unpickled.
    n_jobs : int, default=1
        Threads that read at once. More than one need a source that several threads may read.
        Results do not depend on it.
    cache : "memory" or path, default=None
        Where rows are kept once they were read: in memory, or in one file, by a memory map. The
        file serves later runs and other processes if it can be known to be of the same source, as
        of image files, data sets of h5py and memory maps; else it is begun anew.

    Attributes
    ----------
    shape : tuple
        Number of rows, and the shape of one.
    dtype : numpy.dtype
        Type of the numbers.
    ndim : int
        Number of axes.

    Raises
    ------
    TypeError
        If `source` is no array of real numbers with an axis for the rows.
    ValueError
        If `cache` is a file of another kind, which is left as it is.
    MemoryError, OSError
        If there is no room for the cache.

    See Also
    --------
    load_image_folder : Photos in folders, a folder for each class.
    ImageReader : From a column of paths to a lazy array.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.data import LazyArray
    >>> X = LazyArray(np.zeros((1000, 32, 32, 3), np.uint8))
    >>> X[::2]
    LazyArray(500 x 32 x 32 x 3, uint8)
    >>> X[3].shape, np.asarray(X[:5]).shape
    ((32, 32, 3), (5, 32, 32, 3))
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    n_jobs: int

    def __init__(
        self,
        source: Any,
        *,
        n_jobs: int = 1,
        cache: Literal["memory"] | FilePath | None = None,
    ) -> None:
        if not isinstance(source, np.ndarray) and not is_container(source):
            raise TypeError(
                f"LazyArray: source must be an array with a shape (n, ...) and a NumPy dtype, got "
                f"{short(source)}."
            )
        if source.dtype.kind not in "fiub" or len(source.shape) < 2:
            raise TypeError(
                f"LazyArray: source must hold rows of real numbers, got {source.dtype} of shape "
                f"{tuple(source.shape)}."
            )
        shapes.as_int(n_jobs, "n_jobs", "LazyArray", 1)
        self._settle(cached(container_of(source), cache), None, n_jobs)

    def _settle(self, source, rows, n_jobs):
        self._source, self._rows, self.n_jobs = source, rows, n_jobs
        self.dtype = np.dtype(source.dtype)
        count = source.shape[0] if rows is None else len(rows)
        self.shape = (int(count), *map(int, source.shape[1:]))
        return self

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({' x '.join(map(str, self.shape))}, {self.dtype})"

    def read(self, rows: Any) -> Array:
        """Return some rows as an array of NumPy.

        Parameters
        ----------
        rows : slice, mask or array of indices
            In any order; they may repeat.

        Returns
        -------
        array : array of shape (n_rows, ...)
            In the order of `rows`.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.data import LazyArray
        >>> LazyArray(np.arange(6).reshape(3, 2)).read([2, 0])
        array([[4, 5],
               [0, 1]])
        """
        return read(self._source, self._indices(rows))

    def __getitem__(self, key: Any) -> Any:
        """Return rows as a lazy array; one row, or a part of each row, as an array of NumPy."""
        rows, *rest = key if isinstance(key, tuple) else (key,)
        if rows is Ellipsis:
            return np.asarray(self)[key] if rest else self
        if isinstance(rows, (int, np.integer)) and not isinstance(rows, (bool, np.bool_)):
            return self.read([rows])[0][tuple(rest)]
        if any(part is not Ellipsis and part != slice(None) for part in rest):
            return self.read(rows)[(slice(None), *rest)]
        made = object.__new__(type(self))
        return made._settle(self._source, self._indices(rows), self.n_jobs)

    def _indices(self, key):
        """Return the rows of the source that a slice, a mask or indices mean."""
        if not isinstance(key, slice):
            key = np.asarray(key)
            if key.ndim != 1:
                raise IndexError(f"LazyArray: rows must be one axis of indices, got {short(key)}.")
            key = key if len(key) else key.astype(np.intp)
        rows = np.arange(len(self)) if self._rows is None else self._rows
        return rows[key]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("LazyArray: copy must not be False, its numbers are read from files.")
        return self.read(slice(None)).astype(self.dtype if dtype is None else dtype, copy=False)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function in JOINS and kwargs.get("axis", 0) == 0 and len(args) == 1:
            parts = list(args[0])
            if len({tuple(np.shape(part)[1:]) for part in parts}) == 1:
                return concatenate(parts)
        if function is np.shape:
            return self.shape
        args, kwargs = _read_all(args), _read_all(kwargs)
        return function(*args, **kwargs)


def concatenate(parts):
    """Return a lazy array of the rows of several, of which some may be arrays of NumPy."""
    lazy = [part if isinstance(part, LazyArray) else LazyArray(part) for part in parts]
    joined = Concatenated([(part._source, part._indices(slice(None))) for part in lazy])
    return LazyArray(joined, n_jobs=max(part.n_jobs for part in lazy))


def _read_all(value):
    """Return `value`, in which lazy arrays are replaced by arrays of NumPy."""
    if isinstance(value, LazyArray):
        return np.asarray(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_read_all(entry) for entry in value)
    if isinstance(value, dict):
        return {name: _read_all(entry) for name, entry in value.items()}
    return value
