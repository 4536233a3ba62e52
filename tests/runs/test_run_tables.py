"""The table in other programs' formats: what they read back is what was written."""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from chainrule import Runs
from chainrule.errors import ConfigError, RunError
from chainrule.run_tables import columns_of, finite_or_none


def same(read: Any, value: Any) -> bool:
    """Whether a format's reading of a value is the value; None and NaN both stand for a missing one."""
    missing = read is None or (isinstance(read, float) and math.isnan(read))
    return missing if value is None or (isinstance(value, float) and math.isnan(value)) else bool(read == value)


def test_columns_come_in_order_of_appearance() -> None:
    assert columns_of([{"a": 1, "b": 2}, {"b": 3, "c": 4}, {"a": 5}]) == ["a", "b", "c"]
    assert columns_of([]) == []


def test_csv(mixed: Runs, tmp_path: Path) -> None:
    path = mixed.to_csv(tmp_path / "new" / "runs.csv")
    with path.open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    rows = mixed.to_rows()
    assert list(read[0]) == columns_of(rows)
    for line, row in zip(read, rows, strict=True):
        for name, text in line.items():
            value = row.get(name)
            assert text == ("" if value is None else str(value))
            if isinstance(value, float):
                assert same(float(text), value)  # every bit


def test_json_is_strict(mixed: Runs, tmp_path: Path) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    read = json.loads(mixed.to_json(str(tmp_path / "runs.json")).read_text(), parse_constant=refuse)
    for line, row in zip(read, mixed.to_rows(), strict=True):
        assert list(line) == list(row)
        assert all(same(line[name], finite_or_none(value)) for name, value in row.items())
    assert any(not math.isfinite(run.final["loss"]) for run in mixed)


def test_parquet(mixed: Runs, tmp_path: Path) -> None:
    read = pq.read_table(mixed.to_parquet(tmp_path / "runs.parquet")).to_pylist()
    for line, row in zip(read, mixed.to_rows(), strict=True):
        assert set(row) <= set(line)
        for name, value in line.items():
            expected = str(row[name]) if name == "batch_size" else row.get(name)
            assert same(value, expected) or value == expected  # infinity


def test_frame(mixed: Runs) -> None:
    frame = mixed.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert frame.shape == (len(mixed), len(columns_of(mixed.to_rows())))
    np.testing.assert_array_equal(frame["final_loss"], mixed.column("final_loss"))
    assert frame["batch_size"].tolist() == mixed.column("batch_size").tolist()
    assert frame.groupby("stop_reason").size().sum() == len(mixed)


def test_no_runs_make_an_empty_table(mixed: Runs, tmp_path: Path) -> None:
    none = mixed[:0]
    assert none.to_csv(tmp_path / "x.csv").read_text().strip() == ""
    assert json.loads(none.to_json(tmp_path / "x.json").read_text()) == []
    assert pq.read_table(none.to_parquet(tmp_path / "x.parquet")).num_rows == 0
    assert len(none.to_frame()) == 0


@pytest.mark.parametrize("seed", [0, 2**62 - 1, 2**62 + 2**60 - 1])
def test_the_largest_seed_fits_every_format(seed: int, tmp_path: Path) -> None:
    from chainrule import mlp, train

    runs = train(mlp([2]), "xor", seeds=[seed], epochs=0)
    assert pq.read_table(runs.to_parquet(tmp_path / "x.parquet"))["seed"].to_pylist() == [seed]
    assert json.loads(runs.to_json(tmp_path / "x.json").read_text())[0]["seed"] == seed
    assert runs.to_frame()["seed"].tolist() == [seed]
    assert runs.column("seed").tolist() == [seed]


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_a_place_that_cannot_be_written_is_one_line(mixed: Runs, tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot write") as error:
        getattr(mixed, f"to_{kind}")(tmp_path / "file" / f"runs.{kind}")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(("module", "method"), [("pandas", "to_frame"), ("pyarrow", "to_parquet")])
def test_what_is_not_installed_is_named(
    mixed: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, method: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    arguments = [tmp_path / "x.parquet"] if method == "to_parquet" else []
    with pytest.raises(ConfigError, match=rf"{method} needs {module}: pip install 'chainrule\[tables\]'"):
        getattr(mixed, method)(*arguments)
