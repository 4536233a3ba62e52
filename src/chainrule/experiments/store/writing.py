"""Records into tables: one transaction a save, with everything that queries need."""

from __future__ import annotations

import hashlib
import json
import operator
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select

from chainrule.experiments.running.tasks import Task
from chainrule.experiments.store.axes import axes_of
from chainrule.experiments.store.owners import parts_of
from chainrule.experiments.store.records import Record
from chainrule.experiments.store.tables import arrays, axis_values, batches, columns, runs, series
from chainrule.experiments.store.words import Words, tag_of

FACTS = ("seed", "converged", "diverged", "epochs", "seconds")
"""Columns that every run has, before its final values; and the number of its series."""

KEPT_WEIGHTS, KEPT_CURVES = 1, 2

RUN_FIELDS = tuple(column.name for column in runs.columns if column.name != "checksum")
"""What the checksum of a run is over."""


@dataclass(frozen=True)
class Origin:
    """When and by what runs were made: the time (seconds since 1970) and the machine's facts as JSON."""

    saved: int
    machine: str


def checksum_of(row: Mapping[str, Any], series_key: bytes) -> int:
    """Return the checksum of a run's row, and of the series that it belongs to."""
    values = (series_key, *(row[name] for name in RUN_FIELDS))
    return zlib.crc32(repr(values).encode())


def column_checksum(name_id: int, batch_id: int, names_id: int, data: bytes) -> int:
    """Return the checksum of a row of `columns`."""
    return zlib.crc32(data, zlib.crc32(struct.pack("<qqq", name_id, batch_id, names_id)))


def list_of(names: Iterable[str]) -> str:
    """Return the text that names all columns of a save."""
    return json.dumps(sorted(names))


def column_row(name_id: int, batch_id: int, names_id: int, data: bytes) -> dict[str, Any]:
    """Return a row of `columns`."""
    row = {"name_id": name_id, "batch_id": batch_id, "names_id": names_id, "data": data}
    return row | {"checksum": column_checksum(name_id, batch_id, names_id, data)}


def series_texts(task: Task) -> tuple[str, str, str, str, str]:
    """Return what tells a series from others."""
    setting = task.setting
    return setting.source, setting.network, setting.training, task.data, task.numerics


def series_key(texts: Iterable[str]) -> bytes:
    """Return the hash (16 bytes) of a series' texts."""
    return hashlib.blake2b("\0".join(texts).encode(), digest_size=16).digest()


def put_records(connection: Connection, known: Words, records: Sequence[Record], origin: Origin) -> None:
    """Write runs whose keys are not in the store yet."""
    if not records:
        return
    numbers = put_series(connection, known, records)
    texts = {text for record in records for text in _texts_of(record)} | {origin.machine}
    ids = known.put(connection, texts)
    facts = (origin.saved, ids[origin.machine], len(records))
    batch_row = dict(zip(("saved", "machine_id", "n"), facts, strict=True)) | {"tag": tag_of(*facts)}
    made = connection.execute(insert(batches).values(batch_row)).inserted_primary_key
    assert made is not None, "a single row was inserted"
    batch = int(made[0])
    rows = [_run_row(record, ids, batch, *numbers[series_texts(record.task)]) for record in records]
    connection.execute(insert(runs), rows)
    kept = [
        {"series_id": row["series_id"], "seed": row["seed"], "weights": record.weights, "curves": record.curves}
        for row, record in zip(rows, records, strict=True)
        if row["kept"]
    ]
    if kept:
        connection.execute(insert(arrays), kept)
    put_columns(connection, known, records, rows, batch)


Numbers = dict[tuple[str, str, str, str, str], tuple[int, bytes]]


def put_series(connection: Connection, known: Words, records: Iterable[Record]) -> Numbers:
    """Return number and key of each record's series; those that the store lacks are written, with their axes."""
    wanted = {texts: series_key(texts) for texts in dict.fromkeys(series_texts(record.task) for record in records)}
    found: dict[bytes, int] = {}
    for part in parts_of(list(wanted.values())):
        rows = connection.execute(select(series.c.key, series.c.id).where(series.c.key.in_(part)))
        found |= {bytes(key): number for key, number in rows}
    new = [texts for texts, key in wanted.items() if key not in found]
    if new:
        ids = known.put(connection, {text for texts in new for text in texts})
        rows_new = [_series_row(texts, wanted[texts], ids) for texts in new]
        connection.execute(insert(series), rows_new)
        put_axes(connection, known, new)
        for part in parts_of([wanted[texts] for texts in new]):
            rows = connection.execute(select(series.c.key, series.c.id).where(series.c.key.in_(part)))
            found |= {bytes(key): number for key, number in rows}
    return {texts: (found[key], key) for texts, key in wanted.items()}


