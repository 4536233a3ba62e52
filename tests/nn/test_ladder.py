"""Three rungs of one ladder, and the network above them: all equal, and equal to a published worked example."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.nn import Array, Params, mlp
from chainrule.nn.ladder import ScalarNetwork, batched_step, vectorised_step

# x = (1, -1), target class 0
W = [[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]]
B = [0.0, 0.0, 0.0]
V = [[1.0, 1.0], [-1.0, -1.0], [-1.0, -1.0]]
C = [0.0, 0.0]
REPORTED = {
    "dV": [[-0.4404, 0.4404]] * 3,
    "dc": [-0.5, 0.5],
    "dW": [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
    "db": [0.0, 0.0, 0.0],
}


def arrays() -> tuple[Array, Array, Array, Array]:
    return np.array(W), np.array(B), np.array(V), np.array(C)


@pytest.mark.parametrize(
    "step",
    [
        ScalarNetwork(W, B, V, C).step([1.0, -1.0], 0),
        vectorised_step(*arrays(), [1.0, -1.0], 0),
        batched_step(*arrays(), [[1.0, -1.0]], [0]),
    ],
)
def test_the_worked_example_equals_the_reported_gradients(step: object) -> None:
    for name, reported in REPORTED.items():
        np.testing.assert_array_equal(np.round(getattr(step, name), 4) + 0.0, reported)
    assert getattr(step, "loss") == pytest.approx(np.log(2), rel=1e-15)  # noqa: B009


def test_the_trace_equals_the_reported_gradients() -> None:
    w, b, v, c = arrays()
    params: Params = ({"W": w, "b": b}, {"W": v, "b": c})
    trace = mlp([3]).bind(2, 2, "softmax").trace(params, [[1.0, -1.0]], np.array([0]), "softmax_cross_entropy")
    for name, key in (("dW2", "dV"), ("db2", "dc"), ("dW1", "dW"), ("db1", "db")):
        np.testing.assert_array_equal(np.round(trace[name], 4) + 0.0, REPORTED[key])


@given(st.integers(1, 4), st.integers(1, 5), st.integers(2, 4), st.integers(1, 6), st.integers(0, 10**6))
def test_all_rungs_and_the_network_are_equal(d: int, hidden: int, k: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    w, b, v, c = (3 * rng.normal(size=shape) for shape in ((d, hidden), hidden, (hidden, k), k))
    X, targets = rng.normal(size=(n, d)), rng.integers(0, k, n)
    scalar = ScalarNetwork(w.tolist(), b.tolist(), v.tolist(), c.tolist())
    first = [scalar.step(x, int(t)) for x, t in zip(X.tolist(), targets, strict=True)]
    second = [vectorised_step(w, b, v, c, x, int(t)) for x, t in zip(X, targets, strict=True)]
    third = batched_step(w, b, v, c, X, targets)
    network = mlp([hidden]).bind(d, k, "softmax")
    params: Params = ({"W": w, "b": b}, {"W": v, "b": c})
    loss, grads, forward = network.loss_and_gradients(params, X, targets, "softmax_cross_entropy")
    top = {"loss": loss, "dW": grads[0]["W"], "db": grads[0]["b"], "dV": grads[1]["W"], "dc": grads[1]["b"]}
    for name, value in top.items():
        by_loops = np.mean([getattr(step, name) for step in first], axis=0)
        by_vectors = np.mean([getattr(step, name) for step in second], axis=0)
        for rung in (by_loops, by_vectors, getattr(third, name)):
            np.testing.assert_allclose(rung, value, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(third.Y, forward.A, rtol=1e-12)
    np.testing.assert_allclose([step.y for step in first], forward.A, rtol=1e-11)


def test_the_loops_survive_large_weights() -> None:
    step = ScalarNetwork([[1e4]], [0.0], [[1e4, -1e4]], [0.0, 0.0]).step([-1.0], 1)
    assert step.loss == pytest.approx(np.log(2))
    step = ScalarNetwork([[1e4]], [0.0], [[1e4, -1e4]], [0.0, 0.0]).step([1.0], 1)
    assert step.loss == 2e4
