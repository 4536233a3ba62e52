"""What studies of the reports' size would show: how often so few runs give the order that a report states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chainrule.experiments import Cell, Results, expand, find_cell, seeds_of
from chainrule.experiments.recipes.quantities import values_of
from chainrule.experiments.verdicts.audit import audit_values
from chainrule.experiments.verdicts.measures import parse_measure
from chainrule.experiments.verdicts.verdict import Verdict
from chainrule.lab.replication import replication_recipes
from chainrule.report.records import Bar, BarFigure, SectionRecord, TableRecord, VerdictRecord
from chainrule.report.records import Cell as TableCell
from chainrule.stats.audit import Shown

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Recipe

SEEDS = 200
"""Seeds behind the audit of a study with several runs a setting, each of which could be one unlike ours: 30 would say
little. Those studies are cheap to train."""

LOW_CHANCE = 0.9
"""An order that studies show less often than this does not stand on its runs."""


@dataclass(frozen=True)
class Place:
    """A setting that a report compares: its recipe, cell and variant, and its name in the claim."""

    name: str
    recipe: str
    cell: dict[str, Any] = field(default_factory=dict)
    variant: str | None = None


@dataclass(frozen=True)
class Study:
    """A comparison as a report made it.

    Attributes
    ----------
    id : str
        The experiment.
    data : str
        What it is trained on.
    places : tuple of Place
        The settings, the one that the report found better first.
    quantity : str
        What is compared, by its mean over the runs.
    runs : int
        Runs a setting in the report.
    """

    id: str
    data: str
    places: tuple[Place, ...]
    quantity: str
    runs: int

    @property
    def claim(self) -> str:
        """The order as the report states it."""
        return " > ".join(place.name for place in self.places)


def _optimizers(ident: str, recipe: str, case: str, names: Sequence[str], quantity: str, runs: int) -> Study:
    """Return a comparison of optimizers on one data set; one in quotation marks runs as the report wrote it."""
    specs = {"SGD": "sgd", "momentum": "momentum(0.9)", "Adam": "adam", "Adagrad": "adagrad", "“Adagrad”": "adagrad"}
    places = tuple(
        Place(
            name,
            recipe,
            {"case": case, "training.optimizer": specs[name]},
            "as_written" if name.startswith("“") else None,
        )
        for name in names
    )
    return Study(ident, case, places, quantity, runs)


def _rate(rate: float) -> Place:
    return Place(f"rate {rate:g}", "D2", {"training.learning_rate": rate})


STUDIES = (
    _optimizers("A8", "A8", "linear", ("momentum", "SGD"), "epochs", 5),
    _optimizers("A8", "A8", "xor", ("momentum", "SGD"), "epochs", 5),
    _optimizers("A9", "A9", "linear", ("“Adagrad”", "SGD"), "epochs", 5),
    _optimizers("A9", "A9", "xor", ("“Adagrad”", "SGD"), "epochs", 5),
    _optimizers("A9", "A9", "xor", ("“Adagrad”", "momentum"), "epochs", 5),
    _optimizers("A9", "A9", "linear", ("momentum", "“Adagrad”"), "epochs", 5),
    _optimizers("A9", "A9", "xor", ("Adagrad", "momentum"), "epochs", 5),
    _optimizers("C9", "C9", "linear", ("Adam", "momentum", "SGD"), "first mse<=0.01", 1),
    _optimizers("C9", "C9", "xor", ("Adam", "momentum", "SGD"), "first mse<=0.01", 1),
    Study("D2", "linear", (_rate(0.01), _rate(0.1)), "final validation_accuracy", 1),
    Study("D5", "linear", (Place("Adam", "D5"), Place("SGD", "D1")), "final validation_accuracy", 1),
)
"""The comparisons that reports A, C and D draw from 1 or 5 runs a setting."""


def audit_work(quick: bool = False, seeds: int | None = None) -> list[tuple[Cell, tuple[int, ...]]]:
    """Return what the audit needs trained beside the replication, ready for `make_jobs`.

    Parameters
    ----------
    quick : bool
        In the quick run there is no audit.
    seeds : int, optional
        Seeds per setting that somebody asked for: then the audit takes no others.
    """
    if quick or seeds is not None:
        return []
    recipes = {recipe.id: recipe for recipe in replication_recipes()}
    return [
        (cell, study_seeds(study, recipes[place.recipe]))
        for study in STUDIES
        if study.runs > 1
        for place, cell in zip(study.places, study_cells(study, recipes), strict=True)
    ]


def study_cells(study: Study, recipes: Mapping[str, Recipe], quick: bool = False) -> list[Cell]:
    """Return the cell of each of a study's settings."""
    return [find_cell(expand(recipes[one.recipe], quick), one.cell, one.variant) for one in study.places]


def study_seeds(study: Study, recipe: Recipe) -> tuple[int, ...]:
    """Return our seeds behind a study: for one with a single run a setting those of the replication say enough."""
    return seeds_of(recipe, count=SEEDS) if study.runs > 1 else seeds_of(recipe)


