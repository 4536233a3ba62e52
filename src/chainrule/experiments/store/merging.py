"""`chainrule store merge`: the runs of one store into another, by key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from chainrule.errors import one_line
from chainrule.experiments.store.database import Database
from chainrule.experiments.store.owners import give_back
from chainrule.experiments.store.reading import Reader
from chainrule.experiments.store.records import Record, verify
from chainrule.experiments.store.tables import arrays, batches, runs
from chainrule.experiments.store.trouble import DAMAGE
from chainrule.experiments.store.words import Words
from chainrule.experiments.store.writing import (
    KEPT_CURVES,
    KEPT_WEIGHTS,
    Origin,
    checksum_of,
    put_records,
    series_key,
    series_texts,
    stored_digests,
)

BATCH = 500


@dataclass
class MergeReport:
    """What a merge did.

    Attributes
    ----------
    added : int
        Runs that were not there.
    known : int
        Runs that were there with the same numbers.
    filled : int
        Of these, runs that got weights or histories which only the other store had.
    conflicts : list of str
        Runs that are there with other numbers, a line each; they stay as they are.
    damaged : list of str
        Runs of the other store that cannot be read, a line each; they are left out.
    """

    added: int = 0
    known: int = 0
    filled: int = 0
    conflicts: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def merge(
    database: Database, known: Words, other: Database, progress: Callable[[int], None] | None = None
) -> MergeReport:
    """Take over every run of another store; `progress` is told how many have been read.

    A merge that is interrupted has merged some of the runs; doing it again does the rest.
    """
    report, other_known = MergeReport(), Words()
    with other.read() as reading:
        reader, last = Reader(reading, other_known), None
        while rows := reader.rows_after(last, BATCH):
            pairs = _understand(reader, rows, report)
            try:
                with database.write() as connection:
                    _merge_some(connection, known, pairs, report)
            except BaseException:
                known.forget()
                raise
            last = (rows[-1]["series_id"], rows[-1]["seed"])
            if progress is not None:
                progress(report.added + report.known + len(report.conflicts) + len(report.damaged))
    return report


def _understand(reader: Reader, rows: Sequence[Mapping[str, Any]], report: MergeReport) -> list[tuple[Record, Origin]]:
    """Return records and where they come from; what is damaged is looked at run by run, and left out."""
    try:
        origins = _origins(reader.connection, reader.known, [row["batch_id"] for row in rows])
        records = list(reader.understand(rows))
        for record in records:
            verify(record)
        return [(record, origins[row["batch_id"]]) for record, row in zip(records, rows, strict=True)]
    except DAMAGE as error:
        if len(rows) > 1:
            return [pair for row in rows for pair in _understand(reader, [row], report)]
        report.damaged.append(one_line(error, 160))
        return []


def _origins(connection: Connection, known: Words, numbers: Sequence[int]) -> dict[int, Origin]:
    """Return when and by what some saves were made."""
    rows = connection.execute(select(batches).where(batches.c.id.in_(set(numbers)))).all()
    texts = known.get(connection, [row.machine_id for row in rows])
    return {row.id: Origin(row.saved, texts[row.machine_id]) for row in rows}


def _merge_some(
    connection: Connection, known: Words, pairs: Sequence[tuple[Record, Origin]], report: MergeReport
) -> None:
    keys = [record.task.key for record, _ in pairs]
    stored = stored_digests(connection, keys)
    new: dict[Origin, list[Record]] = {}
    for record, origin in pairs:
        digest = stored.get(record.task.key)
        if digest is None:
            new.setdefault(origin, []).append(record)
            report.added += 1
        elif digest == record.digest:
            report.known += 1
            report.filled += _fill(connection, record)
        else:
            setting = record.task.setting
            what = f"seed {record.task.seed} of setting {setting.key[:8]} on {setting.source}"
            report.conflicts.append(f"{what} (run {record.task.key.hex()})")
    for origin, records in new.items():
        put_records(connection, known, records, origin)
    give_back(connection, keys)


def _fill(connection: Connection, record: Record) -> bool:
    """Add arrays that the stored run lacks; return whether there were any."""
    theirs = KEPT_WEIGHTS * (record.weights is not None) + KEPT_CURVES * (record.curves is not None)
    row: dict[str, Any] = dict(connection.execute(select(runs).where(runs.c.key == record.task.key)).mappings().one())
    if theirs | row["kept"] == row["kept"]:
        return False
    place = (arrays.c.series_id == row["series_id"]) & (arrays.c.seed == row["seed"])
    ours = connection.execute(select(arrays.c.weights, arrays.c.curves).where(place)).one_or_none()
    blobs = {"weights": record.weights, "curves": record.curves}
    if ours is not None:
        blobs = {name: getattr(ours, name) or blob for name, blob in blobs.items()}
    connection.execute(delete(arrays).where(place))
    connection.execute(insert(arrays).values(series_id=row["series_id"], seed=row["seed"], **blobs))
    row["kept"] |= theirs
    checksum = checksum_of(row, series_key(series_texts(record.task)))
    connection.execute(update(runs).where(runs.c.key == record.task.key).values(kept=row["kept"], checksum=checksum))
    return True
