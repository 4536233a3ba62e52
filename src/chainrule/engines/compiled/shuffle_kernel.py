"""Permutations as NumPy draws them, for many seeds at a time and without Python's lock.

The generator is Philox4x64 with 10 rounds (Salmon, Moraes, Dror and Shaw, SC 2011; its constants are named there): the
i-th block of four numbers is a keyed function of i. A shuffle is that of Fisher and Yates, from the end; it takes its
numbers from halves of those, as many bits as the bound has, again and again until one is within the bound. This is what
`numpy.random.Generator.permutation` does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.typing import signature

from chainrule.engines.compiled.cache import inlined, kernel
from chainrule.engines.compiled.simd import built_in

MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
ROUNDS = 10
KEY, COUNTER, PLACE, BUFFER, HAS_HALF, HALF = 0, 2, 3, 4, 8, 9
N_STATE = 10
"""A generator's state, uint64: key (2), blocks drawn, numbers used of the latest one, that block (4), and whether half
of a number is left, and which."""
LOW_HALF, HALF_BITS = np.uint64(0xFFFFFFFF), np.uint64(32)
NONE, ONE, ALL_USED = np.uint64(0), np.uint64(1), np.uint64(4)


@built_in
def high_product(typingctx: Any, a: Any, b: Any) -> Any:
    """Return the upper 64 of the 128 bits of a product."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return signature(types.uint64, types.uint64, types.uint64), codegen


@inlined
def _refill(state: Any) -> None:
    """Draw the next block of four numbers."""
    state[COUNTER] += ONE
    c0, c1, c2, c3 = state[COUNTER], NONE, NONE, NONE
    k0, k1 = state[KEY], state[KEY + 1]
    for _ in range(ROUNDS):
        high0, low0 = high_product(MULTIPLIER_0, c0), MULTIPLIER_0 * c0
        high1, low1 = high_product(MULTIPLIER_1, c2), MULTIPLIER_1 * c2
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = k0 + WEYL_0, k1 + WEYL_1
    state[BUFFER], state[BUFFER + 1], state[BUFFER + 2], state[BUFFER + 3] = c0, c1, c2, c3
    state[PLACE] = NONE


@inlined
def _next_half(state: Any) -> Any:
    """Return the next 32 bits: the lower half of a number, then its upper half."""
    if state[HAS_HALF] != NONE:
        state[HAS_HALF] = NONE
        return state[HALF]
    if state[PLACE] == ALL_USED:
        _refill(state)
    number = state[BUFFER + np.int64(state[PLACE])]
    state[PLACE] += ONE
    state[HAS_HALF], state[HALF] = ONE, number >> HALF_BITS
    return number & LOW_HALF


@inlined
def _at_most(state: Any, largest: int, mask: Any) -> Any:
    """Return a whole number from 0 to `largest`; `mask` has ones up to the highest bit of it."""
    while True:
        value = np.int64(_next_half(state) & mask)
        if value <= largest:
            return value


@kernel
def permute(states: Any, rows: Any, tables: Any) -> None:
    """Fill tables[r] (epochs, n) with the next permutations of the generator states[r], for every r in `rows`."""
    n = tables.shape[2]
    for k in range(rows.size):
        state, table = states[rows[k]], tables[rows[k]]
        for epoch in range(table.shape[0]):
            order = table[epoch]
            for i in range(n):
                order[i] = i
            mask = LOW_HALF
            for i in range(n - 1, 0, -1):
                while np.int64(mask >> ONE) >= i:
                    mask = mask >> ONE
                j = _at_most(state, i, mask)
                order[i], order[j] = order[j], order[i]
