"""Old schemas, and how a store of one becomes a store of the next: in one transaction, or not at all.

Version 1 had one table of runs: the texts of its setting in every row, everything else as JSON, arrays in the format
of `numpy.save`, and neither checksums nor columns for queries. In version 2 the rows of `columns` did not name the
other columns of their save. A file of each lies among the tests.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, text

from chainrule.experiments.store.packing import pack
from chainrule.experiments.store.reading import later
from chainrule.experiments.store.records import Record, digest_of, task_of
from chainrule.experiments.store.tables import columns, metadata
from chainrule.experiments.store.words import Words
from chainrule.experiments.store.writing import Origin, column_row, list_of, put_records
from chainrule.nn import Array

PAGE = 500


def from_1_to_3(connection: Connection, known: Words) -> int:
    """Give every text, every value and every array the place that version 3 has for it."""
    connection.execute(text("ALTER TABLE runs RENAME TO runs_1"))
    if connection.dialect.name == "postgresql":  # the index keeps its name, which the new table needs
        connection.execute(text("ALTER INDEX runs_pkey RENAME TO runs_1_pkey"))
    metadata.create_all(connection)
    last = b""
    chosen = text("SELECT * FROM runs_1 WHERE key > :last ORDER BY key LIMIT :page")
    while rows := connection.execute(chosen, {"last": last, "page": PAGE}).mappings().all():
        groups: dict[Origin, list[Record]] = {}
        for row in rows:
            groups.setdefault(Origin(row["saved"], row["machine"]), []).append(_record_of_1(row))  # type: ignore[arg-type]
        for origin, records in groups.items():
            put_records(connection, known, records, origin)
        last = later(bytes(rows[-1]["key"]), last)
    connection.execute(text("DROP TABLE runs_1"))
    return 3


def from_2_to_3(connection: Connection, known: Words) -> int:
    """Write into every row of `columns` the list of all columns of its save."""
    connection.execute(text("ALTER TABLE columns RENAME TO columns_2"))
    if connection.dialect.name == "postgresql":
        connection.execute(text("ALTER INDEX columns_pkey RENAME TO columns_2_pkey"))
    columns.create(connection)
    places = connection.execute(text("SELECT name_id, batch_id FROM columns_2")).all()
    texts = known.get(connection, {name for name, _ in places})
    saves: dict[int, list[str]] = {}
    for name, batch in places:
        saves.setdefault(batch, []).append(texts[name])
    lists = {batch: list_of(names) for batch, names in saves.items()}
    ids = known.put(connection, lists.values())
    chosen = text("SELECT batch_id, checksum, data FROM columns_2 WHERE name_id = :name ORDER BY batch_id")
    for name in sorted(texts):
        rows = []
        for batch, checksum, data in connection.execute(chosen, {"name": name}):
            if _column_checksum_of_2(name, batch, bytes(data)) != checksum:
                raise ValueError(f"the checksum of a column is wrong: {texts[name]}, save {batch}")
            rows.append(column_row(name, batch, ids[lists[batch]], bytes(data)))
        connection.execute(insert(columns), rows)
    connection.execute(text("DROP TABLE columns_2"))
    return 3


def _column_checksum_of_2(name_id: int, batch_id: int, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(struct.pack("<qq", name_id, batch_id)))


def _record_of_1(row: Mapping[str, Any]) -> Record:
    """Read a run of version 1."""
    texts = [row[name] for name in ("source", "network", "training", "data", "numerics")]
    task = task_of(texts, row["seed"])
    if task.key != row["key"]:
        raise ValueError(f"the key of a run is wrong: seed {row['seed']}")
    body = json.loads(row["body"])
    names = json.dumps(list(body["final"]))
    final = b"".join(bytes.fromhex(value) for value in body["final"].values())
    plain = {
        "network": body["network"],
        "training": body["training"],
        "stop_reason": body["stop_reason"],
        "converged": body["converged"],
        "epochs": body["epochs"],
        "fingerprint": body["fingerprint"],
        "names": names,
        "divergence": _text(body["divergence"]),
        "preprocessing": _text(body["preprocessing"]),
    }
    weights, curves = _arrays_of_1(row["weights"]), _arrays_of_1(row["curves"])
    return Record(
        task=task,
        seconds=body["seconds"],
        engine=body["engine"],
        engine_reason=body["engine_reason"],
        final=final,
        weights=pack(weights),
        curves=pack(curves),
        digest=digest_of(plain, final, weights, curves),
        **plain,
    )


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, sort_keys=True)


def _arrays_of_1(blob: bytes) -> dict[str, Array]:
    """Read named arrays: an archive as `numpy.savez` writes it."""
    try:
        with np.load(io.BytesIO(blob), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile):  # NumPy's words are about pickles
        raise ValueError("arrays that are none") from None


MIGRATIONS: Mapping[int, Callable[[Connection, Words], int]] = {1: from_1_to_3, 2: from_2_to_3}
"""By the version that they start from; each returns the one that it leads to."""
