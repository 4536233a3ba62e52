"""The products of a dense layer, its activations, and the transposed copy of its weights; each for one panel.

With A the rows below, W a panel and D the deltas of its units, for samples s, inputs i, units j:

    z_sj = b_j + sum_i a_si w_ij          dA_si = sum_j d_sj w_ij          dW_ij = sum_s a_si d_sj

Every sum is one chain of fused multiply-adds in ascending order of its index (see `tiles`).
"""

from __future__ import annotations

from chainrule.engines.compiled.cache import called
from chainrule.engines.compiled.simd import Pointer, lanes_of, offset
from chainrule.engines.gemm.moves import copy_floats, transpose_square
from chainrule.engines.gemm.tiles import MOST_ROWS, MOST_VECTORS, dense_tile


@called
def product(
    rows: int, floats: int, a: Pointer, a_row: int, a_step: int, steps: int, b: Pointer, b_step: int, start: Pointer,
    start_row: int, out: Pointer, out_row: int, how: int, down: Pointer,
) -> None:  # fmt: skip
    """Compute `rows` rows of `floats` columns (whole vectors), tile by tile; see `tiles.dense_tile`."""
    L = lanes_of(b)
    c = 0
    while c < floats:
        vectors = min((floats - c) // L, MOST_VECTORS)
        r = 0
        while r < rows:
            n = MOST_ROWS
            while n > rows - r:
                n = n // 2
            dense_tile(
                n, vectors, offset(a, r * a_row), a_row, a_step, steps, offset(b, c), b_step,
                offset(start, r * start_row + c), start_row, offset(out, r * out_row + c), out_row, how, down,
            )  # fmt: skip
            r += n
        c += vectors * L


@called
def transpose(W: Pointer, W_row: int, rows: int, columns: int, T: Pointer, T_row: int) -> None:
    """Write the transpose of W (rows, columns) to T; columns past `columns` up to a whole vector may be written too."""
    L = lanes_of(W)
    whole = rows // L * L
    for i in range(0, whole, L):
        for j in range(0, columns, L):
            transpose_square(offset(W, i * W_row + j), W_row, offset(T, j * T_row + i), T_row)
    for i in range(whole, rows):
        for j in range(columns):
            T[j * T_row + i] = W[i * W_row + j]


@called
def copy_rows(source: Pointer, order: Pointer, rows: int, floats: int, to: Pointer) -> None:
    """Write rows order[0], order[1], ... of `source`, one after the other."""
    for r in range(rows):
        copy_floats(offset(source, order[r] * floats), offset(to, r * floats), floats)
