"""Vectors and functions of vectors, against NumPy and SciPy in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
import pytest

from chainrule.engines.compiled.activation_kernel import activate
from chainrule.engines.compiled.codes import ACTIVATIONS
from chainrule.engines.compiled.denormals import denormals_flushed
from chainrule.engines.compiled.functions import expm1_down, log1p_unit, log_normal
from chainrule.engines.compiled.simd import (
    add_to_doubles,
    fma,
    greater,
    lane,
    lanes_of,
    load,
    maximum,
    minimum,
    pointer,
    put_lane,
    select,
    splat,
    store,
    width_tag,
)
from chainrule.nn.activations import activation

F = TypeVar("F", bound=Callable[..., Any])
Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]
WIDTHS = [(np.float32, 16), (np.float32, 32), (np.float64, 8), (np.float64, 16)]
ELEMENTWISE = [name for name in ACTIVATIONS if name != "softmax"]


def in_memory(function: F) -> F:
    """Compile for this process: what tests compile has no place in the users' cache."""
    made: F = numba.njit(error_model="numpy")(function)
    return made


@in_memory
def run_activation(code: int, number: float, A: Any, S: Any, width: Any) -> None:
    activate(code, number, pointer(A, width), pointer(S, width), 0, A.size)


@in_memory
def run_logarithms(V: Any, below: Any, log1p: Any, log: Any, expm1: Any, width: Any) -> None:
    v, b, one, two, three = (
        pointer(V, width),
        pointer(below, width),
        pointer(log1p, width),
        pointer(log, width),
        pointer(expm1, width),
    )
    for i in range(0, V.size, lanes_of(v)):
        store(one, i, log1p_unit(load(b, i)))
        store(two, i, log_normal(load(v, i)))
        store(three, i, expm1_down(splat(v, 0.0) - load(v, i)))


@in_memory
def run_basics(V: Any, out: Any, doubles: Any, width: Any) -> float:
    v, o, d = pointer(V, width), pointer(out, width), pointer(doubles, width)
    x = load(v, 0)
    L = lanes_of(v)
    store(o, 0, fma(x, splat(x, 2.0), splat(x, 1.0)))
    store(o, L, select(greater(x, splat(x, 1.5)), minimum(x, splat(x, 2.0)), maximum(x, splat(x, 1.0))))
    store(o, 2 * L, put_lane(x, 1, 7.0))
    add_to_doubles(d, x)
    o[0] = v[1] + 1.0
    return float(lane(x, 2))


@in_memory
def halve(x: Any) -> None:
    x[0] = x[0] * x.dtype.type(0.5)


def points(dtype: Any) -> Floats:
    wide, near = np.linspace(-100, 100, 4096), np.linspace(-1e-3, 1e-3, 1024)
    return np.concatenate([wide, near, np.linspace(-3, 3, 1024)]).astype(dtype)


@pytest.mark.parametrize(("dtype", "lanes"), WIDTHS)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_activations_and_slopes_are_exact_to_a_few_units_in_the_last_place(name: str, dtype: Any, lanes: int) -> None:
    number = {"leaky_relu": 0.2, "elu": 0.7}.get(name, 0.0)
    spec = f"{name}({number})" if number else name
    z = points(dtype)
    A, S = z.copy(), np.zeros_like(z)
    run_activation(ACTIVATIONS[name], number, A, S, width_tag(lanes))
    exact = z.astype(np.float64)
    wanted = activation(spec).forward(exact)
    slope = activation(spec).backward(np.ones_like(exact), exact, wanted)
    info = np.finfo(dtype)
    normal = np.abs(wanted) > 1e6 * info.tiny  # further out come denormals, or 0
    units = 8 + exact**2 if name == "gelu" else np.full_like(exact, 4)  # erfc hands on z^2 times its argument's error
    assert np.all((np.abs(A - wanted) <= units * info.eps * np.abs(wanted))[normal])
    assert np.all(np.abs(A)[~normal] <= 1e7 * info.tiny)
    assert np.all(np.abs(S - slope) <= 16 * info.eps)


@pytest.mark.parametrize(("dtype", "lanes"), WIDTHS)
def test_logarithms_and_expm1(dtype: Any, lanes: int) -> None:
    v, below = np.linspace(1, 900, 4096).astype(dtype), np.linspace(0, 1, 4096).astype(dtype)
    log1p, log, expm1 = np.zeros_like(v), np.zeros_like(v), np.zeros_like(v)
    run_logarithms(v, below, log1p, log, expm1, width_tag(lanes))
    eps = np.finfo(dtype).eps
    for got, wanted in (
        (log1p, np.log1p(below.astype(np.float64))),
        (log, np.log(v.astype(np.float64))),
        (expm1, np.expm1(-v.astype(np.float64))),
    ):
        assert np.all(np.abs(got - wanted) <= 3 * eps * np.abs(wanted))


@pytest.mark.parametrize(("dtype", "lanes"), WIDTHS)
def test_nan_and_infinity_stay_to_be_seen(dtype: Any, lanes: int) -> None:
    z = np.resize(np.array([np.nan, np.inf, -np.inf], dtype=dtype), lanes)
    for name in ("sigmoid", "tanh", "relu", "elu", "softplus"):
        A, S = z.copy(), np.zeros_like(z)
        run_activation(ACTIVATIONS[name], 1.0, A, S, width_tag(lanes))
        assert np.isnan(A[0]), name
        assert A[1] == activation(name).forward(np.array([np.inf]))[0], name


@pytest.mark.parametrize(("dtype", "lanes"), WIDTHS)
def test_the_same_numbers_come_out_of_vectors_of_any_width(dtype: Any, lanes: int) -> None:
    z = points(dtype)[:4096]
    for name in ELEMENTWISE:
        outcomes = []
        for width in (8, lanes):
            A, S = z.copy(), np.zeros_like(z)
            run_activation(ACTIVATIONS[name], 0.3, A, S, width_tag(width))
            outcomes.append((A, S))
        np.testing.assert_array_equal(outcomes[0], outcomes[1], err_msg=name)


@pytest.mark.parametrize(("dtype", "lanes"), WIDTHS)
def test_loads_stores_and_choices(dtype: Any, lanes: int) -> None:
    v = np.linspace(0, 3, lanes).astype(dtype)
    v[3] = np.nan
    out, doubles = np.zeros(3 * lanes, dtype=dtype), np.full(lanes, 0.25)
    third = run_basics(v, out, doubles, width_tag(lanes))
    assert third == float(v[2])
    assert out[0] == v[1] + 1
    np.testing.assert_array_equal(out[1:lanes], v[1:] * 2 + 1)
    np.testing.assert_array_equal(out[lanes : 2 * lanes], np.where(v > 1.5, np.minimum(v, 2), np.maximum(v, 1)))
    replaced = v.copy()
    replaced[1] = 7
    np.testing.assert_array_equal(out[2 * lanes :], replaced)
    np.testing.assert_array_equal(doubles, v.astype(np.float64) + 0.25)


def test_denormals_are_flushed_only_inside() -> None:
    small = np.array([np.finfo(np.float64).tiny])
    halve(small)
    assert small[0] > 0
    with denormals_flushed():
        halve(small)
    assert small[0] == 0
    again = np.array([np.finfo(np.float64).tiny])
    halve(again)
    assert again[0] > 0
