"""Pooling, for as many members as a vector has lanes; see `chainrule.nn.pooling`.

Every number is a vector over members; images lie as rows, columns, channels. What is padded is looked past.
"""

from __future__ import annotations

from typing import NamedTuple

from chainrule.engines.compiled.cache import called, merged
from chainrule.engines.compiled.codes import MAX_POOL
from chainrule.engines.compiled.geometry import Geometry
from chainrule.engines.compiled.simd import (
    Pointer,
    Vector,
    at_least,
    greater,
    lanes_of,
    load,
    offset,
    select,
    splat,
    store,
)
from chainrule.engines.lanes.conv_kernel import end_at


class Span(NamedTuple):
    """The inputs of a window: rows and columns from the first up to, not including, the end."""

    top: int
    bottom: int
    left: int
    right: int


@merged
def _span(g: Geometry, y: int, x: int) -> Span:
    up, back = y * g.stride_y - g.top, x * g.stride_x - g.left
    return Span(max(up, 0), min(up + g.kernel_y, g.height), max(back, 0), min(back + g.kernel_x, g.width))


@called
def pool(X: Pointer, Z: Pointer, g: Geometry, samples: int) -> None:
    """Z (samples, rows, columns, channels) = the largest, or the mean, of each window of X; NaN counts as largest."""
    L = lanes_of(X)
    n_in, n_out = g.height * g.width * g.channels, g.rows * g.columns * g.channels
    for s in range(samples):
        for y in range(g.rows):
            for x in range(g.columns):
                span = _span(g, y, x)
                here = offset(X, s * n_in * L)
                there = offset(Z, (s * n_out + (y * g.columns + x) * g.channels) * L)
                if g.kind == MAX_POOL:
                    for c in range(g.channels):
                        store(there, c * L, _largest(offset(here, c * L), g, span))
                else:
                    inputs = splat(X, float((span.bottom - span.top) * (span.right - span.left)))
                    for c in range(g.channels):
                        store(there, c * L, _sum(offset(here, c * L), g, span) / inputs)


@merged
def _largest(X: Pointer, g: Geometry, span: Span) -> Vector:
    """Return the first largest of a window, in the order of rows and columns; the first NaN, if there is one."""
    L = lanes_of(X)
    best = load(X, (span.top * g.width + span.left) * g.channels * L)
    for row in range(span.top, span.bottom):
        for column in range(span.left, span.right):
            v = load(X, (row * g.width + column) * g.channels * L)
            best = select(at_least(best, v), best, select(at_least(best, best), v, best))
    return best


@merged
def _sum(X: Pointer, g: Geometry, span: Span) -> Vector:
    L = lanes_of(X)
    total = splat(X, 0.0)
    for row in range(span.top, span.bottom):
        for column in range(span.left, span.right):
            total = total + load(X, (row * g.width + column) * g.channels * L)
    return total


@called
def pool_back(X: Pointer, Z: Pointer, D: Pointer, S: Pointer, spare: Pointer, g: Geometry, samples: int) -> None:
    """S (samples, height, width, channels) <- S * what delta D asks of each input: S held the slopes below.

    `spare` has room for one image if windows overlap.
    """
    L = lanes_of(X)
    n_in, n_out = g.height * g.width * g.channels, g.rows * g.columns * g.channels
    apart = g.kernel_y <= g.stride_y and g.kernel_x <= g.stride_x
    for s in range(samples):
        x, slopes = offset(X, s * n_in * L), offset(S, s * n_in * L)
        z, d = offset(Z, s * n_out * L), offset(D, s * n_out * L)
        if apart:
            _drop_uncovered(slopes, g)
            _hand_out(x, z, d, slopes, g, True)
        else:
            for p in range(n_in):
                store(spare, p * L, splat(spare, 0.0))
            _hand_out(x, z, d, spare, g, False)
            for p in range(n_in):
                store(slopes, p * L, load(slopes, p * L) * load(spare, p * L))


@merged
def _hand_out(X: Pointer, Z: Pointer, D: Pointer, T: Pointer, g: Geometry, apart: bool) -> None:
    """Give each window's delta to its inputs: T times it if no input is in two windows, else T plus it."""
    L = lanes_of(X)
    zero = splat(X, 0.0)
    for y in range(g.rows):
        for x in range(g.columns):
            span = _span(g, y, x)
            inputs = splat(X, float((span.bottom - span.top) * (span.right - span.left)))
            for c in range(g.channels):
                p = ((y * g.columns + x) * g.channels + c) * L
                left, largest = load(D, p), load(Z, p)
                if g.kind != MAX_POOL:
                    left = left / inputs
                for row in range(span.top, span.bottom):
                    for column in range(span.left, span.right):
                        q = ((row * g.width + column) * g.channels + c) * L
                        part = left
                        if g.kind == MAX_POOL:  # the first that is not smaller takes all that is left
                            smaller = greater(largest, load(X, q))
                            part, left = select(smaller, zero, left), select(smaller, left, zero)
                        store(T, q, load(T, q) * part if apart else load(T, q) + part)


@merged
def _drop_uncovered(S: Pointer, g: Geometry) -> None:
    """Multiply the slopes of inputs that no window holds by 0."""
    L = lanes_of(S)
    if g.kernel_y == g.stride_y and g.kernel_x == g.stride_x:
        if end_at(g.height, g.top, g.stride_y, g.rows + 1) <= g.rows:
            if end_at(g.width, g.left, g.stride_x, g.columns + 1) <= g.columns:
                return
    for row in range(g.height):
        y = (row + g.top) // g.stride_y
        held = y < g.rows and row + g.top - y * g.stride_y < g.kernel_y
        for column in range(g.width):
            x = (column + g.left) // g.stride_x
            if not (held and x < g.columns and column + g.left - x * g.stride_x < g.kernel_x):
                for c in range(g.channels):
                    p = ((row * g.width + column) * g.channels + c) * L
                    store(S, p, load(S, p) * splat(S, 0.0))
