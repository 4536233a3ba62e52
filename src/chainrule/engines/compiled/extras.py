"""Metrics that kernels do not compute: measured in NumPy at the epochs that are kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.engines._blas import one_blas_thread
from chainrule.engines._cohort_data import gather
from chainrule.engines._evaluation import Evaluation
from chainrule.engines._finishing import groups_of
from chainrule.engines.compiled.bundles import facts
from chainrule.engines.compiled.seats import Share
from chainrule.nn import Array

Index = np.ndarray[Any, np.dtype[np.intp]]
Integers = np.ndarray[Any, np.dtype[np.int64]]


class Extras:
    """The additional metrics of one cohort's members.

    Attributes
    ----------
    names : list of str
        Metrics, and the same with ``validation_`` before them if there is such a part.
    """

    def __init__(self, share: Share) -> None:
        cohort = share.cohort
        self.cohort = cohort
        self.evaluation = Evaluation(cohort.network, cohort.config, cohort.splits[0].train.task)
        train = gather(cohort, "train")
        assert train is not None, "every split has a training part"
        self.train, self.validation = train, gather(cohort, "validation")
        own = facts(cohort).extras
        self.names = own + ([f"validation_{name}" for name in own] if self.validation is not None else [])
        self.rows: list[dict[int, Array]] = [{} for _ in range(len(cohort))]

    def measure(self, epoch: int, members: list[int], thetas: list[Array]) -> None:
        """Keep the metrics of some members (their numbers in the share) after `epoch` epochs."""
        place = dict(zip(members, thetas, strict=True))
        for group in groups_of(members, self.cohort):
            index = np.array(group, dtype=np.intp)
            params = self.cohort.network.unpack(np.stack([place[k] for k in group]))
            train, validation = self.train.take_members(index), self.validation and self.validation.take_members(index)
            with one_blas_thread():
                values, _ = self.evaluation.record(params, train, validation)
            table = np.stack([values[name] for name in self.names], axis=1)
            for k, row in zip(group, table, strict=True):
                self.rows[k][epoch] = row

    def history(self, member: int, epochs: Integers) -> dict[str, Array]:
        """Return the columns of a member at the epochs of its history."""
        rows = self.rows[member]
        table = np.array([rows[epoch] for epoch in epochs.tolist()]).reshape(len(epochs), len(self.names))
        return dict(zip(self.names, table.T.copy(), strict=True))

    def at(self, member: int, epoch: int) -> dict[str, float]:
        """Return a member's metrics after an epoch."""
        return dict(zip(self.names, self.rows[member][epoch].tolist(), strict=True))
