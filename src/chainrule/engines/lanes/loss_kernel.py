"""Losses with their deltas, and metrics, for as many members as a vector has lanes.

The derivations stand in `chainrule.nn.losses` and `chainrule.nn.cross_entropy`. A sample's loss is a vector over
members; it is added to float64 sums, sample after sample, so that many samples cost no precision. `share` is a sample's
part in the reduction: its weight divided by the sum of weights, or 1/n, or 1.
"""

from __future__ import annotations

import math

from chainrule.engines.compiled.cache import called, inlined
from chainrule.engines.compiled.codes import ACCURACY, BCE_EPS, BCE_LOGITS, HALF_MSE, HUBER, MAE, MSE, SOFTMAX_CE
from chainrule.engines.compiled.functions import exp_down, log1p_unit, log_normal
from chainrule.engines.compiled.simd import (
    Pointer,
    Vector,
    absolute,
    add_to_doubles,
    at_least,
    copysign,
    fma,
    greater,
    lane,
    lanes_of,
    load,
    maximum,
    minimum,
    offset,
    put_lane,
    select,
    splat,
    store,
)


@called
def loss_and_delta(
    code: int, number: float, A: Pointer, D: Pointer, Y: Pointer, w: Pointer, weighted: bool, share: Pointer,
    total: Pointer, apart: int, k: int, samples: int,
) -> None:  # fmt: skip
    """Add the samples' losses to `total` (float64, lanes), and make D the output delta dL/dZ.

    A (samples, k) holds the outputs and D their slopes f'(Z), but for losses that pair with their activation: there
    A holds the logits Z and becomes the outputs. `share` is one vector; with weights `w` (samples,) it is
    1 / (sum of weights), or 1. The sums of sample s stand at ``total + s * apart``; all are one if `apart` is 0.
    """
    if code == BCE_LOGITS:
        _binary_cross_entropy(number, A, D, Y, w, weighted, share, total, apart, k, samples)
    elif code == SOFTMAX_CE:
        _softmax_cross_entropy(number, A, D, Y, w, weighted, share, total, apart, k, samples)
    elif code == BCE_EPS:
        _cross_entropy_eps(number, A, D, Y, w, weighted, share, total, apart, k, samples)
    else:
        _regression(code, number, A, D, Y, w, weighted, share, total, apart, k, samples)


@inlined
def _part(w: Pointer, weighted: bool, share: Pointer, s: int) -> Vector:
    """Return sample s's share in the reduction."""
    if weighted:
        return load(w, s * lanes_of(w)) * load(share, 0)
    return load(share, 0)


@inlined
def _count(loss: Vector, w: Pointer, weighted: bool, total: Pointer, s: int) -> None:
    """Add a sample's loss, times its weight, to the sum."""
    if weighted:
        add_to_doubles(total, loss * load(w, s * lanes_of(w)))
    else:
        add_to_doubles(total, loss)


@inlined
def _regression(
    code: int, number: float, A: Pointer, D: Pointer, Y: Pointer, w: Pointer, weighted: bool, share: Pointer,
    total: Pointer, apart: int, k: int, samples: int,
) -> None:  # fmt: skip
    """mse, half_mse, mae and huber: of r = a - y, the mean over the k outputs."""
    L = lanes_of(A)
    for s in range(samples):
        part = _part(w, weighted, share, s)
        loss = splat(A, 0.0)
        for j in range(k):
            i = (s * k + j) * L
            r = load(A, i) - load(Y, i)
            slope = r
            if code == MSE:
                loss = fma(r, r, loss)
                slope = r + r
            elif code == HALF_MSE:
                loss = fma(splat(r, 0.5) * r, r, loss)
            elif code == MAE:
                loss = loss + absolute(r)
                slope = select(greater(absolute(r), splat(r, 0.0)), copysign(splat(r, 1.0), r), r)
            elif code == HUBER:
                size = absolute(r)
                near = minimum(size, splat(r, number))
                loss = fma(near, size - splat(r, 0.5) * near, loss)
                slope = maximum(minimum(r, splat(r, number)), splat(r, -number))
            store(D, i, slope * splat(r, 1.0 / k) * part * load(D, i))
        _count(loss * splat(loss, 1.0 / k), w, weighted, offset(total, s * apart), s)


@inlined
def _binary_cross_entropy(
    scale: float, Z: Pointer, D: Pointer, Y: Pointer, w: Pointer, weighted: bool, share: Pointer, total: Pointer,
    apart: int, k: int, samples: int,
) -> None:  # fmt: skip
    """L = max(z, 0) - z y + log(1 + e^-|z|), dl/dz = a - y, both times scale / k."""
    L = lanes_of(Z)
    for s in range(samples):
        part = _part(w, weighted, share, s)
        loss = splat(Z, 0.0)
        for j in range(k):
            i = (s * k + j) * L
            z, y = load(Z, i), load(Y, i)
            zero, one = splat(z, 0.0), splat(z, 1.0)
            e = exp_down(zero - absolute(z))
            sure = one / (one + e)
            a = select(greater(z, zero), sure, e * sure)
            loss = loss + ((maximum(z, zero) - z * y) + log1p_unit(e))
            store(Z, i, a)
            store(D, i, (a - y) * splat(z, scale / k) * part)
        _count(loss * splat(loss, scale / k), w, weighted, offset(total, s * apart), s)


