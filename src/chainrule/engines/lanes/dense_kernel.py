"""The three products of a dense layer, for as many members as a vector has lanes.

Every number is a vector over members: sample s, unit j of a buffer stands at float ``(s * units + j) * lanes``,
weight (i, j) at ``(i * n_out + j) * lanes``. A product is cut into tiles whose sums stay in registers: 4 samples
x 2 units need 8 sums and 6 loads for 8 multiply-adds, which keeps both multipliers of a core busy from the
first-level cache.

Each sum is one chain of fused multiply-adds in ascending order of its index, whatever the tile:

    z_sj = b_j + sum_i a_si w_ij          dA_si = sum_j delta_sj w_ij          dW_ij = sum_s a_si delta_sj
"""

from __future__ import annotations

from chainrule.engines.compiled.cache import called, inlined
from chainrule.engines.compiled.simd import Pointer, Vector, fma, lanes_of, load, offset, splat, store


@called
def affine(W: Pointer, b: Pointer, biased: bool, X: Pointer, Z: Pointer, n_in: int, n_out: int, samples: int) -> None:
    """Z (samples, n_out) = X (samples, n_in) W + b."""
    L = lanes_of(W)
    s = 0
    while s + 4 <= samples:
        x, z = offset(X, s * n_in * L), offset(Z, s * n_out * L)
        j = 0
        while j + 2 <= n_out:
            _affine_4x2(offset(W, j * L), offset(b, j * L), biased, x, offset(z, j * L), n_in, n_out)
            j += 2
        if j < n_out:
            _affine_4x1(offset(W, j * L), offset(b, j * L), biased, x, offset(z, j * L), n_in, n_out)
        s += 4
    while s < samples:
        x, z = offset(X, s * n_in * L), offset(Z, s * n_out * L)
        j = 0
        while j + 4 <= n_out:
            _affine_1x4(offset(W, j * L), offset(b, j * L), biased, x, offset(z, j * L), n_in, n_out)
            j += 4
        while j < n_out:
            _affine_1x1(offset(W, j * L), offset(b, j * L), biased, x, offset(z, j * L), n_in, n_out)
            j += 1
        s += 1


@inlined
def _start(b: Pointer, biased: bool, j: int) -> Vector:
    if biased:
        return load(b, j * lanes_of(b))
    return splat(b, 0.0)


@inlined
def _affine_4x2(W: Pointer, b: Pointer, biased: bool, X: Pointer, Z: Pointer, n_in: int, n_out: int) -> None:
    L = lanes_of(W)
    X1, X2, X3 = offset(X, n_in * L), offset(X, 2 * n_in * L), offset(X, 3 * n_in * L)
    z00, z01 = _start(b, biased, 0), _start(b, biased, 1)
    z10, z11, z20, z21, z30, z31 = z00, z01, z00, z01, z00, z01
    for i in range(n_in):
        w0, w1 = load(W, i * n_out * L), load(W, (i * n_out + 1) * L)
        x0, x1, x2, x3 = load(X, i * L), load(X1, i * L), load(X2, i * L), load(X3, i * L)
        z00, z01 = fma(x0, w0, z00), fma(x0, w1, z01)
        z10, z11 = fma(x1, w0, z10), fma(x1, w1, z11)
        z20, z21 = fma(x2, w0, z20), fma(x2, w1, z21)
        z30, z31 = fma(x3, w0, z30), fma(x3, w1, z31)
    row = n_out * L
    store(Z, 0, z00)
    store(Z, L, z01)
    store(Z, row, z10)
    store(Z, row + L, z11)
    store(Z, 2 * row, z20)
    store(Z, 2 * row + L, z21)
    store(Z, 3 * row, z30)
    store(Z, 3 * row + L, z31)


