"""Every optimizer against a scalar transcription of its paper, hand-worked steps, and a convergence table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from chainrule import optim
from chainrule.errors import ConfigError
from chainrule.spec import build, spec_of

F64 = NDArray[np.float64]

# ---- the papers' algorithms for one weight, in plain Python: each yields the weight after every step ----


def plain_sgd(w: float, g: Callable[[float], float], steps: int, lr: float) -> Iterator[float]:
    for _ in range(steps):
        w = w - lr * g(w)
        yield w


def plain_momentum(w: float, g: Callable[[float], float], steps: int, lr: float, mu: float = 0.9) -> Iterator[float]:
    """Sutskever et al. (2013), equations 1 and 2."""
    v = 0.0
    for _ in range(steps):
        v = mu * v - lr * g(w)
        w = w + v
        yield w


def plain_nesterov(w: float, g: Callable[[float], float], steps: int, lr: float, mu: float = 0.9) -> Iterator[float]:
    """Sutskever et al. (2013), equations 3 and 4, then moved to the look-ahead point w + mu v that we store."""
    v = 0.0
    origin = w
    for _ in range(steps):
        v = mu * v - lr * g(origin + mu * v)
        origin = origin + v
        yield origin + mu * v


def plain_adagrad(w: float, g: Callable[[float], float], steps: int, lr: float, eps: float = 1e-10) -> Iterator[float]:
    history: list[float] = []
    for _ in range(steps):
        history.append(g(w))
        w = w - lr / (math.sqrt(math.fsum(h * h for h in history)) + eps) * history[-1]
        yield w


def plain_rmsprop(
    w: float, g: Callable[[float], float], steps: int, lr: float, rho: float = 0.99, eps: float = 1e-8
) -> Iterator[float]:
    mean_square = 0.0
    for _ in range(steps):
        gradient = g(w)
        mean_square = rho * mean_square + (1 - rho) * gradient**2
        w = w - lr * gradient / (math.sqrt(mean_square) + eps)
        yield w


def plain_adam(
    w: float,
    g: Callable[[float], float],
    steps: int,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    decay: float = 0.0,
) -> Iterator[float]:
    """Kingma and Ba (2015), algorithm 1; with `decay` Loshchilov and Hutter (2019), algorithm 2."""
    m = v = 0.0
    for t in range(1, steps + 1):
        gradient = g(w)
        m = beta1 * m + (1 - beta1) * gradient
        v = beta2 * v + (1 - beta2) * gradient**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        w = w - lr * m_hat / (math.sqrt(v_hat) + eps) - lr * decay * w
        yield w


def plain_overwriting_adam(
    w: float, g: Callable[[float], float], steps: int, lr: float, beta1: float = 0.9, beta2: float = 0.95
) -> Iterator[float]:
    m = v = 0.0
    for t in range(1, steps + 1):
        gradient = g(w)
        m = (beta1 * m + (1 - beta1) * gradient) / (1 - beta1**t)
        v = (beta2 * v + (1 - beta2) * gradient**2) / (1 - beta2**t)
        w = w - lr * m / (math.sqrt(v) + 1e-8)
        yield w


def plain_ascent(w: float, g: Callable[[float], float], steps: int, lr: float, beta: float = 0.9) -> Iterator[float]:
    v = 0.0
    for _ in range(steps):
        v = beta * v + lr * g(w)
        w = w + v
        yield w


TRANSCRIPTIONS: dict[str, Callable[..., Iterator[float]]] = {
    "sgd": plain_sgd,
    "momentum": plain_momentum,
    "momentum(0.5)": partial(plain_momentum, mu=0.5),
    "nesterov": plain_nesterov,
    "nesterov(0.8)": partial(plain_nesterov, mu=0.8),
    "adagrad": plain_adagrad,
    "rmsprop": plain_rmsprop,
    "rmsprop(0.9, eps=1e-6)": partial(plain_rmsprop, rho=0.9, eps=1e-6),
    "adam": plain_adam,
    "adam(0.8, 0.95, eps=1e-4)": partial(plain_adam, beta1=0.8, beta2=0.95, eps=1e-4),
    "adamw": partial(plain_adam, decay=0.01),
    "adamw(weight_decay=0.3)": partial(plain_adam, decay=0.3),
    "adam_overwriting_moments": plain_overwriting_adam,
    "momentum_ascent": plain_ascent,
}


def slope(w: float) -> float:
    """Return the derivative of w^2/2 - cos(3 w)/6: bounded curvature, several bumps, not quadratic."""
    return w + math.sin(3 * w) / 2


def slopes(w: F64) -> F64:
    return np.array([[slope(float(x)) for x in row] for row in w])


def walk(spec: str, start: F64, lr: F64, grad: Callable[[F64], F64], steps: int) -> list[F64]:
    """Train like an engine: return theta after each step."""
    rule = optim.optimizer(spec)
    theta, state, path = start, rule.init(start), []
    for _ in range(steps):
        step, state = rule.update(grad(theta), state, lr, theta)
        theta = theta + step
        path.append(theta)
    return path


@pytest.mark.parametrize("spec", TRANSCRIPTIONS)
def test_50_steps_equal_the_papers_algorithm_for_every_member_and_weight(spec: str) -> None:
    start = np.random.default_rng(3).normal(0.0, 1.5, (3, 4))
    rates = np.array([[0.001], [0.02], [0.1]])
    path = np.array(walk(spec, start, rates, slopes, 50))  # (50, 3, 4)
    for member in range(3):
        for weight in range(4):
            expected = list(TRANSCRIPTIONS[spec](float(start[member, weight]), slope, 50, float(rates[member, 0])))
            np.testing.assert_allclose(path[:, member, weight], expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    ("spec", "first", "second"),
    [
        # theta = 1, lr = 0.1; the gradient is 2, then -1. Every number worked by hand.
        ("sgd", -0.2, 0.1),
        ("momentum(0.9)", -0.2, -0.18 + 0.1),
        ("nesterov(0.9)", -0.18 - 0.2, 0.9 * (-0.18 + 0.1) + 0.1),
        ("adagrad(eps=1e-10)", -0.1, 0.1 / math.sqrt(5)),
        ("rmsprop(0.75, eps=1e-9)", -0.2, 0.1),  # s = 0.25 * 4 = 1; then 0.75 + 0.25 = 1
        ("adam(0.5, 0.75, eps=1e-9)", -0.1, 0.0),  # m: 1, then 0.5 - 0.5 = 0
        ("adamw(0.5, 0.75, eps=1e-9, weight_decay=0.5)", -0.1 - 0.05, -0.05),  # decay: 0.1 * 0.5 * 1
        ("adam_overwriting_moments(0.5, 0.75, eps=1e-9)", -0.1, -0.1 * (2 / 3) / math.sqrt(3.25 / 0.4375)),
        ("momentum_ascent(0.9)", 0.2, 0.18 - 0.1),
        ("array_normalized_gradient(1e-9)", -0.1, 0.1),
    ],
)
def test_first_two_steps_by_hand(spec: str, first: float, second: float) -> None:
    rule = optim.optimizer(spec)
    theta, lr = np.array([[1.0]]), np.array([[0.1]])
    step, state = rule.update(np.array([[2.0]]), rule.init(theta), lr, theta)
    assert step[0, 0] == pytest.approx(first, rel=1e-8)
    step, _ = rule.update(np.array([[-1.0]]), state, lr, theta)
    assert step[0, 0] == pytest.approx(second, rel=1e-8, abs=1e-15)


def parabola(w: F64) -> F64:
    """Return the gradient of (x - 1)^2 + 10 (y + 2)^2."""
    return np.stack([2 * (w[:, 0] - 1), 20 * (w[:, 1] + 2)], axis=1)


def rosenbrock(w: F64) -> F64:
    """Return the gradient of (1 - x)^2 + 100 (y - x^2)^2."""
    x, y = w[:, 0], w[:, 1]
    return np.stack([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)], axis=1)


@pytest.mark.parametrize(
    ("spec", "lr_parabola", "lr_rosenbrock", "steps"),
    [
        ("sgd", 0.03, 0.002, 40_000),
        ("momentum", 0.01, 0.001, 10_000),
        ("nesterov", 0.01, 0.001, 10_000),
        ("adagrad", 1.0, 1.0, 40_000),
        ("rmsprop", 0.1, 0.003, 10_000),
        ("adam", 0.1, 0.1, 10_000),
        ("adamw(weight_decay=1e-7)", 0.1, 0.1, 10_000),
        ("array_normalized_gradient", 0.03, 0.0003, 40_000),
        ("adam_overwriting_moments(0.5)", 0.3, 0.001, 10_000),
    ],
)
def test_convergence_table(spec: str, lr_parabola: float, lr_rosenbrock: float, steps: int) -> None:
    rule, clock = optim.optimizer(spec), optim.schedule("cosine")
    problems = [
        (parabola, [-1.0, 3.0], [1.0, -2.0], lr_parabola, 1000),
        (rosenbrock, [-1.2, 1.0], [1.0, 1.0], lr_rosenbrock, steps),
    ]
    for gradient, start, minimum, lr, budget in problems:
        theta = np.array([start])
        state, rates = rule.init(theta, (slice(0, 1), slice(1, 2))), clock.init(np.array([lr]))
        for epoch in range(budget):
            rates = clock.on_epoch(rates, epoch, budget)
            step, state = rule.update(gradient(theta), state, rates["lr"][:, None], theta)
            theta = theta + step
        np.testing.assert_allclose(theta[0], minimum, atol=2e-3)


def test_momentum_ascent_climbs() -> None:
    path = walk("momentum_ascent", np.array([[1.1, -2.0]]), np.array([[0.01]]), parabola, 20)
    assert abs(path[-1][0, 0] - 1) > 5 * 0.1  # five times as far from the minimum as at the start


@pytest.mark.parametrize("spec", list(optim.OPTIMIZERS))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_member_steps_alone_as_in_a_population_to_the_last_bit(spec: str, dtype: type) -> None:
    rng = np.random.default_rng(8)
    m, P = 37, 61
    slots = (slice(0, 40), slice(40, 45), slice(45, 61))
    start: NDArray[Any] = rng.normal(size=(m, P)).astype(dtype)
    lr = rng.uniform(0.001, 0.1, (m, 1))
    grads: NDArray[Any] = rng.normal(size=(6, m, P)).astype(dtype)
    rule = optim.optimizer(spec)

    def train(who: slice | list[int]) -> NDArray[Any]:
        theta = start[who]
        state = rule.init(theta, slots)
        for g in grads[:, who]:
            step, state = rule.update(g, state, lr[who], theta)
            theta = theta + step
        return theta

    together = train(slice(None))
    assert together.dtype == dtype
    for k in (0, 1, 17, 36):
        assert np.array_equal(train([k])[0], together[k])
    assert np.array_equal(train(slice(3, 20)), together[3:20])


@pytest.mark.parametrize("spec", list(optim.OPTIMIZERS))
def test_a_population_can_be_compacted_between_steps(spec: str) -> None:
    rng = np.random.default_rng(5)
    theta, lr, grads = rng.normal(size=(5, 3)), np.full((5, 1), 0.05), rng.normal(size=(4, 5, 3))
    rule = optim.optimizer(spec)
    keep = np.array([0, 3, 4])

    def go(theta: F64, state: optim.State, steps: F64, rates: F64) -> tuple[F64, optim.State]:
        for g in steps:
            step, state = rule.update(g, state, rates, theta)
            theta = theta + step
        return theta, state

    whole, _ = go(theta, rule.init(theta), grads, lr)
    half, state = go(theta, rule.init(theta), grads[:2], lr)
    assert all(len(v) == 5 for v in state.values())
    compact, _ = go(half[keep], {k: v[keep] for k, v in state.items()}, grads[2:, keep], lr[keep])
    assert np.array_equal(compact, whole[keep])
    empty, _ = go(half[:0], {k: v[:0] for k, v in state.items()}, grads[2:, :0], lr[:0])
    assert empty.shape == (0, 3)


@pytest.mark.parametrize("spec", list(optim.OPTIMIZERS))
def test_update_changes_nothing_it_is_given(spec: str) -> None:
    theta, grad, lr = np.ones((2, 3)), np.full((2, 3), 0.5), np.full((2, 1), 0.1)
    rule = optim.optimizer(spec)
    _, state = rule.update(grad, rule.init(theta), lr, theta)
    for array in (theta, grad, lr, *state.values()):
        array.setflags(write=False)
    before = {k: v.copy() for k, v in state.items()}
    rule.update(grad, state, lr, theta)
    assert all(np.array_equal(before[k], state[k]) for k in before)


@pytest.mark.parametrize("spec", list(optim.OPTIMIZERS))
def test_float32_stays_float32_even_with_float64_rates(spec: str) -> None:
    theta = np.ones((2, 3), dtype=np.float32)
    rule = optim.optimizer(spec)
    state = rule.init(theta)
    for _ in range(3):
        step, state = rule.update(theta * np.float32(0.3), state, np.full((2, 1), 0.1), theta)
        assert step.dtype == np.float32
    assert all(v.dtype == np.float32 for k, v in state.items() if v.shape == theta.shape)


@pytest.mark.parametrize("spec", ["adagrad", "rmsprop", "adam", "adamw", "array_normalized_gradient"])
def test_a_zero_gradient_gives_a_finite_step(spec: str) -> None:
    theta = np.zeros((1, 2))
    rule = optim.optimizer(spec)
    step, _ = rule.update(np.zeros((1, 2)), rule.init(theta), np.array([[0.1]]), theta)
    assert np.array_equal(step, np.zeros((1, 2)))


@given(scale=st.floats(1e-3, 1e3), lr=st.floats(1e-4, 1.0))
def test_adams_first_step_has_length_lr_whatever_the_scale_of_the_gradient(scale: float, lr: float) -> None:
    rule = optim.optimizer("adam(eps=1e-12)")
    theta = np.zeros((1, 2))
    step, _ = rule.update(np.array([[scale, -scale]]), rule.init(theta), np.array([[lr]]), theta)
    np.testing.assert_allclose(step, [[-lr, lr]], rtol=1e-6)


@pytest.mark.parametrize("spec", list(optim.OPTIMIZERS))
def test_specs_round_trip_and_built_parts_pass_through(spec: str) -> None:
    rule = optim.optimizer(spec)
    assert build(optim.OPTIMIZERS, spec_of(rule), "optimizer") == rule
    assert optim.optimizer(rule) is rule


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("adm", "did you mean 'adam'"),
        ("momentum(1.0)", "beta must be at least 0 and below 1"),
        ("momentum(nan)", "beta"),
        ("rmsprop(rho=-0.1)", "rho"),
        ("adam(beta2=1)", "beta2"),
        ("adam(eps=0)", "eps must be above 0"),
        ("adamw(weight_decay=-1)", "weight_decay"),
        ("adagrad(eps=inf)", "eps"),
        ("adam_overwriting_moments(beta1=2)", "beta1"),
        ("array_normalized_gradient(0)", "eps"),
        ("momentum_ascent(1)", "beta"),
        ("sgd(0.1)", "at most 0 values"),
    ],
)
def test_impossible_values_name_the_key(spec: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        optim.optimizer(spec)
