"""The file that a run leaves behind: build/bench.json."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from chainrule.files import write_text
from chainrule.machine import this_machine

SCHEMA = 1
PEERS = ("torch", "jax", "jaxlib", "numba", "scikit-learn", "numpy")


def new_record(quick: bool, engine: str, dropped: list[str]) -> dict[str, Any]:
    """Return a record without cases: when, where and how."""
    machine = this_machine().to_dict()
    machine["peers"] = {name: _version(name) for name in PEERS}
    machine["load_at_start"] = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    machine["dropped_environment"] = dropped
    return {
        "schema": SCHEMA,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "engine": engine,
        "machine": machine,
        "sgemm": {},
        "cases": {},
    }


def read(path: Path) -> dict[str, Any] | None:
    """Return the record in a file, or None if there is none that this version wrote."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if record.get("schema") == SCHEMA else None


def write(path: Path, record: dict[str, Any]) -> Path:
    """Write a record."""
    return write_text(path, json.dumps(record, indent=1) + "\n")


def merged(new: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
    """Return a run of some cases with the other cases of an earlier run of the same kind.

    Ratios are made within a case, and every case carries the time of its own run.
    """
    if old is None or any(old[key] != new[key] for key in ("quick", "engine")) or not _same_machine(old, new):
        return new
    return new | {"cases": old["cases"] | new["cases"], "sgemm": new["sgemm"] or old["sgemm"]}


def _same_machine(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return all(old["machine"][key] == new["machine"][key] for key in ("cpu", "usable_cores", "peers"))


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
