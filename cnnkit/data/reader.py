"""A transformer from a column of paths to a lazy array of images."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from cnnkit.data.decoding import check_form, pillow
from cnnkit.data.image_files import ImageFiles, check_jobs, settled
from cnnkit.data.lazy import LazyArray
from cnnkit.validate.values import short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnkit.typing import FilePath


class Named(str):
    """A text that can be called: the hyper-parameter `fit`, and the method of that name."""

    def __call__(self, *args, **kwargs):
        return self.method(*args, **kwargs)


class MethodAndParameter:
    """A method whose name is also that of a hyper-parameter, a text."""

    def __init__(self, method):
        self.method = method
        self.__doc__ = method.__doc__

    def __get__(self, instance, owner):
        if instance is None:
            return self.method
        found = Named(vars(instance).get("fit", ""))
        found.method = partial(self.method, instance)
        return found

    def __set__(self, instance, value):
        vars(instance)["fit"] = value


class ImageReader(TransformerMixin, BaseEstimator):
    """Read images whose paths are in a column of a table, or in a list.

    It learns nothing, so it may stand before any estimator in a Pipeline; a search then hands out
    rows of the table, and images are read where they are needed.

    Parameters
    ----------
    column : str, default=None
        Name of the column with the paths, if X is a data frame of pandas or polars. None needs an X
        that has one column, or is a list, an array or a series of paths.
    size : int or (height, width), default=None
        Size to which all images are brought. None needs images of one size.
    mode : {"L", "RGB", "RGBA", "I;16", "F"}, default="RGB"
        Pixels as Pillow names them: see `load_image_folder`.
    fit : {"stretch", "crop", "pad"}, default="stretch"
        How an image gets another shape: see `load_image_folder`.
    fill : number, one for each channel, or "reflect", default=0
        What lies around a padded image.
    root : path, default=None
        Folder at which relative paths begin; None means the working directory.
    cache : "memory", default=None
        Whether the images of a call of `transform` are kept in memory once they were decoded.
    n_jobs : int, default=None
        Threads that decode; None means one for each core.

    Raises
    ------
    ImportError
        If Pillow is not installed: ``pip install cnnkit[image]``.
    OSError
        When an image is read, if its file cannot be read; it names the file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from sklearn.pipeline import make_pipeline
    >>> from cnnkit import CNNClassifier
    >>> from cnnkit.data import ImageReader
    >>> pipe = make_pipeline(ImageReader(size=16), CNNClassifier(max_iter=2, random_state=0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [Path(folder, f"{colour}.png") for colour in ("red", "lime", "blue", "navy")]
    ...     for path in paths:
    ...         Image.new("RGB", (40, 30), path.stem).save(path)
    ...     pipe.fit(paths, ["warm", "cold", "cold", "cold"])[-1].input_shape_
    (16, 16, 3)
    """

    def __init__(
        self,
        column: str | None = None,
        *,
        size: int | Sequence[int] | None = None,
        mode: Literal["L", "RGB", "RGBA", "I;16", "F"] = "RGB",
        fit: Literal["stretch", "crop", "pad"] = "stretch",
        fill: float | Sequence[float] | Literal["reflect"] = 0,
        root: FilePath | None = None,
        cache: Literal["memory"] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.column = column
        self.size = size
        self.mode = mode
        self.fit = fit
        self.fill = fill
        self.root = root
        self.cache = cache
        self.n_jobs = n_jobs

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the hyper-parameters by name.

        Parameters
        ----------
        deep : bool, default=True
            No hyper-parameter has some of its own.

        Returns
        -------
        params : dict of str to object
            Values by name.

        Examples
        --------
        >>> from cnnkit.data import ImageReader
        >>> ImageReader(size=64, fit="crop").get_params()["fit"]
        'crop'
        """
        return {name: vars(self)[name] for name in self._get_param_names()}

    @MethodAndParameter
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the hyper-parameters and that X has paths; no file is opened.

        Parameters
        ----------
        X : data frame, or list, array or series of paths
            Paths of images: see `column`.
        y : None
            Not used.

        Returns
        -------
        self : ImageReader
            The transformer itself.

        Raises
        ------
        ValueError, TypeError
            If a hyper-parameter is out of range, or X has no paths.

        Examples
        --------
        >>> import pandas as pd
        >>> from cnnkit.data import ImageReader
        >>> table = pd.DataFrame({"photo": ["a.png", "b.png"], "species": ["cat", "dog"]})
        >>> ImageReader("photo", size=64).fit(table)
        ImageReader(column='photo', size=64)
        """
        self._check()
        self._paths(X)
        return self

    def transform(self, X: Any) -> LazyArray:
        """Return the images whose paths are in X; files are opened when images are read.

        Parameters
        ----------
        X : data frame, or list, array or series of paths
            Paths of images: see `column`.

        Returns
        -------
        images : LazyArray of shape (n, H, W, C)
            In the order of the paths.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from cnnkit.data import ImageReader
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "red.png")
        ...     Image.new("RGB", (4, 2), "red").save(path)
        ...     images = ImageReader().fit_transform([path])
        ...     images, images[0][0, 0].tolist()
        (LazyArray(1 x 2 x 4 x 3, uint8), [255, 0, 0])
        """
        self._check()
        paths, readers = self._paths(X), check_jobs(self.n_jobs, "ImageReader")
        form = settled(
            paths, self.size, self.mode, str(self.fit), self.fill, readers, "ImageReader"
        )
        return LazyArray(ImageFiles(paths, form), n_jobs=readers, cache=self.cache)

    def _check(self):
        """Raise if Pillow is missing or a hyper-parameter is wrong."""
        pillow()
        check_form(self.size, self.mode, str(self.fit), self.fill, "ImageReader")
        check_jobs(self.n_jobs, "ImageReader")
        if self.cache not in (None, "memory"):  # every call has other images
            raise ValueError(f'ImageReader: cache must be "memory" or None, got {self.cache!r}.')

    def _paths(self, X):
        """Return the paths in X, as a list of str."""
        if hasattr(X, "columns"):
            names = list(X.columns)
            if self.column is None and len(names) != 1:
                raise ValueError(
                    f"ImageReader: column must name the column with the paths, one of "
                    f"{short(names)}, got None."
                )
            if self.column is not None and self.column not in names:
                raise ValueError(
                    f"ImageReader: column must be one of {short(names)}, got {self.column!r}."
                )
            X = X[names[0] if self.column is None else self.column]
        elif self.column is not None:
            raise ValueError(
                f"ImageReader: X must be a data frame with the column {self.column!r}, got a "
                f"{type(X).__name__}."
            )
        elif isinstance(X, (str, bytes, os.PathLike)):
            raise ValueError(f"ImageReader: X must be a list of paths, got one, {X!r}.")
        found = np.empty(len(X), object)
        found[:] = [entry[0] if np.shape(entry) == (1,) else entry for entry in X]
        for row, path in enumerate(found):
            if not isinstance(path, (str, bytes, os.PathLike)) or not os.fspath(path):
                raise ValueError(
                    f"ImageReader: X must hold paths of files, got {short(path)} in row {row}."
                )
        root = os.getcwd() if self.root is None else os.fsdecode(self.root)
        return [os.path.abspath(os.path.join(root, os.fsdecode(path))) for path in found]

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags
