"""Losses, gradients and layers against PyTorch's automatic differentiation, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from chainrule.nn import Array, Network, activation, mlp, output_delta
from chainrule.nn import loss as find_loss
from chainrule.random import stream

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-9
Tensor = Any

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky_relu": lambda z: F.leaky_relu(z, 0.01),
    "leaky_relu(slope=0.2)": lambda z: F.leaky_relu(z, 0.2),
    "elu": F.elu,
    "elu(alpha=0.7)": lambda z: F.elu(z, alpha=0.7),
    "softplus": lambda z: F.softplus(z, threshold=100.0),  # PyTorch is linear beyond its threshold
    "silu": F.silu,
    "gelu": F.gelu,
    "identity": lambda z: z,
    "softmax": lambda z: torch.softmax(z, dim=-1),
}


def weighted(per_sample: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    """Reduce (n,) losses as PyTorch's own weighted losses do."""
    total = per_sample.sum() if weight is None else (per_sample * weight).sum()
    if reduction == "sum":
        return total
    return total / (len(per_sample) if weight is None else weight.sum())


# spec -> per-sample loss (n,) from pre-activations, activations and targets
LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "mse": lambda z, a, y: F.mse_loss(a, y, reduction="none").mean(dim=-1),
    "half_mse": lambda z, a, y: F.mse_loss(a, y, reduction="none").mean(dim=-1) / 2,
    "mae": lambda z, a, y: F.l1_loss(a, y, reduction="none").mean(dim=-1),
    "huber": lambda z, a, y: F.huber_loss(a, y, reduction="none").mean(dim=-1),
    "huber(delta=0.3)": lambda z, a, y: F.huber_loss(a, y, reduction="none", delta=0.3).mean(dim=-1),
    "binary_cross_entropy": lambda z, a, y: F.binary_cross_entropy_with_logits(z, y, reduction="none").mean(dim=-1),
    "binary_cross_entropy(scale=2)": lambda z, a, y: (
        2 * F.binary_cross_entropy_with_logits(z, y, reduction="none").mean(dim=-1)
    ),
    "softmax_cross_entropy": lambda z, a, y: F.cross_entropy(z, y, reduction="none"),
    "softmax_cross_entropy(label_smoothing=0.2)": lambda z, a, y: F.cross_entropy(
        z, y, reduction="none", label_smoothing=0.2
    ),
}
ANY_OUTPUT = ("mse", "half_mse", "mae", "huber", "huber(delta=0.3)")
PAIRINGS = [(act, name) for act in ACTIVATIONS for name in ANY_OUTPUT]
PAIRINGS += [("sigmoid", name) for name in LOSSES if name.startswith("binary")]
PAIRINGS += [("softmax", name) for name in LOSSES if name.startswith("softmax")]


def draw(network: Network, output: str, loss: str, n: int, seed: int) -> tuple[Array, Array, Array, Array]:
    """Draw flat weights, samples, targets that suit the loss, and sample weights."""
    rng = stream(seed, "noise")
    (k,) = network.output_shape
    Y: Array = rng.normal(size=(n, k))
    if loss.startswith("binary"):
        Y = rng.uniform(size=(n, k))
    elif loss.startswith("softmax"):
        Y = np.eye(k)[rng.integers(0, k, n)]
    return rng.normal(size=network.n_parameters), rng.normal(size=(n, 4)), Y, rng.uniform(0.2, 3, n)


def torch_step(
    network: Network, theta: Array, X: Array, Y: Array, loss: str, weight: Array | None, reduction: str
) -> tuple[float, Array, Array]:
    """Return loss, gradient by theta and gradient by X, from PyTorch's automatic differentiation."""
    flat = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    samples = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    a: Tensor = samples
    z: Tensor = samples
    penalty: Tensor = torch.zeros((), dtype=torch.float64)
    for i, layer in enumerate(network.describe()["layers"]):
        if layer["layer"] == "standardize":
            z = F.batch_norm(a, None, None, training=True, eps=layer["eps"])
        else:
            arrays: dict[str, Tensor] = {s.key: flat[s.slice].reshape(s.shape) for s in network.slots if s.layer == i}
            z = a @ arrays["W"] + arrays.get("b", 0.0)
            W = arrays["W"]
            penalty = penalty + layer["l1"] * W.abs().sum() + layer["l2"] / 2 * (W * W).sum()
        a = ACTIVATIONS[layer["activation"]](z)
    per_sample = LOSSES[loss](z, a, torch.tensor(Y, dtype=torch.float64))
    w = None if weight is None else torch.tensor(weight, dtype=torch.float64)
    value = weighted(per_sample, w, reduction) + penalty
    value.backward()
    return value.item(), flat.grad.numpy(), samples.grad.numpy()


def our_step(
    network: Network, theta: Array, X: Array, Y: Array, loss: str, weight: Array | None
) -> tuple[float, Array, Array]:
    """Return loss, gradient by theta and gradient by X, derived by hand."""
    params = network.unpack(theta)
    value, grads, forward = network.loss_and_gradients(params, X, Y, loss, weight)
    delta = output_delta(find_loss(loss), network.output_activation, forward.Z, forward.A, Y, weight)
    return float(value), network.pack(grads), network.input_gradient(params, forward, delta)


