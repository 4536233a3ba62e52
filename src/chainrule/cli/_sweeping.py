"""Carrying a sweep out: read the recipe, run its cells, write the report, answer the questions."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from chainrule.cli._console import Output, clean, table
from chainrule.cli._durations import duration_text, parse_duration
from chainrule.cli._interrupts import OneInterrupt
from chainrule.cli._options import MAX_SEEDS, naming, parse_path, parse_resources
from chainrule.cli._progress import Bar
from chainrule.cli._request import check_engine
from chainrule.cli._saving import check_out
from chainrule.cli._sweep_live import SweepLive
from chainrule.cli._sweep_request import SweepRequest, default_store
from chainrule.errors import ConfigError
from chainrule.experiments.recipes.grid import seeds_of
from chainrule.experiments.running.counting import CountingKeeper
from chainrule.experiments.store import Store
from chainrule.experiments.store.place import VARIABLE
from chainrule.experiments.sweeps.adaptive import Adaptive
from chainrule.experiments.sweeps.experiment import Experiment
from chainrule.experiments.sweeps.export import export
from chainrule.experiments.sweeps.result import SweepResult
from chainrule.experiments.sweeps.samplers import Sampling
from chainrule.experiments.sweeps.summary import CellSummary, summarise
from chainrule.experiments.sweeps.sweeper import SweepEvent
from chainrule.files import check_folder
from chainrule.report.sweeps import PlainTable, plain_tables, write_sweep
from chainrule.report.sweeps.sentences import best_sentence, curse_verdict, importance_sentence, lost_lines, remarks
from chainrule.report.sweeps.words import trained_words
from chainrule.resources import Resources

if TYPE_CHECKING:
    from chainrule.experiments.verdicts.verdict import Verdict

MOST_ROWS = 40
"""Cells in the terminal's table; the page has more, the export all."""
GAP = 3
"""Characters between two columns of a table."""
MOST_WORDS = 24
"""Characters a column of words needs; longer ones are wrapped."""
ALWAYS_SHOWN = 2
"""Columns of numbers that are never left out: runs, and how many succeeded."""
INTERRUPTED = 130


def carry_out(request: SweepRequest, output: Output) -> None:
    """Run a sweep as asked; exit status 130 if Ctrl-C ended it."""
    out = parse_path(request.out, "--out")
    resources = parse_resources(request.threads, request.memory)
    budget = None if request.budget is None else parse_duration(request.budget, "--budget")
    export = None if request.export is None else parse_path(request.export, "--export")
    _check(request, out, export)
    experiment = Experiment.from_toml(parse_path(request.recipe, "RECIPE"))
    _check_most(request, len(seeds_of(experiment.recipe, request.quick, request.seeds)))
    with _open(request, out) as store, OneInterrupt() as interrupt:
        keeper = CountingKeeper(store)
        with SweepLive(output, experiment.recipe) as live:

            def hear(event: SweepEvent) -> None:
                live(event)
                if interrupt.deaf:  # it was pressed where Python cannot raise, as in a callback of a weak reference
                    raise KeyboardInterrupt

            result = _run(request, experiment, keeper, budget, resources, hear)
        _check_trained(result)
        result, answers = _answer(request, result, keeper, resources, output)
        interrupt.deaf = True
        report = Report(result, answers, store.redacted)
        if not request.no_report:
            report.write(out)
        if export is not None:
            report.export(export, request)
    report.tell(output)
    if result.interrupted and not result.out_of_time:
        raise typer.Exit(INTERRUPTED)


def _run(
    request: SweepRequest,
    experiment: Experiment,
    store: CountingKeeper,
    budget: float | None,
    resources: Resources,
    hear: Callable[[SweepEvent], None],
) -> SweepResult:
    """Run the experiment with the options that were typed."""
    return experiment.run(
        store=store,
        seeds=request.seeds,
        quick=request.quick,
        engine=request.engine,
        resources=resources,
        data_dir=request.data_dir,
        budget=budget,
        adaptive=Adaptive(most=request.max_seeds) if request.adaptive else False,
        halving=request.halving,
        sampler=request.sampler,
        trials=request.trials,
        fresh=request.fresh,
        fail_fast=request.fail_fast,
        progress=hear,
    )


