"""`chainrule store export`: the table of runs as CSV, Parquet or JSON, a part of it in memory at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from chainrule.errors import ConfigError, one_line, unknown_name
from chainrule.experiments.store.reading import Reader
from chainrule.experiments.store.records import row_of
from chainrule.experiments.store.tables import runs
from chainrule.experiments.store.words import Words
from chainrule.files import write_whole
from chainrule.run_tables import finite_or_none

BATCH = 1000
INTS = ("seed", "epochs", "epochs_run", "log_every", "window", "diverged_epoch")
FLOATS = ("learning_rate", "clip_norm", "clip_value", "validation", "test", "seconds")
TRUTHS = ("converged", "stratify", "shuffle")

Rows = Iterator[list[dict[str, Any]]]
Writer = Callable[[Path, Sequence[str], Rows], int]


def export(
    reading: Callable[[], AbstractContextManager[Connection]],
    known: Words,
    path: Path,
    choose: Callable[[Connection], Sequence[tuple[int, int]]] | None = None,
) -> int:
    """Write runs as a table, whole or not at all; return how many.

    Parameters
    ----------
    reading : callable
        Opens a transaction.
    path : Path
        Ends with ``.csv``, ``.parquet`` or ``.json``.
    choose : callable, optional
        Returns which runs, by series and seed; all by default.
    """
    write = _writer_for(path)
    count = 0
    with reading() as connection:
        places = None if choose is None else choose(connection)
        columns = _columns(connection, known)

        def fill(temporary: Path) -> None:
            nonlocal count
            count = write(temporary, columns, _rows(connection, known, places))

        write_whole(path, fill)
    return count


def _writer_for(path: Path) -> Writer:
    writers: dict[str, Writer] = {".csv": _write_csv, ".json": _write_json, ".parquet": _write_parquet}
    ending = path.suffix.lower()
    if ending not in writers:
        if not ending:
            raise ConfigError(f"'{one_line(path)}' has no ending: name a file .csv, .json or .parquet")
        raise ConfigError(unknown_name("format", ending, writers))
    return writers[ending]


def _rows(connection: Connection, known: Words, places: Sequence[tuple[int, int]] | None) -> Rows:
    reader = Reader(connection, known)
    if places is None:
        for records in reader.everything(with_arrays=False):
            yield [row_of(record) for record in records]
        return
    for start in range(0, len(places), BATCH):
        yield [row_of(record) for record in reader.by_places(places[start : start + BATCH], with_arrays=False)]


def _columns(connection: Connection, known: Words) -> list[str]:
    """Return the columns of the whole table: final values of all runs, where the first run has its own."""
    numbers = connection.scalars(select(runs.c.names_id).distinct()).all()
    lists = known.get(connection, numbers)
    finals = [f"final_{name}" for number in sorted(lists) for name in json.loads(lists[number])]
    first = next(Reader(connection, known).everything(with_arrays=False), [])
    if not first:
        return ["key", "source", "data", "numerics", "seed"]
    own = list(row_of(first[0]))
    after = own.index("epochs_run") + 1
    named = [name for name in own if not name.startswith("final_")]
    return [*named[:after], *dict.fromkeys(finals), *named[after:]]


def _write_csv(path: Path, columns: Sequence[str], rows: Rows) -> int:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns, restval="")
        table.writeheader()
        for some in rows:
            table.writerows(some)
            count += len(some)
    return count


def _write_json(path: Path, columns: Sequence[str], rows: Rows) -> int:
    """Write a list of objects, a line each; non-finite numbers become null."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        for some in rows:
            for row in some:
                plain = {key: finite_or_none(value) for key, value in row.items()}
                file.write(("," if count else "") + "\n" + json.dumps(plain, allow_nan=False))
                count += 1
        file.write("\n]\n")
    return count


def _write_parquet(path: Path, columns: Sequence[str], rows: Rows) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ConfigError("Parquet needs pyarrow: pip install 'chainrule[tables]'") from None
    kinds = {name: pa.int64() for name in INTS} | {name: pa.float64() for name in FLOATS}
    kinds |= {name: pa.bool_() for name in TRUTHS}
    kinds |= {name: pa.float64() for name in columns if name.startswith("final_")}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in columns])
    count = 0
    with pq.ParquetWriter(path, schema) as file:
        for some in rows:
            table = {name: [_cell(row.get(name), kinds.get(name)) for row in some] for name in columns}
            file.write_table(pa.table(table, schema=schema))
            count += len(some)
    return count


def _cell(value: Any, kind: Any) -> Any:
    """Return a value of the column's one type: a batch size is a number or "full", and is written as text."""
    return value if value is None or kind is not None else str(value)
