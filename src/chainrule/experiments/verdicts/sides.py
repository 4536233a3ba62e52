"""The two sides of a comparison: recipes, cells of their grids, sweeps or saved runs, brought to one form.

A side has *candidates*: the settings that it may be judged at. With one candidate it is judged as it stands; with
several (an optimizer at each of a recipe's learning rates) it is tuned first, see `experiments.verdicts.fair_tuning`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import ConfigError, one_line
from chainrule.experiments.recipes.grid import Cell, Setting, cells_at, expand, make_setting, seeds_of
from chainrule.experiments.recipes.quantities import values_of
from chainrule.experiments.recipes.recipe import load_recipe
from chainrule.experiments.recipes.scores import successes_of
from chainrule.experiments.recipes.selectors import (
    Selector,
    axes_of,
    parse_selector,
    resolve,
    selector_text,
    selector_words,
)
from chainrule.experiments.recipes.success import CONVERGED, SuccessRule, parse_success, rule_of
from chainrule.experiments.sweeps.experiment import Experiment
from chainrule.experiments.sweeps.result import CellResult, SweepResult
from chainrule.experiments.verdicts.measures import Measure, Values
from chainrule.optim import stopping_rule
from chainrule.run_store import FILE_NAME
from chainrule.runs import Runs

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Recipe

Comparable = "str | Path | Experiment | SweepResult | CellResult | Runs"
"""What can be compared: a recipe (or its file, perhaps ``FILE:selector``), a sweep, a cell, runs (or their folder)."""

Judge = Callable[[Runs], npt.NDArray[np.bool_]]
"""Says of each run (n_runs,) whether it succeeded."""


@dataclass(frozen=True)
class Candidate:
    """One setting of a side.

    Attributes
    ----------
    label : str
        What tells it from the side's other candidates, e.g. ``learning rate 0.1``.
    setting : Setting
        What is trained.
    succeeded : callable
        Says of runs which succeeded.
    runs : Runs or None
        The runs there are, if no others can be had; None: they are trained, or read from a store.
    rule : str
        When a run succeeds, in words; empty if nothing says so.
    first : str
        The quantity that says how soon a run succeeded.
    """

    label: str
    setting: Setting
    succeeded: Judge
    runs: Runs | None = None
    rule: str = ""
    first: str = "epochs"

    def values(self, runs: Runs, measure: Measure) -> Values:
        """Return the measure of each run (n_runs,); NaN where a diverged run has none."""
        if measure.is_success:
            return np.asarray(self.succeeded(runs), dtype=np.float64)
        return values_of(measure.text, runs)


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes
    ----------
    title : str
        Where it comes from: a recipe's id or a folder's name.
    place : dict
        Axis -> value of what was selected.
    candidates : tuple of Candidate
        At least one.
    seeds : tuple of int
        The seeds that its recipe names, or that its runs have.
    name : str
        What it is called in sentences.
    """

    title: str
    place: dict[str, Any] = field(default_factory=dict)
    candidates: tuple[Candidate, ...] = ()
    seeds: tuple[int, ...] = ()
    name: str = ""

    @property
    def grows(self) -> bool:
        """Whether further seeds can be had."""
        return all(candidate.runs is None for candidate in self.candidates)


def side_of(
    given: Any, where: Selector | str | None = None, *, success: str | None = None, quick: bool = False
) -> Side:
    """Bring one side of a comparison to its form.

    Parameters
    ----------
    given : path, Experiment, SweepResult, CellResult or Runs
        A path names a recipe file, a recipe file and a selector (``FILE:optimizer=adam``), or a folder of saved runs.
    where : mapping or str, optional
        Which cells of a recipe or sweep: axis -> value, or ``axis=value,axis=value``.
    success : str, optional
        The success rule, such as ``accuracy>=0.99``, instead of the side's own.
    quick : bool
        Take a recipe's quick settings.

    Raises
    ------
    ChainruleError
        If it cannot be read, or the selector picks nothing.
    """
    rule = None if success is None else parse_success(success)
    if isinstance(given, str | Path):
        given, where = _read(given, where)
    if isinstance(given, Runs):
        _no_selector(where, "saved runs have no axes")
        return _of_runs(given, "runs", rule)
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Runs):
        _no_selector(where, "saved runs have no axes")
        return _of_runs(given[1], given[0], rule)
    if isinstance(given, CellResult):
        _no_selector(where, "a cell has no axes")
        return _of_cell(given, rule)
    if isinstance(given, SweepResult):
        return _of_sweep(given, where, rule)
    recipe = given.recipe if isinstance(given, Experiment) else given
    if not hasattr(recipe, "trains"):
        raise ConfigError(f"cannot compare {one_line(repr(given))}: give a recipe, a sweep, a cell or runs")
    return _of_recipe(recipe, where, rule, quick)


