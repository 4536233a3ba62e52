"""The replication: every figure and claim of the five reports beside what the same setting gives us.

The recipes in ``recipes/replication`` hold one experiment each, with the reported numbers and the assumptions made.
`replication_work` says what to train, `replicate` turns the results into rows, `to_records` into a report's records.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from chainrule.data import mnist_available
from chainrule.experiments import Cell, Results, expand, find_cell, load_recipe, parse_quantity, seeds_of
from chainrule.lab.replication_claims import judge_claim
from chainrule.lab.replication_figures import judge_reported, unit_of
from chainrule.lab.replication_judging import VERDICTS, Judgement, explained
from chainrule.lab.worked_example import entry
from chainrule.runs import Runs

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Checked, Claim, Figure, Recipe, WorkedExample

RECIPES = Path(__file__).parent / "recipes" / "replication"

TOLD = ("exact", "typical", "typical, fitted", *VERDICTS[1:])
"""The verdicts in the order of tables, with the typical ones told apart."""


@dataclass(frozen=True)
class ReplicationRow:
    """One reported figure or claim, placed in our distribution.

    Attributes
    ----------
    id, report, label : str
        E.g. ``A1.3``, ``A``, ``loss at epoch 100``.
    setting : str
        The experiment's title and the cell.
    reported : str
        As the report prints it; empty for a claim in words.
    value : float or None
        The reported number, in `unit`.
    quantity : str
        What is compared (see `chainrule.experiments.recipes.quantities`), or the claim's kind and quantity.
    unit : str
        ``""``, ``"%"`` or ``"% of seeds"``: what median, low and high are in.
    n_seeds : int
        Seeds behind the row.
    median, low, high : float or None
        Our median and middle 90 % (fewer than 20 seeds: their range); for a share of seeds the share and its exact
        90 % interval.
    percentile : float or None
        Where the reported number falls among ours, 0 to 100.
    verdict, why : str
        One of `VERDICTS` and the reason in words.
    variant : str or None
        The recipe's variant; None is the correct setting.
    as_written : ReplicationRow or None
        The same comparison with the report's defect.
    readings : tuple of ReplicationRow
        The same comparison under other readings of what the report leaves open.
    fitted : bool
        Whether a value that the report does not state was chosen because it brings this row about.
    exact : bool
        Whether it is an identity that no seed enters.
    note : str
        What else the reader should know.
    is_claim : bool
        Whether the report says it in words.
    log : bool
        Whether the quantity is best drawn by ratios.
    """

    id: str
    report: str
    label: str
    setting: str
    reported: str
    value: float | None
    quantity: str
    unit: str = ""
    n_seeds: int = 0
    median: float | None = None
    low: float | None = None
    high: float | None = None
    percentile: float | None = None
    verdict: str = "not run"
    why: str = ""
    variant: str | None = None
    as_written: ReplicationRow | None = None
    readings: tuple[ReplicationRow, ...] = ()
    fitted: bool = False
    exact: bool = False
    note: str = ""
    is_claim: bool = False
    log: bool = False

    @property
    def told(self) -> str:
        """The verdict as tables and counts tell it: figures that were fitted or are exact are no news if typical."""
        if self.verdict != "typical":
            return self.verdict
        return "exact" if self.exact else "typical, fitted" if self.fitted else "typical"

    @property
    def judged(self) -> bool:
        """Whether our seeds gave it a verdict."""
        return not self.exact and self.verdict not in ("no verdict", "not run")


@lru_cache(maxsize=1)
def replication_recipes() -> tuple[Recipe, ...]:
    """Read the recipes of the replication, in the reports' order."""
    return tuple(sorted((load_recipe(path) for path in RECIPES.glob("*.toml")), key=_order))


def _order(recipe: Recipe) -> tuple[str, int, str]:
    """Sort A1, A2, ..., A10 by number."""
    number = re.search(r"\d+", recipe.id)
    return recipe.id[0], int(number[0]) if number else 0, recipe.id


def replication_work(
    recipes: Sequence[Recipe] | None = None,
    quick: bool = False,
    seeds: int | None = None,
    data_dir: str | Path | None = None,
) -> list[tuple[Cell, tuple[int, ...]]]:
    """Return what the replication needs trained: cells with their seeds, ready for `make_jobs`.

    Parameters
    ----------
    recipes : sequence of Recipe, optional
        All of the replication's by default.
    quick : bool
        Leave out what takes long.
    seeds : int, optional
        Seeds per setting instead of the recipes' own numbers; MNIST never gets more than its own.
    data_dir : path, optional
        Where MNIST is looked for first; its recipes are left out if it is not at hand.
    """
    chosen = replication_recipes() if recipes is None else recipes
    wanted = [recipe for recipe in chosen if recipe.trains and _skipped(recipe, quick, data_dir) is None]
    return [(cell, _seeds(recipe, quick, seeds)) for recipe in wanted for cell in expand(recipe, quick)]


