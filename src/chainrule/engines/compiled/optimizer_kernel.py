"""Optimizer steps on flat parameters, in place; the rules and their sources stand in `chainrule.optim`.

Weights, gradient and memories are buffers of n floats, n a whole number of vectors. The numbers of a rule are rows of
one vector each in `hyper`: in the lanes engine lane k holds those of member k, in the gemm engine all lanes are equal.
So one loop serves both.
"""

from __future__ import annotations

import math

from chainrule.engines.compiled.cache import called, inlined
from chainrule.engines.compiled.codes import (
    ADAGRAD,
    ADAM,
    ADAM_OVERWRITING,
    ADAMW,
    ARRAY_NORMALIZED,
    DECAY,
    EPS,
    FADE,
    FADE_SQUARES,
    FRESH,
    FRESH_SQUARES,
    MOMENTUM,
    MOMENTUM_ASCENT,
    NESTEROV,
    RATE,
    RMSPROP,
    SCALE,
    SGD,
    SHIFT,
)
from chainrule.engines.compiled.simd import (
    Pointer,
    Vector,
    fma,
    greater,
    lanes_of,
    load,
    load_scalar,
    offset,
    select,
    splat,
    sqrt,
    store,
    store_scalar,
)


@inlined
def prepare_step(code: int, members: int, hyper: Pointer, powers: Pointer, base: Pointer) -> None:
    """Count one step of Adam's clock: fill the rows SCALE and SHIFT.

    With c1 = 1 - beta1^t and c2 = 1 - beta2^t the step is

        lr / c1 * m / (sqrt(v) / sqrt(c2) + eps) = (lr sqrt(c2) / c1) * m / (sqrt(v) + eps sqrt(c2)),

    which takes one division instead of two. `powers` (2, members) holds beta1^t and beta2^t, `base` (4, members) beta1,
    beta2, eps and the learning rate, all float64; `members` is the number of lanes with numbers of their own, or 1.
    """
    if code != ADAM and code != ADAMW and code != ADAM_OVERWRITING:
        return
    width = lanes_of(hyper)
    for k in range(members):
        powers[k] *= base[k]
        powers[members + k] *= base[members + k]
        first, second = 1.0 - powers[k], 1.0 - powers[members + k]
        root = math.sqrt(second)
        if code == ADAM_OVERWRITING:
            store_scalar(hyper, SCALE * width + k, first)
            store_scalar(hyper, SHIFT * width + k, second)
        else:
            store_scalar(hyper, SCALE * width + k, base[3 * members + k] / first * root)
            store_scalar(hyper, SHIFT * width + k, base[2 * members + k] * root)
    if members == 1:
        for row in range(SCALE, SHIFT + 1):
            store(hyper, row * width, splat(hyper, load_scalar(hyper, row * width)))


@called
def apply_step(
    code: int,
    theta: Pointer,
    grad: Pointer,
    one: Pointer,
    two: Pointer,
    hyper: Pointer,
    mask: Pointer,
    check: Pointer,
    n: int,
) -> None:
    """Move the weights where `mask` (one vector) is 1; `check` gets NaN where a weight is no longer finite, else 0.

    `array_normalized_gradient` is `sgd` with a gradient that the caller has divided by the length of its array.
    """
    if code == SGD or code == ARRAY_NORMALIZED:
        _sgd(theta, grad, hyper, mask, check, n)
    elif code == MOMENTUM or code == MOMENTUM_ASCENT:
        _momentum(code == MOMENTUM_ASCENT, theta, grad, one, hyper, mask, check, n)
    elif code == NESTEROV:
        _nesterov(theta, grad, one, hyper, mask, check, n)
    elif code == ADAGRAD:
        _adagrad(theta, grad, one, hyper, mask, check, n)
    elif code == RMSPROP:
        _rmsprop(theta, grad, one, hyper, mask, check, n)
    elif code == ADAM_OVERWRITING:
        _adam_overwriting(theta, grad, one, two, hyper, mask, check, n)
    else:
        _adam(code == ADAMW, theta, grad, one, two, hyper, mask, check, n)


@inlined
def row(hyper: Pointer, which: int) -> Vector:
    """Return one row of the numbers of a rule."""
    return load(offset(hyper, which * lanes_of(hyper)), 0)


@inlined
def _sgd(theta: Pointer, grad: Pointer, hyper: Pointer, mask: Pointer, check: Pointer, n: int) -> None:
    zero = splat(theta, 0.0)
    down, moves, seen = zero - row(hyper, RATE), greater(load(mask, 0), zero), zero
    for i in range(0, n, lanes_of(theta)):
        w = load(theta, i)
        w = select(moves, fma(down, load(grad, i), w), w)
        seen = fma(w, zero, seen)
        store(theta, i, w)
    store(check, 0, seen)


