"""Tables into records: every row is checked before it is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, func, select, tuple_

from chainrule.experiments.store.database import plain_rows
from chainrule.experiments.store.owners import parts_of
from chainrule.experiments.store.records import Record, task_of
from chainrule.experiments.store.tables import arrays, batches, runs, series
from chainrule.experiments.store.words import Words
from chainrule.experiments.store.writing import KEPT_CURVES, KEPT_WEIGHTS, checksum_of, series_key

BATCH = 1000
"""Runs read at a time."""

T = TypeVar("T")
Texts = tuple[str, str, str, str, str]
WORD_FIELDS = ("stop_id", "engine_id", "reason_id", "fingerprint_id", "network_id", "training_id", "names_id")
MAYBE_FIELDS = ("divergence_id", "preprocessing_id")


class Reader:
    """Reads runs of one store within one transaction."""

    def __init__(self, connection: Connection, known: Words) -> None:
        self.connection, self.known = connection, known
        self._series: dict[int, tuple[Texts, bytes]] = {}

    def by_keys(self, keys: Sequence[bytes], with_arrays: bool = True) -> Iterator[Record]:
        """Read the runs of those keys that are stored."""
        for part in parts_of(keys):
            yield from self._records(select(runs).where(runs.c.key.in_(part)), with_arrays)

    def by_places(self, places: Sequence[tuple[int, int]], with_arrays: bool = True) -> Iterator[Record]:
        """Read runs by number of series and seed."""
        for part in parts_of(places):
            where = tuple_(runs.c.series_id, runs.c.seed).in_(part)
            statement = select(runs).where(where).order_by(runs.c.series_id, runs.c.seed)
            found = list(self._records(statement, with_arrays))
            if len(found) != len(part):
                raise ValueError(f"{len(part) - len(found)} runs are missing")
            yield from found

    def everything(self, with_arrays: bool = True) -> Iterator[list[Record]]:
        """Read all runs, some at a time, in the order of series and seed; `ValueError` if some are missing."""
        last: tuple[int, int] | None = None
        left = int(self.connection.scalar(select(func.coalesce(func.sum(batches.c.n), 0))) or 0)
        while found := self.rows_after(last, BATCH):
            yield list(self.understand(found, with_arrays))
            last = (found[-1]["series_id"], found[-1]["seed"])
            left -= len(found)
        if left:
            raise ValueError(f"{left} runs are missing")

    def rows_after(self, last: tuple[int, int] | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """Return bare rows of `runs` that follow a series and seed."""
        statement = select(runs).order_by(runs.c.series_id, runs.c.seed).limit(limit)
        if last is not None:
            statement = statement.where(tuple_(runs.c.series_id, runs.c.seed) > tuple_(*last))
        rows = [dict(row) for row in self.connection.execute(statement).mappings()]
        for row in rows[-1:]:
            later((row["series_id"], row["seed"]), last)
        return rows

    def _records(self, statement: Select[Any], with_arrays: bool) -> Iterator[Record]:
        rows = [dict(row) for row in self.connection.execute(statement).mappings()]
        yield from self.understand(rows, with_arrays)

    def understand(self, rows: Sequence[Mapping[str, Any]], with_arrays: bool = True) -> Iterator[Record]:
        """Turn rows into records.

        Raises
        ------
        ValueError
            If a row is not what was written.
        """
        told = self.series_of({row["series_id"] for row in rows})
        wanted = {row[name] for row in rows for name in WORD_FIELDS}
        wanted |= {row[name] for row in rows for name in MAYBE_FIELDS if row[name] is not None}
        texts = self.known.get(self.connection, wanted)
        places = [(row["series_id"], row["seed"]) for row in rows if row["kept"]]
        blobs = self._arrays(places) if with_arrays else {}
        for row in rows:
            of_series, key = told[row["series_id"]]
            if checksum_of(row, key) != row["checksum"]:
                raise ValueError(f"the checksum of a run is wrong: series {row['series_id']}, seed {row['seed']}")
            yield self._record(row, of_series, texts, blobs if with_arrays else None)

    def _record(
        self,
        row: Mapping[str, Any],
        of_series: Texts,
        texts: Mapping[int, str],
        blobs: Mapping[tuple[int, int], tuple[bytes | None, bytes | None]] | None,
    ) -> Record:
        task = task_of(of_series, row["seed"])
        if task.key != row["key"]:
            raise ValueError(f"the key of a run is wrong: series {row['series_id']}, seed {row['seed']}")
        weights = curves = None
        if blobs is not None and row["kept"]:
            weights, curves = blobs.get((row["series_id"], row["seed"]), (None, None))
            has = KEPT_WEIGHTS * (weights is not None) + KEPT_CURVES * (curves is not None)
            if has != row["kept"]:
                raise ValueError(f"the arrays of a run are missing: series {row['series_id']}, seed {row['seed']}")
        optional = {name: None if row[name] is None else texts[row[name]] for name in MAYBE_FIELDS}
        return Record(
            task=task,
            network=texts[row["network_id"]],
            training=texts[row["training_id"]],
            stop_reason=texts[row["stop_id"]],
            converged=bool(row["converged"]),
            epochs=row["epochs"],
            seconds=row["seconds"],
            engine=texts[row["engine_id"]],
            engine_reason=texts[row["reason_id"]],
            fingerprint=texts[row["fingerprint_id"]],
            names=texts[row["names_id"]],
            final=row["final"],
            divergence=optional["divergence_id"],
            preprocessing=optional["preprocessing_id"],
            weights=weights,
            curves=curves,
            digest=row["digest"],
        )

    def _arrays(self, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[bytes | None, bytes | None]]:
        """Read the arrays of some runs."""
        found = {}
        for part in parts_of(places):
            where = tuple_(arrays.c.series_id, arrays.c.seed).in_(part)
            for row in self.connection.execute(select(arrays).where(where)):
                found[row.series_id, row.seed] = (row.weights, row.curves)
        return found

    def series_of(self, numbers: Iterable[int]) -> dict[int, tuple[Texts, bytes]]:
        """Return texts and key of each series."""
        wanted = set(numbers)
        for part in parts_of([number for number in wanted if number not in self._series]):
            self._series |= read_series(self.connection, self.known, _only(part))
        for number in wanted:
            if number not in self._series:
                raise ValueError(f"series {number} is missing")
        return {number: self._series[number] for number in wanted}


def later(place: T, last: T | None) -> T:
    """Return a place in a table that comes after another; in a damaged one the next page may lead back for ever.

    Raises
    ------
    ValueError
        If it does not.
    """
    if last is not None and not place > last:  # type: ignore[operator]
        raise ValueError("rows are out of order")
    return place


def _only(numbers: Sequence[int]) -> Callable[[Select[Any]], Select[Any]]:
    return lambda statement: statement.where(series.c.id.in_(numbers))


def read_series(
    connection: Connection, known: Words, chosen: Callable[[Select[Any]], Select[Any]]
) -> dict[int, tuple[Texts, bytes]]:
    """Return texts and key of some series by number, in their order.

    Raises
    ------
    ValueError
        If a row is not what was written: the key is a hash of all its texts.
    """
    fields = (series.c.source_id, series.c.network_id, series.c.training_id, series.c.data_id, series.c.numerics_id)
    rows = plain_rows(connection, chosen(select(series.c.id, series.c.key, *fields).order_by(series.c.id)))
    texts = known.get(connection, {number for row in rows for number in row[2:]})
    found: dict[int, tuple[Texts, bytes]] = {}
    for number, key, *parts in rows:
        of_series = tuple(map(texts.__getitem__, parts))
        if series_key(of_series) != key:
            raise ValueError(f"series {number} has changed")
        found[number] = (of_series, bytes(key))  # type: ignore[assignment]
    return found
