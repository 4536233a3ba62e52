"""What the host prepares for a stretch of epochs: learning rates, and the order of the samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.optim import Constant, LossRatio, Schedule, schedule
from chainrule.optim import State as ClockState
from chainrule.random import stream

Rates = np.ndarray[Any, np.dtype[np.float64]]
Orders = np.ndarray[Any, np.dtype[np.int32]]
Index = np.ndarray[Any, np.dtype[np.intp]]


class Clock:
    """The learning rates of a bundle's members, epoch by epoch; stretches are asked for one after the other.

    Parameters
    ----------
    specs : sequence of str
        The schedule of each member.
    base : ndarray (m,)
        The learning rate that each member was given.
    epochs : int
        Epochs that the schedules are made for.
    """

    def __init__(self, specs: Sequence[str], base: Rates, epochs: int) -> None:
        self.base, self.epochs = base, epochs
        named = np.array(specs)
        self.groups: list[tuple[Schedule, Index]] = [
            (schedule(spec), np.flatnonzero(named == spec)) for spec in dict.fromkeys(specs)
        ]
        # The rate that follows the loss is led by the kernel.
        self.constant = all(isinstance(kind, Constant | LossRatio) for kind, _ in self.groups)
        self.states: list[ClockState] = [kind.init(base[index]) for kind, index in self.groups]
        self.first, self.table = 0, base[None, :]

    def stretch(self, first: int, stop: int) -> Rates:
        """Return the rates of epochs `first` up to `stop`: (E, m), or (1, m) if they never change."""
        if self.constant:
            return self.table
        self.first, self.table = first, np.repeat(self.base[None, :], max(min(stop, self.epochs) - first, 1), axis=0)
        for number, (kind, index) in enumerate(self.groups):
            if kind.share(0, 1) is None:
                self._lead(number, kind, index, first)
            else:
                shares = [kind.share(first + e, self.epochs) for e in range(len(self.table))]
                self.table[:, index] = self.base[index] * np.array(shares)[:, None]
        return self.table

    def _lead(self, number: int, kind: Schedule, index: Index, first: int) -> None:
        """Fill in the rates of a schedule that goes from epoch to epoch."""
        for row in range(len(self.table)):
            if first + row < self.epochs:
                self.states[number] = kind.on_epoch(self.states[number], first + row, self.epochs)
                self.table[row, index] = self.states[number]["lr"]

    def at(self, epoch: int, member: int) -> float:
        """Return the rate of a member in an epoch of the latest stretch."""
        return float(self.table[0 if self.constant else min(epoch - self.first, len(self.table) - 1), member])


class Shuffles:
    """The order of the samples in each epoch, for each seed: the permutations that the reference engine draws.

    The generator of a seed advances once an epoch, whoever is still in training.

    Parameters
    ----------
    n : int
        Samples.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self.generators: dict[int, np.random.Generator] = {}

    def draw(self, seeds: Sequence[int], epochs: int) -> dict[int, Orders]:
        """Return the orders (epochs, n) of the next epochs, by seed; seeds that are left out have ended."""
        distinct = dict.fromkeys(seeds)
        self.generators = {seed: self.generators.get(seed) or stream(seed, "order") for seed in distinct}
        return {seed: self._permutations(generator, epochs) for seed, generator in self.generators.items()}

    def _permutations(self, generator: np.random.Generator, epochs: int) -> Orders:
        table = np.empty((epochs, self.n), dtype=np.int32)
        for row in table:
            row[:] = generator.permutation(self.n)
        return table


def of_block(orders: dict[int, Orders], seeds: Sequence[int]) -> Orders:
    """Return the orders of a block's members: (E, V, n), or (E, 1, n) if all have the same."""
    if len(set(seeds)) == 1:
        return orders[seeds[0]][:, None, :]
    return np.stack([orders[seed] for seed in seeds], axis=1)
