"""Checking, compacting, merging and exporting whole stores."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from chainrule.errors import ConfigError, StoreError
from chainrule.experiments.store import Store
from tests.store.conftest import Open, Pairs, assert_same


def keys(store: Store) -> set[str]:
    return {row["key"] for row in store.rows()}


def test_a_sound_store_is_found_sound(opened: Open, mixed: Pairs, plain: Pairs) -> None:
    with opened() as store:
        store.save(mixed)
    bare = opened(keep_weights=False, keep_histories=False)
    bare.save(plain)
    told: list[tuple[int, int]] = []
    report = bare.check(lambda done, total: told.append((done, total)))
    assert (report.problems, report.is_sound, report.runs) == ([], True, len(mixed) + len(plain))
    assert told[-1] == (report.runs, report.runs)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("UPDATE words SET text = text || ' ' WHERE text LIKE '%learning_rate%'", "texts: number"),
        ("UPDATE runs SET epochs = epochs + 1 WHERE seed = 4", "checksum of a run is wrong: series 1, seed 4"),
        ("UPDATE runs SET key = zeroblob(16) WHERE seed = 4 AND series_id = 1", "runs: series 1, seed 4"),
        ("UPDATE arrays SET weights = zeroblob(20) WHERE seed = 3", "runs: series 1, seed 3: the checksum of an array"),
        ("DELETE FROM arrays WHERE seed = 3", "the arrays of a run are missing: series 1, seed 3"),
        (
            "UPDATE arrays SET curves = (SELECT curves FROM arrays WHERE seed = 1 AND series_id = 1) WHERE seed = 3",
            "the arrays of a run are not its own",
        ),
        ("UPDATE series SET tag = tag + 1 WHERE id = 2", "settings: number 2: series 2 has changed"),
        ("UPDATE axis_values SET value_id = 1", "settings: the axes of text"),
        ("UPDATE columns SET data = zeroblob(length(data))", "columns: the checksum of a column is wrong"),
        ("DELETE FROM columns", "columns: 0 runs are listed, 12 were saved"),
        (
            "DELETE FROM columns WHERE name_id = (SELECT id FROM words WHERE text = 'accuracy')",
            "columns: values of accuracy are missing",
        ),
        ("DELETE FROM runs WHERE seed = 5", "columns: they list 12 runs, but there are 10"),
        ("DELETE FROM batches", "runs: 12 belong to no save"),
        ("INSERT INTO arrays VALUES (7, 7, NULL, NULL)", "arrays: 1 belong to no run"),
    ],
)
def test_damage_is_found_and_named(tmp_path: Path, plain: Pairs, damage: str, told: str) -> None:
    path = tmp_path / "runs.db"
    with Store.open(path) as store:
        store.save(plain)
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    connection.close()
    with Store.open(path, read_only=True) as store:
        report = store.check()
    assert not report.is_sound
    assert any(told in problem for problem in report.problems), report.problems


@pytest.mark.parametrize("name", ["accuracy", "converged", "series"])
@pytest.mark.parametrize("save", [1, 2, 3])
def test_a_value_of_one_save_cannot_be_lost_unseen(tmp_path: Path, plain: Pairs, name: str, save: int) -> None:
    path = tmp_path / "runs.db"
    for start in (0, 4, 8):
        with Store.open(path) as store:
            store.save(plain[start : start + 4])
    with sqlite3.connect(path) as connection:
        hidden = "DELETE FROM columns WHERE batch_id = ? AND name_id = (SELECT id FROM words WHERE text = ?)"
        assert connection.execute(hidden, (save, name)).rowcount == 1
    connection.close()
    asked: list[Callable[[Store], object]] = [
        lambda store: store.aggregate(metric="accuracy"),
        lambda store: store.rows(having=["accuracy>=0", "converged>=0"]),
    ]
    if name != "series":  # such a save is not joined, and stays what it is
        asked.append(Store.compact)
    for ask in asked:
        with Store.open(path) as store, pytest.raises(StoreError, match="is damaged"):
            ask(store)
    with Store.open(path) as store:
        assert not store.check().is_sound


def test_many_problems_are_counted(tmp_path: Path, plain: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.experiments.store.checking.MOST_PROBLEMS", 5)
    path = tmp_path / "runs.db"
    with Store.open(path) as store:
        store.save(plain)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE runs SET seconds = seconds + 1")
    connection.close()
    with Store.open(path, read_only=True) as store:
        report = store.check()
    assert (len(report.problems), report.more) == (5, 7)


def test_compacting_changes_nothing_but_the_size(opened: Open, plain: Pairs) -> None:
    store = opened()
    for task, run in plain:  # the smallest saves there can be; not all have the same final values
        few = run.seed % 2 == 0
        store.save([(task, replace(run, final={"loss": run.final["loss"]}) if few else run)])
    before = [store.aggregate("training.learning_rate", metric) for metric in ("loss", "accuracy", "seed")]
    listed = store.rows(having=["loss<=0.3"])
    report = store.compact()
    assert report.joined > 20
    assert [store.aggregate("training.learning_rate", metric) for metric in ("loss", "accuracy", "seed")] == before
    assert store.rows(having=["loss<=0.3"]) == listed
    assert store.check().problems == []
    assert store.compact().joined == 0
    assert store.size == report.after > 0
    for task, run in store.load([task for task, _ in plain]).items():
        assert run.theta.tobytes() == dict(plain)[task].theta.tobytes()


def test_compacting_frees_what_the_dead_reserved(opened: Open, plain: Pairs) -> None:
    from sqlalchemy import update

    from chainrule.experiments.store.tables import owners

    dead, store = opened(), opened()
    dead.claim([task for task, _ in plain])
    assert store.compact().freed == 0
    with dead.database.write() as connection:
        connection.execute(update(owners).values(started="long ago"))
    assert store.compact().freed == len(plain)


def test_merging_takes_over_what_is_missing(where: str, tmp_path: Path, mixed: Pairs, plain: Pairs) -> None:
    with Store.open(tmp_path / "other.db") as other, Store.open(where) as store:
        store.save(plain[:8])
        other.save([*plain[4:], *mixed])
        told: list[int] = []
        report = store.merge(other, told.append)
        assert (report.added, report.known, report.filled, report.conflicts) == (4 + len(mixed), 4, 0, [])
        assert told[-1] == 8 + len(mixed)
        again = store.merge(other)
        assert (again.added, again.known) == (0, 8 + len(mixed))
        found = store.load([task for task, _ in (*plain, *mixed)])
        for task, run in (*plain, *mixed):
            assert_same(found[task], run)
        assert store.check().problems == []
        back = other.merge(store)
        assert (back.added, back.known) == (4, 8 + len(mixed))
        assert keys(store) == keys(other)


def test_merging_fills_in_arrays(opened: Open, tmp_path: Path, plain: Pairs) -> None:
    for options in (
        {"keep_weights": False},
        {"keep_histories": False},
        {"keep_weights": False, "keep_histories": False},
    ):
        store = opened(**options)
    store.save(plain[:6])
    opened(keep_weights=False).save(plain[6:])
    with Store.open(tmp_path / "other.db") as other:
        other.save(plain)
        assert store.merge(other).filled == len(plain)
        assert store.merge(other).filled == 0
    for task, run in store.load([task for task, _ in plain]).items():
        assert_same(run, dict(plain)[task])
    assert store.check().problems == []


def test_conflicts_are_reported_and_nothing_is_overwritten(opened: Open, tmp_path: Path, plain: Pairs) -> None:
    store = opened()
    store.save(plain)
    with Store.open(tmp_path / "other.db", keep_weights=False) as other:
        task, run = plain[2]
        other.save([(task, replace(run, theta=np.nextafter(run.theta, 9))), plain[3]])
        report = store.merge(other)
    assert (report.added, report.known, len(report.conflicts)) == (0, 1, 1)
    assert task.key.hex() in report.conflicts[0]
    assert "seed 2 of setting" in report.conflicts[0]
    assert_same(store.load([task])[task], run)


def test_merging_keeps_when_and_where_runs_were_made(opened: Open, tmp_path: Path, plain: Pairs) -> None:
    from sqlalchemy import select

    from chainrule.experiments.store.tables import batches

    with Store.open(tmp_path / "other.db") as other:
        for start in (0, 4, 8):
            other._machine = json.dumps({"cpu": f"number {start}"})
            other.save(plain[start : start + 4])
        store = opened()
        store.merge(other)
        with store.database.read() as ours, other.database.read() as theirs:
            a, b = (
                {
                    known.get(c, [row.machine_id])[row.machine_id]: (row.saved, row.n)
                    for row in c.execute(select(batches))
                }
                for c, known in ((ours, store.known), (theirs, other.known))
            )
    assert a == b
    assert len(a) == 3


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_tables_hold_every_run(store: Store, mixed: Pairs, tmp_path: Path, ending: str) -> None:
    store.save(mixed)
    path = tmp_path / "out" / f"runs.{ending}"
    assert store.export(path) == len(mixed)
    rows: list[dict[str, Any]]
    if ending == "csv":
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    elif ending == "json":
        rows = json.loads(path.read_text())
    else:
        rows = pq.read_table(path).to_pylist()
    by_key = {row["key"]: row for row in rows}
    assert len(by_key) == len(mixed)
    for task, run in mixed:
        row = by_key[task.key.hex()]
        assert int(row["seed"]) == run.seed
        assert row["network"] == str(run.member.network)
        for name, value in run.final.items():
            stored = row[f"final_{name}"]
            if stored is None:  # JSON has no other numbers
                assert not np.isfinite(value)
            else:
                assert np.array_equal(float(stored), value, equal_nan=True)
    if ending == "parquet":
        types = {field.name: str(field.type) for field in pq.read_schema(path)}
        assert (types["learning_rate"], types["batch_size"], types["seed"]) == ("double", "string", "int64")


def test_a_part_of_the_table(store: Store, plain: Pairs, tmp_path: Path) -> None:
    store.save(plain)
    assert store.export(tmp_path / "a.json", {"training.learning_rate": 1.0}, ["seed>=3"]) == 3
    rows = json.loads((tmp_path / "a.json").read_text())
    assert [(row["learning_rate"], row["seed"]) for row in rows] == [(1.0, 3), (1.0, 4), (1.0, 5)]


def test_an_empty_store_is_an_empty_table(store: Store, tmp_path: Path) -> None:
    for ending in ("csv", "json", "parquet"):
        assert store.export(tmp_path / f"none.{ending}") == 0
    assert json.loads((tmp_path / "none.json").read_text()) == []
    assert pq.read_table(tmp_path / "none.parquet").num_rows == 0


def test_unknown_formats_are_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown format '\.csvv'; did you mean '\.csv'"):
        store.export(tmp_path / "a.csvv")
    with pytest.raises(ConfigError, match=r"has no ending: name a file \.csv, \.json or \.parquet"):
        store.export(tmp_path / "a")
