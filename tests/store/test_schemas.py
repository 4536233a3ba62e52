"""Stores of every schema that ever was open, whole or not at all; later ones and other files are refused."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from chainrule.errors import StoreError
from chainrule.experiments.recipes.grid import Setting
from chainrule.experiments.running.tasks import Task
from chainrule.experiments.store import Store
from chainrule.experiments.store.tables import SCHEMA
from tests.store.conftest import Pairs, assert_same
from tests.store.schema_1 import ASSETS, FIELDS, TABLES, rows_of_1, write_1


def rows_1(path: Path) -> list[dict[str, Any]]:
    """Read a file of version 1 with nothing but SQLite."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    rows = [dict(row) for row in connection.execute("SELECT * FROM runs")]
    connection.close()
    return rows


def test_there_is_a_file_of_every_schema() -> None:
    assert sorted(path.name for path in ASSETS.iterdir()) == [f"schema-{k + 1}.db" for k in range(SCHEMA)]


@pytest.mark.parametrize("version", range(1, SCHEMA + 1))
def test_an_old_store_opens_with_all_its_numbers(version: int, tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    shutil.copy(ASSETS / f"schema-{version}.db", path)
    rows = rows_1(ASSETS / "schema-1.db")
    with Store.open(path) as store:
        assert store.count() == len(rows) == 9
        assert store.check().problems == []
        for row in rows:
            setting = Setting(row["source"], row["network"], row["training"])
            task = Task(setting, row["seed"], row["data"], row["numerics"])
            run, body = store.load([task])[task], json.loads(row["body"])
            assert {name: np.float64(value).tobytes().hex() for name, value in run.final.items()} == body["final"]
            assert (run.stop_reason, run.epochs, run.converged) == (
                body["stop_reason"],
                body["epochs"],
                body["converged"],
            )
            assert run.fingerprint == body["fingerprint"]
            weights, curves = (np.load(io.BytesIO(row[name]), allow_pickle=False) for name in ("weights", "curves"))
            assert run.theta.tobytes() == weights["theta"].tobytes()
            for name in run.history:
                assert run.history[name].tobytes() == curves[f"history/{name}"].tobytes()
            assert len(run.history) + len(run.windows) == len(curves.files)
        (group,) = store.aggregate()
        assert group.n == 9


def test_runs_of_every_kind_are_migrated(where: str, mixed: Pairs) -> None:
    if where.startswith("postgresql"):
        write_1_to_server(where, mixed)
    else:
        write_1(Path(where), mixed)
    with Store.open(where) as store:
        found = store.load([task for task, _ in mixed])
        for task, run in mixed:
            assert_same(found[task], run)
        assert store.check().problems == []


def test_columns_of_version_2_are_given_their_lists(where: str, mixed: Pairs) -> None:
    with Store.open(where) as store:
        store.save(mixed[:2])
        store.save(mixed[2:])
        wanted = store.aggregate(metric="loss")
    back_to_2(where)
    with Store.open(where) as store:
        assert store.aggregate(metric="loss") == wanted
        for task, run in mixed:
            assert_same(store.load([task])[task], run)
        assert store.check().problems == []
        assert store.compact().joined > 0
        assert store.aggregate(metric="loss") == wanted


def test_a_damaged_column_of_version_2_leaves_the_old_store(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    shutil.copy(ASSETS / "schema-2.db", path)
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE columns SET data = zeroblob(length(data)) WHERE name_id = (SELECT max(name_id) FROM columns)"
        )
    connection.close()
    with pytest.raises(StoreError, match="the checksum of a column is wrong"):
        Store.open(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT value FROM meta").fetchall() == [("2",)]
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert "columns" in tables
    assert "columns_2" not in tables


def back_to_2(where: str) -> None:
    """Make a store what version 2 wrote: rows of columns without the list, and their checksums without it."""
    server = where.startswith("postgresql")
    url = make_url(where).set(drivername="postgresql+psycopg") if server else f"sqlite:///{where}"
    engine = create_engine(url)
    with engine.begin() as connection:
        if server:
            connection.execute(text("SET LOCAL search_path TO chainrule"))
        connection.execute(text("ALTER TABLE columns DROP COLUMN names_id"))
        for name, batch, data in connection.execute(text("SELECT name_id, batch_id, data FROM columns")).all():
            checksum = zlib.crc32(struct.pack("<qq", name, batch) + bytes(data))
            row = {"checksum": checksum, "name": name, "batch": batch}
            change = "UPDATE columns SET checksum = :checksum WHERE name_id = :name AND batch_id = :batch"
            connection.execute(text(change), row)
        connection.execute(text("UPDATE meta SET value = '2'"))
    engine.dispose()


def write_1_to_server(url: str, pairs: Pairs) -> None:
    """Write version 1 into a database."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA chainrule"))
        connection.execute(text("SET LOCAL search_path TO chainrule"))
        for statement in TABLES.format(blob="BYTEA").split(";\n"):
            if statement.strip():
                connection.execute(text(statement))
        names = FIELDS.split(", ")
        insert = text(f"INSERT INTO runs ({FIELDS}) VALUES ({', '.join(f':{name}' for name in names)})")
        connection.execute(insert, [dict(zip(names, row, strict=True)) for row in rows_of_1(pairs)])
    engine.dispose()


def test_a_migration_that_fails_leaves_the_old_store(tmp_path: Path, mixed: Pairs) -> None:
    path = tmp_path / "old.db"
    write_1(path, mixed)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE runs SET weights = x'00' WHERE seed = 2")
    before = rows_1(path)
    with pytest.raises(StoreError, match=r"is damaged \(arrays that are none\): .* go back to a copy"):
        Store.open(path)
    assert rows_1(path) == before
    with sqlite3.connect(path) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {"meta", "runs"}


def test_an_old_store_is_not_read_without_writing(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    shutil.copy(ASSETS / "schema-1.db", path)
    with pytest.raises(StoreError, match="is of schema 1, this chainrule reads 3: bring it up to date with"):
        Store.open(path, read_only=True)


def test_a_later_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "late.db"
    shutil.copy(ASSETS / f"schema-{SCHEMA}.db", path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '7'")
    connection.close()
    before = path.read_bytes()
    for options in ({}, {"read_only": True}):
        with pytest.raises(
            StoreError, match=r"written by a later chainrule \(schema 7, this one reads up to 3\): update"
        ):
            Store.open(path, **options)
    assert path.read_bytes() == before


@pytest.mark.parametrize("value", ["rubbish", "0", "-1", ""])
def test_a_schema_version_that_is_none_is_damage(value: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.db"
    shutil.copy(ASSETS / f"schema-{SCHEMA}.db", path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = ?", (value,))
    connection.close()
    with pytest.raises(StoreError, match="is damaged"):
        Store.open(path)


def test_other_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    words, other = tmp_path / "words.txt", tmp_path / "other.db"
    words.write_text("no store at all\n" * 20)
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    connection.close()
    for path, message in ((words, "is no SQLite file"), (other, "is an SQLite file, but no store")):
        before = path.read_bytes()
        for options in ({}, {"read_only": True}):
            with pytest.raises(StoreError, match=message):
                Store.open(path, **options)
        assert path.read_bytes() == before


def test_what_is_not_there_is_not_made_unless_asked(tmp_path: Path) -> None:
    for options in ({"create": False}, {"read_only": True}):
        with pytest.raises(StoreError, match="there is no store at"):
            Store.open(tmp_path / "none.db", **options)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty.db").touch()
    with Store.open(tmp_path / "empty.db") as store:
        assert store.count() == 0
    with Store.open(tmp_path / "deep" / "er" / "new.db") as store:
        assert store.count() == 0