def _on_mnist(recipe: Recipe) -> bool:
    return recipe.data is not None and recipe.data.source.startswith("mnist")


def _seeds(recipe: Recipe, quick: bool, seeds: int | None) -> tuple[int, ...]:
    """Return a recipe's seeds; one that is left out of the quick run stays out."""
    own = seeds_of(recipe, quick)
    if seeds is None or not own:
        return own
    return seeds_of(recipe, quick, min(seeds, len(own)) if _on_mnist(recipe) else seeds)


def _skipped(recipe: Recipe, quick: bool, data_dir: str | Path | None) -> str | None:
    """Say why a recipe is not run, or return None."""
    if recipe.waits_for is not None:
        return f"waits for {recipe.waits_for}"
    if recipe.worked_example is not None:
        return None
    if quick and recipe.seeds.quick == 0:
        return "not run in quick mode"
    if _on_mnist(recipe) and not mnist_available(data_dir):
        return "MNIST is not at hand"
    return None


def replicate(
    results: Results,
    recipes: Sequence[Recipe] | None = None,
    quick: bool = False,
    seeds: int | None = None,
    data_dir: str | Path | None = None,
) -> list[ReplicationRow]:
    """Place every reported figure and claim in our distribution.

    Parameters
    ----------
    results : Results
        What training the cells of `replication_work` (same arguments) brought.
    recipes, quick, seeds, data_dir
        As for `replication_work`.

    Returns
    -------
    list of ReplicationRow
        One per figure and claim, whether it could be run or not.
    """
    rows = []
    for recipe in replication_recipes() if recipes is None else recipes:
        found = _Found(recipe, results, quick, _seeds(recipe, quick, seeds) if recipe.trains else ())
        skipped = _skipped(recipe, quick, data_dir)
        rows += [_figure_row(recipe, figure, found, skipped) for figure in recipe.figures]
        rows += [_claim_row(recipe, claim, found, skipped) for claim in recipe.claims]
    return rows


def verdict_counts(rows: Iterable[ReplicationRow]) -> dict[str, int]:
    """Count the rows of each verdict as told, in the order of `TOLD`; verdicts that nobody got are left out."""
    counts = Counter(row.told for row in rows)
    return {verdict: counts[verdict] for verdict in TOLD if counts[verdict]}


class _NotRunError(Exception):
    """There are no runs to compare with; the message is the row's reason."""


class _Found:
    """The runs of a recipe's cells."""

    def __init__(self, recipe: Recipe, results: Results, quick: bool, seeds: tuple[int, ...]) -> None:
        self.results, self.quick, self.seeds = results, quick, seeds
        self.cells = expand(recipe, quick)
        self.variants = {name: one.reading for name, one in recipe.variants.items() if one.reading}

    def readings(self, selectors: Sequence[Mapping[str, object]]) -> dict[str, str]:
        """Return the other readings, variant and words, that exist where any of the selectors points."""
        there = {cell.variant for cell in self.cells for selector in selectors if cell.at(selector)}
        return {name: words for name, words in self.variants.items() if name in there}

    def runs(self, selector: dict[str, object], variant: str | None, *quantities: str) -> Runs:
        """Return the runs of a cell, or raise `_NotRunError` if there are none or they are too short."""
        cell = find_cell(self.cells, selector, variant)
        runs = self.results.of(cell, self.seeds)
        if runs is None:
            raise _NotRunError(self.results.missing.get(cell.setting.key, "not run"))
        trained = cell.setting.config.epochs
        for quantity in quantities:
            needed = parse_quantity(quantity).epochs_needed(cell.full_epochs)
            if needed > trained and any(run.stop_reason in ("epochs", "interrupted") for run in runs):
                raise _NotRunError(f"not run in quick mode: needs {needed:,} epochs, had {trained:,}")
        return runs


Judge = Callable[[str | None], tuple[Judgement, float, str]]
"""Judges a row in one variant: the judgement, the factor to the row's unit, the unit."""


