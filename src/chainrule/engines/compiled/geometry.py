"""Layers that know places, in the numbers that kernels understand.

Everything is an image: a sequence is one of height 1, and pooling over all places has a window as large as the image.
Buffers hold a level's features in the order of `chainrule.nn`: rows, columns, channels. So `Flatten` is no layer here.
"""

from __future__ import annotations

from typing import NamedTuple

from chainrule.engines.compiled.codes import AVG_POOL, CONV, MAX_POOL
from chainrule.nn import (
    AvgPool1D,
    AvgPool2D,
    Conv1D,
    Conv2D,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool1D,
    MaxPool2D,
)
from chainrule.nn import Layer as AnyLayer

CONVOLUTIONS = (Conv1D, Conv2D)
POOLINGS = (MaxPool1D, MaxPool2D, AvgPool1D, AvgPool2D, GlobalAvgPool, GlobalMaxPool)
SPATIAL = (*CONVOLUTIONS, *POOLINGS, Flatten)
MEANS = (AvgPool1D, AvgPool2D, GlobalAvgPool)


class Geometry(NamedTuple):
    """A window's way over an image, see `chainrule.nn.windows`.

    At the place (y, x) entry (i, j) meets the input in row y stride_y + i dilation_y - top and column
    x stride_x + j dilation_x - left, if there is one; else a convolution adds nothing and a pooling looks past it.

    Attributes
    ----------
    kind : int
        CONV, MAX_POOL or AVG_POOL.
    height, width, channels : int
        The input.
    rows, columns, filters : int
        The output; a pooling has as many filters as channels.
    kernel_y, kernel_x, stride_y, stride_x, dilation_y, dilation_x, top, left : int
        The windows; `top` and `left` are padded before the first row and column.
    groups : int
        Groups of channels and filters, 1 for poolings.
    """

    kind: int
    height: int
    width: int
    channels: int
    rows: int
    columns: int
    filters: int
    kernel_y: int
    kernel_x: int
    stride_y: int
    stride_x: int
    dilation_y: int
    dilation_x: int
    top: int
    left: int
    groups: int

    @property
    def entries(self) -> int:
        """Weights of one filter; for a pooling the entries of a window."""
        return self.kernel_y * self.kernel_x * (self.channels // self.groups if self.kind == CONV else 1)

    @property
    def n_weights(self) -> int:
        """Weights without biases."""
        return self.entries * self.filters if self.kind == CONV else 0


N_GEOMETRY = len(Geometry._fields)


def geometry_of(layer: AnyLayer, input_shape: tuple[int, ...]) -> Geometry:
    """Return the geometry of a layer of `SPATIAL`, but for `Flatten`, for inputs (*axes, channels)."""
    *axes, channels = input_shape
    if isinstance(layer, GlobalAvgPool | GlobalMaxPool):
        kernel, stride, dilation, pads = tuple(axes), (1,) * len(axes), (1,) * len(axes), ((0, 0),) * len(axes)
        places: tuple[int, ...] = (1,) * len(axes)
    else:
        assert isinstance(layer, Conv1D | Conv2D | MaxPool1D | MaxPool2D | AvgPool1D | AvgPool2D)
        windows = layer.windows
        kernel, stride, dilation = windows.kernel, windows.stride, windows.dilation
        pads, places = windows.pads(tuple(axes)), windows.places(tuple(axes))
    kind = CONV if isinstance(layer, CONVOLUTIONS) else AVG_POOL if isinstance(layer, MEANS) else MAX_POOL
    height, width = _image(tuple(axes))
    rows, columns = _image(places)
    return Geometry(
        kind,
        *(height, width, channels),
        *(rows, columns, layer.output_shape(input_shape)[-1]),
        *_image(kernel),
        *_image(stride),
        *_image(dilation),
        *_image(tuple(before for before, _ in pads), 0),
        layer.groups if isinstance(layer, Conv1D | Conv2D) else 1,
    )


def _image(numbers: tuple[int, ...], missing: int = 1) -> tuple[int, int]:
    """Return the numbers of two axes; that of a sequence's height is `missing`."""
    if len(numbers) > 2:
        raise ValueError(f"kernels know at most two axes, got {len(numbers)}")
    return (missing, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])
