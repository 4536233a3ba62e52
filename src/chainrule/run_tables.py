"""The table of runs in other programs' formats: CSV, JSON, Parquet, pandas."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.errors import ConfigError
from chainrule.files import write_text, write_whole

if TYPE_CHECKING:
    import pandas as pd

    from chainrule.runs import Runs


def columns_of(rows: list[dict[str, Any]]) -> list[str]:
    """Return all columns in the order in which they first appear."""
    return list(dict.fromkeys(key for row in rows for key in row))


def to_frame(runs: Runs) -> pd.DataFrame:
    """Return the runs as a DataFrame, a row a run."""
    try:
        import pandas as pd
    except ImportError:
        raise ConfigError("to_frame needs pandas: pip install 'chainrule[tables]'") from None
    rows = runs.to_rows()
    return pd.DataFrame(rows, columns=columns_of(rows))


def write_csv(runs: Runs, path: Path) -> Path:
    """Write the runs as CSV with a header line."""
    return write_csv_rows(runs.to_rows(), path)


def write_json(runs: Runs, path: Path) -> Path:
    """Write the runs as a JSON list of objects."""
    return write_json_rows(runs.to_rows(), path)


def write_parquet(runs: Runs, path: Path) -> Path:
    """Write the runs as a Parquet file."""
    return write_parquet_rows(runs.to_rows(), path, "to_parquet")


def write_csv_rows(rows: list[dict[str, Any]], path: Path) -> Path:
    """Write rows as CSV with a header line; what a row lacks is empty."""

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, columns_of(rows), restval="")
            table.writeheader()
            table.writerows(rows)

    return write_whole(path, write)


def write_json_rows(rows: list[dict[str, Any]], path: Path) -> Path:
    """Write rows as a JSON list of objects; numbers that are not finite become null."""
    plain = [{key: finite_or_none(value) for key, value in row.items()} for row in rows]
    return write_text(path, json.dumps(plain, indent=1, allow_nan=False) + "\n")


def write_parquet_rows(rows: list[dict[str, Any]], path: Path, what: str) -> Path:
    """Write rows as a Parquet file; `what` needs pyarrow, says the error where it is not installed."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ConfigError(f"{what} needs pyarrow: pip install 'chainrule[tables]'") from None
    table = {name: one_type([row.get(name) for row in rows]) for name in columns_of(rows)}
    table |= {"batch_size": [str(value) for value in table["batch_size"]]} if "batch_size" in table else {}
    return write_whole(path, lambda temporary: pq.write_table(pa.table(table), temporary))


def one_type(values: list[Any]) -> list[Any]:
    """Return a column whose values have one type, as Parquet wants it: a mixture of numbers and words becomes words."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) < 2 or kinds == {int, float}:
        return [float(value) if kinds == {int, float} and value is not None else value for value in values]
    return [None if value is None else str(value) for value in values]


def finite_or_none(value: Any) -> Any:
    """Replace a non-finite float by None: strict JSON has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
