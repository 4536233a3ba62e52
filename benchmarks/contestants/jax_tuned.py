"""JAX rewritten by hand for small networks and for two cores: the fastest formulations that we found.

`JaxBroadcast` writes the products of one small network as broadcast sums, so that XLA fuses a whole epoch into a
few loops and calls no matrix library: 6 times faster than ``A @ W`` on a network of 2-4-4-1.

`JaxThreads` gives each core its own share of a population, one member after the other: the minibatch products of
a network of 784-300-10 run faster on one core each than split over both.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np

from benchmarks.contestants.jax_scan import JaxScan, Tree, trainer


class JaxBroadcast(JaxScan):
    """One network, full batch, squared error after a sigmoid; the gradient written by hand."""

    name = "jax broadcast"

    def _program(self) -> Any:
        assert self.alone, "one network"
        assert self.work.full_batch, "full batch"
        assert self.work.loss == "mse", "squared error"
        assert set(self.work.shapes[0].activations) == {"sigmoid"}, "sigmoid in every layer"
        return self.jax.jit(broadcast_trainer(self.jax, self.work.epochs))


def broadcast_trainer(jax: Any, epochs: int) -> Callable[[Tree, Any, Any, Any, Any], Tree]:
    """Return the training of one network whose products are broadcast sums."""

    def product(A: Any, W: Any) -> Any:
        return (A[:, :, None] * W[None]).sum(1)

    def train(layers: Tree, rate: Any, _: Any, X: Any, Y: Any) -> Tree:
        def step(now: Tree, _: Any) -> tuple[Tree, None]:
            A = [X]
            for W, b in now:
                A.append(jax.nn.sigmoid(product(A[-1], W) + b))
            delta = (A[-1] - Y) * (2 / Y.size) * A[-1] * (1 - A[-1])
            moved = []
            for level in range(len(now) - 1, -1, -1):
                W, b = now[level]
                grad = (A[level][:, :, None] * delta[:, None, :]).sum(0)
                moved.append((W - rate * grad, b - rate * delta.sum(0)))
                if level:
                    delta = product(delta, W.T) * A[level] * (1 - A[level])
            return moved[::-1], None

        return jax.lax.scan(step, layers, None, length=epochs)[0]

    return train


class JaxThreads(JaxScan):
    """A population cut into one share per core; `lax.map` over the members of a share."""

    name = "jax threads"

    def _program(self) -> Any:
        jax, cores = self.jax, usable_cores()
        one = trainer(jax, self.work, self._loss())

        def share(start: Tree, rates: Any, batches: Any, X: Any, Y: Any) -> Tree:
            return jax.lax.map(lambda member: one(member[0], member[1], member[2], X, Y), (start, rates, batches))

        compiled = jax.jit(share)
        self.pool = ThreadPoolExecutor(cores)
        cuts = np.array_split(np.arange(len(self.work)), min(cores, len(self.work)))

        def run(*args: Any) -> Tree:
            *members, X, Y = args
            pieces = [jax.tree.map(itemgetter(cut), tuple(members)) for cut in cuts]
            done = in_threads(self.pool, [partial(compiled, *piece, X, Y) for piece in pieces], jax)
            return jax.tree.map(lambda *parts: jax.numpy.concatenate(parts), *done)

        return run


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else (os.cpu_count() or 1)


def in_threads(pool: ThreadPoolExecutor, calls: Sequence[Callable[[], Any]], jax: Any) -> list[Any]:
    """Make the calls side by side (XLA gives up Python's lock) and wait for all of them."""
    return list(pool.map(lambda call: jax.block_until_ready(call()), calls))