def assert_close(ours: tuple[float, Array, Array], theirs: tuple[float, Array, Array]) -> None:
    """Compare value and both gradients, relative to each gradient's norm."""
    assert ours[0] == pytest.approx(theirs[0], rel=TOLERANCE)
    for mine, other in zip(ours[1:], theirs[1:], strict=True):
        assert float(np.linalg.norm(mine - other)) <= TOLERANCE * max(float(np.linalg.norm(other)), 1e-6)


def with_reduction(loss: str, reduction: str) -> str:
    """Write the reduction into a spec."""
    return f"{loss[:-1]}, reduction='{reduction}')" if loss.endswith(")") else f"{loss}(reduction='{reduction}')"


@pytest.mark.parametrize("spec", ACTIVATIONS)
def test_activations_and_their_derivatives(spec: str) -> None:
    Z = np.concatenate([np.linspace(-30, 30, 301), [-1e3, -50.0, 50.0, 1e3]]).reshape(5, 61) + 0.0123
    z = torch.tensor(Z, requires_grad=True)
    a = ACTIVATIONS[spec](z)
    dA = stream(0, "noise").normal(size=Z.shape)
    a.backward(torch.tensor(dA))
    act = activation(spec)
    A = act.forward(Z)
    # erf near -1 cancels in PyTorch's gelu, hence the absolute part
    np.testing.assert_allclose(A, a.detach().numpy(), rtol=TOLERANCE, atol=1e-14)
    np.testing.assert_allclose(act.backward(dA, Z, A), z.grad.numpy(), rtol=TOLERANCE, atol=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("use_weight", [False, True])
@pytest.mark.parametrize(("output", "loss"), PAIRINGS)
def test_every_activation_under_every_loss(output: str, loss: str, use_weight: bool, reduction: str) -> None:
    for seed, n in ((0, 7), (1, 1)):
        network = mlp([5, 3], output, output).bind(4, 3)
        theta, X, Y, weight = draw(network, output, loss, n, seed)
        w = weight if use_weight else None
        ours = our_step(network, theta, X, Y, with_reduction(loss, reduction), w)
        assert_close(ours, torch_step(network, theta, X, Y, loss, w, reduction))


@pytest.mark.parametrize("hidden", [spec for spec in ACTIVATIONS if spec != "softmax"])
@pytest.mark.parametrize(
    "settings", [{"bias": False}, {"l1": 0.03, "l2": 0.2}, {"normalize": True}, {"normalize": True, "l2": 0.1}]
)
@pytest.mark.parametrize(
    ("output", "loss"), [("sigmoid", "binary_cross_entropy"), ("softmax", "softmax_cross_entropy"), ("identity", "mse")]
)
def test_layers(hidden: str, settings: dict[str, Any], output: str, loss: str) -> None:
    network = mlp([5, 3], hidden, output, **settings).bind(4, 3)
    theta, X, Y, _ = draw(network, output, loss, 9, 2)
    ours = our_step(network, theta, X, Y, loss, None)
    assert_close(ours, torch_step(network, theta, X, Y, loss, None, "mean"))


def test_a_population_is_as_many_networks() -> None:
    network = mlp([5, 3], "tanh").bind(4, 3, "softmax")
    _, X, Y, _ = draw(network, "softmax", "softmax_cross_entropy", 8, 3)
    thetas = stream(4, "noise").normal(size=(4, network.n_parameters))
    value, grads, _ = network.loss_and_gradients(network.unpack(thetas), X, Y, "softmax_cross_entropy")
    flat = network.pack(grads)
    for k in range(4):
        theirs = torch_step(network, thetas[k], X, Y, "softmax_cross_entropy", None, "mean")
        assert value[k] == pytest.approx(theirs[0], rel=TOLERANCE)
        assert np.linalg.norm(flat[k] - theirs[1]) <= TOLERANCE * np.linalg.norm(theirs[1])


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "softmax_cross_entropy"])
def test_saturated_logits(loss: str) -> None:
    output = "sigmoid" if loss.startswith("binary") else "softmax"
    network = mlp([5], "identity", output).bind(4, 3)
    theta, X, Y, _ = draw(network, output, loss, 6, 5)
    ours = our_step(network, 30 * theta, X, np.round(Y), loss, None)
    assert_close(ours, torch_step(network, 30 * theta, X, np.round(Y), loss, None, "mean"))


def test_class_targets() -> None:
    network = mlp([5], "silu").bind(4, 3, "softmax")
    theta, X, Y, weight = draw(network, "softmax", "softmax_cross_entropy", 6, 6)
    ours = our_step(network, theta, X, Y.argmax(axis=1), "softmax_cross_entropy", weight)
    assert_close(ours, torch_step(network, theta, X, Y, "softmax_cross_entropy", weight, "mean"))
