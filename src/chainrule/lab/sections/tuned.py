"""Optimizers and activations, compared fairly: every candidate is tuned over the same rates before it is judged.

Tuning and judging on the same seeds would flatter whoever has more luck to choose from (the winner's curse),
so the first half of the seeds chooses each candidate's learning rate and the second half judges it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.experiments.recipes.words import value_word
from chainrule.experiments.verdicts.fair_tuning import Score, best_of, success_score
from chainrule.lab.context import LabContext, Level
from chainrule.lab.pictures import fan, group, interval_text, rate_row
from chainrule.lab.sections._sweep import few, slug
from chainrule.lab.settings import setting_record
from chainrule.lab.verdicts import comparison_verdict, extremes_verdict, share, tied_with_best
from chainrule.report.records import (
    Cell,
    DistributionFigure,
    HeatmapFigure,
    Item,
    RatesFigure,
    SectionRecord,
    TableRecord,
)
from chainrule.report.sweeps.words import rate_text
from chainrule.stats import compare_metric

OPTIMIZERS = ("optimizers",)
ACTIVATIONS = ("activations",)


@dataclass(frozen=True)
class Tuned:
    """A candidate at the rate that tuning chose.

    Attributes
    ----------
    name : str
        The candidate.
    rate : float
        Its learning rate.
    judged : Level
        Its runs on the judging seeds.
    all_rates : tuple of Level
        Its runs on all seeds, a level per learning rate.
    """

    name: str
    rate: float
    judged: Level
    all_rates: tuple[Level, ...]


def tune(context: LabContext, recipe: str, axis: str, case: str) -> list[Tuned]:
    """Choose each candidate's rate on the first half of the seeds; return its runs on the second half."""
    cells = [cell for cell in context.cells(recipe) if cell.at({"case": case})]
    names = dict.fromkeys(dict(cell.place)[axis] for cell in cells)
    chosen = []
    for name in names:
        levels = context.levels(recipe, **{"case": case, axis.replace(".", "__"): name})
        if not levels:
            continue
        best = best_of(levels, lambda level: score(level.halves()[0]))
        judged = best.halves()[1].called(value_word(name))
        chosen.append(Tuned(value_word(name), float(best.value), judged, tuple(levels)))
    return chosen


def score(level: Level) -> Score:
    """Rank rates: first by successes, then by the mean speed of getting there."""
    return success_score(level.success, level.values(level.first))


def optimizers(context: LabContext) -> SectionRecord:
    """Is Adam better than momentum, and momentum better than plain descent?"""
    items: list[Item] = []
    for case in context.cases("optimizers"):
        tuned = tune(context, "optimizers", "training.optimizer", case)
        items += _case_items("optimizers", "optimizer", case, tuned)
        items += _order(case, tuned, ("adam", "momentum", "sgd"))
    items.append(setting_record(context, "optimizers"))
    return SectionRecord(
        id="optimizers",
        title="Optimizers",
        lead="Each optimizer is tuned over the same learning rates on half of the seeds and judged on the other half; "
        "a comparison at one rate for all would only say whom that rate suits.",
        items=tuple(items),
    )


def activations(context: LabContext) -> SectionRecord:
    """Which hidden activation learns fastest?"""
    items: list[Item] = []
    for case in context.cases("activations"):
        tuned = tune(context, "activations", "network.activation", case)
        items += _case_items("activations", "activation", case, tuned)
    items.append(setting_record(context, "activations"))
    return SectionRecord(
        id="activations",
        title="Activations",
        lead="The hidden layers' activation changes, the output stays a sigmoid. Initial weights follow the activation "
        "(Glorot or He), and every activation is tuned over the same learning rates before it is judged.",
        items=tuple(items),
    )


