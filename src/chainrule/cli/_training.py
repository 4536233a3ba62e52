"""Carrying a training plan out: train, save, report."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from chainrule.certificate import Certificate
from chainrule.cli._console import Output, clean, count, json_text
from chainrule.cli._image_pictures import image_figures
from chainrule.cli._interrupts import OneInterrupt
from chainrule.cli._live import LiveLines
from chainrule.cli._pictures import curve_figures, truth_figure, window_figure, write_pictures
from chainrule.cli._predictions import Predictions, chosen_part, outputs_of, show_predictions, show_report
from chainrule.cli._print_run import show_finals, show_history, show_saved, show_settings, show_verdict
from chainrule.cli._progress import Bar, TrainingBar
from chainrule.cli._request import Plan
from chainrule.cli._saving import SUMMARY, check_out, holds_run, save_runs
from chainrule.cli._summary import RateSummary, best_rate, by_rate, summarize
from chainrule.data import DataSource, Split, split
from chainrule.engines import ProgressEvent
from chainrule.errors import RunError
from chainrule.experiments.recipes.success import NOTE
from chainrule.files import write_text
from chainrule.metrics import for_task
from chainrule.report.records import FigureRecord
from chainrule.runs import Run, Runs
from chainrule.training import train

FAILED, INTERRUPTED = 1, 130
CLASSES_NOTE = "classes: "
JSON_ROWS = 1000


@dataclass(frozen=True, eq=False)
class Outcome:
    """A trained plan and what is told of it.

    Attributes
    ----------
    plan : Plan
        What was asked for.
    runs : Runs
        Every run, of all learning rates.
    rates : tuple of RateSummary
        A summary per learning rate.
    best : RateSummary
        The one whose predictions are shown.
    part : str
        Which samples they are for.
    predictions : Predictions
        Of the shown seed.
    """

    plan: Plan
    runs: Runs
    rates: tuple[RateSummary, ...]
    best: RateSummary
    part: str
    predictions: Predictions

    def to_json(self) -> dict[str, Any]:
        """Return everything that is told."""
        rule = self.plan.rule
        return {
            "command": "train",
            "source": self.runs.source,
            "interrupted": self.runs.interrupted,
            "seeds": list(self.plan.seeds),
            "success_rule": rule.text if rule else None,
            "rates": [summary.to_json() for summary in self.rates],
            "predictions": {
                "seed": self.best.shown.seed,
                "learning_rate": self.best.rate,
                "part": self.part,
                "samples": self.predictions.n,
                "classification": self.predictions.report,
                "rows": self.predictions.to_rows()[:JSON_ROWS],
            },
            "runs": self.runs.to_rows(),
        }

    def show(self, output: Output) -> None:
        """Print it."""
        show_settings(output, self.runs)
        for summary in self.rates:
            show_history(output, summary)
        title = f"Predictions of seed {self.best.shown.seed} for its {self.part} samples"
        if len(self.rates) > 1:
            title += f", learning rate {self.best.rate:g} (the best of {len(self.rates)})"
        show_predictions(output, self.predictions, title)
        show_report(output, self.predictions)
        show_finals(output, self.best)
        output.detail()
        for summary in self.rates:
            show_verdict(output, summary, self.plan.rule, several=len(self.rates) > 1)

    def figures(self) -> list[FigureRecord]:
        """Return the pictures' records."""
        runs = [summary.runs for summary in self.rates]
        parts = parts_of(self.plan.source, self.best.shown)
        figures = curve_figures(runs, self.runs.source, for_task(parts.train.task)[0])
        name, dataset = chosen_part(parts)
        more = (
            truth_figure(self.best.shown, self.best.runs, dataset, name),
            window_figure(runs, self.runs.source),
            *image_figures(self.best.shown, dataset, name, self.predictions.outputs),
        )
        return figures + [figure for figure in more if figure is not None]


