"""The three products of a convolution, for as many members as a vector has lanes.

Every number is a vector over members, images lie as rows, columns, channels, and W as (i, j, c, filter); see
`chainrule.nn.conv` for the mathematics. Each product is cut into tiles of 4 x 4 sums that stay in registers: 8 loads
serve 16 multiply-adds. The four places of a tile lie side by side in a row of one image where all their windows meet
the same entries, else they are the same place of four samples: so no tile has to look where an image ends. What is
left over fills a tile up with copies of its last place or filter: they compute and store the same number once more.

Each sum is one chain of fused multiply-adds, whatever the tile; entries that meet padding are left out:

    z[y, x, f]  from b[f],  over (i, j, c) ascending
    dA[y', x', c]  from 0,  over the places (y, x) that meet it ascending, and for each over f ascending
    dW[i, j, c, f]  of one sample from 0, over (y, x) ascending; then added to the batch's sum, sample after sample
"""

from __future__ import annotations

from typing import Any, NamedTuple

from chainrule.engines.compiled.cache import called, merged
from chainrule.engines.compiled.geometry import Geometry
from chainrule.engines.compiled.simd import Pointer, fma, lanes_of, load, offset, splat, store


class Four(NamedTuple):
    """How far the other three of four neighbours lie from the first, in floats; the last real one is repeated."""

    one: int
    two: int
    three: int


@merged
def geometry_at(table: Any, layer: int) -> Geometry:
    """Return the numbers of a layer."""
    t = table[layer]
    return Geometry(
        t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9], t[10], t[11], t[12], t[13], t[14], t[15]
    )  # fmt: skip


@merged
def four(distance: int, count: int) -> Four:
    """Return the distances of `count` neighbours, or of four if there are more."""
    last = min(count, 4) - 1
    return Four(min(1, last) * distance, min(2, last) * distance, last * distance)


