"""The exported table: what other programs read back is what the runs hold."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from chainrule.errors import ConfigError, RunError
from chainrule.experiments.running.tasks import make_tasks
from chainrule.experiments.sweeps.export import export, export_rows
from chainrule.runs import Runs
from tests.sweep_report.made_up import Axes, Outcome, make_run, make_sweep, recipe_text

AXES: Axes = {"network.hidden": [[2], [4, 4]], "training.learning_rate": [0.1, 1.0]}


def outcome(place: dict[str, Any], seed: int) -> Outcome:
    """Seed 2 diverges in the wide network."""
    return Outcome(accuracy=0.5 + 0.1 * seed, diverged=seed == 2 and place["network.hidden"] == (4, 4))


def read(path: Path) -> list[dict[str, Any]]:
    """Read a table back."""
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".json":
        return list(json.loads(path.read_text(encoding="utf-8")))
    return list(pq.read_table(path).to_pylist())


@pytest.mark.parametrize("ending", [".csv", ".json", ".parquet", ".CSV"])
def test_every_run_is_a_row_with_its_axes(tmp_path: Path, ending: str) -> None:
    result = make_sweep(outcome, AXES, range(3))
    path = export(result, tmp_path / f"new/table{ending}")
    rows = read(path.rename(path.with_suffix(ending.lower())))
    assert len(rows) == 12
    assert list(rows[0])[:5] == ["cell", "network.hidden", "training.learning_rate", "seed", "fresh"]
    assert [str(row["network.hidden"]) for row in rows[::6]] == ["2", "(4, 4)"]
    assert [float(row["training.learning_rate"]) for row in rows[::3]] == [0.1, 1.0, 0.1, 1.0]
    assert [str(row["stop_reason"]) for row in rows].count("diverged") == 2
    assert {float(row["final_accuracy"]) for row in rows} == {0.5, 0.6, 0.7}
    assert all(str(row["success"]) == "False" for row in rows)


def test_keys_are_those_of_the_store() -> None:
    result = make_sweep(outcome, AXES, range(3))
    rows = export_rows(result)
    tasks = make_tasks([(one.cell.setting, one.seeds) for one in result])
    assert [row["key"] for row in rows] == [task.key.hex() for task in tasks]
    assert len({row["key"] for row in rows}) == 12
    reference = export_rows(result, engine="reference")
    assert all(a["key"] != b["key"] for a, b in zip(rows, reference, strict=True))


def test_single_widths_are_numbers_where_all_are() -> None:
    result = make_sweep(lambda place, seed: Outcome(), {"network.hidden": [[2], [16]]}, [0])
    assert [row["network.hidden"] for row in export_rows(result)] == [2, 16]


def test_fresh_runs_and_cells_given_up_say_so() -> None:
    result = make_sweep(outcome, AXES, range(3), cells={0: {"pruned_after": 5}})
    cell = result.cells[3].cell
    fresh = Runs((make_run(cell, 50, Outcome()),), "xor")
    rows = export_rows(replace(result, fresh={cell.setting.key: fresh}))
    assert [row["seed"] for row in rows if row["fresh"]] == [50]
    assert [row["pruned_after"] for row in rows] == [5] * 3 + [None] * 10


def test_rows_have_equal_columns_whatever_was_measured() -> None:
    def make(place: dict[str, Any], seed: int) -> Outcome:
        return Outcome(final={"validation_loss": 0.5} if seed else {})

    rows = export_rows(make_sweep(make, AXES, range(2)))
    assert len({tuple(row) for row in rows}) == 1
    assert {row["final_validation_loss"] for row in rows} == {None, 0.5}


def test_variants_are_a_column() -> None:
    more = "[variants.wide]\nset = { network = { hidden = [8] } }\n"
    result = make_sweep(lambda place, seed: Outcome(), text=recipe_text({}, more=more), seeds=[0])
    assert [row["variant"] for row in export_rows(result)] == [None, "wide"]


@pytest.mark.parametrize("ending", [".csv", ".json", ".parquet"])
def test_a_sweep_without_runs_gives_an_empty_table(tmp_path: Path, ending: str) -> None:
    path = export(make_sweep(lambda place, seed: None), tmp_path / f"none{ending}")
    assert read(path) == []


@pytest.mark.parametrize("name", ["table.xlsx", "table", ".csv.bak"])
def test_an_unknown_ending_is_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"end it in \.csv, \.json, \.parquet") as error:
        export(make_sweep(outcome, AXES, [0]), tmp_path / name)
    assert len(str(error.value).splitlines()) == 1


def test_a_failed_export_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(RunError, match="cannot write"):
        export(make_sweep(outcome, AXES, [0]), tmp_path / "folder.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"a Parquet export needs pyarrow: pip install 'chainrule\[tables\]'"):
        export(make_sweep(outcome, AXES, [0]), tmp_path / "x.parquet")