@inlined
def _affine_4x1(W: Pointer, b: Pointer, biased: bool, X: Pointer, Z: Pointer, n_in: int, n_out: int) -> None:
    L = lanes_of(W)
    X1, X2, X3 = offset(X, n_in * L), offset(X, 2 * n_in * L), offset(X, 3 * n_in * L)
    z0 = _start(b, biased, 0)
    z1, z2, z3 = z0, z0, z0
    for i in range(n_in):
        w = load(W, i * n_out * L)
        z0, z1 = fma(load(X, i * L), w, z0), fma(load(X1, i * L), w, z1)
        z2, z3 = fma(load(X2, i * L), w, z2), fma(load(X3, i * L), w, z3)
    row = n_out * L
    store(Z, 0, z0)
    store(Z, row, z1)
    store(Z, 2 * row, z2)
    store(Z, 3 * row, z3)


@inlined
def _affine_1x4(W: Pointer, b: Pointer, biased: bool, X: Pointer, Z: Pointer, n_in: int, n_out: int) -> None:
    L = lanes_of(W)
    z0, z1, z2, z3 = _start(b, biased, 0), _start(b, biased, 1), _start(b, biased, 2), _start(b, biased, 3)
    for i in range(n_in):
        x, w = load(X, i * L), offset(W, i * n_out * L)
        z0, z1 = fma(x, load(w, 0), z0), fma(x, load(w, L), z1)
        z2, z3 = fma(x, load(w, 2 * L), z2), fma(x, load(w, 3 * L), z3)
    store(Z, 0, z0)
    store(Z, L, z1)
    store(Z, 2 * L, z2)
    store(Z, 3 * L, z3)


@inlined
def _affine_1x1(W: Pointer, b: Pointer, biased: bool, X: Pointer, Z: Pointer, n_in: int, n_out: int) -> None:
    L = lanes_of(W)
    z = _start(b, biased, 0)
    for i in range(n_in):
        z = fma(load(X, i * L), load(W, i * n_out * L), z)
    store(Z, 0, z)


@called
def back_through(W: Pointer, D: Pointer, S: Pointer, n_in: int, n_out: int, samples: int) -> None:
    """S (samples, n_in) <- S * (D W'): S holds the slopes f'(Z) of the layer below and becomes its delta."""
    L = lanes_of(W)
    s = 0
    while s + 4 <= samples:
        d, below = offset(D, s * n_out * L), offset(S, s * n_in * L)
        i = 0
        while i + 2 <= n_in:
            _back_4x2(offset(W, i * n_out * L), d, offset(below, i * L), n_in, n_out)
            i += 2
        if i < n_in:
            for r in range(4):
                _back_1x1(offset(W, i * n_out * L), offset(d, r * n_out * L), offset(below, (r * n_in + i) * L), n_out)
        s += 4
    while s < samples:
        d, below = offset(D, s * n_out * L), offset(S, s * n_in * L)
        for i in range(n_in):
            _back_1x1(offset(W, i * n_out * L), d, offset(below, i * L), n_out)
        s += 1


@inlined
def _back_4x2(W: Pointer, D: Pointer, S: Pointer, n_in: int, n_out: int) -> None:
    L = lanes_of(W)
    D1, D2, D3, W1 = offset(D, n_out * L), offset(D, 2 * n_out * L), offset(D, 3 * n_out * L), offset(W, n_out * L)
    a00 = splat(W, 0.0)
    a01, a10, a11, a20, a21, a30, a31 = a00, a00, a00, a00, a00, a00, a00
    for j in range(n_out):
        w0, w1 = load(W, j * L), load(W1, j * L)
        d0, d1, d2, d3 = load(D, j * L), load(D1, j * L), load(D2, j * L), load(D3, j * L)
        a00, a01 = fma(d0, w0, a00), fma(d0, w1, a01)
        a10, a11 = fma(d1, w0, a10), fma(d1, w1, a11)
        a20, a21 = fma(d2, w0, a20), fma(d2, w1, a21)
        a30, a31 = fma(d3, w0, a30), fma(d3, w1, a31)
    row = n_in * L
    store(S, 0, a00 * load(S, 0))
    store(S, L, a01 * load(S, L))
    store(S, row, a10 * load(S, row))
    store(S, row + L, a11 * load(S, row + L))
    store(S, 2 * row, a20 * load(S, 2 * row))
    store(S, 2 * row + L, a21 * load(S, 2 * row + L))
    store(S, 3 * row, a30 * load(S, 3 * row))
    store(S, 3 * row + L, a31 * load(S, 3 * row + L))


