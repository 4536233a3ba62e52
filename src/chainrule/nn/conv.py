"""Convolution, in one and two dimensions: a small dense layer that looks at every window of the input.

Layout: (n, height, width, channels), channels last. The channels of one pixel then lie side by side, so a window's row
of k pixels is one run of k c numbers, the sum over a window is a plain matrix product, a dense layer that follows takes
the features as they lie, and a flat row of pixels (an image file, a row of `Dataset.X`) is already in this order.

For filter f at the place (y, x), with the input (y', x') that kernel entry (i, j) meets there (see `windows`, (1)):

    z[n, y, x, f] = sum over i, j, c of  a[n, y', x', c] w[i, j, c, f]  +  b[f]

This is what the field calls convolution; strictly it is a cross-correlation, as the kernel is not turned round.

Each weight takes part at every place, so its derivative is a sum over all of them, and each input takes part in every
window that holds it. With delta = dL/dz:

    dL/dw[i, j, c, f]   = sum over n, y, x of        a[n, y', x', c] delta[n, y, x, f]
    dL/db[f]            = sum over n, y, x of                        delta[n, y, x, f]
    dL/da[n, y', x', c] = sum over the (i, j, y, x) that meet there, and f, of  delta[n, y, x, f] w[i, j, c, f]

Written with the patches P (..., n places, entries channels), one row a window, these are the formulas of the dense
layer, Z = P W + b, dW = P' delta and dP = delta W'; only dA needs one step more: dP added up over the windows that
share an input, which is `Windows.fold`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule.errors import ConfigError, ShapeError
from chainrule.nn._base import DropoutStream, LayerRecord, whole_number
from chainrule.nn._types import Array
from chainrule.nn._weights import WeightLayer
from chainrule.nn.activations import activation
from chainrule.nn.windows import Numbers, Padding, Windows, as_padding, per_axis

PIECE = 2**21
"""Patches are made for about so many numbers at a time: 16 MiB in float64."""


@dataclass(frozen=True)
class _Conv(WeightLayer):
    """What `Conv1D` and `Conv2D` share: everything but the number of axes.

    Parameters
    ----------
    filters : int
        Channels of the output.
    kernel : int or tuple of int
        Entries along each axis.
    activation : str
        Spec of the activation.
    stride : int or tuple of int
        Steps between windows along each axis.
    padding : str, int or tuple
        ``"valid"``, ``"same"``, or numbers: see `chainrule.nn.windows.as_padding`.
    dilation : int or tuple of int
        Distance between the inputs that neighbouring entries meet.
    groups : int
        The channels are cut into so many groups, and so are the filters; a filter sees its own group only. As many
        groups as channels make a depthwise convolution.
    bias : bool
        Whether b is added.
    weight_init, bias_init, l1, l2
        As `Dense` takes them. fan_in is the number of weights of one filter, fan_out the number of weights that one
        input channel meets.

    Raises
    ------
    ConfigError
        For impossible numbers or unknown names.
    """

    axes: ClassVar[int]
    filters: int
    kernel: int | Numbers
    activation: str = "identity"
    stride: int | Numbers = 1
    padding: Padding | int = "valid"
    dilation: int | Numbers = 1
    groups: int = 1
    bias: bool = True
    weight_init: str | None = None
    bias_init: str = "zeros"
    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        """Check every value and write it in its canonical form, so that equal layers compare equal."""
        self._check_shared_fields()
        if not activation(self.activation).elementwise:
            raise ConfigError(f"{self.name}: '{self.activation}' is for the output; use it in a dense layer")
        values: dict[str, Any] = {"padding": as_padding(self.padding, self.axes, self.name)}
        for key in ("filters", "groups"):
            values[key] = whole_number(getattr(self, key), f"{self.name}: {key}")
        for key in ("kernel", "stride", "dilation"):
            values[key] = per_axis(getattr(self, key), self.axes, f"{self.name}: {key}")
        if values["filters"] % values["groups"]:
            raise ConfigError(
                f"{self.name}: {values['filters']} filters cannot be cut into {values['groups']} equal groups"
            )
        for key, value in values.items():
            object.__setattr__(self, key, value)

    @property
    def windows(self) -> Windows:
        """Which inputs meet the kernel where."""
        kernel, stride, dilation = (getattr(self, key) for key in ("kernel", "stride", "dilation"))
        padding = self.padding
        assert not isinstance(padding, int), "written in its canonical form"
        return Windows(kernel, stride, dilation, padding, self.name)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (*places, filters) for inputs of (*axes, channels)."""
        if len(input_shape) != self.axes + 1:
            axes = "(n, length, channels)" if self.axes == 1 else "(n, height, width, channels)"
            raise ShapeError(f"{self.name} takes inputs of shape {axes}, got features {input_shape}")
        if input_shape[-1] % self.groups:
            raise ShapeError(
                f"{self.name}: the last axis of inputs of shape {input_shape}, their channels, cannot be cut into "
                f"{self.groups} equal groups"
            )
        return (*self.windows.places(input_shape[:-1]), self.filters)

    def parameter_shapes(self, input_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """Return W (*kernel, channels of a group, filters) and, with bias, b (filters,)."""
        self.output_shape(input_shape)
        shape = (*self.windows.kernel, input_shape[-1] // self.groups, self.filters)
        return {"W": shape} | ({"b": (self.filters,)} if self.bias else {})

    def init(self, rng: np.random.Generator, input_shape: tuple[int, ...]) -> dict[str, Array]:
        """Draw W as a matrix of one column a filter, then b."""
        shape = self.parameter_shapes(input_shape)["W"]
        entries = math.prod(shape[: self.axes])
        fan_in, fan_out = entries * shape[-2], entries * (self.filters // self.groups)
        W = self.weight_initializer.sample(rng, fan_in, fan_out, self.filters)
        return {"W": W.reshape(shape)} | self._bias_values(rng, self.filters)

    def forward(
        self, params: dict[str, Array], A_in: Array, dropout: DropoutStream | None = None, training: bool = False
    ) -> LayerRecord:
        """Z = P W + b for the patches P of A_in, A = f(Z); A_in (..., n, *axes, c), Z and A (..., n, *places, f)."""
        W = self._columns(params["W"])
        n, places = A_in.shape[-self.axes - 2], self.windows.places(A_in.shape[-1 - self.axes : -1])
        lead = np.broadcast_shapes(A_in.shape[: -self.axes - 2], W.shape[:-3])
        Z = np.empty((*lead, n, *places, self.filters), dtype=np.result_type(A_in, W))
        for members, samples in self._pieces(A_in, A_in):
            part = self._join(self._rows(self._part(A_in, members, samples)) @ _of(members, W, 3))
            if self.bias:
                part = part + _of(members, params["b"], 1)[..., None, :]
            met = self._part(Z, members, samples)
            met[...] = part.reshape(met.shape)
        return LayerRecord(A_in, Z, self.act.forward(Z))

    def input_gradient(self, params: dict[str, Array], record: LayerRecord, delta: Array) -> Array:
        """DP = delta W', and dA_in its sum over the windows that share an input."""
        axes, channels = record.A_in.shape[-1 - self.axes : -1], record.A_in.shape[-1]
        transposed = np.swapaxes(self._columns(params["W"]), -1, -2)
        dA = np.empty((*delta.shape[: -self.axes - 1], *axes, channels), dtype=delta.dtype)
        for members, samples in self._pieces(delta, record.A_in):
            part = self._part(delta, members, samples)
            dP = self._split(self._flat(part)) @ _of(members, transposed, 3)  # (..., g, n places, K)
            dP = dP.reshape(*dP.shape[:-1], *self.windows.kernel, -1)
            dP = np.moveaxis(dP, -self.axes - 3, -2)  # the groups go beside their channels
            dP = dP.reshape(*part.shape[:-1], *self.windows.kernel, channels)
            self._part(dA, members, samples)[...] = self.windows.fold(dP, axes)
        return dA

    def parameter_gradients(self, params: dict[str, Array], record: LayerRecord, delta: Array) -> dict[str, Array]:
        """DW = P' delta and db = sum of delta, over all samples and places."""
        dW = np.zeros(delta.shape[: -self.axes - 2] + params["W"].shape[-self.weight_axes :], dtype=delta.dtype)
        for members, samples in self._pieces(record.A_in, record.A_in):
            rows = self._rows(self._part(record.A_in, members, samples))
            flat = self._flat(self._part(delta, members, samples))
            part = self._join(np.swapaxes(rows, -1, -2) @ self._split(flat))  # (..., K, filters)
            dW[members] += part.reshape(dW[members].shape)
        return {"W": dW} | ({"b": np.sum(self._flat(delta), axis=-2)} if self.bias else {})

    # -- pieces: a patch matrix is as many times larger than its input as the kernel has entries -------------------

    def _pieces(self, led: Array, A_in: Array) -> Iterator[tuple[tuple[slice, ...], slice]]:
        """Yield (members, samples) so that the patches of each piece hold about `PIECE` numbers.

        The members are those of `led`. How the samples are cut depends on one member's shapes alone, so that a member
        computes the same sums alone and in company.
        """
        lead, n = led.shape[: -self.axes - 2], led.shape[-self.axes - 2]
        places = math.prod(self.windows.places(A_in.shape[-1 - self.axes : -1]))
        one = places * math.prod(self.windows.kernel) * A_in.shape[-1]
        samples = min(max(PIECE // one, 1), n)
        members = max(PIECE // (one * max(samples, 1)), 1)
        blocks = [(slice(k, k + members),) for k in range(0, lead[0], members)] if lead else [()]
        for block in blocks:
            for start in range(0, n, max(samples, 1)):
                yield block, slice(start, start + samples)

    def _part(self, A: Array, members: tuple[slice, ...], samples: slice) -> Array:
        """Return a view of the samples of a piece, and of its members if the piece has some."""
        index: Any = (..., samples, *(slice(None),) * (self.axes + 1))
        part: Array = A[members][index]
        return part

    # -- matrices: samples and places are rows, entries and channels are columns; groups come before both ---------

    def _rows(self, A: Array) -> Array:
        """Return the patches as (..., g, n places, K) with K = entries times channels of a group."""
        P = self.windows.patches(A)
        lead, g, axes = A.shape[: -self.axes - 2], self.groups, self.axes
        P = P.reshape(*P.shape[:-1], g, P.shape[-1] // g)
        P = np.moveaxis(P, -2, len(lead))  # (..., g, n, *places, *kernel, c / g)
        rows = math.prod(P.shape[len(lead) + 1 : len(lead) + 2 + axes])
        return np.ascontiguousarray(P).reshape(*lead, g, rows, -1)

    def _columns(self, W: Array) -> Array:
        """Return the weights as (..., g, K, filters / g)."""
        lead = W.shape[: -self.weight_axes]
        matrix = W.reshape(*lead, -1, self.groups, self.filters // self.groups)
        return np.ascontiguousarray(np.moveaxis(matrix, -2, -3))

    def _flat(self, delta: Array) -> Array:
        """Return delta (..., n, *places, f) as (..., n places, f)."""
        return delta.reshape(*delta.shape[: -self.axes - 2], -1, self.filters)

    def _split(self, flat: Array) -> Array:
        """Return (..., rows, f) as (..., g, rows, f / g)."""
        parts = flat.reshape(*flat.shape[:-1], self.groups, self.filters // self.groups)
        return np.ascontiguousarray(np.moveaxis(parts, -2, -3))

    def _join(self, parts: Array) -> Array:
        """Return (..., g, rows, f / g) as (..., rows, f)."""
        joined = np.moveaxis(parts, -3, -2)
        return joined.reshape(*joined.shape[:-2], self.filters)


def _of(members: tuple[slice, ...], weights: Array, axes: int) -> Array:
    """Return the members' weights; those that all members share, of `axes` axes only, as they are."""
    return weights[members] if weights.ndim > axes else weights


@dataclass(frozen=True)
class Conv1D(_Conv):
    """A convolution over sequences (n, length, channels); a table's features count as a sequence of one channel."""

    __doc__ += (_Conv.__doc__ or "").partition("\n\n")[2]
    name: ClassVar[str] = "conv1d"
    axes: ClassVar[int] = 1
    input_axes: ClassVar[int | None] = 2
    weight_axes: ClassVar[int] = 3


@dataclass(frozen=True)
class Conv2D(_Conv):
    """A convolution over images (n, height, width, channels)."""

    __doc__ += (_Conv.__doc__ or "").partition("\n\n")[2]
    name: ClassVar[str] = "conv2d"
    axes: ClassVar[int] = 2
    input_axes: ClassVar[int | None] = 3
    weight_axes: ClassVar[int] = 4
