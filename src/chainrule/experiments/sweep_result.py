"""What a sweep brings back: the runs of every cell of a recipe, and how they came about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from chainrule.experiments.grid import Cell
from chainrule.experiments.quantities import values_of
from chainrule.runs import Runs

if TYPE_CHECKING:
    from chainrule.experiments.schema import Recipe


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
        Epochs after which successive halving gave the cell up.
    """

    cell: Cell
    runs: Runs
    missing: str = ""
    pruned_after: int | None = None

    @property
    def label(self) -> str:
        """The cell in words."""
        return self.cell.label or "the only cell"

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that have a run."""
        return tuple(run.seed for run in self.runs)


@dataclass(frozen=True)
class SweepResult:
    """A finished (or interrupted) sweep.

    Attributes
    ----------
    recipe : Recipe
        What was asked.
    cells : tuple of CellResult
        In the order of the grid.
    computed, reused : int
        Runs trained now, and runs found in the store.
    seconds : float
        Wall time.
    interrupted : bool
        Whether Ctrl-C, the budget or an error ended it early.
    fresh : mapping of str to Runs
        By the setting's key: runs from seeds that played no part in choosing, for the winner's fair score.
    notes : tuple of str
        What a reader must know, a line each.
    """

    recipe: Recipe
    cells: tuple[CellResult, ...]
    computed: int = 0
    reused: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    fresh: Mapping[str, Runs] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[CellResult]:
        return iter(self.cells)

    def __len__(self) -> int:
        return len(self.cells)

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
        rule = self.recipe.success
        if rule is None or not len(runs):
            return runs.successes()
        values = values_of(f"final {rule.metric}", runs)
        at_least, at_most = rule.at_least, rule.at_most
        with np.errstate(invalid="ignore"):
            return values >= at_least if at_least is not None else values <= (-np.inf if at_most is None else at_most)

    def values(self, runs: Runs, quantity: str) -> npt.NDArray[np.float64]:
        """Return a quantity of each run (n_runs,), see `chainrule.experiments.quantities`; ``success`` is 1 or 0."""
        return self.successes(runs).astype(np.float64) if quantity == "success" else values_of(quantity, runs)