def _case_items(recipe: str, noun: str, case: str, tuned: Sequence[Tuned]) -> list[Item]:
    """Return the figures, table and verdict of one data set."""
    if not tuned:
        return []
    levels = [candidate.judged for candidate in tuned]
    ident = f"{recipe}-{slug(case)}"
    n, rule = len(levels[0].runs), levels[0].rule
    verdict = extremes_verdict(f"{case}, each at its tuned rate", levels)
    return [
        fan(
            f"{ident}-loss",
            f"Loss by {noun}, each at its tuned rate: {case}",
            [("", few(levels))],
            "loss",
            f"Median, 50 % and 90 % of {n} judging seeds.",
            log_x=True,
            show_runs=False,
        ),
        _heatmap(f"{ident}-grid", noun, case, tuned),
        RatesFigure(
            id=f"{ident}-rates",
            title=f"Success rate at the tuned rate: {case}",
            rows=tuple(rate_row(level) for level in levels),
            value_label=f"share of judging seeds with {rule} at the end",
        ),
        DistributionFigure(
            id=f"{ident}-epochs",
            title=f"Epochs until {rule} first held, at the tuned rate: {case}",
            groups=tuple(group(level, level.first) for level in levels),
            value_label="epochs",
            log=True,
        ),
        _table(f"{ident}-table", noun, case, tuned),
        *([verdict] if verdict is not None else []),
    ]


def _heatmap(ident: str, noun: str, case: str, tuned: Sequence[Tuned]) -> HeatmapFigure:
    """Return the success rate over candidates and learning rates, all seeds."""
    values = np.array([[level.rate.rate for level in candidate.all_rates] for candidate in tuned])
    n = len(tuned[0].all_rates[0].runs)
    return HeatmapFigure(
        id=ident,
        title=f"Share of seeds that succeeded: {case}",
        values=values,
        rows=tuple(candidate.name for candidate in tuned),
        columns=tuple(f"{float(level.value):g}" for level in tuned[0].all_rates),
        value_label="success rate",
        x_label="learning rate",
        y_label=noun,
        number_format=".0%",
        caption=f"{tuned[0].judged.rule} at the end; all {n} seeds.",
    )


def _table(ident: str, noun: str, case: str, tuned: Sequence[Tuned]) -> TableRecord:
    """Return a row per candidate at its tuned rate, on the judging seeds."""
    best = set(tied_with_best([candidate.judged for candidate in tuned]))
    rows: list[tuple[Cell, ...]] = []
    for candidate in tuned:
        rate = candidate.judged.rate
        rows.append(
            (
                candidate.name,
                f"{candidate.rate:g}",
                rate.n,
                rate_text(rate),
                interval_text(candidate.judged.values(candidate.judged.first)),
                interval_text(candidate.judged.values("final loss")),
                candidate.name in best,
            )
        )
    columns = (noun, "tuned rate", "seeds", "succeeded", "epochs to success", "final loss", "not told from the best")
    return TableRecord(
        id=ident,
        title=f"At the tuned rate, on seeds that tuning did not see: {case}",
        columns=columns,
        rows=tuple(rows),
        align=("left", *("right" for _ in columns[1:])),
        caption=f"Success: {tuned[0].judged.rule}. Rates with exact 95 % intervals, compared with the best by the "
        "exact McNemar test (Holm-corrected over all pairs); medians with distribution-free 95 % intervals.",
    )


def _order(case: str, tuned: Sequence[Tuned], names: tuple[str, ...]) -> list[Item]:
    """Test a claimed order pair by pair on epochs to success, never-reached counted as the budget's end."""
    by_name = {candidate.name: candidate for candidate in tuned}
    verdicts: list[Item] = []
    for first, second in itertools.pairwise(names):
        if first not in by_name or second not in by_name:
            continue
        a, b = by_name[first], by_name[second]
        budget = float(a.judged.runs[0].member.config.epochs)
        x, y = (np.nan_to_num(one.judged.values(one.judged.first), nan=budget, posinf=budget) for one in (a, b))
        names_told = (f"{first} at {a.rate:g}", f"{second} at {b.rate:g}")
        compared = compare_metric(x, y, names_told, "epochs to success", "lower", "mean")
        verdicts.append(
            comparison_verdict(
                f"{case}: {compared.verdict_sentence('needed fewer epochs to succeed')} "
                f"A seed that never succeeded counts with all {budget:.0f} epochs ({first}: {share(a.judged.rate)}; "
                f"{second}: {share(b.judged.rate)}).",
                compared,
                claim=f"{first} before {second}",
            )
        )
    return verdicts