@merged
def first_at(before: int, stride: int) -> int:
    """Return the first place whose window, moved by `before` inputs, does not begin before the image."""
    return max(0, -(-before // stride))


@merged
def end_at(inputs: int, before: int, stride: int, places: int) -> int:
    """Return the end of the places whose entry, `before` inputs back, still meets one of `inputs`."""
    return min(places, (inputs - 1 + before) // stride + 1)


# -- forward -----------------------------------------------------------------------------------------------


@called
def convolve(W: Pointer, b: Pointer, biased: bool, X: Pointer, Z: Pointer, g: Geometry, samples: int) -> None:
    """Z (samples, rows, columns, filters) = windows of X (samples, height, width, channels) times W, + b."""
    L = lanes_of(W)
    n_in, n_out = g.height * g.width * g.channels, g.rows * g.columns * g.filters
    own_in, own_out = g.channels // g.groups, g.filters // g.groups
    reach = (g.kernel_x - 1) * g.dilation_x
    whole = g.groups == 1 and g.dilation_x == 1  # then a row of a window is one run of inputs, and of rows of W
    for group in range(g.groups):
        for first in range(0, own_out, 4):
            f = group * own_out + first
            filters = four(L, own_out - first)
            for y in range(g.rows):
                up = g.top - y * g.stride_y
                i_first = first_at(up, g.dilation_y)
                i_rows = end_at(g.height, up, g.dilation_y, g.kernel_y) - i_first
                at_row = (i_first * g.dilation_y - up) * g.width
                x = 0
                while x < g.columns:
                    back = g.left - x * g.stride_x
                    j_first = first_at(back, g.dilation_x)
                    j_steps = end_at(g.width, back, g.dilation_x, g.kernel_x) - j_first
                    ahead = back - 3 * g.stride_x
                    in_row = x + 4 <= g.columns and back <= 0 and reach - ahead < g.width
                    at = ((at_row + j_first * g.dilation_x - back) * g.channels + group * own_in) * L
                    of = (i_first * g.kernel_x + j_first) * own_in * g.filters * L
                    steps = min(j_steps, 1) if whole else j_steps
                    run = max(j_steps, 0) * g.channels if whole else own_in
                    s = 0
                    while s < samples:
                        count = 4 if in_row else samples - s
                        _forward_4x4(
                            offset(W, of + f * L), offset(b, f * L), biased, offset(X, s * n_in * L + at),
                            offset(Z, (s * n_out + (y * g.columns + x) * g.filters + f) * L),
                            four((g.stride_x * g.channels if in_row else n_in) * L, count),
                            four((g.filters if in_row else n_out) * L, count), filters, i_rows, steps, run, g, own_in,
                        )  # fmt: skip
                        s += 1 if in_row else 4
                    x += 4 if in_row else 1


@merged
def _forward_4x4(
    W: Pointer, b: Pointer, biased: bool, X: Pointer, Z: Pointer, xs: Four, zs: Four, fs: Four, rows: int, steps: int,
    run: int, g: Geometry, own_in: int,
) -> None:  # fmt: skip
    """Four places, four filters; a window has `rows` rows of `steps` runs of `run` inputs."""
    L = lanes_of(W)
    next_w, next_x, column = g.filters * L, g.dilation_x * g.channels * L, own_in * g.filters * L
    z00 = splat(W, 0.0)
    z01, z02, z03 = z00, z00, z00
    if biased:
        z00, z01, z02, z03 = load(b, 0), load(b, fs.one), load(b, fs.two), load(b, fs.three)
    z10, z11, z12, z13, z20, z21, z22, z23, z30, z31, z32, z33 = (
        z00, z01, z02, z03, z00, z01, z02, z03, z00, z01, z02, z03,
    )  # fmt: skip
    for i in range(rows):
        for j in range(steps):
            x = offset(X, i * g.dilation_y * g.width * g.channels * L + j * next_x)
            w = offset(W, (i * g.kernel_x + j) * column)
            x1, x2, x3 = offset(x, xs.one), offset(x, xs.two), offset(x, xs.three)
            w1, w2, w3 = offset(w, fs.one), offset(w, fs.two), offset(w, fs.three)
            for c in range(run):
                p, q = c * L, c * next_w
                u0, u1, u2, u3 = load(w, q), load(w1, q), load(w2, q), load(w3, q)
                a0, a1, a2, a3 = load(x, p), load(x1, p), load(x2, p), load(x3, p)
                z00, z01, z02, z03 = fma(a0, u0, z00), fma(a0, u1, z01), fma(a0, u2, z02), fma(a0, u3, z03)
                z10, z11, z12, z13 = fma(a1, u0, z10), fma(a1, u1, z11), fma(a1, u2, z12), fma(a1, u3, z13)
                z20, z21, z22, z23 = fma(a2, u0, z20), fma(a2, u1, z21), fma(a2, u2, z22), fma(a2, u3, z23)
                z30, z31, z32, z33 = fma(a3, u0, z30), fma(a3, u1, z31), fma(a3, u2, z32), fma(a3, u3, z33)
    store_four(Z, fs, z00, z01, z02, z03)
    store_four(offset(Z, zs.one), fs, z10, z11, z12, z13)
    store_four(offset(Z, zs.two), fs, z20, z21, z22, z23)
    store_four(offset(Z, zs.three), fs, z30, z31, z32, z33)


@merged
def store_four(p: Pointer, at: Four, v0: Any, v1: Any, v2: Any, v3: Any) -> None:
    """Write four vectors; copies of the last one are equal to it."""
    store(p, 0, v0)
    store(p, at.one, v1)
    store(p, at.two, v2)
    store(p, at.three, v3)


# -- what goes back ----------------------------------------------------------------------------------------


@called
def convolve_back(W: Pointer, D: Pointer, S: Pointer, g: Geometry, samples: int) -> None:
    """S (samples, height, width, channels) <- S * what delta D asks of each input: S held the slopes below."""
    L = lanes_of(W)
    n_in, n_out = g.height * g.width * g.channels, g.rows * g.columns * g.filters
    own_in, own_out = g.channels // g.groups, g.filters // g.groups
    reach = (g.kernel_x - 1) * g.dilation_x
    for group in range(g.groups):
        for first in range(0, own_in, 4):
            channels, rows_of_w = four(L, own_in - first), four(g.filters * L, own_in - first)
            w = offset(W, (first * g.filters + group * own_out) * L)
            for y in range(g.height):
                x = 0
                while x < g.width:
                    # Four inputs side by side meet the same entries if none of their windows lies off the places.
                    in_row = g.stride_x == 1 and x + 4 <= g.width and x + g.left >= reach
                    in_row = in_row and x + 3 + g.left < g.columns
                    at = ((y * g.width + x) * g.channels + group * own_in + first) * L
                    s = 0
                    while s < samples:
                        count = 4 if in_row else samples - s
                        _back_4x4(
                            w, offset(D, (s * n_out + group * own_out) * L), offset(S, s * n_in * L + at),
                            four((g.filters if in_row else n_out) * L, count),
                            four((g.channels if in_row else n_in) * L, count), channels, rows_of_w, y + g.top,
                            x + g.left, g, own_in, own_out,
                        )  # fmt: skip
                        s += 1 if in_row else 4
                    x += 4 if in_row else 1


@merged
def _back_4x4(
    W: Pointer, D: Pointer, S: Pointer, ds: Four, ss: Four, cs: Four, ws: Four, down: int, right: int, g: Geometry,
    own_in: int, own_out: int,
) -> None:  # fmt: skip
    """Four inputs, four channels; the first place's window meets the inputs if its entry is `down` and `right`."""
    L = lanes_of(W)
    s00 = splat(W, 0.0)
    s01, s02, s03, s10, s11, s12, s13 = s00, s00, s00, s00, s00, s00, s00
    s20, s21, s22, s23, s30, s31, s32, s33 = s00, s00, s00, s00, s00, s00, s00, s00
    x_first = first_at(right - (g.kernel_x - 1) * g.dilation_x, g.stride_x)
    x_end = min(g.columns, right // g.stride_x + 1)
    for y in range(first_at(down - (g.kernel_y - 1) * g.dilation_y, g.stride_y), min(g.rows, down // g.stride_y + 1)):
        i = down - y * g.stride_y
        if g.dilation_y > 1:
            if i % g.dilation_y:
                continue
            i //= g.dilation_y
        for x in range(x_first, x_end):
            j = right - x * g.stride_x
            if g.dilation_x > 1:
                if j % g.dilation_x:
                    continue
                j //= g.dilation_x
            d = offset(D, (y * g.columns + x) * g.filters * L)
            w = offset(W, (i * g.kernel_x + j) * own_in * g.filters * L)
            d1, d2, d3 = offset(d, ds.one), offset(d, ds.two), offset(d, ds.three)
            w1, w2, w3 = offset(w, ws.one), offset(w, ws.two), offset(w, ws.three)
            for f in range(own_out):
                p = f * L
                u0, u1, u2, u3 = load(w, p), load(w1, p), load(w2, p), load(w3, p)
                a0, a1, a2, a3 = load(d, p), load(d1, p), load(d2, p), load(d3, p)
                s00, s01, s02, s03 = fma(a0, u0, s00), fma(a0, u1, s01), fma(a0, u2, s02), fma(a0, u3, s03)
                s10, s11, s12, s13 = fma(a1, u0, s10), fma(a1, u1, s11), fma(a1, u2, s12), fma(a1, u3, s13)
                s20, s21, s22, s23 = fma(a2, u0, s20), fma(a2, u1, s21), fma(a2, u2, s22), fma(a2, u3, s23)
                s30, s31, s32, s33 = fma(a3, u0, s30), fma(a3, u1, s31), fma(a3, u2, s32), fma(a3, u3, s33)
    # All slopes are loaded before the first is overwritten: copies of the last place and channel are among them.
    S1, S2, S3 = offset(S, ss.one), offset(S, ss.two), offset(S, ss.three)
    s00, s01, s02, s03 = s00 * load(S, 0), s01 * load(S, cs.one), s02 * load(S, cs.two), s03 * load(S, cs.three)
    s10, s11, s12, s13 = s10 * load(S1, 0), s11 * load(S1, cs.one), s12 * load(S1, cs.two), s13 * load(S1, cs.three)
    s20, s21, s22, s23 = s20 * load(S2, 0), s21 * load(S2, cs.one), s22 * load(S2, cs.two), s23 * load(S2, cs.three)
    s30, s31, s32, s33 = s30 * load(S3, 0), s31 * load(S3, cs.one), s32 * load(S3, cs.two), s33 * load(S3, cs.three)
    store_four(S, cs, s00, s01, s02, s03)
    store_four(S1, cs, s10, s11, s12, s13)
    store_four(S2, cs, s20, s21, s22, s23)
    store_four(S3, cs, s30, s31, s32, s33)
