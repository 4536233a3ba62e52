"""Poolings of a group: each window of each channel becomes its largest entry, or its mean."""

from __future__ import annotations

from chainrule.engines.compiled.cache import called
from chainrule.engines.compiled.simd import Pointer, greater, lanes_of, load, maximum, offset, select, splat, store
from chainrule.engines.images.records import ALL_LONE, FIRST_ENTRY, IN_AT, N_ENTRIES, N_WINDOW, OUT_AT, Nets


@called
def pool(net: Nets, first: int, end: int, channels: int, means: bool, A: Pointer, out: Pointer) -> None:
    """Compute the outputs of some windows of the level A; NaN comes through."""
    L = lanes_of(A)
    for number in range(first, end):
        window = offset(net.windows, number * N_WINDOW)
        entries, count = offset(net.places, window[FIRST_ENTRY]), window[N_ENTRIES]
        here, to = offset(A, window[IN_AT]), offset(out, window[OUT_AT])
        share = splat(A, float(count))
        for c in range(0, channels * L, L):
            if means:
                held = splat(A, 0.0)
                for n in range(count):
                    held = held + load(here, entries[n] + c)
                store(to, c, held / share)
            else:
                held = load(here, entries[0] + c)
                for n in range(1, count):
                    held = maximum(held, load(here, entries[n] + c))
                store(to, c, held)


@called
def pool_back(
    net: Nets, first: int, end: int, channels: int, means: bool, lone: int, positive: bool, A: Pointer, out: Pointer,
    delta: Pointer, D: Pointer, floats: int,
) -> None:  # fmt: skip
    """Hand the deltas of the outputs on to the level below: to the first largest entry, or to all in equal shares.

    D gets dL/dA of all its floats; an input of several windows adds them up in the order of the windows. Of largest
    entries that are lone it is dL/dZ at once, where only `positive` activations have a slope.
    """
    L, zero, one = lanes_of(A), splat(A, 0.0), splat(A, 1.0)
    if means or lone != ALL_LONE:
        for p in range(0, floats, L):
            store(D, p, zero)
    for number in range(first, end):
        window = offset(net.windows, number * N_WINDOW)
        entries, count = offset(net.places, window[FIRST_ENTRY]), window[N_ENTRIES]
        here, to = offset(A, window[IN_AT]), offset(D, window[IN_AT])
        z_at, d_at = offset(out, window[OUT_AT]), offset(delta, window[OUT_AT])
        share = splat(A, float(count))
        for c in range(0, channels * L, L):
            left = load(d_at, c)
            if means:
                left = left / share
                for n in range(count):
                    place = entries[n] + c
                    store(to, place, load(to, place) + left)
            else:
                z = load(z_at, c)
                for n in range(count):
                    place = entries[n] + c
                    a = load(here, place)
                    smaller = greater(z, a)
                    given = select(smaller, zero, left)
                    left = select(smaller, left, zero)
                    if positive:
                        given = given * select(greater(a, zero), one, zero)
                    if lone == 0:
                        given = load(to, place) + given
                    store(to, place, given)
