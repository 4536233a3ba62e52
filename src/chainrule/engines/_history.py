"""Rows kept during training, put together into one history per member at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.nn import Array

Index = np.ndarray[Any, np.dtype[np.intp]]


class Recorder:
    """Collects values of the members in training, row by row; members may leave at any time.

    Parameters
    ----------
    n_members : int
        Size of the population; `places` in `add` are indices into it.
    """

    def __init__(self, n_members: int) -> None:
        self.n_members = n_members
        self.rows: list[tuple[Index, Mapping[str, Array]]] = []

    def add(self, places: Index, values: Mapping[str, Array]) -> None:
        """Keep one value per name for each member in `places`; every row has the same names."""
        self.rows.append((places, values))

    def split(self) -> list[dict[str, Array]]:
        """Return each member's history: name to array (T,), in the order of the rows."""
        histories: list[dict[str, Array]] = [{} for _ in range(self.n_members)]
        if not self.rows:
            return histories
        member = np.concatenate([places for places, _ in self.rows])
        order = np.argsort(member, kind="stable")
        ends = np.cumsum(np.bincount(member, minlength=self.n_members))[:-1]
        for name in self.rows[0][1]:
            column = np.concatenate([values[name] for _, values in self.rows]).astype(np.float64)[order]
            for history, part in zip(histories, np.split(column, ends), strict=True):
                history[name] = part.astype(np.int64) if name == "epoch" else part
        return histories