@inlined
def _back_1x1(W: Pointer, D: Pointer, S: Pointer, n_out: int) -> None:
    L = lanes_of(W)
    a = splat(W, 0.0)
    for j in range(n_out):
        a = fma(load(D, j * L), load(W, j * L), a)
    store(S, 0, a * load(S, 0))


@called
def weight_gradient(
    A: Pointer, D: Pointer, G: Pointer, g: Pointer, biased: bool, n_in: int, n_out: int, samples: int, fresh: bool
) -> None:
    """G (n_in, n_out) = A' D and g (n_out) = sum of D over samples, or that added to what is there unless `fresh`."""
    L = lanes_of(A)
    i = 0
    while i + 2 <= n_in:
        j = 0
        while j + 4 <= n_out:
            _gradient_2x4(
                offset(A, i * L), offset(D, j * L), offset(G, (i * n_out + j) * L), n_in, n_out, samples, fresh
            )
            j += 4
        while j < n_out:
            _gradient_2x1(
                offset(A, i * L), offset(D, j * L), offset(G, (i * n_out + j) * L), n_in, n_out, samples, fresh
            )
            j += 1
        i += 2
    if i < n_in:
        for j in range(n_out):
            _gradient_1x1(
                offset(A, i * L), offset(D, j * L), offset(G, (i * n_out + j) * L), n_in, n_out, samples, fresh
            )
    if biased:
        for j in range(n_out):
            total = splat(g, 0.0) if fresh else load(g, j * L)
            for s in range(samples):
                total = total + load(D, (s * n_out + j) * L)
            store(g, j * L, total)


@inlined
def _so_far(G: Pointer, i: int, fresh: bool) -> Vector:
    if fresh:
        return splat(G, 0.0)
    return load(G, i)


@inlined
def _gradient_2x4(A: Pointer, D: Pointer, G: Pointer, n_in: int, n_out: int, samples: int, fresh: bool) -> None:
    L = lanes_of(A)
    row = n_out * L
    g00, g01, g02, g03 = _so_far(G, 0, fresh), _so_far(G, L, fresh), _so_far(G, 2 * L, fresh), _so_far(G, 3 * L, fresh)
    g10, g11 = _so_far(G, row, fresh), _so_far(G, row + L, fresh)
    g12, g13 = _so_far(G, row + 2 * L, fresh), _so_far(G, row + 3 * L, fresh)
    for s in range(samples):
        a, d = offset(A, s * n_in * L), offset(D, s * row)
        a0, a1, d0, d1, d2, d3 = load(a, 0), load(a, L), load(d, 0), load(d, L), load(d, 2 * L), load(d, 3 * L)
        g00, g01, g02, g03 = fma(a0, d0, g00), fma(a0, d1, g01), fma(a0, d2, g02), fma(a0, d3, g03)
        g10, g11, g12, g13 = fma(a1, d0, g10), fma(a1, d1, g11), fma(a1, d2, g12), fma(a1, d3, g13)
    store(G, 0, g00)
    store(G, L, g01)
    store(G, 2 * L, g02)
    store(G, 3 * L, g03)
    store(G, row, g10)
    store(G, row + L, g11)
    store(G, row + 2 * L, g12)
    store(G, row + 3 * L, g13)


@inlined
def _gradient_2x1(A: Pointer, D: Pointer, G: Pointer, n_in: int, n_out: int, samples: int, fresh: bool) -> None:
    L = lanes_of(A)
    row = n_out * L
    g0, g1 = _so_far(G, 0, fresh), _so_far(G, row, fresh)
    for s in range(samples):
        d = load(D, s * row)
        g0, g1 = fma(load(A, s * n_in * L), d, g0), fma(load(A, (s * n_in + 1) * L), d, g1)
    store(G, 0, g0)
    store(G, row, g1)


@inlined
def _gradient_1x1(A: Pointer, D: Pointer, G: Pointer, n_in: int, n_out: int, samples: int, fresh: bool) -> None:
    L = lanes_of(A)
    g = _so_far(G, 0, fresh)
    for s in range(samples):
        g = fma(load(A, s * n_in * L), load(D, s * n_out * L), g)
    store(G, 0, g)