def _read(given: str | Path, where: Selector | str | None) -> tuple[Any, Selector | str | None]:
    """Return what a path names: runs with their folder's name, or a recipe, and the selector behind it."""
    path = Path(given)
    if (path / FILE_NAME).is_file() or path.name == FILE_NAME:
        folder = path if path.is_dir() else path.parent
        return (folder.resolve().name, Runs.load(folder)), where
    text = str(given)
    if not path.exists() and ":" in text:
        file, _, selector = text.partition(":")
        if Path(file).is_file() and selector:
            if where:
                raise ConfigError(f"'{one_line(text)}' names a cell already: leave the other selector out")
            return load_recipe(file), selector
    if path.is_dir():
        raise ConfigError(f"'{one_line(text)}' is a folder without {FILE_NAME}: name a recipe file or a saved run")
    return load_recipe(path), where


def _no_selector(where: Selector | str | None, why: str) -> None:
    if where:
        shown = where if isinstance(where, str) else selector_text(where)
        raise ConfigError(f"'{one_line(shown)}' selects nothing: {why}")


def _of_recipe(recipe: Recipe, where: Selector | str | None, rule: SuccessRule | None, quick: bool) -> Side:
    if not recipe.trains:
        raise ConfigError(f"recipe '{recipe.id}' trains nothing, so there is nothing to compare")
    cells = expand(recipe, quick)
    selector = read_selector(where, cells)
    found = cells_at(cells, selector)
    return Side(recipe.id, _place(selector, found), candidates_of(recipe, found, rule), seeds_of(recipe, quick))


def _of_sweep(result: SweepResult, where: Selector | str | None, rule: SuccessRule | None) -> Side:
    cells = [one.cell for one in result.cells]
    selector = read_selector(where, cells)
    found = cells_at(cells, selector)
    runs = {one.cell: one.runs for one in result.cells}
    candidates = [
        replace(candidate, runs=runs[cell])
        for candidate, cell in zip(candidates_of(result.recipe, found, rule), found, strict=True)
    ]
    seeds = _common(runs[cell] for cell in found)
    return Side(result.recipe.id, _place(selector, found), tuple(candidates), seeds)


def _of_cell(one: CellResult, rule: SuccessRule | None) -> Side:
    candidate = _candidate("", one.cell.setting, _judge_of_rule(rule, one.cell.setting), one.runs)
    return Side(one.cell.recipe, dict(one.cell.place), (candidate,), one.seeds)


def _of_runs(runs: Runs, title: str, rule: SuccessRule | None) -> Side:
    """Saved runs; those of several learning rates are so many candidates."""
    if not len(runs):
        raise ConfigError(f"'{one_line(title)}' holds no runs")
    rule = rule or rule_of(runs)
    groups: dict[Setting, list[Any]] = {}
    for run in runs:
        if run.stop_reason != "interrupted":
            groups.setdefault(make_setting(runs.source, run.member.network, run.member.config), []).append(run)
    candidates = []
    for setting, own in groups.items():
        label = f"learning rate {setting.config.learning_rate:g}" if len(groups) > 1 else ""
        table = replace(runs, runs=tuple(own))
        candidates.append(_candidate(label, setting, _judge_of_rule(rule, setting), table))
    return Side(title, {}, tuple(candidates), _common(one.runs for one in candidates if one.runs is not None))


