"""Functions of vectors: exponentials, logarithms, and the activations with their slopes.

Everything rests on one range reduction (Cody and Waite, "Software Manual for the Elementary Functions", 1980):

    x = n ln 2 + r with whole n and |r| <= ln(2) / 2,   e^x = 2^n e^r = 2^n (1 + q),   q = e^r - 1.

ln 2 is subtracted in two parts, the first of which has so few bits that n times it is exact; q is its Taylor series,
which has fallen below half a unit in the last place after r^7 (float32) or r^13 (float64). Because q and not e^r is
computed, e^x - 1 = 2^n q + (2^n - 1) is as exact near 0 as far from it. Only x <= 0 is needed: every activation can be
written with a decaying exponential.

Logarithms use log m = 2 artanh(s) = 2 (s + s^3/3 + s^5/5 + ...) with s = (m - 1) / (m + 1) and |s| <= 0.172.

Accuracy against correctly rounded values is part of the tests: at most 4 units in the last place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import overload

from chainrule.engines.compiled.cache import NOT_FOR_PYTHON, inlined
from chainrule.engines.compiled.exponents import fold_exponent, split_exponent
from chainrule.engines.compiled.simd import (
    Vector,
    absolute,
    copysign,
    fma,
    greater,
    lane,
    lanes_of,
    maximum,
    put_lane,
    round_even,
    select,
    splat,
)

LOG2_E = 1.4426950408889634
SQRT_HALF = 0.7071067811865476
ROOT_OF_TWO_PI_INVERTED = 0.3989422804014327
LN2 = 0.6931471805599453
# The first part of ln 2 leaves its last 10 bits (float32) or 21 bits (float64) zero; n has no more than those.
LN2_HIGH_32, LN2_LOW_32 = 0.693359375, -2.12194440054690583e-4
LN2_HIGH_64, LN2_LOW_64 = 6.93147180369123816490e-01, 1.90821492927058770002e-10
LOWEST_32, LOWEST_64 = -87.33654, -708.396418532264
F2, F3, F4, F5, F6, F7, F8, F9, F10, F11, F12, F13 = (1.0 / math.factorial(k) for k in range(2, 14))


def _typed(single: Callable[..., Any], double: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of one vector `x` with one body for float32 and another for float64."""

    def choose(x: Vector) -> Vector:
        raise NotImplementedError("only for compiled code")

    def by_type(x: Vector) -> Vector:
        return single if x.dtype == types.float32 else double

    options = {"forceinline": True, "nogil": True, "error_model": "numpy", **NOT_FOR_PYTHON}
    overload(choose, jit_options=options)(by_type)
    return choose


def _lowest_32(x: Vector) -> Vector:
    return splat(x, LOWEST_32)


def _lowest_64(x: Vector) -> Vector:
    return splat(x, LOWEST_64)


def _ln2_high_32(x: Vector) -> Vector:
    return splat(x, LN2_HIGH_32)


def _ln2_high_64(x: Vector) -> Vector:
    return splat(x, LN2_HIGH_64)


def _ln2_low_32(x: Vector) -> Vector:
    return splat(x, LN2_LOW_32)


def _ln2_low_64(x: Vector) -> Vector:
    return splat(x, LN2_LOW_64)


def _expm1_near_32(x: Vector) -> Vector:
    p = fma(splat(x, F7), x, splat(x, F6))
    p = fma(p, x, splat(x, F5))
    p = fma(p, x, splat(x, F4))
    p = fma(p, x, splat(x, F3))
    p = fma(p, x, splat(x, F2))
    return fma(p, x * x, x)


def _expm1_near_64(x: Vector) -> Vector:
    p = fma(splat(x, F13), x, splat(x, F12))
    p = fma(p, x, splat(x, F11))
    p = fma(p, x, splat(x, F10))
    p = fma(p, x, splat(x, F9))
    p = fma(p, x, splat(x, F8))
    p = fma(p, x, splat(x, F7))
    p = fma(p, x, splat(x, F6))
    p = fma(p, x, splat(x, F5))
    p = fma(p, x, splat(x, F4))
    p = fma(p, x, splat(x, F3))
    p = fma(p, x, splat(x, F2))
    return fma(p, x * x, x)


def _artanh_near_32(x: Vector) -> Vector:
    t = x * x
    p = fma(splat(x, 1.0 / 11.0), t, splat(x, 1.0 / 9.0))
    p = fma(p, t, splat(x, 1.0 / 7.0))
    p = fma(p, t, splat(x, 1.0 / 5.0))
    p = fma(p, t, splat(x, 1.0 / 3.0))
    return fma(p * t, x, x)