@inlined
def _softmax_cross_entropy(
    smoothing: float, Z: Pointer, D: Pointer, Y: Pointer, w: Pointer, weighted: bool, share: Pointer, total: Pointer,
    apart: int, k: int, samples: int,
) -> None:  # fmt: skip
    """L = -sum_j q_j log a_j, dl/dz_j = Q a_j - q_j with Q = sum_j q_j, for smoothed targets q."""
    L = lanes_of(Z)
    for s in range(samples):
        part = _part(w, weighted, share, s)
        top = load(Z, s * k * L)
        for j in range(1, k):
            top = maximum(top, load(Z, (s * k + j) * L))
        sum_e, sum_q = splat(Z, 0.0), splat(Z, 0.0)
        for j in range(k):
            i = (s * k + j) * L
            e = exp_down(load(Z, i) - top)
            store(D, i, e)
            sum_e = sum_e + e
            sum_q = sum_q + _smoothed(load(Y, i), smoothing, k)
        log_sum, loss = log_normal(sum_e), splat(Z, 0.0)
        for j in range(k):
            i = (s * k + j) * L
            q = _smoothed(load(Y, i), smoothing, k)
            loss = loss - q * ((load(Z, i) - top) - log_sum)
            a = load(D, i) / sum_e
            store(Z, i, a)
            store(D, i, (sum_q * a - q) * part)
        _count(loss, w, weighted, offset(total, s * apart), s)


@inlined
def _smoothed(y: Vector, smoothing: float, k: int) -> Vector:
    """Return (1 - s) y + s / k."""
    return fma(splat(y, 1.0 - smoothing), y, splat(y, smoothing / k))


@inlined
def _cross_entropy_eps(
    eps: float, A: Pointer, D: Pointer, Y: Pointer, w: Pointer, weighted: bool, share: Pointer, total: Pointer,
    apart: int, k: int, samples: int,
) -> None:  # fmt: skip
    """-(y log a + (1 - y) log(1 - a)) with bare logarithms, and eps in the divisions of the slope only."""
    L = lanes_of(A)
    for s in range(samples):
        part = _part(w, weighted, share, s)
        loss = splat(A, 0.0)
        for j in range(k):
            i = (s * k + j) * L
            a, y = load(A, i), load(Y, i)
            one = splat(a, 1.0)
            loss = loss - (y * _bare_log(a) + (one - y) * _bare_log(one - a))
            slope = (one - y) / ((one - a) + splat(a, eps)) - y / (a + splat(a, eps))
            store(D, i, slope * splat(a, 1.0 / k) * part * load(D, i))
        _count(loss * splat(loss, 1.0 / k), w, weighted, offset(total, s * apart), s)


@inlined
def _bare_log(v: Vector) -> Vector:
    """Return the C library's logarithm, lane by lane: -inf at 0, NaN below."""
    result = v
    for i in range(lanes_of(v)):
        x = lane(v, i)
        if x > 0.0:
            result = put_lane(result, i, math.log(x))
        elif x == 0.0:
            result = put_lane(result, i, -math.inf)
        else:
            result = put_lane(result, i, math.nan)
    return result


@inlined
def count_metric(metric: int, A: Pointer, Y: Pointer, total: Pointer, apart: int, k: int, samples: int) -> None:
    """Add to `total` (float64, lanes) the samples whose class is predicted, or the absolute errors of all outputs.

    The sums of sample s stand at ``total + s * apart``.
    """
    L = lanes_of(A)
    for s in range(samples):
        a, y, to = offset(A, s * k * L), offset(Y, s * k * L), offset(total, s * apart)
        if metric != ACCURACY:
            error = splat(A, 0.0)
            for j in range(k):
                error = error + absolute(load(a, j * L) - load(y, j * L))
            add_to_doubles(to, error)
        elif k == 1:
            add_to_doubles(to, _same_side(load(a, 0), load(y, 0)))
        else:
            add_to_doubles(to, _same_class(a, y, k))


@inlined
def _same_side(a: Vector, y: Vector) -> Vector:
    """Return 1 where a and y lie on the same side of 1/2 (which counts as class 1), else 0; 0 for NaN."""
    half, one, zero = splat(a, 0.5), splat(a, 1.0), splat(a, 0.0)
    upper = select(at_least(a, half), one, zero)
    lower = select(greater(half, a), one, zero)
    return select(at_least(y, half), upper, lower)


@inlined
def _same_class(A: Pointer, Y: Pointer, k: int) -> Vector:
    """Return 1 where the first largest output and the first largest target are the same; 0 if an output is NaN."""
    L = lanes_of(A)
    a, y, one, zero = load(A, 0), load(Y, 0), splat(A, 1.0), splat(A, 0.0)
    best_a, best_y, sick = zero, zero, select(at_least(a, a), zero, one)
    for j in range(1, k):
        next_a, next_y, number = load(A, j * L), load(Y, j * L), splat(A, float(j))
        more_a, more_y = greater(next_a, a), greater(next_y, y)
        best_a, a = select(more_a, number, best_a), select(more_a, next_a, a)
        best_y, y = select(more_y, number, best_y), select(more_y, next_y, y)
        sick = select(at_least(next_a, next_a), sick, one)
    apart = absolute(best_a - best_y) + sick
    return select(greater(splat(A, 0.5), apart), one, zero)
