"""Activations over whole buffers: Z becomes A = f(Z), and beside it stands the slope f'(Z) for the way back.

The derivations stand in `chainrule.nn.activations`; here each activation is one loop over contiguous floats, with the
choice of activation outside the loop. Softmax mixes the units of a sample, so it has no loop here: each engine computes
it with the loss.
"""

from __future__ import annotations

from chainrule.engines.compiled.cache import called, inlined
from chainrule.engines.compiled.codes import ELU, GELU, LEAKY_RELU, RELU, SIGMOID, SILU, SOFTPLUS, TANH
from chainrule.engines.compiled.functions import (
    exp_down,
    expm1_down,
    normal_cdf,
    normal_density,
    sigmoid,
    softplus,
    tanh,
)
from chainrule.engines.compiled.simd import (
    Pointer,
    fma,
    greater,
    lanes_of,
    load,
    minimum,
    select,
    splat,
    store,
)


@called
def activate(code: int, number: float, A: Pointer, S: Pointer, start: int, stop: int) -> None:
    """Replace Z in A[start:stop] by f(Z), and write f'(Z) to S[start:stop].

    `number` is the activation's own (slope of leaky_relu, alpha of elu); `start` and `stop` are whole vectors.
    """
    if code == SIGMOID:
        _sigmoid_loop(A, S, start, stop)
    elif code == TANH:
        _tanh_loop(A, S, start, stop)
    elif code == RELU or code == LEAKY_RELU:
        _rectifier_loop(number if code == LEAKY_RELU else 0.0, A, S, start, stop)
    elif code == ELU:
        _elu_loop(number, A, S, start, stop)
    elif code == SOFTPLUS:
        _softplus_loop(A, S, start, stop)
    elif code == SILU:
        _silu_loop(A, S, start, stop)
    elif code == GELU:
        _gelu_loop(A, S, start, stop)
    else:
        _identity_loop(S, start, stop)


@inlined
def _identity_loop(S: Pointer, start: int, stop: int) -> None:
    for i in range(start, stop, lanes_of(S)):
        store(S, i, splat(S, 1.0))


@inlined
def _sigmoid_loop(A: Pointer, S: Pointer, start: int, stop: int) -> None:
    for i in range(start, stop, lanes_of(A)):
        a = sigmoid(load(A, i))
        store(A, i, a)
        store(S, i, a * (splat(a, 1.0) - a))


@inlined
def _tanh_loop(A: Pointer, S: Pointer, start: int, stop: int) -> None:
    for i in range(start, stop, lanes_of(A)):
        a = tanh(load(A, i))
        store(A, i, a)
        store(S, i, splat(a, 1.0) - a * a)


@inlined
def _rectifier_loop(below: float, A: Pointer, S: Pointer, start: int, stop: int) -> None:
    for i in range(start, stop, lanes_of(A)):
        z = load(A, i)
        slope = select(greater(z, splat(z, 0.0)), splat(z, 1.0), splat(z, below))
        # NaN and infinity times the slope stay what they are, or become NaN: divergence shows.
        store(A, i, select(greater(z, splat(z, 0.0)), z, z * splat(z, below)))
        store(S, i, slope)


@inlined
def _elu_loop(alpha: float, A: Pointer, S: Pointer, start: int, stop: int) -> None:
    for i in range(start, stop, lanes_of(A)):
        z = load(A, i)
        positive = greater(z, splat(z, 0.0))
        down = minimum(z, splat(z, 0.0))
        store(A, i, select(positive, z, expm1_down(down) * splat(z, alpha)))
        store(S, i, select(positive, splat(z, 1.0), exp_down(down) * splat(z, alpha)))


@inlined
def _softplus_loop(A: Pointer, S: Pointer, start: int, stop: int) -> None:
    for i in range(start, stop, lanes_of(A)):
        z = load(A, i)
        store(A, i, softplus(z))
        store(S, i, sigmoid(z))


@inlined
def _silu_loop(A: Pointer, S: Pointer, start: int, stop: int) -> None:
    for i in range(start, stop, lanes_of(A)):
        z = load(A, i)
        s = sigmoid(z)
        store(A, i, z * s)
        store(S, i, fma(z * s, splat(z, 1.0) - s, s))


@inlined
def _gelu_loop(A: Pointer, S: Pointer, start: int, stop: int) -> None:
    for i in range(start, stop, lanes_of(A)):
        z = load(A, i)
        p = normal_cdf(z)
        store(A, i, z * p)
        store(S, i, fma(z, normal_density(z), p))
