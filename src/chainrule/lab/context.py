"""What every section of the report is built from: the recipes, what was asked for, and the runs that came back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.data import DataSource, forget_mnist, load, mnist_available
from chainrule.experiments import Cell, Results, expand, load_recipe, seeds_of, values_of
from chainrule.experiments.recipes.words import value_word
from chainrule.experiments.verdicts.fair_tuning import split_seeds
from chainrule.runs import Runs
from chainrule.stats import RateInterval, success_rate

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Recipe
    from chainrule.lab.replication import ReplicationRow

RECIPES = Path(__file__).parent / "recipes"
Values = npt.NDArray[np.float64]


@lru_cache(maxsize=256)
def section_recipe(name: str) -> Recipe:
    """Read one of the sections' recipes."""
    return load_recipe(RECIPES / "sections" / f"{name}.toml")


@dataclass(frozen=True)
class Level:
    """One cell's runs with what the figures need: a short name, and who succeeded.

    Attributes
    ----------
    name : str
        What it is called in figures and sentences.
    value : object
        Its value on the recipe's axis.
    runs : Runs
        A run per seed.
    success : ndarray (n_runs,)
        Who met the recipe's success rule at the end; a diverged run never does.
    rule : str
        The rule in words, e.g. ``held-out accuracy ≥ 99 %``.
    first : str
        The quantity "first kept epoch at which the rule held".
    """

    name: str
    value: Any
    runs: Runs
    success: npt.NDArray[np.bool_]
    rule: str = "success"
    first: str = "epochs"

    @property
    def rate(self) -> RateInterval:
        """Success rate with its exact 95 % interval."""
        return success_rate(int(self.success.sum()), len(self.success))

    def values(self, quantity: str) -> Values:
        """Return a quantity per run, see `chainrule.experiments.recipes.quantities`."""
        return values_of(quantity, self.runs)

    def called(self, name: str) -> Level:
        """Return the level under another name."""
        return replace(self, name=name)

    def on(self, seeds: Iterable[int]) -> Level:
        """Return the level with the runs of some seeds only."""
        wanted = set(seeds)
        keep = np.array([run.seed in wanted for run in self.runs], dtype=bool)
        return replace(self, runs=self.runs.where(lambda run: run.seed in wanted), success=self.success[keep])

    def halves(self) -> tuple[Level, Level]:
        """Return the level on the first and on the second half of its seeds, to choose on one and judge on the other.

        A level with a single seed is both halves.
        """
        choosing, judging = split_seeds([run.seed for run in self.runs])
        return self.on(choosing), self.on(judging)


