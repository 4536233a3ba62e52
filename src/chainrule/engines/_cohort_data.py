"""The samples of a cohort as arrays with or without a member axis, and the batches drawn from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.cohorts import Cohort
from chainrule.data import Dataset, class_weights
from chainrule.nn import Array
from chainrule.random import stream

Index = np.ndarray[Any, np.dtype[np.intp]]


@dataclass(frozen=True)
class Samples:
    """One part of the data, for all members.

    Attributes
    ----------
    X : ndarray (n, d) or (m, n, d)
        Without the member axis when all members see the same samples.
    Y : ndarray (n, k) or (m, n, k)
        Targets; classes are one-hot.
    weight : ndarray (n,) or (m, n) or None
        Sample weights.
    shared : bool
        Whether all members see the same samples.
    """

    X: Array
    Y: Array
    weight: Array | None
    shared: bool

    @property
    def n(self) -> int:
        """Number of samples per member."""
        return int(self.X.shape[-2])

    def take_members(self, keep: Index) -> Samples:
        """Return the samples of some members."""
        if self.shared:
            return self
        return Samples(self.X[keep], self.Y[keep], None if self.weight is None else self.weight[keep], False)

    def batch(self, rows: Index) -> Samples:
        """Return the samples `rows` (B,) of all members, or (m, B) with rows of each member's own."""
        if rows.ndim == 1:
            weight = None if self.weight is None else self.weight.take(rows, axis=-1)
            # np.take, because an index among slices would lay out the result with the rows first
            return Samples(self.X.take(rows, axis=-2), self.Y.take(rows, axis=-2), weight, self.shared)
        if self.shared:
            return Samples(self.X[rows], self.Y[rows], None if self.weight is None else self.weight[rows], False)
        member = np.arange(len(rows))[:, None]
        weight = None if self.weight is None else self.weight[member, rows]
        return Samples(self.X[member, rows], self.Y[member, rows], weight, False)

    def slices(self, size: int) -> Iterator[Samples]:
        """Yield consecutive pieces of at most `size` samples."""
        for start in range(0, self.n, size):
            part = slice(start, start + size)
            weight = None if self.weight is None else self.weight[..., part]
            yield Samples(self.X[..., part, :], self.Y[..., part, :], weight, self.shared)


def gather(cohort: Cohort, part: str) -> Samples | None:
    """Collect the ``train``, ``validation`` or ``test`` part of all members, or None if there is none.

    Class weights steer training: they weigh the training part only. Other parts are measured as they are.
    """
    sets: list[Dataset | None] = [getattr(s, part) for s in cohort.splits]
    present = [dataset for dataset in sets if dataset is not None]
    if not present:
        return None
    dtype = np.dtype(cohort.config.dtype)
    class_weight = cohort.config.class_weight if part == "train" else None
    distinct = {id(dataset): dataset for dataset in present}
    if len(distinct) == 1:
        return Samples(*arrays_of(present[0], class_weight, dtype), shared=True)
    made = {key: arrays_of(dataset, class_weight, dtype) for key, dataset in distinct.items()}
    X, Y, weight = zip(*(made[id(dataset)] for dataset in present), strict=True)
    weights = None if weight[0] is None else np.stack(weight)
    return Samples(np.stack(X), np.stack(Y), weights, shared=False)


def arrays_of(dataset: Dataset, class_weight: str | None, dtype: np.dtype[Any]) -> tuple[Array, Array, Array | None]:
    """Return X, Y and the sample weights of one data set in the cohort's dtype."""
    weight = dataset.sample_weight
    if class_weight is not None:
        of_class = class_weights(dataset, class_weight)
        weight = of_class if weight is None else weight * of_class
    X, Y = (np.ascontiguousarray(array, dtype=dtype) for array in (dataset.X, dataset.Y))
    return X, Y, None if weight is None else weight.astype(dtype)


class Batches:
    """The order in which members see their samples: a new permutation per epoch from the ``order`` stream.

    Members with equal seeds get equal orders, so a difference between them is the setting's.
    """

    def __init__(self, seeds: Sequence[int], n: int, batch_size: int | str, shuffle: bool) -> None:
        self.n = n
        self.size = n if batch_size == "full" else min(int(batch_size), n)
        self.full = self.size >= n
        self.shuffle = shuffle and not self.full
        self.generators = {seed: stream(seed, "order") for seed in dict.fromkeys(seeds)}

    @property
    def steps(self) -> int:
        """Steps per epoch."""
        return -(-self.n // self.size)

    def epoch(self, seeds: Sequence[int]) -> Iterator[Index | None]:
        """Yield the rows of each batch of one epoch: (B,) if all members share them, else (m, B).

        None stands for all samples in their own order. `seeds` are those of the members still in training; the
        generator of a seed advances once for each epoch of its members, so their order never depends on others.
        """
        if self.full:
            yield None
            return
        if self.shuffle:
            orders = {seed: self.generators[seed].permutation(self.n) for seed in dict.fromkeys(seeds)}
            order = orders[seeds[0]] if len(orders) == 1 else np.stack([orders[seed] for seed in seeds])
        else:
            order = np.arange(self.n)
        for start in range(0, self.n, self.size):
            yield order[..., start : start + self.size]