def candidates_of(recipe: Recipe, cells: Sequence[Cell], rule: SuccessRule | None = None) -> tuple[Candidate, ...]:
    """Return cells of a recipe as candidates, labelled by where they differ."""
    open_axes = [axis for axis, values in axes_of(cells).items() if len(values) > 1]
    found = []
    for cell in cells:
        place = dict(cell.place)
        label = selector_words({axis: place[axis] for axis in open_axes if axis in place})
        ruling = judge_of(recipe, cell.setting) if rule is None else _judge_of_rule(rule, cell.setting)
        found.append(_candidate(label, cell.setting, ruling))
    return tuple(found)


def _candidate(label: str, setting: Setting, ruling: Ruling, runs: Runs | None = None) -> Candidate:
    judge, told, first = ruling
    return Candidate(label, setting, judge, runs, told, first)


def read_selector(where: Selector | str | None, cells: Sequence[Cell]) -> dict[str, Any]:
    """Return a selector, typed or given as a mapping, with full names."""
    axes = axes_of(cells)
    if not where:
        return {}
    return parse_selector(where, axes) if isinstance(where, str) else resolve(where, axes)


Ruling = tuple[Judge, str, str]
"""What says which runs succeeded, the rule in words (empty if there is none), the quantity that says how soon."""


def judge_of(recipe: Recipe, setting: Setting) -> Ruling:
    """Return the success rule of a recipe's cell."""
    judge = partial(successes_of, recipe)
    if recipe.success is None:
        return judge, _stopping_words(setting), "epochs"
    key, at_least, at_most = recipe.success.metric, recipe.success.at_least, recipe.success.at_most
    sign, bound = (">=", at_least) if at_least is not None else ("<=", at_most)
    first = f"first {key}{sign}{bound}" if not key.startswith("test_") else "epochs"
    return judge, f"final {key.replace('_', ' ', 1)} {sign} {bound:g}", first


def _judge_of_rule(rule: SuccessRule | None, setting: Setting) -> Ruling:
    if rule is None:
        return Runs.successes, _stopping_words(setting), "epochs"
    in_history = rule.key != CONVERGED and not rule.key.startswith("test_")
    first = f"first {rule.text}" if in_history else "epochs"
    return lambda runs: runs.successes(rule.holds), rule.told(setting.config), first


def _stopping_words(setting: Setting) -> str:
    """Say which stopping rules mean success; empty if none does."""
    rules = [spec for spec in setting.config.stopping if stopping_rule(spec).converged]
    return f"stopped by {' or '.join(rules)}" if rules else ""


def _place(selector: Selector, found: Sequence[Cell]) -> dict[str, Any]:
    """Return where a side lies: the selector, or the whole place of the only cell."""
    if len(found) > 1:
        return dict(selector)
    variant = {"variant": found[0].variant} if found[0].variant else {}
    return dict(found[0].place) | variant


def _common(tables: Iterable[Runs]) -> tuple[int, ...]:
    """Return the seeds that all tables of runs have, in rising order."""
    sets = [{run.seed for run in runs} for runs in tables]
    return tuple(sorted(set.intersection(*sets))) if sets else ()


def named(a: Side, b: Side) -> tuple[Side, Side]:
    """Give two sides the shortest names that tell them apart: the values by which they differ, or their titles."""
    keys = [key for key in dict.fromkeys([*a.place, *b.place]) if a.place.get(key) != b.place.get(key)]
    names = [selector_words({key: side.place[key] for key in keys if key in side.place}) for side in (a, b)]
    if not all(names) or names[0] == names[1]:
        names = [a.title, b.title]
    if names[0] == names[1]:
        names = ["A", "B"]
    return replace(a, name=names[0]), replace(b, name=names[1])


def take_seeds(runs: Runs, seeds: Sequence[int]) -> Runs:
    """Return the runs of some seeds, in that order."""
    by_seed = {run.seed: run for run in runs}
    return replace(runs, runs=tuple(by_seed[seed] for seed in seeds if seed in by_seed))
