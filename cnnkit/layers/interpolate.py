"""Images of any other size, by interpolation."""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cnnkit.layers.base import Layer, Slots, image_input
from cnnkit.layers.op import Op
from cnnkit.validate import shapes
from cnnkit.validate.values import as_choice, as_real

if TYPE_CHECKING:
    from cnnkit.typing import IntPair, Shape

METHODS = ("nearest", "bilinear", "bicubic")
COORDINATES = (
    *("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"),
    *("asymmetric", "align_corners", "tf_crop_and_resize"),
)
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


class Resize(Layer):
    """Images of another size, as the operator Resize of ONNX defines it.

    `UpSample` is faster where images become larger by whole numbers.

    Parameters
    ----------
    size : int or pair of ints
        (height, width) of the output.
    method : {"nearest", "bilinear", "bicubic"}, default="nearest"
        How a pixel follows from those around it: the nearest, 2 x 2, or 4 x 4 of them.
    scale : pair of floats, default=None
        What a pixel is enlarged by, where that is not the ratio of the sizes.
    coordinates : str, default="half_pixel"
        Where a pixel of the output lies in the input: "half_pixel" (PyTorch's
        ``align_corners=False``, TensorFlow 2), "pytorch_half_pixel", "half_pixel_symmetric",
        "asymmetric", "align_corners", or "tf_crop_and_resize".
    rounding : {"round_prefer_floor", "round_prefer_ceil", ...}, default="round_prefer_floor"
        Which pixel is the nearest one; also "floor" and "ceil".
    cubic : float, default=-0.75
        The coefficient a of the cubic kernel (Keys, 1981).
    antialias : bool, default=False
        Whether the kernel becomes wider where images become smaller.
    exclude_outside : bool, default=False
        Whether pixels past the edge count nothing, rather than as those at the edge.
    crop : tuple of 4 floats, default=None
        (top, left, bottom, right) in units of the image, for "tf_crop_and_resize".
    outside : float, default=0.0
        What lies outside of the image, for "tf_crop_and_resize".

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, for another size or word, or an input that is no images.

    Examples
    --------
    >>> from cnnkit import Resize
    >>> Resize((7, 5), method="bilinear").output_shape((4, 4, 8))
    (7, 5, 8)
    """

    def __init__(
        self,
        size: IntPair,
        *,
        method: Literal["nearest", "bilinear", "bicubic"] = "nearest",
        scale: tuple[float, float] | None = None,
        coordinates: str = "half_pixel",
        rounding: str = "round_prefer_floor",
        cubic: float = -0.75,
        antialias: bool = False,
        exclude_outside: bool = False,
        crop: tuple[float, ...] | None = None,
        outside: float = 0.0,
    ) -> None:
        self.size = size
        self.method = method
        self.scale = scale
        self.coordinates = coordinates
        self.rounding = rounding
        self.cubic = cubic
        self.antialias = antialias
        self.exclude_outside = exclude_outside
        self.crop = crop
        self.outside = outside

    def output_shape(self, input_shape: Shape) -> Shape:
        H, W, C = image_input(self, input_shape)
        as_choice(self.method, "method", self.owner, METHODS)
        as_choice(self.coordinates, "coordinates", self.owner, COORDINATES)
        as_choice(self.rounding, "rounding", self.owner, ROUNDINGS)
        for name in ("antialias", "exclude_outside"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"Resize: {name} must be a bool, got {getattr(self, name)!r}.")
        as_real(self.cubic, "cubic", self.owner)
        as_real(self.outside, "outside", self.owner)
        self._numbers("scale", 2, above=0, most=2.0**31)
        self._numbers("crop", 4, least=-(2.0**31), most=2.0**31)
        if (self.crop is not None) != (self.coordinates == "tf_crop_and_resize"):
            raise ValueError(
                f"Resize: crop must be given for 'tf_crop_and_resize' alone, got {self.crop!r} "
                f"for {self.coordinates!r}."
            )
        size = shapes.as_pair(self.size, "size", self.owner)
        shapes.check_product((H, W), "input shape", input_shape, self.owner)
        shapes.check_product((*size, C), "size", self.size, self.owner)
        return (*size, C)

    def _numbers(self, name, count, **bounds):
        value = getattr(self, name)
        if value is None:
            return
        if not isinstance(value, (tuple, list)) or len(value) != count:
            raise ValueError(f"Resize: {name} must be {count} numbers or None, got {value!r}.")
        for number in value:
            as_real(number, name, self.owner, **bounds)

    def bind(self, slots: Slots) -> Op:
        return ResizeOp(self, slots)

    def axis(self, which: int, before: int, after: int) -> Any:
        """Return the shares of pixels along one axis, and which pixels lie outside.

        Parameters
        ----------
        which : int
            0 for rows, 1 for columns.
        before : int
            Number of pixels of the input.
        after : int
            Number of pixels of the output.

        Returns
        -------
        shares : sparse array of shape (after, before)
            What each pixel of the input is multiplied by, for each pixel of the output.
        outside : array of shape (after,), bool
            Which pixels of the output lie outside of the input.

        Examples
        --------
        >>> from cnnkit import Resize
        >>> shares, outside = Resize(4, method="bilinear").axis(0, 2, 4)
        >>> shares.toarray()
        array([[1.  , 0.  ],
               [0.75, 0.25],
               [0.25, 0.75],
               [0.  , 1.  ]])
        """
        scale = after / before if self.scale is None else self.scale[which]
        rows, columns, shares = [], [], []
        outside = np.zeros(after, bool)
        for pixel in range(after):
            at = self._place(which, pixel, before, after, scale)
            cropped = self.coordinates == "tf_crop_and_resize"
            outside[pixel] = cropped and not 0 <= at <= before - 1
            for column, share in self._shares(at, before, scale):
                rows.append(pixel)
                columns.append(column)
                shares.append(share)
        from scipy.sparse import csr_array

        return csr_array((shares, (rows, columns)), shape=(after, before)), outside

    def _place(self, which, pixel, before, after, scale):
        """Return where a pixel of the output lies among those of the input."""
        kind = self.coordinates
        if kind == "asymmetric":
            return pixel / scale
        if kind == "align_corners":
            return 0.0 if after == 1 else pixel * (before - 1) / (after - 1)
        if kind == "tf_crop_and_resize":
            start, end = self.crop[which], self.crop[which + 2]
            if after == 1:
                return 0.5 * (start + end) * (before - 1)
            return start * (before - 1) + pixel * (end - start) * (before - 1) / (after - 1)
        if kind == "pytorch_half_pixel" and after == 1:
            return -0.5
        half = (pixel + 0.5) / scale - 0.5
        if kind == "half_pixel_symmetric":
            adjusted = after / (scale * before)
            return half + before / 2 * (1 - adjusted)
        return half

    def _shares(self, at, before, scale):
        """Return pairs of a pixel of the input and its share in the pixel that lies at `at`."""
        if self.method == "nearest":
            return [(min(max(self._rounded(at), 0), before - 1), 1.0)]
        kernel, reach = (self._linear, 1) if self.method == "bilinear" else (self._cubic, 2)
        shrink = min(scale, 1.0) if self.antialias else 1.0
        reach /= shrink
        places = range(floor(at - reach) + 1, ceil(at + reach))
        found = [(place, kernel((place - at) * shrink)) for place in places]
        if self.exclude_outside:
            found = [(place, share) for place, share in found if 0 <= place < before]
        if self.exclude_outside or self.antialias:
            total = sum(share for _, share in found)
            found = [(place, share / total) for place, share in found]
        return [(min(max(place, 0), before - 1), share) for place, share in found if share]

    def _rounded(self, at):
        if self.rounding == "floor":
            return floor(at)
        if self.rounding == "ceil":
            return ceil(at)
        if self.rounding == "round_prefer_ceil":
            return floor(at + 0.5)
        return ceil(at - 0.5)

    @staticmethod
    def _linear(distance):
        return max(0.0, 1 - abs(distance))

    def _cubic(self, distance):
        a, s = self.cubic, abs(distance)
        if s <= 1:
            return ((a + 2) * s - (a + 3)) * s * s + 1
        return (((s - 5) * s + 8) * s - 4) * a if s < 2 else 0.0