def _series_row(texts: Sequence[str], key: bytes, ids: Mapping[str, int]) -> dict[str, Any]:
    names = ("source_id", "network_id", "training_id", "data_id", "numerics_id")
    row: dict[str, Any] = {name: ids[text] for name, text in zip(names, texts, strict=True)}
    return row | {"key": key, "tag": series_tag(row)}


def series_tag(row: Mapping[str, int]) -> int:
    """Return the check on a row of `series`."""
    return tag_of(row["source_id"], row["network_id"], row["training_id"], row["data_id"], row["numerics_id"])


def put_axes(connection: Connection, known: Words, new: Sequence[Sequence[str]]) -> None:
    """Write the values that settings have on each axis, so that no query needs to read their texts."""
    parts = {
        (kind, text) for texts in new for kind, text in zip(("source", "network", "training"), texts, strict=False)
    }
    values = {text: axes_of(kind, text) for kind, text in parts}
    ids = known.put(connection, values)
    there: set[int] = set()
    for some in parts_of(list(ids.values())):
        there.update(
            connection.scalars(select(axis_values.c.word_id).where(axis_values.c.word_id.in_(some)).distinct())
        )
    fresh = {text: found for text, found in values.items() if ids[text] not in there}
    named = known.put(connection, {word for found in fresh.values() for pair in found.items() for word in pair})
    rows = [
        {"axis_id": named[axis], "word_id": ids[text], "value_id": named[value]}
        for text, found in fresh.items()
        for axis, value in found.items()
    ]
    for row in rows:
        row["tag"] = tag_of(row["axis_id"], row["word_id"], row["value_id"])
    if rows:
        connection.execute(insert(axis_values), rows)


def _texts_of(record: Record) -> list[str]:
    texts = [record.network, record.training, record.stop_reason, record.engine, record.engine_reason]
    texts += [record.fingerprint, record.names]
    return texts + [text for text in (record.divergence, record.preprocessing) if text is not None]


def _run_row(record: Record, ids: Mapping[str, int], batch: int, number: int, key: bytes) -> dict[str, Any]:
    """Return a run's row."""
    kept = KEPT_WEIGHTS * (record.weights is not None) + KEPT_CURVES * (record.curves is not None)
    row = {
        "series_id": number,
        "seed": record.task.seed,
        "key": record.task.key,
        "batch_id": batch,
        "stop_id": ids[record.stop_reason],
        "converged": int(record.converged),
        "epochs": record.epochs,
        "seconds": record.seconds,
        "engine_id": ids[record.engine],
        "reason_id": ids[record.engine_reason],
        "fingerprint_id": ids[record.fingerprint],
        "network_id": ids[record.network],
        "training_id": ids[record.training],
        "names_id": ids[record.names],
        "divergence_id": None if record.divergence is None else ids[record.divergence],
        "preprocessing_id": None if record.preprocessing is None else ids[record.preprocessing],
        "kept": kept,
        "final": record.final,
        "digest": record.digest,
    }
    return row | {"checksum": checksum_of(row, key)}


def put_columns(
    connection: Connection, known: Words, records: Sequence[Record], rows: Sequence[Mapping[str, Any]], batch: int
) -> None:
    """Write the columns of one save."""
    found = columns_of(records, [row["series_id"] for row in rows])
    names = list_of(found)
    ids = known.put(connection, [*found, names])
    made = [column_row(ids[name], batch, ids[names], data) for name, data in found.items()]
    connection.execute(insert(columns), sorted(made, key=operator.itemgetter("name_id")))


def columns_of(records: Sequence[Record], numbers: Sequence[int]) -> dict[str, bytes]:
    """Return the columns of some runs: eight bytes a run, NaN where a run lacks a value."""
    facts = {
        "series": np.array(numbers, dtype="<i8"),
        "seed": np.array([record.task.seed for record in records], dtype="<i8"),
        "converged": np.array([record.converged for record in records], dtype="<f8"),
        "diverged": np.array([record.stop_reason == "diverged" for record in records], dtype="<f8"),
        "epochs": np.array([record.epochs for record in records], dtype="<f8"),
        "seconds": np.array([record.seconds for record in records], dtype="<f8"),
    }
    finals = [record.values for record in records]
    names = [name for name in dict.fromkeys(name for values in finals for name in values) if name not in facts]
    values = {name: np.array([found.get(name, np.nan) for found in finals], dtype="<f8") for name in names}
    return {name: array.tobytes() for name, array in (facts | values).items()}


def stored_digests(connection: Connection, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the digests of those runs that are in the store."""
    found: dict[bytes, bytes] = {}
    for part in parts_of(keys):
        rows = connection.execute(select(runs.c.key, runs.c.digest).where(runs.c.key.in_(part)))
        found |= {bytes(key): bytes(digest) for key, digest in rows}
    return found
