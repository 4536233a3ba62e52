"""Writes stores of schema version 1, as the asset ``assets/schema-1.db``: ``python -m tests.store.schema_1``."""

from __future__ import annotations

import io
import json
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.experiments.running.tasks import Task, make_tasks
from chainrule.experiments.store.records import machine_text
from chainrule.runs import Run

ASSETS = Path(__file__).with_name("assets")

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE runs (
    key {blob} PRIMARY KEY, source TEXT NOT NULL, network TEXT NOT NULL, training TEXT NOT NULL, data TEXT NOT NULL,
    numerics TEXT NOT NULL, seed BIGINT NOT NULL, body TEXT NOT NULL, weights {blob} NOT NULL, curves {blob} NOT NULL,
    saved BIGINT NOT NULL, machine TEXT NOT NULL
);
INSERT INTO meta VALUES ('schema', '1');
"""
FIELDS = "key, source, network, training, data, numerics, seed, body, weights, curves, saved, machine"


def rows_of_1(pairs: list[tuple[Task, Run]]) -> list[tuple[Any, ...]]:
    """Return runs as rows of version 1, in the order of `FIELDS`."""
    machine = machine_text()
    rows = []
    for task, run in pairs:
        setting = task.setting
        texts = (setting.source, setting.network, setting.training, task.data, task.numerics)
        arrays = {f"history/{name}": array for name, array in run.history.items()}
        arrays |= {f"windows/{name}": array for name, array in run.windows.items()}
        body = json.dumps(_body(run), sort_keys=False)
        rows.append(
            (task.key, *texts, task.seed, body, _archive(_weights(run)), _archive(arrays), 1_760_000_000, machine)
        )
    return rows


def _weights(run: Run) -> dict[str, Any]:
    arrays: dict[str, Any] = {"theta": run.theta}
    if run.normalization is not None:
        arrays["layers"] = np.array([len(run.normalization)])
        arrays |= {f"{k}/{name}": a for k, layer in enumerate(run.normalization) for name, a in layer.items()}
    return arrays


def _body(run: Run) -> dict[str, Any]:
    return {
        "network": json.dumps(run.member.network.describe(), sort_keys=True),
        "training": json.dumps(run.member.config.describe(), sort_keys=True),
        "stop_reason": run.stop_reason,
        "converged": run.converged,
        "epochs": run.epochs,
        "seconds": run.seconds,
        "engine": run.engine,
        "engine_reason": run.engine_reason,
        "fingerprint": run.fingerprint,
        "final": {name: np.float64(value).tobytes().hex() for name, value in run.final.items()},
        "divergence": asdict(run.divergence) if run.divergence else None,
        "preprocessing": run.preprocessing.state() if run.preprocessing else None,
    }


def _archive(arrays: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def write_1(path: Path, pairs: list[tuple[Task, Run]]) -> None:
    """Write an SQLite file of version 1."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA application_id = 1667789429")
        connection.executescript(TABLES.format(blob="BLOB"))
        connection.executemany(f"INSERT INTO runs ({FIELDS}) VALUES ({', '.join('?' * 12)})", rows_of_1(pairs))
    connection.close()


def _make() -> None:
    """Write the assets."""
    from chainrule.experiments.store import Store
    from chainrule.experiments.store.tables import SCHEMA
    from tests.store.conftest import setting_of, train

    stopped = setting_of(stopping="loss_below(10, times=4)", window=2, batch_size=4)
    settings = [setting_of(validation=0.25), stopped, setting_of(learning_rate=1e30)]
    pairs = train(make_tasks([(setting, range(3)) for setting in settings]))
    ASSETS.mkdir(exist_ok=True)
    newest = ASSETS / f"schema-{SCHEMA}.db"  # those in between were written by the code of their time
    for path in (ASSETS / "schema-1.db", newest):
        path.unlink(missing_ok=True)
    write_1(ASSETS / "schema-1.db", pairs)
    with Store.open(newest) as store:
        store.save(pairs)


if __name__ == "__main__":
    _make()
