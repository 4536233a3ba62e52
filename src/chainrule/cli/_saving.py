"""Saving a run: everything into one folder, an earlier run replaced only when the new one is there."""

from __future__ import annotations

import csv
from pathlib import Path

from chainrule.cli._options import naming
from chainrule.cli._pictures import NAMES
from chainrule.files import check_folder, write_whole
from chainrule.run_store import FILE_NAME
from chainrule.runs import Runs

HISTORY, SUMMARY = "history.csv", "summary.json"


def check_out(folder: Path) -> None:
    """Refuse an ``--out`` that cannot be written, before any work is done."""
    with naming("--out"):
        check_folder(folder)


def holds_run(folder: Path) -> bool:
    """Whether a run is saved there."""
    return (folder / FILE_NAME).is_file()


def save_runs(runs: Runs, folder: Path) -> list[str]:
    """Save a run and its histories; returns the names of the files.

    Pictures of a run that was there before are removed: they would show other numbers.
    """
    runs.save(folder)
    write_history(runs, folder / HISTORY)
    for name in NAMES:
        for suffix in ("svg", "png"):
            (folder / f"{name}.{suffix}").unlink(missing_ok=True)
    return [FILE_NAME, "config.json", "runs.csv", HISTORY]


def write_history(runs: Runs, path: Path) -> Path:
    """Write a line for every kept epoch of every run."""
    columns = list(
        dict.fromkeys(name for run in runs for name in run.history if name not in ("epoch", "learning_rate"))
    )

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["base_learning_rate", "seed", "epoch", "learning_rate", *columns])
            for run in runs:
                history = run.history
                rate = run.member.config.learning_rate
                values = zip(
                    *(history[name].tolist() for name in ("epoch", "learning_rate", *columns) if name in history),
                    strict=True,
                )
                writer.writerows([rate, run.seed, *row] for row in values)

    return write_whole(path, write)
