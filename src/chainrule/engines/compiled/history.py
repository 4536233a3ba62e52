"""History rows and windows as kernels keep them, block by block, put together member by member at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.nn import Array

Index = np.ndarray[Any, np.dtype[np.intp]]
Integers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Segment:
    """What was kept about the members of one block while they were in it.

    Attributes
    ----------
    members : list of int
        Their numbers.
    moments : ndarray (T,)
        Rising: epoch of each row, or number of each window.
    table : ndarray (V, columns, T)
        The values; the first column is a loss.
    sound : ndarray (V, T)
        Where that loss is finite: other rows are not kept.
    """

    members: list[int]
    moments: Integers
    table: Array
    sound: np.ndarray[Any, np.dtype[np.bool_]]


@dataclass
class Sheet:
    """The rows of a block so far."""

    moments: list[Integers] = field(default_factory=list)
    tables: list[Array] = field(default_factory=list)

    def add(self, moments: Integers, table: Array) -> None:
        """Keep rows (T, columns, V); both arrays must be the sheet's own."""
        if len(moments):
            self.moments.append(moments)
            self.tables.append(table)

    def seal(self, members: list[int]) -> Segment | None:
        """Return the rows by member."""
        if not self.moments:
            return None
        table = np.ascontiguousarray(np.concatenate(self.tables).transpose(2, 1, 0)[: len(members)])
        moments = np.concatenate(self.moments)
        moments.flags.writeable = False  # runs share it
        self.moments, self.tables = [], []
        return Segment(members, moments, table, np.isfinite(table[:, 0]))


class Collected:
    """The segments of all members of a bundle.

    Parameters
    ----------
    members, columns : int
        How many members and columns there are.
    """

    def __init__(self, members: int, columns: int) -> None:
        self.columns = columns
        self.of_member: list[list[tuple[Segment, int]]] = [[] for _ in range(members)]

    def add(self, segment: Segment | None) -> None:
        """Keep a segment."""
        if segment is not None:
            for lane, member in enumerate(segment.members):
                self.of_member[member].append((segment, lane))

    def rows(self, member: int, last: int | None) -> tuple[Integers, Array]:
        """Return a member's moments (T,) and values (columns, T), up to the moment `last` (None: all)."""
        parts = [_rows(segment, lane, last) for segment, lane in self.of_member[member]]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return np.zeros(0, dtype=np.int64), np.zeros((self.columns, 0))
        return np.concatenate([moments for moments, _ in parts]), np.concatenate([rows for _, rows in parts], axis=1)


def _rows(segment: Segment, lane: int, last: int | None) -> tuple[Integers, Array]:
    stop = len(segment.moments) if last is None else int(np.searchsorted(segment.moments, last, "right"))
    sound = segment.sound[lane, :stop]
    if sound.all():
        return segment.moments[:stop], segment.table[lane, :, :stop]
    return segment.moments[:stop][sound], segment.table[lane][:, :stop][:, sound]
