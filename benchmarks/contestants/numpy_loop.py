"""The loop that one writes by hand: NumPy, one network after the other, float32, in place where that is natural."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.contestants._base import Contestant, Losses
from benchmarks.unified import BETAS, TABLE
from benchmarks.work import Array, Shape, Work, join_layers

Layers = list[tuple[Array, Array]]


def sigmoid(Z: Array) -> Array:
    """Return 1 / (1 + exp(-z)) (an exp that overflows gives 0, as it should)."""
    A: Array = np.exp(-Z)
    A += 1
    return np.reciprocal(A, out=A)


def softmax(Z: Array) -> Array:
    """Return exp(z) / sum exp(z)."""
    e = np.exp(Z - Z.max(axis=1, keepdims=True))
    result: Array = e / e.sum(axis=1, keepdims=True)
    return result


def elu(Z: Array) -> Array:
    """Return z above zero and exp(z) - 1 below."""
    return np.where(Z > 0, Z, np.expm1(np.minimum(Z, 0)))


FORWARD: dict[str, Callable[[Array], Array]] = {
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda Z: np.maximum(Z, 0),
    "elu": elu,
    "softmax": softmax,
    "identity": lambda Z: Z,
}
SLOPE: dict[str, Callable[[Array], Array]] = {  # of the activations A
    "sigmoid": lambda A: A * (1 - A),
    "tanh": lambda A: 1 - A * A,
    "relu": lambda A: (A > 0).astype(A.dtype),
    "elu": lambda A: np.where(A > 0, np.float32(1), A + 1),
    "identity": np.ones_like,
}


class NumpyLoop(Contestant):
    """Forward, backward, step; nothing is shared between members."""

    name = "numpy"

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.start = [work.layers(k) for k in range(len(work))]
        self.end: list[Layers] = []
        self.batches = [None if work.full_batch else work.batches(k) for k in range(len(work))]

    def train(self) -> None:
        """Train one member after the other."""
        with np.errstate(over="ignore"):
            self.end = [self._member(k) for k in range(len(self.work))]

    def evaluate(self, trained: bool) -> Losses:
        """Return the losses, in one pass over all samples."""
        Y = self.work.Y
        values = []
        for shape, layers in zip(self.work.shapes, self.end if trained else self.start, strict=True):
            with np.errstate(over="ignore"):
                A = forward(shape, layers, self.work.X)[-1]
            values.append(loss_of(self.work.loss, A, Y))
        return np.array(values)

    def weights(self) -> list[Array]:
        """Return the trained weights."""
        return [join_layers(layers) for layers in self.end]

    def _member(self, k: int) -> Layers:
        work, shape = self.work, self.work.shapes[k]
        layers = [(W.copy(), b.copy()) for W, b in self.start[k]]
        step = Step(work.members[k].config.optimizer, float(work.rates[k]), layers)
        rows = self.batches[k]
        for t in range(work.epochs if rows is None else len(rows)):
            X, Y = (work.X, work.Y) if rows is None else (work.X[rows[t]], work.Y[rows[t]])
            step(gradients(shape, layers, work.loss, X, Y))
        return layers


def forward(shape: Shape, layers: Layers, X: Array) -> list[Array]:
    """Return the inputs and the activations of every layer."""
    A = [X]
    for (W, b), name in zip(layers, shape.activations, strict=True):
        Z = A[-1] @ W
        Z += b
        A.append(FORWARD[name](Z))
    return A


def gradients(shape: Shape, layers: Layers, loss: str, X: Array, Y: Array) -> Layers:
    """Return dW and db of every layer for one batch."""
    A = forward(shape, layers, X)
    delta = output_delta(loss, shape.activations[-1], A[-1], Y)
    grads: Layers = []
    for level in range(len(layers) - 1, -1, -1):
        grads.append((A[level].T @ delta, delta.sum(axis=0)))
        if level:
            delta = delta @ layers[level][0].T
            delta *= SLOPE[shape.activations[level - 1]](A[level])
    return grads[::-1]


def output_delta(loss: str, activation: str, A: Array, Y: Array) -> Array:
    """Return dL/dZ of the output layer, for the mean over the batch."""
    delta: Array = (A - Y) / np.float32(len(Y))
    if loss == "mse":  # of one or more outputs; the cross-entropies cancel the slope of their activation
        delta *= np.float32(2 / A.shape[1])
        delta *= SLOPE[activation](A)
    return delta


def loss_of(loss: str, A: Array, Y: Array) -> float:
    """Return the loss of the outputs A."""
    if loss == "mse":
        return float(np.mean((A - Y) ** 2))
    tiny = np.finfo(np.float32).tiny
    if loss == "softmax_cross_entropy":
        return float(-np.mean(np.sum(Y * np.log(np.maximum(A, tiny)), axis=1)))
    return float(-np.mean(Y * np.log(np.maximum(A, tiny)) + (1 - Y) * np.log(np.maximum(1 - A, tiny))))


class Step:
    """One optimizer with its memory, in place; the formulas are those of `benchmarks.unified`."""

    def __init__(self, optimizer: str, rate: float, layers: Layers) -> None:
        self.a, self.c, self.p, self.q, self.eps, self.adaptive = TABLE[optimizer]
        self.corrected = optimizer == "adam"
        self.rate, self.t = rate, 0
        self.parts = [part for layer in layers for part in layer]
        self.M = [np.zeros_like(part) for part in self.parts]
        self.S = [np.zeros_like(part) for part in self.parts]

    def __call__(self, grads: Layers) -> None:
        """Move the weights."""
        self.t += 1
        r1, r2 = (1 - beta**self.t if self.corrected else 1.0 for beta in BETAS)
        flat = (part for layer in grads for part in layer)
        for theta, M, S, g in zip(self.parts, self.M, self.S, flat, strict=True):
            direction = g
            if self.a:
                M *= self.a
                M += g if self.c == 1.0 else self.c * g
                direction = M
            if self.adaptive:
                S *= self.p
                S += self.q * (g * g)
                theta -= (self.rate / r1) * direction / (np.sqrt(S / r2) + self.eps)
            else:
                theta -= self.rate * direction
