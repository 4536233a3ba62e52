"""The gradient of a convolution's weights and biases, for as many members as a vector has lanes; see `conv_kernel`.

A tile is four entries of one row of the kernel, neighbours in the order of W, times four filters. Where the entries lie
in different columns of the kernel the first and last places of a row meet some of them only: those are asked for each.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from chainrule.engines.compiled.cache import called, merged
from chainrule.engines.compiled.geometry import Geometry
from chainrule.engines.compiled.simd import Pointer, fma, lanes_of, load, offset, splat
from chainrule.engines.lanes.conv_kernel import Four, end_at, first_at, four, store_four


class Entry(NamedTuple):
    """An entry of a row of the kernel: the places that meet it, and where its input at place 0 stands (vectors)."""

    first: int
    end: int
    at: int


@called
def convolution_gradient(
    A: Pointer, D: Pointer, G: Pointer, b: Pointer, biased: bool, g: Geometry, samples: int, fresh: bool
) -> None:
    """Add the gradient of the samples to G (entries, filters) and b (filters), or begin these sums if `fresh`."""
    L = lanes_of(A)
    n_in, n_out = g.height * g.width * g.channels, g.rows * g.columns * g.filters
    own_in, own_out = g.channels // g.groups, g.filters // g.groups
    of_row = g.kernel_x * own_in
    for s in range(samples):
        new = fresh and s == 0
        for group in range(g.groups):
            a, d = offset(A, (s * n_in + group * own_in) * L), offset(D, (s * n_out + group * own_out) * L)
            for i in range(g.kernel_y):
                up = g.top - i * g.dilation_y
                y_first, y_end = first_at(up, g.stride_y), end_at(g.height, up, g.stride_y, g.rows)
                for e in range(0, of_row, 4):
                    last = of_row - 1
                    e0, e1 = _entry(g, own_in, e), _entry(g, own_in, min(e + 1, last))
                    e2, e3 = _entry(g, own_in, min(e + 2, last)), _entry(g, own_in, min(e + 3, last))
                    row = offset(G, ((i * of_row + e) * g.filters + group * own_out) * L)
                    rows = four(g.filters * L, of_row - e)
                    for f in range(0, own_out, 4):
                        _gradient_4x4(
                            offset(a, -up * g.width * g.channels * L), offset(d, f * L), offset(row, f * L), e0, e1,
                            e2, e3, rows, four(L, own_out - f), y_first, y_end, g, new,
                        )  # fmt: skip
        if biased:
            _bias_gradient(offset(D, s * n_out * L), b, g.rows * g.columns, g.filters, new)


@merged
def _entry(g: Geometry, own_in: int, e: int) -> Entry:
    """Return entry `e` of a row of the kernel."""
    j = e // own_in
    back = g.left - j * g.dilation_x
    end = end_at(g.width, back, g.stride_x, g.columns)
    return Entry(first_at(back, g.stride_x), end, e - j * own_in - back * g.channels)


@merged
def _gradient_4x4(
    A: Pointer, D: Pointer, G: Pointer, e0: Entry, e1: Entry, e2: Entry, e3: Entry, rows: Four, fs: Four, y_first: int,
    y_end: int, g: Geometry, new: bool,
) -> None:  # fmt: skip
    """Four entries, four filters."""
    L = lanes_of(A)
    g00 = splat(A, 0.0)
    g01, g02, g03, g10, g11, g12, g13 = g00, g00, g00, g00, g00, g00, g00
    g20, g21, g22, g23, g30, g31, g32, g33 = g00, g00, g00, g00, g00, g00, g00, g00
    next_x, next_d = g.stride_x * g.channels * L, g.filters * L
    lowest, highest = min(e0.first, e1.first, e2.first, e3.first), max(e0.end, e1.end, e2.end, e3.end)
    all_from, all_to = max(e0.first, e1.first, e2.first, e3.first), min(e0.end, e1.end, e2.end, e3.end)
    for y in range(y_first, y_end):
        a, d = offset(A, y * g.stride_y * g.width * g.channels * L), offset(D, y * g.columns * g.filters * L)
        a0, a1, a2, a3 = offset(a, e0.at * L), offset(a, e1.at * L), offset(a, e2.at * L), offset(a, e3.at * L)
        d1, d2, d3 = offset(d, fs.one), offset(d, fs.two), offset(d, fs.three)
        x = lowest
        while x < highest:
            if x >= all_from and x < all_to:
                stop = all_to
                while x < stop:
                    p, q = x * next_x, x * next_d
                    v0, v1, v2, v3 = load(d, q), load(d1, q), load(d2, q), load(d3, q)
                    u0, u1, u2, u3 = load(a0, p), load(a1, p), load(a2, p), load(a3, p)
                    g00, g01, g02, g03 = fma(u0, v0, g00), fma(u0, v1, g01), fma(u0, v2, g02), fma(u0, v3, g03)
                    g10, g11, g12, g13 = fma(u1, v0, g10), fma(u1, v1, g11), fma(u1, v2, g12), fma(u1, v3, g13)
                    g20, g21, g22, g23 = fma(u2, v0, g20), fma(u2, v1, g21), fma(u2, v2, g22), fma(u2, v3, g23)
                    g30, g31, g32, g33 = fma(u3, v0, g30), fma(u3, v1, g31), fma(u3, v2, g32), fma(u3, v3, g33)
                    x += 1
            else:
                p, q = x * next_x, x * next_d
                v0, v1, v2, v3 = load(d, q), load(d1, q), load(d2, q), load(d3, q)
                if x >= e0.first and x < e0.end:
                    u = load(a0, p)
                    g00, g01, g02, g03 = fma(u, v0, g00), fma(u, v1, g01), fma(u, v2, g02), fma(u, v3, g03)
                if x >= e1.first and x < e1.end:
                    u = load(a1, p)
                    g10, g11, g12, g13 = fma(u, v0, g10), fma(u, v1, g11), fma(u, v2, g12), fma(u, v3, g13)
                if x >= e2.first and x < e2.end:
                    u = load(a2, p)
                    g20, g21, g22, g23 = fma(u, v0, g20), fma(u, v1, g21), fma(u, v2, g22), fma(u, v3, g23)
                if x >= e3.first and x < e3.end:
                    u = load(a3, p)
                    g30, g31, g32, g33 = fma(u, v0, g30), fma(u, v1, g31), fma(u, v2, g32), fma(u, v3, g33)
                x += 1
    G1, G2, G3 = offset(G, rows.one), offset(G, rows.two), offset(G, rows.three)
    if not new:  # all are loaded before the first is overwritten: there may be copies among them
        g00, g01, g02, g03 = _added(G, fs, g00, g01, g02, g03)
        g10, g11, g12, g13 = _added(G1, fs, g10, g11, g12, g13)
        g20, g21, g22, g23 = _added(G2, fs, g20, g21, g22, g23)
        g30, g31, g32, g33 = _added(G3, fs, g30, g31, g32, g33)
    store_four(G, fs, g00, g01, g02, g03)
    store_four(G1, fs, g10, g11, g12, g13)
    store_four(G2, fs, g20, g21, g22, g23)
    store_four(G3, fs, g30, g31, g32, g33)


@merged
def _added(p: Pointer, at: Four, v0: Any, v1: Any, v2: Any, v3: Any) -> Any:
    """Return what stands in a row plus what is given."""
    return load(p, 0) + v0, load(p, at.one) + v1, load(p, at.two) + v2, load(p, at.three) + v3


@merged
def _bias_gradient(D: Pointer, b: Pointer, places: int, filters: int, new: bool) -> None:
    """Add the sum of one sample's delta over all places to each bias."""
    L = lanes_of(D)
    for f in range(0, filters, 4):
        fs = four(L, filters - f)
        d, to = offset(D, f * L), offset(b, f * L)
        t0 = splat(D, 0.0)
        t1, t2, t3 = t0, t0, t0
        for place in range(places):
            p = place * filters * L
            t0, t1 = t0 + load(d, p), t1 + load(d, p + fs.one)
            t2, t3 = t2 + load(d, p + fs.two), t3 + load(d, p + fs.three)
        if not new:
            t0, t1, t2, t3 = _added(to, fs, t0, t1, t2, t3)
        store_four(to, fs, t0, t1, t2, t3)
