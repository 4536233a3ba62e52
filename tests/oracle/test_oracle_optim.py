"""50 steps of every optimizer beside PyTorch's, float64, relative 1e-9.

PyTorch is imported where it is used, so that collecting these tests does not need it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chainrule import optim

pytestmark = pytest.mark.oracle

RATES = (0.001, 0.01, 0.03)
SLOTS = (slice(0, 3), slice(3, 5))

TABLE: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "momentum(0.5)": ("SGD", {"momentum": 0.5}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "nesterov(0.6)": ("SGD", {"momentum": 0.6, "nesterov": True}),
    "adagrad": ("Adagrad", {}),
    "adagrad(eps=1e-3)": ("Adagrad", {"eps": 1e-3}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop(0.9, eps=1e-4)": ("RMSprop", {"alpha": 0.9, "eps": 1e-4}),
    "adam": ("Adam", {}),
    "adam(0.8, 0.95, eps=1e-4)": ("Adam", {"betas": (0.8, 0.95), "eps": 1e-4}),
    "adamw": ("AdamW", {}),
    "adamw(weight_decay=0.3)": ("AdamW", {"weight_decay": 0.3}),
}

COUPLING = np.random.default_rng(11).normal(size=(5, 5)) / 3


def loss(w: Any) -> Any:
    """Return a function that is not quadratic and couples all weights, of a torch vector."""
    import torch

    return torch.sum(w**2) / 2 + torch.sum(torch.cos(2 * (torch.from_numpy(COUPLING) @ w)))


def gradient(theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the gradient of `loss` for every member, worked by hand."""
    result: NDArray[np.float64] = theta - 2 * np.sin(2 * (theta @ COUPLING.T)) @ COUPLING
    return result


def torch_optimizer(spec: str, w: Any, lr: float) -> Any:
    """Make PyTorch's counterpart of a spec."""
    import torch

    name, values = TABLE[spec]
    return getattr(torch.optim, name)([w], lr=lr, **values)


def torch_path(spec: str, start: NDArray[np.float64], lr: float, factors: list[float]) -> NDArray[np.float64]:
    """Train one member with PyTorch; `factors` scale the loss of each step, so gradients change their size."""
    import torch

    w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer, path = torch_optimizer(spec, w, lr), []
    for factor in factors:
        optimizer.zero_grad()
        (factor * loss(w)).backward()
        optimizer.step()
        path.append(w.detach().numpy().copy())
    return np.array(path)


@pytest.mark.parametrize("spec", TABLE)
@pytest.mark.parametrize("seed", [0, 1])
def test_50_steps(spec: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    theta = rng.normal(0.0, 1.5, (len(RATES), 5))
    factors = list(rng.lognormal(0.0, 1.0, 50)) if seed else [1.0] * 50
    expected = np.array(
        [torch_path(spec, row, lr, factors) for row, lr in zip(theta, RATES, strict=True)]
    )  # (m, 50, 5)
    rule, lr = optim.optimizer(spec), np.array(RATES)[:, None]
    state = rule.init(theta, SLOTS)
    for t, factor in enumerate(factors):
        step, state = rule.update(factor * gradient(theta), state, lr, theta)
        theta = theta + step
        np.testing.assert_allclose(theta, expected[:, t], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("spec", ["sgd", "adagrad", "rmsprop", "adam", "adamw"])
@pytest.mark.parametrize(
    ("schedule", "name", "values"),
    [
        (
            "step(10, 0.5)",
            "StepLR",
            (
                10,
                0.5,
            ),
        ),
        ("exponential(0.93)", "ExponentialLR", (0.93,)),
        ("cosine", "CosineAnnealingLR", (50,)),
    ],
)
def test_50_epochs_with_a_schedule(spec: str, schedule: str, name: str, values: tuple[float, ...]) -> None:
    """One step an epoch; momentum is left out because its velocity remembers rates and PyTorch's does not."""
    import torch

    theta = np.random.default_rng(4).normal(size=(1, 5))
    w = torch.tensor(theta[0], dtype=torch.float64, requires_grad=True)
    theirs = torch_optimizer(spec, w, 0.03)
    clock = getattr(torch.optim.lr_scheduler, name)(theirs, *values)
    rule, ours = optim.optimizer(spec), optim.schedule(schedule)
    state, rates = rule.init(theta), ours.init(np.array([0.03]))
    for epoch in range(50):
        rates = ours.on_epoch(rates, epoch, 50)
        assert rates["lr"][0] == pytest.approx(clock.get_last_lr()[0], rel=1e-9, abs=1e-12)
        step, state = rule.update(gradient(theta), state, rates["lr"][:, None], theta)
        theta = theta + step
        theirs.zero_grad()
        loss(w).backward()
        theirs.step()
        clock.step()
        np.testing.assert_allclose(theta[0], w.detach().numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [0.1, 10.0])
def test_clipping_by_value_and_norm(size: float) -> None:
    import torch

    grad = np.random.default_rng(6).normal(size=(4, 7)) * size
    for bound in (0.5, 2.0):
        for row, by_norm, by_value in zip(
            grad, optim.clip_by_norm(grad, bound), optim.clip_by_value(grad, bound), strict=True
        ):
            w = torch.zeros(7, dtype=torch.float64)
            w.grad = torch.tensor(row)
            torch.nn.utils.clip_grad_norm_([w], bound)
            # PyTorch divides by the norm + 1e-6; ours reaches the bound exactly.
            np.testing.assert_allclose(by_norm, w.grad.numpy(), rtol=1e-5)
            w.grad = torch.tensor(row)
            torch.nn.utils.clip_grad_value_([w], bound)
            np.testing.assert_allclose(by_value, w.grad.numpy(), rtol=1e-15)