@inlined
def _momentum(
    ascent: bool, theta: Pointer, grad: Pointer, one: Pointer, hyper: Pointer, mask: Pointer, check: Pointer, n: int
) -> None:
    zero = splat(theta, 0.0)
    rate, beta, moves, seen = row(hyper, RATE), row(hyper, FADE), greater(load(mask, 0), zero), zero
    along = rate if ascent else zero - rate
    for i in range(0, n, lanes_of(theta)):
        velocity = fma(beta, load(one, i), along * load(grad, i))
        store(one, i, velocity)
        w = load(theta, i)
        w = select(moves, w + velocity, w)
        seen = fma(w, zero, seen)
        store(theta, i, w)
    store(check, 0, seen)


@inlined
def _nesterov(
    theta: Pointer, grad: Pointer, one: Pointer, hyper: Pointer, mask: Pointer, check: Pointer, n: int
) -> None:
    zero = splat(theta, 0.0)
    rate, beta, moves, seen = row(hyper, RATE), row(hyper, FADE), greater(load(mask, 0), zero), zero
    for i in range(0, n, lanes_of(theta)):
        downhill = rate * load(grad, i)
        velocity = beta * load(one, i) - downhill
        store(one, i, velocity)
        w = load(theta, i)
        w = select(moves, w + (beta * velocity - downhill), w)
        seen = fma(w, zero, seen)
        store(theta, i, w)
    store(check, 0, seen)


@inlined
def _adagrad(
    theta: Pointer, grad: Pointer, one: Pointer, hyper: Pointer, mask: Pointer, check: Pointer, n: int
) -> None:
    zero = splat(theta, 0.0)
    rate, eps, moves, seen = row(hyper, RATE), row(hyper, EPS), greater(load(mask, 0), zero), zero
    for i in range(0, n, lanes_of(theta)):
        g = load(grad, i)
        total = fma(g, g, load(one, i))
        store(one, i, total)
        w = load(theta, i)
        w = select(moves, w - rate * (g / (sqrt(total) + eps)), w)
        seen = fma(w, zero, seen)
        store(theta, i, w)
    store(check, 0, seen)


@inlined
def _rmsprop(
    theta: Pointer, grad: Pointer, one: Pointer, hyper: Pointer, mask: Pointer, check: Pointer, n: int
) -> None:
    zero = splat(theta, 0.0)
    rate, rho, fresh, eps = row(hyper, RATE), row(hyper, FADE), row(hyper, FRESH), row(hyper, EPS)
    moves, seen = greater(load(mask, 0), zero), zero
    for i in range(0, n, lanes_of(theta)):
        g = load(grad, i)
        mean_square = fma(rho, load(one, i), fresh * (g * g))
        store(one, i, mean_square)
        w = load(theta, i)
        w = select(moves, w - rate * (g / (sqrt(mean_square) + eps)), w)
        seen = fma(w, zero, seen)
        store(theta, i, w)
    store(check, 0, seen)


@inlined
def _adam(
    decays: bool,
    theta: Pointer,
    grad: Pointer,
    one: Pointer,
    two: Pointer,
    hyper: Pointer,
    mask: Pointer,
    check: Pointer,
    n: int,
) -> None:
    zero = splat(theta, 0.0)
    beta1, fresh1, beta2, fresh2 = (
        row(hyper, FADE),
        row(hyper, FRESH),
        row(hyper, FADE_SQUARES),
        row(hyper, FRESH_SQUARES),
    )
    scale, shift, decay = row(hyper, SCALE), row(hyper, SHIFT), row(hyper, RATE) * row(hyper, DECAY)
    moves, seen = greater(load(mask, 0), zero), zero
    for i in range(0, n, lanes_of(theta)):
        g = load(grad, i)
        m = fma(beta1, load(one, i), fresh1 * g)
        v = fma(beta2, load(two, i), fresh2 * (g * g))
        store(one, i, m)
        store(two, i, v)
        w = load(theta, i)
        moved = w - scale * (m / (sqrt(v) + shift))
        if decays:
            moved = moved - decay * w
        w = select(moves, moved, w)
        seen = fma(w, zero, seen)
        store(theta, i, w)
    store(check, 0, seen)


@inlined
def _adam_overwriting(
    theta: Pointer, grad: Pointer, one: Pointer, two: Pointer, hyper: Pointer, mask: Pointer, check: Pointer, n: int
) -> None:
    zero = splat(theta, 0.0)
    beta1, fresh1, beta2, fresh2 = (
        row(hyper, FADE),
        row(hyper, FRESH),
        row(hyper, FADE_SQUARES),
        row(hyper, FRESH_SQUARES),
    )
    first, second, rate, eps = row(hyper, SCALE), row(hyper, SHIFT), row(hyper, RATE), row(hyper, EPS)
    moves, seen = greater(load(mask, 0), zero), zero
    for i in range(0, n, lanes_of(theta)):
        g = load(grad, i)
        m = fma(beta1, load(one, i), fresh1 * g) / first
        v = fma(beta2, load(two, i), fresh2 * (g * g)) / second
        store(one, i, m)
        store(two, i, v)
        w = load(theta, i)
        w = select(moves, w - rate * (m / (sqrt(v) + eps)), w)
        seen = fma(w, zero, seen)
        store(theta, i, w)
    store(check, 0, seen)
