"""What a sweep brings back: the runs of every cell of a recipe, and how they came about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from chainrule.experiments.recipes.grid import Cell
from chainrule.experiments.recipes.quantities import values_of
from chainrule.experiments.recipes.scores import SUCCESS, successes_of
from chainrule.runs import Runs
from chainrule.stats import RateInterval, success_rate

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Recipe
    from chainrule.experiments.sweeps.halving_report import HalvingReport


SPENT = "the budget was spent before every run was trained; the same call goes on from there"


@dataclass(frozen=True)
class CellResult:
    """The runs of one cell.

    Attributes
    ----------
    cell : Cell
        Place in the grid, setting, label.
    runs : Runs
        Finished runs in the order of their seeds; may be empty.
    missing : str
        Why seeds are lacking; empty if none is.
    pruned_after : int or None
        Epochs after which successive halving gave the cell up; its runs are then those of that many epochs.
    adaptive : bool
        Whether its number of seeds was chosen by looking at its runs: then only intervals that are valid at every
        number of seeds are honest.
    """

    cell: Cell
    runs: Runs
    missing: str = ""
    pruned_after: int | None = None
    adaptive: bool = False

    @property
    def label(self) -> str:
        """The cell in words."""
        return self.cell.label or "the only cell"

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that have a run."""
        return tuple(run.seed for run in self.runs)

    def __repr__(self) -> str:
        return f"CellResult({self.label!r}, {len(self.runs):,} runs)"


@dataclass(frozen=True)
class SweepResult:
    """A finished (or interrupted) sweep.

    Attributes
    ----------
    recipe : Recipe
        What was asked.
    cells : tuple of CellResult
        In the order of the grid; of a sampler, in the order in which they were tried.
    computed, reused : int
        Runs trained now, and runs found in the store, each run once, those of `rescored` and `asked` included.
    rescored, asked : int
        How many of the runs trained now score the best cells on fresh seeds, and how many were for questions.
    seconds : float
        Wall time.
    interrupted, out_of_time : bool
        Whether Ctrl-C or the budget ended it early; and whether it was the budget.
    fresh : mapping of str to Runs
        By the setting's key: runs from seeds that played no part in choosing, for the winner's fair score.
    notes : tuple of str
        What a reader must know, a line each.
    seeds : tuple of int
        The seeds that every cell was to have; some of an adaptive sweep have more, and those must not choose: cells
        are compared on seeds that they share.
    halving : HalvingReport or None
        What successive halving saved, and what it would have cost to be wrong.
    sampler : str
        How the cells were chosen: ``grid`` (all there are), ``random`` or ``optuna``.
    """

    recipe: Recipe
    cells: tuple[CellResult, ...]
    computed: int = 0
    reused: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    fresh: Mapping[str, Runs] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    halving: HalvingReport | None = None
    sampler: str = "grid"
    rescored: int = 0
    asked: int = 0
    out_of_time: bool = False

    @property
    def wanted(self) -> int | None:
        """How many runs the cells were to have at least; None if it depends on results which cells there are."""
        return None if self.sampler == "optuna" else len(self.seeds) * len(self.cells)

    @property
    def cut_short(self) -> bool:
        """Whether it was ended before its cells had their runs."""
        return self.interrupted and (self.wanted is None or sum(len(one.runs) for one in self.cells) < self.wanted)

    def __iter__(self) -> Iterator[CellResult]:
        return iter(self.cells)

    def __len__(self) -> int:
        return len(self.cells)

    def __repr__(self) -> str:
        runs = sum(len(one.runs) for one in self.cells)
        return f"SweepResult({self.recipe.id!r}, {len(self.cells):,} cells, {runs:,} runs)"

    @cached_property
    def axes(self) -> dict[str, list[object]]:
        """The axes along which cells differ, with their values in the order of the grid; constant ones left out."""
        values: dict[str, list[object]] = {}
        for result in self.cells:
            for axis, value in result.cell.place:
                if value not in values.setdefault(axis, []):
                    values[axis].append(value)
        return {axis: found for axis, found in values.items() if len(found) > 1}

    def successes(self, runs: Runs) -> npt.NDArray[np.bool_]:
        """Return which runs are successes (n_runs,): by the recipe's rule, or by their own stopping rules."""
        return successes_of(self.recipe, runs)

    def values(self, runs: Runs, quantity: str) -> npt.NDArray[np.float64]:
        """Return a quantity of each run (n_runs,), see `experiments.recipes.quantities`; ``success`` is 1 or 0."""
        return self.successes(runs).astype(np.float64) if quantity == SUCCESS else values_of(quantity, runs)

    def success_rate(self, cell: CellResult, level: float = 0.95) -> RateInterval | None:
        """Return a cell's success rate with an interval that is honest for it; None without runs.

        That is the exact binomial one, or for an `adaptive` cell one that holds at every number of seeds: it is wider.
        """
        held = self.successes(cell.runs)
        if not len(held):
            return None
        return anytime_rate(held, level) if cell.adaptive else success_rate(int(held.sum()), len(held), level)


def on_shared_seeds(result: SweepResult) -> SweepResult:
    """Return a sweep without the seeds that only some of its cells were to have."""
    wanted = set(result.seeds)
    if not any(one.adaptive for one in result):
        return result
    cells = tuple(replace(one, runs=one.runs.where(lambda run: run.seed in wanted)) for one in result)
    return replace(result, cells=cells)


def anytime_rate(held: npt.NDArray[np.bool_], level: float = 0.95) -> RateInterval:
    """Return the success rate of runs in the order of their seeds, with an interval that peeking does not spoil.

    Without runs it is the whole range from 0 to 1, around one half.
    """
    low, high = _anytime_ends(np.asarray(held, dtype=np.bool_).tobytes(), level)
    return RateInterval(int(held.sum()), len(held), float(held.mean()) if len(held) else 0.5, low, high, level)


@lru_cache(maxsize=65_536)
def _anytime_ends(held: bytes, level: float) -> tuple[float, float]:
    """Cells share results (all seeds fail, or none does), and each is looked at several times."""
    from chainrule.stats.sequential import MeanSequence

    interval = MeanSequence(0.0, 1.0, level).update(np.frombuffer(held, dtype=np.bool_).astype(np.float64))
    return interval.low, interval.high
