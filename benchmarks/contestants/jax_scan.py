"""JAX as one writes it: `jit`, `lax.scan` over the steps, `grad`, and `vmap` over a population."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.contestants._base import Contestant, Losses
from benchmarks.work import Array, Shape, Work, join_layers

Tree = Any


class JaxScan(Contestant):
    """One compiled program for all epochs of all members; plain gradient descent."""

    name = "jax"
    compiles = True

    def __init__(self, work: Work) -> None:
        import jax

        super().__init__(work)
        assert work.uniform, "one shape, plain gradient descent"
        self.jax = jax
        self.X, self.Y = jax.device_put(work.X), jax.device_put(work.Y)
        self.batches = None if work.full_batch else jax.device_put(steps_of(work))
        self.start = stacked(jax, [work.layers(k) for k in range(len(work))])
        self.rates = jax.device_put(work.rates)
        self.end = self.start
        self.alone = len(work) == 1
        self.program = self._program()
        self.judge = jax.jit(jax.vmap(loss_function(jax, work.shapes[0], work.loss), in_axes=(0, None, None)))

    def _program(self) -> Any:
        """Return the compiled training of all members."""
        one = trainer(self.jax, self.work)
        over = (0, 0, None if self.batches is None else 0, None, None)
        return self.jax.jit(one if self.alone else self.jax.vmap(one, in_axes=over))

    def train(self) -> None:
        """Train all members; the first call compiles."""
        if self.alone:
            batches = None if self.batches is None else self.batches[0]
            first = self.jax.tree.map(lambda part: part[0], self.start)
            end = self.program(first, self.rates[0], batches, self.X, self.Y)
            self.end = self.jax.tree.map(lambda part: part[None], self.jax.block_until_ready(end))
        else:
            self.end = self.jax.block_until_ready(self.program(self.start, self.rates, self.batches, self.X, self.Y))

    def evaluate(self, trained: bool) -> Losses:
        """Return the losses."""
        return np.asarray(self.judge(self.end if trained else self.start, self.X, self.Y))

    def weights(self) -> list[Array]:
        """Return the trained weights."""
        return flat(self.end, len(self.work))


def stacked(jax: Any, members: list[Tree]) -> Tree:
    """Return the members' weights with a leading member axis."""
    return jax.tree.map(lambda *parts: jax.device_put(np.stack(parts)), *members)


def flat(layers: Tree, m: int) -> list[Array]:
    """Return the flat weights of every member."""
    arrays = [(np.asarray(W), np.asarray(b)) for W, b in layers]
    return [join_layers([(W[k], b[k]) for W, b in arrays]) for k in range(m)]


def steps_of(work: Work) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return the rows of every step, (m, steps, batch)."""
    assert work.dataset.n % work.batch == 0, "a scan needs batches of one size"
    orders = [work.orders[member.seed].reshape(-1, work.batch) for member in work.members]
    return np.stack(orders).astype(np.int32)


def outputs(jax: Any, shape: Shape, layers: Tree, X: Any) -> tuple[Any, Any]:
    """Return Z and A of the output layer."""
    functions = {
        "sigmoid": jax.nn.sigmoid,
        "tanh": jax.numpy.tanh,
        "relu": jax.nn.relu,
        "elu": jax.nn.elu,
        "softmax": jax.nn.softmax,
        "identity": lambda Z: Z,
    }
    A = X
    for (W, b), name in zip(layers, shape.activations, strict=True):
        Z = A @ W + b
        A = functions[name](Z)
    return Z, A


def loss_function(jax: Any, shape: Shape, loss: str) -> Callable[[Tree, Any, Any], Any]:
    """Return the loss of a batch, as `grad` wants it."""

    def of_batch(layers: Tree, X: Any, Y: Any) -> Any:
        Z, A = outputs(jax, shape, layers, X)
        if loss == "softmax_cross_entropy":
            return -jax.numpy.mean(jax.numpy.sum(Y * jax.nn.log_softmax(Z), axis=1))
        assert loss == "mse", "the losses of the benchmarks"
        return jax.numpy.mean((A - Y) ** 2)

    return of_batch


def trainer(jax: Any, work: Work) -> Callable[[Tree, Any, Any, Any, Any], Tree]:
    """Return the training of one member: initial weights, rate, rows of its steps, X and Y in, weights out."""
    gradient = jax.grad(loss_function(jax, work.shapes[0], work.loss))

    def train(layers: Tree, rate: Any, batches: Any, X: Any, Y: Any) -> Tree:
        def step(now: Tree, rows: Any) -> tuple[Tree, None]:
            grads = gradient(now, X, Y) if batches is None else gradient(now, X[rows], Y[rows])
            return jax.tree.map(lambda part, grad: part - rate * grad, now, grads), None

        return jax.lax.scan(step, layers, batches, length=work.epochs if batches is None else None)[0]

    return train
