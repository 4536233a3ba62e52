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
    rows = runs.to_rows()

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, columns_of(rows), restval="")
            table.writeheader()
            table.writerows(rows)

    return write_whole(path, write)


def write_json(runs: Runs, path: Path) -> Path:
    """Write the runs as a JSON list of objects."""
    rows = [{key: finite_or_none(value) for key, value in row.items()} for row in runs.to_rows()]
    return write_text(path, json.dumps(rows, indent=1, allow_nan=False) + "\n")


def write_parquet(runs: Runs, path: Path) -> Path:
    """Write the runs as a Parquet file."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ConfigError("to_parquet needs pyarrow: pip install 'chainrule[tables]'") from None
    rows = runs.to_rows()
    # batch_size is a number or "full"; a Parquet column has one type
    table = {name: [row.get(name) for row in rows] for name in columns_of(rows)}
    table["batch_size"] = [str(value) for value in table.get("batch_size", [])]
    return write_whole(path, lambda temporary: pq.write_table(pa.table(table), temporary))


def finite_or_none(value: Any) -> Any:
    """Replace a non-finite float by None: strict JSON has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
