"""`chainrule store check`: is every byte of a store what was written?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Connection, exists, func, select

from chainrule.errors import ChainruleError, StoreError, one_line
from chainrule.experiments.store.axes import axes_of
from chainrule.experiments.store.columns import Frame
from chainrule.experiments.store.database import Database
from chainrule.experiments.store.reading import Reader, later
from chainrule.experiments.store.records import run_of, verify
from chainrule.experiments.store.tables import arrays, axis_values, batches, runs, series, words
from chainrule.experiments.store.words import Words, hash_of
from chainrule.experiments.store.writing import FACTS, series_tag

MOST_PROBLEMS = 100
"""More are counted, but not told."""

PAGE = 1000


@dataclass
class CheckReport:
    """What a check found.

    Attributes
    ----------
    runs, settings : int
        How many of each were looked at.
    problems : list of str
        A line each; empty for a sound store.
    more : int
        Problems beyond those that are told.
    """

    runs: int = 0
    settings: int = 0
    problems: list[str] = field(default_factory=list)
    more: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def note(self, problem: object) -> None:
        """Add a problem."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(one_line(problem, 200))
        else:
            self.more += 1

    @contextmanager
    def part(self, what: str) -> Iterator[None]:
        """Do a part of the check; what it raises is a problem, and the next part goes on."""
        try:
            yield
        except (StoreError, ValueError, TypeError, LookupError, ArithmeticError, ChainruleError) as error:
            self.note(f"{what}: {one_line(error, 160)}")


def check(database: Database, progress: Callable[[int, int], None] | None = None) -> CheckReport:
    """Check a store; `progress` is told how many runs of how many have been read.

    Looks at SQLite's own structures, the hash of every text, the key of every setting and run, the checksum of every
    row, every array (read in full, and against the run's digest where all were kept), and at what is missing.
    """
    report, known = CheckReport(), Words()
    if database.is_sqlite:
        with report.part("file"), database.read() as connection:
            for (line,) in connection.exec_driver_sql(f"PRAGMA integrity_check({MOST_PROBLEMS})"):
                if line != "ok":
                    report.note(f"file: {line}")
    parts = (
        ("texts", _check_words),
        ("settings", _check_series),
        ("columns", _check_columns),
        ("arrays", _check_orphans),
    )
    for what, look in parts:
        with report.part(what), database.read() as connection, report.part(what):
            look(connection, known, report)
    with report.part("runs"), database.read() as connection, report.part("runs"):
        _check_runs(connection, known, report, progress)
    return report


def _pages(connection: Connection, table: Any) -> Iterator[Mapping[str, Any]]:
    """Read a table by its number, some rows at a time."""
    last = -1
    while (
        rows := connection.execute(select(table).where(table.c.id > last).order_by(table.c.id).limit(PAGE))
        .mappings()
        .all()
    ):
        yield from rows  # type: ignore[misc]
        last = later(rows[-1]["id"], last)


def _check_words(connection: Connection, known: Words, report: CheckReport) -> None:
    for row in _pages(connection, words):
        if hash_of(str(row["text"])) != row["hash"]:
            report.note(f"texts: number {row['id']} has changed")


def _check_series(connection: Connection, known: Words, report: CheckReport) -> None:
    """Check the key of every series, and that its axes are those that its texts tell."""
    for row in _pages(connection, series):
        report.settings += 1
        with report.part(f"settings: number {row['id']}"):
            ((source, network, training, *_), _) = Reader(connection, known).series_of([row["id"]])[row["id"]]
            if series_tag(row) != row["tag"]:
                raise ValueError(f"series {row['id']} has changed")
            texts = {"source": source, "network": network, "training": training}
            for kind, text in texts.items():
                number = row[f"{kind}_id"]
                if axes_of(kind, text) != _axes_in(connection, known, number):
                    report.note(f"settings: the axes of text {number} are not those of its setting")


def _axes_in(connection: Connection, known: Words, number: int) -> dict[str, str]:
    """Read what the store says about the axes of a text."""
    chosen = select(axis_values.c.axis_id, axis_values.c.value_id).where(axis_values.c.word_id == number)
    pairs = connection.execute(chosen).all()
    told = known.get(connection, [number for pair in pairs for number in pair])
    return {told[axis]: told[value] for axis, value in pairs}


def _check_columns(connection: Connection, known: Words, report: CheckReport) -> None:
    """Read every column: the frame checks each row of it, and that no run is missing."""
    frame = Frame(connection, known)
    n = len(frame.where)
    for name in (*FACTS, *frame.value_names()) if n else ():
        with report.part("columns"):
            frame.values(name)
    for name in frame.axis_names():
        with report.part("axes"):
            frame.axis(name)
    there = connection.scalar(select(func.count()).select_from(runs))
    if there != n:
        report.note(f"columns: they list {n} runs, but there are {there}")


def _check_orphans(connection: Connection, known: Words, report: CheckReport) -> None:
    """Look for arrays of runs that are not there, and runs of saves that are not there."""
    of_run = exists().where((runs.c.series_id == arrays.c.series_id) & (runs.c.seed == arrays.c.seed))
    if lost := connection.scalar(select(func.count()).select_from(arrays).where(~of_run)):
        report.note(f"arrays: {lost} belong to no run")
    of_batch = exists().where(batches.c.id == runs.c.batch_id)
    if lost := connection.scalar(select(func.count()).select_from(runs).where(~of_batch)):
        report.note(f"runs: {lost} belong to no save")


def _check_runs(
    connection: Connection, known: Words, report: CheckReport, progress: Callable[[int, int], None] | None
) -> None:
    """Rebuild every run."""
    total = int(connection.scalar(select(func.count()).select_from(runs)) or 0)
    reader, last, counts = Reader(connection, known), None, Counter[str]()
    while rows := reader.rows_after(last, PAGE):
        for row in rows:
            with report.part(f"runs: series {row['series_id']}, seed {row['seed']}"):
                (record,) = reader.understand([row])
                run_of(record)
                verify(record)
                counts.update(name for name, value in record.values.items() if value == value)
        last = (rows[-1]["series_id"], rows[-1]["seed"])
        report.runs += len(rows)
        if progress is not None:
            progress(report.runs, total)
    frame = Frame(connection, known)
    for name, n in counts.items():
        there = np.count_nonzero(~np.isnan(frame.values(name)))
        if there != n and report.is_sound:  # otherwise runs that could not be read are missing in the sum
            report.note(f"columns: {there} values of {name} are listed, the runs have {n}")