@dataclass
class LabContext:
    """Everything a section may ask for.

    Attributes
    ----------
    quick : bool
        Few seeds, short training.
    seeds : int or None
        Seeds per setting, overriding the recipes'.
    data_dir : Path or None
        Where to look for data files first.
    results : Results
        The runs by setting.
    notes : list of str
        What the reader must know is missing; the builders add to it.
    replication : list of ReplicationRow
        The replicated figures, once their section is built.
    """

    quick: bool = False
    seeds: int | None = None
    data_dir: Path | None = None
    results: Results = field(default_factory=Results)
    notes: list[str] = field(default_factory=list)
    replication: list[ReplicationRow] = field(default_factory=list)

    @property
    def has_mnist(self) -> bool:
        """Whether the MNIST files are at hand (nothing is downloaded for the report)."""
        return mnist_available(self.data_dir)

    def open_data(self) -> None:
        """Read the data files before anything is trained, so that a damaged one costs nothing.

        What was read is given back: those who train are other processes, and the report reads it again at the end.

        Raises
        ------
        DataError
            If MNIST is at hand but cannot be read.
        """
        if self.has_mnist:
            self.source("mnist").draw(0)
            forget_mnist()

    def wanted(self, name: str) -> bool:
        """Return whether a recipe is to run here: MNIST only in the full lab, and only when it is at hand."""
        recipe = section_recipe(name)
        if not self.seeds_of(name):
            return False
        return self.has_mnist or recipe.data is None or not recipe.data.source.startswith("mnist")

    def seeds_of(self, name: str) -> tuple[int, ...]:
        """Return the seeds a recipe runs with; MNIST keeps its own few unless fewer are asked for."""
        recipe = section_recipe(name)
        own = seeds_of(recipe, self.quick)
        if self.seeds is None or not own:
            return own
        expensive = recipe.data is not None and recipe.data.source.startswith("mnist")
        return seeds_of(recipe, self.quick, min(self.seeds, len(own)) if expensive else self.seeds)

    def cells(self, name: str) -> list[Cell]:
        """Return the cells of a recipe."""
        return expand(section_recipe(name), self.quick)

    def work(self, names: tuple[str, ...]) -> list[tuple[Cell, tuple[int, ...]]]:
        """Return the cells of recipes with the seeds of each, ready for `make_jobs`."""
        return [(cell, self.seeds_of(name)) for name in names if self.wanted(name) for cell in self.cells(name)]

    def levels(self, name: str, **where: Any) -> list[Level]:
        """Return the runs of a recipe's cells that lie at `where` (axis, with ``__`` for the dot, to value).

        Cells without runs (interrupted, failed) are left out.
        """
        selector = {axis.replace("__", "."): value for axis, value in where.items()}
        found = []
        for cell in self.cells(name):
            if not cell.at(selector):
                continue
            runs = self.results.of(cell, self.seeds_of(name))
            if runs is not None and len(runs):
                rest = [(axis, value) for axis, value in cell.place if axis not in selector]
                found.append(make_level(name, rest, runs))
        return found

    def cases(self, name: str) -> list[str]:
        """Return the names of a recipe's cases."""
        return list(section_recipe(name).cases)

    def source(self, spec: str) -> DataSource:
        """Load a data source."""
        return load(spec, self.data_dir)


def make_level(name: str, place: list[tuple[str, Any]], runs: Runs) -> Level:
    """Put together a cell's runs with who of them succeeded by the recipe's rule.

    A rule on ``accuracy`` is judged on the held-out part where there is one: accuracy on the samples that were
    trained on is not what anybody wants to know.
    """
    label = ", ".join(value_word(value) for _, value in place) or name.replace("_", " ")
    value = place[0][1] if place else None
    rule = section_recipe(name).success
    if rule is None:
        return Level(label, value, runs, np.ones(len(runs), dtype=bool))
    held_out = f"validation_{rule.metric}"
    key = held_out if held_out in runs[0].final else rule.metric
    sign, bound = (">=", rule.at_least) if rule.at_least is not None else ("<=", rule.at_most)
    assert bound is not None, "a success rule has one bound"
    values = values_of(f"final {key}", runs)
    met = values >= bound if sign == ">=" else values <= bound
    sound = np.array([run.stop_reason != "diverged" for run in runs], dtype=bool)
    words = key.replace("validation_", "held-out ").replace("_", " ")
    words = words if "held-out" in words else f"training {words}"
    shown = f"{100 * bound:g} %" if "accuracy" in key else f"{bound:g}"
    told = f"{words} {'≥' if sign == '>=' else '≤'} {shown}"
    return Level(label, value, runs, met & sound, told, f"first {key}{sign}{bound}")


def rules_told(levels: Iterable[tuple[str, Level]]) -> str:
    """Say the success rules of several levels, each once: ``linear: held-out accuracy ≥ 99 %; xor: ...``."""
    rules: dict[str, list[str]] = {}
    for name, level in levels:
        rules.setdefault(level.rule, []).append(name)
    if len(rules) == 1:
        return next(iter(rules))
    return "; ".join(f"{', '.join(dict.fromkeys(names))}: {rule}" for rule, names in rules.items())
