"""History rows and windows as kernels keep them, block by block, put together member by member at the end."""

from __future__ import annotations

from dataclasses import dataclass
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


class Sheet:
    """The rows of a block so far, member by member.

    Parameters
    ----------
    members, columns, most : int
        How many members and columns there are, and how many rows there can be at most: what is not needed of so large
        a table never takes memory.
    """

    def __init__(self, members: int, columns: int, most: int) -> None:
        self.moments = np.empty(most, dtype=np.int64)
        self.table = np.empty((members, columns, most))
        self.start = self.stop = 0

    def add(self, moments: Integers, table: Array) -> None:
        """Keep rows (T, columns, V), the latest ones from now on."""
        self.start, self.stop = self.stop, self.stop + len(moments)
        self.moments[self.start : self.stop] = moments
        self.table[:, :, self.start : self.stop] = table.transpose(2, 1, 0)

    def latest(self) -> tuple[Integers, Array]:
        """Return moments (T,) and values (V, columns, T) of the latest rows; views."""
        return self.moments[self.start : self.stop], self.table[:, :, self.start : self.stop]

    def seal(self, members: list[int]) -> Segment | None:
        """Return the rows."""
        if not self.stop:
            return None
        moments, table = self.moments[: self.stop], self.table[:, :, : self.stop]
        if 2 * self.stop < len(self.moments):  # or runs would hold on to the rest of the table
            moments, table = moments.copy(), table.copy()
        moments.flags.writeable = False  # runs share it
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
    # One and the same array for all members where it can be: sent to another process, it is then sent once.
    moments = segment.moments if stop == len(segment.moments) else segment.moments[:stop]
    sound = segment.sound[lane, :stop]
    if sound.all():
        return moments, segment.table[lane, :, :stop]
    return moments[sound], segment.table[lane][:, :stop][:, sound]
