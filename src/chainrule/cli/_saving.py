"""Saving a run: everything into one folder, an earlier run replaced only when the new one is there."""

from __future__ import annotations

import csv
import os
import tempfile
from pathlib import Path

from chainrule.cli._pictures import NAMES
from chainrule.errors import RunError, one_line
from chainrule.files import write_whole
from chainrule.run_store import FILE_NAME
from chainrule.runs import Runs

HISTORY, SUMMARY = "history.csv", "summary.json"


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be written, before any work is done; leaves no trace.

    Raises
    ------
    RunError
        If it is a file, or the system forbids writing there.
    """
    missing: list[Path] = []
    place = folder
    try:
        while not place.exists():
            missing.append(place)
            place = place.parent
        if not place.is_dir():
            raise RunError(f"--out: '{one_line(place)}' is a file, not a folder; name another")
        for path in reversed(missing):
            path.mkdir()
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunError(f"--out: cannot write to '{one_line(folder)}': {reason}") from None
    finally:
        for path in missing:
            if path.is_dir() and not os.listdir(path):
                path.rmdir()


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
