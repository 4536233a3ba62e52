"""What the host prepares for a stretch of epochs: learning rates, and the order of the samples."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from chainrule.engines.compiled.shuffle_kernel import ALL_USED, COUNTER, N_STATE, PLACE, permute
from chainrule.optim import Constant, LossRatio, Schedule, schedule
from chainrule.optim import State as ClockState
from chainrule.random import stream, stream_key

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
    seeds : sequence of int
        The seed of each member.
    n : int
        Samples.

    Attributes
    ----------
    row : ndarray (m,)
        For each member the row of `tables` that is its seed's.
    tables : ndarray (seeds, E, n)
        The orders of the latest stretch.
    """

    def __init__(self, seeds: Sequence[int], n: int) -> None:
        self.n = n
        distinct = {seed: row for row, seed in enumerate(dict.fromkeys(seeds))}
        self.row: Index = np.array([distinct[seed] for seed in seeds], dtype=np.intp)
        self.tables: Orders = np.zeros((len(distinct), 0, n), dtype=np.int32)
        self.generators: list[np.random.Generator] = []
        self.states = np.zeros((0, N_STATE), dtype=np.uint64)
        if kernel_agrees():
            self.states = np.array([_state(seed) for seed in distinct])
        else:
            self.generators = [stream(seed, "order") for seed in distinct]

    def draw(self, members: Sequence[int], epochs: int, threads: int) -> list[Callable[[], None]]:
        """Return what is to be done, in at most so many threads, to fill `tables` for the seeds of some members."""
        rows = np.unique(self.row[members])
        self.tables = np.empty((len(self.tables), epochs, self.n), dtype=np.int32)
        return [partial(self._fill, part) for part in np.array_split(rows, min(threads, len(rows)))]

    def _fill(self, rows: Index) -> None:
        if not self.generators:
            permute(self.states, rows, self.tables)
            return
        for row in rows.tolist():
            for order in self.tables[row]:
                order[:] = self.generators[row].permutation(self.n)

    def of(self, members: Sequence[int]) -> Orders:
        """Return the orders of a block's members: (E, V, n), or (E, 1, n) if all have the same."""
        rows = self.row[members]
        if (rows == rows[0]).all():
            return self.tables[rows[0], :, None, :]
        return np.ascontiguousarray(self.tables[rows].transpose(1, 0, 2))


def _state(seed: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return a new generator in the numbers of the kernel."""
    state = np.zeros(N_STATE, dtype=np.uint64)
    state[:COUNTER] = stream_key(seed, "order")
    state[PLACE] = ALL_USED
    return state


@functools.cache
def kernel_agrees() -> bool:
    """Whether this NumPy draws permutations as the kernel does; another version might draw others from equal keys."""
    generator, states, tables = stream(0, "order"), _state(0)[None], np.zeros((1, 3, 37), dtype=np.int32)
    permute(states, np.zeros(1, dtype=np.intp), tables)
    return all(np.array_equal(order, generator.permutation(37)) for order in tables[0])