def _check_trained(result: SweepResult) -> None:
    """Refuse a sweep of which nothing could be trained: there is nothing to report."""
    if any(len(cell.runs) for cell in result) or result.interrupted:
        return
    first = next((cell for cell in result if cell.missing), None)
    if first is None:
        return
    if len(result) == 1:
        raise ConfigError(f"the recipe cannot be trained: {first.missing}")
    raise ConfigError(f"none of {len(result)} cells can be trained; cell '{clean(first.label)}': {first.missing}")


def _check(request: SweepRequest, out: Path, export: Path | None) -> None:
    """Refuse options that cannot work, by their names, before anything is opened."""
    for name, value in (("--seeds", request.seeds), ("--max-seeds", request.max_seeds)):
        if value is not None and not 1 <= value <= MAX_SEEDS:
            raise ConfigError(f"{name}: a number of seeds from 1 to {MAX_SEEDS:,}, got {value}")
    if request.max_seeds is not None and not request.adaptive:
        raise ConfigError("--max-seeds: only --adaptive adds seeds; give both, or --seeds")
    if request.fresh is not None and not 0 <= request.fresh <= MAX_SEEDS:
        raise ConfigError(f"--fresh: a number of seeds from 0 to {MAX_SEEDS:,}, got {request.fresh}")
    with naming("--sampler" if request.trials is None else "--trials"):
        Sampling(request.sampler, request.trials)
    check_engine(request.engine)
    check_out(out)
    if export is not None:
        _check_export(export)


def _check_export(path: Path) -> None:
    """Refuse a table that could not be written in the end."""
    if path.suffix not in (".csv", ".parquet", ".json"):
        raise ConfigError(f"--export: '{clean(path)}' must end in .csv, .parquet or .json")
    if path.is_dir():
        raise ConfigError(
            f"--export: '{clean(path)}' is a folder; name a file in it, such as {clean(path / 'runs.csv')}"
        )
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise ConfigError("--export: a .parquet table needs pyarrow: pip install 'chainrule[tables]', or name a .csv")
    with naming("--export"):
        check_folder(path.parent)


def _check_most(request: SweepRequest, first: int) -> None:
    """Refuse a limit that the seeds every cell gets at first exceed."""
    if request.max_seeds is not None and request.max_seeds < first:
        raise ConfigError(
            f"--max-seeds: {request.max_seeds:,} is fewer than the {first:,} seeds that every cell gets at first; "
            "give more, or fewer --seeds"
        )


def _open(request: SweepRequest, out: Path) -> Store:
    """Open the store that was named, or the one that belongs to the output folder."""
    where = request.store
    if where is None and not os.environ.get(VARIABLE, "").strip():
        where = str(default_store(out))
    with naming("--resume" if request.resume else "--store"):
        return Store.open(where, create=not request.resume, keep_weights=not request.no_weights)


def _answer(
    request: SweepRequest, result: SweepResult, store: CountingKeeper, resources: Resources, output: Output
) -> tuple[SweepResult, list[Verdict]]:
    """Answer the recipe's questions; further runs are trained for it if nothing limits the time, and are counted."""
    if not result.recipe.questions:
        return result, []
    from chainrule.experiments.verdicts.questions import answer_all

    before, started = store.trained, time.monotonic()
    with Bar(output) as bar:
        try:
            answers = answer_all(
                result,
                more=request.budget is None and not result.interrupted,
                store=store,
                engine=request.engine,
                resources=resources,
                data_dir=request.data_dir,
                progress=lambda text, share: bar.update(share, text),
            )
        except KeyboardInterrupt:
            answers = answer_all(result, more=False)
            note = "questions were interrupted, and are answered from the sweep's own runs; the same command goes on"
            result = replace(result, interrupted=True, notes=(*result.notes, note))
    counted_in = replace(
        result,
        computed=store.trained,
        reused=store.found,
        asked=store.trained - before,
        seconds=result.seconds + time.monotonic() - started,
    )
    return counted_in, answers


