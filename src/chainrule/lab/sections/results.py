"""Section 3: does it learn? Truth beside prediction, curves over seeds, success rates."""

from __future__ import annotations

import numpy as np

from chainrule.lab.context import LabContext, Level
from chainrule.lab.pictures import (
    fan,
    group,
    interval_text,
    prediction_table,
    rate_row,
    truth_figure,
    typical_run,
)
from chainrule.lab.sections._images import confusion, held_out, image_table, mistakes
from chainrule.lab.settings import setting_record
from chainrule.lab.verdicts import rate_verdict
from chainrule.report.records import (
    Cell,
    DistributionFigure,
    FanFigure,
    FanPanel,
    Item,
    RatesFigure,
    SectionRecord,
    TableRecord,
    VerdictRecord,
)
from chainrule.report.sweeps.curves import fan_series
from chainrule.report.sweeps.words import rate_text, shown
from chainrule.stats import MIN_PAIRS, median_interval

RECIPES = ("results", "results_digits", "results_mnist")


def results(context: LabContext) -> SectionRecord:
    """Show how each data set is learned, over seeds."""
    sections: list[Item] = []
    levels: list[Level] = []
    for case in context.cases("results"):
        for level in context.levels("results", case=case):
            levels.append(level.called(case))
            sections.append(_points_section(context, case, level))
    for recipe, name in (("results_digits", "digits"), ("results_mnist", "mnist")):
        if context.wanted(recipe):
            for level in context.levels(recipe):
                levels.append(level.called(name))
                sections.append(_images_section(context, recipe, name, level))
    summary: list[Item] = []
    if levels:
        summary = [
            RatesFigure(
                id="results-rates",
                title="How often it works",
                rows=tuple(rate_row(level.called(f"{level.name}: {level.rule}")) for level in levels),
                caption="Share of seeds that met the rule named with each data set; exact binomial 95 % intervals.",
            ),
            _summary_table(levels),
        ]
    return SectionRecord(
        id="results",
        title="Results: does it learn?",
        lead="One setting per data set, many seeds. A picture of a single network is of the seed with the median loss, "
        "not of the best one.",
        items=(*summary, *sections, setting_record(context, *(name for name in RECIPES if context.wanted(name)))),
    )


def _points_section(context: LabContext, case: str, level: Level) -> SectionRecord:
    """Show one 2-D data set: truth and prediction, points' table, curves, epochs to success."""
    run = typical_run(level)
    dataset = context.source(level.runs.source).draw(run.seed)
    key = f"final {'validation_accuracy' if 'validation_accuracy' in run.final else 'accuracy'}"
    named = level.called(case)
    return SectionRecord(
        id=f"results-{case}",
        title=case,
        items=(
            truth_figure(
                f"results-{case}-truth",
                f"{case}: ground truth, prediction and decision boundary (seed {run.seed})",
                run,
                dataset,
                level.runs,
                "Thin lines are the boundaries of eight other seeds.",
            ),
            fan(f"results-{case}-loss", f"{case}: loss", [("", [named])], "loss", _fan_caption(level), log_x=True),
            fan(
                f"results-{case}-accuracy",
                f"{case}: accuracy",
                [("", [named])],
                "accuracy",
                _fan_caption(level),
                log_x=True,
            ),
            DistributionFigure(
                id=f"results-{case}-epochs",
                title=f"{case}: epochs until {level.rule} first held",
                groups=(group(named, level.first),),
                value_label="epochs",
                style="ecdf",
                log=True,
                caption="Share of all seeds; the curve levels off where the others never got there.",
            ),
            prediction_table(f"results-{case}-predictions", f"{case}: every point of seed {run.seed}", run, dataset),
            rate_verdict(f"{case}, widths (4, 4), learning rate 1", level),
            median_verdict(case, level, key),
        ),
    )


def median_verdict(case: str, level: Level, key: str) -> VerdictRecord:
    """Say the median of a final metric with its interval."""
    values = level.values(key)
    interval = median_interval(values) if len(values) >= MIN_PAIRS else None
    words = key.replace("final", "median").replace("validation_", "held-out ")
    told = f"{case}: the {words} at the end is {shown(float(np.median(values)))}"
    if interval is None:
        told += f"; {len(values)} seeds are too few for an interval"
    else:
        told += f" (95 % interval {shown(interval.low)} to {shown(interval.high)})"
    return VerdictRecord(
        sentence=f"{told}.",
        n_seeds=len(values),
        interval=None if interval is None else (interval.low, interval.high, interval.level),
        interval_of="the median",
    )


def _images_section(context: LabContext, recipe: str, name: str, level: Level) -> SectionRecord:
    """Show an image data set: held-out images with predictions, train and validation curves."""
    run = typical_run(level, "validation_loss")
    named = level.called(name)
    unseen = held_out(context, run, level)
    outputs = run.predict(unseen.X)
    return SectionRecord(
        id=f"results-{name}",
        title=name,
        items=(
            mistakes(f"results-{name}-mistakes", name, run, unseen, outputs=outputs),
            FanFigure(
                id=f"results-{name}-loss",
                title=f"{name}: loss in training and on held-out images",
                panels=(
                    FanPanel(
                        series=(
                            fan_series("training", level.runs, "loss"),
                            fan_series("held out", level.runs, "validation_loss"),
                        )
                    ),
                ),
                log_y=True,
                caption=_fan_caption(level),
            ),
            fan(
                f"results-{name}-validation",
                f"{name}: held-out accuracy",
                [("", [named])],
                "validation_accuracy",
                _fan_caption(level),
            ),
            DistributionFigure(
                id=f"results-{name}-epochs",
                title=f"{name}: epochs until {level.rule} first held",
                groups=(group(named, level.first),),
                value_label="epochs",
                style="ecdf",
                caption="Share of all seeds; the curve levels off where the others never got there.",
            ),
            confusion(f"results-{name}-confusion", name, run, unseen, outputs=outputs),
            image_table(f"results-{name}-predictions", name, run, unseen),
            rate_verdict(name, level),
            median_verdict(name, level, "final validation_accuracy"),
        ),
    )


def _fan_caption(level: Level) -> str:
    return f"Median, 50 % and 90 % of {len(level.runs)} seeds; single runs faint."


def _summary_table(levels: list[Level]) -> TableRecord:
    """Return a row per data set: success, loss, accuracies, epochs."""
    rows: list[tuple[Cell, ...]] = []
    for level in levels:
        rate = level.rate
        has_validation = "validation_accuracy" in level.runs[0].final
        rows.append(
            (
                level.name,
                level.rule,
                rate.n,
                rate_text(rate),
                interval_text(level.values("final loss")),
                interval_text(level.values("final accuracy")),
                interval_text(level.values("final validation_accuracy")) if has_validation else "–",
                interval_text(level.values(level.first)),
            )
        )
    columns = (
        "data",
        "success means",
        "seeds",
        "succeeded",
        "loss",
        "training accuracy",
        "held-out accuracy",
        "epochs",
    )
    return TableRecord(
        id="results-table",
        title="Medians over seeds, with 95 % intervals",
        columns=columns,
        rows=tuple(rows),
        align=("left", "left", *("right" for _ in columns[2:])),
    )
