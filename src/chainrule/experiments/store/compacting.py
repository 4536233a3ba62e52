"""`chainrule store compact`: what many small saves and dead processes have left behind is put in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, delete, func, insert, select, text

from chainrule.experiments.store.database import SCHEMA_NAME, Database
from chainrule.experiments.store.owners import drop_dead
from chainrule.experiments.store.tables import columns
from chainrule.experiments.store.words import Words
from chainrule.experiments.store.writing import column_checksum, column_row, list_of

BLOCK = 8192
"""Runs whose values are put into one row."""

MOST_SAVES = 400
"""Saves that are put together at a time."""

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
    joined, known = 0, Words()
    with database.read() as connection:
        number = known.find(connection, ["series"]).get("series", -1)
        length = select(columns.c.batch_id, func.length(columns.c.data)).where(columns.c.name_id == number)
        sizes = [(row[0], row[1] // 8) for row in connection.execute(length.order_by(columns.c.batch_id))]
    for block in _blocks(sizes):
        with database.write() as connection:
            joined += _join(connection, known, block)
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


def _join(connection: Connection, known: Words, saves: Sequence[tuple[int, int]]) -> int:
    """Put the columns of some saves into one row each, under the first save; return how many rows fewer there are."""
    numbers = [save for save, _ in saves]
    found: dict[int, dict[int, bytes]] = {}
    lists: dict[int, int] = {}
    for row in connection.execute(select(columns).where(columns.c.batch_id.in_(numbers))):
        if column_checksum(row.name_id, row.batch_id, row.names_id, row.data) != row.checksum:
            raise ValueError(f"the checksum of a column is wrong: save {row.batch_id}")
        found.setdefault(row.name_id, {})[row.batch_id] = row.data
        lists[row.batch_id] = row.names_id
    names_id = _joined_list(connection, known, found, lists)
    rows = []
    for name, parts in sorted(found.items()):
        data = b"".join(parts.get(save, NAN * size) for save, size in saves)
        rows.append(column_row(name, numbers[0], names_id, data))
    connection.execute(delete(columns).where(columns.c.batch_id.in_(numbers)))
    connection.execute(insert(columns), rows)
    return sum(map(len, found.values())) - len(rows)


def _joined_list(
    connection: Connection, known: Words, found: Mapping[int, Mapping[int, bytes]], lists: Mapping[int, int]
) -> int:
    """Return the number of the list of all columns that some saves have; `ValueError` if one of them is missing."""
    texts = known.get(connection, [*found, *lists.values()])
    for save, number in lists.items():
        there = [texts[name] for name, parts in found.items() if save in parts]
        if list_of(there) != texts[number]:
            raise ValueError(f"a column is missing: save {save}")
    names = list_of(texts[name] for name in found)
    return known.put(connection, [names])[names]


def _blocks(sizes: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Put saves together to blocks of limited size; those that are large, or alone, are left as they are."""
    block: list[tuple[int, int]] = []
    for save, size in sizes:
        if block and (sum(n for _, n in block) + size > BLOCK or len(block) == MOST_SAVES):
            if len(block) > 1:
                yield block
            block = []
        block.append((save, size))
    if len(block) > 1:
        yield block
