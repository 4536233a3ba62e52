"""JAX for members of many shapes, activations and optimizers, with `vmap`: two formulations.

`JaxPadded` pads all members to the widest and maps one program over them; the activation is chosen by `lax.switch`,
which `vmap` turns into a computation of all branches and a selection; the five optimizers are one formula, because
five branches of moments cost more than one with coefficients.

`JaxShapes` compiles such a program for each pair of widths, without padding: what a loop over the settings comes to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.contestants._base import Contestant
from benchmarks.contestants.jax_scan import flat, stacked
from benchmarks.contestants.jax_unified import Tree, activations, moved, no_memory
from benchmarks.padding import Padded
from benchmarks.unified import Rule, corrections, rule_of
from benchmarks.work import Array, Work


class JaxPadded(Contestant):
    """One program for all members."""

    name = "jax padded"
    compiles = True

    def __init__(self, work: Work) -> None:
        import jax

        super().__init__(work)
        self.jax, self.padded = jax, Padded(work)
        order = self.padded.order
        rule = rule_of(work).take(order)
        kinds = np.empty(len(work), np.int32)
        names = [name for name, _ in self.padded.groups]
        for number, (_, part) in enumerate(self.padded.groups):
            kinds[part] = number
        masks = [np.ones_like(b) if m is None else m
                 for m, (_, b) in zip(self.padded.masks, self.padded.layers, strict=False)]  # fmt: skip
        self.args = jax.device_put((self.padded.layers, rule, kinds, masks))
        self.shared = jax.device_put((work.X, work.Y, corrections(work.epochs)))
        one = switching_trainer(jax, work, names)
        self.program = jax.jit(jax.vmap(one, in_axes=(0, 0, 0, 0, None, None, None)))
        self.end = self.args[0]

    def train(self) -> None:
        """Train all members; the first call compiles."""
        self.end = self.jax.block_until_ready(self.program(*self.args, *self.shared))

    def weights(self) -> list[Array]:
        """Return the trained weights without their padding."""
        return self.padded.flat([(np.asarray(W), np.asarray(b)) for W, b in self.end])


class JaxShapes(Contestant):
    """One program for each pair of widths."""

    name = "jax shapes"
    compiles = True

    def __init__(self, work: Work) -> None:
        import jax

        super().__init__(work)
        self.jax = jax
        self.places: dict[tuple[int, ...], list[int]] = {}
        for k, shape in enumerate(work.shapes):
            self.places.setdefault(shape.sizes, []).append(k)
        names = sorted({shape.activations[0] for shape in work.shapes})
        rule, kinds = rule_of(work), np.array([names.index(shape.activations[0]) for shape in work.shapes])
        self.shared = jax.device_put((work.X, work.Y, corrections(work.epochs)))
        one = switching_trainer(jax, work, names)
        self.program = jax.jit(jax.vmap(one, in_axes=(0, 0, 0, None, None, None, None)))  # compiles for every shape
        self.args = [
            (
                stacked(jax, [work.layers(k) for k in group]),
                jax.device_put(rule.take(group)),
                jax.device_put(kinds[group]),
            )
            for group in self.places.values()
        ]
        self.end: list[Tree] = []

    def train(self) -> None:
        """Train shape after shape; the first call compiles each."""
        self.end = [self.jax.block_until_ready(self.program(*args, None, *self.shared)) for args in self.args]

    def weights(self) -> list[Array]:
        """Return the trained weights."""
        flats: list[Array] = [np.empty(0, np.float32)] * len(self.work)
        for group, layers in zip(self.places.values(), self.end, strict=True):
            for k, own in zip(group, flat(layers, len(group)), strict=True):
                flats[k] = own
        return flats


def switching_trainer(jax: Any, work: Work, names: list[str]) -> Callable[..., Tree]:
    """Return the training of one member whose hidden activation is number `kind` of `names`."""
    assert work.full_batch, "all members see the same samples"
    assert work.loss == "mse", "one sigmoid output, squared error"
    table = activations(jax)

    def train(layers: Tree, rule: Rule, kind: Any, masks: Any, X: Any, Y: Any, corrected: Any) -> Tree:
        def activate(Z: Any, level: int) -> Any:
            A = jax.lax.switch(kind, [table[name][0] for name in names], Z)
            return A if masks is None else A * masks[level]

        def slope(A: Any) -> Any:
            return jax.lax.switch(kind, [table[name][1] for name in names], A)

        def step(state: tuple[Tree, Tree], correction: Any) -> tuple[tuple[Tree, Tree], None]:
            now, memory = state
            last, A = len(now) - 1, [X]
            for level, (W, b) in enumerate(now):
                Z = A[-1] @ W + b
                A.append(jax.nn.sigmoid(Z) if level == last else activate(Z, level))
            delta = (A[-1] - Y) * (2 / Y.size) * A[-1] * (1 - A[-1])
            grads = []
            for level in range(last, -1, -1):
                grads.append((A[level].T @ delta, delta.sum(0)))
                if level:
                    delta = (delta @ now[level][0].T) * slope(A[level])
            return moved(jax, rule, correction, now, memory, grads[::-1]), None

        return jax.lax.scan(step, (layers, no_memory(jax, layers)), corrected)[0][0]

    return train
