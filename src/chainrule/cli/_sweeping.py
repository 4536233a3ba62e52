"""Carrying a sweep out: read the recipe, run its cells, write the report, answer the questions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from chainrule.cli._console import Output, clean, count, table
from chainrule.cli._durations import duration_text, parse_duration
from chainrule.cli._interrupts import OneInterrupt
from chainrule.cli._options import MAX_SEEDS, naming, parse_path, parse_resources
from chainrule.cli._request import check_engine
from chainrule.cli._saving import check_out
from chainrule.cli._sweep_live import SweepLive
from chainrule.cli.sweep import SweepRequest, default_store
from chainrule.errors import ConfigError
from chainrule.experiments.adaptive import Adaptive
from chainrule.experiments.experiment import Experiment
from chainrule.experiments.samplers import Sampling
from chainrule.experiments.store import Store
from chainrule.experiments.store.place import VARIABLE
from chainrule.experiments.sweep_result import SweepResult
from chainrule.resources import Resources

if TYPE_CHECKING:
    from chainrule.experiments.sweep_summary import SweepSummary

INTERRUPTED = 130


def carry_out(request: SweepRequest, output: Output) -> None:
    """Run a sweep as asked; exit status 130 if Ctrl-C ended it."""
    out = parse_path(request.out, "--out")
    resources = parse_resources(request.threads, request.memory)
    budget = None if request.budget is None else parse_duration(request.budget, "--budget")
    export = None if request.export is None else parse_path(request.export, "--export")
    _check(request, out, export)
    experiment = Experiment.from_toml(parse_path(request.recipe, "RECIPE"))
    with _open(request, out) as store, OneInterrupt() as interrupt:
        with SweepLive(output, experiment.recipe) as live:
            result = _run(request, experiment, store, budget, resources, live)
        interrupt.deaf = True
        report = Report(result, out, export)
        where = store.redacted
    # the page comes with chainrule.report.sweeps.build
    report.tell(output, where)
    if result.interrupted and not result.out_of_time:
        raise typer.Exit(INTERRUPTED)


def _run(
    request: SweepRequest,
    experiment: Experiment,
    store: Store,
    budget: float | None,
    resources: Resources,
    live: SweepLive,
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
        progress=live,
    )


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
    if export is not None and export.suffix not in (".csv", ".parquet", ".json"):
        raise ConfigError(f"--export: '{clean(export)}' must end in .csv, .parquet or .json")


def _open(request: SweepRequest, out: Path) -> Store:
    """Open the store that was named, or the one that belongs to the output folder."""
    where = request.store
    if where is None and not os.environ.get(VARIABLE, "").strip():
        where = str(default_store(out))
    with naming("--resume" if request.resume else "--store"):
        return Store.open(where, create=not request.resume)


class Report:
    """What a sweep leaves behind: files, tables, sentences, answers."""

    def __init__(self, result: SweepResult, out: Path, export: Path | None) -> None:
        from chainrule.experiments.sweep_summary import summarise

        self.result, self.out, self.export = result, out, export
        self.summary: SweepSummary = summarise(result)
        self.page: Path | None = None

    def write(self) -> None:
        """Write the page and the exported table."""
        from chainrule.experiments.sweep_export import export
        from chainrule.report.sweeps import write_sweep

        self.page = write_sweep(self.result, self.out)
        if self.export is not None:
            export(self.result, self.export)

    def tell(self, output: Output, store: str) -> None:
        """Print what was found."""
        result = self.result
        output.json(self._record(store))
        self._tell_cells(output)
        if self.page is not None:
            output.result(f"report: {clean(self.page)}", "bold")
        output.detail(
            f"{count(result.computed, 'run')} trained and {result.reused:,} found in {clean(store)}, "
            f"{duration_text(result.seconds)}"
        )

    def _tell_cells(self, output: Output) -> None:
        """Print a row per cell."""
        rows = []
        for cell in self.result:
            rate = self.result.success_rate(cell)
            shown = "-" if rate is None else f"{100 * rate.rate:.0f} % ({100 * rate.low:.0f} to {100 * rate.high:.0f})"
            rows.append([cell.label, str(len(cell.runs)), shown, cell.missing])
        output.result(table(["cell", "seeds", "success", ""], rows, "lrrl"))
        for note in self.result.notes:
            output.note(note)

    def _record(self, store: str) -> dict[str, Any]:
        """Return what is told as plain values."""
        result = self.result
        return {
            "command": "sweep",
            "recipe": result.recipe.id,
            "store": store,
            "report": self.page,
            "trained": result.computed,
            "found": result.reused,
            "seconds": result.seconds,
            "interrupted": result.interrupted,
            "notes": list(result.notes),
        }
