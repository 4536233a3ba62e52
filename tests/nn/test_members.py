"""Member k of a population computes the same numbers as the same network alone, to the last bit."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from chainrule.nn import Network, mlp
from chainrule.nn._types import Array
from chainrule.random import stream

MEMBERS = 5
HEADS = [("sigmoid", "binary_cross_entropy", 1), ("softmax", "softmax_cross_entropy", 3), ("tanh", "huber(0.5)", 2)]


def step(
    network: Network, theta: Array, X: Array, Y: Array, loss: str, weight: Array, seeds: list[int] | int
) -> tuple[Array, Array, Array]:
    """Return loss, flat gradient and outputs of one step with dropout."""
    streams = stream(seeds, "dropout") if isinstance(seeds, int) else [stream(s, "dropout") for s in seeds]
    value, grads, forward = network.loss_and_gradients(network.unpack(theta), X, Y, loss, weight, streams)
    return value, network.pack(grads), forward.A


def cases() -> list[tuple[object, ...]]:
    sizes = [(2, 1), (2, 9), (30, 64), (2, 9000)]  # features, samples
    rows = product(sizes, HEADS, [np.float32, np.float64], [True, False], [True, False])
    return [(d, n, head, dtype, shared, normalize) for (d, n), head, dtype, shared, normalize in rows]


@pytest.mark.parametrize(("d", "n", "head", "dtype", "shared", "normalize"), cases())
def test_alone_or_in_company(
    d: int, n: int, head: tuple[str, str, int], dtype: type[np.floating], shared: bool, normalize: bool
) -> None:
    output, loss, k = head
    network = mlp([3, 17], "gelu", output, l1=0.01, l2=0.02, dropout=0.3, normalize=normalize).bind(d, k)
    theta = np.stack([network.pack(network.init(stream(s, "init"))) for s in range(MEMBERS)]).astype(dtype)
    rng = np.random.default_rng(7)
    batch = (n,) if shared else (MEMBERS, n)
    X = rng.normal(size=(*batch, d)).astype(dtype)
    Y = (np.eye(3)[rng.integers(0, 3, batch)] if k == 3 else rng.integers(0, 2, (*batch, k))).astype(dtype)
    weight = rng.uniform(0.5, 1.5, batch)
    together = step(network, theta, X, Y, loss, weight, list(range(MEMBERS)))
    assert all(array.dtype == dtype for array in together)
    for j in (0, MEMBERS - 1):
        own = [a if shared else a[j] for a in (X, Y, weight)]
        alone = step(network, theta[j].copy(), own[0], own[1], loss, own[2], j)
        own = [a if shared else a[j : j + 1] for a in (X, Y, weight)]
        single = step(network, theta[j : j + 1].copy(), own[0], own[1], loss, own[2], [j])
        for whole, one, first in zip(together, alone, single, strict=True):
            np.testing.assert_array_equal(whole[j], one)
            np.testing.assert_array_equal(whole[j], first[0])


def test_a_diverged_member_does_not_disturb_its_neighbours() -> None:
    network = mlp([4]).bind(2, 1, "sigmoid")
    theta = np.stack([network.pack(network.init(stream(s, "init"))) for s in range(3)])
    X, Y = np.random.default_rng(0).normal(size=(6, 2)), np.ones((6, 1))
    value, grads, _ = network.loss_and_gradients(network.unpack(theta), X, Y, "mse")
    theta[1] = np.nan
    value_nan, grads_nan, _ = network.loss_and_gradients(network.unpack(theta), X, Y, "mse")
    np.testing.assert_array_equal(value_nan[[0, 2]], value[[0, 2]])
    np.testing.assert_array_equal(network.pack(grads_nan)[[0, 2]], network.pack(grads)[[0, 2]])
    assert np.isnan(value_nan[1])