def _figure_row(recipe: Recipe, figure: Figure, found: _Found, skipped: str | None) -> ReplicationRow:
    """Make the row of a reported number."""
    plain = replace(_blank(recipe, figure), reported=figure.reported, value=figure.value, quantity=figure.quantity)
    place = [f"{v}" if axis == "case" else f"{axis.split('.')[-1]} {v}" for axis, v in figure.cell.items()]
    if place:
        plain = replace(plain, setting=f"{recipe.title} ({', '.join(place)})")
    if recipe.worked_example is not None:
        return _worked(recipe.worked_example, figure, plain)
    unit = unit_of(figure.quantity)
    plain = replace(plain, unit=unit, log=not unit)

    def judge(variant: str | None) -> tuple[Judgement, float, str]:
        return judge_reported(figure, found.runs(figure.cell, variant, figure.quantity))

    return _row(plain, figure, judge, skipped, found.readings([figure.cell]))


def _claim_row(recipe: Recipe, claim: Claim, found: _Found, skipped: str | None) -> ReplicationRow:
    """Make the row of what a report says in words."""
    plain = replace(_blank(recipe, claim), quantity=f"{claim.kind}: {claim.quantity}", is_claim=True)
    readings = found.readings([*claim.cells, *claim.over, *claim.under])
    return _row(plain, claim, lambda v: judge_claim(claim, lambda c, *q: found.runs(c, v, *q)), skipped, readings)


def _blank(recipe: Recipe, row: Checked) -> ReplicationRow:
    """Return the row as far as the report alone decides it."""
    fitted = recipe.fitted if row.fitted is None else row.fitted
    return ReplicationRow(
        row.id,
        recipe.report,
        row.label,
        recipe.title,
        reported="",
        value=None,
        quantity="",
        note=row.note,
        fitted=fitted,
    )


def _row(
    plain: ReplicationRow, row: Checked, judge: Judge, skipped: str | None, readings: Mapping[str, str]
) -> ReplicationRow:
    """Judge the setting itself and, beside it, the one with the report's defect and those read otherwise."""
    if skipped is not None:
        return replace(plain, variant=row.variant, why=skipped)
    main = _judged(plain, judge, row.variant)
    if main.verdict == "not run":
        return main
    if row.no_verdict is not None:
        return replace(main, verdict="no verdict", why=row.no_verdict)
    if row.as_written is not None:
        beside = _judged(replace(plain, setting=f"{plain.setting}, as written"), judge, row.as_written)
        verdict = explained(_judgement(main), _judgement(beside), row.defect or "")
        main = replace(main, verdict=verdict.verdict, why=verdict.why, as_written=beside)
    return _read_otherwise(main, plain, judge, readings) if row.variant is None else main


def _read_otherwise(
    main: ReplicationRow, plain: ReplicationRow, judge: Judge, readings: Mapping[str, str]
) -> ReplicationRow:
    """Put other readings beside a row; they say what would make it typical, but never change its verdict."""
    others = []
    why = main.why
    for variant, words in readings.items():
        setting = f"{plain.setting}, another reading: {words}"
        others.append(_judged(replace(plain, setting=setting, fitted=False), judge, variant))
        if others[-1].verdict == "typical" and main.verdict != "typical":
            why += f"; another reading would make it typical: {words}"
    return replace(main, why=why, readings=tuple(others))


def _judged(plain: ReplicationRow, judge: Judge, variant: str | None) -> ReplicationRow:
    """Fill a row with the judgement of one variant."""
    try:
        judged, scale, unit = judge(variant)
    except _NotRunError as reason:
        return replace(plain, variant=variant, verdict="not run", why=str(reason))
    median, low, high = (None if x is None else x * scale + 0.0 for x in (judged.median, judged.low, judged.high))
    return replace(
        plain,
        variant=variant,
        unit=unit,
        n_seeds=judged.n_seeds,
        median=median,
        low=low,
        high=high,
        percentile=judged.percentile,
        verdict=judged.verdict,
        why=judged.why,
        log=plain.log and not judged.share,
    )


def _judgement(row: ReplicationRow) -> Judgement:
    return Judgement(row.verdict, row.why, row.n_seeds)


def _worked(example: WorkedExample, figure: Figure, plain: ReplicationRow) -> ReplicationRow:
    """Compare a number of the worked example: equal to its last digit, or wrong."""
    value = entry(example, figure.quantity) + 0.0  # no -0
    equal = abs(value - figure.value) <= figure.tolerance
    why = "exact: the same number by trace and by the scalar network" if equal else f"the exact value is {value:.6g}"
    verdict = "typical" if equal else "cannot occur"
    return replace(plain, median=value, low=value, high=value, verdict=verdict, why=why, exact=True)
