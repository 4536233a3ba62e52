"""Columns of very many runs at once: a value of every run, and what lies on each axis, as arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, select

from chainrule.errors import ConfigError, unknown_name
from chainrule.experiments.store.axes import axes_of, unknown_axis
from chainrule.experiments.store.database import plain_rows
from chainrule.experiments.store.tables import axis_values, batches, columns, series
from chainrule.experiments.store.words import Words, tags_of
from chainrule.experiments.store.writing import FACTS, column_checksum

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

OTHERS = {"data.fingerprint": "data_id", "numerics": "numerics_id"}
"""Axes that no recipe names: the text itself is the value."""

ABSENT = -1


@dataclass(frozen=True)
class Axis:
    """What lies on an axis.

    Attributes
    ----------
    values : list
        The different values.
    codes : ndarray (n_series,)
        Which of them each series has, -1 for none.
    """

    values: list[Any]
    codes: Ints


class Column(NamedTuple):
    """A column as it is stored: in rows, one a save that has it.

    Attributes
    ----------
    saves, sizes, lists : ndarray (n_saves,)
        Number of each save, how many values it has, and the number of the text that names all columns of it.
    data : ndarray
        The values, end to end.
    """

    saves: Ints
    sizes: Ints
    lists: Ints
    data: Floats


class Frame:
    """All runs of a store as columns, within one transaction; nothing is read before it is asked for.

    Raises
    ------
    ValueError
        From any method, if what is read is not what was written.
    """

    def __init__(self, connection: Connection, known: Words) -> None:
        self.connection, self.known = connection, known

    # -- series and axes ---------------------------------------------------------------------------

    @cached_property
    def series(self) -> dict[str, Ints]:
        """The rows of `series` (n_series,) by column, in the order of their numbers."""
        names = ["id", "source_id", "network_id", "training_id", "data_id", "numerics_id"]
        chosen = [series.c[name] for name in [*names, "tag"]]
        table = self._whole(plain_rows(self.connection, select(*chosen).order_by(series.c.id)), len(chosen))
        if (tags_of(*table[:, 1:-1].T) != table[:, -1]).any():
            raise ValueError("a series has changed")
        return {name: table[:, k] for k, name in enumerate(names)}

    def axis(self, name: str) -> Axis:
        """Return the values on an axis; `ConfigError` lists the axes there are."""
        if name in OTHERS:
            numbers, codes = np.unique(self.series[OTHERS[name]], return_inverse=True)
            texts = self.known.get(self.connection, numbers.tolist())
            return Axis([texts[number] for number in numbers.tolist()], codes)
        number = self.known.find(self.connection, [name]).get(name, ABSENT)
        chosen = select(axis_values.c.word_id, axis_values.c.value_id, axis_values.c.tag)
        chosen = chosen.where(axis_values.c.axis_id == number).order_by(axis_values.c.word_id)
        word, value, tag = self._whole(plain_rows(self.connection, chosen), 3).T
        if (tags_of(np.full(len(word), number), word, value) != tag).any():
            raise ValueError(f"a value on the axis {name} has changed")
        numbers, codes = np.unique(value, return_inverse=True)
        texts = self.known.get(self.connection, numbers.tolist())
        own = self._codes(name, word, codes)
        if not len(word) and len(own):  # in a store without settings no axis is unknown
            raise ConfigError(unknown_axis(name, self.axis_names()))
        return Axis([json.loads(texts[number]) for number in numbers.tolist()], own)

    def _codes(self, name: str, word: Ints, codes: Ints) -> Ints:
        """Return the codes of all series (n_series,) from those of texts; texts that have the axis must have one."""
        kind = "source" if name == "data.source" else name.partition(".")[0]
        part = self.series.get(f"{kind}_id", np.full(len(self.series["id"]), ABSENT))
        place = np.minimum(np.searchsorted(word, part), len(word) - 1)
        has = word[place] == part if len(word) else np.zeros(len(part), dtype=bool)
        for number in part[~has][:1].tolist():
            if number != ABSENT and name in axes_of(kind, self.known.get(self.connection, [number])[number]):
                raise ValueError(f"a value on the axis {name} is missing")
        return np.where(has, codes[place], ABSENT) if len(word) else np.full(len(part), ABSENT)

    def axis_names(self) -> list[str]:
        """Return the names of all axes that settings have."""
        counts = self._axis_counts()
        return sorted([*counts, *OTHERS]) if counts else []

    def varying(self) -> dict[str, int]:
        """Return the axes on which settings differ, and how many values each has."""
        counts = self._axis_counts()
        for name, column in OTHERS.items():
            counts[name] = len(np.unique(self.series[column]))
        return {name: n for name, n in sorted(counts.items()) if n > 1}

    def _axis_counts(self) -> dict[str, int]:
        """Return how many values there are on each axis."""
        chosen = select(axis_values.c.axis_id, axis_values.c.word_id, axis_values.c.value_id, axis_values.c.tag)
        axis, word, value, tag = self._whole(plain_rows(self.connection, chosen), 4).T
        if (tags_of(axis, word, value) != tag).any():
            raise ValueError("a value on an axis has changed")
        numbers = np.unique(axis)
        names = self.known.get(self.connection, numbers.tolist())
        found = {names[number]: axis == number for number in numbers.tolist()}
        for name in self._first_axes() - {name for name, here in found.items() if self._is_full(name, word[here])}:
            self.axis(name)  # it says what is missing, unless an older chainrule did not have the axis
        return {name: len(np.unique(value[here])) for name, here in found.items()}

    def _is_full(self, name: str, word: Ints) -> bool:
        """Return whether every text of an axis' part is on the axis."""
        part = self.series["source_id" if name == "data.source" else f"{name.partition('.')[0]}_id"]
        return bool(np.isin(part, word).all())

    def _first_axes(self) -> set[str]:
        """Return the axes of the first setting."""
        kinds = ("source", "network", "training")
        first = {kind: self.series[f"{kind}_id"][:1].tolist() for kind in kinds}
        texts = self.known.get(self.connection, [number for numbers in first.values() for number in numbers])
        return {axis for kind, numbers in first.items() for number in numbers for axis in axes_of(kind, texts[number])}

    # -- runs --------------------------------------------------------------------------------------

    @cached_property
    def seeds(self) -> Ints:
        """The seed of every run (n_runs,), in the order of their saves."""
        return self._fit("seed").view(np.int64)

    @cached_property
    def where(self) -> Ints:
        """The place in `series` of every run's series (n_runs,)."""
        numbers, wanted = self.series["id"], self._blocks.data.view(np.int64)
        place = wanted - numbers[0] if len(numbers) else wanted
        if not len(numbers) or numbers[-1] - numbers[0] != len(numbers) - 1:  # some number was never given
            place = np.searchsorted(numbers, wanted)
        if len(wanted) and (place.max(initial=0) >= len(numbers) or (numbers[place] != wanted).any()):
            raise ValueError("a series is missing")
        return place

    @property
    def total(self) -> int:
        """How many runs there are."""
        return int(self._blocks.data.size)

    @cached_property
    def _blocks(self) -> Column:
        """The series of all runs: a column that every save has."""
        found = self._column("series")
        chosen = select(batches.c.saved, batches.c.machine_id, batches.c.n, batches.c.tag)
        table = self._whole(plain_rows(self.connection, chosen), 4)
        if (tags_of(*table[:, :-1].T) != table[:, -1]).any():
            raise ValueError("what is known of a save has changed")
        total = int(table[:, 2].sum())
        if found.data.size != total:
            raise ValueError(f"{found.data.size} runs are listed, {total} were saved")
        return found

    @cached_property
    def _lists(self) -> dict[int, frozenset[str]]:
        """The names of all columns of a save, by the number of the text that tells them."""
        texts = self.known.get(self.connection, np.unique(self._blocks.lists).tolist())
        return {number: frozenset(json.loads(text)) for number, text in texts.items()}

    def values(self, name: str) -> Floats:
        """Return a value of every run (n_runs,), NaN where a run has none; `ConfigError` lists what there is."""
        return self.seeds.astype(np.float64) if name == "seed" else self._fit(name)

    def _fit(self, name: str) -> Floats:
        """Return a column, filled up with NaN where a save lacks it."""
        blocks = self._blocks
        having = [number for number, names in self._lists.items() if name in names]
        has = np.isin(blocks.lists, having)
        if len(has) and not has.any():
            raise ConfigError(unknown_name("final value", name, self.value_names()))
        saves, sizes, lists, data = self._column(name)
        wanted = (blocks.saves[has], blocks.sizes[has], blocks.lists[has])
        if not all(map(np.array_equal, (saves, sizes, lists), wanted)):
            raise ValueError(f"values of {name} are missing")
        if has.all():
            return data
        values = np.full(self.total, np.nan)
        values[np.repeat(has, blocks.sizes)] = data
        return values

    def value_names(self) -> list[str]:
        """Return what `values` knows: facts of every run, and final values."""
        return [*FACTS, *sorted(frozenset().union(*self._lists.values()) - {*FACTS, "series"})]

    def _column(self, name: str) -> Column:
        """Read a column, save by save."""
        number = self.known.find(self.connection, [name]).get(name, ABSENT)
        chosen = select(columns.c.batch_id, columns.c.names_id, columns.c.checksum, columns.c.data)
        rows = plain_rows(self.connection, chosen.where(columns.c.name_id == number).order_by(columns.c.batch_id))
        for save, names, checksum, data in rows:
            if column_checksum(number, save, names, data) != checksum:
                raise ValueError(f"the checksum of a column is wrong: {name}, save {save}")
        saves, lists = (np.array([row[k] for row in rows], dtype=np.int64) for k in (0, 1))
        sizes = np.array([len(row[3]) // 8 for row in rows], dtype=np.int64)
        return Column(saves, sizes, lists, np.frombuffer(b"".join([row[3] for row in rows]), "<f8"))

    @staticmethod
    def _whole(rows: Sequence[tuple[Any, ...]], width: int) -> Ints:
        """Return rows of whole numbers as an array; anything else among them is damage."""
        table = np.array(rows) if rows else np.empty((0, width), dtype=np.int64)
        if table.dtype != np.int64:
            raise ValueError("a number of a row is none")
        return table


def chosen_series(frame: Frame, where: Mapping[str, Any]) -> Mask:
    """Return which series lie where `where` says: on each axis at a value, or at one of a list of values."""
    keep = np.ones(len(frame.series["id"]), dtype=bool)
    for name, wanted in where.items():
        axis = frame.axis(name)
        allowed = [plain(one) for one in (wanted if isinstance(wanted, set | frozenset) else [wanted])]
        right = np.array([value in allowed for value in axis.values] + [False], dtype=bool)
        keep &= right[axis.codes]
    return keep


def plain(value: Any) -> Any:
    """Return a value as JSON would give it back."""
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value
