"""Old schemas, and how a store of one becomes a store of the next: in one transaction, or not at all.

Version 1 had one table of runs: the texts of its setting in every row, everything else as JSON, arrays in the format
of `numpy.save`, and neither checksums nor columns for queries. A file of it lies among the tests.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, text

from chainrule.experiments.store.packing import pack
from chainrule.experiments.store.reading import later
from chainrule.experiments.store.records import Record, digest_of, task_of
from chainrule.experiments.store.tables import metadata
from chainrule.experiments.store.words import Words
from chainrule.experiments.store.writing import Origin, put_records
from chainrule.nn import Array

PAGE = 500


def from_1_to_2(connection: Connection, known: Words) -> None:
    """Give every text, every value and every array the place that version 2 has for it."""
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


MIGRATIONS: Sequence[Callable[[Connection, Words], None]] = (from_1_to_2,)
"""In the order of the versions that they start from, the first from 1."""
