"""`chainrule store compact`: what many small saves and dead processes have left behind is put in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, func, insert, select, text

from chainrule.experiments.store.database import SCHEMA_NAME, Database
from chainrule.experiments.store.owners import drop_dead, parts_of
from chainrule.experiments.store.tables import columns
from chainrule.experiments.store.words import Words
from chainrule.experiments.store.writing import column_checksum

BLOCK = 8192
"""Runs of one series whose values are put into one row."""

GROUP = 200
"""Series in one transaction."""

NAN = np.array([np.nan], dtype="<f8").tobytes()


@dataclass(frozen=True)
class CompactReport:
    """What was done: reservations of dead processes freed, rows put together, bytes before and after."""

    freed: int
    joined: int
    before: int
    after: int


def compact(database: Database) -> CompactReport:
    """Put a store in order; other processes may go on using it."""
    before = size_of(database)
    with database.write() as connection:
        freed = drop_dead(connection, database.now(connection))
    with database.read() as connection:
        numbers = list(connection.scalars(_split_series()))
    joined = 0
    known = Words()
    for part in parts_of(numbers, GROUP):
        with database.write() as connection:
            joined += sum(_join(connection, known, number) for number in part)
    database.vacuum()
    return CompactReport(freed, joined, before, size_of(database))


def size_of(database: Database) -> int:
    """Return the bytes that a store takes."""
    path = database.place.path
    if path is not None:
        files = [path, path.with_name(f"{path.name}-wal")]
        return sum(file.stat().st_size for file in files if file.exists())
    relations = (
        f"SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c JOIN pg_namespace n ON n.oid = \
c.relnamespace WHERE n.nspname = '{SCHEMA_NAME}' AND c.relkind = 'r'"
    )
    with database.read() as connection:
        return int(connection.scalar(text(relations)) or 0)


def _split_series() -> Any:
    """Select the series whose seeds lie in several rows that could be fewer."""
    rows = func.count()
    bytes_ = func.sum(func.length(columns.c.data))
    return (
        select(columns.c.series_id)
        .group_by(columns.c.name_id, columns.c.series_id)
        .having((rows > 1) & (rows * BLOCK * 8 > 2 * bytes_))
        .distinct()
    )


def _join(connection: Connection, known: Words, number: int) -> int:
    """Put the columns of one series into as few rows as blocks allow; return how many rows fewer there are."""
    chosen = select(columns).where(columns.c.series_id == number).order_by(columns.c.batch_id)
    found: dict[int, dict[int, bytes]] = {}
    n_before = 0
    for row in connection.execute(chosen):
        if column_checksum(row.name_id, number, row.batch_id, row.data) != row.checksum:
            raise ValueError(f"the checksum of a column is wrong: series {number}")
        found.setdefault(row.name_id, {})[row.batch_id] = row.data
        n_before += 1
    seeds = found[known.find(connection, ["seed"])["seed"]]
    rows = [
        _row(name, number, block, by_batch, seeds)
        for block in _blocks(seeds)
        for name, by_batch in found.items()
        if any(batch in by_batch for batch in block)
    ]
    connection.execute(delete(columns).where(columns.c.series_id == number))
    connection.execute(insert(columns), rows)
    return n_before - len(rows)


def _blocks(seeds: Mapping[int, bytes]) -> Iterator[list[int]]:
    """Put saves together to blocks of limited size."""
    block: list[int] = []
    size = 0
    for batch, data in sorted(seeds.items()):
        if block and size + len(data) > 8 * BLOCK:
            yield block
            block, size = [], 0
        block.append(batch)
        size += len(data)
    yield block


def _row(
    name: int, number: int, block: Sequence[int], by_batch: Mapping[int, bytes], seeds: Mapping[int, bytes]
) -> dict[str, Any]:
    """Return the row of one block; runs without the value have NaN."""
    data = b"".join(by_batch.get(batch, NAN * (len(seeds[batch]) // 8)) for batch in block)
    checksum = column_checksum(name, number, block[0], data)
    return {"name_id": name, "series_id": number, "batch_id": block[0], "checksum": checksum, "data": data}
