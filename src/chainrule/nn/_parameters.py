"""All weights of a network as one flat vector, and back.

Optimizers and stores see flat vectors (P,), or (m, P) for a population; layers see named arrays. A slot says
which part of the vector is which array.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.errors import ShapeError
from chainrule.nn._base import Layer
from chainrule.nn._types import Array, Params


@dataclass(frozen=True)
class ParameterSlot:
    """Where one weight array lies in the flat parameter vector: `theta[..., slice]` reshaped to `shape`."""

    layer: int
    key: str
    shape: tuple[int, ...]
    slice: slice

    def member_axis(self, params: Params) -> tuple[int, ...]:
        """Return (m,) if the array has a member axis, () if not; raises `ShapeError` if it is not this slot's."""
        array = params[self.layer].get(self.key) if self.layer < len(params) else None
        if array is None:
            raise ShapeError(f"the weights have no {self.key} for layer {self.layer}")
        lead = array.shape[: array.ndim - len(self.shape)]
        if array.shape != lead + self.shape:
            raise ShapeError(f"{self.key} of layer {self.layer} has shape {array.shape}, expected {self.shape}")
        return lead


def make_slots(layers: Sequence[Layer], shapes: Sequence[tuple[int, ...]]) -> tuple[ParameterSlot, ...]:
    """Lay the weight arrays end to end, layer by layer; `shapes` are the feature axes below each layer."""
    slots: list[ParameterSlot] = []
    start = 0
    for i, (layer, shape_in) in enumerate(zip(layers, shapes, strict=True)):
        for key, shape in layer.parameter_shapes(shape_in).items():
            stop = start + math.prod(shape)
            slots.append(ParameterSlot(i, key, shape, slice(start, stop)))
            start = stop
    return tuple(slots)


def pack(slots: Sequence[ParameterSlot], params: Params) -> Array:
    """Return the weights as one flat array (..., P)."""
    flat = []
    for s in slots:
        lead = s.member_axis(params)
        flat.append(params[s.layer][s.key].reshape((*lead, -1)))
    return np.concatenate(flat, axis=-1) if flat else np.zeros(0)


def unpack(slots: Sequence[ParameterSlot], theta: Array, n_layers: int) -> Params:
    """Return the weights in a flat array (..., P) as views of it."""
    n_parameters = slots[-1].slice.stop if slots else 0
    if theta.shape[-1:] != (n_parameters,):
        raise ShapeError(f"parameters of shape {theta.shape} do not fit a network of {n_parameters} weights")
    params: Params = tuple({} for _ in range(n_layers))
    for s in slots:
        params[s.layer][s.key] = theta[..., s.slice].reshape(theta.shape[:-1] + s.shape)
    return params