class ResizeOp(Op):
    """y = M x for every image, M sparse: a row for each pixel of y; dx = M^T dy.

    M is made when it is first used, so that a network that is only made takes no memory for it.
    """

    def __init__(self, layer, slots):
        self.layer = layer
        self.slots = slots
        self.matrix = self.back = None

    def _make(self):
        from scipy.sparse import kron

        (H, W), (OH, OW) = self.slots.x.shape[1:3], self.slots.y.shape[1:3]
        vertical, above = self.layer.axis(0, H, OH)
        horizontal, beside = self.layer.axis(1, W, OW)
        self.matrix = kron(vertical, horizontal, format="csr").astype(self.slots.y.dtype)
        self.back = self.matrix.T.tocsr()
        self.outside = np.logical_or.outer(above, beside).reshape(-1)

    def forward(self, n):
        if self.matrix is None:
            self._make()
        channels = self.slots.y.shape[-1]
        for x, y in zip(self.slots.x[:n], self.slots.y[:n], strict=True):
            y.reshape(-1, channels)[:] = self.matrix @ x.reshape(-1, channels)
            y.reshape(-1, channels)[self.outside] = self.layer.outside

    def backward(self, n):
        if self.slots.dx is None:
            return
        channels = self.slots.y.shape[-1]
        for dy, dx in zip(self.slots.dy[:n], self.slots.dx[:n], strict=True):
            dy = np.where(self.outside[:, None], 0, dy.reshape(-1, channels))
            dx.reshape(-1, channels)[:] = self.back @ dy
