"""JAX as one writes it: `jit`, `lax.scan` over the steps, `grad`, and `vmap` over a population."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np

from benchmarks.contestants._base import Contestant, Losses
from benchmarks.work import Array, Shape, Work, join_layers

Tree = Any
Rows = np.ndarray[Any, np.dtype[np.int32]]


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
        self.judge = jax.jit(jax.vmap(self._loss_of_all(), in_axes=(0, None, None)))

    def _loss(self) -> Callable[[Tree, Any, Any], Any]:
        """Return the loss of a batch."""
        return loss_function(self.jax, self.work.shapes[0], self.work.loss)

    def _loss_of_all(self) -> Callable[[Tree, Any, Any], Any]:
        """Return the loss over all samples."""
        return self._loss()

    def _program(self) -> Any:
        """Return the compiled training of all members."""
        one = trainer(self.jax, self.work, self._loss())
        over = (0, 0, None if self.batches is None else 0, None, None)
        return self.jax.jit(one if self.alone else self.jax.vmap(one, in_axes=over))

    def train(self) -> None:
        """Train all members; the first call compiles."""
        if self.alone:
            first, batches = self.jax.tree.map(itemgetter(0), (self.start, self.batches))
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


def steps_of(work: Work) -> Rows | tuple[Rows, Rows]:
    """Return the rows of every step, (m, steps, batch); with the last batches of epochs apart, if they are smaller.

    These two are (m, epochs, steps, batch) and (m, epochs, rest).
    """
    orders = np.stack([work.orders[member.seed] for member in work.members]).astype(np.int32)  # (m, epochs, n)
    whole = work.dataset.n // work.batch * work.batch
    if whole == work.dataset.n:
        return orders.reshape(len(work), -1, work.batch)
    return orders[..., :whole].reshape(len(work), work.epochs, -1, work.batch), orders[..., whole:]


def outputs(jax: Any, shape: Shape, layers: Tree, X: Any) -> tuple[Any, Any]:
    """Return Z and A of the output layer."""
    known, A = activations(jax), X
    for (W, b), name in zip(layers, shape.activations, strict=True):
        Z = A @ W + b
        A = known[name](Z)
    return Z, A


def activations(jax: Any) -> dict[str, Callable[[Any], Any]]:
    """Return the activations by name."""
    return {
        "sigmoid": jax.nn.sigmoid,
        "tanh": jax.numpy.tanh,
        "relu": jax.nn.relu,
        "elu": jax.nn.elu,
        "softmax": jax.nn.softmax,
        "identity": lambda Z: Z,
    }


def loss_function(
    jax: Any, shape: Shape, loss: str, outputs: Callable[[Any, Shape, Tree, Any], tuple[Any, Any]] = outputs
) -> Callable[[Tree, Any, Any], Any]:
    """Return the loss of a batch, as `grad` wants it."""

    def of_batch(layers: Tree, X: Any, Y: Any) -> Any:
        Z, A = outputs(jax, shape, layers, X)
        if loss == "softmax_cross_entropy":
            return -jax.numpy.mean(jax.numpy.sum(Y * jax.nn.log_softmax(Z), axis=1))
        assert loss == "mse", "the losses of the benchmarks"
        return jax.numpy.mean((A - Y) ** 2)

    return of_batch


def trainer(jax: Any, work: Work, loss: Callable[[Tree, Any, Any], Any]) -> Callable[[Tree, Any, Any, Any, Any], Tree]:
    """Return the training of one member: initial weights, rate, rows of its steps, X and Y in, weights out."""
    gradient = jax.grad(loss)

    def train(layers: Tree, rate: Any, batches: Any, X: Any, Y: Any) -> Tree:
        def step(now: Tree, rows: Any) -> tuple[Tree, None]:
            grads = gradient(now, X, Y) if batches is None else gradient(now, X[rows], Y[rows])
            return jax.tree.map(lambda part, grad: part - rate * grad, now, grads), None

        def epoch(now: Tree, rows: tuple[Any, Any]) -> tuple[Tree, None]:
            return step(jax.lax.scan(step, now, rows[0])[0], rows[1])

        if isinstance(batches, tuple):
            return jax.lax.scan(epoch, layers, batches)[0]
        return jax.lax.scan(step, layers, batches, length=work.epochs if batches is None else None)[0]

    return train