class Report:
    """What a sweep leaves behind: files, tables, sentences, answers.

    Parameters
    ----------
    result : SweepResult
        Of the sweep.
    answers : sequence of Verdict
        To the recipe's questions.
    store : str
        Where the runs are kept, without secrets.
    """

    def __init__(self, result: SweepResult, answers: Sequence[Verdict], store: str) -> None:
        self.result, self.answers, self.store = result, answers, store
        self.summary = summarise(result)
        self.page: Path | None = None
        self.exported: Path | None = None

    def write(self, folder: Path) -> None:
        """Write the page."""
        self.page = write_sweep(self.result, folder, self.summary, self.answers)

    def export(self, path: Path, request: SweepRequest) -> None:
        """Write the table of all runs."""
        self.exported = export(self.result, path, engine=request.engine, data_dir=request.data_dir)

    def tell(self, output: Output) -> None:
        """Print what was found."""
        result, summary = self.result, self.summary
        if output.as_json:
            output.json(self.record())
        for plain in plain_tables(summary, MOST_ROWS) if summary.runs else ():
            output.heading(plain.title)
            output.detail(_fitting(plain, output.out.width))
            output.detail(clean(plain.note), "dim")
        output.detail()
        for sentence in self.sentences():
            output.result(clean(sentence))
        for line in (*lost_lines(summary), *remarks(summary)):
            output.note(line)
        if self.page is not None:
            output.result(f"report: {clean(self.page)}", "bold")
        if self.exported is not None:
            output.result(f"table: {clean(self.exported)}", "bold")
        output.detail(f"{trained_words(result, clean(self.store))}; {duration_text(result.seconds)}")

    def sentences(self) -> list[str]:
        """Return what may be said, a sentence or two each."""
        curse = curse_verdict(self.summary)
        told = [best_sentence(self.summary)]
        told += [curse.sentence] if curse is not None else []
        told += [importance_sentence(self.summary)] if self.summary.importance else []
        return told + [one.sentence for one in self.answers]

    def record(self) -> dict[str, Any]:
        """Return what is told as plain values."""
        result, summary = self.result, self.summary
        best = set(summary.choice.members) if summary.choice.decided else set()
        return {
            "command": "sweep",
            "recipe": result.recipe.id,
            "store": self.store,
            "report": self.page,
            "export": self.exported,
            "trained": result.computed,
            "trained_for": {"fresh": result.rescored, "questions": result.asked},
            "found": result.reused,
            "seconds": result.seconds,
            "interrupted": result.interrupted,
            "out_of_time": result.out_of_time,
            "cells": [
                _cell_record(cell, cell.number in best, one.adaptive)
                for cell, one in zip(summary.cells, result, strict=True)
            ],
            "sentences": self.sentences(),
            "answers": [one.record() for one in self.answers],
            "halving": None if result.halving is None else result.halving.record(),
            "notes": [*lost_lines(summary), *remarks(summary)],
        }


def _fitting(plain: PlainTable, width: int) -> Table:
    """Return a table for the terminal; the last columns of numbers are left to the page as far as they do not fit."""
    widths = [max(len(row[k]) for row in (plain.columns, *plain.rows)) for k in range(len(plain.columns))]
    numbers = [k for k, numeric in enumerate(plain.numeric) if numeric]
    shown = set(range(len(widths)))
    for k in reversed(numbers[ALWAYS_SHOWN:]):
        if sum(widths[j] if plain.numeric[j] else min(widths[j], MOST_WORDS) for j in shown) + GAP * len(shown) > width:
            shown.remove(k)
    kept = sorted(shown)
    rows = [
        [Text(clean(row[k]), style="bold" if marked else "") for k in kept]
        for row, marked in zip(plain.rows, plain.marked, strict=True)
    ]
    align = "".join("r" if plain.numeric[k] else "l" for k in kept)
    return table([plain.columns[k] for k in kept], rows, align)


def _cell_record(cell: CellSummary, best: bool, adaptive: bool) -> dict[str, Any]:
    """Return one cell as plain values."""
    return {
        "label": cell.label,
        "place": dict(cell.place),
        "n": cell.n,
        "success": None if cell.success is None else asdict(cell.success),
        "adaptive": adaptive,
        "metrics": {key: asdict(metric.last) for key, metric in cell.metrics.items()},
        "diverged": cell.diverged,
        "best_set": best,
        "pruned_after": cell.pruned_after,
        "missing": cell.missing,
    }