def carry_out(plan: Plan, output: Output) -> None:
    """Train what the plan says, save it, and report.

    Exit status 130 if Ctrl-C ended the training, 1 if a run was to be certified and its repetition differs.

    Everything is saved before the results are printed, so that a reader who closes the pipe loses nothing.
    """
    check_out(plan.out)
    with OneInterrupt() as ctrl_c:
        outcome = _train(plan, output)
        ctrl_c.deaf = True  # what has been trained is saved, however impatient somebody is
        folder = free_folder(plan.out) if outcome.runs.interrupted else plan.out
        replaced = holds_run(folder)
        files = save_runs(outcome.runs, folder)
        document = outcome.to_json()
        write_text(folder / SUMMARY, json_text(document))
        ctrl_c.deaf = outcome.runs.interrupted
        pictures = write_pictures(outcome.figures(), folder) if plan.pictures else []
        files += [SUMMARY, *(path.name for path in pictures)]
        outcome.show(output)
        show_saved(output, folder, files)
        certificate = _certify(outcome, output) if plan.certify else None
        told = {"saved": {"folder": str(folder), "files": files}, "certificate": certificate and asdict(certificate)}
        output.json(document | told)
        if replaced:
            output.note(f"the run saved in {clean(folder)} before has been replaced; other files there were kept")
        if outcome.runs.interrupted:
            _tell_interrupted(output, outcome, folder)
            raise typer.Exit(INTERRUPTED)
        if certificate is not None and not certificate.holds:
            raise typer.Exit(FAILED)


def _certify(outcome: Outcome, output: Output) -> Certificate | None:
    """Train the last network again, alone, and say whether anything differs."""
    runs = outcome.runs
    if runs.interrupted:
        output.note("not certified: the training was interrupted")
        return None
    output.note(f"training seed {runs[-1].seed} again, alone")
    certificate = runs.certify(-1)
    output.result(f"certificate: {certificate}", "bold" if certificate.holds else "bold red")
    return certificate


def _train(plan: Plan, output: Output) -> Outcome:
    """Train and sum up."""
    with Bar(output, "epochs") as bar:
        lines = LiveLines(output, plan.seeds, plan.rates, plan.shown, plan.print_every, task=plan.parts.train.task)
        drawn = TrainingBar(bar)

        def heard(event: ProgressEvent) -> None:
            drawn(event)
            if not bar.on:  # where no bar tells how it goes, lines do, as they come
                lines(event)

        runs = train(
            plan.network,
            plan.source,
            plan.config,
            plan.seeds,
            learning_rates=plan.rates,
            engine=plan.engine,
            threads=plan.resources.threads,
            memory=plan.resources.memory,
            progress=heard,
        )
    lines.end()
    runs = runs.where(lambda run: bool(run.history))  # interrupted before its first line: nothing to tell or save
    if not len(runs):
        raise KeyboardInterrupt
    classes = plan.parts.train.classes
    notes = [f"{NOTE}{plan.rule.text}"] if plan.rule else []
    notes += [f"{CLASSES_NOTE}{json.dumps(classes)}"] if classes else []
    runs = dataclasses.replace(runs, notes=tuple(notes))
    task = plan.parts.train.task
    rates = tuple(summarize(one, plan.shown, plan.rule, plan.print_every, task) for one in by_rate(runs))
    best = best_rate(rates)
    part, dataset = chosen_part(parts_of(plan.source, best.shown))
    return Outcome(plan, runs, rates, best, part, Predictions.of(dataset, outputs_of(best.shown, dataset.X)))


def parts_of(source: DataSource, run: Run) -> Split:
    """Return the data that a run saw."""
    config = run.member.config
    return split(source.draw(run.seed), run.seed, config.validation, config.test, config.stratify)


def free_folder(folder: Path) -> Path:
    """Return the folder itself, or one beside it if it holds a run: an unfinished run replaces no finished one."""
    if not holds_run(folder):
        return folder
    for number in range(1, 1000):
        other = folder.with_name(f"{folder.resolve().name}-interrupted-{number}")
        if not other.exists():
            return other
    raise RunError(f"too many interrupted runs beside {clean(folder)}: remove some")


def _tell_interrupted(output: Output, outcome: Outcome, folder: Path) -> None:
    """Say on stderr what an interrupted training left."""
    asked = len(outcome.plan.seeds) * len(outcome.plan.rates)
    unfinished = sum(run.stop_reason == "interrupted" for run in outcome.runs)
    finished = len(outcome.runs) - unfinished
    output.warn(
        f"interrupted: {finished} of {count(asked, 'network')} finished and {unfinished} are as they were then; "
        f"saved in {clean(folder)}"
    )
