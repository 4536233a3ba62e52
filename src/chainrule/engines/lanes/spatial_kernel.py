"""The products of a layer of any kind: dense, convolution or pooling, by a table of geometries.

The table has a row of `geometry.Geometry` for each layer, whose kind is DENSE (0) where the layer knows no places.
It is None for networks of dense layers only: the kernel is then compiled without anything of this.
"""

from __future__ import annotations

from typing import Any

from chainrule.engines.compiled.cache import merged
from chainrule.engines.compiled.codes import CONV, DENSE
from chainrule.engines.compiled.simd import Pointer
from chainrule.engines.lanes.conv_gradient_kernel import convolution_gradient
from chainrule.engines.lanes.conv_kernel import convolve, convolve_back, geometry_at
from chainrule.engines.lanes.dense_kernel import affine, back_through, weight_gradient
from chainrule.engines.lanes.pool_kernel import pool, pool_back


@merged
def place_forward(
    table: Any, layer: int, W: Pointer, b: Pointer, biased: bool, X: Pointer, Z: Pointer, n_in: int, n_out: int,
    samples: int,
) -> None:  # fmt: skip
    """Z of a layer."""
    g = geometry_at(table, layer)
    if g.kind == DENSE:
        affine(W, b, biased, X, Z, n_in, n_out, samples)
    elif g.kind == CONV:
        convolve(W, b, biased, X, Z, g, samples)
    else:
        pool(X, Z, g, samples)


@merged
def place_gradient(
    table: Any, layer: int, X: Pointer, D: Pointer, G: Pointer, b: Pointer, biased: bool, n_in: int, n_out: int,
    samples: int, fresh: bool,
) -> None:  # fmt: skip
    """Gradient of a layer's weights and biases, added to G and b unless `fresh`."""
    g = geometry_at(table, layer)
    if g.kind == DENSE:
        weight_gradient(X, D, G, b, biased, n_in, n_out, samples, fresh)
    elif g.kind == CONV:
        convolution_gradient(X, D, G, b, biased, g, samples, fresh)


@merged
def place_back(
    table: Any, layer: int, W: Pointer, X: Pointer, Z: Pointer, D: Pointer, S: Pointer, spare: Pointer, n_in: int,
    n_out: int, samples: int,
) -> None:  # fmt: skip
    """S <- S * what the layer's delta D asks of its inputs X: S held the slopes of the layer below."""
    g = geometry_at(table, layer)
    if g.kind == DENSE:
        back_through(W, D, S, n_in, n_out, samples)
    elif g.kind == CONV:
        convolve_back(W, D, S, g, samples)
    else:
        pool_back(X, Z, D, S, spare, g, samples)
