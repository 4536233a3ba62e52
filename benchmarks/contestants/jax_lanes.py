"""JAX with the members on the last axis: the fastest formulation for small networks that we found.

Products are written as sums over units and samples, so that XLA makes one vectorised loop over members of each and
calls no matrix library. Members are sorted by activation (a program for each, without selections), padded to the
widest, and a population of one kind is cut into a share for each core; the programs run side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from benchmarks.contestants._base import Contestant
from benchmarks.contestants.jax_tuned import in_threads, usable_cores
from benchmarks.contestants.jax_unified import Tree, activations, moved, no_memory
from benchmarks.padding import Padded
from benchmarks.unified import Rule, corrections, rule_of
from benchmarks.work import Array, Work


class JaxLanes(Contestant):
    """Full-batch training of small networks on few samples."""

    name = "jax lanes"
    compiles = True

    def __init__(self, work: Work) -> None:
        import jax

        super().__init__(work)
        assert work.full_batch, "all members see the same samples"
        assert work.loss == "mse", "one sigmoid output, squared error"
        self.jax, self.padded, self.pool = jax, Padded(work), ThreadPoolExecutor(usable_cores())
        rule = rule_of(work).take(self.padded.order)
        self.shared = jax.device_put((work.X[:, :, None], work.Y[:, :, None], corrections(work.epochs)))
        self.parts = _shares(self.padded, usable_cores())
        self.args = [
            jax.device_put((
                [(np.moveaxis(W[part], 0, -1), b[part].T) for W, b in self.padded.layers],
                rule.take(part),
                [None if mask is None else mask[part].T for mask in self.padded.masks],
            ))
            for _, part in self.parts
        ]  # fmt: skip
        programs = {name: jax.jit(lanes_trainer(jax, name, work.uniform)) for name, _ in self.parts}
        self.programs = [programs[name] for name, _ in self.parts]
        self.end: list[Tree] = []

    def train(self) -> None:
        """Train all members; the first call compiles."""
        calls = [partial(program, *args, *self.shared) for program, args in zip(self.programs, self.args, strict=True)]
        self.end = in_threads(self.pool, calls, self.jax)

    def weights(self) -> list[Array]:
        """Return the trained weights without their padding."""
        layers = []
        for level in range(len(self.padded.layers)):
            W, b = (np.concatenate([np.asarray(end[level][i]) for end in self.end], axis=-1) for i in (0, 1))
            layers.append((np.moveaxis(W, -1, 0), b.T))
        return self.padded.flat(layers)


def _shares(padded: Padded, cores: int) -> list[tuple[str, slice]]:
    """Return the groups of one activation; if there are fewer of them than cores, each is cut."""
    cuts = -(-cores // len(padded.groups))
    shares = []
    for name, part in padded.groups:
        for rows in np.array_split(np.arange(part.start, part.stop), min(cuts, part.stop - part.start)):
            shares.append((name, slice(int(rows[0]), int(rows[-1]) + 1)))
    return shares


def product(A: Any, W: Any) -> Any:
    """Return A (n, h, m) times W (h, k, m): (n, k, m), as h sums over whole rows of members."""
    return sum(A[:, i, None, :] * W[None, i] for i in range(W.shape[0]))


def lanes_trainer(jax: Any, name: str, plain: bool) -> Callable[..., Tree]:
    """Return the training of members of one activation; `plain` means gradient descent for all."""
    activate, slope = activations(jax)[name]

    def gradients(now: Tree, masks: Any, X: Any, Y: Any) -> Tree:
        last, A = len(now) - 1, [X]
        for level, (W, b) in enumerate(now):
            Z = product(A[-1], W) + b
            A.append(jax.nn.sigmoid(Z) if level == last else activate(Z))
            if level < last and masks[level] is not None:
                A[-1] = A[-1] * masks[level]
        delta = (A[-1] - Y) * (2 / Y.size) * A[-1] * (1 - A[-1])
        grads = []
        for level in range(last, -1, -1):
            rows = range(len(delta))
            grads.append((sum(A[level][i, :, None, :] * delta[i, None] for i in rows), sum(delta[i] for i in rows)))
            if level:
                delta = product(delta, jax.numpy.swapaxes(now[level][0], 0, 1)) * slope(A[level])
        return grads[::-1]

    def train(layers: Tree, rule: Rule, masks: Any, X: Any, Y: Any, corrected: Any) -> Tree:
        def descend(now: Tree, _: Any) -> tuple[Tree, None]:
            grads = gradients(now, masks, X, Y)
            return jax.tree.map(lambda part, grad: part - rule.rate * grad, now, grads), None

        def step(state: tuple[Tree, Tree], correction: Any) -> tuple[tuple[Tree, Tree], None]:
            return moved(jax, rule, correction, *state, gradients(state[0], masks, X, Y)), None

        if plain:
            return jax.lax.scan(descend, layers, None, length=len(corrected))[0]
        return jax.lax.scan(step, (layers, no_memory(jax, layers)), corrected)[0][0]

    return train
