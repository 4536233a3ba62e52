"""The reference engine against a training loop of plain Python numbers, and against steps worked by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from chainrule import Dataset, Run, mlp, train
from chainrule.data import load
from chainrule.random import stream

Rows = Sequence[int]


def sigmoid(z: float) -> float:
    return 1.0 / (1.0 + math.exp(-z))


@dataclass
class PlainNetwork:
    """A d-h-1 sigmoid network in loops over floats, with its own forward and backward pass."""

    W1: list[list[float]]
    b1: list[float]
    W2: list[float]
    b2: float
    losses: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, run: Run) -> PlainNetwork:
        first, second = run.params
        return cls(first["W"].tolist(), first["b"].tolist(), second["W"][:, 0].tolist(), float(second["b"][0]))

    @property
    def flat(self) -> list[float]:
        return [*(w for row in self.W1 for w in row), *self.b1, *self.W2, self.b2]

    def forward(self, x: Sequence[float]) -> tuple[list[float], float]:
        hidden = []
        for j in range(len(self.b1)):
            z = self.b1[j]
            for i in range(len(x)):
                z += x[i] * self.W1[i][j]
            hidden.append(sigmoid(z))
        z = self.b2
        for j in range(len(hidden)):
            z += hidden[j] * self.W2[j]
        return hidden, sigmoid(z)

    def loss(self, X: Any, y: Any, rows: Rows, kind: str) -> float:
        total = 0.0
        for i in rows:
            a, t = self.forward(X[i])[1], y[i]
            total += (a - t) ** 2 if kind == "mse" else -(t * math.log(a) + (1 - t) * math.log(1 - a))
        return total / len(rows)

    def step(self, X: Any, y: Any, rows: Rows, kind: str, rate: float) -> None:
        """One step of gradient descent on the mean loss over `rows`; the loss before the step is kept."""
        self.losses.append(self.loss(X, y, rows, kind))
        h, d, n = len(self.b1), len(self.W1), len(rows)
        gW1, gb1, gW2, gb2 = [[0.0] * h for _ in range(d)], [0.0] * h, [0.0] * h, 0.0
        for i in rows:
            hidden, a = self.forward(X[i])
            by_output = 2 * (a - y[i]) if kind == "mse" else -y[i] / a + (1 - y[i]) / (1 - a)
            delta = by_output * a * (1 - a) / n
            gb2 += delta
            for j in range(h):
                gW2[j] += delta * hidden[j]
                below = delta * self.W2[j] * hidden[j] * (1 - hidden[j])
                gb1[j] += below
                for k in range(d):
                    gW1[k][j] += below * X[i][k]
        self.b2 -= rate * gb2
        for j in range(h):
            self.W2[j] -= rate * gW2[j]
            self.b1[j] -= rate * gb1[j]
            for k in range(d):
                self.W1[k][j] -= rate * gW1[k][j]


def batches(seed: int, n: int, size: int, epochs: int) -> list[list[list[int]]]:
    """The order of samples that a seed stands for: one permutation per epoch, cut into batches."""
    rng = stream(seed, "order")
    orders = [rng.permutation(n).tolist() for _ in range(epochs)]
    return [[order[k : k + size] for k in range(0, n, size)] for order in orders]


@pytest.mark.parametrize("kind", ["mse", "binary_cross_entropy"])
@pytest.mark.parametrize("size", [21, 8, 1])
def test_plain_python_gives_the_same_weights_and_losses(kind: str, size: int) -> None:
    X, y = load("xor").draw(0).X.tolist(), load("xor").draw(0).y.tolist()
    settings: dict[str, Any] = {"loss": kind, "learning_rate": 0.7, "seeds": [3], "batch_size": size, "window": 2}
    run = train(mlp([3]), "xor", epochs=25, **settings)[0]
    plain = PlainNetwork.of(train(mlp([3]), "xor", epochs=0, **settings)[0])
    assert run.history["loss"][0] == pytest.approx(plain.loss(X, y, range(21), kind), rel=1e-12)
    for epoch, steps in enumerate(batches(3, 21, size, 25) if size < 21 else [[list(range(21))]] * 25):
        before = len(plain.losses)
        for rows in steps:
            plain.step(X, y, rows, kind, 0.7)
        running = plain.losses[before:]
        assert run.history["running_loss"][epoch + 1] == pytest.approx(sum(running) / len(running), rel=1e-12)
        assert run.history["loss"][epoch + 1] == pytest.approx(plain.loss(X, y, range(21), kind), rel=1e-12)
        right = sum((plain.forward(X[i])[1] >= 0.5) == bool(y[i]) for i in range(21))
        assert run.history["accuracy"][epoch + 1] == right / 21
    np.testing.assert_allclose(run.theta, plain.flat, rtol=1e-12, atol=1e-13)
    pairs = np.array(plain.losses[: len(plain.losses) // 2 * 2]).reshape(-1, 2)
    np.testing.assert_allclose(run.windows["loss"], pairs.mean(axis=1), rtol=1e-12)
    assert (run.windows["learning_rate"] == 0.7).all()


def test_own_draws_in_a_population_are_trained_on_own_samples() -> None:
    """Seeds of a fresh draw each: the plain loop is given the draw of its seed."""
    runs = train(mlp([3]), "linear(n=15)", seeds=[2, 5], epochs=22, learning_rate=0.5, batch_size=4)
    starts = train(mlp([3]), "linear(n=15)", seeds=[2, 5], epochs=0)
    for run, start in zip(runs, starts, strict=True):
        plain, data = PlainNetwork.of(start), load("linear(n=15)").draw(run.seed)
        for steps in batches(run.seed, 15, 4, 22):
            for rows in steps:
                plain.step(data.X.tolist(), data.y.tolist(), rows, "mse", 0.5)
        np.testing.assert_allclose(run.theta, plain.flat, rtol=1e-12, atol=1e-13)


def test_without_shuffling_batches_follow_the_rows() -> None:
    X, y = load("xor").draw(0).X.tolist(), load("xor").draw(0).y.tolist()
    settings: dict[str, Any] = {"batch_size": 10, "shuffle": False}
    plain = PlainNetwork.of(train(mlp([2]), "xor", epochs=0)[0])
    run = train(mlp([2]), "xor", epochs=3, learning_rate=0.3, **settings)[0]
    for _ in range(3):
        for rows in (range(10), range(10, 20), [20]):
            plain.step(X, y, rows, "mse", 0.3)
    np.testing.assert_allclose(run.theta, plain.flat, rtol=1e-12)


def straight_line() -> Dataset:
    return Dataset("line", np.array([[1.0], [3.0]]), np.array([2.0, 5.0]), "regression")


def test_one_step_worked_by_hand() -> None:
    # a = 0.5 x: 0.5, 1.5; residuals -1.5, -3.5; loss (2.25 + 12.25) / 2; dw = (2 -1.5 1 + 2 -3.5 3) / 2 = -12,
    # db = (-3 - 7) / 2 = -5; w = 0.5 + 1.2, b = 0.5; then a = 2.2, 5.6 and the loss is (0.04 + 0.36) / 2.
    network = mlp([], weight_init="constant(0.5)")
    run = train(network, straight_line(), epochs=1, learning_rate=0.1)[0]
    np.testing.assert_allclose(run.theta, [1.7, 0.5], rtol=1e-14)
    np.testing.assert_allclose(run.history["loss"], [7.25, 0.2], rtol=1e-13)
    np.testing.assert_allclose(run.history["mae"], [2.5, 0.4], rtol=1e-13)


def test_one_cross_entropy_step_worked_by_hand() -> None:
    # All weights 0: hidden and output are 0.5, the loss is ln 2 and the output deltas are 0.5 - y. Their mean over
    # y = 0, 1, 1 is -1/6 = db2, and dW2 = 0.5 db2. Nothing comes through W2 = 0, so W1 and b1 stay.
    data = Dataset("three", np.array([[0.0], [1.0], [2.0]]), np.array([0, 1, 1]), "binary")
    network = mlp([2], weight_init="zeros")
    run = train(network, data, epochs=1, loss="binary_cross_entropy", learning_rate=1.2)[0]
    np.testing.assert_allclose(run.theta, [0, 0, 0, 0, 0.1, 0.1, 0.2], atol=1e-15)
    z = 0.5 * 0.1 + 0.5 * 0.1 + 0.2
    expected = [math.log(2), (math.log1p(math.exp(z)) + 2 * math.log1p(math.exp(-z))) / 3]
    np.testing.assert_allclose(run.history["loss"], expected, rtol=1e-14)


def test_weights_of_samples_worked_by_hand() -> None:
    # As above, with weights 1 and 3: loss (1 2.25 + 3 12.25) / 4, dw = (1 -3 + 3 -21) / 4 = -16.5,
    # db = (1 -3 + 3 -7) / 4 = -6.
    line = straight_line()
    weighted = Dataset("line", line.X, line.y, "regression", sample_weight=np.array([1.0, 3.0]))
    run = train(mlp([], weight_init="constant(0.5)"), weighted, epochs=1, learning_rate=0.1)[0]
    assert run.history["loss"][0] == pytest.approx(39 / 4, rel=1e-14)
    np.testing.assert_allclose(run.theta, [0.5 + 1.65, 0.6], rtol=1e-14)
    doubled = Dataset("line", line.X[[0, 1, 1, 1]], line.y[[0, 1, 1, 1]], "regression")  # a weight is a repetition
    other = train(mlp([], weight_init="constant(0.5)"), doubled, epochs=1, learning_rate=0.1)[0]
    np.testing.assert_allclose(run.theta, other.theta, rtol=1e-14)


def test_balanced_classes_weigh_the_same() -> None:
    # One sample of class 0, three of class 1: weights 4 / (2 1) = 2 and 4 / (2 3) = 2/3, in sum 4.
    X = np.array([[0.0], [1.0], [2.0], [3.0]])
    data = Dataset("few", X, np.array([0, 1, 1, 1]), "binary")
    network = mlp([], weight_init="zeros")
    run = train(network, data, epochs=1, loss="binary_cross_entropy", learning_rate=1.0, class_weight="balanced")[0]
    deltas = np.array([0.5, -0.5, -0.5, -0.5]) * np.array([2, 2 / 3, 2 / 3, 2 / 3]) / 4
    np.testing.assert_allclose(run.theta, [-(deltas * X[:, 0]).sum(), -deltas.sum()], atol=1e-15)
    both = replace(data, sample_weight=np.array([1.0, 2.0, 0.0, 1.0]))
    run = train(network, both, epochs=1, loss="binary_cross_entropy", learning_rate=1.0, class_weight="balanced")[0]
    weights = np.array([2.0, 4 / 3, 0.0, 2 / 3])  # the product of both
    deltas = np.array([0.5, -0.5, -0.5, -0.5]) * weights / weights.sum()
    np.testing.assert_allclose(run.theta, [-(deltas * X[:, 0]).sum(), -deltas.sum()], atol=1e-15)


@pytest.mark.parametrize(
    ("clip", "expected"),
    [({"clip_norm": 1.3}, [1.2, 0.5]), ({"clip_value": 6.0}, [6.0, 5.0]), ({"clip_norm": 20.0}, [12.0, 5.0])],
)
def test_clipping_worked_by_hand(clip: dict[str, Any], expected: list[float]) -> None:
    # The gradient is (-12, -5), of length 13.
    run = train(mlp([], weight_init="constant(0.5)"), straight_line(), epochs=1, learning_rate=0.1, **clip)[0]
    np.testing.assert_allclose((run.theta - [0.5, 0.0]) / 0.1, expected, rtol=1e-13)


def test_values_are_clipped_before_the_norm() -> None:
    settings: dict[str, Any] = {"clip_value": 3.0, "clip_norm": 3.0, "learning_rate": 1.0, "epochs": 1}
    run = train(mlp([], weight_init="constant(0.5)"), straight_line(), **settings)[0]
    np.testing.assert_allclose(run.theta - [0.5, 0.0], [3 / math.sqrt(2)] * 2, rtol=1e-13)  # (3, 3), shortened


def test_penalties_steer_training_but_are_not_in_the_loss() -> None:
    # dw = -12 + l1 sign(w) + l2 w = -12 + 2 + 0.5; the penalty is 2 0.5 + 1/2 0.25 = 1.125.
    run = train(mlp([], weight_init="constant(0.5)", l1=2.0, l2=1.0), straight_line(), epochs=1, learning_rate=0.1)[0]
    np.testing.assert_allclose(run.theta, [0.5 + 0.95, 0.5], rtol=1e-14)
    assert run.history["loss"][0] == pytest.approx(7.25, rel=1e-14)
    assert run.history["running_loss"][1] == pytest.approx(7.25 + 1.125, rel=1e-14)


def test_dropout_masks_come_from_the_seed() -> None:
    """One full-batch step of a linear net behind dropout, with the mask drawn here."""
    data = load("curve(n=12)").draw(0)
    network = mlp([5], "identity", dropout=0.4)
    settings: dict[str, Any] = {"learning_rate": 0.2, "seeds": [7]}
    start = train(network, data, epochs=0, **settings)[0]
    run = train(network, data, epochs=1, **settings)[0]
    (first, _, second), y = start.params, data.Y
    mask = (stream(7, "dropout").random((12, 5)) >= 0.4) / 0.6
    H = (data.X @ first["W"] + first["b"]) * mask
    R = H @ second["W"] + second["b"] - y
    delta = 2 * R / len(y)
    below = (delta @ second["W"].T) * mask
    gradients = [data.X.T @ below, below.sum(axis=0), H.T @ delta, delta.sum(axis=0)]
    expected = start.theta - 0.2 * np.concatenate([g.ravel() for g in gradients])
    np.testing.assert_allclose(run.theta, expected, rtol=1e-12, atol=1e-14)
    assert run.history["running_loss"][1] == pytest.approx(float(np.mean(R * R)), rel=1e-12)
    whole = (data.X @ first["W"] + first["b"]) @ second["W"] + second["b"]  # inference drops nothing
    assert run.history["loss"][0] == pytest.approx(float(np.mean((whole - y) ** 2)), rel=1e-12)


def momentum(v: float, g: float) -> tuple[float, float]:
    v = 0.9 * v - 0.02 * g
    return v, v


def ascent(v: float, g: float) -> tuple[float, float]:
    v = 0.9 * v + 0.02 * g
    return v, v


@pytest.mark.parametrize(("optimizer", "rule"), [("momentum", momentum), ("momentum_ascent", ascent)])
def test_optimizers_remember_across_epochs_and_batches(
    optimizer: str, rule: Callable[[float, float], tuple[float, float]]
) -> None:
    """A line through the origin, y = 2 x, one weight, one sample a step, in the order of the seed."""
    X, y = np.array([[1.0], [2.0], [3.0]]), np.array([2.0, 4.0, 6.0])
    network = mlp([], bias=False, weight_init="constant(1.0)")
    data = Dataset("ray", X, y, "regression")
    run = train(network, data, seeds=[1], epochs=5, optimizer=optimizer, learning_rate=0.02, batch_size=1)[0]
    w, v = 1.0, 0.0
    for steps in batches(1, 3, 1, 5):
        for (i,) in steps:
            x = float(X[i, 0])
            v, step = rule(v, 2 * (w * x - 2 * x) * x)
            w += step
    np.testing.assert_allclose(run.theta, [w], rtol=1e-12)