def _artanh_near_64(x: Vector) -> Vector:
    t = x * x
    p = fma(splat(x, 1.0 / 23.0), t, splat(x, 1.0 / 21.0))
    p = fma(p, t, splat(x, 1.0 / 19.0))
    p = fma(p, t, splat(x, 1.0 / 17.0))
    p = fma(p, t, splat(x, 1.0 / 15.0))
    p = fma(p, t, splat(x, 1.0 / 13.0))
    p = fma(p, t, splat(x, 1.0 / 11.0))
    p = fma(p, t, splat(x, 1.0 / 9.0))
    p = fma(p, t, splat(x, 1.0 / 7.0))
    p = fma(p, t, splat(x, 1.0 / 5.0))
    p = fma(p, t, splat(x, 1.0 / 3.0))
    return fma(p * t, x, x)


_lowest = _typed(_lowest_32, _lowest_64)
_ln2_high = _typed(_ln2_high_32, _ln2_high_64)
_ln2_low = _typed(_ln2_low_32, _ln2_low_64)
_expm1_near = _typed(_expm1_near_32, _expm1_near_64)
_artanh_near = _typed(_artanh_near_32, _artanh_near_64)


@inlined
def _remainder(x: Vector, n: Vector) -> Vector:
    """Return r = x - n ln 2."""
    zero = splat(x, 0.0)
    return fma(n, zero - _ln2_low(x), fma(n, zero - _ln2_high(x), x))


@inlined
def _held(x: Vector, low: Vector) -> Vector:
    """Return the larger one, and NaN for NaN: `maximum` in one instruction, as `low` is a number."""
    return select(greater(low, x), low, x)


@inlined
def exp_down(x: Vector) -> Vector:
    """Return e^x for x <= 0; 0 where that is smaller than the smallest normal float."""
    low = _lowest(x)
    held = _held(x, low)
    n = round_even(held * splat(x, LOG2_E))
    power = fold_exponent(n)
    value = fma(power, _expm1_near(_remainder(held, n)), power)
    return select(greater(low, x), splat(x, 0.0), value)


@inlined
def expm1_down(x: Vector) -> Vector:
    """Return e^x - 1 for x <= 0, exact near 0 too."""
    held = _held(x, _lowest(x))
    n = round_even(held * splat(x, LOG2_E))
    power = fold_exponent(n)
    return fma(power, _expm1_near(_remainder(held, n)), power - splat(x, 1.0))


@inlined
def log1p_unit(e: Vector) -> Vector:
    """Return log(1 + e) for e in [0, 1]: with m = 1 + e, or with m = (1 + e) / 2 and ln 2 added for e > sqrt(2) - 1."""
    one = splat(e, 1.0)
    upper = greater(e, splat(e, 0.41421356))
    s = select(upper, e - one, e) / select(upper, e + splat(e, 3.0), e + splat(e, 2.0))
    return fma(splat(e, 2.0), _artanh_near(s), select(upper, splat(e, LN2), splat(e, 0.0)))


@inlined
def log_normal(v: Vector) -> Vector:
    """Return log v for normal positive v; NaN and infinity give NaN."""
    one = splat(v, 1.0)
    n = split_exponent(v)
    m = v / fold_exponent(n)
    upper = greater(m, splat(v, 1.4142135))
    m = select(upper, m * splat(v, 0.5), m)
    n = select(upper, n + one, n)
    value = fma(n, splat(v, LN2), splat(v, 2.0) * _artanh_near((m - one) / (m + one)))
    return value + (v - v)


@inlined
def sigmoid(z: Vector) -> Vector:
    """Return 1 / (1 + e^-z): with e = e^-|z|, 1 / (1 + e) for z > 0 and e / (1 + e) below."""
    one = splat(z, 1.0)
    e = exp_down(splat(z, 0.0) - absolute(z))
    s = one / (one + e)
    return select(greater(z, splat(z, 0.0)), s, e * s)


@inlined
def tanh(z: Vector) -> Vector:
    """Return tanh z: with u = e^(-2|z|) - 1, tanh |z| = -u / (u + 2)."""
    u = expm1_down(splat(z, -2.0) * absolute(z))
    return copysign(u / (u + splat(z, 2.0)), z)


@inlined
def normal_cdf(z: Vector) -> Vector:
    """Return Phi(z) = erfc(-z / sqrt 2) / 2, lane by lane with the C library's erfc, exact in the tails too."""
    result = z
    for k in range(lanes_of(z)):
        result = put_lane(result, k, 0.5 * math.erfc(-SQRT_HALF * lane(z, k)))
    return result


@inlined
def normal_density(z: Vector) -> Vector:
    """Return phi(z) = e^(-z^2 / 2) / sqrt(2 pi)."""
    return exp_down(splat(z, -0.5) * (z * z)) * splat(z, ROOT_OF_TWO_PI_INVERTED)


@inlined
def softplus(z: Vector) -> Vector:
    """Return log(1 + e^z) = max(z, 0) + log(1 + e^-|z|)."""
    zero = splat(z, 0.0)
    return maximum(z, zero) + log1p_unit(exp_down(zero - absolute(z)))
