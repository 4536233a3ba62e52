"""A saved run told again: settings, results and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from chainrule.cli._console import Output, table
from chainrule.cli._image_pictures import image_figures
from chainrule.cli._pictures import boundary_figure, curve_figures, truth_figure, window_figure, write_pictures
from chainrule.cli._predictions import Predictions, chosen_part, outputs_of, show_report
from chainrule.cli._print_run import short, show_finals, show_settings, show_verdict, written
from chainrule.cli._saved import classes_of, source_of, task_of
from chainrule.cli._settings import PRINTED_LINES, nice_step
from chainrule.cli._summary import RateSummary, by_rate, summarize
from chainrule.cli._training import parts_of
from chainrule.data import Split
from chainrule.errors import ChainruleError
from chainrule.experiments.recipes.success import SuccessRule
from chainrule.metrics import for_task
from chainrule.report.records import FigureRecord
from chainrule.runs import Run, Runs

MAX_ROWS = 30


@dataclass(frozen=True, eq=False)
class Showing:
    """What is shown of a saved run.

    Attributes
    ----------
    runs : Runs
        All of them.
    chosen : Run
        The one whose predictions are drawn.
    rule : SuccessRule or None
        What counts as success.
    rates : tuple of RateSummary
        A summary per learning rate.
    parts : Split or None
        The chosen run's data; None when they are not to be had.
    problems : tuple of str
        What is not shown, and why.
    """

    runs: Runs
    chosen: Run
    rule: SuccessRule | None
    rates: tuple[RateSummary, ...]
    parts: Split | None
    problems: tuple[str, ...]

    @classmethod
    def of(cls, runs: Runs, chosen: Run, rule: SuccessRule | None, data_dir: str | None) -> Showing:
        """Sum up the runs, and load their data if they are at hand."""
        task = task_of(chosen, classes_of(runs))
        every = nice_step(max(run.epochs for run in runs), PRINTED_LINES)
        rates = tuple(summarize(one, chosen.seed, rule, every, task) for one in by_rate(runs))
        parts, problem = _data(runs, chosen, data_dir)
        return cls(runs, chosen, rule, rates, parts, (problem,) if problem else ())

    @property
    def own(self) -> RateSummary:
        """The summary of the chosen run's learning rate."""
        rate = self.chosen.member.config.learning_rate
        return next(summary for summary in self.rates if summary.rate == rate)

    @cached_property
    def predictions(self) -> Predictions | None:
        """The chosen run's predictions, if its data are at hand."""
        if self.parts is None:
            return None
        dataset = chosen_part(self.parts)[1]
        return Predictions.of(dataset, outputs_of(self.chosen, dataset.X))

    def figures(self) -> list[FigureRecord]:
        """Return the pictures' records; those of the data only if the data are there."""
        runs = [summary.runs for summary in self.rates]
        task = task_of(self.chosen, classes_of(self.runs))
        figures: list[FigureRecord | None] = [*curve_figures(runs, self.runs.source, for_task(task)[0])]
        figures.append(window_figure(runs, self.runs.source))
        if self.parts is not None:
            name, dataset = chosen_part(self.parts)
            figures.append(truth_figure(self.chosen, self.own.runs, dataset, name))
            if self.predictions is not None:
                figures += image_figures(self.chosen, dataset, name, self.predictions.outputs)
            others = [run for run in self.own.runs if run.seed != self.chosen.seed]
            figures.append(boundary_figure(Runs((self.chosen, *others)), dataset))
        return [figure for figure in figures if figure is not None]

    def write(self, folder: Path) -> list[Path]:
        """Draw everything into a folder."""
        return write_pictures(self.figures(), folder)

    def to_json(self) -> dict[str, Any]:
        """Return everything that is shown."""
        return {
            "command": "show",
            "source": self.runs.source,
            "interrupted": self.runs.interrupted,
            "success_rule": self.rule.text if self.rule else None,
            "rates": [summary.to_json() for summary in self.rates],
            "classification": None if self.predictions is None else self.predictions.report,
            "problems": list(self.problems),
            "runs": self.runs.to_rows(),
        }

    def show(self, output: Output) -> None:
        """Print settings, a line per run, and the success rate."""
        show_settings(output, self.runs)
        _show_runs(output, self.runs, self.rule)
        if self.predictions is not None:
            show_report(output, self.predictions)
        show_finals(output, self.own)
        output.detail()
        for summary in self.rates:
            show_verdict(output, summary, self.rule, several=len(self.rates) > 1)


def _data(runs: Runs, chosen: Run, data_dir: str | None) -> tuple[Split | None, str]:
    """Return the chosen run's data, and what is wrong with them."""
    source = source_of(runs, data_dir)
    if isinstance(source, str):
        return None, f"its data are not at hand, so only curves are drawn: {source}"
    try:
        parts = parts_of(source, chosen)
    except ChainruleError as error:
        return None, f"its data are not at hand, so only curves are drawn: {error}"
    if parts.train.fingerprint != chosen.fingerprint:
        return parts, "the data have changed since the run was trained: the pictures show them as they are now"
    return parts, ""


def _show_runs(output: Output, runs: Runs, rule: SuccessRule | None) -> None:
    """Print a line per run."""
    keys = list(dict.fromkeys(key for run in runs for key in run.final))[:4]
    several = len({run.member.config.learning_rate for run in runs}) > 1
    rows = []
    for run in runs[:MAX_ROWS]:
        cells = [f"{run.member.config.learning_rate:g}"] if several else []
        cells += [
            str(run.seed),
            f"{run.epochs:,}",
            run.stop_reason,
            *(written(key, run.final.get(key)) for key in keys),
        ]
        rows.append([*cells, *(["yes" if rule.holds(run) else "no"] if rule else [])])
    columns = [*(["rate"] if several else []), "seed", "epochs", "ended", *map(short, keys)]
    columns += ["success"] if rule else []
    output.heading("Runs")
    output.detail(table(columns, rows, tight=len(columns) > 6))
    if len(runs) > MAX_ROWS:
        output.detail(f"{len(runs) - MAX_ROWS} more in runs.csv")