def audit_studies(
    results: Results, quick: bool = False, seeds: int | None = None, studies: Sequence[Study] = STUDIES
) -> list[tuple[Study, Verdict]]:
    """Return how often each study would show its order; studies of which a setting was not run are left out.

    Parameters
    ----------
    results : Results
        The runs of `audit_work` and of the replication.
    quick, seeds
        As for `audit_work`.
    studies : sequence of Study
        What is audited.
    """
    recipes = {recipe.id: recipe for recipe in replication_recipes()}
    found = []
    for study in studies:
        if any(seeds_of(recipes[place.recipe], quick) == () for place in study.places):
            continue
        columns = []
        for place, cell in zip(study.places, study_cells(study, recipes, quick), strict=True):
            recipe = recipes[place.recipe]
            runs = results.of(cell, study_seeds(study, recipe) if seeds is None else seeds_of(recipe, count=seeds))
            columns += [] if runs is None else [values_of(study.quantity, runs)]
        if len(columns) == len(study.places):
            names = [place.name for place in study.places]
            statistic: Shown = "median" if study.runs == 1 else "mean"  # the same of one run; of ours it stays finite
            verdict = audit_values(names, columns, parse_measure(study.quantity), study.runs, statistic=statistic)
            found.append((study, verdict))
    return found


def audit_section(results: Results, quick: bool = False, seeds: int | None = None) -> SectionRecord | None:
    """Return the section on what studies of the reports' size would show; None where none of them was run."""
    audited = audit_studies(results, quick, seeds)
    if not audited:
        return None
    return SectionRecord(
        id="replication-audit",
        title="What a study of that size would show",
        lead="The reports compare settings by 1 or 5 runs each. Here such studies are drawn again and again from our "
        "seeds: how often do they show the order that the report states, whatever the truth?",
        items=(_figure(audited), _table(audited), _summary(audited)),
    )


def _figure(audited: Sequence[tuple[Study, Verdict]]) -> BarFigure:
    bars = []
    for study, verdict in audited:
        assert verdict.interval is not None, "an audit has an interval"
        share = verdict.numbers["chance"]["shows"]
        name = f"{study.id} {study.data}: {study.claim}"
        bars.append(Bar(name=name, value=100 * share, low=100 * verdict.interval.low, high=100 * verdict.interval.high))
    return BarFigure(
        id="replication-audit-chances",
        title="Chance that a study of the report's size shows the order that it states",
        bars=tuple(bars),
        value_label="per cent of studies",
        caption="95 % intervals: what our own seeds leave open. “Adagrad” runs as the report wrote it.",
    )


def _table(audited: Sequence[tuple[Study, Verdict]]) -> TableRecord:
    rows: list[tuple[TableCell, ...]] = []
    for study, verdict in audited:
        chance = verdict.numbers["chance"]
        means = ", ".join(f"{name} {value:.4g}" for name, value in verdict.numbers["ours"].items())
        interval = f"{100 * chance['interval']['low']:.0f} to {100 * chance['interval']['high']:.0f} %"
        rows.append(
            (
                f"{study.id} {study.data}",
                study.claim,
                study.quantity,
                study.runs,
                100 * chance["shows"],
                interval,
                100 * chance["reversed"],
                verdict.n_seeds,
                means,
            )
        )
    columns = ("", "claim", "by", "runs each", "shown in %", "interval", "reversed in %", "seeds", "ours")
    return TableRecord(
        id="replication-audit-table",
        title="Studies of the reports' size, drawn from our seeds",
        columns=columns,
        rows=tuple(rows),
        align=("left", "left", "left", "right", "right", "right", "right", "right", "left"),
        formats=("", "", "", "", ".0f", "", ".0f", "", ""),
        caption="“>” means better. Each side of a study draws its runs from our seeds, with replacement and unpaired; "
        "a run that never got there is worse than any that did. Ours: means, for studies of one run medians.",
    )


def _summary(audited: Sequence[tuple[Study, Verdict]]) -> VerdictRecord:
    """Say which of the orders do not stand on their runs."""
    shares = [(study, verdict.numbers["chance"]["shows"]) for study, verdict in audited]
    weak = sorted((one for one in shares if one[1] < LOW_CHANCE), key=lambda one: one[1])
    listed = "; ".join(f"{study.id} on {study.data} data, {study.claim}: {100 * share:.2g} %" for study, share in weak)
    strong = len(audited) - len(weak)
    return VerdictRecord(
        sentence=f"Of {len(audited)} orders that the reports state from 1 or 5 runs a setting, {strong} would be shown "
        f"by at least nine of ten such studies, {len(weak)} less often" + (f" ({listed})." if weak else "."),
        n_seeds=min(verdict.n_seeds for _, verdict in audited),
        evidence={f"{study.id} {study.data} {study.claim}": share for study, share in shares},
    )
